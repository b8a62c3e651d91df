"""Records survive whatever happens to the process that writes them."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdebench.atomic import atomic_path, write_atomically
from pdebench.errors import StoreError
from pdebench.harness.record import Record
from pdebench.harness.store import Store

ID = "ab" * 32


def record(**changes) -> Record:
    facts = {"id": ID, "status": "ok", "task": {"name": "t"}, "solver": {"name": "s"}, "seed": 0}
    return Record(**(facts | {"uses": []} | changes))


def test_round_trip_keeps_special_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    scores = {"test": {"nrmse": {"values": [1.5, float("inf"), float("nan")]}}}
    store.put(record(scores=scores), "cpu")
    values = store.get(ID, "cpu").scores["test"]["nrmse"]["values"]  # type: ignore[union-attr]
    assert values[:2] == [1.5, float("inf")] and values[2] != values[2]
    assert store.get(ID, "cuda") is None
    assert [r.id for r in store] == [ID]


def test_file_is_strict_json(tmp_path: Path) -> None:
    path = Store(tmp_path).put(record(costs={"fit": {"seconds": float("nan")}}), "cpu")
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "[]", '{"schema": 1, "odd": 2}'])
def test_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    path = store.put(record(), "cpu")
    path.write_text(content)
    with pytest.raises(StoreError, match=rf"{ID}.*delete it to run again"):
        store.get(ID, "cpu")


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_only_run_ids_become_file_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        Store(tmp_path).path(name, "cpu")


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(StoreError, match="is a file, expected a folder"):
        Store(tmp_path / "x")


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_atomically(file, b"old")

    def interrupted() -> None:
        with atomic_path(file) as partial:
            partial.write_bytes(b"half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_full_disk_is_said_with_the_free_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"the disk is full \(\d+ bytes free\)"):
        write_atomically(tmp_path / "f", b"content")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_device_is_the_same_error(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_path(tmp_path / "f"), open("/dev/full", "wb") as stream:
            stream.write(b"x" * 100_000)

    with pytest.raises(StoreError, match="the disk is full"):
        write()


def hold(root: Path, held: object, release: object) -> None:
    with Store(root).claim(ID, "cpu"):
        held.set()  # type: ignore[attr-defined]
        release.wait()  # type: ignore[attr-defined]


def test_a_claim_excludes_and_a_kill_releases_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    worker = context.Process(target=hold, args=(tmp_path, held, release))
    worker.start()
    assert held.wait(60)
    with Store(tmp_path).claim(ID, "cpu", wait=False) as mine:
        assert mine is None
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    with Store(tmp_path).claim(ID, "cpu", wait=False) as mine:
        assert mine is not None


def test_kill_during_writes_never_leaves_half_a_record(tmp_path: Path) -> None:
    """A writer is killed at many moments; whatever is there afterwards can be read."""
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from pdebench.harness.record import Record; from pdebench.harness.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1])); n = 0\n"
        "while True:\n"
        "    n += 1\n"
        f"    store.put(Record(id='{ID}', status='ok', task={{'n': n, 'pad': 'x' * 200000}},\n"
        "              solver={}, seed=n, uses=[]), 'cpu')\n"
        "    print(n, flush=True)\n"
    )
    root = str(Path(__file__).parents[1])
    for delay in (0.0, 0.003, 0.006, 0.011, 0.017):
        worker = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), root], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        assert worker.stdout.readline()
        time.sleep(delay)
        worker.kill()
        worker.wait()
        worker.stdout.close()
        found = Store(tmp_path).get(ID, "cpu")
        assert found is not None and found.seed == found.task["n"]
