"""Shuffled batches of vorticity trajectories: this suite against The Well's loader and the page
cache.

    python benchmarks/data_reading.py [--samples 512] [--batch 16] [--rounds 7]

One content (64^2 x 20 frames, float32), written once in the suite's layout and once in The Well's.
Every round reads all samples in random order, in batches, summing nothing. All files are in the
page cache. ``page cache`` copies as many bytes of the same file in random order with ``preadv``
into a new buffer a batch, by as many threads, and does nothing else: what the machine can do.
``memory`` is the suite with its memory cache. ``the_well`` is the loader from PyPI inside torch's
DataLoader, in this process (0 workers) and with two worker processes, whichever is faster counts.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from report import interleaved, write_result

from pdebench.files import Layout, Variable, write
from pdebench.formats.detect import contents
from pdebench.formats.export import to_the_well
from pdebench.stored import Stored

FRAMES, GRID = 20, 64


def written(folder: Path, num: int) -> tuple[Path, Path]:
    """Write the same random trajectories in both layouts."""
    points = np.arange(GRID) / GRID
    layout = Layout(
        {"vorticity": Variable(("time", "channel", "x", "y"), "1/s", "vorticity")},
        {
            "time": (np.arange(FRAMES, dtype=float), "s"),
            "channel": (np.array(["vorticity"]), "1"),
            "x": (points, "m"),
            "y": (points, "m"),
        },
        {"dataset": "benchmark", "split": "train"},
    )
    random = np.random.default_rng(0)

    def pieces():
        for _ in range(0, num, 64):
            shape = (64, FRAMES, 1, GRID, GRID)
            yield {"vorticity": random.standard_normal(shape, dtype=np.float32)}

    own = folder / "train.h5"
    write(own, layout, pieces(), num)
    for _ in to_the_well([("train", contents(str(own)))], folder / "well"):
        pass
    return own, folder / "well"


def orders(num: int, batch: int):
    """Yield batches of a new random order."""
    yield from np.array_split(np.random.permutation(num), num // batch)


def suite(path: Path, num: int, batch: int, limit: int) -> Callable[[], None]:
    """Return one epoch of the suite's reading; ``limit`` bytes of memory cache."""
    stored = Stored(path, limit=limit)

    def work() -> None:
        for positions in orders(num, batch):
            torch.from_numpy(stored.read("vorticity", positions))

    return work


def page_cache(path: Path, num: int, batch: int) -> Callable[[], None]:
    """Return the same bytes in the same order by preadv, threads as many as the suite's readers."""
    row = FRAMES * GRID * GRID * 4
    descriptor = os.open(path, os.O_RDONLY)
    threads = len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(threads)

    def some(out: np.ndarray, positions: np.ndarray, places: np.ndarray) -> None:
        for place in places:
            os.preadv(descriptor, [memoryview(out[place])], int(positions[place]) * row)

    def work() -> None:
        for positions in orders(num, batch):
            out = np.empty((len(positions), row), np.uint8)
            order = np.argsort(positions)
            jobs = [
                pool.submit(some, out, positions, part) for part in np.array_split(order, threads)
            ]
            for job in jobs:
                job.result()

    return work


def the_well(folder: Path, batch: int, workers: int) -> Callable[[], None]:
    """Return one epoch of The Well's loader: whole trajectories, shuffled."""
    from the_well.data import WellDataset

    data = WellDataset(
        path=str(folder / "data" / "train"),
        n_steps_input=1,
        n_steps_output=FRAMES - 1,
        use_normalization=False,
        return_grid=False,
        boundary_return_type=None,
    )
    loader = torch.utils.data.DataLoader(
        data,
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def work() -> None:
        for _ in loader:
            pass

    return work


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    num, batch = options.samples, options.batch
    torch.set_num_threads(1)  # reading computes nothing; idle threads would take the readers' cores
    began = time.time()
    with tempfile.TemporaryDirectory() as name:
        own, well = written(Path(name), num)
        pieces = {
            "page cache": page_cache(own, num, batch),
            "suite": suite(own, num, batch, limit=0),
            "suite, memory cache": suite(own, num, batch, limit=1 << 40),
            "the_well, 0 workers": the_well(well, batch, 0),
            "the_well, 2 workers": the_well(well, batch, 2),
        }
        seconds = interleaved(pieces, options.rounds, warmup=1)
    size = num * FRAMES * GRID * GRID * 4
    best = {name: min(values) for name, values in seconds.items()}
    rates = {name: size / 1e9 / float(np.median(values)) for name, values in seconds.items()}
    peer = min(("the_well, 0 workers", "the_well, 2 workers"), key=best.__getitem__)
    facts = {
        "samples": num,
        "batch": batch,
        "bytes": size,
        "GB/s": rates,
        "share of page cache": rates["suite"] / rates["page cache"],
        "times The Well": rates["suite"] / rates[peer],
        "faster Well setting": peer,
    }
    sys.stdout.write(
        f"{facts['share of page cache']:.0%} of the page cache's bandwidth, "
        f"{facts['times The Well']:.1f} x The Well\n"
    )
    packages = ("torch", "h5py", "the-well")
    write_result("data_reading", seconds, "suite", facts, packages, time.time() - began)


if __name__ == "__main__":
    main()
