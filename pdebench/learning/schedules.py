"""Learning-rate schedules that follow the budget, whether it is counted in epochs, steps or
seconds.
"""

import math
from collections.abc import Callable
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@final
class WarmupCosine(LambdaLR):
    """Linear warm-up, then a half cosine to zero over the fraction p in [0, 1] of the budget
    already spent.

        rate(p) = base * min(p / warmup, 1)                                  p < warmup
        rate(p) = base * (1 + cos(pi (p - warmup) / (1 - warmup))) / 2       else

    Args:
        optimizer: whose rate is scheduled.
        progress: returns p; the trainer passes it.
        warmup: fraction of the budget, in [0, 1).
        floor: smallest fraction of the base rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        progress: Callable[[], float],
        warmup: float = 0.05,
        floor: float = 0.0,
    ) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"training.schedule.warmup={warmup}, expected a fraction in [0, 1)")

        def factor(_: int) -> float:
            done = min(progress(), 1.0)
            if done < warmup:
                return max(done / warmup, 0.01)
            cosine = (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2
            return floor + (1 - floor) * cosine

        super().__init__(optimizer, factor)
