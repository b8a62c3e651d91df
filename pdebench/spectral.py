"""Fourier furniture of periodic grids: wavenumbers, dealiasing, derivatives, resampling, spectra.

Fields are real with space last, (..., *S). Spectra are ``rfftn`` over the space axes, unnormalised:
(..., *S_half), S_half = (n_1, ..., n_{d-1}, n_d // 2 + 1). Wavenumbers are in rad per unit length.
Build one `Modes` per grid and pass it along: it is the plan. `Modes.like` keeps the last two.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from itertools import product
from typing import Any, TypeVar, final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported


def torus(domain: Domain, needed_by: str) -> Grid:
    """Return the domain as a periodic uniform grid; Unsupported, naming who needs it, elsewhere."""
    if isinstance(domain, Grid) and domain.is_torus:
        return domain
    kind = type(domain).__name__
    raise Unsupported(f"{needed_by} needs a periodic uniform grid, got a {kind} of {domain.shape}")


_T = TypeVar("_T")


def _table(build: Callable[["Modes"], _T]) -> "cached_property[_T]":
    """A cached property whose tensors serve gradients wherever it is asked for first."""

    @wraps(build)
    def made(modes: "Modes") -> _T:
        with torch.inference_mode(False):
            return build(modes)

    return cached_property(made)


@final
@dataclass(frozen=True, eq=False)
class Modes:
    """The modes of a periodic uniform grid as ``rfftn`` stores them; tables on one device.

    Attributes:
        shape: points per axis.
        extent: lengths of the axes.
        k: wavenumber of every axis, each broadcastable to S_half, rad per unit length; the last
            may end early, see `pruned`.
    """

    shape: tuple[int, ...]
    extent: tuple[float, ...]
    k: tuple[Tensor, ...]

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        extent: tuple[float, ...],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> "Modes":
        """Return the modes of ``shape`` points on a torus of lengths ``extent``."""
        dim = len(shape)
        axes: list[Tensor] = []
        with torch.inference_mode(False):
            for axis, (num, length) in enumerate(zip(shape, extent, strict=True)):
                frequencies = torch.fft.rfftfreq if axis == dim - 1 else torch.fft.fftfreq
                k = frequencies(num, 1 / num, dtype=torch.float64) * (2 * math.pi / length)
                axes.append(k.to(device, dtype).view([-1 if i == axis else 1 for i in range(dim)]))
        return cls(tuple(shape), tuple(extent), tuple(axes))

    @classmethod
    def like(cls, field: Tensor, domain: Domain, needed_by: str = "a Fourier transform") -> "Modes":
        """Return the modes of ``domain`` on the device and in the precision of ``field``.

        Raises Unsupported on meshes, point clouds and grids that are not a torus.
        """
        grid = torus(domain, needed_by)
        return _plan(grid.shape, grid.extent, field.device, field.dtype)

    @property
    def dims(self) -> tuple[int, ...]:
        """The space axes, counted from the end."""
        return tuple(range(-len(self.shape), 0))

    @_table
    def square(self) -> Tensor:
        """|k|^2, the symbol of -lap, on S_half."""
        return torch.stack(torch.broadcast_tensors(*(k**2 for k in self.k))).sum(0)

    @_table
    def inverse_square(self) -> Tensor:
        """1/|k|^2, zero for the mean: the inverse of -lap on fields of zero mean."""
        square = self.square
        return torch.where(square > 0, 1 / torch.where(square > 0, square, 1.0), 0.0)

    @_table
    def slopes(self) -> tuple[Tensor, ...]:
        """Multipliers i k_a of the first derivatives; zero on the Nyquist mode of even axes.

        The derivative of the Nyquist cosine is a sine that vanishes at every grid point.
        """
        slopes: list[Tensor] = []
        for axis, (k, num) in enumerate(zip(self.k, self.shape, strict=True)):
            slope = 1j * k
            if num % 2 == 0 and slope.shape[axis] > num // 2:  # the last axis may end early
                slope.select(axis, num // 2).zero_()
            slopes.append(slope)
        return tuple(slopes)

    @_table
    def slope_table(self) -> Tensor:
        """The multipliers `slopes` in one table, (d, *S_half)."""
        return torch.stack(torch.broadcast_tensors(*self.slopes))

    @_table
    def adjoint(self) -> Tensor:
        """Factors c of the columns with which `inverse` of c G is the adjoint of `forward`, and
        `forward` of g, over c, that of `inverse`: the number of points where a mode of the last
        axis is its own conjugate, else half of that.
        """
        num = self.shape[-1]
        factors = torch.full((num // 2 + 1,), 0.5 * math.prod(self.shape), dtype=torch.float64)
        factors[0] *= 2
        if num % 2 == 0:
            factors[-1] *= 2
        return factors[: self.k[-1].shape[-1]].to(self.slopes[-1])  # complex, as what it multiplies

    @_table
    def adjoint_slopes(self) -> tuple[Tensor, ...]:
        """The multipliers of the adjoint derivatives, conj(i k_a) / c with c = `adjoint`."""
        return tuple(slope.conj() / self.adjoint for slope in self.slopes)

    @_table
    def kept(self) -> Tensor:
        """Mask of the strict two-thirds rule, |k_i| L_i / 2 pi < n_i / 3 on every axis.

        Products of two kept modes then alias onto no kept mode (Orszag, J. Atmos. Sci. 28 (1971)).
        """
        parts: list[Tensor] = []
        for k, num, length in zip(self.k, self.shape, self.extent, strict=True):
            index = torch.round(k.abs() * length / (2 * math.pi))
            parts.append(3 * index < num)
        return torch.stack(torch.broadcast_tensors(*parts)).all(0)

    @_table
    def kept_slopes(self) -> tuple[Tensor, ...]:
        """The multipliers of the first derivatives, zero off the two-thirds rule's modes."""
        return tuple(self._ordered(slope * self.kept) for slope in self.slopes)

    @_table
    def pruned(self) -> "Modes":
        """The same grid without the columns of the last axis that the two-thirds rule drops.

        Spectra end after ceil(n/3) columns; transforms along the other axes leave the rest out.
        For states that hold kept modes alone.
        """
        columns = math.ceil(self.shape[-1] / 3)
        if columns >= self.k[-1].shape[-1]:
            return self
        return Modes(self.shape, self.extent, (*self.k[:-1], self.k[-1][..., :columns]))

    @_table
    def padded(self) -> "Modes":
        """The modes of a grid with 3/2 of the points, even numbers: products do not alias there."""
        shape = tuple(2 * math.ceil(0.75 * n) for n in self.shape)
        return Modes.of(shape, self.extent, self.k[0].device, self.k[0].dtype)

    def forward(self, field: Tensor) -> Tensor:
        """Return the spectrum (..., *S_half) of a real field (..., *S)."""
        if field.requires_grad and torch.is_grad_enabled():
            return _Forward.apply(field, self)  # type: ignore[no-any-return]
        columns = self.k[-1].shape[-1]
        if columns == self.shape[-1] // 2 + 1:
            return torch.fft.rfftn(field, dim=self.dims)
        return torch.fft.fftn(torch.fft.rfft(field)[..., :columns], dim=self.dims[:-1])

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Return the real field (..., *S) of a spectrum (..., *S_half)."""
        if self.k[-1].shape[-1] == self.shape[-1] // 2 + 1:
            return torch.fft.irfftn(spectrum, s=self.shape, dim=self.dims)
        return torch.fft.irfft(torch.fft.ifftn(spectrum, dim=self.dims[:-1]), n=self.shape[-1])

    def velocity(self, vorticity: Tensor) -> Tensor:
        """Return the spectrum (..., 2, *S_half) of u = (psi_y, -psi_x), -lap psi = w, from w's."""
        psi = vorticity * self.inverse_square
        return torch.stack([self.slopes[1] * psi, -self.slopes[0] * psi], dim=-3)

    def project(self, u: Tensor) -> Tensor:
        """Return P u for a spectrum (..., d, *S_half), P = I - k k^T / |k|^2 (Leray)."""
        if u.requires_grad and torch.is_grad_enabled():
            return _Projection.apply(u, self)  # type: ignore[no-any-return]
        channel = -len(self.shape) - 1
        potential = self.divergence(u).mul_(self._inverse_slope)  # -lap p = div u
        moved = torch.empty_like(u)
        parts = zip(u.unbind(channel), self.slopes, moved.unbind(channel), strict=True)
        for part, slope, out in parts:
            torch.addcmul(part, slope, potential, out=out)
        return moved

    def divergence(self, u: Tensor) -> Tensor:
        """Return the spectrum of div u (..., *S_half) of a spectrum (..., d, *S_half)."""
        parts = u.unbind(-len(self.shape) - 1)
        total = self.slopes[0] * parts[0]
        for slope, part in zip(self.slopes[1:], parts[1:], strict=True):
            total = total.addcmul_(slope, part)
        return total

    @_table
    def _inverse_slope(self) -> Tensor:
        """1/|k|^2 without Nyquist components: a projection then leaves no discrete divergence."""
        parts = torch.broadcast_tensors(*(slope.abs().square() for slope in self.slopes))
        square = torch.stack(parts).sum(0)
        inverse = torch.where(square > 0, 1 / torch.where(square > 0, square, 1.0), 0.0)
        return self._ordered(inverse.to(self.slopes[0]))

    def _ordered(self, table: Tensor) -> Tensor:
        """Return a table over S_half with its axes in memory as `forward` leaves those of spectra:
        the last one first where it ends early.
        """
        if self.k[-1].shape[-1] == self.shape[-1] // 2 + 1:
            return table
        return table.movedim(-1, 0).contiguous().movedim(0, -1)


