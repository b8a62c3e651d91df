"""Shells of the Fourier modes of a torus, and sums over them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metrics.quadrature import BLOCK, frames

_TIE = 1e-9  # puts exact ties (k + 1/2 on anisotropic boxes) into the upper shell everywhere
_KEPT = 1 << 20  # modes: shell numbers of larger grids are computed again, in a fifth of the FFT


@final
@dataclass(frozen=True)
class Modes:
    """A block of the flattened modes of ``rfftn``: consecutive indices along the first axis.

    Attributes:
        points: where the block lies among all modes.
        axes: its wavenumbers along every axis, in units of ``spacing``.
        ends: 2 where a mode of that index along the last axis stands for its conjugate, too, else
            1.
        spacing: k0 = 2 pi / (longest extent), rad per unit length.
    """

    points: slice
    axes: tuple[Tensor, ...]
    ends: Tensor
    spacing: float

    @property
    def radius(self) -> Tensor:
        """Length of every mode's wavenumber (m,), in units of ``spacing``, float64."""
        total = self.axes[0].square()
        for axis in self.axes[1:]:
            total = total.unsqueeze(-1) + axis.square()
        return total.sqrt_().reshape(-1)

    @cached_property
    def number(self) -> Tensor:
        """Shell k of every mode (m,): k - 1/2 <= radius < k + 1/2, cut shells included; int32."""
        return self.radius.add_(0.5 + _TIE).floor_().int()

    @property
    def weight(self) -> Tensor:
        """How many modes of the full transform every mode (m,) stands for, float64."""
        return self.ends.repeat((self.points.stop - self.points.start) // len(self.ends))


@final
@dataclass(frozen=True)
class Shells:
    """All modes of a real transform on a torus.

    Attributes:
        shape: points along every axis.
        ratios: longest extent by that of every axis.
        spacing: as that of `Modes`.
        count: number of complete shells 0, ..., count - 1; those that the Nyquist planes cut are
            not counted.
    """

    shape: tuple[int, ...]
    ratios: tuple[float, ...]
    spacing: float
    count: int

    def blocks(self) -> Iterator[Modes]:
        """Yield all modes in blocks of about `BLOCK`."""
        small = math.prod(self.shape) <= 2 * _KEPT
        yield from self._kept if small else self._blocks()

    @cached_property
    def _kept(self) -> list[Modes]:
        return list(self._blocks())

    def _blocks(self) -> Iterator[Modes]:
        dim, length = len(self.shape), self._length(0)
        others = [self._axis(j, 0, self._length(j)) for j in range(1, dim)]
        num = math.prod(map(len, others))
        step = max(1, BLOCK // num)
        for start in range(0, length, step):
            stop = min(start + step, length)
            ends = self._ends(start, stop) if dim == 1 else self._ends(0, self._length(dim - 1))
            points = slice(start * num, stop * num)
            yield Modes(points, (self._axis(0, start, stop), *others), ends, self.spacing)

    def _length(self, j: int) -> int:
        return self.shape[j] // 2 + 1 if j == len(self.shape) - 1 else self.shape[j]

    def _axis(self, j: int, start: int, stop: int) -> Tensor:
        index = torch.arange(start, stop, dtype=torch.float64)
        if j < len(self.shape) - 1:  # the second half are negative
            index -= self.shape[j] * (index >= (self.shape[j] + 1) // 2)
        return index.mul_(self.ratios[j])

    def _ends(self, start: int, stop: int) -> Tensor:
        index = torch.arange(start, stop)
        alone = (index == 0) | (2 * index == self.shape[-1])
        return torch.where(alone, 1.0, 2.0).double()


Scale = Callable[[Modes], Tensor]


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
    # Complete: every mode of radius < k + 1/2 is on the grid, which has (n - 1)//2 on either side.
    reach = min(((n - 1) // 2 + 1) * longest / L for n, L in zip(shape, extent, strict=True))
    count = max(int(reach - 0.5 + _TIE) + 1, 1)
    ratios = tuple(longest / length for length in extent)
    return Shells(shape, ratios, 2 * torch.pi / longest, count)


def powers(grid: Grid, field: Tensor, *other: Tensor) -> Iterator[tuple[slice, Modes, Tensor]]:
    """Yield (rows, modes, |v_hat|^2 (rows, m) float64) over blocks of frames and of their modes.

    v = field (minus other), v_hat = fft(v)/N. Transforms run in the fields' own precision, float32
    at least: their round-off is that of the data. Beyond the transform of one block of frames (at
    least a frame) nothing of its size is held.
    """
    axes = tuple(range(1, grid.dim + 1))
    dtype = torch.float32
    for operand in (field, *other):
        dtype = torch.promote_types(dtype, operand.dtype)
    halved = grid.dim == 1 and grid.shape[0] > BLOCK and grid.shape[0] % 2 == 0
    for start, stop, part in frames(grid, dtype, field, *other):
        if halved:
            values = _halved(part)
        else:
            part = part.reshape(-1, *grid.shape)
            values = torch.fft.rfftn(part, dim=axes, norm="forward").flatten(1)
        del part  # one frame may be all there is: keep no more of it than needed
        for modes in shells(grid).blocks():
            block = _unfolded(values, modes) if halved else values[:, modes.points]
            power = block.real.square().addcmul_(block.imag, block.imag)
            yield slice(start, stop), modes, power.to(torch.float64)


def _halved(lines: Tensor) -> Tensor:
    """Return z_hat (rows, n/2) of z_j = u_{2j} + i u_{2j + 1}, by n, of lines (rows, n).

    The transform of a long line takes its size of workspace, that of the real line itself three.
    """
    pairs = torch.view_as_complex(lines.contiguous().unflatten(1, (-1, 2)))
    return torch.fft.fft(pairs).div_(lines.shape[1])


def _unfolded(half: Tensor, modes: Modes) -> Tensor:
    """Return the block u_hat_k of the transform of a line u from `_halved`.

        u_hat_k = (z_k + z*_{m - k})/2 - i/2 exp(-2 pi i k/n) (z_k - z*_{m - k}),    m = n/2

    Cooley, Lewis and Welch 1970, J. Sound Vib. 12.
    """
    num = half.shape[1]
    index = torch.arange(modes.points.start, modes.points.stop, device=half.device)
    here, there = half[:, index % num], half[:, (num - index) % num].conj()
    angle = index.double().mul_(-torch.pi / num)
    turned = torch.polar(torch.ones_like(angle), angle)
    return ((here + there) - 1j * turned.to(half.dtype) * (here - there)) / 2


def shell_sums(domain: Domain, field: Tensor) -> Tensor:
    """Return sum_{shell k} |v_hat|^2 of a field (..., *S), (..., K) float64, v_hat = fft(v)/N.

    K complete shells; over all modes it is <v^2>.
    """
    grid = torus(domain)
    count = shells(grid).count
    lead = field.shape[: -grid.dim]
    total = torch.zeros((lead.numel(), count + 1), dtype=torch.float64, device=field.device)
    for rows, modes, power in powers(grid, field):
        index = modes.number.clamp(max=count).to(field.device)
        total[rows].index_add_(1, index, power.mul_(modes.weight.to(field.device)))
    return total[:, :count].reshape(*lead, count)


def shell_sizes(grid: Grid) -> Tensor:
    """Return how many modes of the full transform every complete shell holds, (K,) float64."""
    count = shells(grid).count
    total = torch.zeros(count + 1, dtype=torch.float64)
    for modes in shells(grid).blocks():
        total.index_add_(0, modes.number.clamp(max=count), modes.weight)
    return total[:count]


def mode_sum(grid: Grid, scale: Scale, field: Tensor, *other: Tensor) -> Tensor:
    """Return sum over all modes of scale |v_hat|^2, (B, T, C), v = field (minus other)."""
    lead = field.shape[: -grid.dim]
    total = torch.zeros(lead.numel(), dtype=torch.float64, device=field.device)
    for rows, modes, power in powers(grid, field, *other):
        total[rows].addmv_(power, scale(modes).mul(modes.weight).to(field.device))
    return total.reshape(lead)


def anywhere(grid: Grid, inside: Scale) -> bool:
    """Return whether ``inside`` holds for any mode."""
    return any(bool(inside(modes).any()) for modes in shells(grid).blocks())
