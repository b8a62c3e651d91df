"""Looking after a store: merge another's records, collect what nothing needs, verify the rest."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np

from pdebench.atomic import write_atomically
from pdebench.errors import StoreError
from pdebench.harness import identity
from pdebench.harness.record import Record
from pdebench.harness.store import Store

_ABANDONED = 3600.0  # s after which a temporary file has no writer any more


@final
@dataclass
class Merged:
    """What a merge did: counts, and a sentence per record that differed or could not be read."""

    added: int = 0
    replaced: int = 0
    same: int = 0
    kept: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def merge(store: Store, other: Store, fits: bool = False) -> Merged:
    """Copy into ``store`` what it lacks of ``other``: records and arrays; weights with ``fits``.

    Where both have a run, a good record replaces one that is not; otherwise ours is kept, and said
    so where the two differ. Raises StoreError where ``other`` is no store.
    """
    if not (other.root / "records").is_dir():
        raise StoreError(f"'{other.root}' holds no records; name a store's folder")
    done = Merged()
    for file in other.files():
        try:
            theirs = other.read(file)
            kind = _device(file)
            ours = store.get(theirs.id, kind)
        except StoreError as error:
            done.damaged.append(str(error))
            continue
        if ours is not None and not _better(theirs, ours):
            if ours.to_json() == theirs.to_json():
                done.same += 1
            else:
                done.kept.append(f"{theirs.id[:12]} {kind}: ours ({ours.status}) is kept")
            continue
        with store.claim(theirs.id, kind):
            arrays = other.arrays(theirs.id, kind)
            if arrays.is_file():
                write_atomically(store.arrays(theirs.id, kind), arrays.read_bytes())
            if fits and other.workspace(theirs.id).is_dir():
                shutil.copytree(
                    other.workspace(theirs.id), store.workspace(theirs.id), dirs_exist_ok=True
                )
            store.put(theirs, kind)
        done.added, done.replaced = done.added + (ours is None), done.replaced + (ours is not None)
    return done


def _better(theirs: Record, ours: Record) -> bool:
    return theirs.status == "ok" and ours.status != "ok"


def _device(file: Path) -> str:
    return file.name.split(".")[1]


@final
@dataclass(frozen=True)
class Rubbish:
    """A file or folder that nothing needs, why, and how large it is."""

    path: Path
    why: str
    bytes: int


def rubbish(store: Store) -> Iterator[Rubbish]:
    """Yield what a killed worker or a deleted record left behind; what a live worker holds is not
    among it.
    """
    records = {file.name.removesuffix(".json") for file in store.files()}
    ids = {name.split(".")[0] for name in records}
    for part in store.root.rglob(".*.part"):
        if time.time() - part.stat().st_mtime > _ABANDONED:
            yield Rubbish(part, "a write that never ended", part.stat().st_size)
    for arrays in sorted((store.root / "records").glob("*/*.npz")):
        own = not arrays.name.startswith(".") and arrays.stem not in records
        if own and _idle(store, arrays.stem):
            yield Rubbish(arrays, "arrays without their record", arrays.stat().st_size)
    for fit in sorted((store.root / "fits").glob("*/*")):
        if fit.name not in ids and all(_idle(store, f"{fit.name}.{d}") for d in ("cpu", "cuda")):
            size = sum(f.stat().st_size for f in fit.rglob("*") if f.is_file())
            yield Rubbish(fit, "a fit without a record (a killed run would resume it)", size)
    for lock in sorted((store.root / "locks").glob("*")):
        if _idle(store, lock.name):
            yield Rubbish(lock, "a lock that nobody holds", lock.stat().st_size)


def _idle(store: Store, name: str) -> bool:
    """Whether nobody holds the claim ``<id>.<device>``; asking makes no lock file."""
    run_id, _, kind = name.partition(".")
    try:
        if not store.lock(run_id, kind).exists():
            return True
        with store.claim(run_id, kind, wait=False) as mine:
            return mine is not None
    except StoreError:
        return False


def collect(found: Rubbish) -> None:
    """Delete one piece of rubbish."""
    if found.path.is_dir():
        shutil.rmtree(found.path, ignore_errors=True)
    else:
        found.path.unlink(missing_ok=True)


def verify(store: Store) -> Iterator[str]:
    """Yield one sentence per damage: unreadable or misplaced records, wrong ids, scores that do not
    fit together, broken arrays.
    """
    for file in store.files():
        try:
            record = store.read(file)
        except StoreError as error:
            yield str(error)
            continue
        yield from (f"'{file}': {said}" for said in _wrong(store, file, record))


def _wrong(store: Store, file: Path, record: Record) -> Iterator[str]:
    if file.name != f"{record.id}.{_device(file)}.json" or file.parent.name != record.id[:2]:
        yield f"holds the record of run {record.id[:12]}; move it or delete it"
    if record.device != _device(file):
        yield f"was measured on {record.device!r}"
    if record.status == "ok" and not record.scores:
        yield "is ok without scores"
    if record.status != "ok" and not record.reason:
        yield f"is {record.status} without a reason"
    for split, scores in record.scores.items():
        sizes = {len(s["values"]) for s in scores.values() if "values" in s}
        if len(sizes) > 1:
            yield f"scores {sorted(sizes)} samples of split '{split}'"
    arrays = store.arrays(record.id, _device(file))
    if arrays.is_file():
        try:
            with np.load(arrays, allow_pickle=False) as stored:
                for name in stored.files:
                    _ = stored[name].shape
        except (OSError, ValueError, EOFError) as error:
            yield f"has broken arrays '{arrays.name}': {error}"


def same_sources(record: Record) -> bool | None:
    """Whether the installed plugin's sources give this record's id; None where its configuration
    or data digest is not in it.
    """
    digest, config = record.task.get("digest"), record.config
    if not digest or "solver" not in config or "task" not in config:
        return None
    code = identity.plugin_digest(config["solver"])
    again = identity.run_id(config["task"], config["solver"], record.seed, digest, code)
    return again == record.id
