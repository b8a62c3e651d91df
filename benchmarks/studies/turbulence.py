"""Statistics, pictures and the verdict of the study of filtered turbulence, from its records.

    python benchmarks/studies/turbulence.py [--track small] [--out leaderboards/turbulence]

After ``make turbulence`` has filled the store. Every fitted solver is loaded again and answers the
test flows; classical rows solve them again. Written for each task: ``spectra.svg``, ``increments``
(densities at three times), ``structure`` (second-order structure functions at the last frame),
``energy`` (over time) and ``verdict.md``, in which every difference has its interval.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from panels import panels
from rows import Rows, answers, errors, rows_of, samples_of, seconds
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.harness.store import Store
from pdebench.metrics.increments import increment_density, increments
from pdebench.metrics.spectra import energy_spectrum
from pdebench.paths import default_store
from pdebench.statistics import compare

TASKS = ("turbulence/hit_les_decaying", "turbulence/hit_les_driven")
TIMES = (0, 4, 9, 24, 49)  # frames that are drawn: 0.02 to 1.0
LABEL_FREE = "lesnets"
REFERENCE = "filtered DNS"


def draw(found: Mapping[str, Tensor], problem: Any, folder: Path) -> None:
    """Write the four pictures of frames by row."""
    grid, times = problem.domain, problem.times.tolist()
    frames = [t for t in TIMES if t < len(times)]
    titles = [f"t = {times[frame]:.2f}" for frame in frames]

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

    def made(name: str, titles: list[str], plot: Any, **axes: Any) -> None:
        panels(titles, found, plot, folder / f"{name}.svg", reference=REFERENCE, **axes)

    made("spectra", titles, spectrum, wavenumbers=True, xlabel="k")
    made("increments", titles, density, xlabel="increment / rms")
    made("structure", ["second-order structure function"], structure, xlabel="r")
    made("energy", ["kinetic energy"], energy, xlabel="t")


def verdict(task: str, rows: Rows) -> str:
    """Return the sentences that answer the study's questions for one task."""
    lines = [f"## {task}", ""]
    if LABEL_FREE not in rows:
        return "\n".join([*lines, "No record of `lesnets` yet.", ""])
    mine = errors(rows[LABEL_FREE])
    lines += [f"Mean relative L2 error of `{LABEL_FREE}`: {mine.mean():.3f}, "
              f"{len(mine)} seed(s), {mine.shape[1]} flows.", ""]  # fmt: skip
    lines += ["| against | its error | difference, label-free minus it [95 %] | apart | its time |",
              "| --- | ---: | ---: | --- | ---: |"]  # fmt: skip
    own = seconds(rows[LABEL_FREE])
    for name, records in rows.items():
        if name == LABEL_FREE:
            continue
        other = compare(mine, errors(records))
        gap = other.difference
        said = "yes" if other.apart() else "no"
        lines.append(
            f"| `{name}` | {errors(records).mean():.3f} | {gap.value:+.3f} [{gap.low:+.3f}, "
            f"{gap.high:+.3f}] | {said} | {seconds(records) / own:.2f}x |"
        )
    return "\n".join([*lines, "", *_equal_error(rows, mine, own), ""])


def _equal_error(rows: Rows, mine: Any, own: float) -> list[str]:
    """Say how long the cheapest simulation takes that is at least as accurate."""
    ladder = {
        name: seconds(records)
        for name, records in rows.items()
        if name.startswith(("les_", "coarse_dns")) and errors(records).mean() <= mine.mean()
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
        samples = samples_of(name, given.track)
        problem = samples.problem
        found = {REFERENCE: samples.target}
        for row, records in rows.items():
            if not row.startswith("persistence") and "grid=" not in row:
                found[row] = answers(store, records[0], problem)
        folder = given.out / name
        folder.mkdir(parents=True, exist_ok=True)
        draw(found, problem, folder)
        text += verdict(name, rows) + "\n"
    text += "Made by `python benchmarks/studies/turbulence.py` from the records of the board.\n"
    write_atomically(given.out / "verdict.md", text.encode())
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
