"""The ledger of claims is what its data and the committed results say."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pdebench.errors import ConfigError
from pdebench.leaderboard.claims import Figure, Place, figure, judge, read
from pdebench.leaderboard.ledger import main, page

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "leaderboards" / "claims").glob("*.yaml"))
FAILS = "not supported here"
CLAIM = """
family: F
plugin: plugins/fno
paper: P
claims:
  - {statement: s, source: s, metric: m, task: t, comparison: c, command: make it,
     figures: {a: {file: r.json, key: [rows, a]}, b: {file: r.json, key: [rows, b]}},
     rules: [{left: a, relation: below, threshold: 0.5, right: b}]}
"""


def verdict(folder: Path, rows: object) -> str:
    (folder / "f.yaml").write_text(CLAIM)
    (folder / "r.json").write_text(json.dumps({"rows": rows}))
    return judge(folder, read(folder / "f.yaml").claims[0]).word


def test_the_page_is_what_data_and_results_say() -> None:
    stored = (ROOT / "leaderboards" / "claims.md").read_text()
    assert stored == page(ROOT), "leaderboards/claims.md is out of date: run 'make claims'"


def test_every_family_has_claims() -> None:
    families = {read(file).plugin.removeprefix("plugins/") for file in FILES}
    assert families == {
        "fno", "t1", "lsm", "mgno", "ifactformer", "poseidon", "lesnets", "gp", "deepcg",
    }  # fmt: skip
    assert all(read(file).claims and read(file).released for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_solvers_experiments_and_targets_that_claims_name_exist(file: Path) -> None:
    family, makefile = read(file), (ROOT / "Makefile").read_text()
    assert (ROOT / family.plugin / "README.md").is_file()
    configs = {
        path.as_posix().partition("/conf/")[2].removesuffix(".yaml")
        for path in ROOT.glob("plugins/*/*/conf/**/*.yaml")
    }
    for claim in family.claims:
        for place in claim.figures.values():
            if "solver" in place.where:
                assert f"solver/{place.where['solver']}" in configs
        for name in re.findall(r"experiment=(\S+)", f"{claim.paper_command} {claim.command}"):
            assert f"experiment/{name}" in configs
        for target in re.findall(r"^make (.*)$", claim.command):
            assert all(re.search(rf"^{word}:", makefile, re.M) for word in target.split())
        for script in re.findall(r"python (\S+)", claim.command):
            assert (ROOT / script).is_file()


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        ({"mean": 1, "low": 0.9, "high": 1.1}, {"mean": 3, "low": 2.5, "high": 4}, "supported"),
        ({"mean": 1, "low": 0.9, "high": 1.3}, {"mean": 3, "low": 2.5, "high": 4}, "undecided"),
        ({"ratio": 3, "low": 2.1, "high": 4}, {"ratio": 3, "low": 2, "high": 4}, FAILS),
        ([0.3, 0.4, 0.2], [1, 2, 3], "supported"),
        ([0.3, 0.6, 0.2], [1, 2, 3], "undecided"),
        (None, 3.0, FAILS),
        ([{"value": 1, "bound": "at most"}], 9, "supported"),
        ([{"value": 1, "bound": "at least"}], 9, "undecided"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_ends_of_the_intervals(
    tmp_path: Path, a: object, b: object, word: str
) -> None:
    assert verdict(tmp_path, {"a": a, "b": b}) == word


def test_above_is_below_the_other_way_round(tmp_path: Path) -> None:
    text = CLAIM.replace("below", "above").replace("0.5", "2")
    (tmp_path / "f.yaml").write_text(text)
    claim = read(tmp_path / "f.yaml").claims[0]
    for a, word in ((7, "supported"), (6, "not supported here"), (5, "not supported here")):
        (tmp_path / "r.json").write_text(json.dumps({"rows": {"a": a, "b": 3}}))
        assert judge(tmp_path, claim).word == word


def test_what_is_missing_is_not_run_yet_and_what_is_wrong_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(CLAIM)
    claim = read(tmp_path / "f.yaml").claims[0]
    assert judge(tmp_path, claim).word == "not run yet"
    with pytest.raises(ConfigError, match=r"has no 'b'.*there: a"):
        verdict(tmp_path, {"a": 1})
    with pytest.raises(ConfigError, match="no figure but 'fast'"):
        verdict(tmp_path, {"a": "fast", "b": 1})
    rows = [{"kind": "row", "solver": s, "status": t, "n": 7} for s, t in
            (("x", "ok"), ("x", "ok"), ("y", "ok"), ("z", "failed"))]  # fmt: skip
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def found(solver: str) -> Figure | str:
        return figure(tmp_path, Place("b.jsonl", ["n"], {"solver": solver}))

    assert found("y") == Figure(7, 7, 7)
    assert "no row with solver=w" in str(found("w")) and "ended as failed" in str(found("z"))
    with pytest.raises(ConfigError, match="2 rows with solver=x"):
        found("x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("metric: m", "metrik: m"), "metrik"),
        (("below", "beside"), "beside"),
        (("left: a", "left: c"), "names no figure 'c'; there: a, b"),
        (("command: make it,", ""), "needs 'command'"),
        (("rules: [{left: a, relation: below, threshold: 0.5, right: b}]", "limits: l"), "either"),
        (("family: F", "family: [F"), "f.yaml"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in CLAIM
    (tmp_path / "f.yaml").write_text(CLAIM.replace(*change))
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path / "f.yaml")
    assert "f.yaml" in str(caught.value)


def test_check_says_when_a_result_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaderboards" / "claims").mkdir(parents=True)
    (tmp_path / "leaderboards" / "claims" / "f.yaml").write_text(CLAIM)
    result = tmp_path / "r.json"
    result.write_text('{"rows": {"a": 1, "b": 3}}')
    where = ["--root", str(tmp_path)]
    assert main([*where, "--check"]) == 1 and main(where) == 0 and main([*where, "--check"]) == 0
    result.write_text('{"rows": {"a": 2, "b": 3}}')
    assert main([*where, "--check"]) == 1
    assert "run make claims" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "leaderboards" / "claims")
    assert main(where) == 2 and "give the repository's --root" in capsys.readouterr().err
