"""Verdict of the study of high frequencies: errors at equal seconds, seconds at equal error.

    python benchmarks/studies/multiscale.py [--out leaderboards/multiscale]

After ``make study-multiscale`` has filled the store (PDEBENCH_STORE). For every task: the error of
each solver's answer; for the iterative ones the error when so many seconds have passed and the
seconds until an error is reached, read off the iterates that their records keep; and the Gaussian
process against PINNs, plain kernels and collocation in ratios. Seconds are those of a batch, all
test instances at once, scoring not counted. Intervals: 95 %, over seeds and instances as on the
board (`pdebench.statistics.mean_interval`); ratios are geometric means of paired ones.

Writes verdict.md, and verdict.json with every value, into ``--out``.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pdebench.atomic import write_atomically
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.paths import default_store
from pdebench.statistics import mean_interval

TASKS = ("poisson_1d", "allencahn_1d", "poisson_2d", "advection_1d")
SECONDS = (2.0, 5.0, 10.0)
ERRORS = (0.5, 0.1, 0.01)
OURS, AGAINST = "gp", ("gp_student", "gp_matern", "gp_se", "pinn", "pinn_fourier")
METRIC = "relative_l2"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One solver on one task: errors (seeds, instances), and its iterates' per seed, where it has
    any: seconds (K,) and errors (K, instances).
    """

    name: str
    errors: Array
    solve: float
    fit: float
    iterates: Sequence[tuple[Array, Array]]

    def after(self, seconds: float) -> Array:
        """Return the errors (seeds, instances) when so many seconds have passed; before the first
        iterate, 1: that of the answer zero.
        """
        found = []
        for times, errors in self.iterates:
            seen = int(np.searchsorted(times, seconds, side="right"))
            found.append(errors[seen - 1] if seen else np.ones(errors.shape[1]))
        return np.stack(found)

    def until(self, error: float) -> tuple[list[float], int]:
        """Return the seconds of those (seed, instance) that reach an error, and of how many."""
        found, total = [], 0
        for times, errors in self.iterates:
            total += errors.shape[1]
            reached = errors <= error
            found += [float(times[reached[:, i].argmax()]) for i in np.flatnonzero(reached.any(0))]
        return found, total


def lines_of(store: Store, task: str) -> dict[str, Line]:
    """Return the newest records of every solver and seed on one task."""
    newest: dict[tuple[str, int], Record] = {}
    for record in readable(store, f"elliptic/{task}", "study"):
        key = (str(record.solver["name"]), record.seed)
        if record.status == "ok" and (key not in newest or newest[key].created < record.created):
            newest[key] = record
    found: dict[str, Line] = {}
    for name in dict.fromkeys(name for name, _ in newest):
        records = [record for (other, _), record in sorted(newest.items()) if other == name]
        pairs = []
        for record in records:
            file = store.arrays(record.id, "cpu")
            if not file.is_file():
                continue
            with np.load(file) as held:
                if f"iterate/{METRIC}" in held:
                    pairs.append((held["iterate/seconds"], held[f"iterate/{METRIC}"]))
        scores = [record.scores["test"][METRIC]["values"] for record in records]
        costs = [record.costs for record in records]
        solve, fit = (
            float(np.median([c[phase]["seconds"] for c in costs])) for phase in ("solve", "fit")
        )
        values = np.array(scores, float).reshape(len(records), -1)
        found[name] = Line(name, values, solve, fit, pairs)
    return found


def spread(values: Array) -> list[float]:
    """Return mean, low, high of (seeds, instances)."""
    estimate = mean_interval(values)
    return [float(estimate.value), float(estimate.low), float(estimate.high)]


def ratio(ours: Array, theirs: Array) -> list[float]:
    """Return the geometric mean of theirs / ours, paired by instance, and its interval."""
    tiny = np.finfo(float).tiny
    paired = np.log(np.maximum(theirs, tiny)) - np.log(np.maximum(ours.mean(0), tiny))
    return [math.exp(value) for value in spread(paired)]


