"""Waves of one frequency in a medium of varying speed, and elements of any order on a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.polynomial import legendre
from numpy.typing import NDArray
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation, LinearSystem
from pdebench.equations.flux_form import Assembled, spacings
from pdebench.errors import ConfigError, Unsupported

if TYPE_CHECKING:
    from pdebench.problem import Problem

Array = NDArray[Any]


def lobatto(order: int) -> tuple[Array, Array]:
    """Return the order + 1 Gauss-Lobatto-Legendre nodes on [-1, 1] and their weights.

    The zeros of P_p' and the ends; w_i = 2 / (p (p + 1) P_p(x_i)^2).
    """
    series = [0.0] * order + [1.0]
    inner = np.real(legendre.legroots(legendre.legder(series))) if order > 1 else np.array([])
    x = np.concatenate([[-1.0], np.sort(inner), [1.0]])
    return x, 2 / (order * (order + 1) * legendre.legval(x, series) ** 2)


def lagrange(nodes: Array, at: Array) -> Array:
    """Return the Lagrange polynomials of ``nodes`` at points, (points, nodes)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    away = at[:, None] - nodes
    out = np.empty((len(at), len(nodes)))
    for k in range(len(nodes)):
        rest = np.delete(np.arange(len(nodes)), k)
        out[:, k] = np.prod(away[:, rest] / gaps[k, rest], axis=1)
    return out


@final
@dataclass(frozen=True)
class Line:
    """``elements`` elements of order p on [0, 1], Gauss-Lobatto-Legendre nodes, lumped mass.

    Order 1 is the second-order difference with mirrored ghosts at the ends. Patera, J. Comput.
    Phys. 54 (1984).
    """

    elements: int
    order: int

    @property
    def size(self) -> int:
        """Nodes."""
        return self.elements * self.order + 1

    @cached_property
    def nodes(self) -> Array:
        """Coordinates (n,)."""
        local = (lobatto(self.order)[0][:-1] + 1) / 2
        inner = (np.arange(self.elements)[:, None] + local) / self.elements
        return np.append(inner.ravel(), 1.0)

    def _numbers(self) -> Array:
        return self.order * np.arange(self.elements)[:, None] + np.arange(self.order + 1)

    @cached_property
    def mass(self) -> Array:
        """Quadrature weights (n,), sum 1."""
        weights = np.tile(lobatto(self.order)[1] / (2 * self.elements), self.elements)
        return np.bincount(self._numbers().ravel(), weights)

    @cached_property
    def stiffness(self) -> Array:
        """Integrals of phi_i' phi_j' (n, n), dense."""
        x, _ = lobatto(self.order)
        exact, weight = legendre.leggauss(self.order + 1)
        # derivatives of the Lagrange polynomials at Gauss points, through their Legendre series
        series = np.linalg.inv(legendre.legvander(x, self.order))
        slopes = legendre.legval(exact, legendre.legder(series))
        local = 2 * self.elements * (slopes * weight) @ slopes.T
        out = np.zeros((self.size, self.size))
        for part in self._numbers():
            out[np.ix_(part, part)] += local
        return out

    def evaluation(self, at: Array) -> Array:
        """Return the basis at points of [0, 1], (m, n), dense."""
        element = np.clip((at * self.elements + 1e-12).astype(int), 0, self.elements - 1)
        local = 2 * (at * self.elements - element) - 1
        out = np.zeros((len(at), self.size))
        columns = self.order * element[:, None] + np.arange(self.order + 1)
        out[np.arange(len(at))[:, None], columns] = lagrange(lobatto(self.order)[0], local)
        return out

    def integrals(self, low: float, high: float) -> Array:
        """Return int_low^high phi_i (n,), exactly, wherever the ends fall."""
        out = np.zeros(self.size)
        x, w = legendre.leggauss(self.order + 1)
        for element in range(self.elements):
            a, b = max(low, element / self.elements), min(high, (element + 1) / self.elements)
            if b > a:
                points = (a + b) / 2 + (b - a) / 2 * x
                local = 2 * (points * self.elements - element) - 1
                where = self.order * element + np.arange(self.order + 1)
                out[where] += (b - a) / 2 * w @ lagrange(lobatto(self.order)[0], local)
        return out


@final
@dataclass(frozen=True)
class Helmholtz(Equation):
    """lap u + (omega / c)^2 u = 0 on a square, du/dn = 1 on part of the top, 0 elsewhere.

    Input ``speed`` c (B, 1, *S) on a uniform grid with nodes on the walls; the top is the end of
    the second axis. No damping: near a resonance the answer is large. De Hoop et al., J. Mach.
    Learn. 2022 (arXiv 2203.13181), app. C, real-valued. The discretisation of this class is the
    five-point difference, whose phase errors add up over every wavelength (pollution): at 12
    points a wavelength and eight wavelengths its error is of the size of the solution.

    Attributes:
        omega: angular frequency.
        low, high: ends of the part of the top that is driven.
    """

    omega: float
    low: float = 0.35
    high: float = 0.65

    formula = "lap u + (omega / c)^2 u = 0, du/dn = 1 on part of the top, else 0"

    @property
    def fields(self) -> Mapping[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "de Hoop et al., arXiv 2203.13181, app. C"

    def _made(self, problem: "Problem") -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return k^2 (B, n, n), stiffness, mass of a line, and the boundary term (n,)."""
        if "speed" not in problem.inputs:
            raise ConfigError(
                f"the Helmholtz equation needs the input speed, got {sorted(problem.inputs)}"
            )
        grid = problem.domain
        spacings(grid)
        if not isinstance(grid, Grid) or grid.dim != 2 or grid.shape[0] != grid.shape[1]:
            raise Unsupported("the Helmholtz equation is posed on a square of two dimensions")
        c = problem.inputs["speed"][:, 0].double()
        if not bool((c > 0).all()):
            raise ConfigError("inputs['speed'] is not positive everywhere; expected c > 0")
        line = Line(grid.shape[0] - 1, 1)
        driven = line.integrals(self.low, self.high)
        stiff, mass, edge = (
            torch.from_numpy(part).to(c.device) for part in (line.stiffness, line.mass, driven)
        )
        return (self.omega / c) ** 2, stiff, mass, edge

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return lap u + k^2 u with the boundary terms, by five-point differences, (B, 1, n, n)."""
        square, stiff, mass, driven = (part.to(u) for part in self._made(problem))
        field = u[:, 0]
        flat = (stiff @ field) / mass[:, None] + (field @ stiff) / mass
        edge = torch.zeros_like(field)
        edge[..., -1] = driven / mass / mass[-1]
        return (square * field - flat + edge).unsqueeze(1)

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the symmetric, indefinite systems of five-point differences."""
        from scipy import sparse

        square, stiff, mass, driven = self._made(problem)
        area = mass[:, None] * mass
        shape = problem.domain.shape

        def matvec(x: Tensor) -> Tensor:
            field = x.view(len(x), *shape).double()
            out = (stiff @ field) * mass + mass[:, None] * (field @ stiff) - square * area * field
            return out.flatten(1).to(x)

        one, weight = sparse.csr_array(stiff.cpu().numpy()), sparse.diags_array(mass.cpu().numpy())
        flat = (sparse.kron(one, weight) + sparse.kron(weight, one)).tocsr()
        shift = (square * area).flatten(1).cpu().numpy()
        rhs = torch.zeros_like(square)
        rhs[..., -1] = driven
        matrices = Assembled(
            len(shift), lambda b: sparse.csr_array(flat - sparse.diags_array(shift[b]))
        )
        return LinearSystem(matvec, rhs.flatten(1), matrices, symmetric_positive=False)
