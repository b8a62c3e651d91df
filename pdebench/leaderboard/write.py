"""Write a board: one page for people, Markdown for the repository, JSON lines for programs."""

from collections import defaultdict
from pathlib import Path

from pdebench.atomic import write_atomically
from pdebench.leaderboard.board import Board, Table
from pdebench.leaderboard.lines import to_jsonl
from pdebench.leaderboard.markdown import markdown_from_jsonl
from pdebench.leaderboard.page import html
from pdebench.leaderboard.slugs import page


def write(board: Board, folder: Path, site: bool = True) -> list[Path]:
    """Write the board below ``folder`` and return the files.

    ``<task>/<track>.jsonl`` and ``.md`` for every task and track, and ``index.html`` where ``site``
    is true. Every file is replaced as a whole. Raises StoreError where the folder cannot be
    written.
    """
    pages: dict[str, list[Table]] = defaultdict(list)
    for table in board.tables:
        pages[page(table.key)].append(table)
    written: list[Path] = []
    for name, tables in pages.items():
        lines = to_jsonl(tables)
        for ending, content in ((".jsonl", lines), (".md", markdown_from_jsonl(lines))):
            file = folder / f"{name}{ending}"
            write_atomically(file, content.encode())
            written.append(file)
    if site:
        file = folder / "index.html"
        write_atomically(file, html(board).encode())
        written.append(file)
    return written
