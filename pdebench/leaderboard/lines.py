"""A board as JSON lines: one line per table, then one per row; everything that Markdown shows is in
them.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from pdebench.errors import StoreError
from pdebench.leaderboard.board import Row, Run, Table
from pdebench.leaderboard.resampling import LEVEL

SCHEMA = 1
# The page and the store have them; a line would be all of it.
_OF_THE_RECORD = {"environment", "versions", "config"}
_OF_THE_PLOTS = {"rows", "over_time", "spectra", "training", "convergence", "examples", "key"}


def plain(value: Any) -> Any:
    """Return JSON-ready content: six significant digits, and "nan", "inf", "-inf" for what is not
    finite.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value


def table_line(table: Table) -> dict[str, Any]:
    """Return what a table says besides its rows."""
    own = {f.name: getattr(table, f.name) for f in fields(table) if f.name not in _OF_THE_PLOTS}
    return plain(
        {"kind": "table", "schema": SCHEMA, "level": LEVEL, **own, "key": asdict(table.key)}
    )


def row_line(table: Table, row: Row) -> dict[str, Any]:
    """Return what a row says, its runs without their environment and configuration."""
    own = {
        f.name: getattr(row, f.name)
        for f in fields(row)
        if f.name not in ("runs", "scores", "costs", "versus", "behind", "protocol")
    }
    scores = {
        split: {name: _given(score) for name, score in of.items()}
        for split, of in row.scores.items()
    }
    costs = {phase: _given(cost) for phase, cost in row.costs.items()}
    runs = [run_line(run) for run in row.runs]
    versus = None if row.versus is None else _given(row.versus)
    behind = None if row.behind is None else _given(row.behind)
    return plain(
        {
            "kind": "row",
            "table": table.slug,
            **own,
            "scores": scores,
            "costs": costs,
            "versus": versus,
            "behind": behind,
            "protocol": _given(row.protocol),
            "runs": runs,
        }
    )


def run_line(run: Run) -> dict[str, Any]:
    """Return what names a run and repeats it."""
    return {f.name: getattr(run, f.name) for f in fields(run) if f.name not in _OF_THE_RECORD}


def _given(value: Any) -> dict[str, Any]:
    """Return the fields of a small value that are set."""
    found = ((f.name, getattr(value, f.name)) for f in fields(value))
    return {name: item for name, item in found if item is not None}


def to_jsonl(tables: Iterable[Table]) -> str:
    """Return the lines of the tables, each table before its rows."""
    content: list[dict[str, Any]] = []
    for table in tables:
        content.append(table_line(table))
        content += [row_line(table, row) for row in table.rows]
    return "".join(json.dumps(line, allow_nan=False, sort_keys=True) + "\n" for line in content)


def from_jsonl(text: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return (table, rows) pairs. Raises StoreError naming the line that is none of ours."""
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    for position, line in enumerate(text.splitlines(), start=1):
        try:
            content = json.loads(line)
            if content["kind"] == "table" and content["schema"] == SCHEMA:
                found.append((content, []))
            elif content["kind"] == "row" and found and content["table"] == found[-1][0]["slug"]:
                found[-1][1].append(content)
            else:
                raise ValueError(
                    f"kind {content['kind']!r} is out of place or of another schema than {SCHEMA}"
                )
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"line {position} is no line of a board: {error}; run 'pdebench board' again"
            ) from error
    return found
