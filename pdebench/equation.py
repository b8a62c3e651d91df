"""The equation of a problem: named fields with units, a differentiable residual, and optional
further views.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from pdebench.errors import DataError, SolverError, Unsupported

if TYPE_CHECKING:
    from pdebench.domain import Domain
    from pdebench.problem import Problem

_INCONSISTENT = 1e-5  # share of |b| in the null space; float32 sums of a million cells reach 1e-6
_ASYMMETRIC = 1e-9  # of |A u| |v|; float64 sums of a million terms reach 1e-13


@final
@dataclass(frozen=True)
class LinearSystem:
    """A x = b on one discretisation: ``matvec`` maps (B, N) to (B, N), ``rhs`` (B, N), ``matrices``
    CSR per instance.

    ``matrices`` is a sequence of ``scipy.sparse.csr_array`` (one, shared by all instances, or one
    per instance); ``symmetric_positive`` is what the discretisation guarantees, ``null_space`` (K,
    N) spans the kernel by orthonormal rows or is None. ``near_null_space`` (B, K, N) holds vectors
    of small energy, rigid motions of an elastic body, for multigrid to keep.
    """

    matvec: Callable[[Tensor], Tensor]
    rhs: Tensor
    matrices: Sequence[Any]
    symmetric_positive: bool
    null_space: Tensor | None = None
    near_null_space: Tensor | None = None

    def project(self, x: Tensor) -> Tensor:
        """Return x (B, N) without its part in the null space."""
        if self.null_space is None:
            return x
        basis = self.null_space.to(x)
        return x - (x @ basis.mT) @ basis

    def right_hand_side(self) -> Tensor:
        """Return b (B, N), float64, projected off the null space.

        Raises DataError where b is not finite, or has more than round-off of single precision in
        the null space: then A x = b has no solution.
        """
        b = self.rhs.double()
        if not bool(b.isfinite().all()):
            raise DataError("the right-hand side holds NaN or infinity")
        projected = self.project(b)
        lost = (b - projected).norm(dim=-1)
        bad = lost > _INCONSISTENT * b.norm(dim=-1)
        if bool(bad.any()):
            share = float((lost / b.norm(dim=-1))[bad].max())
            raise DataError(
                f"the matrix is singular and the right-hand side inconsistent: {share:.2g} of its "
                "norm lies in the null space; subtract its mean over each part of the domain that "
                "no Dirichlet value closes"
            )
        return projected

    def check_symmetric(self) -> None:
        """Raise SolverError unless u . A v = v . A u for a pair of random vectors."""
        size = self.rhs.shape
        generator = torch.Generator().manual_seed(0)
        u, v = (torch.randn(size, generator=generator).double().to(self.rhs.device) for _ in "uv")
        au, av = self.matvec(u), self.matvec(v)
        gap = (u * av - v * au).sum(-1).abs()
        scale = au.norm(dim=-1) * v.norm(dim=-1) + av.norm(dim=-1) * u.norm(dim=-1)
        if bool((gap > _ASYMMETRIC * scale).any()):
            raise SolverError(
                f"the matrix is not symmetric: u . A v and v . A u differ by "
                f"{float((gap / scale).max()):.2g} of their size; take solver=direct"
            )


class Equation(ABC):
    """A partial differential equation R(u; a) = 0.

    ``fields`` maps each channel of u to its unit ("1" where nondimensional), ``reference`` cites
    where the form is from.
    """

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, str]:
        """Channel name -> unit, in channel order."""

    @property
    @abstractmethod
    def reference(self) -> str:
        """Citation with equation number."""

    @abstractmethod
    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return R(u) of shape (B, [T,] C, *S), differentiable in u; zero for the exact
        solution.
        """

    def conserved(self, u: Tensor, problem: "Problem") -> Mapping[str, Tensor]:
        """Return what the exact solution keeps constant in time: name -> (B, T), in the unit of u;
        T = 1 where it is known to be zero of a steady field. Nothing by default.
        """
        return {}

    def prescribed(self, domain: "Domain") -> Tensor:
        """Return at which nodes the values of u are given, (*S), bool: those of the boundary,
        unless the equation has them on a part of it.
        """
        return domain.boundary

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the discrete linear system of the problem; Unsupported where the equation is not
        linear.
        """
        raise Unsupported(
            f"{type(self).__name__} has no linear system; use a solver of the full equation"
        )

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        """Return the Fourier symbol of the linear part on the given wavenumbers (rad per unit
        length).
        """
        raise Unsupported(f"{type(self).__name__} has no Fourier symbol")

    def pointwise(self, jet: Mapping[str, Tensor], problem: "Problem") -> Tensor:
        """Return the residual from values and derivatives at scattered points, for networks of
        coordinates.
        """
        raise Unsupported(f"{type(self).__name__} has no pointwise form")
