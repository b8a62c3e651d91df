"""The stretched unit cell: convergence with the mesh, Newton's steps, material-free stresses."""

import numpy as np
import torch
from pdebench_elasticity.voids import draw
from pdebench_fem.hyperelastic import Hyperelastic
from pdebench_fem.newton import Loading, deformation, newton
from pdebench_fem.rivlin import Rivlin

from pdebench.domain import Points
from pdebench.equations.elasticity import StretchedCell
from pdebench.equations.unit_cell import CellMesh, parameters_of
from pdebench.problem import Problem
from pdebench.testing.validation import Curve, Picture, Row, Section

RUBBER = Rivlin(1.863e5, 9.79e3)
MESHES = ((8, 2), (16, 4), (24, 6), (32, 8), (48, 12), (64, 16), (96, 24))
VOIDS = np.stack([draw("validation", i, "published") for i in range(4)])


def loaded(mesh: CellMesh, traction: float) -> tuple[float, float, list[float]]:
    """Return mean compliance, mean von Mises stress and Newton's residuals of four cells."""
    cells = mesh.quadrature(VOIDS)
    nodes = cells.nodes.numpy()
    force = torch.zeros(len(VOIDS), 2, mesh.num_nodes, dtype=torch.float64)
    force[:, 1] = traction * torch.from_numpy(mesh.top_forces(nodes))
    loading = Loading(force, mesh.fixed(nodes), torch.zeros_like(force))
    found = newton(cells, RUBBER, loading, tolerance=1e-11)
    stress = RUBBER.von_mises(deformation(cells, found.u))
    mean = (cells.weights * stress).sum((1, 2)) / cells.weights.sum((1, 2))
    work = (force * found.u).sum((1, 2))
    return float(work.mean()), float(mean.mean()), found.residuals


def asked() -> list[float]:
    """Errors of the stress asked at 16 x 4 nodes, by the solver's mesh, against 128 x 32."""
    nodes = CellMesh(16, 4).nodes(VOIDS)
    given = {"points": torch.from_numpy(nodes).mT}
    domain = Points(torch.from_numpy(nodes[0]))
    problem = Problem(StretchedCell(16, 4), domain, given, parameters=parameters_of(VOIDS))
    best = Hyperelastic(128, 32).solve(problem).u
    weights = CellMesh(16, 4).quadrature(VOIDS).measure.unsqueeze(1)
    errors = []
    for around, across in MESHES:
        gap = Hyperelastic(around, across).solve(problem).u - best
        share = (weights * gap.square()).sum() / (weights * best.square()).sum()
        errors.append(float(share.sqrt()))
    return errors


def validate() -> Section:
    """Return the figures."""
    table = [loaded(CellMesh(*mesh), 100.0) for mesh in MESHES]
    stiff = [abs(row[0] / table[-1][0] - 1) for row in table[:-1]]
    means = [abs(row[1] / table[-1][1] - 1) for row in table[:-1]]
    large = loaded(CellMesh(32, 8), 0.1 * RUBBER.shear_modulus)[2]
    errors = asked()
    finest = f"{MESHES[-1][0]} x {MESHES[-1][1]} cells"
    rows = [
        Row.below("compliance on 32 x 8 cells, relative difference", stiff[3], 5e-3, finest),
        Row.below("mean von Mises stress on 32 x 8 cells", means[3], 5e-3, finest),
        Row.between(
            "mean von Mises stress, N/m^2",
            table[-1][1],
            150,
            200,
            "prototype: 177 +- 14 over 20 voids",
        ),
        Row.between(
            "Newton steps at the published load", len(table[3][2]) - 1, 2, 4, "prototype: 3"
        ),
        Row.between(
            "Newton steps at a tenth of the shear modulus",
            len(large) - 1,
            3,
            7,
            "prototype: 5 to 6",
        ),
        Row.below(
            "stress asked at 16 x 4 nodes, from 48 x 12 cells", errors[4], 0.02, "128 x 32 cells"
        ),
    ]
    cells = [a * b for a, b in MESHES]
    pictures = [
        Picture(
            "meshes",
            "Convergence with the mesh",
            "cells",
            "relative difference",
            [
                Curve("compliance", cells[:-1], stiff),
                Curve("mean stress", cells[:-1], means),
                Curve("stress at 16 x 4 nodes", cells, errors),
            ],
            "log",
            "log",
        ),
        Picture(
            "newton",
            "Newton's method",
            "step",
            "relative residual",
            [
                Curve("100 N/m^2", range(len(table[3][2])), table[3][2]),
                Curve("a tenth of the shear modulus", range(len(large)), large),
            ],
            "linear",
            "log",
        ),
    ]
    lines = "; ".join(
        f"{a} x {b}: {row[0]:.6f}, {row[1]:.2f}" for (a, b), row in zip(MESHES, table, strict=True)
    )
    return Section(
        "Stretched unit cells",
        f"Biquadratic elements, four voids of the published prior. Compliance (N/m) and mean von "
        f"Mises stress (N/m^2) by mesh: {lines}.",
        rows,
        pictures,
        "Patch test, manufactured solution, Kirsch's factor, uniaxial extension and the comparison "
        "with scikit-fem are tests of plugins/fem. Stresses are singular where the clamped side "
        "meets the free ones: the slow tail of all curves.",
    )
