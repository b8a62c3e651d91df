"""Build a board from records: group, pool, score, rank, and collect what plots need."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pdebench.harness.record import Record
from pdebench.leaderboard import curves, rows
from pdebench.leaderboard.board import Board, Key, Row, Score, Table
from pdebench.leaderboard.examples import examples
from pdebench.leaderboard.history import with_history
from pdebench.leaderboard.identity import digest, key_of
from pdebench.leaderboard.notes import notes, reference_error
from pdebench.leaderboard.over_tasks import over_tasks
from pdebench.leaderboard.pooling import Pool, pools, scores
from pdebench.leaderboard.ranking import rank
from pdebench.leaderboard.resampling import Array
from pdebench.leaderboard.slugs import slugs
from pdebench.leaderboard.versus import with_versus

_CURVES = 8  # rows with curves: as many as there are colours that can be told apart
_TRACKS = ("tiny", "small", "paper")
_PICTURES = 6  # rows with pictures


def _none(record: Record) -> None:
    return None


def build(records: Iterable[Record], arrays: curves.Arrays = _none) -> Board:
    """Return the tables of all records.

    Args:
        records: of any tasks, devices and statuses.
        arrays: returns a record's arrays ("<split>/<metric>" (B, T), "example/prediction", ...), or
            None; it is asked for the leading rows only.

    Records share a table if `Key` says they are comparable, and a row if only their seeds differ.
    The result depends on the records alone: not on their order, the clock or the machine.
    """
    groups: dict[Key, list[Record]] = defaultdict(list)
    total, newest = 0, ""
    for record in records:
        groups[key_of(record)].append(record)
        total, newest = total + 1, max(newest, record.created)
    keys = sorted(groups, key=lambda key: (key.task, _track(key.track), key))
    replaced: dict[tuple[str, str], Sequence[Record]] = {}
    tables = []
    for key, slug in zip(keys, slugs(keys), strict=True):
        pooled = pools(groups[key])
        tables.append(_table(key, slug, groups[key], pooled, arrays))
        replaced |= {(slug, digest(p.setting, 12)): p.replaced for p in pooled if p.replaced}
    tables = with_history(tables, replaced)
    return Board(tuple(tables), newest, total, tuple(over_tasks(tables)))


def _track(name: str) -> int:
    """Tracks in order of their size; those of others after the suite's own."""
    return _TRACKS.index(name) if name in _TRACKS else len(_TRACKS)


def _table(
    key: Key, slug: str, records: Sequence[Record], pooled: Sequence[Pool], arrays: curves.Arrays
) -> Table:
    task = max(records, key=lambda record: (record.created, record.id)).task
    headline = str(task.get("headline", ""))
    metrics = _metrics(records, headline)
    splits = _splits(task, records)
    split = splits[0]
    ladder = tuple(str(name) for name in task.get("ladder") or ())
    better = metrics[headline].get("better", "lower")

    scored, replicates = _scores(pooled, metrics, splits)
    unplaced = rows.labelled(
        [
            rows.row_of(pool, own, headline, split, ladder)
            for pool, own in zip(pooled, scored, strict=True)
        ]
    )
    ranked = [position for position, row in enumerate(unplaced) if row.status == "ok"]
    means = np.array([scored[position][split][headline].mean for position in ranked], dtype=float)
    card = _card(records)
    floor = reference_error(card, split, metrics[headline])
    own = [pooled[position].table(split, headline) for position in ranked]
    ranking = rank([table for table in own if table is not None], better, floor or 0.0)
    if better == "lower":
        compared = with_versus([unplaced[k] for k in ranked], replicates[:, ranked], means.tolist())
        for position, row in zip(ranked, compared, strict=True):
            unplaced[position] = row
    done = rows.with_front(rows.placed(unplaced, ranked, ranking, own), headline, split, better)
    behind = {row.id: pool.records for row, pool in zip(unplaced, pooled, strict=True)}
    replaced = sum(len(pool.replaced) for pool in pooled)
    leading = curves.leading(done, _CURVES)
    return Table(
        key=key,
        slug=slug,
        headline=headline,
        metrics=metrics,
        splits=splits,
        card=card,
        reference_error=floor,
        ladder=ladder,
        rows=tuple(done),
        notes=notes(
            done, [unplaced[position] for position in ranked], ranking, floor, replaced, ladder
        ),
        over_time=curves.over_time(leading, behind, arrays, split, headline),
        spectra=curves.spectra(leading, behind, arrays),
        convergence=curves.convergence(done, behind, arrays, headline, _CURVES),
        training=curves.training(_fitted(done, behind), behind),
        examples=examples(leading[:_PICTURES], behind, arrays),
    )


def _fitted(done: Sequence[Row], behind: Mapping[str, Sequence[Record]]) -> list[Row]:
    """The leading rows among those that have a training curve."""
    return [row for row in done if any(len(record.curve) > 1 for record in behind[row.id])][
        :_CURVES
    ]


def _scores(
    pooled: Sequence[Pool],
    metrics: Mapping[str, Mapping[str, str]],
    splits: Sequence[str],
) -> tuple[list[dict[str, dict[str, Score]]], Array]:
    """Return each row's scores by split and metric, and the headline's replicates (R, rows)."""
    done: list[dict[str, dict[str, Score]]] = [{split: {} for split in splits} for _ in pooled]
    headline: Array | None = None
    for split in splits:
        for metric, about in metrics.items():
            column, replicates = scores(pooled, split, metric, about.get("better", "lower"))
            headline = replicates if headline is None else headline
            for own, score in zip(done, column, strict=True):
                if score is not None:
                    own[split][metric] = score
    if headline is None:
        raise ValueError(
            "a table without metrics or splits; every record must name its headline metric"
        )
    return done, headline


def _metrics(records: Sequence[Record], headline: str) -> dict[str, dict[str, str]]:
    """Return what all records together say of their metrics, the headline first; the newest
    record's word counts.
    """
    found: dict[str, dict[str, str]] = {headline: {}}
    for record in sorted(records, key=lambda record: (record.created, record.id), reverse=True):
        for name, about in (record.task.get("metrics") or {}).items():
            if not found.get(str(name)):
                found[str(name)] = {str(key): str(value) for key, value in about.items()}
    return {
        name: {"name": name, "unit": "1", "better": "lower"} | about
        for name, about in found.items()
    }


def _splits(task: Mapping[str, Any], records: Sequence[Record]) -> tuple[str, ...]:
    asked = [str(split) for split in task.get("evaluate") or ("test",)]
    other = sorted({split for record in records for split in record.scores} - set(asked))
    return (*asked, *other)


def _card(records: Sequence[Record]) -> dict[str, Any]:
    """Return the newest card; the reference error may have been measured for some records only."""
    dated = sorted(records, key=lambda record: (record.created, record.id))
    cards = [dict(record.task.get("dataset") or {}) for record in dated]
    measured = [card["reference_error"] for card in cards if card.get("reference_error")]
    return cards[-1] | ({"reference_error": measured[-1]} if measured else {})
