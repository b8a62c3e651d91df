"""Kill a generation at random moments and compare the file it ends with, bit by bit.

    python benchmarks/kill_generation.py [--kills 20] [--workers 1,2,3]

Samples of forced Navier-Stokes flow are made in a process of its own that is killed (SIGKILL) after
a random time and started again, until it has been killed so often; then it may finish. Every
shard that was finished before a kill must still be there after it, unchanged; the files must equal
those of an uninterrupted run with one worker, for every number of workers.
"""

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from report import store_result

PROGRAM = """
import sys
from pathlib import Path
from pdebench_navier_stokes.forced import Forced
from pdebench_spectral.solver import Spectral
from pdebench.generation import generate
from pdebench.workers import Workers
counts = {"train": int(sys.argv[3]), "test": 8}
data = Forced(1e-3, 16, 16, 20, counts, Spectral(), shard=2)
with Workers(int(sys.argv[2])) as workers:
    generate(data.recipe, Path(sys.argv[1]), workers, progress=False)
"""


def started(folder: Path, workers: int, num: int) -> subprocess.Popen[bytes]:
    """Start the generation in a group of its own."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(workers), str(num)]
    return subprocess.Popen(
        command, start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def fingerprints(folder: Path) -> dict[str, tuple[int, str]]:
    """Time and SHA-256 of every finished shard; the last step removes them while we look."""
    found = {}
    for file in (folder / ".shards").glob("*.npz"):
        with contextlib.suppress(FileNotFoundError):
            if not file.name.startswith("."):
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                found[file.name] = (file.stat().st_mtime_ns, digest)
    return found


def number(folder: Path) -> int:
    """Finished shards."""
    return sum(not f.name.startswith(".") for f in (folder / ".shards").glob("*.npz"))


def arrays(folder: Path) -> dict[str, str]:
    """SHA-256 of every array of every file, and of the files' bytes."""
    import h5py

    found = {}
    for file in sorted(folder.glob("*.h5")):
        found[f"{file.name} bytes"] = hashlib.sha256(file.read_bytes()).hexdigest()
        with h5py.File(file) as stored:
            for name in ("vorticity", "viscosity"):
                found[f"{file.name} {name}"] = hashlib.sha256(
                    stored[name][()].tobytes()
                ).hexdigest()
    return found


def finished_run(folder: Path, workers: int, num: int) -> float:
    """Run to the end; return seconds."""
    began = time.monotonic()
    assert started(folder, workers, num).wait() == 0
    return time.monotonic() - began


def killed_run(folder: Path, workers: int, num: int, kills: int, seed: int) -> dict[str, int]:
    """Kill ``kills`` times after random fractions of a second of making, then run to the end."""
    chance = random.Random(seed)
    lost = changed = kept = done = 0
    for _ in range(kills):
        process = started(folder, workers, num)
        had = number(folder)
        # Wait until something new is made, so that kills fall into making and not into imports.
        while process.poll() is None and number(folder) <= had:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.3))
        before = fingerprints(folder)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done += 1
        after = fingerprints(folder)
        lost += len(set(before) - set(after))
        changed += sum(after[n] != before[n] for n in before if n in after)
        kept = len(after)
    before = fingerprints(folder)
    process = started(folder, workers, num)
    while process.poll() is None:
        after = fingerprints(folder)
        changed += sum(after[n] != before[n] for n in before if n in after)
        time.sleep(0.02)
    assert process.returncode == 0
    return {"kills": done, "shards_lost": lost, "shards_changed": changed, "kept_at_last": kept}


def main() -> None:
    """Kill, compare, store; exit with 1 where anything differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", default="1,2,3")
    parser.add_argument("--samples", type=int, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        seconds = finished_run(root / "whole", 1, options.samples)
        whole = arrays(root / "whole")
        rows = {}
        for workers in map(int, options.workers.split(",")):
            folder = root / f"killed{workers}"
            row = killed_run(folder, workers, options.samples, options.kills, workers)
            same = arrays(folder)
            rows[f"{workers} workers"] = {
                **row,
                "arrays_equal": all(same[k] == whole[k] for k in whole if "bytes" not in k),
                "files_equal": same == whole,
            }
            sys.stdout.write(f"{workers} workers: {rows[f'{workers} workers']}\n")
    good = all(
        r["arrays_equal"] and not r["shards_lost"] and not r["shards_changed"]
        for r in rows.values()
    )
    facts = {"samples": options.samples, "uninterrupted_s": seconds}
    store_result("kill_generation", {"rows": rows, "facts": facts, "good": good}, ("h5py",))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
