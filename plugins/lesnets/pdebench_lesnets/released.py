"""The residuals of the released programs as they are, mistakes behind named options.

Sunan-zhao/LESnets at c95e8c4 (decaying turbulence, mixing layer) and Gzh-sustech/PITO at eba70fc
(forced turbulence, frames at both ends). Fields here are (B, T, d, X, Y, Z). The right forms are
in `pdebench.equations`; these keep wavenumber -N/2 in derivatives and let the mean decay.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.equations.differences import Scheme, defects

_SPACE = (-3, -2, -1)
_PAIRS = ((1, 2), (2, 0), (0, 1))


def _real(spectrum: Tensor) -> Tensor:
    return torch.fft.ifftn(spectrum, dim=_SPACE).real


@final
@dataclass(frozen=True)
class Program:
    """One released residual.

        N(u) = P[ u x w - div tau ] + nu lap u,   tau = -2 C Delta^2 |S| S

    Attributes:
        box: lengths.
        width: Delta.
        viscosity: nu.
        coefficient: C; a tensor where it is learned.
        mean_square: what stands for |k|^2 of the mean: 1 for turbulence, 1e-5 for the layer.
        half: transform w back from the half spectrum (turbulence) instead of the whole one.
        swapped: exchange nu and C, as the released loss of decaying turbulence does.
        small_divergence: divide the divergence by N^3, as that loss does.
    """

    box: tuple[float, float, float]
    width: float
    viscosity: float
    coefficient: float | Tensor
    mean_square: float = 1.0
    half: bool = True
    swapped: bool = False
    small_divergence: bool = False

    def _waves(self, u: Tensor) -> tuple[Tensor, ...]:
        waves: list[Tensor] = []
        for axis, length in enumerate(self.box):
            n = u.shape[axis - 3]
            k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) * (2 * math.pi / length)
            waves.append(k.to(u.dtype).view([-1 if i == axis else 1 for i in range(3)]))
        return tuple(waves)

    def _square(self, k: Sequence[Tensor]) -> Tensor:
        square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
        return torch.where(square == 0, self.mean_square, square)

    def _kept(self, u: Tensor) -> Tensor:
        keep = torch.ones(u.shape[-3:], dtype=torch.bool)
        for axis in range(3):
            n = u.shape[axis - 3]
            # as released, not rounded: in double precision N = 10 and 20 lose the mode at the limit
            index = (torch.fft.fftfreq(n, dtype=u.dtype) * n).abs()
            limit = 2 * (n // 2) // 3 if self.half else n / 3
            keep &= (index <= limit).view([-1 if i == axis else 1 for i in range(3)])
        return keep

    def _vorticity(self, spectrum: Tensor) -> Tensor:
        if not self.half:
            return _real(spectrum)
        shape = spectrum.shape[-3:]
        return torch.fft.irfftn(spectrum[..., : shape[-1] // 2 + 1], s=shape, dim=_SPACE)

    def tendency(self, u: Tensor) -> Tensor:
        """Return N(u) (..., 3, X, Y, Z)."""
        k = self._waves(u)
        square = self._square(k)
        u_hat = torch.fft.fftn(u, dim=_SPACE)
        parts = u_hat.unbind(-4)
        w_hat = torch.stack([1j * (k[a] * parts[b] - k[b] * parts[a]) for a, b in _PAIRS], -4)
        w, v = self._vorticity(w_hat).unbind(-4), u.unbind(-4)
        cross = torch.stack([v[a] * w[b] - v[b] * w[a] for a, b in _PAIRS], -4)
        total = torch.fft.fftn(cross, dim=_SPACE) * self._kept(u)
        total = total - self._stress_divergence(parts, k)
        along = sum((k[a] * total.select(-4, a) for a in range(3)), torch.zeros(())) / square
        total = total - torch.stack([k[a] * along for a in range(3)], -4)
        nu = self.coefficient if self.swapped else self.viscosity
        return _real(total - nu * square * u_hat)

    def _stress_divergence(self, parts: Sequence[Tensor], k: Sequence[Tensor]) -> Tensor:
        s = {
            (i, j): _real(0.5j * (k[i] * parts[j] + k[j] * parts[i]))
            for i in range(3)
            for j in range(i, 3)
        }
        square = sum(((1 if i == j else 2) * x**2 for (i, j), x in s.items()), torch.zeros(()))
        live = square > 0
        size = torch.where(live, 2 * torch.where(live, square, 1.0), 0.0).sqrt()
        c = self.viscosity if self.swapped else self.coefficient
        tau = {ij: torch.fft.fftn(-2 * c * self.width**2 * size * x, dim=_SPACE)
               for ij, x in s.items()}  # fmt: skip
        rows = [
            sum((1j * k[j] * tau[min(i, j), max(i, j)] for j in range(3)), torch.zeros(()))
            for i in range(3)
        ]
        return torch.stack(rows, -4)

    def divergence(self, u: Tensor) -> Tensor:
        """Return div u (..., X, Y, Z)."""
        k = self._waves(u)
        parts = torch.fft.fftn(u, dim=_SPACE).unbind(-4)
        total = _real(sum((1j * k[a] * parts[a] for a in range(3)), torch.zeros(())))
        return total / math.prod(u.shape[-3:]) if self.small_divergence else total

    def residual(self, u: Tensor, step: float, scheme: Scheme = "central") -> Tensor:
        """Return the defects of frames u (B, T, 3, X, Y, Z)."""
        used = u[:, 1:-1] if scheme == "central" else u
        return defects(u, self.tendency(used), step, scheme)

    def loss(self, u: Tensor, step: float, scheme: Scheme = "central") -> Tensor:
        """Return mean(R^2) + mean((div u)^2)."""
        return self.residual(u, step, scheme).square().mean() + self.divergence(u).square().mean()

    def forced_defect(self, u: Tensor, step: float, shells: Sequence[float]) -> Tensor:
        """Return v - u (B, T - 1, 3, X, Y, Z) at frames 1 .. T - 1, v one step of the solver.

        Euler, then Adams-Bashforth 2, of the given frames; energies of shells 1 and 2 set to
        ``shells``, the mean counted in shell 1; then projected.
        """
        rate = self.tendency(u)
        euler = u[:, :1] + step * rate[:, :1]
        later = u[:, 1:-1] + step * (1.5 * rate[:, 1:-1] - 0.5 * rate[:, :-2])
        v_hat = torch.fft.fftn(torch.cat([euler, later], 1), dim=_SPACE) / math.prod(u.shape[-3:])
        k = self._waves(u)
        square = self._square(k)
        shell = square.sqrt().round()
        power = v_hat.abs().square() / 2
        for number, energy in enumerate(shells, 1):
            inside = shell == number
            held = (power * inside).sum((-4, *_SPACE), keepdim=True)
            v_hat = torch.where(inside, v_hat * (energy / held).sqrt(), v_hat)
        along = sum((k[a] * v_hat.select(-4, a) for a in range(3)), torch.zeros(())) / square
        v_hat = v_hat - torch.stack([k[a] * along for a in range(3)], -4)
        return _real(v_hat * math.prod(u.shape[-3:])) - u[:, 1:]
