"""Latent spectral models as solvers of the suite."""

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from torch import nn

from pdebench.learning import Form, LearnedSolver, Sizes, Training

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class LSM(LearnedSolver):
    """A latent spectral model of a grid or a point cloud, trained on labels.

    Args:
        architecture: takes ``in_channels``, ``out_channels`` and ``shape`` and returns a network
            (B, C_in, *S) -> (B, C_out, *S): ``pdebench_lsm.network.LSM`` for grids or
            ``pdebench_lsm.points.PointLSM`` for clouds, with ``_partial_: true``.
        cloud: whether the architecture is one for point clouds.
        form: how the network answers a problem.
        training: optimiser, schedule, loss, scaling, batch size.
    """

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        cloud: bool = False,
        form: Form | None = None,
        training: Training | None = None,
    ) -> None:
        super().__init__(form, training)
        self._architecture, self._cloud = architecture, cloud

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(
            in_channels=sizes.in_channels, out_channels=sizes.out_channels, shape=sizes.shape
        )

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        problem = task.samples("train").problem
        gridded = getattr(problem.domain, "axes", None) is not None
        if self._cloud:
            if gridded:
                return "it is the variant for point clouds; the task has a grid, use solver=lsm"
            if problem.domain.dim != 2:
                return f"its deformation is two-dimensional, the task has {problem.domain.dim} axes"
            return None
        if not gridded:
            return "its convolutions need a tensor grid; for clouds use solver=lsm_points"
        sizes = self.form.sizes(task.samples("train"))
        if sizes.dim > 3:
            return f"its convolutions have up to three axes, the task has {sizes.dim}"
        return None
