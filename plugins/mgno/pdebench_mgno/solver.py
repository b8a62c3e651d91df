"""Multigrid neural operators as solvers of the suite."""

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from torch import nn

from pdebench.learning import Form, LearnedSolver, Sizes, Training

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class MgNO(LearnedSolver):
    """A multigrid neural operator of any published variant, trained on labels.

    Args:
        architecture: takes ``in_channels``, ``out_channels`` and ``shape`` and returns a network
            (B, C_in, X, Y) -> (B, C_out, X, Y): ``pdebench_mgno.network.MgNO`` with
            ``_partial_: true``.
        form: how the network answers a problem.
        training: optimiser, schedule, loss, scaling, batch size.
    """

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        form: Form | None = None,
        training: Training | None = None,
    ) -> None:
        super().__init__(form, training)
        self._architecture = architecture

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(
            in_channels=sizes.in_channels, out_channels=sizes.out_channels, shape=sizes.shape
        )

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        domain = task.samples("train").problem.domain
        axes = getattr(domain, "axes", None)
        if axes is None:
            return "its stencils need a tensor grid, the task lives on a mesh or point cloud"
        if not all(axis.uniform for axis in axes):
            return "its stencils need a uniform grid, an axis of the task is stretched"
        sizes = self.form.sizes(task.samples("train"))
        if sizes.dim != 2:
            return f"its stencils are two-dimensional, the task has {sizes.dim} axes"
        return None
