"""Two-dimensional flow: exact solutions, budgets, orders in time, and the published program."""

import math

import numpy as np
import torch
from pdebench_navier_stokes.field import draw
from pdebench_spectral.crank_nicolson_euler import CrankNicolsonEuler
from pdebench_spectral.etd_rk4 import ETDRK4
from pdebench_spectral.evolve import evolve
from pdebench_spectral.if_rk4 import IFRK4
from pdebench_spectral.reference import evaluate
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import DiagonalForcing, KolmogorovForcing
from pdebench.spectral import Modes, velocity
from pdebench.testing import golden
from pdebench.testing.validation import Curve, Picture, Row, Section

PROGRAM = "program of Li et al. 2021, recorded (fno_ns_solver_a)"


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def exact() -> list[Row]:
    """Decay of modes of one wavenumber, and two laminar states that are steady."""
    x = torch.arange(32, dtype=torch.float64) / 32
    w0 = torch.zeros(32, 32, dtype=torch.float64)
    for number, (m, n) in enumerate([(5, 0), (0, 5), (3, 4), (4, -3)]):
        w0 += torch.cos(2 * math.pi * (m * x[:, None] + n * x) + number)
    nu, t = 1e-3, 10.0
    got = evolve(w0[None], [t], nu)[0, 0]
    decay = math.exp(-nu * 25 * (2 * math.pi) ** 2 * t)
    rows = [
        Row.below(
            f"4 modes of |k|^2 = 25 after decay to {decay:.1e}: relative L2 error",
            _relative(got, w0 * decay),
            1e-11,
            "exact: w = w0 exp(-nu |k|^2 t)",
        )
    ]
    torus = Grid.torus((32, 32))
    for label, forcing, grid, nu, drag, rate in (
        ("forced", DiagonalForcing(0.1), torus, 1e-2, 0.0, 8 * math.pi**2 * 1e-2),
        (
            "Kolmogorov",
            KolmogorovForcing(4),
            Grid.torus((32, 32), 2 * math.pi),
            0.5,
            0.1,
            16 * 0.5 + 0.1,
        ),
    ):
        steady = forcing.on(grid) / rate
        got = evolve(
            steady[None],
            [5.0],
            nu,
            drag=drag,
            forcing=forcing,
            extent=(grid.extent[0], grid.extent[1]),
            scheme=ETDRK4(),  # integrating factors do not keep fixed points to round-off
            step=0.05,
        )[0, 0]
        rows.append(
            Row.below(
                f"laminar {label} flow after t = 5, ETD-RK4: relative change",
                _relative(got, steady),
                1e-11,
                "exact: w = f / (nu |k|^2 + alpha)",
            )
        )
    return rows


def budgets() -> list[Row]:
    """Energy and enstrophy of a driven, damped flow by central differences of spacing h."""
    nu, drag, h, at = 2e-3, 0.05, 1e-3, 0.5
    grid, modes = Grid.torus((64, 64)), Modes.of((64, 64), (1.0, 1.0))
    forcing = DiagonalForcing(0.1)
    f = forcing.on(grid)
    w0 = 20 * draw("validation", range(2), 64, 16, 2.5, 7.0)
    w = evolve(w0, [at - h, at, at + h], nu, drag=drag, forcing=forcing, step=h)
    now = w[:, 1]
    gradient = torch.stack([modes.inverse(modes.forward(now) * s) for s in modes.slopes], 1)
    psi = modes.inverse(modes.forward(now) * modes.inverse_square)

    def half_square(v: Tensor) -> Tensor:
        return v.square().mean((-2, -1)) / 2

    rates = (half_square(w[:, 2]) - half_square(w[:, 0])) / (2 * h)
    enstrophy = (
        -2 * nu * half_square(gradient).sum(1)
        - 2 * drag * half_square(now)
        + (now * f).mean((-2, -1))
    )
    energy = half_square(velocity(w, modes)).sum(2)
    energy_rate = (energy[:, 2] - energy[:, 0]) / (2 * h)
    supply = (
        -2 * nu * half_square(now)
        - 2 * drag * half_square(velocity(now, modes)).sum(1)
        + (psi * f).mean((-2, -1))
    )
    source = "law; central differences leave O(h^2)"
    return [
        Row.below("enstrophy budget, relative defect", _relative(rates, enstrophy), 1e-5, source),
        Row.below("energy budget, relative defect", _relative(energy_rate, supply), 1e-5, source),
    ]


