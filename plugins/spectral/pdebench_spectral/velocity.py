"""Incompressible flow on a torus in velocities, with or without a closure, as a plain function."""

import math
from collections.abc import Sequence

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
    nu = torch.as_tensor(viscosity, dtype=dtype, device=u0.device).view(-1, *(1,) * (dim + 1))
    decay = -nu * modes.square
    u = modes.project(modes.forward(resample(u0.to(dtype), shape)))
    if equation.dealias == "two_thirds":
        u = u * modes.kept
    spacing = [length / n for length, n in zip(extent, shape, strict=True)]
    frames: list[Tensor] = []
    now, size, tables = 0.0, 0.0, (decay, decay)
    for until in waits:
        while until - now > 1e-12 * max(abs(until), 1.0):
            largest = step or cfl * _limit(u, modes, spacing)
            count = max(1, math.ceil((until - now) / largest * (1 - 1e-6)))
            if not math.isclose((until - now) / count, size, rel_tol=1e-12):
                size = (until - now) / count
                half = torch.exp(decay * (size / 2))
                tables = (half, half.square())
            for _ in range(count if step else min(count, _REVIEW)):
                u = _runge_kutta(u, size, tables, equation, modes)
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


def _runge_kutta(
    u: Tensor,
    h: float,
    tables: tuple[Tensor, Tensor],
    equation: FilteredNavierStokes,
    modes: Modes,
) -> Tensor:
    half, full = tables
    a = equation.advance(u, modes)
    moved = half * u
    b = equation.advance(moved + (h / 2) * half * a, modes)
    c = equation.advance(moved + (h / 2) * b, modes)
    d = equation.advance(full * u + h * half * c, modes)
    return full * (u + (h / 6) * a) + (h / 3) * half * (b + c) + (h / 6) * d
