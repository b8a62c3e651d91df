"""Seconds and memory of making every data set from nothing.

    python benchmarks/make_data.py [--track tiny] [--only WORD ...] [--again] [--scratch FOLDER]

Each data set of the track is made by `pdebench data make` in a process and an empty folder of its
own, with as many workers as by default (one per core), interpreter start included; the folder is
removed afterwards. Beside the wall clock stand the processor's seconds of all processes, which a
busy machine changes less, and the peak memory of the largest of them. Every figure is stored as
soon as it is there, those that are stored are not measured again: a stopped run goes on.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import RESULTS, store_result

LIMITS = {"tiny": 20.0, "small": 600.0}  # seconds that a track should take on two cores
COMMAND = [sys.executable, "-m", "pdebench"]
# what makes all rows, whichever of them were measured last and wherever
COMMANDS = " && ".join(f"python benchmarks/make_data.py --track {track}" for track in LIMITS)


def names(track: str, words: list[str]) -> list[str]:
    """Return the data sets of a track whose name holds one of the words."""
    done = subprocess.run(
        [*COMMAND, "list", "dataset", "--names"], capture_output=True, text=True, check=True
    )
    found = [name for name in done.stdout.split() if name.endswith(f"/{track}")]
    return [name for name in found if not words or any(word in name for word in words)]


def made(name: str, folder: Path) -> dict[str, Any]:
    """Make one data set in an empty folder and return its figures."""
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "PDEBENCH_DATA": str(folder)}
    load, began = os.getloadavg()[0], time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, "data", "make", name], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"'pdebench data make {name}' ended with {process.returncode}")
    nbytes = sum(file.stat().st_size for file in folder.rglob("*.h5"))
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_bytes_of_largest_process": used.ru_maxrss * 1024,
        "bytes_on_disk": nbytes,
        "load_before": round(load, 1),  # runnable processes, ours not counted
    }


def stored() -> dict[str, Any]:
    """Return the rows that are stored."""
    file = RESULTS / "make_data.json"
    return json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else {}


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="tiny", help="tiny, small or paper")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="names that hold one")
    parser.add_argument("--again", action="store_true", help="measure what is stored, too")
    parser.add_argument("--scratch", type=Path, help="where to make them; a temporary folder")
    given = parser.parse_args()
    limit = LIMITS.get(given.track, float("inf"))
    for name in names(given.track, given.only):
        if name in stored() and not given.again:
            continue
        scratch = Path(tempfile.mkdtemp(dir=given.scratch, prefix="make_data_"))
        try:
            row = made(name, scratch / "data")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        row["cores"] = len(os.sched_getaffinity(0))
        rows = dict(sorted({**stored(), name: row}.items()))
        store_result("make_data", {"command": COMMANDS, "rows": rows})
        sys.stdout.write(
            f"{name:<34} {row['seconds']:8.1f} s, {row['processor_seconds']:8.1f} s of processor, "
            f"{row['peak_bytes_of_largest_process'] / 2**20:6.0f} MiB"
            f"{'' if row['seconds'] < limit else '   above the limit'}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
