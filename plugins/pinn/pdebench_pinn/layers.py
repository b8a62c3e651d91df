"""Layers of many networks at once, with derivatives along the input carried through them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Pairs = Sequence[tuple[int, int]]


@final
class TanhLayers(nn.Module):
    """B independent stacks of affine maps with tanh between them, applied to streams.

        a = tanh z,   a_p = (1 - a^2) z_p,   a_pq = (1 - a^2) z_pq - 2 a (1 - a^2) z_p z_q

    A stream is the value, then the first derivatives along ``axes`` coordinates, then the second
    ones of ``pairs`` of them: S = 1 + axes + len(pairs). Any first streams without the rest will do
    as well, so that values alone cost one.

    Args:
        instances: B.
        sizes: units of every layer, the input's and the output's among them.
        axes: coordinates with a first derivative.
        pairs: of coordinates, whose second derivatives are carried.
    """

    def __init__(self, instances: int, sizes: Sequence[int], axes: int, pairs: Pairs) -> None:
        super().__init__()
        self._axes, self._pairs = axes, tuple(pairs)
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(instances, a, b) * math.sqrt(2 / (a + b)))  # Glorot
            for a, b in pairwise(sizes)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(instances, 1, b)) for b in sizes[1:]
        )

    def forward(self, streams: Tensor) -> Tensor:
        """Return streams (B, S, N, last) of streams (B, S, N, first), or of (1, S, N, first)."""
        count, points = streams.shape[1:3]
        pairs = self._pairs if count > 1 else ()
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            instances = len(weight)
            flat = streams.flatten(1, 2).expand(instances, -1, -1)
            streams = torch.bmm(flat, weight).view(instances, count, points, -1)
            streams[:, 0] += bias
            if index < last:
                streams = _Tanh.apply(streams, min(self._axes, count - 1), pairs)
        return streams


class _Tanh(torch.autograd.Function):
    """tanh of streams; one pass back instead of one per operation, for there are many streams."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, axes: int, pairs: Pairs) -> Tensor:
        a = torch.tanh(z[:, 0])
        slope = torch.addcmul(torch.ones_like(a), a, a, value=-1)
        out = slope.unsqueeze(1) * z
        out[:, 0] = a
        if pairs:
            bend = (-2 * a).mul_(slope)
            for k, (p, q) in enumerate(pairs, 1 + axes):
                out[:, k].addcmul_(bend * z[:, 1 + p], z[:, 1 + q])
        ctx.save_for_backward(z, a, slope)
        ctx.axes, ctx.pairs = axes, pairs
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        z, a, slope = ctx.saved_tensors
        (g,) = grads
        out = slope.unsqueeze(1) * g
        # the value: through slope, whose derivative by a is -2 a, and through the bend -2 a slope
        along = (g[:, 1:] * z[:, 1:]).sum(1).mul_(a).mul_(-2)
        if ctx.pairs:
            bend = (-2 * a).mul_(slope)
            product = torch.zeros_like(a)
            for k, (p, q) in enumerate(ctx.pairs, 1 + ctx.axes):
                product.addcmul_(g[:, k] * z[:, 1 + p], z[:, 1 + q])
                back = bend * g[:, k]
                out[:, 1 + p].addcmul_(back, z[:, 1 + q])
                out[:, 1 + q].addcmul_(back, z[:, 1 + p])
            along.addcmul_(product, (6 * a).mul_(a).sub_(2))
        out[:, 0].addcmul_(slope, along)
        return out, None, None
