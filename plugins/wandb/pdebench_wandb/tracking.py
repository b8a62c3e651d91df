"""One W&B run per benchmark run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import wandb

from pdebench.errors import ConfigError
from pdebench.paths import default_store

if TYPE_CHECKING:
    from pdebench.harness.record import Record

_MODES = ("offline", "online", "disabled")


@final
@dataclass(frozen=True)
class Tracking:
    """Where runs are tracked; called with a fit's folder it returns the Lightning logger.

    Attributes:
        project: W&B project.
        entity: user or team; None for your default.
        mode: "offline" keeps everything here, "online" sends it, "disabled" does nothing.
        folder: where W&B keeps its files; None for ``wandb`` below the store.
        tags: of the run.
    """

    project: str = "pdebench"
    entity: str | None = None
    mode: Literal["offline", "online", "disabled"] = "offline"
    folder: str | None = None
    tags: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ConfigError(f"logger.mode={self.mode!r}, expected one of {', '.join(_MODES)}")

    def __call__(self, folder: Path | None) -> Any:
        """Return a Lightning logger that writes into the open W&B run."""
        from lightning.pytorch.loggers import WandbLogger

        return WandbLogger(experiment=wandb.run) if wandb.run is not None else False


def begin(config: dict[str, Any], run_id: str) -> None:
    """Open the W&B run of a benchmark run; an open one of an interrupted run is closed first."""
    settings = {key: value for key, value in config["logger"].items() if key != "_target_"}
    tracking = Tracking(**settings)
    store = Path(config["store"]).expanduser() if config.get("store") else default_store()
    folder = Path(tracking.folder).expanduser() if tracking.folder else store / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        mode=tracking.mode,
        dir=str(folder),
        id=run_id[:16],
        resume="allow" if tracking.mode == "online" else None,
        tags=list(tracking.tags),
        config=config,
        reinit="finish_previous",
        settings=wandb.Settings(silent=True, console="off"),
    )


def end(record: "Record") -> None:
    """Write status, mean scores, costs and parameters into the summary and close the W&B run."""
    if wandb.run is None:
        return
    wandb.run.summary.update(summary(record))
    wandb.finish(exit_code=0 if record.status in ("ok", "unsupported") else 1)


def summary(record: "Record") -> dict[str, Any]:
    """Return the record's figures under flat names: ``test/relative_l2``, ``solve/seconds``, ..."""
    figures: dict[str, Any] = {"status": record.status, "parameters": record.parameters}
    if record.reason:
        figures["reason"] = record.reason
    for split, scores in record.scores.items():
        for metric in scores:
            mean = record.mean(metric, split)
            if mean is not None:
                figures[f"{split}/{metric}"] = mean
    for phase, cost in record.costs.items():
        figures[f"{phase}/seconds"] = cost["seconds"]
    return figures
