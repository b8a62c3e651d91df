"""Incompressible flow on a torus in velocities, with or without a closure, as a plain function."""

import math
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import Diverged
from pdebench.spectral import Modes, resample

_REVIEW = 5  # steps between looks at the velocity
_STABLE = 2.8  # of classical Runge-Kutta on the imaginary axis


def evolve_velocity(
    u0: Tensor,
    times: Sequence[float],
    viscosity: Tensor | float,
    equation: FilteredNavierStokes,
    *,
    extent: tuple[float, ...],
    grid: tuple[int, ...] | None = None,
    store: tuple[int, ...] | None = None,
    step: float | None = None,
    cfl: float = 0.8,
    dtype: torch.dtype = torch.float64,
    start: float = 0.0,
) -> Tensor:
    """Return the velocity at ``times`` of flows that start from u0.

        du/dt = P[ -d_j (u_i u_j + tau_ij) + f ] + nu lap u,   see `FilteredNavierStokes`

    Fourier in space, integrating-factor Runge-Kutta of order four in time; the step is shared by
    the batch, so give instances one by one where that matters.

    Args:
        u0: (B, d, *S) velocity at ``start``, length/s; its divergence is projected out.
        times: T increasing times from ``start`` on, s.
        viscosity: nu, length^2/s, a number or (B,).
        equation: closure, dealiasing and forcing.
        extent: lengths of the torus.
        grid: points per axis of the computation; None: those of u0.
        store: points per axis of what is returned; None: those of u0.
        step: largest step, s; None: from the velocity.
        cfl: adaptive step in units of the stability limit 2.8 / max_x sum_a pi |u_a| / h_a.
        dtype: precision of the computation.
        start: time of u0, s.

    Returns (B, T, d, *store). Raises Diverged with the time when the flow blows up, ValueError for
    times out of order.
    """
    waits = [float(t) - start for t in times]
    if any(b < a for a, b in zip([0.0, *waits], waits, strict=False)):
        raise ValueError(f"times={list(times)}, expected increasing times from start={start} on")
    dim = len(extent)
    points = tuple(u0.shape[-dim:])
    shape, stored = grid or points, store or points
    modes = Modes.of(tuple(shape), extent, u0.device, dtype)
    if equation.dealias == "two_thirds":
        modes = modes.pruned
    nu = torch.as_tensor(viscosity, dtype=dtype, device=u0.device).view(-1, *(1,) * (dim + 1))
    decay = -nu * modes.square
    u = modes.project(modes.forward(resample(u0.to(dtype), shape)))
    if equation.dealias == "two_thirds":
        u = u * modes.kept
    spacing = [length / n for length, n in zip(extent, shape, strict=True)]
    frames: list[Tensor] = []
    stepper = Stepper(equation, modes, decay)
    now, size, step_on = 0.0, 0.0, stepper.of_size(0.0)
    for until in waits:
        while until - now > 1e-12 * max(abs(until), 1.0):
            largest = step or cfl * _limit(u, modes, spacing)
            count = max(1, math.ceil((until - now) / largest * (1 - 1e-6)))
            if not math.isclose((until - now) / count, size, rel_tol=1e-12):
                size = (until - now) / count
                step_on = stepper.of_size(size)
            for _ in range(count if step else min(count, _REVIEW)):
                u = step_on(u, start + now)
                now += size
            if not bool(torch.isfinite(torch.view_as_real(u)).all()):
                raise Diverged(f"the flow blew up by t={start + now:g}; use a smaller step or cfl")
        frames.append(resample(modes.inverse(u), stored))
    return torch.stack(frames, 1)


def _limit(u: Tensor, modes: Modes, spacing: Sequence[float]) -> float:
    """Return the largest stable step of the advection, s."""
    speeds = modes.inverse(u).abs().unbind(-len(spacing) - 1)
    rate = sum((s / h for s, h in zip(speeds, spacing, strict=True)), torch.zeros(()).to(speeds[0]))
    return _STABLE / max(math.pi * float(rate.max()), 1e-12)


@final
class Stepper:
    """Steps of du/dt = N(u) + decay u in Fourier space, the linear part exact.

    Classical Runge-Kutta on v = exp(-decay t) u (Canuto et al., Spectral Methods (2007), sec. D.3);
    stages are combined in place, since at these sizes memory is what costs.

    Args:
        equation: N, see `FilteredNavierStokes.advance`.
        modes: of the grid computed on.
        decay: -nu |k|^2, (1 or B, 1, *S_half).
    """

    def __init__(self, equation: FilteredNavierStokes, modes: Modes, decay: Tensor) -> None:
        self._equation, self._modes, self._decay = equation, modes, decay

    def of_size(self, h: float) -> Callable[..., Tensor]:
        """Return the map from a spectrum (B, d, *S_half), and its time if a force depends on it, to
        the spectrum one step of ``h`` later.
        """
        half = torch.exp(self._decay * (h / 2)) + 0j  # complex: no conversion in every product
        pushed = (h / 2) * half
        modes, damping = self._modes, -self._decay

        def advance(u: Tensor, t: float) -> Tensor:
            return self._equation.advance(u, modes, damping=damping, time=t)

        def step(u: Tensor, t: float = 0.0) -> Tensor:
            a = advance(u, t)
            moved = half * u
            b = advance(torch.addcmul(moved, pushed, a), t + h / 2)
            c = advance(torch.add(moved, b, alpha=h / 2), t + h / 2)
            d = advance(torch.add(moved, c, alpha=h).mul_(half), t + h)
            middle = b.add_(c).mul_(h / 3)
            return (
                torch.add(u, a, alpha=h / 6).mul_(half).add_(middle).mul_(half).add_(d, alpha=h / 6)
            )

        return step