_plan = lru_cache(maxsize=2)(Modes.of)  # losses ask for the same plan at every step


class _Forward(torch.autograd.Function):
    """The spectrum of a real field whose gradient is one transform back to real numbers.

    <G, F x> = <F^{-1}(c G), x> with c = `Modes.adjoint`. PyTorch fills the half spectrum up
    with zeros and transforms complex numbers, at twice the cost. The spectrum has its last axis
    first in memory, so that transforms back of what is made of it need not sort theirs.
    """

    @staticmethod
    def forward(ctx: Any, field: Tensor, modes: Modes) -> Tensor:
        ctx.modes = modes
        columns = modes.k[-1].shape[-1]
        return torch.fft.fftn(torch.fft.rfft(field)[..., :columns], dim=modes.dims[:-1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        modes: Modes = ctx.modes
        rows = torch.fft.ifftn(grads[0], dim=modes.dims[:-1])
        return torch.fft.irfft(rows * modes.adjoint, n=modes.shape[-1]), None


class _Projection(torch.autograd.Function):
    """The projection, real and symmetric at every mode: its own gradient."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, modes: Modes) -> Tensor:
        ctx.modes = modes
        return modes.project(u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        modes: Modes = ctx.modes
        return modes.project(grads[0]), None


def derivative(field: Tensor, axis: int, modes: Modes) -> Tensor:
    """Return the derivative of a real field (..., *S) along space axis ``axis``, per unit length.

        d f / dx_a = F^{-1}( i k_a F f )

    Exact for fields below the Nyquist limit; the Nyquist mode's derivative is taken as zero.
    """
    return modes.inverse(modes.forward(field) * modes.slopes[axis])


def velocity(vorticity: Tensor, modes: Modes) -> Tensor:
    """Return the velocity of a vorticity field on a two-dimensional torus.

        u = (psi_y, -psi_x),   -lap psi = w

    vorticity: (..., X, Y), 1/s.  Returns (..., 2, X, Y), length/s, of zero mean; a mean of w, which
    no periodic velocity has, is left out.
    """
    return modes.inverse(modes.velocity(modes.forward(vorticity)))


def project(u: Tensor, modes: Modes) -> Tensor:
    """Return the divergence-free part of a velocity field on a torus (Leray projection).

        P u = F^{-1}( (I - k k^T / |k|^2) F u )

    u: (..., d, *S) with one component per axis.  Returns the same shape. k is zero along an axis
    whose index is the Nyquist one, as in `derivative`, so that the divergence is zero to round-off.
    """
    return modes.inverse(modes.project(modes.forward(u)))


def resample(field: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a periodic field on another uniform grid of the same torus.

    field: (..., *S).  Returns (..., *shape). Spectral truncation or zero padding: modes below both
    Nyquist limits survive, so a field band-limited below both is reproduced exactly and the mean
    always is. A field that already has this shape is returned as it is.
    """
    old, new = tuple(field.shape[-len(shape) :]), tuple(shape)
    if old == new:
        return field
    dims = tuple(range(-len(new), 0))
    spectrum = resample_spectrum(torch.fft.rfftn(field, dim=dims), old, new)
    return torch.fft.irfftn(spectrum, s=new, dim=dims)


def resample_spectrum(spectrum: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Return the spectrum on grid ``new`` of a field whose spectrum on grid ``old`` is given.

    spectrum: (..., *S_half), where the last axis may end early: missing modes are zero.
    Returns (..., *S_half) of ``new``, scaled so that point values are kept.
    """
    dim = len(new)
    out = spectrum.new_zeros((*spectrum.shape[:-dim], *new[:-1], new[-1] // 2 + 1))
    limits = [(min(a, b) - 1) // 2 for a, b in zip(old, new, strict=True)]
    limits[-1] = min(limits[-1], spectrum.shape[-1] - 1)
    blocks = [
        [slice(0, limit + 1), *([slice(-limit, None)] if limit else [])] for limit in limits[:-1]
    ]
    scale = math.prod(new) / math.prod(old)
    for block in product(*blocks):
        where = (..., *block, slice(0, limits[-1] + 1))
        out[where] = spectrum[where] * scale
    return out
