"""A step of conjugate gradients against the bound of its matrix-vector product.

    python benchmarks/cg_step.py [--threads 1] [--grid 64] [--rounds 7]

A step without a preconditioner needs one product with A; the bound is that product by scipy.sparse
(CSR, float64) on the pressure matrix of an empty box. Ours multiplies by diagonals, and does
the vector updates, norms and checks as well. One right-hand side.
"""

import argparse

import torch
from pdebench_krylov.gradients import conjugate_gradients
from report import interleaved, write_result

from pdebench.domain import Axis, Grid
from pdebench.equations.pressure import PressurePoisson
from pdebench.problem import Problem

STEPS = 20


def main() -> None:
    """Time and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    n = given.grid
    domain = Grid((Axis.cells(n, float(n)),) * 3)
    source = torch.randn(1, 1, n, n, n, generator=torch.Generator().manual_seed(0)).double()
    problem = Problem(
        PressurePoisson(), domain, {"mask": torch.ones_like(source), "source": source}
    )
    system = problem.equation.linear_system(problem)
    b, matrix = system.right_hand_side(), system.matrices[0]
    vector = b[0].numpy()

    def ours() -> None:
        for _ in conjugate_gradients(
            system.matvec, b, lambda r: r, torch.zeros_like(b), 0.0, STEPS
        ):
            pass

    def products() -> None:
        for _ in range(STEPS):
            matrix @ vector

    def own_products() -> None:
        for _ in range(STEPS):
            system.matvec(b)

    pieces = {
        "scipy.sparse product": products,
        "step of conjugate gradients": ours,
        "product by diagonals": own_products,
    }
    seconds = interleaved(pieces, given.rounds)
    facts = {"grid": n, "unknowns": n**3, "steps_per_round": STEPS, "threads": given.threads}
    write_result("cg_step", seconds, "scipy.sparse product", facts, ("torch", "scipy"))


if __name__ == "__main__":
    main()
