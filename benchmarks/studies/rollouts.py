"""Pictures and verdict of the study of long rollouts, from its records.

    python benchmarks/studies/rollouts.py [--track small] [--out leaderboards/channel]

After ``make channel-study`` has filled the store. The first seed of every fitted solver is loaded
again and answers the flows of the longest split; classical rows solve them again. Written for the
channel: ``profiles.svg`` (mean, fluctuations, shear stress from wall to wall) and ``spectra.svg``
(along the stream, next to the wall and in the middle); for isotropic turbulence ``spectra.svg``
(early, half way, at the end) and ``energy.svg``; for both ``error.svg`` (over time); beside them
``verdict.md``: what stayed stable and until when, errors with intervals, cost against LES.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from panels import panels
from rows import Rows, answers, errors, label, rows_of, samples_of, seconds
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.errors import Diverged
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.metrics.channels import velocity
from pdebench.metrics.profiles import mean_profile, stress_profiles, wall
from pdebench.metrics.spectra import energy_spectrum
from pdebench.metrics.walls import wall_spectra
from pdebench.paths import default_store
from pdebench.statistics import compare, mean_interval

CHANNEL, ISOTROPIC = "turbulence/channel_evolve", "turbulence/hit_evolve"
LONG = {CHANNEL: "test_long", ISOTROPIC: "test"}
STATISTICS = {
    CHANNEL: ("mean_profile_error", "rms_profile_error", "reynolds_stress_error"),
    ISOTROPIC: ("spectrum_error", "log_spectral_distance", "energy_drift"),
}
SIMULATIONS = ("channel", "les_", "coarse_dns")  # what their names start with
SUBJECT = "ifactformer_m"
REFERENCE = "reference"
Flows = Mapping[str, Tensor]


def draw_channel(flows: Flows, domain: Any, folder: Path) -> None:
    """Draw profiles over the wall-normal coordinate and spectra along the stream."""
    grid, normal = wall(domain)
    heights = grid.axes[normal].nodes.numpy()
    means = {row: mean_profile(flow, domain).mean(0) for row, flow in flows.items()}
    stress = {row: stress_profiles(flow, domain).mean(0) for row, flow in flows.items()}
    spectra = {row: wall_spectra(flow, domain)[0].mean(0) for row, flow in flows.items()}
    streamwise = 0  # the first velocity component is that along the pressure gradient
    wall_normal = normal

    def profile(ax: Any, position: int, row: str, look: dict[str, Any]) -> None:
        value = (
            means[row][streamwise],
            stress[row].diagonal(dim1=0, dim2=1)[:, 0].clamp_min(0).sqrt(),
            stress[row].diagonal(dim1=0, dim2=1)[:, wall_normal].clamp_min(0).sqrt(),
            -stress[row][streamwise, wall_normal],
        )[position]
        ax.plot(heights, value, **look)

    def spectrum(ax: Any, position: int, row: str, look: dict[str, Any]) -> None:
        at = (2, len(heights) // 2)[position]
        e = spectra[row].sum(0)[:, at]
        ax.loglog(np.arange(1, len(e) + 1), e, **look)

    named: Any = {row: row for row in flows}
    titles = ("mean velocity", "rms, streamwise", "rms, wall-normal", "shear stress")
    panels(titles, named, profile, folder / "profiles.svg", reference=REFERENCE, xlabel="y")
    places = [f"at y = {heights[at]:.3g}" for at in (2, len(heights) // 2)]
    path = folder / "spectra.svg"
    panels(places, named, spectrum, path, reference=REFERENCE, wavenumbers=True, xlabel="k_x")


def draw_isotropic(flows: Flows, domain: Any, times: Sequence[float], folder: Path) -> None:
    """Draw energy spectra at three times and the kinetic energy."""
    frames = [0, len(times) // 2, len(times) - 1]

    def spectrum(ax: Any, position: int, flow: Tensor, look: dict[str, Any]) -> None:
        e = energy_spectrum(flow[:, frames[position]].double(), domain).mean(0)
        ax.loglog(np.arange(1, len(e)), e[1:], **look)

    def energy(ax: Any, _: int, flow: Tensor, look: dict[str, Any]) -> None:
        ax.plot(times, flow.double().square().sum(2).flatten(2).mean((0, 2)) / 2, **look)

    titles = [f"t = {times[frame]:.2f}" for frame in frames]
    path = folder / "spectra.svg"
    panels(titles, flows, spectrum, path, reference=REFERENCE, wavenumbers=True, xlabel="k")
    path = folder / "energy.svg"
    panels(["kinetic energy"], flows, energy, path, reference=REFERENCE, xlabel="t")


def draw_error(flows: Flows, times: Sequence[float], folder: Path) -> None:
    """Draw the relative error of every frame, the mean over flows."""
    target = flows[REFERENCE].double().flatten(2)

    def error(ax: Any, _: int, flow: Tensor, look: dict[str, Any]) -> None:
        gap = (flow.double().flatten(2) - target).norm(dim=2) / target.norm(dim=2)
        ax.semilogy(times, gap.mean(0), **look)

    rows = {row: flow for row, flow in flows.items() if row != REFERENCE}
    path = folder / "error.svg"
    panels(["relative L2 error"], rows, error, path, reference=REFERENCE, xlabel="t")


def flows_of(store: Store, rows: Rows, samples: Any) -> Flows:
    """Return the velocities (B, T, C, *S) of the reference and of the first seed of each row."""
    problem = samples.problem
    found = {REFERENCE: velocity(samples.target, problem)}
    for row, records in rows.items():
        if row.startswith(("persistence", "mean")):
            continue
        try:
            found[row] = velocity(answers(store, records[0], problem), problem)
        except Diverged as error:
            sys.stderr.write(f"{row}: {error}; no line in the pictures\n")
    return found


def pictures(store: Store, task: str, rows: Rows, samples: Any, folder: Path) -> None:
    """Draw what the flows of a task show."""
    flows = flows_of(store, rows, samples)
    folder.mkdir(parents=True, exist_ok=True)
    times = samples.problem.times.tolist()
    if task == CHANNEL:
        draw_channel(flows, samples.problem.domain, folder)
    else:
        draw_isotropic(flows, samples.problem.domain, times, folder)
    draw_error(flows, times, folder)


def cells(records: Sequence[Record], metrics: Sequence[str], split: str) -> list[str]:
    """Return mean and interval of each metric, or how many seeds left finite numbers."""
    found = []
    for metric in metrics:
        scores = [record.scores.get(split, {}).get(metric, {}) for record in records]
        blown = sum(str(s.get("not_applicable", "")).startswith("diverged") for s in scores)
        if blown:
            found.append(f"{blown} of {len(records)} seeds blew up")
        elif not all("values" in s for s in scores):
            found.append("not applicable")
        else:
            values = errors(records, metric, split)
            mean = mean_interval(values)
            spread = f" [{mean.low:.3g}, {mean.high:.3g}]" if values.size > 1 else ""
            found.append(f"{mean.value:.3g}{spread}")
    return found


def epochs(records: Sequence[Record]) -> str:
    """Return how many passes over the training split the seeds made, "" where nothing is fitted."""
    ends = [int(record.curve[-1]["epoch"]) + 1 for record in records if record.curve]
    return f"{min(ends)} to {max(ends)}" if ends else ""


def stability(store: Store, task: str, track: str) -> list[str]:
    """Return a line for every run that left finite numbers, with the time at which it did."""
    lines = []
    for record in readable(store, task, "study"):
        if record.task.get("track") != track:
            continue
        if record.status == "diverged":
            lines.append(f"- `{label(record)}`, seed {record.seed}: {record.reason}")
        for split, scores in record.scores.items():
            told = {s["not_applicable"] for s in scores.values() if "not_applicable" in s}
            lines += [
                f"- `{label(record)}`, seed {record.seed}, {split}: {reason}"
                for reason in sorted(told)
                if "left finite" in str(reason)
            ]
    return sorted(set(lines)) or ["Every run kept finite numbers on every split."]


def verdict(task: str, rows: Rows, blown: Sequence[str]) -> list[str]:
    """Return the table of a task and its comparisons."""
    long, statistics = LONG[task], STATISTICS[task]
    fastest = min(
        (seconds(r) for n, r in rows.items() if "les_" in n), default=float("nan")
    )  # of the LES rows
    head = [
        "row",
        "seeds",
        "epochs",
        "relative L2, test",
        *(f"{s}, {long}" for s in statistics),
        "LES / it",
    ]
    lines = [f"## {task}", "", "| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for name, records in rows.items():
        row = [f"`{name}`", str(len(records)), epochs(records)]
        row += [*cells(records, ["relative_l2"], "test")]
        row += [*cells(records, statistics, long), f"{fastest / seconds(records):.2f}x"]
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", "`LES / it`: seconds of the fastest LES row over the row's own.", ""]
    lines += ["Stability:", "", *blown, ""]
    if SUBJECT in rows:
        lines += [f"Relative L2 error on test, `{SUBJECT}` minus the row, 95 % intervals:", ""]
        mine = errors(rows[SUBJECT])
        for name, records in rows.items():
            if name != SUBJECT:
                gap = compare(mine, errors(records)).difference
                word = "lower" if gap.high < 0 else "higher" if gap.low > 0 else "not to tell"
                lines.append(
                    f"- `{name}`: {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {word}"
                )
        lines.append("")
    return lines


def main() -> None:
    """Load, draw, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="small")
    parser.add_argument("--out", type=Path, default=Path("leaderboards/channel"))
    parser.add_argument("--no-pictures", action="store_true", help="write the verdict alone")
    given = parser.parse_args()
    store = Store(default_store())
    lines = ["# Long rollouts: stable, close in statistics, cheaper than LES?", ""]
    for task, long in LONG.items():
        rows = rows_of(store, task, given.track)
        if not rows:
            lines += [f"## {task}", "", "No records yet.", ""]
            continue
        if not given.no_pictures:
            pictures(store, task, rows, samples_of(task, given.track, long), given.out / task)
        lines += verdict(task, rows, stability(store, task, given.track))
    lines.append("Made by `python benchmarks/studies/rollouts.py` from the records of the board.")
    text = "\n".join(lines) + "\n"
    write_atomically(given.out / "verdict.md", text.encode())
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
