"""Shells of the Fourier modes of a torus, and sums over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metrics.quadrature import frames

_TIE = 1e-9  # puts exact ties (k + 1/2 on anisotropic boxes) into the upper shell everywhere


@final
@dataclass(frozen=True)
class Shells:
    """Modes of a real transform on a torus.

    Attributes:
        modes: (d, M) wavenumbers of ``rfftn``, flattened, in units of ``spacing``.
        weight: (M,) 2 where the mode stands for its conjugate too, else 1.
        count: number of complete shells 0, ..., count - 1; those that the Nyquist planes cut are
            not counted.
        spacing: k0 = 2 pi / (longest extent), rad per unit length.
    """

    modes: Tensor
    weight: Tensor
    count: int
    spacing: float

    @cached_property
    def radius(self) -> Tensor:
        """Length of every mode's wavenumber (M,), in units of ``spacing``."""
        return self.modes.square().sum(0).sqrt()

    @cached_property
    def number(self) -> Tensor:
        """Shell k of every mode (M,): k - 1/2 <= radius < k + 1/2, cut shells included."""
        return torch.floor(self.radius + 0.5 + _TIE).long()


def torus(domain: Domain) -> Grid:
    """Return the domain as a periodic uniform grid; Unsupported elsewhere."""
    if isinstance(domain, Grid) and domain.is_torus:
        return domain
    raise Unsupported("a Fourier transform needs a periodic uniform grid")


def shells(grid: Grid) -> Shells:
    """Return the modes of a periodic uniform grid and their shells; kept for the next call."""
    return _shells(grid.shape, grid.extent)


@lru_cache(maxsize=16)
def _shells(shape: tuple[int, ...], extent: tuple[float, ...]) -> Shells:
    longest = max(extent)
    axes = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in shape[:-1]]
    axes.append(torch.arange(shape[-1] // 2 + 1, dtype=torch.float64))
    scaled = [axis * (longest / length) for axis, length in zip(axes, extent, strict=True)]
    modes = torch.stack([g.reshape(-1) for g in torch.meshgrid(*scaled, indexing="ij")])
    # Complete: every mode of radius < k + 1/2 is on the grid, which has (n - 1)//2 on either side.
    reach = min(((n - 1) // 2 + 1) * longest / L for n, L in zip(shape, extent, strict=True))
    count = max(int(reach - 0.5 + _TIE) + 1, 1)
    last = torch.full((len(axes[-1]),), 2.0, dtype=torch.float64)
    last[0] = 1.0
    if shape[-1] % 2 == 0:
        last[-1] = 1.0
    weight = last.repeat(modes.shape[1] // len(last))
    return Shells(modes, weight, count, 2 * torch.pi / longest)


def powers(grid: Grid, field: Tensor, *other: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (start, stop, |v_hat|^2 (rows, M) float64) over blocks of frames.

    v = field (minus other), v_hat = fft(v)/N. Transforms run in the fields' own precision, float32
    at least: their round-off is that of the data.
    """
    axes = tuple(range(1, grid.dim + 1))
    dtype = torch.float32
    for operand in (field, *other):
        dtype = torch.promote_types(dtype, operand.dtype)
    for start, stop, part in frames(grid, dtype, field, *other):
        modes = torch.fft.rfftn(part.reshape(-1, *grid.shape), dim=axes, norm="forward")
        del part  # one frame may be all there is: keep no more of it than needed
        power = modes.real.square().addcmul_(modes.imag, modes.imag).flatten(1)
        del modes
        yield start, stop, power.to(torch.float64)


def shell_sums(domain: Domain, field: Tensor, scale: Tensor | None = None) -> Tensor:
    """Return sum_{shell k} scale |v_hat|^2, (B, T, C, K) float64, v_hat = fft(v)/N.

    K complete shells; ``scale`` (M,) multiplies the modes. Over all modes and scale 1 it is <v^2>.
    """
    grid = torus(domain)
    layout = shells(grid)
    weight = (layout.weight if scale is None else layout.weight * scale).to(field.device)
    index = layout.number.clamp(max=layout.count).to(field.device)
    lead = field.shape[: -grid.dim]
    total = torch.zeros((lead.numel(), layout.count + 1), dtype=torch.float64, device=field.device)
    for start, stop, power in powers(grid, field):
        total[start:stop].index_add_(1, index, power.mul_(weight))
    return total[:, : layout.count].reshape(*lead, layout.count)


def mode_sum(grid: Grid, scale: Tensor, field: Tensor, *other: Tensor) -> Tensor:
    """Return sum over all modes of scale (M,) |v_hat|^2, (B, T, C), v = field (minus other)."""
    weight = (shells(grid).weight * scale).to(field.device)
    lead = field.shape[: -grid.dim]
    total = torch.empty(lead.numel(), dtype=torch.float64, device=field.device)
    for start, stop, power in powers(grid, field, *other):
        torch.mv(power, weight, out=total[start:stop])
    return total.reshape(lead)
