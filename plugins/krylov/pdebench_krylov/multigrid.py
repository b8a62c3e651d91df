"""Algebraic multigrid as preconditioner."""

import contextlib
from collections.abc import Iterator
from typing import Literal, final

from pdebench.equation import LinearSystem
from pdebench.errors import ConfigError
from pdebench.problem import Problem
from pdebench_krylov.preconditioner import Map, Preconditioner, rowwise

Kind = Literal["ruge_stuben", "smoothed_aggregation"]


@contextlib.contextmanager
def _fixed_seed() -> Iterator[None]:
    """Let pyamg estimate spectral radii from the same random vectors every time."""
    import numpy as np

    before = np.random.get_state()
    np.random.seed(0)  # pyamg draws from the global generator
    try:
        yield
    finally:
        np.random.set_state(before)


@final
class Multigrid(Preconditioner):
    """One symmetric V-cycle of pyamg.

    Ruge and Stueben, in Multigrid Methods (1987); Vanek, Mandel and Brezina, Computing 56 (1996);
    Bell, Olson, Schroder, J. Open Source Softw. 7 (2022). Smoothed aggregation keeps the system's
    near null space, rigid motions in elasticity, on every level.

    Args:
        kind: coarsening.
        cycle: V, W or F.
    """

    def __init__(self, kind: Kind = "ruge_stuben", cycle: Literal["V", "W", "F"] = "V") -> None:
        if kind not in ("ruge_stuben", "smoothed_aggregation"):
            raise ConfigError(
                f"solver.preconditioner.kind='{kind}', expected ruge_stuben or smoothed_aggregation"
            )
        if cycle not in ("V", "W", "F"):
            raise ConfigError(f"solver.preconditioner.cycle='{cycle}', expected V, W or F")
        self.kind, self.cycle = kind, cycle

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        import pyamg

        make = getattr(pyamg, f"{self.kind}_solver")
        near = system.near_null_space if self.kind == "smoothed_aggregation" else None
        maps = []
        for b, matrix in enumerate(system.matrices):
            kept = {} if near is None else {"B": near[b].double().cpu().numpy().T.copy()}
            with _fixed_seed():
                operator = make(matrix.tocsr(), **kept).aspreconditioner(cycle=self.cycle)
            maps.append(operator.matvec)
        return rowwise(maps, len(system.rhs))
