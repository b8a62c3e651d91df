"""What a generation will take, from one shard that is made for good."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pdebench.errors import DataError
from pdebench.generation import Recipe, finished, make_alone, shards_left
from pdebench.workers import count


@final
@dataclass(frozen=True)
class Estimate:
    """Samples and bytes in all, samples still to make, seconds for those on ``workers``
    processes.
    """

    samples: int
    nbytes: int
    samples_left: int
    seconds: float
    workers: int


def estimate(recipe: Recipe, folder: Path, workers: int | None = None) -> Estimate:
    """Make (and keep) one shard of the first split that lacks some, and extrapolate.

    Sizes follow from the layouts, exact but for the header of a file; seconds assume that samples
    of every split take as long as those of the measured one. Where samples share their work, no
    shard is made and the recipe says how long that takes.
    """
    left = shards_left(recipe, folder)
    cores = count(workers)
    wanted = max(1, min(cores, len(left) or 1))
    shared = recipe.shared_seconds(folder / ".shards", cores) if left else None
    seconds, width = shared or 0.0, 4.0
    if left and shared is None:
        began = time.perf_counter()
        width = make_alone(recipe, left[0])
        seconds = (time.perf_counter() - began) * (len(left) - 1) / wanted
        left = [shard for shard in left[1:] if not finished(shard)]
    samples = sum(recipe.counts.values())
    nbytes = sum(_row(recipe, split) * num for split, num in recipe.counts.items())
    making = sum(min(recipe.shard, recipe.counts[s.split] - s.start) for s in left)
    return Estimate(samples, round(nbytes * width), making, seconds, wanted)


def _row(recipe: Recipe, split: str) -> int:
    """Numbers in one sample of a split."""
    layout = recipe.layout(split)
    total = 0
    for variable in layout.variables.values():
        numbers = 1
        for axis in variable.axes:
            numbers *= len(layout.coordinates[axis][0])
        total += numbers
    return total


def require_space(found: Estimate, folder: Path) -> None:
    """Raise DataError where shards and files together do not fit on the disk."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if found.samples_left and 2 * found.nbytes > free:
        raise DataError(
            f"'{folder}' needs {2 * found.nbytes / 1e9:.1f} GB while the data are made and has "
            f"{free / 1e9:.1f} GB free; free space or choose another folder with --data"
        )
