"""``pdebench compare A B``: two rows side by side."""

import argparse
import fnmatch
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.leaderboard.select import Side, select
from pdebench.paths import default_store
from pdebench.statistics.comparison import compare

_PHASES = ("data", "fit", "prepare", "solve")
_ABSENT = "(absent)"


def main(argv: list[str]) -> int:
    """Print both rows; return 0."""
    options = _parser().parse_args(argv)
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    records = [
        r
        for r in readable(store, options.task, "compare")
        if fnmatch.fnmatchcase(str(r.task.get("track", "")), options.track)
    ]
    first, second = (select(named, records) for named in (options.first, options.second))
    found = sides(first, second, options.split)
    if options.json:
        sys.stdout.write(json.dumps(_spoken(found), indent=2, allow_nan=False) + "\n")
    else:
        _show(first, second, found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench compare",
        description="Two rows side by side: errors with the interval of their paired difference, "
        "costs, and everything that differs in configuration, data, versions and machine.",
        epilog="example: pdebench compare fno tfno --task navier_stokes/evolve --track tiny",
    )
    said = "a solver with records, or the first digits of a run id"
    parser.add_argument("first", metavar="A", help=said)
    parser.add_argument("second", metavar="B", help=said)
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument("--task", metavar="GLOB", default="*", help="only tasks that match")
    parser.add_argument("--track", metavar="GLOB", default="*", help="only tracks that match")
    parser.add_argument("--split", default="test", help="scored split (default: test)")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


def sides(first: Side, second: Side, split: str = "test") -> dict[str, Any]:
    """Return what ``pdebench compare`` shows: errors, costs, differences and cautions.

    Differences of errors are first minus second, over the samples that both have; where the data
    differ they are left out and the reason is among the cautions.
    """
    a, b = first.records[0], second.records[0]
    cautions: list[str] = []
    same = all(a.task.get(k) == b.task.get(k) for k in ("name", "track", "version", "digest"))
    if not same:
        cautions.append("the two rows have seen different data: their errors are not paired")
    if a.device != b.device:
        cautions.append(f"different devices, {a.device} and {b.device}: times are not compared")
    errors: dict[str, Any] = {}
    for metric in dict.fromkeys((*a.scores.get(split, {}), *b.scores.get(split, {}))):
        x, y = first.scores(metric, split), second.scores(metric, split)
        entry: dict[str, Any] = {
            "a": None if x is None else float(x.mean()),
            "b": None if y is None else float(y.mean()),
        }
        if same and x is not None and y is not None and x.shape[1] == y.shape[1]:
            result = compare(x, y)
            entry |= {"difference": asdict(result.difference), "p_value": result.p_value}
        errors[metric] = entry
    costs: dict[str, Any] = {}
    for phase in _PHASES:
        x, y = first.seconds(phase), second.seconds(phase)
        if x or y:
            middle = [float(np.median(v)) if v else None for v in (x, y)]
            costs[phase] = {"a": middle[0], "b": middle[1]}
            if middle[0] and middle[1] and a.device == b.device:
                costs[phase]["ratio"] = middle[0] / middle[1]
    return {
        "a": {"row": first.label, "seeds": [r.seed for r in first.records], "id": a.id},
        "b": {"row": second.label, "seeds": [r.seed for r in second.records], "id": b.id},
        "headline": a.task.get("headline"),
        "errors": errors,
        "costs": costs,
        "parameters": {"a": a.parameters, "b": b.parameters},
        "uses": {"a": a.uses, "b": b.uses},
        "differs": {
            part: _differs(a, b, part) for part in ("config", "data", "versions", "machine")
        },
        "cautions": cautions,
    }


def _part(record: Record, part: str) -> dict[str, Any]:
    if part == "config":
        return {k: v for k, v in record.config.items() if k not in ("seed", "store", "data")}
    if part == "data":
        return {k: record.task.get(k) for k in ("name", "track", "version", "digest", "dataset")}
    return record.versions if part == "versions" else record.environment


def _differs(a: Record, b: Record, part: str) -> dict[str, list[str]]:
    left, right = _flat(_part(a, part)), _flat(_part(b, part))
    return {
        key: [left.get(key, _ABSENT), right.get(key, _ABSENT)]
        for key in dict.fromkeys((*left, *right))
        if left.get(key, _ABSENT) != right.get(key, _ABSENT)
    }


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    return {prefix: json.dumps(value, default=str)}


def _spoken(value: Any) -> Any:
    """Replace infinities and NaN, which JSON lacks, by their names."""
    if isinstance(value, dict):
        return {k: _spoken(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_spoken(v) for v in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3g}"


def _show(first: Side, second: Side, found: dict[str, Any]) -> None:
    console = Console()
    for name, side in (("A", first), ("B", second)):
        seeds = ", ".join(str(r.seed) for r in side.records)
        console.print(f"{name}: {side.label}, seeds {seeds}, {side.records[0].id[:12]}")
    table = Table("error", "A", "B", "A - B, 95 %", "p")
    for metric, entry in found["errors"].items():
        gap = entry.get("difference")
        said = f"{gap['value']:.3g} [{gap['low']:.3g}, {gap['high']:.3g}]" if gap else "not paired"
        table.add_row(
            metric, _number(entry["a"]), _number(entry["b"]), said, _number(entry.get("p_value"))
        )
    console.print(table)
    table = Table("seconds", "A", "B", "A / B")
    for phase, entry in found["costs"].items():
        ratio = _number(entry.get("ratio"))
        table.add_row(phase, _number(entry["a"]), _number(entry["b"]), ratio)
    table.add_row("parameters", *(str(found["parameters"][k]) for k in "ab"), "")
    table.add_row("uses", *(", ".join(found["uses"][k]) or "nothing" for k in "ab"), "")
    console.print(table)
    table = Table("differs", "", "A", "B")
    for part, entries in found["differs"].items():
        for key, (left, right) in entries.items():
            table.add_row(part, key, left, right)
    console.print(table)
    for caution in found["cautions"]:
        console.print(f"caution: {caution}")
