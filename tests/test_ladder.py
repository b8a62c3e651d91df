"""The classical ladder, tuned: which settings become rungs, and that the board takes them."""

import json
from pathlib import Path

import pytest

from pdebench.cli import main
from pdebench.cli.ladder import Candidate, front, thinned
from pdebench.harness.store import Store

SMALL = (
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "task.evaluate=[test]",
    "threads=1",
)


def test_only_settings_that_nothing_beats_in_both_are_rungs() -> None:
    tried = [
        Candidate(("slow",), 1e-3, 4.0),
        Candidate(("beaten",), 1e-1, 3.0),
        Candidate(("fast",), 1e-1, 1.0),
        Candidate(("middle",), 1e-2, 2.0),
        Candidate(("failed",), reason="blew up"),
    ]
    assert [one.overrides for one in front(tried)] == [("fast",), ("middle",), ("slow",)]


def test_thinning_keeps_both_ends_and_even_distances() -> None:
    found = [Candidate((str(k),), 10.0**-k, float(k)) for k in (0, 1, 2, 3, 3.1, 4)]
    assert [c.overrides[0] for c in thinned(found, 5)] in (
        ["0", "1", "2", "3", "4"],
        ["0", "1", "2", "3.1", "4"],
    )
    assert [c.overrides[0] for c in thinned(found, 2)] == ["0", "4"]


def test_tuned_rungs_are_what_the_board_compares_with(tmp_path: Path, capsys) -> None:
    where = (f"store={tmp_path}/store", f"data={tmp_path}/data", *SMALL)
    assert main(["ladder", *where, "solver=spectral", "solver.grid=8,16", "solver.step=0.5"]) == 0
    said = capsys.readouterr().out
    assert "on valid" in said and "rungs of 2 settings" in said
    assert main(["run", "solver=persistence", *where]) == 0
    records = list(Store(tmp_path / "store"))
    rungs = [r for r in records if r.solver["name"] == "spectral"]
    trials = list(Store(tmp_path / "store" / "trials"))
    assert len(trials) == 2 and all(set(r.scores) == {"valid"} for r in trials)
    assert rungs and all(set(r.scores) == {"test"} for r in records)
    assert all(r.protocol["trials"] == 2 and not r.protocol["violations"] for r in rungs)
    board = ("--store", f"{tmp_path}/store", "--out", f"{tmp_path}/board")
    assert main(["board", *board]) == 0
    (file,) = (tmp_path / "board").rglob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()][1:]
    by_name = {row["solver"]: row for row in rows}
    assert by_name["spectral"]["ladder"] is not None
    assert by_name["persistence"]["ladder"] is None and by_name["persistence"]["versus"]
    assert " trials=2 rung=true " in by_name["spectral"]["runs"][0]["command"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("solver=spectral",), "nothing to tune over"),
        (("solver=spectral,mean", "solver.grid=8,16"), "options of one solver"),
        (("solver=spectral", "solver.grid=8,16", "--rungs", "1"), "two at least"),
    ],
)
def test_wrong_ladders_are_refused(arguments, said: str, capsys) -> None:
    assert main(["ladder", *arguments]) == 2
    assert said in capsys.readouterr().err
