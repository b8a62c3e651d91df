"""Rows of one table: labels, statuses, places, the classical ladder and the front."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pdebench.leaderboard.board import Behind, Protocol, Row, RowStatus, Run, Score
from pdebench.leaderboard.identity import command_of, digest, family_of
from pdebench.leaderboard.pooling import Pool, costs
from pdebench.leaderboard.ranking import Ranking, badness
from pdebench.leaderboard.resampling import Array
from pdebench.statistics import cliffs_delta, cohens_d

# Unranked rows: the nearer to a result, the higher.
_ORDER = (
    "ok",
    "partial",
    "unranked",
    "timeout",
    "out_of_memory",
    "diverged",
    "failed",
    "unsupported",
)

Scores = Mapping[str, Mapping[str, Score]]


def row_of(pool: Pool, scores: Scores, headline: str, split: str, ladder: Sequence[str]) -> Row:
    """Return the row of one pool, not yet placed."""
    name, plugin, version, setting = pool.setting
    newest = pool.newest
    overrides = tuple(
        str(o) for o in newest.solver.get("overrides") or () if str(o).startswith("solver.")
    )
    status, reason = _status(pool, scores.get(split, {}).get(headline), headline, split)
    values = pool.values(split, headline)
    return Row(
        id=digest(pool.setting, 12),
        solver=name,
        label=name,
        family=family_of(newest),
        plugin=plugin,
        version=version,
        overrides=overrides,
        setting=setting,
        uses=tuple(newest.uses),
        status=status,
        reason=reason,
        seeds=len(pool.records),
        seeds_ok=sum(record.status == "ok" for record in pool.records),
        samples=max((len(v) for v in values), default=0),
        parameters=max(record.parameters for record in pool.records),
        pretrained=newest.pretrained,
        disclosures=dict(newest.solver.get("disclosures") or {}),
        scores=scores,
        costs=costs(pool),
        runs=tuple(_runs(pool)),
        ladder=len(ladder) if newest.solver.get("rung") else _rung(name, overrides, ladder),
        protocol=_protocol(pool),
    )


def _protocol(pool: Pool) -> Protocol:
    """Return what the records of a row say of their guards together."""
    said = [record.protocol for record in pool.records if record.status == "ok"]
    violations = {
        (str(v["guard"]), str(v["reason"])) for own in said for v in own.get("violations", ())
    }
    trials = [own.get("trials") for own in said]
    newest = pool.newest.protocol
    own, training = newest.get("precision"), newest.get("training_precision")
    differs = training not in (None, "32-true", "32") and own is not None
    return Protocol(
        bool(said) and all(said),
        tuple({"guard": guard, "reason": reason} for guard, reason in sorted(violations)),
        None if not trials or None in trials else max(t for t in trials if t is not None),
        f"{own}, trained {training}" if differs else own,
    )


def _runs(pool: Pool) -> list[Run]:
    return [
        Run(
            r.id,
            r.seed,
            r.status,
            r.reason,
            r.created,
            command_of(r),
            r.environment,
            r.versions,
            r.config,
        )
        for r in pool.records
    ]


def _status(
    pool: Pool, score: Score | None, headline: str, split: str
) -> tuple[RowStatus, str | None]:
    """Return the row's status and the sentence that explains it."""
    ill = [record for record in pool.records if record.status != "ok"]
    if ill:
        first = ill[0]
        reason = first.reason or "no reason recorded"
        if len(ill) == len(pool.records):
            return first.status, reason
        seeds = ", ".join(str(record.seed) for record in ill)
        return "partial", f"{first.status.replace('_', ' ')} for seed {seeds}: {reason}"
    if score is None:
        return "unranked", f"no {headline} on split '{split}'"
    if score.not_applicable:
        return "unranked", score.not_applicable
    if score.mean is None or not np.isfinite(score.mean):
        return "unranked", f"{headline} is not finite on split '{split}'"
    if pool.table(split, headline) is None:
        return "unranked", f"seeds hold different numbers of samples on split '{split}'"
    return "ok", None


def _rung(name: str, overrides: tuple[str, ...], ladder: Sequence[str]) -> int | None:
    """Return the position on the ladder; an entry is a name, or a name followed by overrides of the
    solver.
    """
    for position, entry in enumerate(ladder):
        rung, *settings = entry.split()
        if rung == name and set(settings) <= set(overrides):
            return position
    return None


def labelled(rows: Sequence[Row]) -> list[Row]:
    """Give every row a label of its own: name and overrides, then version and setting as far as
    needed.
    """
    named = [replace(row, label=" ".join((row.solver, *_short(row.overrides)))) for row in rows]
    for addition in (
        lambda row: f"{row.label} v{row.version}",
        lambda row: f"{row.label} #{row.setting}",
    ):
        count = Counter(row.label for row in named)
        wanted = [
            replace(row, label=addition(row)) if count[row.label] > 1 else row for row in named
        ]
        if len({row.label for row in wanted}) > len(count):
            named = wanted
    return named


def _short(overrides: tuple[str, ...]) -> list[str]:
    """Overrides without their group; a checkpoint by the end of its path, which names the run."""
    return [
        f"checkpoint={path.rstrip('/').rpartition('/')[2][:12]}"
        if key == "solver.checkpoint"
        else override.removeprefix("solver.")
        for override in overrides
        for key, _, path in [override.partition("=")]
    ]


def placed(
    rows: Sequence[Row], ranked: Sequence[int], ranking: Ranking, values: Sequence[Array | None]
) -> list[Row]:
    """Return ranked rows in order with place, rank set and distance to the first, then the others
    from near-results to unsupported; ``values`` (seeds, samples) are those of the ranked ones.
    """
    first = [
        replace(
            rows[ranked[k]],
            place=place,
            rank=ranking.sets[k],
            behind=_behind(values, ranking, k),
        )
        for place, k in enumerate(ranking.order, start=1)
    ]
    others = [row for position, row in enumerate(rows) if position not in set(ranked)]
    return first + sorted(others, key=lambda row: (_ORDER.index(row.status), row.label))


def _behind(values: Sequence[Array | None], ranking: Ranking, k: int) -> Behind | None:
    best = ranking.order[0]
    own, first = values[k], values[best]
    if k == best or own is None or first is None or own.shape[1] != first.shape[1]:
        return None
    means = float(own.mean()), float(first.mean())
    apart = cohens_d(own, first)
    return Behind(
        float(ranking.p_values[k, best]),
        cliffs_delta(own, first),
        means[0] / means[1] if min(means) > 0 else None,
        apart if np.isfinite(apart) else None,
    )


def with_front(rows: Sequence[Row], headline: str, split: str, better: str) -> list[Row]:
    """Mark ranked rows that no other ranked row beats in both headline error and online seconds per
    sample.
    """
    timed = [row for row in rows if row.place is not None and "solve" in row.costs]
    means = np.array([row.scores[split][headline].mean for row in timed], dtype=float)
    bad = badness(means, better)
    best, front = np.inf, set()
    for k in sorted(range(len(timed)), key=lambda k: (timed[k].costs["solve"].seconds, bad[k])):
        if bad[k] < best:
            best = bad[k]
            front.add(timed[k].id)
    return [replace(row, front=row.id in front) for row in rows]
