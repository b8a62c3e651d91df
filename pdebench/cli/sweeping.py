"""One job of ``pdebench run``, told to the journal of its sweep; picklable, for any launcher."""

import math
import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from omegaconf import DictConfig

from pdebench.errors import ConfigError, PdebenchError
from pdebench.harness.journal import Journal
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, Run, execute, resolve
from pdebench.harness.store import Store

TRIALS = "trials"  # folder in a store: records of tuning, scored on valid; boards do not read it
_NOT_SAID = ("store=", "data=", "hydra", "sweep=")


@final
@dataclass
class Job:
    """Runs composed configurations.

    Attributes:
        total: runs of the command.
        journal: where they are told; None for a single run.
        tuning: whether a tuner asks: scores are of the validation split, records go aside.
        bars: whether fits may draw progress bars.
    """

    total: int = 1
    journal: Journal | None = None
    tuning: bool = False
    bars: bool = False
    done: int = 0
    refused: int = 0
    process: int = field(default_factory=os.getpid)
    _computed_seconds: float = 0.0

    def __call__(
        self, settings: DictConfig, chosen: Any, overrides: tuple[str, ...]
    ) -> float | None:
        """Run one configuration; return what a tuner minimises, None where nobody tunes."""
        choices = Choices(
            str(chosen["solver"]), str(chosen["task"]), str(chosen["track"]), overrides
        )
        label = " ".join(o for o in overrides if not o.startswith(_NOT_SAID)) or "defaults"
        began = time.perf_counter()
        self._tell("running", run=label)
        try:
            run = resolve(settings, choices)
            run = _trial(run) if self.tuning else run
            record, recalled = execute(run, progress=self.bars)
        except PdebenchError as error:
            self.refused += 1
            self.done += 1
            sys.stderr.write(f"pdebench run: {error}\n")
            self._tell("done", run=label, status="refused", reason=str(error))
            return math.inf if self.tuning else None
        self.done += 1
        seconds = time.perf_counter() - began
        self._computed_seconds += 0.0 if recalled else seconds
        self._tell(
            "done",
            run=label,
            status=record.status,
            reason=record.reason,
            recalled=recalled,
            seconds=seconds,
            record=record.id,
        )
        sys.stdout.write(self._line(record, recalled) + "\n")
        sys.stdout.flush()
        return objective(record) if self.tuning else None

    def _tell(self, event: str, **facts: Any) -> None:
        if self.journal is not None:
            self.journal.append(event, **facts)

    @property
    def _serial(self) -> bool:
        return self.process == os.getpid()

    def _line(self, record: Record, recalled: bool) -> str:
        place = f"[{self.done}/{self.total}] " if self.total > 1 and self._serial else ""
        ended = record.status == "ok"
        outcome = _headline(record) if ended else f"{record.status}: {record.reason}"
        origin = "recalled" if recalled else "computed"
        return (
            f"{place}{record.task['name']} {record.task.get('track', '')} {record.solver['name']} "
            f"seed={record.seed} {outcome} ({origin} {record.id[:12]}){self._remaining()}"
        )

    def _remaining(self) -> str:
        left = self.total - self.done
        if left <= 0 or not self._computed_seconds or not self._serial:
            return ""
        return f", about {math.ceil(left * self._computed_seconds / self.done)} s to go"


def objective(record: Record) -> float:
    """Return the validation headline, smaller is better; infinity where there is none."""
    name = str(record.task["headline"])
    value = record.mean(name, "valid") if record.status == "ok" else None
    better = record.task["metrics"][name]["better"]
    if value is None or not math.isfinite(value):
        return math.inf
    return {"lower": value, "higher": -value, "zero": abs(value)}[better]


def _trial(run: Run) -> Run:
    """Return the run as a trial: it may score nothing but ``valid``, and it is stored aside."""
    scored = run.config["task"].get("evaluate")
    if scored != ["valid"]:
        raise ConfigError(
            f"task.evaluate={scored} while tuning, expected [valid]: choosing on the split that "
            "is reported makes the report worthless; drop the override"
        )
    return replace(run, store=Store(run.store.root / TRIALS))


def _headline(record: Record) -> str:
    name = record.task["headline"]
    split = record.task["evaluate"][0]
    value = record.mean(name, split)
    error = "not applicable" if value is None else f"{value:.4g}"
    solve = record.costs.get("solve", {})
    online = f" solve={solve['seconds'] / solve['batch']:.2e} s/sample" if solve else ""
    return f"{name}={error}{online} fit={record.costs['fit']['seconds']:.3g} s"


def store_folder(overrides: list[str]) -> Path:
    """Return where the command's records go, before anything is composed."""
    from pdebench.paths import default_store

    named = [o.partition("=")[2] for o in overrides if o.startswith("store=")]
    return Path(named[-1].strip("'\"")).expanduser() if named else default_store()
