"""Poisson and Allen-Cahn equations in a box with values given on its boundary."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.errors import Unsupported
from pdebench.problem import Problem

_FORMULA = {
    "poisson": "lap u = f",
    "allencahn": "lap u + u (u^2 - 1) = f",
}


@final
@dataclass(frozen=True)
class Dirichlet(Equation):
    """``lap u [+ u (u^2 - 1)] = f`` in a box with values given on its boundary.

    Inputs: ``source`` f (B, 1, *S) and ``boundary`` (B, 1, *S), the values on the boundary and zero
    inside. Fang et al., ICLR 2024 (arXiv 2311.04465), sec. 6.

    Attributes:
        kind: "poisson" or "allencahn".
    """

    kind: str

    known: ClassVar[tuple[str, ...]] = tuple(_FORMULA)

    @property
    def formula(self) -> str:
        """The equation in plain text."""
        return _FORMULA[self.kind]

    @property
    def fields(self) -> Mapping[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "Fang et al., ICLR 2024, arXiv 2311.04465"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return second-order differences of the equation inside, u - g on the boundary."""
        domain = problem.domain
        if not isinstance(domain, Grid) or not all(a.uniform for a in domain.axes):
            raise Unsupported("the residual is made for uniform grids")
        inside = torch.zeros_like(u)
        for axis, coordinate in enumerate(domain.axes):
            h = coordinate.length / (len(coordinate.nodes) - 1)
            moved = u.movedim(axis + 2, -1)
            second = (moved[..., 2:] - 2 * moved[..., 1:-1] + moved[..., :-2]) / h**2
            inside = inside + torch.nn.functional.pad(second, (1, 1)).movedim(-1, axis + 2)
        if self.kind == "allencahn":
            inside = inside + u * (u.square() - 1)
        edge = domain.boundary.to(u.device)
        return torch.where(edge, u - problem.inputs["boundary"], inside - problem.inputs["source"])

    def pointwise(self, jet: Mapping[str, Tensor], problem: Problem) -> Tensor:
        """Return u_xx [+ u_yy] [+ u (u^2 - 1)] - f at the nodes, (B, N), from u and its second
        derivatives ``u``, ``u_xx``, ``u_yy``, each (B, N).
        """
        total = -problem.inputs["source"].flatten(1).to(jet["u"])
        for name in ("u_xx", "u_yy")[: problem.domain.dim]:
            total = total + jet[name]
        if self.kind == "allencahn":
            total = total + jet["u"] * (jet["u"].square() - 1)
        return total
