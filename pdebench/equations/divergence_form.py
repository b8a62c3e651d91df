"""Diffusion with a variable coefficient: Darcy flow and multiscale media."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pdebench.equation import Equation, LinearSystem
from pdebench.equations.flux_form import (
    Assembled,
    applied,
    assembled,
    harmonic_faces,
    spacings,
)
from pdebench.errors import ConfigError

if TYPE_CHECKING:
    from pdebench.problem import Problem


@final
class DivergenceForm(Equation):
    """-div(a grad u) = f in a box, u = 0 on its walls.

    Inputs: ``coefficient`` a (B, 1, *S), positive, and, where it is not 1, ``source`` f (B, 1, *S).
    Nodes lie on the walls. Discretised by fluxes through the faces between nodes with harmonic
    means of a: order 2 for smooth a, 3/2 and less across jumps. Li et al., ICLR 2021 (arXiv
    2010.08895), eq. 6; their program takes arithmetic means.
    """

    formula = "-div(a grad u) = f, u = 0 on the boundary"

    @property
    def fields(self) -> Mapping[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "Li et al., ICLR 2021, arXiv 2010.08895, eq. 6"

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return f + div(a grad u) at inner nodes and u on the walls, (B, 1, *S)."""
        spacing = spacings(problem.domain)
        faces = harmonic_faces(_coefficient(problem).to(u))
        inside = ~problem.domain.boundary.to(u.device)
        gap = _source(problem).to(u) - applied(u[:, 0], faces, spacing)
        return torch.where(inside, gap, u[:, 0]).unsqueeze(1)

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the systems over all nodes, with the identity on the walls; double precision."""
        spacing = spacings(problem.domain)
        a = _coefficient(problem).double()
        if not bool((a > 0).all()):
            raise ConfigError("inputs['coefficient'] is not positive everywhere; expected a > 0")
        faces, shape = harmonic_faces(a), problem.domain.shape
        inside = ~problem.domain.boundary.to(a.device)

        def matvec(x: Tensor) -> Tensor:
            field = x.view(len(x), *shape)
            zeroed = torch.where(inside, field, 0.0)
            return torch.where(inside, applied(zeroed, faces, spacing), field).flatten(1)

        rhs = torch.where(inside, _source(problem).double(), 0.0).expand(len(a), *shape)
        matrices = Assembled(len(a), lambda b: assembled(faces, spacing, shape, b))
        return LinearSystem(matvec, rhs.flatten(1), matrices, symmetric_positive=True)


def _coefficient(problem: "Problem") -> Tensor:
    if "coefficient" not in problem.inputs:
        raise ConfigError(
            f"the divergence form needs the input coefficient, got {sorted(problem.inputs)}"
        )
    return problem.inputs["coefficient"][:, 0]


def _source(problem: "Problem") -> Tensor:
    given = problem.inputs.get("source")
    a = _coefficient(problem)
    return torch.ones_like(a) if given is None else given[:, 0]
