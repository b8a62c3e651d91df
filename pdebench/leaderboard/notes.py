"""The sentences under a table: which differences mean nothing, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from pdebench.leaderboard.board import Row
from pdebench.leaderboard.numbers import number, seconds
from pdebench.leaderboard.ranking import Ranking
from pdebench.statistics.adequacy import FEW_SAMPLES, FEW_SEEDS

_SHOWN = 6  # groups of ties spelt out before the rest is counted
_MEMBERS = 8  # members of a group spelt out


def reference_error(card: Mapping[str, Any], split: str, metric: Mapping[str, str]) -> float | None:
    """Return the error of the stored reference if it bounds this metric, else None.

    The card states relative L2 errors by split, so they bound dimensionless errors only.
    """
    stated = card.get("reference_error")
    if (
        not isinstance(stated, Mapping)
        or not stated
        or metric.get("unit") != "1"
        or metric.get("better") != "lower"
    ):
        return None
    value = stated.get(split, max(stated.values()))
    return float(value)


def notes(
    rows: Sequence[Row],
    ranked: Sequence[Row],
    ranking: Ranking,
    floor: float | None,
    replaced: int,
    ladder: Sequence[str],
) -> tuple[str, ...]:
    """Return the notes of one table; ``ranked`` are the rows in the order that ``ranking`` counts
    them.
    """
    said = [_ties(ranked, ranking)] if len(ranked) > 1 else []
    if floor is not None:
        said.append(
            f"The stored reference itself has a relative error of {number(floor)}: no difference "
            "below it is called a difference."
        )
    said += [_pretrained(row) for row in rows if row.pretrained]
    said += _violations(rows)
    noisy = [row.label for row in ranked if "solve" in row.costs and row.costs["solve"].noisy]
    if noisy:
        said.append(
            f"Noisy, the interval of the time is wider than asked for: {_names(noisy)}; "
            "'pdebench retime' on a quiet machine measures again."
        )
    retimed = sum("solve" in row.costs and row.costs["solve"].retimed for row in ranked)
    if retimed:
        all_ = "every row" if retimed == len(ranked) else f"{retimed} of {len(ranked)} rows"
        said.append(f"Online times of {all_} were measured again in turns ('pdebench retime').")
    few = [row for row in ranked if 1 < row.seeds_ok < FEW_SEEDS]
    if few:
        said.append(
            f"Two seeds say next to nothing about the spread between fits: "
            f"{_names([row.label for row in few])}."
        )
    scarce = {row.samples for row in ranked if row.samples < FEW_SAMPLES}
    if scarce:
        said.append(f"{max(scarce)} samples are too few for an interval to hold its level.")
    said += [_disclosed(row) for row in rows if row.disclosures]
    single = sum(row.seeds == 1 for row in ranked)
    if single:
        whose = "every row" if single == len(ranked) else f"{single} of {len(ranked)} rows"
        said.append(f"One seed in {whose}: those intervals are over samples only.")
    missing = [
        name
        for name in ladder
        if not any(row.ladder is not None and row.solver == name.split()[0] for row in rows)
    ]
    if missing:
        said.append(f"No record yet of the classical ladder's {', '.join(missing)}.")
    if replaced:
        said.append(
            f"{replaced} older record{'s' if replaced > 1 else ''} of the same setting and seed "
            f"{'are' if replaced > 1 else 'is'} replaced by newer ones."
        )
    return tuple(said)


def _violations(rows: Sequence[Row]) -> list[str]:
    """Return one sentence per violated guard and reason, with the rows that violate it."""
    whose: dict[tuple[str, str], list[str]] = {}
    examined = [row for row in rows if row.protocol.examined]
    for row in examined:
        for violation in row.protocol.violations:
            whose.setdefault((violation["guard"], violation["reason"]), []).append(row.label)
    return [
        f"Protocol, {guard} ({'every row' if len(names) == len(examined) else _names(names)}): "
        f"{reason}."
        for (guard, reason), names in sorted(whose.items())
    ]


def _disclosed(row: Row) -> str:
    """Say what a row's solver stated about its constants."""
    return f"{row.label}: " + "; ".join(f"{k}: {v}" for k, v in row.disclosures.items()) + "."


def _pretrained(row: Row) -> str:
    """Say where a row's weights came from, what they saw and what they cost; † marks related
    data.
    """
    before = row.pretrained or {}
    known = [f"on {', '.join(before['data'])}" if before.get("data") else "on data not stated"]
    if before.get("samples"):
        known.append(f"{before['samples']} samples")
    spent = before.get("seconds")
    known.append(f"in {seconds(spent)}" if spent is not None else "at a cost not stated")
    mark = "† " if before.get("related") else ""
    related = ", which is of the same family as this task's data" if before.get("related") else ""
    return (
        f"{mark}{row.label} starts from weights pretrained {', '.join(known)}{related} "
        f"(weights {str(before.get('digest', ''))[:12]}); that is not in its fit."
    )


def _ties(ranked: Sequence[Row], ranking: Ranking) -> str:
    runs = ranking.ties()
    if not runs:
        return (
            "Every two rows are told apart (paired tests over seeds and samples, 95 % over all "
            "pairs)."
        )
    place = {position: number for number, position in enumerate(ranking.order, start=1)}
    groups = [
        f"{_names([ranked[k].label for k in run])} ({place[run[0]]}–{place[run[-1]]})"
        for run in runs[:_SHOWN]
    ]
    rest = f"; and {len(runs) - _SHOWN} more groups" if len(runs) > _SHOWN else ""
    return (
        "Not told apart (paired tests over seeds and samples, 95 % over all pairs): "
        + "; ".join(groups)
        + rest
        + "."
    )


def _names(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:_MEMBERS])
    return shown if len(labels) <= _MEMBERS else f"{shown} and {len(labels) - _MEMBERS} more"
