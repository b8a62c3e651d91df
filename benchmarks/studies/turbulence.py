"""Statistics, pictures and the verdict of the study of filtered turbulence, from its records.

    python benchmarks/studies/turbulence.py [--track small] [--out leaderboards/turbulence]

After ``make turbulence`` has filled the store. Every fitted solver is loaded again and answers the
test flows; classical rows solve them again. Written for each task: ``spectra.svg``, ``increments``
(densities at three times), ``structure`` (second-order structure functions at the last frame),
``energy`` (over time) and ``verdict.md``, in which every difference has its interval.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.config import compose
from pdebench.harness import data
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, build, resolve
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.metrics.increments import increment_density, increments
from pdebench.paths import default_store
from pdebench.spectral import energy_spectrum
from pdebench.statistics import compare

matplotlib.use("svg")
from matplotlib import pyplot

TASKS = ("turbulence/hit_les_decaying", "turbulence/hit_les_driven")
TIMES = (0, 4, 9, 24, 49)  # frames that are drawn: 0.02 to 1.0
LABEL_FREE, LABELLED = "lesnets", "lesnets_labelled"
Rows = Mapping[str, Sequence[Record]]


def rows_of(store: Store, task: str, track: str) -> Rows:
    """Return the newest good record of every solver (with its overrides) and seed."""
    newest: dict[tuple[str, int], Record] = {}
    for record in readable(store, task, "study"):
        if record.status != "ok" or record.task.get("track") != track:
            continue
        extra = [str(o).removeprefix("solver.") for o in record.solver.get("overrides", ())]
        key = (" ".join([str(record.solver["name"]), *extra]), record.seed)
        if key not in newest or newest[key].created < record.created:
            newest[key] = record
    found: dict[str, list[Record]] = {}
    for (name, _), record in sorted(newest.items()):
        found.setdefault(name, []).append(record)
    return found


def answers(store: Store, record: Record, problem: Any) -> Tensor:
    """Return the frames (B, T, C, *S) of a recorded solver, fitted weights loaded again."""
    solver = build(record.config["solver"], "solver")
    torch.manual_seed(record.seed)
    folder = store.workspace(record.id)
    if folder.is_dir():
        solver.load(folder)
    solver.prepare(problem)
    return solver.solve(problem).u


def draw(task: str, found: Mapping[str, Tensor], problem: Any, folder: Path) -> None:
    """Write the four pictures of frames by row, the reference under "filtered DNS"."""
    grid, times = problem.domain, problem.times.tolist()
    frames = [t for t in TIMES if t < len(times)]
    style = {"filtered DNS": {"color": "black", "linewidth": 2.2}}

    def panel(name: str, count: int, plot: Any, **axes: Any) -> None:
        figure, all_axes = pyplot.subplots(
            1, count, figsize=(3.4 * count, 3.2), layout="constrained", squeeze=False
        )
        for position, ax in enumerate(all_axes[0]):
            for row, u in found.items():
                plot(ax, position, u, {"label": row, "linewidth": 1.1, **style.get(row, {})})
            ax.set(**axes)
            if count > 1:
                ax.set_title(f"t = {times[frames[position]]:.2f}", fontsize=9)
        all_axes[0][-1].legend(fontsize=6)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)

    def spectrum(ax: Any, position: int, u: Tensor, look: dict[str, Any]) -> None:
        e = energy_spectrum(u[:, frames[position]].double(), grid).mean(0)
        ax.loglog(np.arange(1, len(e)), e[1:], **look)

    def density(ax: Any, position: int, u: Tensor, look: dict[str, Any]) -> None:
        centre, value = increment_density(u[:, frames[position]], grid, bins=40, reach=6.0)
        shown = value > 0
        ax.semilogy(centre[shown], value[shown], **look)

    def structure(ax: Any, position: int, u: Tensor, look: dict[str, Any]) -> None:
        lags = range(1, min(grid.shape) // 2 + 1)
        s2 = [float(increments(u[:, -1].double(), grid, lag).square().mean()) for lag in lags]
        ax.loglog([lag * grid.extent[0] / grid.shape[0] for lag in lags], s2, **look)

    def energy(ax: Any, position: int, u: Tensor, look: dict[str, Any]) -> None:
        ax.plot(times, u.double().square().sum(2).mean((0, 2, 3, 4)) / 2, **look)

    panel("spectra", len(frames), spectrum, xlabel="k", ylabel="E(k)")
    panel("increments", len(frames), density, xlabel="increment / rms", ylabel="density")
    panel("structure", 1, structure, xlabel="r", ylabel="second-order structure function")
    panel("energy", 1, energy, xlabel="t", ylabel="kinetic energy")


def table(records: Sequence[Record]) -> np.ndarray[Any, Any]:
    """Return the headline errors (seeds, samples)."""
    return np.array([r.scores["test"]["relative_l2"]["values"] for r in records])


def verdict(task: str, rows: Rows) -> str:
    """Return the sentences that answer the study's questions for one task."""
    lines = [f"## {task}", ""]
    if LABEL_FREE not in rows:
        return "\n".join([*lines, "No record of `lesnets` yet.", ""])
    mine = table(rows[LABEL_FREE])
    lines += [f"Mean relative L2 error of `{LABEL_FREE}`: {mine.mean():.3f}, "
              f"{len(mine)} seed(s), {mine.shape[1]} flows.", ""]  # fmt: skip
    lines += ["| against | its error | difference, label-free minus it [95 %] | apart | its time |",
              "| --- | ---: | ---: | --- | ---: |"]  # fmt: skip
    own = _seconds(rows[LABEL_FREE])
    for name, records in rows.items():
        if name == LABEL_FREE:
            continue
        other = compare(mine, table(records))
        gap = other.difference
        said = "yes" if other.apart() else "no"
        lines.append(
            f"| `{name}` | {table(records).mean():.3f} | {gap.value:+.3f} [{gap.low:+.3f}, "
            f"{gap.high:+.3f}] | {said} | {_seconds(records) / own:.2f}x |"
        )
    return "\n".join([*lines, "", *_equal_error(rows, mine, own), ""])


