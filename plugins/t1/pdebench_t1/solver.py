"""Transform Once as a solver of the suite."""

from collections.abc import Callable
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench.learning import Form, LearnedSolver, OneShot, RelativeL2, Sizes, Training, stacked
from pdebench.learning.scaling import Affine
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench_t1.network import T1 as Network
from pdebench_t1.shaped import T1U

if TYPE_CHECKING:
    from pdebench.task import Task

_SMALLEST = 1e-30  # keeps the gradient of the square root finite at an exact fit
_CHUNK = 64  # samples that are transformed at a time


@final
class _Transformed(Source):
    """Problems of other samples with transformed targets (n, P), made once and held in memory."""

    def __init__(self, samples: Samples, target: Tensor) -> None:
        self._samples, self._target = samples, target

    def __len__(self) -> int:
        return len(self._target)

    def problem(self, index: Index) -> Problem:
        return self._samples[index].problem

    def target(self, index: Index) -> Tensor:
        return self._target[index]


@final
class T1(LearnedSolver):
    """T1 or T1U, trained on labels in fields or in coefficients.

    In coefficients no inverse transform is made while training: with an orthonormal T

        ||T^{-1} z - y||^2 = ||z - P T y||^2 + ||y||^2 - ||P T y||^2,    P: the kept coefficients

    so the loss is the relative L2 loss of fields (Poli et al. 2022, sec. 3.1), up to round-off.

    Args:
        architecture: takes ``in_channels``, ``out_channels`` and ``shape`` and returns a network:
            ``pdebench_t1.network.T1`` or ``pdebench_t1.shaped.T1U`` with ``_partial_: true``.
        coefficients: train in coefficients; needs a DCT, the form OneShot, the loss RelativeL2 and
            no padding.
        form: how the network answers a problem.
        training: optimiser, schedule, loss, scaling, batch size.
        once: transform the targets of the training split once, before the first epoch, and keep
            their coefficients in memory (C_out M numbers a sample), so that no transform of a
            target is left in the loop; needs ``coefficients``.
    """

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        coefficients: bool = False,
        form: Form | None = None,
        training: Training | None = None,
        once: bool = False,
    ) -> None:
        super().__init__(form, training)
        plain = isinstance(self.form, OneShot) and isinstance(self.training.loss, RelativeL2)
        if coefficients and not plain:
            raise ConfigError(
                "solver.coefficients=true needs solver.form OneShot and solver.training.loss "
                "RelativeL2"
            )
        if once and not coefficients:
            raise ConfigError("solver.once=true needs solver.coefficients=true")
        self._architecture, self.in_coefficients, self._once = architecture, coefficients, once

    def network(self, sizes: Sizes) -> nn.Module:
        made = self._architecture(
            in_channels=sizes.in_channels, out_channels=sizes.out_channels, shape=sizes.shape
        )
        if self.in_coefficients and getattr(made, "padding", 0):
            raise ConfigError("solver.coefficients=true needs solver.architecture.padding=0")
        if self.in_coefficients and getattr(made, "_transform", "dct") != "dct":
            raise ConfigError("solver.coefficients=true needs solver.architecture.transform=dct")
        return made

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        network = getattr(model, "network", None)
        if not self.in_coefficients or target is None or not isinstance(network, Network | T1U):
            return super().loss(model, problem, target, weights)
        inputs, outputs = model.inputs, model.outputs
        x = stacked(problem)
        z = network.coefficients(x if inputs is None else inputs.encode(x))
        error = z if outputs is None else z * outputs.std
        packed = target if target.ndim == 2 else self._pack(network, outputs, problem, target)
        kept, outside, norm = packed[:, :-2].view_as(error), packed[:, -2], packed[:, -1]
        inside = (x[0, 0].numel() / network.points) * (error - kept).square().flatten(1).sum(1)
        return ((inside + outside).clamp_min(_SMALLEST).sqrt() / norm).mean()

    def _pack(
        self, network: Network | T1U, outputs: Affine | None, problem: Problem, target: Tensor
    ) -> Tensor:
        """Return (B, P): kept coefficients of y - mean, the square of what is not kept, ||y||."""
        y = target.flatten(1, 2) if problem.times is not None else target
        centred = y if outputs is None else y - outputs.mean
        kept = network.plan(centred).forward(centred).flatten(1)
        # Coefficients are expressed for the grid of the weights; fields of this one have N' points.
        scale = y[0, 0].numel() / network.points
        outside = centred.square().flatten(1).sum(1) - scale * kept.square().sum(1)
        rest = torch.stack([outside.clamp_min(0.0), y.flatten(1).norm(dim=1)], dim=1)
        return torch.cat([kept, rest], dim=1)

    def training_samples(self, train: Samples) -> Samples:
        model = self.model
        network = getattr(model, "network", None)
        if not self._once or model is None or not isinstance(network, Network | T1U):
            return train
        with torch.no_grad():
            packed = [
                self._pack(network, model.outputs, part.problem, part.target)
                for part in train.chunks(_CHUNK)
            ]
        return Samples(_Transformed(train, torch.cat(packed)))

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        axes = getattr(task.samples("train").problem.domain, "axes", None)
        if axes is None:
            return "it transforms tensor grids, the task lives on a mesh or point cloud"
        if not all(axis.uniform for axis in axes):
            return "it transforms uniform grids, an axis of the task is stretched"
        sizes = self.form.sizes(task.samples("train"))
        modes = getattr(self._architecture, "keywords", {}).get("modes", sizes.dim)
        if not isinstance(modes, int) and len(modes) != sizes.dim:
            return (
                f"its modes {list(modes)} are for {len(modes)} axes, the task has {sizes.dim}; set "
                "solver.architecture.modes"
            )
        return None
