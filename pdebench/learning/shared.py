"""What the first of several training processes found, brought back to the process that asked."""

import tempfile
from pathlib import Path
from typing import final

import lightning as L
import torch

from pdebench.learning.callbacks import BestWeights


@final
class Shared(L.Callback):
    """Forked processes train copies: the first one writes its curve and best weights to a file
    that ``recall`` reads in the parent.
    """

    def __init__(self, best: BestWeights) -> None:
        self._best = best
        self._folder = tempfile.TemporaryDirectory(prefix="pdebench_fit_")
        self._file = Path(self._folder.name) / "outcome.pt"

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            outcome = self._best.state_dict() | {"diverged": self._best.diverged}
            torch.save(outcome, self._file)

    def recall(self) -> None:
        """Give the parent's `BestWeights` what the first process found."""
        if self._file.is_file():
            outcome = torch.load(self._file, weights_only=True)
            self._best.diverged = outcome.pop("diverged")
            self._best.load_state_dict(outcome)
        self._folder.cleanup()
