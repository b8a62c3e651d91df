"""Factorised attention as solvers of the suite."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, final

import torch
from torch import Tensor, nn

from pdebench.domain import Domain
from pdebench.errors import ConfigError
from pdebench.learning import Form, LearnedSolver, Rollout, Sizes, Training
from pdebench.samples import Samples
from pdebench_ifactformer.coordinates import with_both_ends

if TYPE_CHECKING:
    from pdebench.learning.solver import Scaled
    from pdebench.task import Task


@final
class IFactFormer(LearnedSolver):
    """A network of this package on the coordinates of the task's grid, trained on labels.

    Args:
        architecture: takes ``in_channels``, ``out_channels``, ``coordinates`` and ``periodic`` and
            returns a network (B, C_in, *S) -> (B, C_out, *S):
            ``pdebench_ifactformer.network.IFactFormer`` or
            ``pdebench_ifactformer.factformer.FactFormer`` with ``_partial_: true``.
        coordinates: "domain": the nodes of the task's grid. "endpoints": n equidistant points from
            one end of every axis to the other, also on periodic and stretched axes, as released.
        form: how the network answers a problem; frame by frame as published.
        training: optimiser, schedule, loss, scaling, batch size.
    """

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        coordinates: Literal["domain", "endpoints"] = "domain",
        form: Form | None = None,
        training: Training | None = None,
    ) -> None:
        super().__init__(form or Rollout(unroll=1), training)
        if coordinates not in ("domain", "endpoints"):
            raise ConfigError(
                f"solver.coordinates={coordinates!r}, expected 'domain' or 'endpoints'"
            )
        self._architecture, self._coordinates = architecture, coordinates
        self._nodes: list[Tensor] | None = None

    def build(self, samples: Samples) -> "Scaled":
        self._nodes = self._axes(samples[:1].problem.domain)
        return super().build(samples)

    def network(self, sizes: Sizes) -> nn.Module:
        nodes: Sequence[Tensor] = self._nodes or ()
        if tuple(len(x) for x in nodes) != sizes.shape:
            # Weights about to be loaded bring their own coordinates.
            nodes = [torch.arange(float(num)) for num in sizes.shape]
        return self._architecture(
            in_channels=sizes.in_channels,
            out_channels=sizes.out_channels,
            coordinates=nodes,
            periodic=sizes.periodic,
        )

    def _axes(self, domain: Domain) -> list[Tensor]:
        axes = getattr(domain, "axes", ())
        if self._coordinates == "domain" or not axes:
            return [axis.nodes for axis in axes]
        return [with_both_ends(len(axis.nodes), axis.length, float(axis.nodes[0])) for axis in axes]

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        samples = task.samples("train")
        domain = samples.problem.domain
        if getattr(domain, "axes", None) is None:
            return "it attends along the axes of a tensor grid, the task lives on a mesh or cloud"
        sizes = self.form.sizes(samples)
        if sizes.dim != domain.dim:
            return "its axes are those of space; choose solver.form Rollout or OneShot"
        self._nodes = self._axes(domain)
        try:
            with torch.device("meta"):
                self.network(sizes)
        except ConfigError as error:
            return str(error)
        return None
