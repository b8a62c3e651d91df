"""What a time-stepping scheme offers: a flow form and steps of one size."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench_spectral.flow import Conservative, Flow

Step = Callable[[Tensor], Tensor]


class Scheme(ABC):
    """A one-step method for w_t = L w + N(w) with diagonal L."""

    def flow(self, equation: Vorticity, grid: Grid, viscosity: Tensor, dtype: torch.dtype) -> Flow:
        """Return the form of the advection this scheme uses; conservative by default."""
        return Conservative(equation, grid, viscosity, dtype)

    @abstractmethod
    def stepper(self, flow: Flow, step: float) -> Step:
        """Return the map from one spectrum (B, X, M) to the next, ``step`` seconds later; builds its tables once."""
