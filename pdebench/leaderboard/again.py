"""A board from a board: computed anew from the records beside it, or its page drawn anew."""

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pdebench.atomic import write_atomically
from pdebench.errors import ConfigError, StoreError
from pdebench.harness.record import Record
from pdebench.leaderboard.board import Board
from pdebench.leaderboard.markdown import markdown_from_jsonl
from pdebench.leaderboard.page import rendered
from pdebench.leaderboard.submission import Arrays, Entry, pack, unpack

RECORDS = "records.zip"
_ARRAYS = 64 << 10  # bytes of a run's arrays at most: curves and small fields
_CONTENT = re.compile(r'<script type="application/json" id="content">(.*?)</script>', re.S)
_TITLE = re.compile(r"<title>(.*?)</title>", re.S)

Reader = Callable[[Record], Arrays | None]


def keep(records: Sequence[Record], arrays: Reader, board: Board, folder: Path) -> Path:
    """Write ``records.zip``, of which `read` makes the same board; return the file.

    It has the format of ``pdebench submit``. Arrays go with the rows that the page draws, where
    they are small. The same records give the same bytes.
    """
    from pdebench import __version__

    shown = {run.id for table in board.tables for row in table.rows for run in row.runs}
    entries = [
        Entry(r, r.device, _small(arrays(r)) if r.id in shown else {})
        for r in sorted(records, key=lambda r: (r.id, r.device))
    ]
    file = folder / RECORDS
    write_atomically(file, pack(entries, __version__, board.newest, note="records of a board"))
    return file


def _small(arrays: Mapping[str, np.ndarray[Any, Any]] | None) -> Arrays:
    return {name: a for name, a in (arrays or {}).items() if a.nbytes <= _ARRAYS}


def read(path: Path) -> tuple[list[Record], Reader]:
    """Return the records of a ``records.zip`` (or of any submission) and the reader of their
    arrays. Raises StoreError where the file is none.
    """
    _, entries = unpack(path)
    held = {entry.name: entry.arrays for entry in entries}
    return [e.record for e in entries], lambda r: held.get(f"{r.id}.{r.device}") or None


def source(path: Path) -> Path:
    """Return the file that ``--from`` means: records.zip, or index.html of a board without it.

    Raises ConfigError where there is neither.
    """
    if path.is_file():
        return path
    for name in (RECORDS, "index.html"):
        if (path / name).is_file():
            return path / name
    raise ConfigError(
        f"--from '{path}' holds neither {RECORDS} nor index.html; give the folder of a board, or a "
        "file of 'pdebench submit'"
    )


def title_of(folder: Path) -> str | None:
    """Return the title of the page in ``folder``, or None without one."""
    page = folder / "index.html"
    found = _TITLE.search(page.read_text(encoding="utf-8")) if page.is_file() else None
    return html.unescape(found.group(1)) if found else None


def redraw(page: Path, folder: Path) -> list[Path]:
    """Draw the page anew from the content it holds, and the Markdown from the lines beside it;
    return the files. Nothing is computed: for boards whose records are not at hand.

    Raises StoreError where the page is none of ours.
    """
    text = page.read_text(encoding="utf-8")
    content, title = _CONTENT.search(text), _TITLE.search(text)
    if content is None or title is None:
        raise StoreError(f"'{page}' is no page of 'pdebench board'")
    try:
        held = json.loads(content.group(1))
        drawn = rendered(held, html.unescape(title.group(1)))
    except (ValueError, TypeError) as error:
        raise StoreError(f"'{page}' holds no board: {error}") from error
    contents = {folder / "index.html": drawn}
    for lines in sorted(page.parent.rglob("*.jsonl")):
        name = (folder / lines.relative_to(page.parent)).with_suffix(".md")
        contents[name] = markdown_from_jsonl(lines.read_text(encoding="utf-8"))
    for file, made in contents.items():
        write_atomically(file, made.encode())
    return list(contents)
