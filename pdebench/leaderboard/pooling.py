"""From records to rows: seeds pooled, scores with intervals, costs with spans."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from pdebench.harness.record import Record
from pdebench.leaderboard.board import Cost, Score
from pdebench.leaderboard.identity import setting_of
from pdebench.leaderboard.resampling import Array, ends
from pdebench.statistics import joint_replicates


@final
@dataclass(frozen=True)
class Pool:
    """The records of one row, one per seed in order of seed, and those that they replace."""

    setting: tuple[str, str, str, str]
    records: tuple[Record, ...]
    replaced: tuple[Record, ...] = ()

    @property
    def newest(self) -> Record:
        """The record made last, which speaks for the row where seeds agree anyway."""
        return max(self.records, key=lambda record: record.created)

    def values(self, split: str, metric: str) -> list[Array]:
        """Return the per-sample values (N,) of every seed that has some."""
        found = (r.scores.get(split, {}).get(metric, {}).get("values") for r in self.records)
        return [np.asarray(values, dtype=float) for values in found if values]

    def table(self, split: str, metric: str) -> Array | None:
        """Return the values (seeds, samples); None without any, or where seeds answered other
        numbers of samples.
        """
        values = self.values(split, metric)
        same = len({len(own) for own in values}) == 1
        return np.stack(values) if values and same else None

    def refusal(self, split: str, metric: str) -> str | None:
        """Return why the metric is not applicable, or None."""
        for record in self.records:
            reason = record.scores.get(split, {}).get(metric, {}).get("not_applicable")
            if reason:
                return str(reason)
        return None


def pools(records: Iterable[Record]) -> list[Pool]:
    """Group one table's records into rows; of several records of a seed (older code) the newest
    counts.
    """
    groups: dict[tuple[str, str, str, str], dict[int, list[Record]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in records:
        groups[setting_of(record)][record.seed].append(record)
    done: list[Pool] = []
    for setting, seeds in sorted(groups.items()):
        chosen = [max(same, key=lambda r: (r.created, r.id)) for _, same in sorted(seeds.items())]
        current = {id(record) for record in chosen}
        older = (r for _, same in sorted(seeds.items()) for r in same if id(r) not in current)
        done.append(Pool(setting, tuple(chosen), tuple(older)))
    return done


def scores(
    rows: Sequence[Pool], split: str, metric: str, better: str
) -> tuple[list[Score | None], Array]:
    """Return one score per row (None where a row has neither value nor reason) and the replicates
    (R, rows).
    """
    values = [pool.values(split, metric) for pool in rows]
    tables = [pool.table(split, metric) for pool in rows]
    absent = np.full((1, 1), np.inf)  # of which the replicates are NaN
    replicates = joint_replicates([absent if t is None or np.isnan(t).any() else t for t in tables])
    low, high = ends(replicates)
    done: list[Score | None] = []
    for pool, own, lower, upper in zip(rows, values, low, high, strict=True):
        if own:
            done.append(_summary(own, better, float(lower), float(upper)))
            continue
        reason = pool.refusal(split, metric)
        done.append(Score(not_applicable=reason) if reason else None)
    return done, replicates


def _summary(values: list[Array], better: str, low: float, high: float) -> Score:
    """The mean gives every seed the same weight; a single value has no interval."""
    together = np.concatenate(values)
    mean = float(np.mean([v.mean() for v in values]))
    if not np.isfinite(together).all():
        return Score(mean=mean)
    worst = {"higher": together.min(), "zero": together[np.abs(together).argmax()]}.get(
        better, together.max()
    )
    interval = (low, high) if len(together) > 1 and np.isfinite(low) else (None, None)
    return Score(mean, *interval, median=float(np.median(together)), worst=float(worst))


def costs(pool: Pool) -> dict[str, Cost]:
    """Return the phases' costs: ``solve`` per sample, the others as they are."""
    done: dict[str, Cost] = {}
    for phase in ("data", "pretrain", "fit", "prepare", "solve"):
        found = [
            record.costs[phase]
            for record in pool.records
            if "seconds" in record.costs.get(phase, {})
        ]
        if found:
            done[phase] = _cost(found)
    return done


def _cost(found: Sequence[Mapping[str, Any]]) -> Cost:
    share = np.array([1 / (cost.get("batch") or 1) for cost in found])
    seconds = np.array([cost["seconds"] for cost in found], dtype=float) * share
    low = np.array([cost.get("low", cost["seconds"]) for cost in found], dtype=float) * share
    high = np.array([cost.get("high", cost["seconds"]) for cost in found], dtype=float) * share
    known = any("low" in cost for cost in found) or len(found) > 1
    firsts = [cost["first"] for cost in found if cost.get("first") is not None]
    peaks = [cost["peak_bytes"] for cost in found if cost.get("peak_bytes") is not None]
    return Cost(
        seconds=float(np.median(seconds)),
        low=float(low.min()) if known else None,
        high=float(high.max()) if known else None,
        peak_bytes=max(peaks) if peaks else None,
        noisy=any(bool(cost.get("noisy")) for cost in found),
        first=float(np.median(firsts)) if firsts else None,
        retimed=all(bool(cost.get("retimed")) for cost in found),
    )
