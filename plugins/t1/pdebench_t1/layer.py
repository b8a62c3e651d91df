"""One layer in the frequency domain."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

Start = Literal["fno", "variance", "small", "fan_in"]
Activation = Literal["gelu", "sin"]


def deviation(kind: Start, fan_in: int, fan_out: int, points: int, kept: int) -> float:
    """Return the standard deviation that weights start with.

        fno       1 / (fan_in fan_out)
        variance  sqrt( (1 / fan_in) N / m ): m kept coefficients carry the variance of all N
        small     1e-8
        fan_in    sqrt( 1 / fan_in )

    Poli et al., NeurIPS 2022 (arXiv 2211.14453), sec. 3.3.
    """
    if kind == "fno":
        return 1 / (fan_in * fan_out)
    if kind == "variance":
        return math.sqrt(points / (fan_in * kept))
    if kind == "small":
        return 1e-8
    if kind == "fan_in":
        return math.sqrt(1 / fan_in)
    raise ConfigError(f"start={kind!r}, expected 'fno', 'variance', 'small' or 'fan_in'")


def activation(kind: Activation) -> Callable[[Tensor], Tensor]:
    """Return GELU or the sine; on complex coefficients both parts pass it on their own."""
    known = {"gelu": functional.gelu, "sin": torch.sin}
    if kind not in known:
        raise ConfigError(f"activation={kind!r}, expected 'gelu' or 'sin'")
    real = known[kind]

    def both(z: Tensor) -> Tensor:
        if not z.is_complex():
            return real(z)
        return torch.view_as_complex(real(torch.view_as_real(z)))

    return both


@final
class FrequencyLayer(nn.Module):
    """Mixes channels at every coefficient, then each frequency axis on its own.

        p_o(k) = sigma( sum_i z_i(k) A_io(k) )
        q_c(.., o, ..) = sum_i p_c(.., i, ..) S^a_io^c       for every axis a in turn
        out = q [+ z]

    Poli et al., NeurIPS 2022 (arXiv 2211.14453), sec. 3.2. z: (B, C, *M).  Returns the same shape.

    Args:
        width: C.
        modes: M.
        points: N of the grid, for the start.
        residual: whether z is added.
        start: how A starts; the axis maps start with "fan_in".
        act: "gelu" or "sin".
        complex_weights: for Fourier coefficients; parts start with half the deviation.
    """

    def __init__(
        self,
        width: int,
        modes: Sequence[int],
        points: int,
        residual: bool = True,
        start: Start = "variance",
        act: Activation = "gelu",
        complex_weights: bool = False,
    ) -> None:
        super().__init__()
        self.residual, self._act = residual, activation(act)
        self._complex = complex_weights
        scale = deviation(start, width, width, points, math.prod(modes))
        self.channels = self._weights(scale, width, width, *modes)
        self.axes = nn.ParameterList(
            self._weights(deviation("fan_in", m, m, points, m), m, m, width) for m in modes
        )

    def _weights(self, scale: float, *shape: int) -> nn.Parameter:
        if not self._complex:
            return nn.Parameter(scale * torch.randn(*shape))
        return nn.Parameter(torch.view_as_complex(scale / 2 * torch.randn(*shape, 2)))

    def forward(self, z: Tensor) -> Tensor:
        p = self._act(torch.einsum("bi...,io...->bo...", z, self.channels))
        for axis, weight in enumerate(self.axes):
            moved = p.movedim(axis + 2, -1)
            # (C, B *M', m) @ (C, m, m): one batched product for all channels.
            flat = moved.transpose(0, 1).flatten(1, -2)
            mixed = torch.bmm(flat, weight.permute(2, 0, 1))
            p = mixed.unflatten(1, (z.shape[0], *moved.shape[2:-1])).transpose(0, 1)
            p = p.movedim(-1, axis + 2)
        return p + z if self.residual else p
