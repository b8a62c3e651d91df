"""Poisson and Allen-Cahn equations in a box with values given on its boundary."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from pdebench.equation import Equation, LinearSystem
from pdebench.equations.flux_form import applied, assembled, spacings
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
        spacing = spacings(domain)
        inside = -applied(u[:, 0], [None] * len(spacing), spacing).unsqueeze(1)
        if self.kind == "allencahn":
            inside = inside + u * (u.square() - 1)
        edge = domain.boundary.to(u.device)
        return torch.where(edge, u - problem.inputs["boundary"], inside - problem.inputs["source"])

    def linear_system(self, problem: Problem) -> LinearSystem:
        """Return -lap u = -f over all nodes, known values eliminated; identity on the boundary.

        Second-order differences. Unsupported for Allen-Cahn, which is not linear.
        """
        if self.kind != "poisson":
            raise Unsupported("Allen-Cahn is not linear; use a solver of the full equation")
        spacing, shape = spacings(problem.domain), problem.domain.shape
        source, given = (problem.inputs[name][:, 0].double() for name in ("source", "boundary"))
        inside = ~problem.domain.boundary.to(source.device)
        faces = [None] * len(shape)

        def matvec(x: Tensor) -> Tensor:
            field = x.view(len(x), *shape)
            zeroed = torch.where(inside, field, 0.0)
            return torch.where(inside, applied(zeroed, faces, spacing), field).flatten(1)

        known = torch.where(inside, 0.0, given)
        rhs = torch.where(inside, -source - applied(known, faces, spacing), known)
        matrix = assembled(faces, spacing, shape, 0)
        return LinearSystem(matvec, rhs.flatten(1), (matrix,), symmetric_positive=True)

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
