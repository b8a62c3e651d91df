"""Algebraic multigrid as preconditioner."""

from typing import Literal, final

from pdebench.equation import LinearSystem
from pdebench.errors import ConfigError
from pdebench.problem import Problem
from pdebench_krylov.preconditioner import Map, Preconditioner, rowwise

Kind = Literal["ruge_stuben", "smoothed_aggregation"]


@final
class Multigrid(Preconditioner):
    """One symmetric V-cycle of pyamg.

    Ruge and Stueben, in Multigrid Methods (1987); Vanek, Mandel and Brezina, Computing 56 (1996);
    Bell, Olson, Schroder, J. Open Source Softw. 7 (2022).

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
        maps = []
        for matrix in system.matrices:
            operator = make(matrix.tocsr()).aspreconditioner(cycle=self.cycle)
            maps.append(operator.matvec)
        return rowwise(maps, len(system.rhs))
