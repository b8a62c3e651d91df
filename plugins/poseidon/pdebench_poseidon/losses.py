"""The published loss and evaluation errors of Poseidon."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import torch
from torch import Tensor

from pdebench.errors import ConfigError

# Added to the denominator of every group, as published.
_SMALLEST = 1e-10


@final
class GroupedRelative:
    """Mean over channel groups of a relative error.

        L = 1/G sum_g  E_g(p, y) / (E_g(0, y) + 1e-10),   E_g = mean |p - y|^p over all of group g

    The means run over batch, times, the group's channels and space *together*, not per sample.
    Without groups L = E(p, y) of all channels. Herde et al., NeurIPS 2024 (arXiv 2405.19101), sec.
    B; quadrature weights are not used, as published.

    Args:
        slices: first channels of the groups and the end, such as [0, 1, 3, 4]; None for no groups.
        p: 1 or 2.
        masked: channels that the prediction is not asked for, such as the pressure of
            incompressible flow: taken from the target before the loss.
    """

    def __init__(
        self, slices: Sequence[int] | None = None, p: Literal[1, 2] = 1, masked: Sequence[int] = ()
    ) -> None:
        self.slices = None if slices is None else tuple(slices)
        if p not in (1, 2):
            raise ConfigError(f"solver.training.loss.p={p}, expected 1 or 2")
        if self.slices is not None and (
            len(self.slices) < 2 or any(b <= a for a, b in pairwise(self.slices))
        ):
            raise ConfigError(f"slices={list(self.slices)}, expected increasing channel numbers")
        self.p, self.masked = p, tuple(masked)

    def __call__(self, prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return L of fields (B, [T,] C, *S); ``weights`` (*S,) only tells the number of axes."""
        space = 2 if weights is None else weights.ndim
        axis = prediction.ndim - space - 1
        error, size = (prediction - target).abs() ** self.p, target.abs() ** self.p
        if self.masked:
            rows = torch.tensor(self.masked, device=error.device)
            error = error.index_fill(axis, rows, 0.0)
        if self.slices is None:
            return error.mean()
        if self.slices[-1] > error.shape[axis]:
            raise ConfigError(
                f"slices={list(self.slices)}, but the fields have {error.shape[axis]} channels"
            )
        ratios = [
            error.narrow(axis, a, b - a).mean() / (size.narrow(axis, a, b - a).mean() + _SMALLEST)
            for a, b in pairwise(self.slices)
        ]
        return torch.stack(ratios).mean()


def relative_error(prediction: Tensor, target: Tensor, p: int = 1) -> Tensor:
    """Return the error of every sample in per cent.

        100 ( sum |e|^p / sum |y|^p )^{1/p}   over all channels and points

    prediction, target: (B, ...).  Returns (B,). The papers' tables hold its median over samples.
    """
    error = (prediction - target).abs().pow(p).flatten(1).sum(1)
    return 100 * (error / target.abs().pow(p).flatten(1).sum(1)).pow(1 / p)
