"""Committed boards: the Markdown is that of the JSON lines beside it."""

from pathlib import Path

import pytest

from pdebench.leaderboard import markdown_from_jsonl

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "leaderboards").glob("*/**/*.jsonl"))
REMEDY = "write markdown_from_jsonl(lines) of pdebench.leaderboard into the .md, or the board again"


def test_there_are_committed_boards() -> None:
    assert BOARDS


@pytest.mark.parametrize("lines", BOARDS, ids=lambda file: str(file.relative_to(ROOT)))
def test_markdown_is_that_of_the_lines(lines: Path) -> None:
    found = lines.with_suffix(".md").read_text(encoding="utf-8")
    assert found == markdown_from_jsonl(lines.read_text(encoding="utf-8")), REMEDY