def shown(value: Sequence[float]) -> str:
    """Return a mean with its interval."""
    return f"{value[0]:.2g} [{value[1]:.2g}, {value[2]:.2g}]"


def word(value: Sequence[float]) -> str:
    """Return what an interval of theirs / ours says of ours."""
    return "ahead" if value[1] > 1 else "behind" if value[2] < 1 else "not told apart"


def told(task: str, lines: dict[str, Line], noted: dict[str, Any]) -> list[str]:
    """Return the section of one task, its figures into ``noted``."""
    text = [f"## elliptic/{task}", ""]
    head = [f"after {s:g} s" for s in SECONDS] + [f"s to {e:g}" for e in ERRORS]
    text += [f"| solver | error of the answer | {' | '.join(head)} |"]
    text += ["| --- | --- |" + " --- |" * len(head)]
    for name, line in sorted(lines.items(), key=lambda item: item[1].errors.mean()):
        noted[name] = own = {"error": spread(line.errors), "solve_s": line.solve, "fit_s": line.fit}
        cells = [shown(own["error"])]
        if line.iterates:
            own["after"] = {f"{s:g}": spread(line.after(s)) for s in SECONDS}
            own["until"] = {f"{e:g}": line.until(e) for e in ERRORS}
            cells += [shown(value) for value in own["after"].values()]
            for reached, total in own["until"].values():
                some = f" ({len(reached)} of {total})" if len(reached) < total else ""
                cells.append(f"{np.mean(reached):.2g}{some}" if reached else "never")
        else:
            offline = f", {line.fit:.2g} s offline" if line.fit > 0.01 else ""
            cells += [f"answer in {1000 * line.solve:.2g} ms{offline}", *[""] * (len(head) - 1)]
        text.append(f"| `{name}` | {' | '.join(cells)} |")
    return [*text, "", *compared(lines, noted), ""]


def compared(lines: dict[str, Line], noted: dict[str, Any]) -> list[str]:
    """Return the Gaussian mixture against the others, at equal seconds and at the end."""
    ours = lines.get(OURS)
    if ours is None:
        return [f"- No record of `{OURS}`."]
    text = []
    for name in (name for name in AGAINST if name in lines):
        parts = []
        for seconds in SECONDS:
            found = ratio(ours.after(seconds), lines[name].after(seconds))
            noted.setdefault("against", {})[f"{name} after {seconds:g} s"] = found
            parts.append(f"{seconds:g} s: {shown(found)}, {word(found)}")
        text.append(
            f"- Error of `{name}` over that of `{OURS}` at equal seconds: {'; '.join(parts)}."
        )
    for name in ("fourier_extension", "differences_8", "differences_2"):
        if name in lines:
            found = ratio(ours.errors, lines[name].errors)
            noted.setdefault("against", {})[name] = found
            times = ours.solve / lines[name].solve
            text.append(
                f"- Error of `{name}` over that of `{OURS}`, both at the end: {shown(found)}, "
                f"`{OURS}` is {word(found)}; it takes {times:.2g} times as long."
            )
    return text


def main() -> None:
    """Read the store, write the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=Path(__file__).parents[2] / "leaderboards/multiscale")
    folder = Path(parser.parse_args().out)
    store, noted = Store(default_store()), {}
    text = ["# High frequencies: equal seconds, equal error", ""]
    text += ["    make study-multiscale", ""]
    text += [
        "Relative L2 errors on `test`, 95 % intervals over seeds and instances. Seconds are of a "
        "batch of all test instances, one thread. Ratios above 1 say that the Gaussian mixture "
        "`gp` is ahead.",
        "",
    ]
    for task in TASKS:
        lines = lines_of(store, task)
        if lines:
            noted[task] = {}
            text += told(task, lines, noted[task])
    write_atomically(folder / "verdict.md", ("\n".join(text).rstrip() + "\n").encode())
    write_atomically(folder / "verdict.json", (json.dumps(noted, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
