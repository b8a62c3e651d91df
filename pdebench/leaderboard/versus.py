"""A row against the classical ladder at equal error: the speed-up, and when the fit has paid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from pdebench.leaderboard.board import Row, Versus
from pdebench.leaderboard.numbers import count, number
from pdebench.leaderboard.resampling import LEVEL, Array, ends

# phases before the first solve
_OFFLINE = ("data", "pretrain", "fit")
_QUANTILE = 1.959964  # of the standard normal at the ends of a 95 % interval


@final
@dataclass(frozen=True)
class Replicated:
    """One row's headline error and online seconds per sample, as replicates (R,)."""

    row: Row
    error: Array
    seconds: Array
    mean: float


def with_versus(rows: Sequence[Row], errors: Array, means: Sequence[float]) -> list[Row]:
    """Return the rows, those off the ladder compared with it.

    On the ladder's Pareto front, log seconds are interpolated linearly in log error; the speed-up
    of a row with error e and t seconds per sample is

        s = t_ladder(e) / t

    and its fit (with the making of the training data) has paid for itself after
    n = (t_data + t_pretrain + t_fit) / (t_ladder(e) - t) solves.

    Args:
        rows: ranked rows; their headline is an error, lower is better.
        errors: replicates (R, rows) of the headline error (`statistics.joint_replicates`).
        means: the headline errors themselves.

    The interval is that of s over replicates of all errors and times; a time's replicates are
    log-normal with its measured 95 % interval.
    """
    made = [
        Replicated(row, _positive(errors[:, k], means[k]), _seconds(row, len(errors), k), means[k])
        for k, row in enumerate(rows)
        if "solve" in row.costs and row.costs["solve"].seconds > 0 and means[k] > 0
    ]
    rungs = [one for one in made if one.row.ladder is not None]
    if not rungs:
        return list(rows)
    compared = {one.row.id: _versus(one, rungs) for one in made if one.row.ladder is None}
    return [replace(row, versus=compared.get(row.id)) for row in rows]


def _positive(errors: Array, mean: float) -> Array:
    """Return replicates of an error that stay above 0: to first order the same spread."""
    return mean * np.exp((errors - mean) / mean)


def _seconds(row: Row, resamples: int, position: int) -> Array:
    cost = row.costs["solve"]
    spread = 0.0
    if cost.low and cost.high and cost.low > 0:
        spread = math.log(cost.high / cost.low) / (2 * _QUANTILE)
    random = np.random.default_rng((1, position))
    return cost.seconds * np.exp(spread * random.standard_normal(resamples))


def _versus(one: Replicated, rungs: Sequence[Replicated]) -> Versus:
    own = one.row.costs["solve"].seconds
    times = np.array([rung.row.costs["solve"].seconds for rung in rungs])
    classical, side = seconds_at(one.mean, np.array([rung.mean for rung in rungs]), times)
    names = [rung.row.label for rung in rungs]
    if side == "coarser":
        fastest = names[int(times.argmin())]
        if classical <= own:
            return Versus(_slower(fastest, own / classical))
        return Versus("undecided: faster and less accurate than every rung of the ladder")
    if side == "finer":
        return Versus(
            f"> {number(classical / own)}: more accurate than every rung of the ladder recorded, "
            "the most accurate of which takes that many times as long"
        )
    speedup = classical / own
    low, high, paying = _intervals(one, rungs)
    saved = classical - own
    spent = [name for name in _OFFLINE if name in one.row.costs]
    offline = sum(one.row.costs[name].seconds for name in spent)
    if speedup < 1:
        verdict = _slower("the classical solver", 1 / speedup)
        return Versus(verdict, speedup, low, high)
    paid = offline / saved if offline else None
    verdict = f"{number(speedup)} times as fast as the classical solver at this error"
    if paid is not None:
        has = "have" if len(spent) > 1 else "has"
        solves = count(math.ceil(paid))
        verdict += f"; {' and '.join(spent)} {has} paid after {solves} solves"
    if paid is None or paying is None:
        return Versus(verdict, speedup, low, high, paid)
    ends_ = np.quantile(offline * paying, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    never = not np.isfinite(ends_[1])
    return Versus(
        verdict, speedup, low, high, paid, float(ends_[0]), None if never else float(ends_[1])
    )


def _slower(name: str, factor: float) -> str:
    return f"none: {name} is {number(factor)} times as fast at this error or a smaller one"


def seconds_at(error: float, errors: Array, seconds: Array) -> tuple[float, str]:
    """Return the ladder's seconds at ``error``, and "inside".

    Where no rung is coarser: the seconds of the fastest rung and "coarser"; where none is finer:
    those of the most accurate one and "finer". Only rungs that no other beats in both count.
    """
    front: list[int] = []
    for k in np.lexsort((errors, seconds)):
        if not front or errors[k] < errors[front[-1]]:
            front.append(int(k))
    e, t = np.log(errors[front]), np.log(seconds[front])
    wanted = math.log(error)
    if wanted >= e[0]:
        return float(np.exp(t[0])), "inside" if wanted == e[0] else "coarser"
    if wanted < e[-1]:
        return float(np.exp(t[-1])), "finer"
    return float(np.exp(np.interp(wanted, e[::-1], t[::-1]))), "inside"


def _intervals(
    one: Replicated, rungs: Sequence[Replicated]
) -> tuple[float | None, float | None, Array | None]:
    """Return the ends of the speed-up, and replicates of 1 / seconds saved by a solve (inf where
    none is).

    Replicates that fall beside the ladder count with the seconds of its end.
    """
    errors = np.stack([rung.error for rung in rungs], 1)
    times = np.stack([rung.seconds for rung in rungs], 1)
    if not (np.isfinite(errors).all() and np.isfinite(one.error).all()):
        return None, None, None
    if one.row.samples * one.row.seeds_ok < 2:
        return None, None, None
    drawn = np.array(
        [seconds_at(e, er, ti)[0] for e, er, ti in zip(one.error, errors, times, strict=True)]
    )
    low, high = ends((drawn / one.seconds)[:, None], LEVEL)
    saved = drawn - one.seconds
    return (
        float(low[0]),
        float(high[0]),
        np.where(saved > 0, 1 / np.where(saved > 0, saved, 1), np.inf),
    )
