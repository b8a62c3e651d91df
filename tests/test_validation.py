"""The validation page: modules are found by place, verdicts follow the range, failures are told."""

import json
import math
from pathlib import Path

import pytest

from pdebench.testing.validate import main
from pdebench.testing.validation import Row

MODULE = """
from pdebench.testing.validation import Curve, Picture, Row, Section

def validate():
    rows = [Row.near("speed", {ours}, 2.0, 0.1, "Someone 1999, table 1")]
    curves = [Curve("ours", [1, 2], [1, 4]), Curve("theirs", [1, 2], [1, 4], published=True)]
    return Section("A subject", "What was done.", rows, [Picture("p", "t", "x", "y", curves)])
"""


def module(root: Path, name: str, text: str) -> None:
    file = root / "datasets" / name.split("/")[0] / "validation" / f"{name.split('/')[1]}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_rows_agree_within_their_range_only() -> None:
    assert Row.near("q", -2.1, -2.0, 0.1, "s").agrees
    assert not Row.near("q", 2.3, 2.0, 0.1, "s").agrees
    assert Row.below("q", 0.0, 1e-3, "s").agrees and not Row.below("q", 2e-3, 1e-3, "s").agrees
    assert not Row.below("q", math.nan, 1.0, "s").agrees
    assert not Row.between("q", 3.0, 1.0, 2.0, "s").agrees


def test_page_holds_every_section_and_its_pictures(tmp_path: Path) -> None:
    module(tmp_path, "one/a", MODULE.format(ours=2.1))
    module(tmp_path, "two/b", MODULE.format(ours=9.0))
    assert main(["--root", str(tmp_path), "one"]) == 0
    assert main(["--root", str(tmp_path), "two/b"]) == 1  # a figure differs
    text = (tmp_path / "docs" / "validation.md").read_text()
    assert "| speed | 2.1 | 2 (within 10 %) | agrees | Someone 1999, table 1 |" in text
    assert "| speed | 9 | 2 (within 10 %) | **differs** |" in text
    assert "1 of 2 figures" in text
    folder = tmp_path / "docs" / "validation"
    first = (folder / "one_a_p.svg").read_bytes()
    assert first.startswith(b"<?xml")
    main(["--root", str(tmp_path), "one"])
    assert (folder / "one_a_p.svg").read_bytes() == first
    assert json.loads((folder / "two_b.json").read_text())["rows"][0]["agrees"] is False


def test_a_failing_module_spares_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module(tmp_path, "a/broken", "def validate():\n    raise ValueError('no such figure')\n")
    module(tmp_path, "b/fine", MODULE.format(ours=2.0))
    assert main(["--root", str(tmp_path)]) == 1
    assert "no such figure" in capsys.readouterr().err
    assert "What was done." in (tmp_path / "docs" / "validation.md").read_text()
    assert main(["--root", str(tmp_path), "elsewhere"]) == 2
    assert "a/broken" in capsys.readouterr().err


def test_every_module_of_this_checkout_has_the_function() -> None:
    root = Path(__file__).parents[1]
    files = [f for kind in ("plugins", "datasets") for f in root.glob(f"{kind}/*/validation/*.py")]
    assert files and all("def validate() -> Section:" in f.read_text() for f in files)
