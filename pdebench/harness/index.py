"""What a listing needs of every record, kept beside them: ten thousand records without opening one.

``<store>/index.json`` maps a record's file to its size, modification time and summary. It is a
cache: entries whose file changed are read again, entries whose file is gone are dropped, and the
whole file may be deleted at any time.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pdebench.atomic import write_atomically
from pdebench.errors import StoreError
from pdebench.harness.record import Record
from pdebench.harness.store import Store

_VERSION = 1
COLUMNS = (
    "id", "device", "task", "track", "solver", "seed", "status", "reason",
    "metric", "value", "fit_seconds", "solve_seconds", "created",
)  # fmt: skip


def summary(record: Record) -> dict[str, Any]:
    """Return the columns of one record; ``value`` is the mean of the headline on its first split,
    ``solve_seconds`` is per sample.
    """
    headline = str(record.task.get("headline", ""))
    splits = record.task.get("evaluate") or ["test"]
    solve = record.costs.get("solve", {})
    fit = record.costs.get("fit", {})
    return {
        "id": record.id,
        "device": record.device,
        "task": str(record.task.get("name", "")),
        "track": str(record.task.get("track", "")),
        "solver": str(record.solver.get("name", "")),
        "seed": record.seed,
        "status": record.status,
        "reason": record.reason,
        "metric": headline,
        "value": record.mean(headline, splits[0]),
        "fit_seconds": fit.get("seconds"),
        "solve_seconds": solve["seconds"] / solve["batch"] if solve.get("batch") else None,
        "created": record.created,
    }


def summaries(store: Store) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the summaries of all records, in order of ids, and what is damaged."""
    file = store.root / "index.json"
    known = _read(file)
    found: dict[str, Any] = {}
    damaged: list[str] = []
    fresh = False
    for name, size, changed in _files(store):
        entry = known.get(name)
        if entry is None or entry[:2] != [size, changed]:
            try:
                record = store.read(store.root / "records" / name)
            except StoreError as error:
                damaged.append(str(error))
                continue
            entry, fresh = [size, changed, summary(record)], True
        found[name] = entry
    if fresh or len(found) != len(known):
        _write(file, found)
    return [found[name][2] for name in sorted(found)], damaged


def _files(store: Store) -> Iterator[tuple[str, int, int]]:
    """Name, size and time (ns) of every record's file."""
    try:
        folders = [f for f in os.scandir(store.root / "records") if f.is_dir()]
    except FileNotFoundError:
        return
    for folder in folders:
        for file in os.scandir(folder):
            if file.name.endswith(".json") and not file.name.startswith("."):
                said = file.stat()
                yield f"{folder.name}/{file.name}", said.st_size, said.st_mtime_ns


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return dict(content["records"]) if content["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(file: Path, found: dict[str, Any]) -> None:
    try:
        write_atomically(file, json.dumps({"version": _VERSION, "records": found}).encode())
    except StoreError:
        return  # a store that cannot be written can still be listed
