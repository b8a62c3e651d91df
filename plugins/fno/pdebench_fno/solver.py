"""Fourier neural operators as solvers of the suite."""

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from torch import nn

from pdebench.learning import Form, LearnedSolver, Sizes, Training

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class FNO(LearnedSolver):
    """A Fourier neural operator of any architecture of this package, trained on labels.

    Args:
        architecture: takes ``in_channels`` and ``out_channels`` and returns a network (B, C_in, *S)
            -> (B, C_out, *S): ``pdebench_fno.network.FNO``, ``pdebench_fno.classic.ClassicFNO`` or
            ``pdebench_fno.implicit.IFNO`` with ``_partial_: true``. Its ``modes`` has one entry per
            convolved axis (space, and time under SpaceTime).
        form: how the network answers a problem.
        training: optimiser, schedule, loss, scaling, batch size.
        stretched: transform stretched and bounded axes over the index of their nodes, as the
            channel-flow programs of the authors of IFNO and IFactFormer do; refused otherwise.
    """

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        form: Form | None = None,
        training: Training | None = None,
        stretched: bool = False,
    ) -> None:
        super().__init__(form, training)
        self._architecture, self._stretched = architecture, stretched

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(in_channels=sizes.in_channels, out_channels=sizes.out_channels)

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        domain = task.samples("train").problem.domain
        axes = getattr(domain, "axes", None)
        if axes is None:
            return "it transforms tensor grids, the task lives on a mesh or point cloud"
        if not self._stretched and not all(axis.uniform for axis in axes):
            return (
                "it transforms uniform grids, an axis of the task is stretched; "
                "solver.stretched=true takes nodes for equidistant"
            )
        sizes = self.form.sizes(task.samples("train"))
        asked = getattr(self._architecture, "keywords", {}).get("modes", ())
        if len(asked) != sizes.dim:
            return (
                f"its modes {list(asked)} are for {len(asked)} axes, the task has {sizes.dim}; "
                "set solver.architecture.modes"
            )
        return None
