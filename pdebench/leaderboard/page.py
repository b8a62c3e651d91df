"""One self-contained page: data, style and script inlined; nothing is fetched and nothing in the
data can run.
"""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from typing import Any, final

from pdebench.leaderboard.board import Board, Row, Run, Table
from pdebench.leaderboard.identity import canonical
from pdebench.leaderboard.lines import plain, row_line, run_line, table_line
from pdebench.leaderboard.over_tasks import picture, sentence
from pdebench.leaderboard.png import colour_bar

# In this order: later files use what earlier ones define.
_SCRIPTS = tuple(
    f"{name}.js"
    for name in (
        *("dom", "format", "style", "axes", "scatter", "lines", "pictures"),
        *("order", "columns", "body", "grid", "past", "details", "board", "overview", "main"),
    )
)
_STYLES = ("base.css", "board.css")


def html(board: Board, title: str = "pdebench leaderboard") -> str:
    """Return the page of a board; see `rendered`."""
    return rendered(content_of(board), title)


def rendered(content: Any, title: str) -> str:
    """Return the page of what `content_of` gave, now or in an earlier page.

    The content security policy allows this style and this script by their hashes, pictures from
    data URIs, and no connection at all. Names and reasons reach the document as text only.
    """
    style = "\n".join(_asset(name) for name in _STYLES)
    script = '(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    page = _asset("page.html")
    # The data come last: nothing in them is looked through for placeholders.
    for name, filling in (
        ("TITLE", escape(title)),
        ("POLICY", policy),
        ("STYLE", style),
        ("SCRIPT", script),
        ("DATA", embedded(content)),
    ):
        page = page.replace(f"@@{name}@@", filling, 1)
    return page


def _asset(name: str) -> str:
    return files("pdebench.leaderboard").joinpath(name).read_text(encoding="utf-8").strip()


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")


def embedded(content: Any) -> str:
    """Return JSON that is inert inside a ``script`` element: pure ASCII without ``<``, ``>`` or
    ``&``.
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


@final
class Shared:
    """Values that many runs have in common, kept once and referred to by position."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._known: dict[str, int] = {}

    def refer(self, value: Any) -> int:
        """Return the position of a value, adding it where it is new."""
        text = canonical(value)
        if text not in self._known:
            self._known[text] = len(self.values)
            self.values.append(plain(value))
        return self._known[text]


def content_of(board: Board) -> dict[str, Any]:
    """Return what the page knows: tables with rows and figures, and the values that runs share."""
    shared = Shared()
    tables = [_table(table, shared) for table in board.tables]
    return {
        "newest": board.newest,
        "records": board.records,
        "bar": colour_bar(),
        "tables": tables,
        "diagrams": [
            {"name": one.name, "picture": picture(one), "said": sentence(one)}
            for one in board.diagrams
        ],
        "shared": shared.values,
    }


def _table(table: Table, shared: Shared) -> dict[str, Any]:
    figures = {
        "over_time": table.over_time,
        "spectra": table.spectra,
        "training": table.training,
        "convergence": table.convergence,
        "examples": table.examples,
    }
    return (
        table_line(table)
        | {"rows": [_row(table, row, shared) for row in table.rows]}
        | plain(figures)
    )


def _row(table: Table, row: Row, shared: Shared) -> dict[str, Any]:
    line = row_line(table, row)
    return {k: v for k, v in line.items() if k not in ("kind", "table")} | {
        "runs": [_run(run, shared) for run in row.runs]
    }


def _run(run: Run, shared: Shared) -> dict[str, Any]:
    """Keep the load apart from the environment and each group of the configuration on its own: then
    most are shared.
    """
    environment = dict(run.environment)
    load = environment.pop("load", None)
    return plain(run_line(run)) | {
        "load": plain(load),
        "environment": shared.refer(environment),
        "versions": shared.refer(dict(run.versions)),
        "config": {
            str(key): shared.refer(value) for key, value in run.config.items() if key != "seed"
        },
    }
