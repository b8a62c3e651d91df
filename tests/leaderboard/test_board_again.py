"""A board is computed again from the records that were kept beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pdebench.errors import ConfigError, StoreError
from pdebench.harness.store import Store
from pdebench.leaderboard.command import main


@pytest.fixture
def made(tmp_path: Path, record: Any) -> Path:
    """A board with its records, two seeds and arrays of one run; its store is gone."""
    store = Store(tmp_path / "store")
    for one in (record(), record(seed=1), record("mean", values=[1.0, 1.1])):
        store.put(one, "cpu")
    curve = np.array([[1, 2, 3], [3, 2, 1]], np.float32)
    np.savez(store.arrays(record().id, "cpu"), **{"test/relative_l2": curve})
    out = tmp_path / "board"
    options = ["--out", str(out), "--records", "--title", "Mine"]
    assert main(["--store", str(tmp_path / "store"), *options]) == 0
    store.root.rename(tmp_path / "gone")
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.*")}


def test_board_from_its_records_is_the_same(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["--from", str(made), "--out", str(again), "--records", "--title", "Mine"]) == 0
    assert contents(again) == contents(made)


def test_a_board_that_was_edited_is_put_right(made: Path) -> None:
    """Lines and Markdown are computed from the records, the title is kept."""
    before = contents(made)
    lines = next(made.rglob("*.jsonl"))
    lines.write_text(lines.read_text().replace('"mean": 0.15', '"mean": 0.001'))
    assert contents(made) != before
    assert main(["--from", str(made)]) == 0
    assert contents(made) == before


def test_without_records_the_page_is_drawn_anew(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(made)
    (made / "records.zip").unlink()
    page = made / "index.html"
    page.write_text(page.read_text().replace("</style>", " </style>").replace("h1", "h2"))
    assert main(["--from", str(made)]) == 0
    assert "nothing computed" in capsys.readouterr().out
    assert contents(made) == {k: v for k, v in before.items() if k != "records.zip"}


def test_redrawn_content_stays_inert(made: Path) -> None:
    (made / "records.zip").unlink()
    page = made / "index.html"
    text = page.read_text()
    start = text.index('id="content">') + len('id="content">')
    stop = text.index("</script>", start)
    content = json.loads(text[start:stop])
    content["tables"][0]["rows"][0]["label"] = "<script>alert(1)</script>"
    page.write_text(text[:start] + json.dumps(content).replace("</", "<\\/") + text[stop:])
    assert main(["--from", str(made)]) == 0
    assert "<script>alert" not in page.read_text()


def test_what_is_no_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither records\.zip nor index\.html"):
        main(["--from", str(tmp_path)])
    (tmp_path / "index.html").write_text("<title>x</title>")
    with pytest.raises(StoreError, match="no page of 'pdebench board'"):
        main(["--from", str(tmp_path)])
