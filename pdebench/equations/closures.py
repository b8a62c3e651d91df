"""Closures of the filtered Navier-Stokes equations: the subgrid stress as a function of the flow.

Stresses are packed symmetric tensors (..., P, *S), see `tensors`. Velocities (..., d, *S).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.equations import tensors
from pdebench.equations.eddy_viscosity import Rows, sized_strain_divergence, wale_rate
from pdebench.equations.filters import FilterKind, response
from pdebench.errors import ConfigError, Unsupported
from pdebench.spectral import Modes


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not value > 0:
            raise ConfigError(f"closure.{name}={value}, expected a positive number")


class Closure(ABC):
    """A model of tau_ij = (u_i u_j)~ - u~_i u~_j, up to its trace where the model has none."""

    @abstractmethod
    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        """Return tau of the resolved flow, given with its spectrum; None stands for zero."""

    def divergence(self, gradient: Tensor, bend: Tensor) -> Tensor:
        """Return d_j tau_ij (..., d), length/s^2, at scattered points, for networks of coordinates.

        gradient: d_j u_i (..., d, d), 1/s; bend: d_j d_k u_i (..., d, d, d), 1/(length s).
        Raises Unsupported where the model is no function of them.
        """
        raise Unsupported(f"closure {type(self).__name__} has no pointwise form")


@final
@dataclass(frozen=True)
class NoClosure(Closure):
    """tau = 0."""

    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        return None

    def divergence(self, gradient: Tensor, bend: Tensor) -> Tensor:
        return torch.zeros_like(gradient[..., 0])


@final
@dataclass(frozen=True)
class Smagorinsky(Closure):
    """tau_ij = -2 C Delta^2 |S| S_ij, |S| = (2 S_ij S_ij)^{1/2}.

    Smagorinsky, Mon. Weather Rev. 91 (1963). ``coefficient`` is C = C_s^2, a number or a tensor
    that broadcasts against S; a number may not be negative, learned tensors may have either sign.

    Attributes:
        width: Delta, length.
        coefficient: C, the square of the Smagorinsky constant.
    """

    width: float
    coefficient: float | Tensor = 0.01

    def __post_init__(self) -> None:
        _check(width=self.width)
        if not isinstance(self.coefficient, Tensor) and not self.coefficient >= 0:
            raise ConfigError(
                f"closure.coefficient={self.coefficient}: a negative eddy viscosity feeds energy "
                "at the smallest scales; expected 0 or more"
            )

    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        s = tensors.strain(u_hat, modes)
        if isinstance(self.coefficient, Tensor):
            return (-2 * self.width**2 * self.coefficient) * tensors.sized(s, modes)
        return tensors.sized(s, modes, -2 * self.width**2 * self.coefficient)

    def divergence(self, gradient: Tensor, bend: Tensor) -> Tensor:
        """-2 C Delta^2 ( |S| d_j S_ij + S_ij d_j |S| ),  d_k |S| = 2 S_ab d_k S_ab / |S|."""
        if isinstance(self.coefficient, Tensor) and self.coefficient.numel() > 1:
            raise Unsupported("closure Smagorinsky has a pointwise form with one coefficient only")
        return -2 * self.width**2 * self.coefficient * sized_strain_divergence(gradient, bend)


@final
@dataclass(frozen=True)
class DynamicSmagorinsky(Closure):
    """Smagorinsky's stress with C from the flow itself, one number per frame.

        L_ij = (u_i u_j)^ - u_i^ u_j^,   M_ij = 2 Delta^2 ( (|S| S_ij)^ - r^2 |S^| S_ij^ )
        C = <L^d_ij M_ij> / <M_ij M_ij>,   ^ the test filter of width r Delta, < > over the box

    Germano et al., Phys. Fluids A 3 (1991); Lilly, Phys. Fluids A 4 (1992), eq. 11.

    Attributes:
        width: Delta, length.
        test_filter: kind of ^.
        ratio: r.
        clip: replace a negative C by zero, so that energy only leaves.
    """

    width: float
    test_filter: FilterKind = "sharp"
    ratio: float = 2.0
    clip: bool = True

    def __post_init__(self) -> None:
        _check(width=self.width)
        if self.ratio <= 1:
            raise ConfigError(f"closure.ratio={self.ratio}, expected a number above 1")

    def coefficient(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor:
        """Return C of every frame, (...), unclipped."""
        return self._model(u, u_hat, modes)[0]

    def _model(self, u: Tensor, u_hat: Tensor, modes: Modes) -> tuple[Tensor, Tensor]:
        """Return C (...) and |S| S, packed."""
        g = response(self.test_filter, self.ratio * self.width, modes).to(u)
        s = tensors.strain(u_hat, modes)
        sized = tensors.sized(s, modes)
        u_test = modes.inverse(u_hat * g)
        s_test = tensors.strain(u_hat * g, modes)
        leonard = modes.inverse(modes.forward(tensors.products(u, modes)) * g)
        leonard = leonard - tensors.products(u_test, modes)
        m = modes.inverse(modes.forward(sized) * g) - self.ratio**2 * tensors.sized(s_test, modes)
        m = 2 * self.width**2 * m  # traceless, so the trace of L does not matter
        space = modes.dims
        over = tensors.contracted(m, m, modes).mean(space)
        along = tensors.contracted(leonard, m, modes).mean(space)
        return along / torch.where(over > 0, over, 1.0), sized

    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        c, sized = self._model(u, u_hat, modes)
        c = c.clamp_min(0) if self.clip else c
        return -2 * self.width**2 * c.view(*c.shape, *(1,) * (len(modes.shape) + 1)) * sized


@final
@dataclass(frozen=True)
class Wale(Closure):
    """Wall-adapting local eddy viscosity: tau_ij = -2 nu_t S_ij, zero in pure shear.

        nu_t = (C_w Delta)^2 (D:D)^{3/2} / ( (S:S)^{5/2} + (D:D)^{5/4} ),
        D = sym(g g) - tr(g g) I / 3,   g_ij = d_j u_i

    Nicoud and Ducros, Flow Turbul. Combust. 62 (1999), eq. 13.

    Attributes:
        width: Delta, length.
        constant: C_w.
    """

    width: float
    constant: float = 0.5

    def __post_init__(self) -> None:
        _check(width=self.width, constant=self.constant)

    def _model(self, u_hat: Tensor, modes: Modes) -> tuple[Tensor, Rows]:
        """Return nu_t (..., *S) and the velocity gradient."""
        dim = len(modes.shape)
        g = tensors.gradient(u_hat, modes)
        rows = [row.unbind(-dim - 1) for row in g.unbind(-dim - 2)]
        viscosity = (self.constant * self.width) ** 2 * wale_rate(rows)
        return viscosity, rows

    def eddy_viscosity(self, u_hat: Tensor, modes: Modes) -> Tensor:
        """Return nu_t (..., *S) of a spectrum (..., d, *S_half)."""
        return self._model(u_hat, modes)[0]

    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        viscosity, rows = self._model(u_hat, modes)
        once, twice = viscosity.neg(), viscosity.mul(-2)
        entries = [
            twice * rows[i][i] if i == j else once * (rows[i][j] + rows[j][i])
            for i, j in tensors.pairs(len(rows))
        ]
        return tensors.packed(entries, modes)


@final
@dataclass(frozen=True)
class GradientModel(Closure):
    """tau_ij = Delta^2 / 12  (d_k u_i) (d_k u_j): the first term of the stress in Delta.

    Clark, Ferziger and Reynolds, J. Fluid Mech. 91 (1979). It may return energy to the resolved
    scales; alone it is not stable for long.

    Attributes:
        width: Delta, length.
    """

    width: float

    def __post_init__(self) -> None:
        _check(width=self.width)

    def stress(self, u: Tensor, u_hat: Tensor, modes: Modes) -> Tensor | None:
        dim = len(modes.shape)
        rows = tensors.gradient(u_hat, modes).unbind(-dim - 2)  # (..., d, *S) each: d_k u_i
        entries = [(rows[i] * rows[j]).sum(-dim - 1) for i, j in tensors.pairs(dim)]
        return self.width**2 / 12 * tensors.packed(entries, modes)
