"""Critical differences of average ranks over tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pdebench.statistics.scores import Array


@final
@dataclass(frozen=True)
class Diagram:
    """The data of a critical-difference diagram.

    Attributes:
        names: solvers from best to worst average rank.
        ranks: their average ranks over tasks, from 1, ties shared.
        critical: difference of average ranks beyond which two are apart.
        groups: maximal runs of names within ``critical``, two at least: the bars of the diagram.
        p_value: of all solvers being alike (Friedman's test, for two solvers the sign test).
        cautions: what so few tasks or solvers cannot say.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    critical: float
    groups: tuple[tuple[str, ...], ...]
    p_value: float
    cautions: tuple[str, ...]


def critical_difference(
    names: Sequence[str], scores: ArrayLike, *, higher: bool = False, level: float = 0.95
) -> Diagram:
    """Rank K solvers by scores (T, K) over T tasks; Nemenyi's test (Demsar 2006, JMLR 7, eq. 4).

        CD = q_{K} (K (K + 1) / (6 T))^{1/2},    q the studentised range's quantile by 2^{1/2}

    Equal and infinite scores share their rank. Raises ValueError for shapes that disagree, fewer
    than two solvers, or NaN: leave out tasks that a solver was not run on.
    """
    table: Array = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or len(names) < 2 or len(table) < 1:
        raise ValueError(
            f"scores has shape {table.shape}, expected (tasks, {len(names)}), two solvers at least"
        )
    if np.isnan(table).any():
        raise ValueError("scores hold NaN; leave out the tasks that not all solvers answered")
    num_tasks, num = table.shape
    ranked = stats.rankdata(-table if higher else table, axis=1)
    average = ranked.mean(0)
    quantile = float(stats.studentized_range.ppf(level, num, np.inf)) / np.sqrt(2)
    critical = float(quantile * np.sqrt(num * (num + 1) / (6 * num_tasks)))
    order = [int(k) for k in np.argsort(average, kind="stable")]
    return Diagram(
        tuple(names[k] for k in order),
        tuple(float(average[k]) for k in order),
        critical,
        _groups([names[k] for k in order], average[order], critical),
        _alike(ranked),
        _few(num_tasks, num),
    )


def _groups(names: list[str], ranks: Array, critical: float) -> tuple[tuple[str, ...], ...]:
    runs: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(names)):
        stop = start + int(np.searchsorted(ranks[start:], ranks[start] + critical, side="right"))
        if stop - start > 1 and stop > reached:
            runs.append(tuple(names[start:stop]))
            reached = stop
    return tuple(runs)


def _alike(ranked: Array) -> float:
    if np.ptp(ranked) == 0 or len(ranked) < 2:
        return 1.0
    if ranked.shape[1] == 2:
        apart = ranked[:, 0] - ranked[:, 1]
        wins, losses = int((apart < 0).sum()), int((apart > 0).sum())
        return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return float(stats.friedmanchisquare(*ranked.T).pvalue)


def _few(num_tasks: int, num: int) -> tuple[str, ...]:
    if num_tasks > 10 and num > 5:  # Demsar 2006, sec. 3.2.2: where the chi-square limit holds
        return ()
    return (f"{num_tasks} task(s) and {num} solvers: the test's limit needs more than 10 and 5",)
