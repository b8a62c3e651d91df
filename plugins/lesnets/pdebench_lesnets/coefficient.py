"""The Smagorinsky coefficient from the residual of labelled trajectories."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError


def best_coefficient(residual: Callable[[float], Tensor]) -> Tensor:
    """Return C* = -<R_0 . R_1> / <R_1 . R_1> for a residual that is affine, R(C) = R_0 + C R_1.

    Zhao et al., J. Comput. Phys. 537 (2025) 114125, sec. 4, where a descent looks for it.
    ``residual`` maps C to R; it is called at 0 and 1. Its sign is free. NaN where R does not depend
    on C (no strain).
    """
    return parabola(residual).lowest


@final
@dataclass(frozen=True)
class Parabola:
    """<R(C)^2> = constant + slope C + bend C^2 of a residual that is affine in C."""

    constant: Tensor
    slope: Tensor
    bend: Tensor

    def __call__(self, c: Tensor) -> Tensor:
        return self.constant + self.slope * c + self.bend * c**2

    @property
    def lowest(self) -> Tensor:
        """Where it is smallest; NaN where it is constant."""
        bend = torch.where(self.bend > 0, self.bend, torch.nan)
        return -self.slope / (2 * bend)


def parabola(residual: Callable[[float], Tensor], weights: Tensor | None = None) -> Parabola:
    """Return sum w R(C)^2 as a function of C; ``weights`` broadcast against R, None for the mean.

    The sums are formed in float64. ``residual`` is called at 0 and 1.
    """
    r0 = residual(0.0).double()
    r1 = residual(1.0).double() - r0
    w = torch.ones((), dtype=r0.dtype) / r0.numel() if weights is None else weights
    return Parabola((w * r0 * r0).sum(), 2 * (w * r0 * r1).sum(), (w * r1 * r1).sum())


class Coefficient(ABC):
    """How C is found from labelled trajectories instead of being given."""

    trajectories: int

    @abstractmethod
    def carrier(self) -> Tensor:
        """Return a new C: an ``nn.Parameter`` where it is trained along, a tensor elsewhere."""

    @abstractmethod
    def set_up(self, c: Tensor, misfit: Parabola) -> None:
        """Set C before the training, ``misfit`` the residual of the labelled trajectories."""

    @abstractmethod
    def penalty(self, c: Tensor, misfit: Parabola) -> Tensor | None:
        """Return what the loss of a training step gains; None for nothing."""

    @abstractmethod
    def groups(self, c: Tensor) -> list[dict[str, object]]:
        """Return the optimiser's parameter groups of C."""

    def _check(self) -> None:
        if self.trajectories < 1:
            raise ConfigError(
                f"solver.coefficient.trajectories={self.trajectories}, expected at least 1"
            )


@final
@dataclass(frozen=True)
class ClosedForm(Coefficient):
    """C of least residual over labelled trajectories, `best_coefficient`, before the training.

    Attributes:
        trajectories: the first ones of the training split.
    """

    trajectories: int = 1

    def __post_init__(self) -> None:
        self._check()

    def carrier(self) -> Tensor:
        return torch.zeros(())

    def set_up(self, c: Tensor, misfit: Parabola) -> None:
        c.copy_(misfit.lowest)

    def penalty(self, c: Tensor, misfit: Parabola) -> Tensor | None:
        return None

    def groups(self, c: Tensor) -> list[dict[str, object]]:
        return []


@final
@dataclass(frozen=True)
class Descent(Coefficient):
    """C trained along with the network: loss + weight <R(labelled trajectories; C)^2>.

    Zhao et al. 2025, sec. 4, with a rate of its own for C. The second term is the residual of the
    labelled frames, no misfit of the prediction; a parabola in C, formed once.

    Attributes:
        rate: learning rate of C; 1e-6 to 1e-3 published.
        weight: 0.5 to 100 published.
        start: C before the training.
        trajectories: the first ones of the training split.
    """

    rate: float = 1e-4
    weight: float = 50.0
    start: float = 1e-8
    trajectories: int = 1

    def __post_init__(self) -> None:
        self._check()
        if not self.rate > 0 or not self.weight > 0:
            raise ConfigError(
                f"solver.coefficient.rate={self.rate}, weight={self.weight}, expected positive "
                "numbers"
            )

    def carrier(self) -> Tensor:
        return nn.Parameter(torch.tensor(float(self.start)))

    def set_up(self, c: Tensor, misfit: Parabola) -> None:
        """C starts where the constructor put it."""

    def penalty(self, c: Tensor, misfit: Parabola) -> Tensor | None:
        return (self.weight * misfit(c)).to(c.dtype)

    def groups(self, c: Tensor) -> list[dict[str, object]]:
        return [{"params": [c], "lr": self.rate}]


@final
class Closed(nn.Module):
    """A network with the coefficient that closes its equation, saved and loaded together."""

    def __init__(self, network: nn.Module, coefficient: Tensor) -> None:
        super().__init__()
        self.network = network
        if isinstance(coefficient, nn.Parameter):
            self.coefficient: Tensor = coefficient
        else:
            self.register_buffer("coefficient", coefficient)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)