def orders() -> tuple[list[Row], Picture]:
    """Slopes of the error against the step."""
    w0 = draw("validation", range(4), 64, 21, 2.5, 7.0)
    forcing = DiagonalForcing(0.1)
    fine = evolve(w0, [1.0], 1e-3, forcing=forcing, step=0.005)
    rows, curves = [], []
    for name, scheme, order, steps in (
        ("IF-RK4", IFRK4(), 4, (0.2, 0.1, 0.05, 0.025)),
        ("ETD-RK4", ETDRK4(), 4, (0.2, 0.1, 0.05, 0.025)),
        ("Crank-Nicolson + Euler", CrankNicolsonEuler(), 1, (0.02, 0.01, 0.005)),
    ):
        errors = [
            _relative(evolve(w0, [1.0], 1e-3, forcing=forcing, scheme=scheme, step=h), fine)
            for h in steps
        ]
        slope = math.log2(errors[-2] / errors[-1])
        rows.append(Row.between(f"order in time, {name}", slope, order - 0.2, order + 0.2, "order"))
        curves.append(Curve(name, steps, errors))
    picture = Picture(
        "orders",
        "Error of the forced flow at t = 1",
        "step, s",
        "relative L2",
        curves,
        "log",
        "log",
    )
    return rows, picture


def program() -> list[Row]:
    """Fields and statistics recorded from the released generator."""
    archive = golden.load("fno_ns_solver_a")
    meta, inputs, w = archive.meta, archive.inputs, archive.arrays["sol"].astype(np.float64)
    same = evaluate(meta, inputs)["sol"].astype(np.float64)
    step = float(meta["delta_t"])
    times = [round(float(t) / step) * step for t in inputs["t"]]
    ours = evolve(
        torch.as_tensor(inputs["w0"]).double(),
        times,
        float(meta["visc"]),
        forcing=DiagonalForcing(0.1),
        grid=(64, 64),  # keeps every mode of w0, as the released mask does
        store=(32, 32),
    )
    ours = ours.movedim(1, -1).numpy()
    rows = [
        Row.below(
            "its scheme and mask, every field: relative L2 difference",
            float(np.linalg.norm(same - w) / np.linalg.norm(w)),
            1e-5,
            PROGRAM,
        ),
        Row.below(
            "IF-RK4 on 64^2 instead of its first-order scheme (step 0.01), fields at t = 1",
            float(np.linalg.norm((ours - w)[..., -1]) / np.linalg.norm(w[..., -1])),
            5e-4,
            f"{PROGRAM}; its own time error at this step is 3e-4",
        ),
    ]
    for sample in range(len(w)):
        rows.append(
            Row.near(
                f"rms vorticity at t = 1, sample {sample}, IF-RK4",
                float(ours[sample, ..., -1].std()),
                float(w[sample, ..., -1].std()),
                1e-3,
                PROGRAM,
            )
        )
    return rows


def validate() -> Section:
    """Return figures of the solver; none depends on a data set."""
    slopes, picture = orders()
    return Section(
        "Two-dimensional flow: the solver",
        "`pdebench_spectral.evolve` in float64: Fourier-Galerkin under the strict two-thirds rule, "
        "steps as named, else adaptive.",
        [*exact(), *budgets(), *slopes, *program()],
        [picture],
        "A vortex carried by a mean flow is not among the exact solutions: the vorticity form on a "
        "torus has no mean velocity.",
    )
