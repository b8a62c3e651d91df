"""The equation of a problem: named fields with units, a differentiable residual, and optional
further views.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from torch import Tensor

from pdebench.errors import Unsupported

if TYPE_CHECKING:
    from pdebench.problem import Problem


@final
@dataclass(frozen=True)
class LinearSystem:
    """A x = b on one discretisation: ``matvec`` maps (B, N) to (B, N), ``rhs`` (B, N), ``matrices``
    CSR per instance.

    ``matrices`` is a sequence of ``scipy.sparse.csr_array`` (one, shared by all instances, or one
    per instance); ``symmetric_positive`` is what the discretisation guarantees, ``null_space`` (K,
    N) spans the kernel or is None. ``near_null_space`` (B, K, N) holds vectors of small energy,
    rigid motions of an elastic body, for multigrid to keep.
    """

    matvec: Callable[[Tensor], Tensor]
    rhs: Tensor
    matrices: Sequence[Any]
    symmetric_positive: bool
    null_space: Tensor | None = None
    near_null_space: Tensor | None = None


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
