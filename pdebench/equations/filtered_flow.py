"""The filtered incompressible Navier-Stokes equations on a torus, in velocities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn

from pdebench.equation import Equation
from pdebench.equations import tensors
from pdebench.equations.closures import Closure, NoClosure
from pdebench.equations.differences import Scheme, check_scheme, differences, frame_step
from pdebench.equations.forcing import Forcing
from pdebench.equations.imbalance import imbalance
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench.spectral import Modes, resample_spectrum, torus

_AXES = "xyz"
Dealias = Literal["two_thirds", "padding", "none"]


@final
@dataclass(frozen=True)
class FilteredNavierStokes(Equation):
    """Large-eddy simulation with a closure, or without one the Navier-Stokes equations.

        du/dt = P[ -d_j (u_i u_j + tau_ij) + f ] + nu lap u,    div u = 0

    P = I - k k^T / |k|^2 removes the pressure. Input: "velocity" (B, [T_in,] d, *S), length/s.
    Parameters: "viscosity" nu (B,), length^2/s. Pope, Turbulent Flows (2000), sec. 13.3.

    Attributes:
        closure: tau.
        dealias: "two_thirds" cuts products and stress to |n| < N/3, for a state that is cut there,
            too; "padding" forms them on 3/2 as many points, for a state that fills the grid;
            "none".
        scheme: time derivative of `residual`.
        forcing: f, see `pdebench.equations.forcing`; None for decaying flow.
    """

    closure: Closure = field(default_factory=NoClosure)
    dealias: Dealias = "two_thirds"
    scheme: Scheme = "central"
    forcing: Forcing | None = None

    def __post_init__(self) -> None:
        check_scheme(self.scheme)
        if self.dealias not in get_args(Dealias):
            raise ConfigError(
                f"equation.dealias='{self.dealias}', expected {', '.join(get_args(Dealias))}"
            )

    @property
    def fields(self) -> Mapping[str, str]:
        return {f"velocity_{axis}": "length/s" for axis in _AXES}

    @property
    def reference(self) -> str:
        return "Pope, Turbulent Flows (2000), eq. 13.29"

    def advance(
        self,
        u_hat: Tensor,
        modes: Modes,
        force: Tensor | None = None,
        u: Tensor | None = None,
        damping: Tensor | None = None,
        time: float | None = None,
    ) -> Tensor:
        """Return the spectrum of P[-d_j (u_i u_j + tau_ij) + f]: all but the viscous term.

        u_hat: (..., d, *S_half); force: one more force, a field (..., d, *S), length/s^2; u: the
        field of u_hat where it is at hand; damping, time: nu |k|^2 and s, for forces that need
        them.
        """
        return _widened(self._rate(u_hat, modes, force, u, damping, time), modes)

    def _rate(
        self,
        u_hat: Tensor,
        modes: Modes,
        force: Tensor | None = None,
        u: Tensor | None = None,
        damping: Tensor | None = None,
        time: float | None = None,
    ) -> Tensor:
        """Return `advance` without its last columns where those are zero."""
        cut, kept = modes, None
        if self.dealias == "two_thirds":
            cut, kept = modes.pruned, modes.pruned.kept_slopes
        rate = tensors.stress_divergence(self._flux(u_hat, u, modes, cut), cut, kept).neg_()
        if force is None and self.forcing is None:
            return cut.project(rate)
        rate = _widened(rate, modes)
        if force is not None:
            rate = rate + modes.forward(force)
        if self.forcing is not None:
            rate = self.forcing.added(rate, u_hat, modes, damping, time)
        return modes.project(rate)

    def _flux(self, u_hat: Tensor, u: Tensor | None, modes: Modes, cut: Modes) -> Tensor:
        """Return the spectrum of u_i u_j + tau_ij, packed, (..., P, *S_half) of ``cut``, of which
        ``modes`` may have more columns; not yet cut otherwise.
        """
        pad = self.dealias == "padding"
        fine = modes.padded if pad else modes
        v_hat = resample_spectrum(u_hat, modes.shape, fine.shape) if pad else u_hat
        v = fine.inverse(v_hat) if pad or u is None else u
        total = tensors.products(v, fine, self.closure.stress(v, v_hat, fine))
        if pad:
            return resample_spectrum(fine.forward(total), fine.shape, modes.shape)
        return cut.forward(total)

    def tendency(
        self, u: Tensor, viscosity: Tensor | float, modes: Modes, force: Tensor | None = None
    ) -> Tensor:
        """Return du/dt (..., d, *S), length/s^2; viscosity broadcasts against u."""
        u_hat, damping = modes.forward(u), viscosity * modes.square
        rate = self.advance(u_hat, modes, force, damping=damping)
        return modes.inverse(rate - damping * u_hat)

    def conserved(self, u: Tensor, problem: Problem) -> Mapping[str, Tensor]:
        """Return the mean velocity: neither advection, pressure, stress nor forcing changes it."""
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        means = frames.flatten(3).mean(3)
        named = zip(self.fields, means.unbind(2), strict=False)  # two axes have two components
        return {f"mean {name}": values for name, values in named}

    def divergence(self, u: Tensor, modes: Modes) -> Tensor:
        """Return div u (..., *S), 1/s."""
        return modes.inverse(modes.divergence(modes.forward(u)))

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return momentum and continuity at the frames of the scheme, initial frame included.

        u: (B, T, d, *S) at ``problem.times``, equally spaced, the initial frame first among those
        that are differenced.  Returns (B, T', d + 1, *S): du/dt - N(u) in length/s^2, then
        div u in 1/s at the same frames (all T for crank_nicolson). T' = T - 1 for central, T + 1
        for mixed, T for crank_nicolson.
        Raises Unsupported off the torus, for steady problems, for unequal or too few frames, and
        for a random force, whose past the frames do not hold.
        """
        grid = torus(problem.domain, "the filtered Navier-Stokes residual")
        step = frame_step(problem)
        modes = Modes.like(u, grid)
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        nu = _viscosity(problem).to(u).view(-1, *(1,) * (grid.dim + 2))
        used, change = differences(frames, step, self.scheme)
        u_hat = modes.forward(used)
        damping = nu * modes.square
        rate = self._rate(u_hat, modes, u=used, damping=damping)
        if self.scheme != "crank_nicolson":
            return imbalance(u_hat, rate, damping, change, modes)
        found = imbalance(u_hat, rate, damping, None, modes)
        momentum = change + (found[:, 1:, :-1] + found[:, :-1, :-1]) / 2
        return torch.cat([momentum, found[:, 1:, -1:]], dim=2)

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        """Return -|k|^2, the symbol of lap."""
        total = wavenumbers[0] ** 2
        for k in wavenumbers[1:]:
            total = total + k**2
        return -total


def _widened(spectrum: Tensor, modes: Modes) -> Tensor:
    """Return a spectrum with zeros in the columns of ``modes`` that it lacks."""
    missing = modes.k[-1].shape[-1] - spectrum.shape[-1]
    return nn.functional.pad(spectrum, (0, missing)) if missing else spectrum


def _viscosity(problem: Problem) -> Tensor:
    if "viscosity" not in problem.parameters:
        raise Unsupported(
            "the Navier-Stokes equations need parameters['viscosity'], the problem has "
            f"{sorted(problem.parameters)}"
        )
    viscosity = problem.parameters["viscosity"]
    if not bool((viscosity > 0).all()):
        raise Unsupported(
            f"parameters['viscosity']={viscosity.tolist()}, expected positive numbers: without "
            "viscosity nothing ends the cascade"
        )
    return viscosity
