"""Fourier furniture of periodic grids: wavenumbers, dealiasing, derivatives, resampling, spectra, projection.

Fields are real with space last, (..., *S); spectra are ``rfftn`` over the space axes, unnormalised. Wavenumbers are in
radians per unit length.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported


def torus(domain: Domain, needed_by: str) -> Grid:
    """Return the domain as a periodic uniform grid. Raises Unsupported, naming who needs it, for any other."""
    if isinstance(domain, Grid) and domain.is_torus:
        return domain
    raise Unsupported(f"{needed_by} needs a periodic uniform grid, got {type(domain).__name__} {domain.shape}")


@final
@dataclass(frozen=True)
class Modes:
    """The modes of a periodic grid as ``rfftn`` stores them.

    Attributes:
        shape: points per axis.
        extent: lengths of the axes.
        k: wavenumbers per axis, each broadcastable to the half spectrum, rad per unit length.
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
        """Return the modes of a grid of ``shape`` points on lengths ``extent``."""
        dim = len(shape)
        axes = []
        for position, (num, length) in enumerate(zip(shape, extent, strict=True)):
            count = torch.fft.rfftfreq if position == dim - 1 else torch.fft.fftfreq
            k = count(num, 1 / num, dtype=torch.float64) * (2 * math.pi / length)
            axes.append(k.to(device, dtype).view(*(-1 if i == position else 1 for i in range(dim))))
        return cls(shape, extent, tuple(axes))

    @property
    def dims(self) -> tuple[int, ...]:
        """The space axes, counted from the end."""
        return tuple(range(-len(self.shape), 0))

    @property
    def square(self) -> Tensor:
        """|k|^2 on the half spectrum."""
        return sum((k**2 for k in self.k[1:]), self.k[0] ** 2)

    @property
    def inverse_square(self) -> Tensor:
        """1/|k|^2, zero for the mean mode: the inverse of -lap on fields of zero mean."""
        square = self.square
        return torch.where(square > 0, 1 / square.clamp_min(1e-300), 0.0)

    def kept(self) -> Tensor:
        """Return the mask of modes that the strict two-thirds rule keeps: |k_i| L_i / 2 pi < n_i / 3 on every axis.

        Quadratic products of kept modes then alias onto no kept mode (Orszag 1971).
        """
        mask = torch.ones((), dtype=torch.bool, device=self.k[0].device)
        for k, num, length in zip(self.k, self.shape, self.extent, strict=True):
            index = torch.round(k.abs() * length / (2 * math.pi))
            mask = mask & (3 * index < num)
        return mask

    def derivative(self, spectrum: Tensor, axis: int) -> Tensor:
        """Return the spectrum of the derivative along space axis ``axis``; the Nyquist mode has none and is zeroed.

        d/dx_a f -> i k_a f_hat. On an even axis the Nyquist mode's derivative is not representable as a real field.
        """
        k, num = self.k[axis], self.shape[axis]
        if num % 2 == 0:
            nyquist = math.pi * num / self.extent[axis]
            k = torch.where((k.abs() - nyquist).abs() < 0.5 * math.pi / self.extent[axis], 0.0, k)
        return spectrum * (1j * k)

    def forward(self, field: Tensor) -> Tensor:
        """Return the half spectrum (..., *S_half) of a real field (..., *S)."""
        return torch.fft.rfftn(field, dim=self.dims)

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Return the real field (..., *S) of a half spectrum."""
        return torch.fft.irfftn(spectrum, s=self.shape, dim=self.dims)


def velocity(vorticity: Tensor, extent: tuple[float, float]) -> Tensor:
    """Return the velocity of a vorticity field of zero mean on the torus.

        u = (psi_y, -psi_x),   -lap psi = w

    vorticity: (..., X, Y), 1/s.  Returns (..., 2, X, Y), length/s.
    """
    modes = Modes.of(tuple(vorticity.shape[-2:]), extent, vorticity.device, vorticity.dtype)
    psi = modes.forward(vorticity) * modes.inverse_square
    u = torch.stack([modes.derivative(psi, 1), -modes.derivative(psi, 0)], dim=-3)
    return modes.inverse(u)


def project(u: Tensor, extent: tuple[float, ...]) -> Tensor:
    """Return the divergence-free part of a velocity field on the torus (Leray projection).

        P u_hat = u_hat - k (k . u_hat) / |k|^2

    u: (..., d, *S) with d = len(extent) components. Nyquist modes, whose divergence is not representable, are removed
    from the correction only.
    """
    dim = len(extent)
    modes = Modes.of(tuple(u.shape[-dim:]), extent, u.device, u.dtype)
    spectrum = modes.forward(u)
    channel = -dim - 1
    parts = spectrum.unbind(channel)
    divergence = sum((modes.derivative(part, a) for a, part in enumerate(parts[1:], 1)), modes.derivative(parts[0], 0))
    potential = divergence * modes.inverse_square
    gradient = torch.stack([modes.derivative(potential, a) for a in range(dim)], channel)
    return modes.inverse(spectrum + gradient)


def resample(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a periodic field on another uniform grid of the same torus by spectral truncation or zero padding.

    field: (..., *S).  Returns (..., *shape). Only modes below both Nyquist limits survive, so that the result is the
    exact field wherever it is band-limited; the sum over the grid is scaled to keep point values.
    """
    old = tuple(field.shape[-len(shape) :])
    if old == shape:
        return field
    dims = tuple(range(-len(shape), 0))
    spectrum = torch.fft.rfftn(field, dim=dims)
    half = (*shape[:-1], shape[-1] // 2 + 1)
    out = spectrum.new_zeros(*field.shape[: -len(shape)], *half)
    out = _copy_modes(spectrum, out, old, shape, len(shape))
    return torch.fft.irfftn(out, s=shape, dim=dims) * (math.prod(shape) / math.prod(old))


def _copy_modes(source: Tensor, out: Tensor, old: tuple[int, ...], new: tuple[int, ...], dim: int) -> Tensor:
    """Copy the modes |k| < min(n_old, n_new)/2 of every axis."""
    blocks: list[list[slice]] = [[]]
    for axis in range(dim):
        limit = (min(old[axis], new[axis]) - 1) // 2
        positive, negative = slice(0, limit + 1), slice(-limit, None)
        signs = [positive] if axis == dim - 1 or limit == 0 else [positive, negative]
        blocks = [[*block, sign] for block in blocks for sign in signs]
    for block in blocks:
        where = (..., *block)
        out[where] = source[where]
    return out


def energy_spectrum(u: Tensor, domain: Domain) -> Tensor:
    """Shell-averaged spectrum E(k) of a periodic field.

        E(k) = 1/2 sum_{k - 1/2 <= |q| < k + 1/2} sum_c |u_hat_c(q)|^2,    u_hat = fft(u) / N;   sum_k E(k) = <|u|^2> / 2

    q counts wavelengths in the longest side: q_i = k_i L_max / 2 pi. With u a velocity E is its kinetic energy spectrum,
    with u a vorticity the enstrophy spectrum.

    u: (..., C, *S), unit U.  Returns (..., K), U^2 per shell, shells 0..K-1 with K = min(S) // 2.
    Raises Unsupported on meshes, clouds and grids that are not periodic. Shells from the Nyquist radius on are incomplete
    and dropped.
    """
    grid = torus(domain, "energy_spectrum")
    shape = grid.shape
    modes = Modes.of(shape, grid.extent, u.device, torch.float64)
    radius = modes.square.sqrt() * (max(grid.extent) / (2 * math.pi))
    shell = torch.floor(radius + 0.5).long().expand(*shape[:-1], shape[-1] // 2 + 1).reshape(-1)
    half = modes.forward(u).abs().square().to(u.dtype)
    weight = torch.full((shape[-1] // 2 + 1,), 2.0, dtype=u.dtype, device=u.device)  # each stored mode and its conjugate
    weight[0] = 1.0
    if shape[-1] % 2 == 0:
        weight[-1] = 1.0
    power = (half * weight).sum(-len(shape) - 1).flatten(-len(shape)) / (2 * math.prod(shape) ** 2)
    count = int(shell.max()) + 1
    total = power.new_zeros(*power.shape[:-1], count).index_add_(-1, shell.to(u.device), power)
    return total[..., : min(shape) // 2]
