"""One training run on Lightning: budget, validation, best weights, resumption and divergence."""

import inspect
import logging
import warnings
from typing import TYPE_CHECKING, Any, final

import lightning as L
import torch
from torch import Tensor, nn

from pdebench.domain import Domain
from pdebench.errors import DataError, Diverged
from pdebench.learning.callbacks import BestWeights, BudgetSpent, FitProgress, ResumePoint
from pdebench.learning.loader import Batches, Place
from pdebench.learning.shared import Shared
from pdebench.learning.training import Training
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.session import Session, current
from pdebench.solver import Budget

if TYPE_CHECKING:
    from pdebench.learning.solver import LearnedSolver

_UNLIMITED = 10**9  # Lightning wants a number where we have no limit of that kind
_RESUME = "resume.ckpt"

Batch = tuple[Problem, Tensor | None]


@final
class Fitting(L.LightningModule):
    """The network under training; Lightning calls it, nobody else does."""

    def __init__(self, solver: "LearnedSolver", model: nn.Module, spent: BudgetSpent) -> None:
        super().__init__()
        self.model = model
        self._solver, self._spent = solver, spent
        self._weights: tuple[Domain, Tensor] | None = None

    def _quadrature(self, problem: Problem) -> Tensor:
        """The domain's weights on the device, moved when the domain changes."""
        if self._weights is None or self._weights[0] is not problem.domain:
            reference = next(iter(problem.inputs.values()))
            weights = problem.domain.weights.to(reference.device, reference.dtype)
            self._weights = problem.domain, weights
        return self._weights[1]

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        problem, target = batch
        if device.type == "cpu":
            return batch
        return problem.to(device), None if target is None else target.to(device, non_blocking=True)

    def _loss(self, problem: Problem, target: Tensor | None) -> Tensor:
        return self._solver.loss(self.model, problem, target, self._quadrature(problem))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        problem, target = batch
        if target is not None:
            problem, target = self._solver.form.training_pair(problem, target)
        loss = self._loss(problem, target)
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=len(problem),
            sync_dist=True,
        )
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loss = self._loss(*batch)
        self.log("valid_loss", loss, on_epoch=True, batch_size=len(batch[0]), sync_dist=True)

    def configure_optimizers(self) -> Any:
        training = self._solver.training
        optimizer = training.optimizer(self._solver.groups(self.model))
        if training.schedule is None:
            return optimizer
        accepts = inspect.signature(
            getattr(training.schedule, "func", training.schedule)
        ).parameters
        extra = {"progress": self._spent.progress} if "progress" in accepts else {}
        scheduler = training.schedule(optimizer, **extra)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": training.interval},
        }


def run_fit(
    solver: "LearnedSolver", model: nn.Module, train: Samples, valid: Samples, budget: Budget
) -> list[dict[str, float]]:
    """Train ``model`` in place; return the curve: epoch, step, seconds, train_loss, valid_loss per
    validation.

    Raises Diverged, naming the epoch, when a loss is not finite.
    """
    session, training = current(), solver.training
    spent = BudgetSpent(budget)
    best = BestWeights(model, spent, training.patience)
    callbacks: list[L.Callback] = [spent, best, FitProgress(session, spent)]
    resume = session.folder / _RESUME if session.folder else None
    if resume is not None:
        callbacks.append(ResumePoint(resume))
    shared = Shared(best) if training.devices > 1 else None
    if shared is not None:
        callbacks.append(shared)
    trainer = _trainer(solver, session, budget, callbacks)

    def place() -> Place:
        return Place(trainer.current_epoch, trainer.global_rank, trainer.world_size)

    labelled = "labels" in solver.uses
    in_advance = (
        2 if session.device == "cuda" else 0
    )  # on a CPU the reader would take turns with us
    found = resume is not None and resume.is_file()
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", module="lightning"
        )  # its advice on DataLoader workers does not apply
        warnings.filterwarnings(
            "ignore", message=".*LeafSpec.*"
        )  # torch's own deprecation, seen through lightning
        trainer.fit(
            Fitting(solver, model, spent),
            Batches(train, training.batch_size, session.seed, labelled, place, in_advance),
            Batches(valid, training.batch_size, None, labelled),
            ckpt_path=str(resume) if found else None,
            weights_only=True if found else None,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    if shared is not None:
        shared.recall()
    if best.diverged is not None:
        raise Diverged(best.diverged)
    best.restore()
    if resume is not None:
        resume.unlink(missing_ok=True)
    return best.curve


def _strategy(training: Training) -> str:
    """Several processes are forked here: Lightning's default would start the command line again,
    and wait for a run that this process has claimed.
    """
    if training.devices > 1 and training.strategy in ("auto", "ddp"):
        return "ddp_fork"
    return training.strategy


def _trainer(
    solver: "LearnedSolver", session: Session, budget: Budget, callbacks: list[L.Callback]
) -> L.Trainer:
    training = solver.training
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if session.folder is not None:
        try:
            session.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"cannot make the working folder '{session.folder}': {error}"
            ) from error
    return L.Trainer(
        accelerator="gpu" if session.device == "cuda" else "cpu",
        devices=training.devices,
        strategy=_strategy(training),
        precision=training.precision,  # type: ignore[arg-type]  # Lightning checks the name
        max_epochs=budget.epochs or _UNLIMITED,
        max_steps=budget.steps or -1,
        gradient_clip_val=training.gradient_clip,
        accumulate_grad_batches=training.accumulate,
        # at least once, however few the epochs
        check_val_every_n_epoch=min(
            training.validate_every, budget.epochs or training.validate_every
        ),
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=session.logger(session.folder) if session.logger else False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10,
    )
