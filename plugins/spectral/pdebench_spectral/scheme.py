"""What a time-stepping scheme offers: a form of the advection, and steps of given sizes."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing
from pdebench_spectral.flow import Conservative, Flow

Step = Callable[[Tensor], Tensor]


class Scheme(ABC):
    """A one-step method for w_t = L w + N(w) with diagonal L."""

    def flow(self, forcing: Forcing, grid: Grid, device: torch.device, dtype: torch.dtype) -> Flow:
        """Return the form of the advection that this scheme uses; conservative by default."""
        return Conservative(forcing, grid, device, dtype)

    @abstractmethod
    def stepper(self, flow: Flow, linear: Tensor, size: Tensor) -> Step:
        """Return the map from spectra (n, X, M) to those one step later; builds its tables once.

        linear: L (b, X, M), float64.  size: step (b, 1, 1), s, float64; b is 1 or the batch.
        The map may be given the first n instances alone: its tables are cut to what comes.
        """
