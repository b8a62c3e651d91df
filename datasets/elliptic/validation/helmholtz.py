"""Helmholtz: convergence with the order, and the pollution of differences."""

from math import factorial

import numpy as np
import torch
from pdebench_elliptic.helmholtz import HelmholtzRecipe
from pdebench_fem.spectral_elements import SpectralElements
from pdebench_krylov.direct import Direct
from scipy.interpolate import BarycentricInterpolator

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


def interpolated(order: int) -> float:
    """Return the error on 101 points of polynomials through the exact values at the nodes."""
    legendre = np.polynomial.legendre
    inner = legendre.legroots(legendre.legder(np.eye(order + 1)[order]))
    nodes = (np.concatenate([[-1.0], inner, [1.0]]) + 1) / 2
    y, k, got = np.linspace(0, 1, 101), OMEGA / SPEED, np.empty(101)
    for element in range(20):
        where, at = slice(5 * element, 5 * element + 6), (element + nodes) / 20
        got[where] = BarycentricInterpolator(at, np.cos(k * at))(y[where])
    return float(np.linalg.norm(got - np.cos(k * y)) / np.linalg.norm(np.cos(k * y)))


def dispersed(order: int) -> float:
    """Return the error at the corners of elements by the wavenumber that the method has for k.

        (k~ - k) h = (p! / (2 p)!)^2 (k h)^{2p + 1} / (2 p (2 p + 1))

    Ainsworth and Wajid, SIAM J. Numer. Anal. 47 (2009), leading order for lumped mass.
    """
    k, h, y = OMEGA / SPEED, 1 / 20, np.linspace(0, 1, 21)
    ratio = (factorial(order) / factorial(2 * order)) ** 2
    shift = ratio * (k * h) ** (2 * order + 1) / (2 * order * (2 * order + 1)) / h
    u, moved = (np.cos(q * y) / (q * np.sin(q)) for q in (k, k + shift))
    return float(np.linalg.norm(moved - u) / np.linalg.norm(u))


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
    coarse, corners = constant(21)
    shifted = _gap(SpectralElements(20, 6).solve(coarse).u[0, 0], corners)
    through = "polynomials through the exact values at the nodes"
    waves = "leading dispersion error, Ainsworth and Wajid (2009)"
    rows = [
        Row.near("order 6, 101^2 points, k = 50", errors[4], interpolated(6), 0.05, through),
        Row.near("order 8", errors[6], interpolated(8), 0.05, through),
        Row.near("order 6 at the corners of elements", shifted, dispersed(6), 0.5, waves),
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
