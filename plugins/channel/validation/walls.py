"""Flow between walls where theory is exact: laminar flow, start-up, linear stability, budgets."""

import math
from itertools import pairwise

import torch
from pdebench_channel.evolve import evolve
from pdebench_channel.stability import orr_sommerfeld
from pdebench_turbulence.channel_start import PerturbedPoiseuille
from torch import Tensor

from pdebench.chebyshev import differentiation
from pdebench.domain import Axis, Grid
from pdebench.testing.validation import Curve, Picture, Row, Section

KNOWN = 0.24989154 + 0.00223498j
ORSZAG = 0.23752649 + 0.00373967j


def _channel(nx: int, ny: int, nz: int) -> Grid:
    return Grid((Axis.torus(nx, 2 * math.pi), Axis.chebyshev(ny), Axis.torus(nz, math.pi)))


def _laminar() -> list[Row]:
    grid = _channel(8, 33, 8)
    u0 = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
    u0[:, 0] = ((1 - grid.axes[1].nodes.square()) * 30)[:, None]
    gaps = [
        float((evolve(u0, [1.0], 1 / 60, grid, step=0.01, gradient=g) - u0).abs().max() / 30)
        for g in (1.0, None)
    ]
    law = "exact: U = (1 - y^2) Re_tau / 2 is steady"
    return [
        Row.below("Poiseuille, drift in one unit, constant pressure gradient", gaps[0], 1e-12, law),
        Row.below("Poiseuille, drift in one unit, constant flux", gaps[1], 1e-12, law),
    ]


def _growth() -> tuple[list[Row], Picture]:
    sizes = (33, 41, 49, 57, 65)
    errors = [abs(orr_sommerfeld(1.0, 7500.0, n)[0] - orr_sommerfeld(1.0, 7500.0, 97)[0])
              for n in sizes]  # fmt: skip
    grid, nu = _channel(4, 65, 4), 1 / 7500
    omega, v = orr_sommerfeld(1.0, 7500.0, 65)
    x, y = grid.axes[0].nodes, grid.axes[1].nodes
    wave = torch.exp(1j * x)[:, None]
    u = 1j * (differentiation(grid.axes[1])[0].to(v) @ v)
    u0 = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
    u0[:, 0] = ((1 - y**2) + 1e-6 * (u * wave).real)[..., None]
    u0[:, 1] = (1e-6 * (v * wave).real)[..., None]
    later = evolve(u0, [5.0], nu, grid, step=0.02, gradient=2 * nu)[:, 0]
    start, end = (torch.fft.fft(f[0, 1, :, 32, 0])[1] for f in (u0, later))
    turned = torch.log(end / start * torch.exp(torch.tensor(5j * omega.real)))
    found = complex(1j * turned / 5.0) + omega.real
    table = "Orr-Sommerfeld equation, published eigenvalue"
    first = abs(orr_sommerfeld(1.0, 10000.0, 65)[0] - ORSZAG)
    rows = [
        Row.below("Re 10000, alpha 1, 65 nodes: |omega - Orszag's|", first, 1e-7,
                  "Orszag, J. Fluid Mech. 50 (1971)"),
        Row.below("Re 7500, alpha 1, 65 nodes: |omega - published|",
                  abs(omega - KNOWN), 1e-8, table),
        Row.near("Re 7500: growth rate of a wave of 1e-6 in the full program, t = 5", found.imag,
                 KNOWN.imag, 0.01, table),
        Row.near("Re 7500: its frequency", found.real, KNOWN.real, 0.01, table),
    ]  # fmt: skip
    curve = Curve("|omega - omega of 97 nodes|", list(sizes), errors)
    title = "Orr-Sommerfeld, Re = 7500: error of the eigenvalue"
    return rows, Picture("orr_sommerfeld", title, "nodes", "|error|", [curve], y_scale="log")


def _balances() -> tuple[list[Row], Picture]:
    grid, nu = _channel(12, 33, 12), 1 / 60
    u0 = PerturbedPoiseuille(0.02, 0.4).draw("validation/channel", 0, grid, 60.0)[None]
    h = 1e-3
    u = evolve(u0, [0.2 - h, 0.2, 0.2 + h], nu, grid, step=h)[0]
    profile = u[:, 0].mean((-3, -1))
    bulk = profile @ grid.axes[1].weights / 2
    first = differentiation(grid.axes[1])[0]
    slope = first @ profile[1]
    drag = nu * (slope[0] - slope[-1]) / 2
    kept = evolve(u0, [0.2], nu, grid, step=4 * h, gradient=None)[0, 0]
    flux = [float(f[0].mean((-3, -1)) @ grid.axes[1].weights) for f in (u0[0], kept)]
    exact = evolve(u0, [0.096], nu, grid, step=5e-4)
    steps = (6e-3, 3e-3, 1.5e-3)
    errors = [float((evolve(u0, [0.096], nu, grid, step=s) - exact).norm() / exact.norm())
              for s in steps]  # fmt: skip
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    rows = [
        Row.below("no slip: largest |u| at the walls", float(u[..., [0, -1], :].abs().max()),
                  1e-12, "boundary condition"),
        Row.below("div u, largest, of the size of grad u", _divergence(u[1], grid), 1e-12,
                  "continuity"),
        Row.below("constant flux: relative change", abs(flux[1] / flux[0] - 1), 1e-13, "law"),
        Row.near("d U_b / dt against 1 - mean wall stress", float((bulk[2] - bulk[0]) / (2 * h)),
                 float(1 - drag), 1e-3, "integral of the momentum equation"),
        Row.between("order in time, last of two", orders[-1], 1.9, 3.3,
                    "2 (diffusion) to 3 (advection): Spalart et al. 1991"),
    ]  # fmt: skip
    curve = Curve("relative L2 at t = 0.096", list(steps), errors)
    title = "Disturbed flow at Re_tau = 60: error of the step"
    return rows, Picture("order", title, "h", "error", [curve], x_scale="log", y_scale="log")


def _divergence(u: Tensor, grid: Grid) -> float:
    parts = []
    for axis, place in ((0, -3), (2, -1)):
        num = u.shape[place]
        k = torch.fft.fftfreq(num, grid.extent[axis] / num / (2 * math.pi), dtype=torch.float64)
        k[num // 2] = 0.0
        factor = (1j * k).reshape(-1, *(1,) * (-place - 1))
        parts.append(torch.fft.ifft(torch.fft.fft(u, dim=place) * factor, dim=place).real)
    by_y = differentiation(grid.axes[1])[0] @ u
    total = parts[0][0] + by_y[1] + parts[1][2]
    return float(total.abs().max() / by_y.abs().max())


def validate() -> Section:
    """Return laminar flow, linear stability and balances."""
    growth, eigenvalue = _growth()
    balances, order = _balances()
    return Section(
        "Channel flow: exact solutions and laws",
        "Velocity-vorticity formulation of Kim, Moin and Moser (1987), Fourier x Chebyshev x "
        "Fourier, three-stage Runge-Kutta with Crank-Nicolson diffusion, float64.",
        [*_laminar(), *growth, *balances],
        [eigenvalue, order],
    )
