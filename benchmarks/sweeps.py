"""Sweeps and stores: a recalled sweep, a long listing, random kills, two sweeps on one store.

    python benchmarks/sweeps.py [--recall 500] [--records 10000] [--kills 50] [--runs 40] [--only X]

"recall": ``pdebench run -m`` of finished runs, wall seconds of the second time. "list":
``pdebench store list`` cold (no index) and warm. "kills": a sweep whose process group is killed at
random moments and started again until it is finished; every record must be there once, readable,
with the scores that an undisturbed sweep gives. "two": the same sweep started twice at once; runs
computed (said by the two journals) must be as many as there are. ``--only`` measures one of the
four anew and keeps the stored figures of the others.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from report import RESULTS, store_result

from pdebench.harness.journal import journals
from pdebench.harness.store import Store
from pdebench.harness.upkeep import verify

SMALL = (
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "task.evaluate=[test]",
    "threads=1",
)
PROGRAM = str(Path(sys.executable).with_name("pdebench"))


def sweep(root: Path, store: str, seeds: int, solvers: str = "persistence") -> list[str]:
    """Return the command of a sweep."""
    where = [f"store={root}/{store}", f"data={root}/data"]
    runs = [f"solver={solvers}", f"seed=range(0,{seeds})"]
    return [PROGRAM, "run", "-m", *where, *SMALL, *runs]


def seconds(command: list[str]) -> float:
    """Return the wall seconds of a command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def filled(root: Path, store: str, count: int) -> None:
    """Give a store ``count`` records: one that was computed, copied under the ids of others."""
    from pdebench.config import composed
    from pdebench.harness import data, identity
    from pdebench.harness.run import Choices, resolve

    subprocess.run(sweep(root, store, 1), check=True, capture_output=True)
    made = Store(root / store)
    first = next(iter(made))
    overrides = [*SMALL, "solver=persistence", f"store={root}/{store}", f"data={root}/data"]
    run = resolve(composed(overrides)[0], Choices("persistence", "t", "tiny"))
    config, code = run.config, identity.plugin_digest(run.config["solver"])
    digest = data.known_digest(run.data, config["task"]["dataset"]) or ""
    for seed in range(1, count):
        name = identity.run_id(config["task"], config["solver"], seed, digest, code)
        made.put(replace(first, id=name, seed=seed), "cpu")


def recall(root: Path, count: int) -> dict[str, float]:
    """Time a sweep whose runs are all in the store."""
    filled(root, "recall", count)
    taken = seconds(sweep(root, "recall", count))
    state = journals(root / "recall")[-1].state()
    recalled = sum(e.recalled for e in state.ended.values())
    return {"runs": count, "recalled": recalled, "wall_s": taken}


def listing(root: Path, count: int) -> dict[str, float]:
    """Time the listing of many records."""
    filled(root, "list", count)
    command = [PROGRAM, "store", "--store", str(root / "list"), "list"]
    (root / "list" / "index.json").unlink(missing_ok=True)
    cold = seconds(command)
    return {"records": count, "cold_s": cold, "warm_s": min(seconds(command) for _ in range(3))}


def kills(root: Path, count: int, runs: int) -> dict[str, int]:
    """Kill a sweep at random moments; compare with one that was left alone."""
    command = sweep(root, "killed", runs // 2, "persistence,mean")
    subprocess.run(sweep(root, "left", runs // 2, "persistence,mean"), check=True,
                   capture_output=True)  # fmt: skip
    generator, killed = random.Random(0), 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        if killed >= count:
            process.wait()
            break
        try:
            process.wait(generator.uniform(0.5, 8.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            continue
        for file in generator.sample(list(Store(root / "killed").files()), 4):
            file.unlink()  # finished early: take some away, so that there is work to kill
    left = {r.id: r.scores for r in Store(root / "left")}
    found = [(r.id, r.scores) for r in Store(root / "killed")]
    return {
        "kills": killed,
        "runs": runs,
        "lost": len(set(left) - {name for name, _ in found}),
        "wrong": sum(left.get(name) != scores for name, scores in found)
        + len(list(verify(Store(root / "killed")))),
        "twice": len(found) - len({name for name, _ in found}),
    }


def two(root: Path, runs: int) -> dict[str, int]:
    """Start one sweep twice at once."""
    command = sweep(root, "two", runs // 2, "persistence,mean")
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    for process in both:
        process.wait()
    ended = [e for j in journals(root / "two") for e in j.state().ended.values()]
    return {
        "runs": runs,
        "records": len(list(Store(root / "two").files())),
        "computed": sum(not e.recalled for e in ended),
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recall", type=int, default=500, help="runs of the recalled sweep")
    parser.add_argument("--records", type=int, default=10_000, help="records listed")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--runs", type=int, default=40, help="runs of the killed sweep")
    parser.add_argument("--only", choices=("recall", "list", "kills", "two"))
    options = parser.parse_args()
    work = {
        "recall": lambda root: recall(root, options.recall),
        "list": lambda root: listing(root, options.records),
        "kills": lambda root: kills(root, options.kills, options.runs),
        "two": lambda root: two(root, options.runs),
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in [options.only] if options.only else list(work):
            found[name] = work[name](Path(folder))
            sys.stdout.write(f"{name}: {json.dumps(found[name])}\n")
            sys.stdout.flush()
    stored = RESULTS / "sweeps.json"  # --only measures one anew and keeps the others
    before = json.loads(stored.read_text())["rows"] if options.only and stored.exists() else {}
    content = {"command": "python benchmarks/sweeps.py", "rows": before | found}
    store_result("sweeps", content, ("hydra-core",))


if __name__ == "__main__":
    main()
