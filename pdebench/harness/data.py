"""Prepare a data set in its own folder and remember its digest, so that a recall needs neither
torch nor h5py.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdebench.atomic import write_atomically
from pdebench.errors import DataError
from pdebench.harness.identity import canonical, data_key

if TYPE_CHECKING:
    from pdebench.dataset import Dataset

_MANIFEST = "manifest.json"


def folder_of(root: Path, dataset_config: dict[str, Any]) -> Path:
    """Return the folder of a data set: ``<root>/<hash of its configuration>``."""
    return root / data_key(dataset_config)


def _files(folder: Path, config: dict[str, Any]) -> dict[str, list[int]]:
    """Size and modification time (ns) of every finished file, and of the imported file or folder;
    enough to notice truncation and editing cheaply.
    """
    found = [
        file
        for file in sorted(folder.glob("*"))
        if file.is_file() and file.name != _MANIFEST and not file.name.startswith(".")
    ]
    stated = {file.name: file.stat() for file in found}
    path = config.get("path")
    if isinstance(path, str) and Path(path).exists():
        stated[path] = Path(path).stat()
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stated.items()}


def known_digest(root: Path, dataset_config: dict[str, Any]) -> str | None:
    """Return the digest of a data set that was prepared and not touched since, or None."""
    folder = folder_of(root, dataset_config)
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if manifest["files"] == _files(folder, dataset_config) and manifest["files"]:
            return str(manifest["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def prepare(root: Path, dataset_config: dict[str, Any], dataset: "Dataset") -> str:
    """Make or check the data set below ``root`` and return its digest.

    One process prepares at a time; others wait. Raises DataError where the content no longer has
    the digest it was made with (someone edited it), naming the folder.
    """
    folder = folder_of(root, dataset_config)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        touched = known_digest(root, dataset_config) is None
        before = _recorded(folder)
        began = time.perf_counter()
        digest = dataset.prepare(folder)
        seconds = time.perf_counter() - began
        if before is not None and before != digest:
            raise DataError(
                f"data set folder '{folder}' was made with digest {before[:12]} and now has "
                f"{digest[:12]}: it was edited or "
                "damaged; delete the folder and it is made again"
            )
        if touched:
            known = making_seconds(root, dataset_config)
            manifest = {
                "digest": digest,
                "config": dataset_config,
                "files": _files(folder, dataset_config),
            }
            manifest["seconds"] = seconds if known is None else known
            write_atomically(folder / _MANIFEST, canonical(manifest).encode())
    return digest


def making_seconds(root: Path, dataset_config: dict[str, Any]) -> float | None:
    """Return the wall seconds that making the data set took (its last part, where a kill cut it
    short), or None.
    """
    try:
        manifest = folder_of(root, dataset_config) / _MANIFEST
        return float(json.loads(manifest.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _recorded(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".prepare.lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
