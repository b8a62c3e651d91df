"""Diffusion: orders for smooth and discontinuous coefficients, means of faces, iterations."""

import numpy as np
import torch
from pdebench_elliptic.laws import GaussianLaw, TrigonometricLaw
from pdebench_krylov.direct import Direct
from pdebench_krylov.fast_poisson import FastPoisson
from pdebench_krylov.incomplete import IncompleteCholesky
from pdebench_krylov.multigrid import Multigrid
from pdebench_krylov.solver import ConjugateGradients

from pdebench.domain import Axis, Grid
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.generation import sample_generator
from pdebench.problem import Problem
from pdebench.testing.validation import Curve, Picture, Row, Section

SINE = ConjugateGradients(FastPoisson(), 1e-10, 500)
SAMPLES = 8


def posed(n: int, a: np.ndarray, source: np.ndarray | None = None) -> Problem:
    """Return the problems of coefficients (B, n, n)."""
    inputs = {"coefficient": torch.from_numpy(a)[:, None]}
    if source is not None:
        inputs["source"] = torch.from_numpy(source)[:, None]
    return Problem(DivergenceForm(), Grid((Axis.interval(n),) * 2), inputs)


def smooth() -> tuple[float, Curve]:
    """Manufactured: a = 1 + x y, u = sin(pi x) sin(2 pi y)."""
    sizes, errors = (17, 33, 65, 129, 257), []
    for n in sizes:
        x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
        sx, cx = np.sin(np.pi * x), np.pi * np.cos(np.pi * x)
        sy, cy = np.sin(2 * np.pi * y), 2 * np.pi * np.cos(2 * np.pi * y)
        f = 5 * np.pi**2 * (1 + x * y) * sx * sy - y * cx * sy - x * sx * cy
        got = SINE.solve(posed(n, (1 + x * y)[None], f[None])).u[0, 0].numpy()
        errors.append(float(np.linalg.norm(got - sx * sy) / np.linalg.norm(sx * sy)))
    return float(np.log2(errors[-2] / errors[-1])), Curve("smooth, exact solution", sizes, errors)


def rough() -> tuple[float, list[float], Curve]:
    """Two phases, 12 and 3, against 1025^2: the root mean square over samples."""
    law, sizes = GaussianLaw(modes=64), (65, 129, 257, 1025)
    numbers = [law.draw(sample_generator("validation", i)) for i in range(SAMPLES)]
    found, counts = {}, []
    for n in sizes:
        x, step = np.linspace(0, 1, n), (n - 1) // 64
        solved = [SINE.solve(posed(n, law.field(c, x, x)[None])) for c in numbers]
        found[n] = np.stack([one.u[0, 0].numpy()[::step, ::step] for one in solved])
        counts.append(
            max(float(one.iterations.max()) for one in solved if one.iterations is not None)
        )
    best = found[1025]
    errors = [float(np.linalg.norm(found[n] - best) / np.linalg.norm(best)) for n in sizes[:-1]]
    slope = float(np.log2(errors[0] / errors[-1]) / 2)
    return slope, counts, Curve("two phases, against 1025^2", sizes[:-1], errors)


def agreement() -> float:
    """The largest distance of any Krylov solver from elimination, over three laws."""
    laws = [GaussianLaw(), GaussianLaw("lognormal", scale=4.0), TrigonometricLaw(5)]
    x, worst = np.linspace(0, 1, 65), 0.0
    for law in laws:
        a = law.field(law.draw(sample_generator("agree", 0)), x, x)
        problem = posed(65, a[None])
        exact = Direct().solve(problem).u
        for preconditioner in (None, IncompleteCholesky(), Multigrid(), FastPoisson()):
            got = ConjugateGradients(preconditioner, 1e-12, 20000).solve(problem).u
            worst = max(worst, float((got - exact).norm() / exact.norm()))
    return worst


def validate() -> Section:
    """Return the figures."""
    order, first = smooth()
    slope, counts, second = rough()
    law = "order of the flux form for smooth coefficients"
    jumps = "interfaces between nodes: first order or better; second where a is smooth"
    rows = [
        Row.near("order, manufactured smooth coefficient, 129^2 to 257^2", order, 2.0, 0.01, law),
        Row.between(f"order, two phases, mean of {SAMPLES} samples", slope, 1.0, 2.0, jumps),
        Row.between(
            "iterations with the sine transform to 1e-10 on 65^2",
            counts[0],
            10,
            30,
            "contrast 4 bounds the condition number on every grid",
        ),
        Row.between("the same on 1025^2", counts[-1], 10, 30, "the same number on every grid"),
        Row.below(
            "largest distance of CG, IC(0), AMG, sine from elimination, three laws",
            agreement(),
            1e-8,
            "one linear system has one solution",
        ),
    ]
    picture = Picture(
        "orders",
        "Error of the flux form",
        "nodes per axis",
        "relative L2 error",
        [first, second],
        "log",
        "log",
    )
    return Section(
        "Diffusion with random coefficients",
        "Fluxes with harmonic means of the coefficient, solved by conjugate gradients with the "
        "fast sine transform to 1e-10.",
        rows,
        [picture],
        "With two phases the order is that of a mean over samples; single ones range from 0.9 to "
        "1.3 between 106^2 and 421^2. A prototype had 1.5 on the one sample that it looked at.",
    )
