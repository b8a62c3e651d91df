"""Training losses: scalars of a prediction (B, [T,] C, *S), a target of that shape and quadrature
weights (*S,).
"""

from typing import Protocol, final

import torch
from torch import Tensor


class Loss(Protocol):
    """A training loss."""

    def __call__(self, prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor: ...


def _square_norm(field: Tensor, weights: Tensor, first: int) -> Tensor:
    return (field.square() * weights).flatten(first).sum(-1)


@final
class RelativeL2:
    """Mean over samples of ||p - y|| / ||y||, the norm over all times, channels and points.

        L = 1/B sum_b ( sum_{t,c,i} w_i (p - y)^2 )^{1/2} / ( sum_{t,c,i} w_i y^2 )^{1/2}

    Li et al., ICLR 2021 (arXiv 2010.08895), sec. 5; they sum over the batch, we average, so that
    the learning rate does not depend on the batch size.
    """

    def __call__(self, prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        error = _square_norm(prediction - target, weights, 1)
        return (error / _square_norm(target, weights, 1)).sqrt().mean()


@final
class FrameRelativeL2:
    """Mean over samples and frames of the relative L2 error of each frame (B, T, C, *S).

    Li et al. 2021, recurrent FNO-2D: they sum over frames; we average.
    """

    def __call__(self, prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        error = _square_norm(prediction - target, weights, 2)
        return (error / _square_norm(target, weights, 2)).sqrt().mean()


@final
class MeanSquare:
    """Mean square error, weighted by the quadrature: sum_i w_i (p - y)^2 / sum_i w_i, averaged over
    all else.
    """

    def __call__(self, prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        space = tuple(range(-weights.ndim, 0))
        return torch.mean(((prediction - target).square() * weights).sum(space) / weights.sum())
