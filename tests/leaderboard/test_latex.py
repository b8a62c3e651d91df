"""LaTeX and BibTeX of a board: every special character inert, every citation with an entry."""

import re
from pathlib import Path

import pytest

from pdebench.errors import ConfigError
from pdebench.harness.store import Store
from pdebench.leaderboard import build
from pdebench.leaderboard.command import main
from pdebench.leaderboard.latex import citations, latex_from_jsonl, number, plugin_citations, text
from pdebench.leaderboard.lines import to_jsonl


def test_special_characters_are_printed_not_obeyed() -> None:
    said = text(r"\input{/etc/passwd} $x_1^2$ 50% & #1 ~ <é>")
    assert "\\input" not in said and r"\textbackslash{}input\{" in said
    bare = re.sub(r"\\(text\w+\{\}|[&%$#_{}])", "", said)
    assert not set(bare) & set("\\{}$&#_^%~é")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0137, "$0.0137$"), (1.23e-5, r"$1.23 \times 10^{-5}$"), (100.0, "$100$"), (None, "--")],
)
def test_numbers_have_three_digits(value: float | None, said: str) -> None:
    assert number(value) == said


def test_table_has_intervals_and_equally_many_cells(record) -> None:
    made = [record(), record("a_b&c", values=[0.3, 0.5]), record("no", status="failed", reason="x")]
    said = latex_from_jsonl(to_jsonl(build(made).tables), {"fno": ["key"]})
    rows = [line for line in said.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 3 and len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    assert r"fno~\cite{key}" in rows[1] and "[$" in rows[1] and r"a\_b\&c" in rows[2]
    assert "1 further rows have no rank" in said


def test_command_writes_tables_and_only_the_papers_cited(tmp_path: Path, record) -> None:
    store = Store(tmp_path / "store")
    for made in (record("tfno", plugin="pdebench-fno"), record("mean", plugin="pdebench-suite")):
        store.put(made, "cpu")
    out = tmp_path / "out"
    assert main(["--store", str(store.root), "--out", str(out), "--latex", "--bibtex"]) == 0
    (table,), entries = out.rglob("*.tex"), (out / "references.bib").read_text()
    cited = set(re.search(r"\\cite\{(.*?)\}", table.read_text())[1].split(","))  # type: ignore[index]
    assert cited == set(re.findall(r"^@\w+\{(.*),", entries, re.MULTILINE))
    assert "li2021fourier" in cited and "you2022learning" not in cited


def test_every_shipped_citation_is_whole_and_for_solvers_that_exist() -> None:
    from pdebench.plugins import catalog

    files = plugin_citations()
    assert len(files) >= 9
    for file in files.values():
        content = file.read_text()
        assert content.count("{") == content.count("}")
        for asked in re.findall(r"keywords = \{(.*?)\}", content):
            assert all(("solver", name) in catalog() for name in asked.split(", "))


def test_keys_that_clash_and_empty_files_are_named(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.bib" for name in ("a", "b", "c")}
    files["a"].write_text("@misc{k, title = {A}}\n")
    files["b"].write_text("@misc{k, title = {B}}\n")
    files["c"].write_text("nothing")
    with pytest.raises(ConfigError, match="another plugin's entry is k"):
        citations(files, [("x", "a"), ("y", "b")])
    with pytest.raises(ConfigError, match="no BibTeX entry"):
        citations(files, [("x", "c")])
