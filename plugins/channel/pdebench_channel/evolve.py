"""Channel flow as a plain function, for generating data and for notebooks."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pdebench.chebyshev import interpolation
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import channel_axes
from pdebench_channel.eddies import Eddies
from pdebench_channel.flow import Flow
from pdebench_channel.march import March
from pdebench_channel.modes import Modes
from pdebench_channel.operators import Wall


def plan(
    domain: Grid,
    viscosity: float,
    *,
    grid: tuple[int, int, int] | None = None,
    gradient: float | None = 1.0,
    step: float | None = None,
    cfl: float = 0.5,
    eddies: Eddies | None = None,
    device: torch.device | str = "cpu",
) -> March:
    """Return the tables of one viscosity and computational grid; see `evolve`."""
    x, y, z = channel_axes(domain, "the channel solver")
    points = grid or domain.shape
    axis = Axis.chebyshev(points[1], y.length, float(y.nodes[0]))
    where = torch.device(device)
    modes = Modes((points[0], points[2]), (x.length, z.length), where)
    flow = Flow(modes, Wall(axis, where), eddies, viscosity)
    return March(flow, viscosity, gradient, step, cfl)


def frames(
    u0: Tensor, times: Sequence[float], domain: Grid, march: March, start: float = 0.0
) -> Iterator[Tensor]:
    """Yield the velocity (B, 3, *domain.shape) at every time, one at a time, float64."""
    waits = [float(t) - start for t in times]
    if any(b < a for a, b in zip([0.0, *waits], waits, strict=False)):
        raise ValueError(f"times={list(times)}, expected increasing times from start={start} on")
    flow, axis = march.flow, domain.axes[1]
    there = interpolation(axis, flow.wall.axis.nodes).to(u0.device)
    back = interpolation(flow.wall.axis, axis.nodes).to(u0.device)
    planes = u0.to(torch.float64).transpose(2, 3)  # (B, 3, Y, X, Z)
    planes = torch.einsum("ij,bcjxz->bcixz", there, planes)
    state = flow.state(flow.modes.forward(planes))
    for found in march.run(state, waits, start):
        fields = flow.modes.inverse(flow.velocity(found), (domain.shape[0], domain.shape[2]))
        yield torch.einsum("ij,bcjxz->bcxiz", back, fields)


def evolve(
    u0: Tensor,
    times: Sequence[float],
    viscosity: float,
    domain: Grid,
    *,
    grid: tuple[int, int, int] | None = None,
    gradient: float | None = 1.0,
    step: float | None = None,
    cfl: float = 0.5,
    eddies: Eddies | None = None,
    start: float = 0.0,
) -> Tensor:
    """Return the velocity (B, T, 3, *S) at ``times`` of channel flows that start from u0.

        du/dt = u x curl u - grad p + G e_x + nu lap u + div(2 nu_t S),    see `Flow`

    Args:
        u0: (B, 3, *S) velocity at ``start``, length/s: x streamwise, y wall-normal, z spanwise. Its
            v and wall-normal vorticity count; u and w follow from them without divergence.
        times: T increasing times, s.
        viscosity: nu, length^2/s.
        domain: periodic x, Gauss-Lobatto y, periodic z.
        grid: points of the computation; None: those of the domain.
        gradient: G, length/s^2; None keeps the flux of u0.
        step: fixed time step, s; None for adaptive ones.
        cfl: adaptive step in units of the stability limit.
        eddies: subgrid model; None for none.
        start: time of u0, s.

    The step is shared by the batch. Raises Diverged with the time when the flow blows up,
    Unsupported for another domain, ValueError for times out of order.
    """
    march = plan(
        domain,
        viscosity,
        grid=grid,
        gradient=gradient,
        step=step,
        cfl=cfl,
        eddies=eddies,
        device=u0.device,
    )
    return torch.stack(list(frames(u0, times, domain, march, start)), 1)
