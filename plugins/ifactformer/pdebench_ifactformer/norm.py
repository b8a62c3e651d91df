"""Norm of the attention output and the linear map after it, as one product.

All three published norms are affine in w, so they fold into the map W: nothing of the width of w
is written.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["instance", "group", "x_plane"]


def instance(parts: list[Tensor], weight: Tensor, num_first: int) -> Tensor:
    """Return W (w - mean) / sqrt(var + 1e-5), statistics per sample and channel over all points.

    parts: per axis (or one) w (B, H, N, d); weight (H, A, d, dim).  Returns (B, N, dim).
    Biased variance, no affine part, no running statistics. Every axis is finished before the next.
    """
    del num_first
    total = None
    for a, w in enumerate(parts):
        var, mean = torch.var_mean(w, 2, correction=0, keepdim=True)
        folded = (var + 1e-5).rsqrt().transpose(-1, -2) * weight[:, a]
        # sum over heads of w @ folded - mean @ folded, in one product over heads and channels
        flat = folded.flatten(1, 2)
        y = torch.baddbmm(-(mean @ folded).sum(1), _joined(w), flat)
        total = y if total is None else total + y
    return _some(total)


def group(parts: list[Tensor], weight: Tensor, num_first: int) -> Tensor:
    """As `instance`, but one mean and one unbiased variance per sample and head, eps 1e-8.

    FactFormer as released since c9801d1.
    """
    del num_first
    var, mean = torch.var_mean(_stacked(parts), (2, 3, 4), correction=1)
    scale = (var + 1e-8).rsqrt()[:, :, None, None, None]
    folded = scale * weight
    offset = torch.einsum("bh,bhade->be", mean, folded)[:, None]
    total = -offset
    for a, w in enumerate(parts):
        total = total + _joined(w) @ folded[:, :, a].flatten(1, 2)
    return total


def x_plane(parts: list[Tensor], weight: Tensor, num_first: int) -> Tensor:
    """As `instance`, but statistics per sample and index of the first axis, over all else.

    What torch's InstanceNorm does when fed channels-last fields: the first axis is taken for the
    channel. It couples the channels and treats the first axis unlike the others. Biased variance,
    eps 1e-5; IFactFormer and FactFormer as first released.
    """
    planes = _stacked(parts).unflatten(3, (num_first, -1))
    var, mean = torch.var_mean(planes, (1, 2, 4, 5), correction=0)
    total = None
    for a, w in enumerate(parts):
        y = _joined(w) @ weight[:, a].flatten(0, 1)
        total = y if total is None else total + y
    y = _some(total).unflatten(1, (num_first, -1))
    offset = mean[:, :, None, None] * weight.sum((0, 1, 2))
    return ((y - offset) * (var + 1e-5).rsqrt()[:, :, None, None]).flatten(1, 2)


def _joined(w: Tensor) -> Tensor:
    """(B, H, N, d) -> (B, N, H d)."""
    return w.transpose(1, 2).flatten(2)


def _stacked(parts: list[Tensor]) -> Tensor:
    """A times (B, H, N, d) -> (B, H, A, N, d)."""
    return torch.stack(parts, 2)


def _some(total: Tensor | None) -> Tensor:
    if total is None:
        raise ValueError("parts is empty, expected one array per axis")
    return total


NORMS: dict[str, Callable[[list[Tensor], Tensor, int], Tensor]] = {
    "instance": instance,
    "group": group,
    "x_plane": x_plane,
}
