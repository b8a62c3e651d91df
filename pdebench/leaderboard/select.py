"""Rows named on the command line: by the beginning of a run id or by a solver's name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from pdebench.errors import ConfigError
from pdebench.harness.record import Record
from pdebench.leaderboard.identity import key_of, setting_of
from pdebench.plugins import nearest
from pdebench.statistics.scores import Array

_ID = re.compile(r"[0-9a-f]{4,64}")


@final
@dataclass(frozen=True)
class Side:
    """The records of one row, one per seed, in order of seeds."""

    named: str
    records: tuple[Record, ...]

    @property
    def label(self) -> str:
        """Solver, its own overrides and task."""
        one = self.records[0]
        own = " ".join([one.solver["name"], *_own(one)])
        return f"{own} on {one.task['name']} {one.task['track']}"

    def scores(self, metric: str, split: str) -> Array | None:
        """Return the scores (seeds, samples), or None where a record has none."""
        rows = [r.scores.get(split, {}).get(metric, {}).get("values") for r in self.records]
        if any(row is None for row in rows) or len({len(row) for row in rows if row}) != 1:
            return None
        return np.array(rows, float)

    def seconds(self, phase: str) -> list[float]:
        """Return the seconds of a phase, one per record that has it."""
        found = [r.costs.get(phase, {}).get("seconds") for r in self.records]
        return [float(s) for s in found if s is not None]


def select(named: str, records: Sequence[Record]) -> Side:
    """Return the row that ``named`` stands for.

    Hexadecimal digits of a run id (four or more) name one record, anything else a solver, with all
    its seeds. Raises ConfigError where nothing fits, or records of several tasks, tracks, devices
    or settings do, listing them.
    """
    done = [r for r in records if r.status == "ok"]
    if _ID.fullmatch(named):
        found = [r for r in records if r.id.startswith(named)]
        if len(found) > 1:
            ids = ", ".join(r.id[:12] for r in found)
            raise ConfigError(f"'{named}' begins {len(found)} run ids: {ids}; give more digits")
        if found:
            if found[0].status != "ok":
                raise ConfigError(
                    f"run {named} has no scores: {found[0].status}, {found[0].reason}"
                )
            return Side(named, tuple(found))
    rows: dict[tuple[Any, ...], dict[int, Record]] = {}
    for record in sorted(done, key=lambda r: r.created):  # the newest of a seed stands
        if record.solver["name"] == named:
            row = (key_of(record), *setting_of(record))
            rows.setdefault(row, {})[record.seed] = record
    if not rows:
        known = sorted({r.solver["name"] for r in done})
        raise ConfigError(
            f"'{named}' is neither a solver with records nor the beginning of a run id"
            f"{nearest(named, known)} The store has {', '.join(known) or 'no finished runs'}"
        )
    if len(rows) > 1:
        listed = "; ".join(_told(list(seeds.values())) for seeds in rows.values())
        raise ConfigError(
            f"'{named}' has {len(rows)} rows ({listed}); name one by its run id, or narrow them "
            "with --task and --track"
        )
    ((_, chosen),) = rows.items()
    return Side(named, tuple(chosen[seed] for seed in sorted(chosen)))


def _told(records: Sequence[Record]) -> str:
    """Return task, track, device and the solver's own overrides of a row, and a run id of it."""
    one = records[0]
    where = " ".join([str(one.task["name"]), str(one.task["track"]), one.device, *_own(one)])
    return f"{where}: {one.id[:12]}"


def _own(record: Record) -> list[str]:
    """Return the overrides of the solver alone, without those of task, seed and machine."""
    overrides = map(str, record.solver.get("overrides", []))
    return [o for o in overrides if o.startswith("solver.")]
