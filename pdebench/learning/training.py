"""How a network is trained: optimiser, schedule, batch size and what Lightning is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, final

from torch.optim import Adam, Optimizer

from pdebench.errors import ConfigError
from pdebench.learning.losses import Loss, RelativeL2
from pdebench.learning.scaling import NoScaling, Scaling


@final
@dataclass(frozen=True)
class Training:
    """Settings of one training; what it may spend is the task's budget.

    Attributes:
        optimizer: takes parameters, returns a ``torch.optim.Optimizer`` (any ``_target_`` with
            ``_partial_: true``).
        schedule: takes the optimiser (and, if it has such an argument, ``progress``, a callable
            that returns the fraction of the budget spent), returns a scheduler; None for a constant
            rate.
        interval: when the schedule steps, "epoch" or "step".
        loss: prediction, target, quadrature weights -> scalar.
        scaling: of inputs and outputs, fitted on the training split.
        batch_size: samples per update (per process).
        gradient_clip: largest gradient norm; None for none.
        precision: Lightning's name, such as "32-true", "bf16-mixed", "64-true".
        accumulate: batches per update.
        patience: validations without improvement before stopping; None to spend the whole budget.
        validate_every: epochs between validations.
        devices: number of devices (processes) that share the batches; an update then sees
            ``devices * batch_size`` samples.
        strategy: Lightning's strategy; "auto" and "ddp" fork the processes from the run's own.
    """

    optimizer: Callable[..., Optimizer] = Adam
    schedule: Callable[..., Any] | None = None
    interval: Literal["epoch", "step"] = "epoch"
    loss: Loss = field(default_factory=RelativeL2)
    scaling: Scaling = field(default_factory=NoScaling)
    batch_size: int = 20
    gradient_clip: float | None = None
    precision: str = "32-true"
    accumulate: int = 1
    patience: int | None = None
    validate_every: int = 1
    devices: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "validate_every", "devices"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"solver.training.{name}={getattr(self, name)}, expected a positive integer"
                )
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ConfigError(
                f"solver.training.gradient_clip={self.gradient_clip}, expected a positive norm or "
                "null"
            )
        if self.interval not in ("epoch", "step"):
            raise ConfigError(
                f"solver.training.interval={self.interval!r}, expected 'epoch' or 'step'"
            )
