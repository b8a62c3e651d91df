"""Finished runs timed again: only the online cost changes, and only where that is honest."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pdebench.cli import main
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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two seeds of a fitted solver and one classical one."""
    root = tmp_path_factory.mktemp("ran")
    where = (f"store={root}/store", f"data={root}/data", *SMALL)
    assert main(["run", "-m", "solver=mean", "seed=0,1", *where]) == 0
    assert main(["run", "solver=spectral_n8_h0.5", *where]) == 0
    return root


@pytest.fixture
def finished(ran: Path, tmp_path: Path) -> Path:
    shutil.copytree(ran / "store", tmp_path / "store")
    (tmp_path / "data").symlink_to(ran / "data")
    return tmp_path


def retime(root: Path, *arguments: str) -> int:
    where = ("--store", f"{root}/store", "--data", f"{root}/data", "--seconds", "0.02", "--json")
    return main(["retime", *where, *arguments])


def test_the_online_cost_is_replaced_and_the_former_kept(finished: Path, capsys) -> None:
    before = {r.id: r for r in Store(finished / "store")}
    assert retime(finished) == 0
    said = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert said.keys() == before.keys() and len(said) == 3
    for record in Store(finished / "store"):
        old, new = before[record.id], record.costs["solve"]
        assert new["former"] == [old.costs["solve"]]
        assert new["first"] == old.costs["solve"]["first"] and new["retimed"]
        assert new["machine"]["in_turns"] == 3 and new["batch"] == 3
        assert said[record.id]["seconds"] == pytest.approx(new["seconds"] / 3)
        kept = {phase: cost for phase, cost in record.costs.items() if phase != "solve"}
        assert replace(record, costs=kept) == replace(
            old, costs={k: v for k, v in old.costs.items() if k != "solve"}
        )
    assert retime(finished, "--solver", "mean") == 0
    formers = [len(r.costs["solve"]["former"]) for r in Store(finished / "store")]
    assert sorted(formers) == [1, 2, 2]


def test_what_this_machine_cannot_speak_for_stays_as_it_was(finished: Path, capsys) -> None:
    """Another processor, other source, other errors than recorded, a lost fit, a notebook's run."""
    store = Store(finished / "store")
    fast, *means = sorted(store, key=lambda r: r.solver["name"] == "mean")
    store.put(replace(fast, environment={**fast.environment, "processor": "Model 7"}), "cpu")
    wrong = {"test": {"relative_l2": {"values": [9.0, 9.0, 9.0]}}}
    store.put(replace(means[0], scores=wrong), "cpu")
    shutil.rmtree(store.workspace(means[1].id))
    before = {file: file.read_bytes() for file in store.files()}
    assert retime(finished) == 1
    reasons = {row["id"]: row["reason"] for row in json.loads(capsys.readouterr().out)}
    assert "made on Model 7" in reasons[fast.id]
    assert "recorded was 9" in reasons[means[0].id]
    assert "not timed" in reasons[means[1].id]
    assert {file: file.read_bytes() for file in store.files()} == before


def test_a_changed_plugin_is_not_timed_under_the_old_name(finished: Path, capsys) -> None:
    store = Store(finished / "store")
    record = next(r for r in store if r.solver["name"] == "mean")
    other = replace(record, id="a" * 64)
    store.put(other, "cpu")
    assert retime(finished, "--solver", "mean") == 1
    reasons = {r["id"]: r.get("reason") for r in json.loads(capsys.readouterr().out)}
    assert "source has changed" in reasons["a" * 64] and reasons[record.id] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seconds", "0"), "--seconds 0.0, expected a positive number"),
        (("--solver", "nobody"), "no finished run in"),
    ],
)
def test_wrong_arguments_are_named(finished: Path, arguments, said: str, capsys) -> None:
    assert retime(finished, *arguments) == 2
    assert said in capsys.readouterr().err
