"""Shells of the Fourier modes of a torus, and sums over them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metrics.quadrature import blocks

_TIE = 1e-9  # puts exact ties (k + 1/2 on anisotropic boxes) into the upper shell everywhere


@final
@dataclass(frozen=True)
class Shells:
    """Modes of a real transform on a torus.

    Attributes:
        index: (M,) shell of each mode of ``rfftn``, flattened; ``count`` beyond the last complete.
        weight: (M,) 2 where the mode stands for its conjugate too, else 1, over N^2.
        wavenumbers: (d, M) rad per unit length.
        count: number of shells; shell k holds k - 1/2 <= abs(q)/k0 < k + 1/2 with ``spacing`` k0.
        spacing: 2 pi / (longest extent).
    """

    index: Tensor
    weight: Tensor
    wavenumbers: Tensor
    count: int
    spacing: float

    @property
    def radius(self) -> Tensor:
        """Length of every mode's wavenumber (M,), rad per unit length."""
        return self.wavenumbers.square().sum(0).sqrt()


def torus(domain: Domain) -> Grid:
    """Return the domain as a periodic uniform grid; Unsupported elsewhere."""
    if isinstance(domain, Grid) and domain.is_torus:
        return domain
    raise Unsupported("a Fourier transform needs a periodic uniform grid")


def shells(grid: Grid) -> Shells:
    """Return the shells of a periodic uniform grid, without those that its Nyquist radius cuts."""
    return _shells(grid.shape, grid.extent)


@lru_cache(maxsize=16)
def _shells(shape: tuple[int, ...], extent: tuple[float, ...]) -> Shells:
    longest = max(extent)
    axes = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in shape[:-1]]
    axes.append(torch.arange(shape[-1] // 2 + 1, dtype=torch.float64))
    scaled = [axis * (longest / length) for axis, length in zip(axes, extent, strict=True)]
    modes = torch.stack([g.reshape(-1) for g in torch.meshgrid(*scaled, indexing="ij")])
    radius = modes.square().sum(0).sqrt()
    # Complete: every mode of radius < k + 1/2 is on the grid, which has (n - 1)//2 on either side.
    reach = min(((n - 1) // 2 + 1) * longest / L for n, L in zip(shape, extent, strict=True))
    count = max(int(reach - 0.5 + _TIE) + 1, 1)
    index = torch.floor(radius + 0.5 + _TIE).long().clamp(max=count)
    last = torch.full((len(axes[-1]),), 2.0, dtype=torch.float64)
    last[0] = 1.0
    if shape[-1] % 2 == 0:
        last[-1] = 1.0
    weight = last.repeat(modes.shape[1] // len(last)) / float(torch.tensor(shape).prod()) ** 2
    return Shells(index, weight, modes * (2 * torch.pi / longest), count, 2 * torch.pi / longest)


def shell_sums(domain: Domain, field: Tensor, scale: Tensor | None = None) -> Tensor:
    """Return sum_{shell k} scale |u_hat|^2, (B, T, C, K) float64, u_hat = fft(u)/N, scale (M,) or 1.

    The sum over all modes is <u^2> (Parseval). By blocks of frames, as in `quadrature`.
    """
    grid = torus(domain)
    layout = shells(grid)
    weight = layout.weight if scale is None else layout.weight * scale
    index, weight = layout.index.to(field.device), weight.to(field.device)
    lead = field.shape[: -grid.dim]
    total = field.new_zeros((lead.numel(), layout.count + 1), dtype=torch.float64)
    for start, stop, (part,) in blocks(grid, field):
        modes = torch.fft.rfftn(part.reshape(-1, *grid.shape), dim=tuple(range(1, grid.dim + 1)))
        power = modes.real.square().addcmul_(modes.imag, modes.imag).flatten(1).mul_(weight)
        total[start:stop].index_add_(1, index, power)
    return total[:, : layout.count].reshape(*lead, layout.count)
