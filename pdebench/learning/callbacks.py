"""What watches a fit: the budget, the best validation, the progress bar and the resume point."""

import math
import os
import time
from pathlib import Path
from typing import Any, final

import lightning as L
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from pdebench.session import Session
from pdebench.solver import Budget

_RESUME_EVERY = (
    10.0  # s of training between resume points: what a kill can cost, against 10 ms a write
)


@final
class BudgetSpent(L.Callback):
    """Stops the fit when its seconds are spent and tells schedules how much of the budget is
    gone.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._before, self._started = 0.0, time.perf_counter()
        self._steps, self._per_epoch = 0, 1

    @property
    def seconds(self) -> float:
        """Seconds of fitting so far, those before a resumption included."""
        return self._before + time.perf_counter() - self._started

    def progress(self) -> float:
        """Fraction of the budget spent: the largest over its limits."""
        budget = self._budget
        spent = (
            (self._steps / self._per_epoch, budget.epochs),
            (self._steps, budget.steps),
            (self.seconds, budget.seconds),
        )
        return max((value / limit for value, limit in spent if limit), default=0.0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()
        self._per_epoch = max(
            1, math.ceil(int(trainer.num_training_batches) / trainer.accumulate_grad_batches)
        )
        self._steps = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._steps = trainer.global_step
        if self._budget.seconds is not None:  # every process stops where one is out of time
            spent = self.seconds >= self._budget.seconds
            if trainer.strategy.reduce_boolean_decision(spent, all=False):
                trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = float(state_dict["seconds"])


@final
class BestWeights(L.Callback):
    """Keeps the weights with the lowest validation loss, the training curve, and the epoch of a
    divergence.
    """

    def __init__(self, model: nn.Module, spent: BudgetSpent, patience: int | None) -> None:
        self._model, self._spent, self._patience = model, spent, patience
        self._best, self._since = math.inf, 0
        self._state: dict[str, Tensor] = {}
        self.curve: list[dict[str, float]] = []
        self.diverged: str | None = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        losses = {
            name: float(trainer.callback_metrics[name])
            for name in ("train_loss", "valid_loss")
            if name in trainer.callback_metrics
        }
        for name, value in losses.items():
            if not math.isfinite(value) and self.diverged is None:
                epoch, step = trainer.current_epoch + 1, trainer.global_step
                self.diverged = f"{name} is {value} in epoch {epoch}, step {step}"
                trainer.should_stop = True
        validated = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        if not validated or "valid_loss" not in losses:
            return
        place = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": self._spent.seconds,
        }
        self.curve.append(place | losses)
        self._since += 1
        if losses["valid_loss"] < self._best:
            self._best, self._since = losses["valid_loss"], 0
            self._state = {
                k: v.detach().to("cpu", copy=True) for k, v in self._model.state_dict().items()
            }
        if self._patience is not None and self._since >= self._patience:
            trainer.should_stop = True

    def restore(self) -> None:
        """Put the best weights back into the model (the last ones where nothing was validated)."""
        if self._state:
            self._model.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "since": self._since, "state": self._state, "curve": self.curve}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best, self._since = state_dict["best"], state_dict["since"]
        self._state, self.curve = state_dict["state"], state_dict["curve"]


@final
class ResumePoint(L.Callback):
    """Writes, at most every few seconds, the state a killed fit goes on from; written aside and
    renamed.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        due = time.perf_counter() - self._last >= _RESUME_EVERY
        if not trainer.strategy.broadcast(due):  # all processes take part in a checkpoint, or none
            return
        partial = self._path.with_suffix(".part")
        trainer.save_checkpoint(partial, weights_only=False)  # the whole state
        if trainer.is_global_zero:
            os.replace(partial, self._path)
        self._last = time.perf_counter()


@final
class FitProgress(L.Callback):
    """A rich progress bar over the budget with the losses and the remaining time."""

    def __init__(self, session: Session, spent: BudgetSpent) -> None:
        self._spent = spent
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[losses]}"),
            TimeRemainingColumn(),
            disable=not session.progress,
            transient=True,
        )
        self._task = self._bar.add_task(session.label, total=1.0, losses="")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._bar.start()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = trainer.callback_metrics
        losses = " ".join(
            f"{name}={float(metrics[name]):.2e}"
            for name in ("train_loss", "valid_loss")
            if name in metrics
        )
        self._bar.update(self._task, completed=min(self._spent.progress(), 1.0), losses=losses)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._bar.stop()