def _seconds(records: Sequence[Record]) -> float:
    return float(np.mean([r.costs["solve"]["seconds"] for r in records]))


def _equal_error(rows: Rows, mine: np.ndarray[Any, Any], own: float) -> list[str]:
    """Say how long the cheapest simulation takes that is at least as accurate."""
    ladder = {
        name: _seconds(records)
        for name, records in rows.items()
        if name.startswith(("les_", "coarse_dns")) and table(records).mean() <= mine.mean()
    }
    if not ladder:
        return ["No simulation of the ladder is as accurate: no time at equal error."]
    name = min(ladder, key=lambda one: ladder[one])
    factor = ladder[name] / own
    word = "faster" if factor > 1 else "not faster"
    return [
        f"The cheapest simulation that is at least as accurate, `{name}`, takes {factor:.2f} times "
        f"as long: **{word}** than LES at equal error, fit and data not counted."
    ]


def main() -> None:
    """Load, draw, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="small")
    parser.add_argument("--out", type=Path, default=Path("leaderboards/turbulence"))
    given = parser.parse_args()
    store, text = Store(default_store()), "# Label-free, labelled, simulated\n\n"
    for name in TASKS:
        rows = rows_of(store, name, given.track)
        config = compose([f"task={name}", f"track={given.track}", "solver=persistence"])
        run = resolve(config, Choices("persistence", name, given.track))
        task = build(run.config["task"], "task")
        data.prepare(run.data, run.config["task"]["dataset"], task.dataset)
        samples = task.samples(task.evaluate[0])
        problem = samples.problem
        found = {"filtered DNS": samples.target}
        for row, records in rows.items():
            if not row.startswith("persistence"):
                found[row] = answers(store, records[0], problem)
        folder = given.out / name
        folder.mkdir(parents=True, exist_ok=True)
        draw(name, found, problem, folder)
        text += verdict(name, rows) + "\n"
    text += "Made by `python benchmarks/studies/turbulence.py` from the records of the board.\n"
    write_atomically(given.out / "verdict.md", text.encode())
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
