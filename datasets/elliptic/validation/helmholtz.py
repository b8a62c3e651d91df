"""Helmholtz: convergence with the order, and the pollution of differences."""

import numpy as np
import torch
from pdebench_elliptic.helmholtz import HelmholtzRecipe
from pdebench_fem.spectral_elements import SpectralElements
from pdebench_krylov.direct import Direct

from pdebench.domain import Axis, Grid
from pdebench.equations.helmholtz import Helmholtz
from pdebench.problem import Problem
from pdebench.testing.validation import Curve, Picture, Row, Section

OMEGA, SPEED = 1000.0, 20.0


def constant(points: int) -> tuple[Problem, torch.Tensor]:
    """Constant speed, driven along the whole top: u = -cos(k y) / (k sin k), k = 50."""
    grid = Grid((Axis.interval(points),) * 2)
    c = torch.full((1, 1, points, points), SPEED, dtype=torch.float64)
    k = OMEGA / SPEED
    y = torch.linspace(0, 1, points, dtype=torch.float64)
    u = (-torch.cos(k * y) / (k * np.sin(k))).expand(points, points)
    return Problem(Helmholtz(OMEGA, 0.0, 1.0), grid, {"speed": c}), u


def _gap(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def validate() -> Section:
    """Return the figures."""
    problem, exact = constant(101)
    orders = (2, 3, 4, 5, 6, 7, 8)
    errors = [_gap(SpectralElements(20, p).solve(problem).u[0, 0], exact) for p in orders]
    grids = (101, 201, 401)
    polluted = [_gap(Direct().solve(p).u[0, 0], u) for p, u in map(constant, grids)]
    recipe = HelmholtzRecipe(OMEGA, 101, 32, {"test": 6}, SpectralElements(20, 6))
    random = recipe.posed("test", range(6), 101)
    best = SpectralElements(20, 12).solve(random).u
    gaps = []
    for p in (4, 6, 8):
        u = SpectralElements(20, p).solve(random).u
        gaps.append(float(np.median([_gap(a, b) for a, b in zip(u, best, strict=True)])))
    exact_text = "exact: u = -cos(k y) / (k sin k)"
    rows = [
        Row.below("20 x 20 elements, order 6, constant speed, k = 50", errors[4], 1e-5, exact_text),
        Row.below("order 8", errors[6], 1e-7, exact_text),
        Row.between("five-point differences on 101^2", polluted[0], 0.2, 2.0, "pollution"),
        Row.below("random speeds, order 6 against 12, median of 6", gaps[1], 1e-3, "finer run"),
        Row.below("order 8 against 12", gaps[2], 5e-4, "finer run"),
    ]
    nodes = [20 * p + 1 for p in orders]
    picture = Picture(
        "convergence",
        "Constant speed, k = 50",
        "nodes per axis",
        "relative L2 error",
        [
            Curve("spectral elements, orders 2 to 8", nodes, errors),
            Curve("five-point differences", grids, polluted),
        ],
        "log",
        "log",
    )
    return Section(
        "Helmholtz waves",
        "Gauss-Lobatto spectral elements with lumped mass, 20 x 20, omega = 1000, c about 20: "
        "eight wavelengths per side. The ends of the driven part are jumps of the data, which "
        "leave an algebraic error that no order removes.",
        rows,
        [picture],
    )
