"""The leaderboard: records in, comparable tables out, as data, Markdown, JSON lines and one
self-contained page.

    build(records, arrays) -> Board      pure data, no files
    write(board, folder)                 index.html, and Markdown and JSON lines for every task and
    track

Needs numpy, but neither torch nor Hydra, so that a board is made anywhere from copied records.
"""

from pdebench.leaderboard.board import Board, Row, Table
from pdebench.leaderboard.build import build
from pdebench.leaderboard.markdown import markdown_from_jsonl
from pdebench.leaderboard.write import write

__all__ = ["Board", "Row", "Table", "build", "markdown_from_jsonl", "write"]
