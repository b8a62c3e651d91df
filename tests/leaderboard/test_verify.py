"""Rows run again: what holds is said to hold, what was doctored is found out, nothing is executed
that no plugin ships.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pdebench.cli import main
from pdebench.errors import ConfigError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard import verify

SMALL = (
    "dataset.counts={train:4,valid:2,test:4}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "task.evaluate=[test]",
    "threads=1",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data and a store with two seeds of one solver."""
    root = tmp_path_factory.mktemp("ran")
    where = (f"store={root}/store", f"data={root}/data", "isolate=false", *SMALL)
    assert main(["run", "-m", "solver=mean", "seed=0,1", *where]) == 0
    return root


def again(ran: Path, folder: Path, change: Any, *more: str) -> int:
    """Verify the records after a change, in a store of their own."""
    store = Store(folder / "store")
    for record in Store(ran / "store"):
        store.put(change(record), "cpu")
    where = ("--store", str(store.root), "--data", f"{ran}/data", "--json")
    return verify.main([*where, *more])


def same(record: Record) -> Record:
    return record


def shrunk(record: Record) -> Record:
    own = record.scores["test"]["relative_l2"]["values"]
    return replace(record, scores={"test": {"relative_l2": {"values": [v / 2 for v in own]}}})


def test_untouched_row_holds(ran: Path, tmp_path: Path, capsys) -> None:
    assert again(ran, tmp_path, same, "mean", "--only-errors") == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["seeds"] == [0, 1] and said["cautions"] == []
    error = said["checks"][0]
    assert error["what"] == "relative_l2 on test" and error["again"] == error["recorded"]


def test_doctored_errors_are_found_out(ran: Path, tmp_path: Path, capsys) -> None:
    assert again(ran, tmp_path, shrunk, "--only-errors", "--seeds", "1") == 1
    (said,) = json.loads(capsys.readouterr().out)
    error = said["checks"][0]
    assert said["seeds"] == [0] and error["within"] is False
    assert error["again"] == pytest.approx(2 * error["recorded"])


def test_doctored_times_are_found_out(ran: Path, tmp_path: Path, capsys) -> None:
    def faster(record: Record) -> Record:
        own = record.costs["solve"]
        quick = {k: v / 1e4 if k in ("seconds", "low", "high") else v for k, v in own.items()}
        return replace(record, costs=record.costs | {"solve": quick})

    assert again(ran, tmp_path, faster, "--seeds", "1") == 1
    (said,) = json.loads(capsys.readouterr().out)
    assert [c["within"] for c in said["checks"]] == [True, False]


def test_times_of_another_machine_are_not_compared(ran: Path, tmp_path: Path, capsys) -> None:
    def moved(record: Record) -> Record:
        return replace(record, environment=record.environment | {"processor": "Model 7"})

    assert again(ran, tmp_path, moved, "--seeds", "1") == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["checks"][-1]["within"] is None and "Model 7" in said["checks"][-1]["reason"]


def test_success_of_what_had_failed_is_no_match(ran: Path, tmp_path: Path, capsys) -> None:
    def failed(record: Record) -> Record:
        return replace(record, status="failed", reason="no", scores={}, costs={})

    assert again(ran, tmp_path, failed, "--seeds", "1") == 1
    (said,) = json.loads(capsys.readouterr().out)
    assert said["checks"][0]["reason"] == "recorded failed, now ok: as it should"


def test_foreign_classes_are_not_run(ran: Path, tmp_path: Path, capsys) -> None:
    mark = tmp_path / "mark"

    def evil(record: Record) -> Record:
        solver = {"_target_": "os.system", "command": f"touch {mark}"}
        return replace(record, config=record.config | {"solver": solver})

    assert again(ran, tmp_path, evil) == 1
    (said,) = json.loads(capsys.readouterr().out)
    assert "no installed plugin names os.system" in said["reason"] and not mark.exists()


def test_unknown_row_is_named_with_the_nearest(ran: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'maen' names no row .* did you mean 'mean'"):
        again(ran, tmp_path, same, "maen")
