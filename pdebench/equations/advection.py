"""Advection in one dimension as a problem in a box of space and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from pdebench.domain import Domain
from pdebench.equation import Equation
from pdebench.equations.flux_form import spacings
from pdebench.problem import Problem


@final
@dataclass(frozen=True)
class Advection(Equation):
    """``beta u_x + u_t = f`` in a box; the first axis is x, the second t.

    Inputs: ``source`` f (B, 1, *S) and ``boundary`` (B, 1, *S), the values where they are
    prescribed and zero elsewhere. Fang et al., ICLR 2024 (arXiv 2311.04465), sec. 6, whose program
    prescribes them on all four sides, outflow and final time included: an over-determined problem
    that gives the terminal values away. ``inflow`` is the well-posed one.

    Attributes:
        speed: beta, length per time, not 0.
        sides: where values are prescribed: "inflow", the initial time and the side that waves
            enter by; or "all".
    """

    speed: float
    sides: Literal["inflow", "all"] = "inflow"

    kind = "advection"  # no field: what solvers that tell equations of a box apart call it

    @property
    def formula(self) -> str:
        """The equation in plain text."""
        return f"{self.speed:g} u_x + u_t = f"

    @property
    def fields(self) -> Mapping[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "Fang et al., ICLR 2024, arXiv 2311.04465"

    def prescribed(self, domain: Domain) -> Tensor:
        """Return where values are prescribed, (*S)."""
        if self.sides == "all":
            return domain.boundary
        where = torch.zeros(domain.shape, dtype=torch.bool)
        where[0 if self.speed > 0 else -1] = True
        where[:, 0] = True
        return where

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return second-order differences of the equation, u - g where values are prescribed."""
        domain = problem.domain
        space, time = torch.gradient(u, spacing=spacings(domain), dim=(-2, -1), edge_order=2)
        inside = self.speed * space + time - problem.inputs["source"]
        edge = self.prescribed(domain).to(u.device)
        return torch.where(edge, u - problem.inputs["boundary"], inside)

    def pointwise(self, jet: Mapping[str, Tensor], problem: Problem) -> Tensor:
        """Return beta u_x + u_y - f at the nodes, (B, N), from first derivatives; y is time."""
        source = problem.inputs["source"].flatten(1).to(jet["u"])
        return self.speed * jet["u_x"] + jet["u_y"] - source
