"""What of a foreign record may be believed, and what of it may be executed."""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pdebench import plugins
from pdebench.harness.data import known_digest
from pdebench.harness.identity import targets
from pdebench.harness.record import Record

_TARGET = re.compile(r"\b(?:_target_|path):\s*[\"']?([A-Za-z_][\w.]*)")
_VERSION = re.compile(r"^\s*version:\s*[\"']?([^\"'\s#]+)", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST = 20_000  # characters of a string in a record
_DEEPEST = 32
_USES = {"labels", "equation"}


@cache
def shipped_targets() -> frozenset[str]:
    """Return every class and function that a configuration of an installed plugin names."""
    files = {choice.file for choice in plugins.catalog().values()}
    files.add(plugins.core().conf / "config.yaml")
    found: set[str] = set()
    for file in files:
        found |= set(_TARGET.findall(file.read_text(encoding="utf-8")))
    return frozenset(found)


def foreign_targets(config: Any) -> list[str]:
    """Return what a recorded configuration would import that no installed plugin's names.

    Instantiating a configuration calls whatever its ``_target_`` says, ``os.system`` included.
    """
    return sorted(set(targets(config)) - shipped_targets())


def objections(record: Record, device: str, root: Path | None, any_data: bool) -> Iterator[str]:
    """Yield why a foreign record is not taken: one sentence each, none where it is sound.

    Args:
        record: of the right types already.
        device: kind in the name of its file.
        root: folder of data sets whose digests are compared; None where there is none.
        any_data: whether a data digest other than ours is allowed.
    """
    yield from _text(record)
    yield from _task(record, root, any_data)
    if record.device != device:
        yield f"was measured on {record.device!r}, the file says {device!r}"
    if record.seed < 0 or record.parameters < 0:
        yield f"seed {record.seed} or parameters {record.parameters} is negative"
    if not set(record.uses) <= _USES:
        yield f"uses {record.uses}, expected some of {sorted(_USES)}"
    if record.status != "ok" and (record.scores or not record.reason):
        yield f"is {record.status}, with scores or without a reason"
    if record.status == "ok" and not record.scores:
        yield "is ok without scores"
    yield from _time(record.created)
    yield from _scores(record)
    yield from _costs(record)


def _text(record: Record) -> Iterator[str]:
    """Names and reasons may say anything, but not hide it: no control characters, no end."""
    for text, depth in _strings(dict(vars(record))):
        if depth > _DEEPEST:
            yield f"is nested more than {_DEEPEST} deep"
            return
        if len(text) > _LONGEST:
            yield f"holds a text of {len(text)} characters"
            return
        if _CONTROL.search(text) and not text.isprintable():
            yield f"holds control characters in {text[:40]!a}"
            return
    if not str(record.solver.get("name", "")).strip():
        yield "names no solver"


def _strings(value: Any, depth: int = 0) -> Iterator[tuple[str, int]]:
    if isinstance(value, str):
        yield value, depth
    elif depth > _DEEPEST:
        yield "", depth
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), depth
            yield from _strings(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, depth + 1)


def _task(record: Record, root: Path | None, any_data: bool) -> Iterator[str]:
    task = record.task
    name, track = str(task.get("name", "")), str(task.get("track", ""))
    choice = plugins.catalog().get(("task", name))
    if choice is None:
        yield f"answers task {name!r}, which no installed plugin ships"
        return
    known = _VERSION.findall(choice.file.read_text(encoding="utf-8"))
    if known and str(task.get("version")) != known[-1]:
        yield (
            f"answers version {task.get('version')!r} of task '{name}', installed is {known[-1]!r}"
        )
    if ("track", track) not in plugins.catalog():
        yield f"ran on track {track!r}, which no installed plugin ships"
    if str(task.get("headline")) not in (task.get("metrics") or {}):
        yield f"has no metric {task.get('headline')!r}, its headline"
    digest = str(task.get("digest", ""))
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        yield f"has data digest {digest[:20]!r}, expected 64 hexadecimal digits"
    recipe = (record.config.get("task") or {}).get("dataset")
    ours = known_digest(root, recipe) if root and recipe and not any_data else None
    if ours not in (None, digest):
        yield (
            f"answered data {digest[:12]}, here the same recipe gave {str(ours)[:12]}; "
            "--any-data takes it for a table of its own"
        )


def _time(created: str) -> Iterator[str]:
    try:
        made = datetime.fromisoformat(created)
    except ValueError:
        yield f"was created {created[:40]!r}, expected an ISO 8601 time"
        return
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    if made > datetime.now(UTC) + timedelta(days=1):
        yield f"was created in the future, {created[:40]}"


def _scores(record: Record) -> Iterator[str]:
    metrics = record.task.get("metrics") or {}
    splits = (record.task.get("dataset") or {}).get("splits") or {}
    for split, scores in record.scores.items():
        sizes: set[int] = set()
        for metric, score in scores.items():
            where = f"{metric} on {split}"
            if metric not in metrics:
                yield f"scores {where}, which its task does not list"
            if "values" not in score:
                if not isinstance(score.get("not_applicable"), str):
                    yield f"has neither values nor a reason for {where}"
                continue
            values = score["values"]
            if not isinstance(values, list) or not values or not all(map(_number, values)):
                yield f"has values for {where} that are no list of numbers"
                continue
            sizes.add(len(values))
            about = metrics.get(metric) or {}
            if about.get("better") == "lower" and min(values) < 0:
                yield f"has a negative {where}, {min(values):.3g}"
        if len(sizes) > 1:
            yield f"scores {sorted(sizes)} samples of split '{split}'"
        elif sizes and split in splits and sizes != {splits[split]}:
            yield f"scores {sizes.pop()} samples of split '{split}', which has {splits[split]}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _costs(record: Record) -> Iterator[str]:
    for phase, cost in record.costs.items():
        seconds = cost.get("seconds")
        if seconds is None:
            continue
        low, high = cost.get("low", seconds), cost.get("high", seconds)
        if not all(_number(v) and math.isfinite(v) and v >= 0 for v in (seconds, low, high)):
            yield f"has seconds of {phase} that are no positive finite numbers"
        elif not low <= seconds <= high:
            yield f"has {phase} {seconds:.3g} s outside its interval [{low:.3g}, {high:.3g}]"
        batch, peak = cost.get("batch", 1), cost.get("peak_bytes") or 0
        if not _number(batch) or batch < 1 or not _number(peak) or not 0 <= peak < 1 << 50:
            yield f"has batch {batch!r} or peak memory {peak!r} in {phase}"
    if record.status == "ok" and not (record.costs.get("solve") or {}).get("seconds"):
        yield "is ok without the seconds of its solve"
    asked = ((record.config.get("task") or {}).get("budget") or {}).get("seconds")
    spent = (record.costs.get("fit") or {}).get("seconds")
    if asked is None or spent is None or not _number(asked) or not _number(spent):
        return
    if spent > 2 * asked + 60:
        yield f"spent {spent:.0f} s on a fit of at most {asked:.0f} s"
