"""The files of a board: self-contained, safe, whole, made without torch."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pdebench.errors import ConfigError
from pdebench.harness.store import Store
from pdebench.leaderboard import build, markdown_from_jsonl, write
from pdebench.leaderboard.command import main

HOSTILE = "<script>alert(1)</script>|`x`"


@pytest.fixture
def store(tmp_path: Path, record) -> Path:
    stored = Store(tmp_path / "store")
    for made in (record(), record("mean", values=[1.0, 1.1]), record("fno", seed=1)):
        stored.put(made, "cpu")
    return tmp_path / "store"


def run(store: Path, out: Path, *more: str) -> int:
    return main(["--store", str(store), "--out", str(out), *more])


def test_command_writes_page_lines_markdown_and_picture(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, tmp_path / "out", "--title", "My <board>") == 0
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert names == {"index.html", *(f"flow/evolve/tiny.{e}" for e in ("jsonl", "md", "svg"))}
    assert "3 records, 2 rows in 1 table" in capsys.readouterr().out
    assert "<title>My &lt;board&gt;</title>" in (tmp_path / "out" / "index.html").read_text()


def test_page_fetches_nothing(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert "default-src 'none'" in page and "@@" not in page
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\s*\(", page)


def test_hostile_names_and_reasons_stay_text(tmp_path: Path, record) -> None:
    made = [record(), record(HOSTILE, status="failed", reason=HOSTILE)]
    write(build(made), tmp_path)
    page, markdown = (tmp_path / "index.html").read_text(), next(tmp_path.rglob("*.md")).read_text()
    assert "<script>alert" not in page
    assert "<script>alert" not in re.sub(r"`[^`]*`", "", markdown)  # code spans are inert
    data = page.partition('id="content">')[2].partition("</script>")[0]
    assert HOSTILE in json.loads(data)["tables"][0]["rows"][1]["reason"]


def test_markdown_is_one_table_with_as_many_cells_everywhere(tmp_path: Path, record) -> None:
    made = [
        record(),
        record("a|b", values=[0.4, 0.5]),
        record("c", status="failed", reason="x | y"),
    ]
    write(build(made), tmp_path)
    lines = [x for x in next(tmp_path.rglob("*.md")).read_text().splitlines() if x.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(lines) == 5 and len(cells) == 1


def test_markdown_comes_from_the_lines_alone(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "out")
    lines = next((tmp_path / "out").rglob("*.jsonl")).read_text()
    assert markdown_from_jsonl(lines) == next((tmp_path / "out").rglob("*.md")).read_text()


def test_picture_is_an_svg_with_every_row(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "out")
    root = ElementTree.parse(next((tmp_path / "out").rglob("*.svg"))).getroot()
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"fno", "mean", "relative_l2"} <= words


def test_damaged_record_is_named_and_left_out(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = next(Store(store).files())
    bad.write_text("{")
    assert run(store, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert str(bad) in said.err and "2 records" in said.out


def test_empty_store_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no records; run something first"):
        run(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_task_that_matches_nothing_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--task 'elasticity/\*' matches none"):
        run(store, tmp_path / "out", "--task", "elasticity/*")


def test_board_needs_no_torch(store: Path, tmp_path: Path) -> None:
    probe = (
        "import sys; from pdebench.cli import main\n"
        f"code = main(['board', '--store', {str(store)!r}, '--out', {str(tmp_path / 'o')!r}])\n"
        "assert code == 0\n"
        "print([m for m in ('torch', 'lightning', 'hydra', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_same_records_give_the_same_bytes(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "a")
    run(store, tmp_path / "b")
    for file in (tmp_path / "a").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()
