"""Which of the papers' orderings of FNO, T1, LSM and MgNO are seen: the verdict of that study.

    python benchmarks/studies/operators.py [--track tiny] [--out leaderboards/operators]

After ``make study-operators`` has filled the store. Writes ``verdict.md``: per task and budget the
mean relative L2 error of each network with its 95 % interval over seeds and samples, then every
ordering that a paper states, with the interval of the difference.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rows import Rows, errors, rows_of, seconds

from pdebench.atomic import write_atomically
from pdebench.harness.store import Store
from pdebench.paths import default_store
from pdebench.statistics import compare, mean_interval

NETWORKS = ("fno", "t1", "lsm", "mgno", "lsm_points")
TASKS = (
    "navier_stokes/evolve",
    "navier_stokes/evolve_1e-5",
    "elliptic/darcy",
    "elliptic/darcy_rough",
    "elasticity/stress_grid",
    "elasticity/stress_points",
)
BUDGETS = ("seconds", "epochs")


@dataclass(frozen=True)
class Ordering:
    """A paper's statement: the error of ``winner`` is below ``factor`` times that of ``loser``."""

    winner: str
    loser: str
    task: str
    source: str
    factor: float = 1.0


T1, LSM, MGNO = "T1, abstract", "LSM, table 2", "MgNO, table 1"
ORDERINGS = (
    Ordering("t1", "fno", "navier_stokes/evolve", T1, 0.8),
    Ordering("lsm", "fno", "navier_stokes/evolve_1e-5", LSM),
    Ordering("lsm", "fno", "elliptic/darcy", LSM),
    Ordering("lsm", "fno", "elasticity/stress_grid", LSM),
    Ordering("mgno", "fno", "elliptic/darcy", MGNO),
    Ordering("mgno", "lsm", "elliptic/darcy", MGNO),
    Ordering("mgno", "fno", "elliptic/darcy_rough", MGNO),
    Ordering("mgno", "lsm", "elliptic/darcy_rough", MGNO),
)


def rows_by_budget(store: Store, task: str, track: str) -> Mapping[str, Rows]:
    """Return the networks' rows of a task that spent equal seconds, and equal epochs."""
    found = {}
    for budget in BUDGETS:
        rows = rows_of(
            store, task, track, keep=lambda r, b=budget: r.config["track"]["budget"][b] is not None
        )
        named = {records[0].solver["name"]: records for records in rows.values()}
        found[budget] = {name: named[name] for name in NETWORKS if name in named}
    return found


def table(rows: Rows) -> list[str]:
    """Return the lines of one task's table: error, interval, parameters, time to fit and solve."""
    lines = [
        "| network | relative L2 [95 %] | seeds | parameters | fit, s | solve, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, records in rows.items():
        scores = errors(records)
        mean = mean_interval(scores)
        lines.append(
            f"| `{name}` | {mean.value:.4f} [{mean.low:.4f}, {mean.high:.4f}] | {len(scores)} | "
            f"{records[0].parameters:,} | {seconds(records, 'fit'):.1f} | "
            f"{1e3 * seconds(records):.2f} |"
        )
    return lines


def seen(ordering: Ordering, rows: Rows) -> str:
    """Return the cells that say whether an ordering is seen."""
    if ordering.winner not in rows or ordering.loser not in rows:
        return "no records | |"
    found = compare(
        errors(rows[ordering.winner]), ordering.factor * errors(rows[ordering.loser])
    ).difference
    if found.high < 0:
        word = "**seen**"
    elif found.low > 0:
        word = "the opposite"
    else:
        word = "not to tell"
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}] | {word} |"


def main() -> None:
    """Compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="tiny")
    parser.add_argument("--out", type=Path, default=Path("leaderboards/operators"))
    given = parser.parse_args()
    store = Store(default_store())
    found = {task: rows_by_budget(store, task, given.track) for task in TASKS}
    lines = ["# FNO, T1, LSM and MgNO: which orderings are seen", ""]
    for budget in BUDGETS:
        lines += [
            f"## The papers' orderings at equal {budget}",
            "",
            "| statement | source | difference [95 %] | here |",
            "| --- | --- | ---: | --- |",
        ]
        for one in ORDERINGS:
            factor = "" if one.factor == 1 else f"{one.factor:g} x "
            lines.append(
                f"| `{one.winner}` below {factor}`{one.loser}` on {one.task} | {one.source} | "
                + seen(one, found[one.task][budget])
            )
        lines.append("")
    for task in TASKS:
        for budget in BUDGETS:
            lines += [f"## {task}, equal {budget}", "", *table(found[task][budget]), ""]
    lines.append("Made by `python benchmarks/studies/operators.py` from the records of the board.")
    text = "\n".join(lines) + "\n"
    write_atomically(given.out / "verdict.md", text.encode())
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
