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
    total: Tensor | None = None
    for a, w in enumerate(parts):
        centred = w - w.mean(2, keepdim=True)
        # torch.var_mean over strided axes is eight times slower than the two sums
        scale = (centred.square().mean(2, keepdim=True) + 1e-5).rsqrt()
        folded = (scale.transpose(-1, -2) * weight[:, a]).flatten(1, 2)
        y = _joined(centred)
        total = y @ folded if total is None else torch.baddbmm(total, y, folded)
    return parts[0] if total is None else total


def group(parts: list[Tensor], weight: Tensor, num_first: int) -> Tensor:
    """As `instance`, but one mean and one unbiased variance per sample and head, eps 1e-8.

    FactFormer as released since c9801d1.
    """
    del num_first
    count = len(parts) * parts[0][0, 0].numel()
    mean = _sum([w.sum((2, 3), keepdim=True) for w in parts]) / count
    centred = [w - mean for w in parts]
    var = _sum([c.square().sum((2, 3), keepdim=True) for c in centred]) / (count - 1)
    scale = (var + 1e-8).rsqrt()
    return _sum([_joined(c) @ (scale * weight[:, a]).flatten(1, 2) for a, c in enumerate(centred)])


def x_plane(parts: list[Tensor], weight: Tensor, num_first: int) -> Tensor:
    """As `instance`, but statistics per sample and index of the first axis, over all else.

    What torch's InstanceNorm does when fed channels-last fields: the first axis is taken for the
    channel. It couples the channels and treats the first axis unlike the others. Biased variance,
    eps 1e-5; IFactFormer and FactFormer as first released.
    """
    planes = [w.unflatten(2, (num_first, -1)) for w in parts]
    count = sum(w[0, :, 0].numel() for w in planes)
    over = (1, 3, 4)
    mean = _sum([w.sum(over, keepdim=True) for w in planes]) / count
    centred = [w - mean for w in planes]
    var = _sum([c.square().sum(over) for c in centred]) / count
    y = _sum([_joined(c.flatten(2, 3)) @ weight[:, a].flatten(0, 1) for a, c in enumerate(centred)])
    return (y.unflatten(1, (num_first, -1)) * (var + 1e-5).rsqrt()[:, :, None, None]).flatten(1, 2)


def _joined(w: Tensor) -> Tensor:
    """(B, H, N, d) -> (B, N, H d)."""
    return w.transpose(1, 2).flatten(2)


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


NORMS: dict[str, Callable[[list[Tensor], Tensor, int], Tensor]] = {
    "instance": instance,
    "group": group,
    "x_plane": x_plane,
}
