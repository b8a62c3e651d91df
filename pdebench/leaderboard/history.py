"""The history of a row: the same solver in the same setting with other versions of plugin, task,
data or code.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from pdebench.harness.record import Record
from pdebench.leaderboard.board import Key, Row, Table


@final
@dataclass(frozen=True)
class Entry:
    """One line of a history.

    Attributes:
        created: when the newest of its records was made.
        version: of the plugin.
        task_version: of the task.
        dataset: first digits of the digest of the data.
        status: as of the row, or of the record where it was replaced.
        mean: headline metric, with ``low`` and ``high`` where it still is a row.
        seconds: online, per sample.
        table: slug of the table where it stands; None where other code has replaced it.
        row: id of the row there.
        replaced: by a record of the same version, setting and seed, made later by other code.
    """

    created: str
    version: str
    task_version: str
    dataset: str
    status: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    table: str | None = None
    row: str | None = None
    replaced: bool = False


def with_history(
    tables: Sequence[Table], replaced: Mapping[tuple[str, str], Sequence[Record]]
) -> list[Table]:
    """Return the tables, rows that have a past with it, oldest entry first.

    Entries share task, track, device, model of the device, headline, solver and overrides; the
    versions differ. Scores on other data or of another task version are shown and not compared.

    Args:
        tables: with their rows.
        replaced: records that newer ones of the same seed replace, by (slug, row id).
    """
    found: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for table in tables:
        for row in table.rows:
            entries = found[_line(table, row)]
            entries.append(_entry(table, row))
            entries += [_past(table, r) for r in replaced.get((table.slug, row.id), ())]
    return [
        replace(table, rows=tuple(_given(row, found[_line(table, row)]) for row in table.rows))
        for table in tables
    ]


def _line(table: Table, row: Row) -> tuple[Any, ...]:
    key: Key = table.key
    place = (key.task, key.track, key.device, key.hardware, key.headline)
    return (*place, row.solver, row.plugin, row.overrides)


def _given(row: Row, entries: Sequence[Entry]) -> Row:
    if len(entries) < 2:
        return row
    dated = sorted(entries, key=lambda e: (e.created, e.version, e.row or "", e.mean or 0.0))
    lines = tuple({k: v for k, v in asdict(e).items() if v is not None} for e in dated)
    return replace(row, history=lines)


def _entry(table: Table, row: Row) -> Entry:
    score = row.scores.get(table.splits[0], {}).get(table.headline)
    cost = row.costs.get("solve")
    return Entry(
        created=max(run.created for run in row.runs),
        version=row.version,
        task_version=table.key.version,
        dataset=table.key.dataset[:12],
        status=row.status,
        mean=score.mean if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
        seconds=cost.seconds if cost else None,
        table=table.slug,
        row=row.id,
    )


def _past(table: Table, record: Record) -> Entry:
    values = record.scores.get(table.splits[0], {}).get(table.headline, {}).get("values")
    cost = record.costs.get("solve", {})
    seconds = cost.get("seconds")
    return Entry(
        created=record.created,
        version=str(record.solver.get("version") or ""),
        task_version=table.key.version,
        dataset=table.key.dataset[:12],
        status=record.status,
        mean=float(np.mean(values)) if values else None,
        seconds=seconds / (cost.get("batch") or 1) if seconds else None,
        replaced=True,
    )
