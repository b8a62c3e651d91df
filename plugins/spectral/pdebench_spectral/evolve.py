"""The flow of the vorticity equation as a plain function, for generating data."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing, NoForcing
from pdebench.spectral import resample
from pdebench_spectral.flow import Flow
from pdebench_spectral.if_rk4 import IFRK4
from pdebench_spectral.march import March
from pdebench_spectral.scheme import Scheme


def evolve(
    w0: Tensor,
    times: Sequence[float],
    viscosity: Tensor | float,
    *,
    drag: Tensor | float = 0.0,
    forcing: Forcing | None = None,
    extent: tuple[float, float] = (1.0, 1.0),
    grid: tuple[int, int] | None = None,
    store: tuple[int, int] | None = None,
    scheme: Scheme | None = None,
    step: float | None = None,
    cfl: float = 1.2,
    dtype: torch.dtype = torch.float64,
    start: float = 0.0,
    flow: Flow | None = None,
) -> Tensor:
    """Return the vorticity at ``times`` of flows that start from w0.

        w_t + u . grad w = nu lap w - alpha w + f,    u = (psi_y, -psi_x),   -lap psi = w

    Args:
        w0: (B, X, Y) vorticity at ``start``, 1/s, on a uniform grid of the torus.
        times: T increasing times from ``start`` on, s.
        viscosity: nu, length^2/s, a number or (B,).
        drag: alpha, 1/s, a number or (B,).
        forcing: f, none by default.
        extent: lengths of the torus.
        grid: points per axis of the computation; None: those of w0.
        store: points per axis of what is returned; None: those of w0.
        scheme: time stepping, IFRK4 by default.
        step: time step, s; None: adaptive, for every instance its own.
        cfl: adaptive step in units of 1 / max(|u|/dx + |v|/dy).
        dtype: precision of the computation, torch.float64 or torch.float32.
        start: time of w0, s.
        flow: tables of ``scheme`` for this forcing, grid, device and dtype, made before.

    Returns (B, T, *store) in ``dtype`` on w0's device. Both changes of grid are spectral
    (`pdebench.spectral.resample`); modes beyond a third of ``grid`` are removed at the start.
    Raises Diverged with the time when the flow blows up, ValueError for times out of order.
    """
    waits = [float(time) - start for time in times]
    if any(b < a for a, b in zip([0.0, *waits], waits, strict=False)):
        raise ValueError(f"times={list(times)}, expected increasing times from start={start} on")
    points = tuple(w0.shape[-2:])
    shape, stored = points if grid is None else tuple(grid), store or points
    scheme = scheme or IFRK4()
    if flow is None:
        torus = Grid.torus(shape, extent)
        flow = scheme.flow(forcing or NoForcing(), torus, w0.device, dtype)
    linear = flow.linear(*_per_instance(w0, viscosity, drag))
    march = March(scheme, flow, linear, step, cfl, start)
    w = flow.spectrum(resample(w0.to(dtype), shape))
    out = torch.empty((len(w0), len(waits), *stored), dtype=dtype, device=w0.device)
    for position, (now, until) in enumerate(zip([0.0, *waits], waits, strict=False)):
        w = march.advance(w, now, until)
        out[:, position] = flow.field(w, stored)
    return out


def _per_instance(w0: Tensor, *values: Tensor | float) -> list[Tensor]:
    """Return numbers as (B,), or as (1,) all of them where no instance differs from the others."""
    full = [torch.as_tensor(value, dtype=torch.float64, device=w0.device) for value in values]
    full = [value.expand(len(w0)) for value in full]
    shared = all(bool((value == value[0]).all()) for value in full)
    return [value[:1] if shared else value for value in full]
