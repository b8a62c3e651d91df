"""Fine-tuned against from scratch: errors by number of trajectories, efficiency and accuracy gain.

    python benchmarks/studies/poseidon_gains.py [--threads 1]

Runs (or recalls) experiment=poseidon/mixture, then experiment=poseidon/transfer with 4, 16, 64
and 256 trajectories of Kolmogorov flow and three seeds: a small Poseidon from scratch, the same one
from the pretrained weights (with one rate, and with the parts' own rates), and FNO with the same
number of updates. Scored by the published measure, the median over test samples of the relative L1
error at the last frame. Gains by the published definitions (pdebench_poseidon.gains), with FNO's
largest number here, 256, in place of 1024 and 64 in place of 128.

Reads PDEBENCH_STORE and PDEBENCH_DATA like ``pdebench run``. Writes gains.json and gains.svg
into leaderboards/poseidon (make poseidon makes the board beside them).
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median
from typing import Any

from pdebench_poseidon.gains import Gain, accuracy_gain, efficiency_gain

from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.paths import default_store

NUMBERS, SEEDS = (4, 16, 64, 256), (0, 1, 2)
VALIDATE_EVERY = (30, 15, 4, 1)  # epochs, so that every row validates about equally often
BASE, MIDDLE = 256, 64
TASK, METRIC = "navier_stokes/transfer_kolmogorov", "poseidon_relative_l1"
RESULT = Path("leaderboards/poseidon/gains.json")
PICTURE = RESULT.with_suffix(".svg")
Curves = Mapping[str, Mapping[int, Mapping[int, float]]]  # variant -> samples -> seed -> per cent


def pdebench(*arguments: str) -> None:
    """Run the suite's command line; stop where it refuses."""
    subprocess.run([sys.executable, "-m", "pdebench", *arguments], check=True)


def pretrained(store: Store, threads: int) -> tuple[Path, Record]:
    """Return the folder of the pretrained weights and the record of their training."""
    pdebench("run", "experiment=poseidon/mixture", f"threads={threads}")
    found = [r for r in store if r.task["name"] == "navier_stokes/evolve_mixture"]
    newest = max(found, key=lambda record: record.created)
    if newest.status != "ok":
        raise SystemExit(f"pretraining ended as {newest.status}: {newest.reason}")
    folder = store.workspace(newest.id)
    # the board prints the path: from here where it can be, so that it is no machine's own
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder, newest


def runs(folder: Path, threads: int) -> None:
    """Make every run of the comparison that is not in the store yet."""
    transfer, tuned = "experiment=poseidon/transfer", "experiment=poseidon/transfer_tuned"
    common = [f"threads={threads}", f"seed={','.join(map(str, SEEDS))}"]
    for number, epochs in zip(NUMBERS, VALIDATE_EVERY, strict=True):
        own = [*common, f"+task.train_samples={number}"]
        pdebench("run", "-m", transfer, "solver=persistence", *own)
        own.append(f"solver.training.validate_every={epochs}")
        pdebench("run", "-m", transfer, "solver=fno", *own)
        pdebench("run", "-m", transfer, *own)
        pdebench("run", "-m", transfer, f"solver.checkpoint={folder}", *own)
        pdebench("run", "-m", tuned, f"solver.checkpoint={folder}", *own)


def variant(record: Record) -> str:
    """Return what a record is called in the comparison."""
    solver = record.config["solver"]
    if not solver.get("checkpoint"):
        name = str(record.solver["name"])
        return "poseidon from scratch" if name == "poseidon" else name
    return "poseidon fine-tuned" + (", own rates" if solver.get("rates") else "")


def collected(store: Store) -> Curves:
    """Return the median errors by variant, number of samples and seed; newest records count."""
    curves: dict[str, dict[int, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in sorted(store, key=lambda record: record.created):
        if record.task["name"] != TASK or record.status != "ok":
            continue
        values = record.scores["test"][METRIC]["values"]
        number = int(record.config["task"]["train_samples"])
        curves[variant(record)][number][record.seed] = median(values)
    return curves


def by_seed(curve: Mapping[int, Mapping[int, float]], seed: int) -> list[float]:
    """Return the errors of one seed in order of NUMBERS."""
    return [curve[number][seed] for number in NUMBERS]


def gains(curves: Curves, name: str) -> dict[str, Any]:
    """Return both gains of a variant over FNO and over the same network from scratch, by seed."""
    found: dict[str, Any] = {}
    for against in ("fno", "poseidon from scratch"):
        if against == name:
            continue
        efficiency: list[Gain] = []
        accuracy: list[float] = []
        for seed in SEEDS:
            own, other = by_seed(curves[name], seed), by_seed(curves[against], seed)
            efficiency.append(efficiency_gain(NUMBERS, own, other[-1], BASE))
            accuracy.append(accuracy_gain(NUMBERS, own, NUMBERS, other, MIDDLE))
        found[f"against {against}"] = {
            "efficiency_gain": [
                {"value": round(gain.value, 3), "bound": gain.bound} for gain in efficiency
            ],
            "accuracy_gain": [round(value, 3) for value in accuracy],
        }
    return found


def picture(curves: Curves) -> None:
    """Draw error against trajectories, one line a variant, every seed a dot."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = "pdebench"
    figure, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    for (name, curve), mark in zip(sorted(curves.items()), "osD^v", strict=False):
        middle = [mean(curve[number].values()) for number in NUMBERS]
        (line,) = axes.loglog(NUMBERS, middle, marker=mark, label=name)
        for number in NUMBERS:
            seeds = list(curve[number].values())
            axes.scatter([number] * len(seeds), seeds, s=8, color=line.get_color(), alpha=0.5)
    axes.set_xticks(NUMBERS, [str(number) for number in NUMBERS])
    axes.set_xlabel("training trajectories of Kolmogorov flow")
    axes.set_ylabel("median relative L1 error, last frame, %")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    """Run what is missing, compute the gains, store and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    store = Store(default_store())
    folder, source = pretrained(store, given.threads)
    runs(folder, given.threads)
    curves = collected(store)
    content = {
        "pretraining": {
            "seconds": source.costs["fit"]["seconds"],
            "trajectories": source.task["dataset"]["splits"]["train"],
            "test_relative_l2": source.mean("relative_l2"),
        },
        "errors_percent": {
            name: {str(n): [round(v, 4) for v in curve[n].values()] for n in NUMBERS}
            for name, curve in sorted(curves.items())
        },
        "gains": {
            name: gains(curves, name)
            for name in sorted(curves)
            if name not in ("fno", "persistence")
        },
        "baseline_samples": BASE,
        "accuracy_samples": MIDDLE,
        "threads": given.threads,
    }
    for name, curve in content["errors_percent"].items():
        sys.stdout.write(f"{name:<34} {curve}\n")
    for name, found in content["gains"].items():
        sys.stdout.write(f"{name:<34} {found}\n")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    picture(curves)


if __name__ == "__main__":
    main()
