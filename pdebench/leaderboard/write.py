"""Write a board: one page for people, Markdown for the repository, JSON lines for programs."""

from collections import defaultdict
from pathlib import Path

from pdebench.atomic import write_atomically
from pdebench.leaderboard.board import Board, Table
from pdebench.leaderboard.lines import to_jsonl
from pdebench.leaderboard.markdown import markdown_from_jsonl
from pdebench.leaderboard.over_tasks import svg
from pdebench.leaderboard.page import html
from pdebench.leaderboard.pareto import pareto
from pdebench.leaderboard.slugs import page


def write(board: Board, folder: Path, title: str = "pdebench leaderboard") -> list[Path]:
    """Write the board below ``folder`` and return the files, the page first.

    ``index.html``, ``<task>/<track>`` as .jsonl, .md and .svg for every task and track, and
    ``over_tasks_<n>.svg``, the critical-difference diagrams where tasks share solvers. Every file
    is replaced as a whole. Raises StoreError where the folder cannot be written.
    """
    pages: dict[str, list[Table]] = defaultdict(list)
    for table in board.tables:
        pages[page(table.key)].append(table)
    written = [folder / "index.html"]
    write_atomically(written[0], html(board, title).encode())
    for name, tables in pages.items():
        lines = to_jsonl(tables)
        contents = [(".jsonl", lines), (".md", markdown_from_jsonl(lines))]
        picture = pareto(tables[0])
        contents += [] if picture is None else [(".svg", picture)]
        for ending, content in contents:
            file = folder / f"{name}{ending}"
            write_atomically(file, content.encode())
            written.append(file)
    for number, one in enumerate(board.diagrams, start=1):
        written.append(folder / f"over_tasks_{number}.svg")
        write_atomically(written[-1], svg(one).encode())
    return written
