"""Whatever a solver does to its process costs one record, never the sweep."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdebench.errors import ConfigError
from pdebench.harness import isolation
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, Run, execute
from pdebench.harness.store import Store

TESTS = Path(__file__).parent
KIT = "pdebench.testing.problems."
TASK = {
    "_target_": "pdebench.task.Task",
    "name": "conformance/evolve",
    "dataset": {"_target_": f"{KIT}DecayingModes", "grid": 16},
    "metrics": [{"_target_": "hydra.utils.get_object", "path": "pdebench.metrics.errors.nrmse"}],
    "question": {"_target_": "pdebench.task.Evolve", "history": 10},
    "budget": {"_target_": "pdebench.solver.Budget", "epochs": 1},
    "batch": 5,
}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TESTS))


def a_run(root: Path, seconds: float | None = None, size: float | None = None, **solver) -> Run:
    config = {
        "task": TASK,
        "solver": {"_target_": "hostile_solvers.Hostile", **solver},
        "seed": 0,
        "threads": 1,
        "limit": {"seconds": seconds, "bytes": size},
    }
    return Run(config, Choices("hostile", "evolve", "tiny"), Store(root), root / "data", "cpu")


FATES = [
    ("nothing", "solve", "ok", None),
    ("raises", "fit", "failed", "RuntimeError: boom"),
    ("exits", "fit", "failed", "ended its process (exit status 3)"),
    ("exits", "build", "failed", "ended its process (exit status 3)"),
    ("leaves", "solve", "failed", "SystemExit: good bye"),
    ("segfaults", "solve", "failed", "crashed its process (SIGSEGV)"),
    ("aborts", "solve", "failed", "crashed its process (SIGABRT)"),
    ("killed", "solve", "out_of_memory", "killed by the system (SIGKILL)"),
]


@pytest.mark.parametrize(("what", "where", "status", "said"), FATES)
def test_a_solvers_fate_is_its_records_status(
    tmp_path: Path, what: str, where: str, status: str, said: str | None
) -> None:
    record, recalled = execute(a_run(tmp_path, what=what, where=where), progress=False)
    assert (record.status, recalled) == (status, False)
    assert said is None or said in (record.reason or "")
    assert record.task["name"] == "conformance/evolve" and record.task["headline"] == "nrmse"
    assert record.solver["name"] == "hostile" and record.config["solver"]["what"] == what
    assert [r.status for r in Store(tmp_path)] == [status]
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize("what", ["hangs", "spins"])
def test_a_solver_that_hangs_is_a_timeout(tmp_path: Path, what: str) -> None:
    began = time.perf_counter()
    record, _ = execute(a_run(tmp_path, seconds=1.0, what=what), progress=False)
    assert record.status == "timeout" and "limit.seconds=1" in str(record.reason)
    assert time.perf_counter() - began < 120  # the server's imports included


@pytest.mark.skipif(sys.platform != "linux", reason="bounds the heap")
def test_a_solver_that_eats_memory_is_out_of_memory(tmp_path: Path) -> None:
    record, _ = execute(a_run(tmp_path, size=3e9, what="eats"), progress=False)
    assert record.status == "out_of_memory", record.reason


def test_what_a_solver_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    record, _ = execute(a_run(tmp_path, what="lingers", note=str(note)), progress=False)
    assert record.status == "ok"
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # the system may take a moment to bury it
            os.kill(int(note.read_text()), 0)
            if "Z" in Path(f"/proc/{note.read_text()}/status").read_text().split("State:")[1][:4]:
                raise ProcessLookupError
            time.sleep(0.05)


def test_the_next_run_does_not_notice_the_one_before(tmp_path: Path) -> None:
    execute(a_run(tmp_path, what="litters"), progress=False)
    record, _ = execute(a_run(tmp_path, note="another"), progress=False)
    assert record.status == "ok" and record.environment["threads"] == 1
    assert os.environ.get("OMP_NUM_THREADS") != "7"


def test_an_error_of_the_configuration_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"solver\.what=3, expected a text"):
        execute(a_run(tmp_path, what=3), progress=False)


def test_a_failure_is_recalled_and_retried_on_request(tmp_path: Path) -> None:
    run = a_run(tmp_path, what="exits", where="fit")
    first, _ = execute(run, progress=False)
    for asked, again in ((False, False), ("timeout", False), ("failed", True), (True, True)):
        run.config["retry"] = asked
        record, recalled = execute(run, progress=False)
        assert record.id == first.id and recalled is not again


def lasting(path: str, announce) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def ask(path: str) -> None:
    isolation.call(lasting, path)


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = multiprocessing.get_context("spawn").Process(target=ask, args=(str(note),))
    parent.start()
    for _ in range(600):
        if note.exists() and note.read_text():
            break
        time.sleep(0.05)
    child = int(note.read_text())
    parent.kill()
    parent.join()
    for _ in range(100):
        done = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True)
        if not done.stdout.strip() or done.stdout.startswith(b"Z"):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")
