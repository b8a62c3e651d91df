"""Making samples in parallel, so that a kill costs one shard and the result never depends on who
made it.

A recipe makes samples ``i .. j`` of a split from nothing but their numbers. Worker processes (one
thread each) own shards of a fixed number of consecutive samples, written aside and renamed;
finished shards are kept, and the last step joins them in order. A shard always holds its full
number of samples, surplus ones are dropped: sample i depends neither on how many are made, nor by
how many workers, nor after which interruption. Bitwise equality holds on one machine; elsewhere
FFTs round differently.
"""

import hashlib
import logging
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pdebench.atomic import atomic_path
from pdebench.errors import DataError
from pdebench.files import Layout, content_digest, write
from pdebench.progress import steps
from pdebench.workers import Workers, one_thread

Array = NDArray[Any]
_log = logging.getLogger(__name__)


def sample_generator(stream: str, index: int) -> np.random.Generator:
    """Return the random generator of sample ``index`` of a stream named ``dataset@version/split``.

    Counter-based: Philox with key [first 8 bytes of SHA-256(stream), index], one stream per sample.
    """
    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(key=np.array([key, index], dtype=np.uint64)))


class Recipe(ABC):
    """How samples are made; must pickle, so that workers can have it."""

    @property
    @abstractmethod
    def counts(self) -> Mapping[str, int]:
        """Split -> number of samples."""

    @property
    @abstractmethod
    def shard(self) -> int:
        """Samples made together; part of what the samples are, since solvers may share a step over
        a batch.
        """

    @abstractmethod
    def make(self, split: str, indices: range) -> Mapping[str, Array]:
        """Return arrays with one row per index; may depend on nothing but its arguments and the
        recipe.
        """

    @abstractmethod
    def layout(self, split: str) -> Layout:
        """Return what the file of a split holds."""

    def begin(self, folder: Path, workers: Workers, progress: bool) -> "Recipe":
        """Do what samples share, such as one long simulation, and return the recipe that has it.

        ``folder`` is kept until all samples are made: what is written there atomically survives a
        kill. Nothing by default.
        """
        return self

    def shared_seconds(self, folder: Path, workers: int) -> float | None:
        """Return about how long `begin` will take in ``folder``; None where it does nothing."""
        return None


@final
@dataclass(frozen=True)
class Shard:
    """Consecutive samples of a split that are made together, and the file that keeps them."""

    split: str
    start: int
    path: Path


def generate(
    recipe: Recipe,
    folder: Path,
    workers: Workers,
    progress: bool | None = None,
    attributes: Mapping[str, str | float] | None = None,
) -> dict[str, str]:
    """Make every split that is not there yet as ``folder/<split>.h5``; return split -> digest of
    those made.

    ``progress`` None shows a bar on terminals; ``attributes`` of every file join those of its
    layout and its ``split``. After Ctrl-C or a kill, the same call goes on with the shards that
    were finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [split for split in recipe.counts if not (folder / f"{split}.h5").exists()]
    shards = [s for split in wanted for s in _shards(recipe, folder, split)]
    todo = [s for s in shards if not finished(s)]
    shown = sys.stderr.isatty() if progress is None else progress
    if todo:
        recipe = recipe.begin(folder / ".shards", workers, shown)
    made = workers.run(_make_elsewhere, [(recipe, shard) for shard in todo])
    for _ in steps(made, f"making {folder.name}, shards", shown, len(todo)):
        pass
    digests = {split: _join(recipe, folder, split, attributes or {}) for split in wanted}
    shutil.rmtree(folder / ".shards", ignore_errors=True)
    return digests


def shards_left(recipe: Recipe, folder: Path) -> list["Shard"]:
    """Return the shards of the splits without a file that are not finished."""
    wanted = [split for split in recipe.counts if not (folder / f"{split}.h5").exists()]
    return [s for split in wanted for s in _shards(recipe, folder, split) if not finished(s)]


def make_alone(recipe: Recipe, shard: "Shard") -> float:
    """Make one shard in this process; return the mean bytes per number of its arrays."""
    with one_thread():
        arrays = _make_shard(recipe, shard)
    return sum(a.nbytes for a in arrays) / max(1, sum(a.size for a in arrays))


def _shards(recipe: Recipe, folder: Path, split: str) -> list[Shard]:
    starts = range(0, recipe.counts[split], recipe.shard)
    return [
        Shard(split, start, folder / ".shards" / f"{split}-{start:08d}.npz") for start in starts
    ]


def finished(shard: Shard) -> bool:
    """Whether the shard is there and has the digest it was written with; a damaged one is made
    again.
    """
    if not shard.path.exists():
        return False
    try:
        _read(shard.path)
    except (DataError, OSError, ValueError, KeyError, EOFError):
        shard.path.unlink(missing_ok=True)
        return False
    except Exception as error:  # zipfile's own errors for truncated archives
        _log.info("shard %s is damaged (%s) and is made again", shard.path.name, error)
        shard.path.unlink(missing_ok=True)
        return False
    return True


def _read(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "digest"}
        said = str(stored["digest"])
    if content_digest(arrays.items()) != said:
        raise DataError(f"shard '{path}' is damaged; it is made again")
    return arrays


def _make_shard(recipe: Recipe, shard: Shard) -> list[Array]:
    arrays = dict(recipe.make(shard.split, range(shard.start, shard.start + recipe.shard)))
    with atomic_path(shard.path) as partial, partial.open("wb") as stream:
        members: dict[str, Any] = {"digest": np.array(content_digest(arrays.items())), **arrays}
        np.savez(stream, **members)  # arrays of objects have failed in the digest
    return list(arrays.values())


def _make_elsewhere(recipe: Recipe, shard: Shard) -> None:
    """Make a shard in a worker; its arrays stay on the disk."""
    _make_shard(recipe, shard)


def _join(recipe: Recipe, folder: Path, split: str, attributes: Mapping[str, str | float]) -> str:
    count = recipe.counts[split]
    layout = recipe.layout(split)
    layout = replace(layout, attributes={**layout.attributes, **attributes, "split": split})

    def pieces() -> Iterator[Mapping[str, Array]]:
        for shard in _shards(recipe, folder, split):
            keep = min(recipe.shard, count - shard.start)
            yield {name: array[:keep] for name, array in _read(shard.path).items()}

    return write(folder / f"{split}.h5", layout, pieces(), count)
