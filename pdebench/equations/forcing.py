"""Forces that keep isotropic turbulence going, acting on the large eddies."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.errors import ConfigError, Unsupported
from pdebench.spectral import Modes

_RATIO = 2 ** (5 / 3)  # E(1) / E(2) of k^{-5/3}
_KNOTS = 20  # of the random force in one correlation time
_BLOCK = 64  # knots that are drawn together


class Forcing(ABC):
    """A force f, length/s^2, that is added to du/dt in Fourier space."""

    @abstractmethod
    def added(
        self, rate: Tensor, u_hat: Tensor, modes: Modes, damping: Tensor | None, time: float | None
    ) -> Tensor:
        """Return rate + f, spectra (..., d, *S_half).

        rate: du/dt without force and viscosity, its gradient part not yet removed; damping:
        nu |k|^2, broadcastable to u_hat, None where it is not at hand; time: s, None likewise.
        """

    def started(self, u: Tensor, modes: Modes) -> Tensor:
        """Return the field (..., d, *S) that a flow with this force starts from instead of u."""
        return u

    def of_sample(self, parameters: Mapping[str, Tensor], index: int) -> "Forcing":
        """Return the force on one sample of a batch."""
        return self


@final
@dataclass(frozen=True)
class ConstantPower(Forcing):
    """f = P_in u_low / <|u_low|^2>, so that <f.u> = P_in; u_low has the modes |k| <= ``below``.

    Machiels, Phys. Rev. Lett. 79 (1997). With ``below=None`` all modes are driven: the linear force
    f = A u of Lundgren (2003) with A = eps / (3 u'^2), Rosales & Meneveau, Phys. Fluids 17 (2005).

    Attributes:
        power: P_in, length^2/s^3.
        below: largest driven wavenumber, rad per length, or None.
    """

    power: float
    below: float | None = 2.5

    def __post_init__(self) -> None:
        if not self.power > 0:
            raise ConfigError(f"forcing.power={self.power}, expected a positive number")
        _check_band(self.below)

    def added(
        self, rate: Tensor, u_hat: Tensor, modes: Modes, damping: Tensor | None, time: float | None
    ) -> Tensor:
        low = u_hat if self.below is None else u_hat * (modes.square <= self.below**2)
        return rate + self.power / _mean_product(low, low, modes) * low


@final
@dataclass(frozen=True)
class HeldShells(Forcing):
    """Hold the energies of the shells s - 1/2 <= |k| < s + 1/2, s = 1, 2, at E(1) = 2^{5/3} E(2).

        f = sum_s a_s u_s,   a_s = ( nu <|grad u_s|^2> - <u_s . N> ) / <|u_s|^2>

    N is du/dt without force and viscosity. The force gives a shell what advection and viscosity
    take: the continuous form of rescaling the shells after every step, She, Jackson & Orszag,
    Nature 344 (1990); Chen & Shan, Phys. Fluids A 4 (1992). ``started`` sets the ratio at the sum
    of both energies; wavenumbers are rad per length, so the box is 2 pi long.
    """

    def added(
        self, rate: Tensor, u_hat: Tensor, modes: Modes, damping: Tensor | None, time: float | None
    ) -> Tensor:
        if damping is None:
            raise Unsupported("forcing HeldShells needs the viscosity at every evaluation of du/dt")
        lost = rate - damping * u_hat
        for shell in _shells(modes):
            u = shell * u_hat
            rate = rate - _mean_product(u, lost, modes) / _mean_product(u, u, modes) * u
        return rate

    def started(self, u: Tensor, modes: Modes) -> Tensor:
        u_hat = modes.forward(u)
        parts = [shell * u_hat for shell in _shells(modes)]
        energies = [_mean_product(part, part, modes) for part in parts]
        whole = energies[0] + energies[1]
        wanted = [whole * _RATIO / (1 + _RATIO), whole / (1 + _RATIO)]
        for part, has, wants in zip(parts, energies, wanted, strict=True):
            u_hat = u_hat + ((wants / has).sqrt() - 1) * part
        return modes.inverse(u_hat)


@final
@dataclass(frozen=True)
class RandomForce(Forcing):
    """Independent Ornstein-Uhlenbeck processes, Eswaran & Pope, Comput. Fluids 16 (1988).

        f(x, t) = P sum_{0 < |k| <= below} b_k(t) e^{i k.x},   b_{-k} = conj(b_k)
        < b_k,i(t) conj(b_k,j)(t + s) > = 2 sigma^2 exp(-s / T) delta_ij

    so <|f|^2> = 2 (d - 1) sigma^2 N_k over the N_k wavevectors. The exact transition is drawn at
    knots T/20 apart, from the stationary law at t = 0, with straight lines between (where the
    variance is up to 2.5 % lower): the force is one function of time for every grid and step.

    Attributes:
        deviation: sigma, length/s^2.
        memory: T, s.
        below: largest driven wavenumber, rad per length.
        seed: of the realisation; problems give theirs as parameters["force_seed"] (B,).
        start: age of the process at t = 0, s; problems that begin in the midst of a flow give
            theirs as parameters["force_start"] (B,).
    """

    deviation: float
    memory: float
    below: float = 2.8
    seed: int | None = None
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (self.deviation > 0 and self.memory > 0):
            raise ConfigError(
                f"forcing.deviation={self.deviation}, memory={self.memory}: expected positive ones"
            )
        _check_band(self.below)

    def of_sample(self, parameters: Mapping[str, Tensor], index: int) -> "RandomForce":
        if "force_seed" not in parameters:
            raise Unsupported(
                "forcing RandomForce needs parameters['force_seed'], the problem has "
                f"{sorted(parameters)}"
            )
        start = float(parameters["force_start"][index]) if "force_start" in parameters else 0.0
        return replace(self, seed=int(parameters["force_seed"][index]), start=start)

    def added(
        self, rate: Tensor, u_hat: Tensor, modes: Modes, damping: Tensor | None, time: float | None
    ) -> Tensor:
        return rate + self.spectrum(time, modes).to(rate)

    def spectrum(self, time: float | None, modes: Modes) -> Tensor:
        """Return the spectrum (d, *S_half) of f at ``time``, its gradient part not yet removed."""
        if time is None or self.seed is None:
            raise Unsupported(
                "forcing RandomForce is a function of time and seed: solve one sample at a time"
            )
        waves = _waves(modes.extent, self.below)
        place = (self.start + time) / self.memory * _KNOTS
        first = math.floor(place)
        here, there = (self._knot(n, waves) for n in (first, first + 1))
        b = here + (place - first) * (there - here)
        f = torch.zeros((len(modes.extent), *modes.square.shape), dtype=torch.complex128)
        for sign, values in ((1, b), (-1, b.conj())):
            index = sign * np.array(waves)
            kept = index[:, -1] >= 0
            places = tuple(torch.from_numpy(np.ascontiguousarray(i)) for i in index[kept].T)
            f[(slice(None), *places)] = torch.from_numpy(np.ascontiguousarray(values[kept].T))
        return f * math.prod(modes.shape)

    def _knot(self, index: int, waves: tuple[tuple[int, ...], ...]) -> NDArray[np.complex128]:
        """Return b (waves, d) at one knot."""
        if index < 0:
            raise Unsupported("forcing RandomForce starts at an age of 0")
        block, offset = divmod(index, _BLOCK)
        assert self.seed is not None
        return self.deviation * _walk(self.seed, block, waves)[offset]


@lru_cache(maxsize=8)
def _walk(seed: int, block: int, waves: tuple[tuple[int, ...], ...]) -> NDArray[np.complex128]:
    """Return unit processes (knots, waves, d) of one block; every block continues the last one."""
    shape = (_BLOCK, len(waves), len(waves[0]), 2)
    random = np.random.Generator(np.random.Philox(key=np.array([seed, block], np.uint64)))
    noise = random.standard_normal(shape).view(np.complex128)[..., 0]
    keep = math.exp(-1 / _KNOTS)
    walk = np.empty_like(noise)
    last = None if block == 0 else _walk(seed, block - 1, waves)[-1]
    for n, z in enumerate(noise):
        last = z if last is None else keep * last + math.sqrt(1 - keep**2) * z
        walk[n] = last
    return walk


@lru_cache(maxsize=8)
def _waves(extent: tuple[float, ...], below: float) -> tuple[tuple[int, ...], ...]:
    """Return one of every pair +-n with 0 < |2 pi n / L| <= below, in an order of their own."""
    ranges = [range(-m, m + 1) for m in (math.floor(below * L / (2 * math.pi)) for L in extent)]
    zero = (0,) * len(extent)
    found = [
        n
        for n in product(*ranges)
        if n > zero
        and sum((2 * math.pi * i / length) ** 2 for i, length in zip(n, extent, strict=True))
        <= below**2
    ]
    if not found:
        raise ConfigError(f"forcing.below={below} holds no wave of a box of lengths {extent}")
    return tuple(found)


def _shells(modes: Modes) -> list[Tensor]:
    size = modes.square.sqrt()
    return [(size >= s - 0.5) & (size < s + 0.5) for s in (1, 2)]


def _mean_product(a: Tensor, b: Tensor, modes: Modes) -> Tensor:
    """Return <a.b> (..., 1, *1) of fields given by spectra (..., d, *S_half)."""
    both = a.real * b.real + a.imag * b.imag
    last = modes.shape[-1] // 2 if modes.shape[-1] % 2 == 0 else None
    weights = both.new_full((both.shape[-1],), 2.0)
    weights[0] = 1.0
    if last is not None and last < len(weights):  # its own conjugate, like the mean
        weights[last] = 1.0
    over = (-len(modes.shape) - 1, *modes.dims)
    return (weights * both).sum(over, keepdim=True) / math.prod(modes.shape) ** 2


def _check_band(below: float | None) -> None:
    if below is not None and not below > 0:
        raise ConfigError(f"forcing.below={below}, expected a positive wavenumber")
