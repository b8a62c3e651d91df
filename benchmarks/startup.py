"""Start-up: CPU seconds of light commands, and what recalling a finished run costs beyond Hydra.

    python benchmarks/startup.py [--rounds 15]

Fresh processes in turn, medians of rounds; user and system time of the child. "recall" is
``pdebench run`` of a run that is in the store; "import hydra" is ``python -c 'import hydra'``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from report import store_result

SMALL = (
    "solver=persistence",
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "task.evaluate=[test]",
)


def cpu_seconds(command: list[str]) -> tuple[float, float]:
    """Return CPU and wall seconds of one process."""
    began = time.perf_counter()
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, time.perf_counter() - began


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("pdebench"))
    with tempfile.TemporaryDirectory() as root:
        run = [program, "run", f"store={root}/store", f"data={root}/data", *SMALL]
        subprocess.run(run, check=True, capture_output=True)
        commands = {
            "pdebench --help": [program, "--help"],
            "pdebench list": [program, "list"],
            "import hydra": [sys.executable, "-c", "import hydra"],
            "recall": run,
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(options.rounds + 1):
            for name, command in commands.items():
                measured = cpu_seconds(command)
                if turn:  # the first round fills the file cache
                    found[name].append(measured)
    rows = {
        name: {"cpu_s": float(np.median(v, 0)[0]), "wall_s": float(np.median(v, 0)[1])}
        for name, v in found.items()
    }
    for name, row in rows.items():
        sys.stdout.write(f"{name:<20} {row['cpu_s']:.3f} s CPU {row['wall_s']:.3f} s wall\n")
    beyond = {k: rows["recall"][k] - rows["import hydra"][k] for k in ("cpu_s", "wall_s")}
    sys.stdout.write(
        f"recall beyond hydra  {beyond['cpu_s']:.3f} s CPU {beyond['wall_s']:.3f} s wall\n"
    )
    store_result(
        "startup",
        {"rows": rows, "recall_beyond_hydra": beyond, "rounds": options.rounds},
        ("hydra-core",),
    )


if __name__ == "__main__":
    main()
