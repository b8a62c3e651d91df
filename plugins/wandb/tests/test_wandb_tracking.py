"""Runs are tracked offline, with the figures of their records."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pdebench_wandb.tracking import Tracking, summary

from pdebench.errors import ConfigError
from pdebench.harness.record import Record

RUN = (
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "task.evaluate=[test]",
    "threads=1",
    "solver=fno",
    "solver.architecture.modes=[4,4]",
    "solver.architecture.width=4",
    "track.budget.epochs=2",
    "logger=wandb",
)


def test_summary_has_the_records_figures() -> None:
    record = Record(
        id="0" * 64,
        status="ok",
        task={},
        solver={},
        seed=0,
        uses=[],
        parameters=7,
        scores={"test": {"nrmse": {"values": [1.0, 3.0]}, "pdf": {"not_applicable": "steady"}}},
        costs={"fit": {"seconds": 2.5}},
    )
    assert summary(record) == {
        "status": "ok",
        "parameters": 7,
        "test/nrmse": 2.0,
        "fit/seconds": 2.5,
    }


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ConfigError, match=r"logger\.mode='onlin', expected one of offline"):
        Tracking(mode="onlin")  # type: ignore[arg-type]


def test_a_run_is_tracked_offline(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pdebench", "run", f"store={tmp_path}/s", f"data={tmp_path}/d"]
    done = subprocess.run([*command, *RUN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(next((tmp_path / "s" / "records").glob("*/*.json")).read_text())
    assert record["status"] == "ok", record["reason"]
    (folder,) = (tmp_path / "s" / "wandb" / "wandb").glob("offline-run-*")
    (log,) = folder.glob("*.wandb")
    assert record["id"][:16] in log.name
    content = log.read_bytes()
    for name in (b"train_loss", b"valid_loss", b"test/relative_l2", b"solve/seconds"):
        assert name in content
