"""Stores are listed, queried, merged, verified and cleaned; nothing is lost on the way."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pdebench.errors import ConfigError, StoreError
from pdebench.harness.index import summaries
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.harness.table import scores
from pdebench.harness.upkeep import collect, merge, rubbish, verify


def record(number: int, **changes) -> Record:
    task = {"name": "ns/evolve", "track": "tiny", "headline": "nrmse", "evaluate": ["test"]}
    facts = {
        "id": f"{number:064x}",
        "status": "ok",
        "task": task,
        "solver": {"name": f"s{number % 2}"},
        "seed": number,
        "uses": [],
        "scores": {"test": {"nrmse": {"values": [1.0 * number, 2.0 * number]},
                            "crps": {"not_applicable": "no spread"}}},
        "costs": {"fit": {"seconds": 2.0}, "solve": {"seconds": 4.0, "batch": 2}},
        "environment": {"device": "cpu"},
        "created": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Record(**(facts | changes))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    for number in range(4):
        made.put(record(number), "cpu")
    return made


def test_a_listing_is_kept_and_follows_every_change(store: Store) -> None:
    rows, damaged = summaries(store)
    assert [r["value"] for r in rows] == [0.0, 1.5, 3.0, 4.5] and not damaged
    assert rows[0]["solve_seconds"] == 2.0 and (store.root / "index.json").is_file()
    store.put(record(1, status="failed", reason="boom"), "cpu")
    store.path(record(2).id, "cpu").unlink()
    store.put(record(7), "cpu")
    rows, _ = summaries(store)
    assert [(r["seed"], r["status"]) for r in rows] == [
        (0, "ok"), (1, "failed"), (3, "ok"), (7, "ok")
    ]  # fmt: skip
    (store.root / "index.json").write_text("[]")
    assert summaries(store)[0] == rows


def test_a_damaged_record_is_said_and_the_others_are_listed(store: Store) -> None:
    store.path(record(2).id, "cpu").write_text("{")
    rows, damaged = summaries(store)
    assert len(rows) == 3 and "delete it to run again" in damaged[0]


def test_merge_adds_what_is_missing_and_prefers_what_ended_well(tmp_path: Path) -> None:
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    ours.put(record(1), "cpu")
    ours.put(record(2, status="timeout", reason="slow"), "cpu")
    ours.put(record(3), "cpu")
    theirs.put(record(1), "cpu")
    theirs.put(record(2), "cpu")
    theirs.put(record(3, parameters=7), "cpu")
    theirs.put(record(4), "cpu")
    theirs.arrays(record(4).id, "cpu").write_bytes(b"arrays")
    done = merge(ours, theirs)
    assert (done.added, done.replaced, done.same, len(done.kept)) == (1, 1, 1, 1)
    assert [r.status for r in ours] == ["ok"] * 4
    assert ours.get(record(3).id, "cpu").parameters == 0  # type: ignore[union-attr]
    assert ours.arrays(record(4).id, "cpu").read_bytes() == b"arrays"
    again = merge(ours, theirs)
    assert (again.added, again.replaced, again.same) == (0, 0, 3)
    with pytest.raises(StoreError, match="holds no records"):
        merge(ours, Store(tmp_path / "nowhere"))


def test_rubbish_is_what_nobody_needs_or_holds(store: Store) -> None:
    orphan, fitted = store.arrays("f" * 64, "cpu"), store.workspace("e" * 64)
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"x")
    fitted.mkdir(parents=True)
    (fitted / "resume.ckpt").write_bytes(b"x")
    with store.claim("e" * 64, "cpu"):
        held = {r.path for r in rubbish(store)}
        assert fitted not in held and store.lock("e" * 64, "cpu") not in held
    found = list(rubbish(store))
    assert {orphan, fitted, store.lock("e" * 64, "cpu")} <= {r.path for r in found}
    for piece in found:
        collect(piece)
    assert not list(rubbish(store)) and len(list(store)) == 4 and not list(verify(store))


def test_a_claim_on_a_collected_lock_is_a_claim_on_the_new_one(store: Store) -> None:
    with store.claim("a" * 64, "cpu"):
        store.lock("a" * 64, "cpu").unlink()
        with store.claim("a" * 64, "cpu", wait=False) as second:
            assert second is not None  # a new file: its holder is the one that counts


DAMAGES = [
    (lambda s: s.path(record(1).id, "cpu").rename(s.path("9" * 64, "cpu")), "holds the record of"),
    (lambda s: s.put(record(1, scores={}), "cpu"), "is ok without scores"),
    (lambda s: s.put(record(1, status="failed"), "cpu"), "is failed without a reason"),
    (lambda s: s.arrays(record(1).id, "cpu").write_bytes(b"no zip"), "has broken arrays"),
    (lambda s: s.put(record(1, scores={"test": {"a": {"values": [1.0]}, "b": {"values": []}}}),
                     "cpu"), "scores [0, 1] samples"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_verify_names_every_damage(store: Store, damage, said: str) -> None:
    assert not list(verify(store))
    (store.root / "records" / "99").mkdir(exist_ok=True)
    damage(store)
    assert any(said in sentence for sentence in verify(store))


def test_scores_are_one_labelled_array(store: Store) -> None:
    store.put(record(5, scores={"test": {"nrmse": {"values": [1.0]}}}), "cpu")
    found = scores(store)
    assert found.score.dims == ("run", "split", "metric", "sample")
    assert found.score.shape == (5, 1, 2, 2) and found.solve_seconds.values[0] == 2.0
    nrmse = found.score.sel(metric="nrmse", split="test")
    assert nrmse.mean("sample").values.tolist() == [0.0, 1.5, 3.0, 4.5, 1.0]
    assert np.isnan(found.score.sel(metric="crps").values).all()
    assert found.run.size == 5 and set(found.solver.values) == {"s0", "s1"}
    with pytest.raises(StoreError, match="no record of task=x"):
        scores(store, task="x")


def test_sql_sees_records_scores_and_samples(store: Store) -> None:
    pytest.importorskip("duckdb")
    from pdebench.harness.sql import query

    values = {"test": {"nrmse": {"values": [math.inf, math.nan]}}}
    store.put(record(6, scores=values, status="failed", reason="it's odd"), "cpu")
    head, rows = query(
        store.root, "select solver, count(*) as n from records group by 1 order by 1"
    )
    assert head == ["solver", "n"] and rows == [("s0", 3), ("s1", 2)]
    assert query(store.root, "select mean from scores where seed=3 and metric='nrmse'")[1] == [
        (4.5,)
    ]
    (row,) = query(store.root, "select value from samples where seed=6 and sample=0")[1]
    assert row == (math.inf,)
    with pytest.raises(ConfigError, match="views: raw, records"):
        query(store.root, "select nonsense from records")


def program(store: Store, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pdebench", "store", "--store", str(store.root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_lists_exports_and_refuses(store: Store, tmp_path: Path) -> None:
    done = program(store, "list", "solver=s1")
    assert done.returncode == 0 and "2 records" in done.stdout, done.stderr
    assert "expected column=value" in program(store, "list", "colour=red").stderr
    for name in ("all.jsonl", "all.csv", "all.nc"):
        assert program(store, "export", str(tmp_path / name)).returncode == 0
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [Record.from_json(line) for line in lines] == list(store)
    assert (tmp_path / "all.csv").read_text().count("\n") == 5
    assert ".jsonl, .csv" in program(store, "export", str(tmp_path / "all.xyz")).stderr
    store.path(record(1).id, "cpu").write_text("{")
    assert program(store, "verify").returncode == 1
    assert json.loads(program(store, "list", "--json").stdout.splitlines()[0])["seed"] == 0
