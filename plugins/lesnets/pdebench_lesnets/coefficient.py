"""The Smagorinsky coefficient that leaves a given trajectory the smallest residual."""

from collections.abc import Callable

import torch
from torch import Tensor


def best_coefficient(residual: Callable[[float], Tensor]) -> Tensor:
    """Return C* = -<R_0 . R_1> / <R_1 . R_1> for a residual that is affine, R(C) = R_0 + C R_1.

    Zhao et al., J. Comput. Phys. 537 (2025) 114125, sec. 4, where a descent looks for it.
    ``residual`` maps C to R; it is called at 0 and 1. Its sign is free. NaN where R does not depend
    on C (no strain).
    """
    r0 = residual(0.0)
    r1 = residual(1.0) - r0
    return -(r0 * r1).sum() / torch.where((r1 != 0).any(), (r1 * r1).sum(), torch.nan)
