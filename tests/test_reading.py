"""Samples are read in any order, by any reader, from any place, and are always the same."""

import multiprocessing
import pickle
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

import pdebench
from pdebench.errors import DataError
from pdebench.files import Layout, Variable, write
from pdebench.learning.loader import Batches
from pdebench.reading import Descriptor, Runs, ahead
from pdebench.samples import Samples
from pdebench.stored import Stored
from pdebench.testing.problems import DecayingModes

NUM, SHAPE = 24, (3, 40, 40)
VALUES = np.random.default_rng(0).standard_normal((NUM, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "own file é.h5"
    axes = {a: (np.arange(n, dtype=float), "1") for a, n in zip("txy", SHAPE, strict=True)}
    layout = Layout({"u": Variable(("t", "x", "y"), "m/s", "u")}, axes, {"dataset": "d"})
    write(path, layout, iter([{"u": VALUES[:10]}, {"u": VALUES[10:]}]), NUM)
    return path


@pytest.mark.parametrize("limit", [0, 1 << 30])
@pytest.mark.parametrize(
    "index",
    [
        slice(None),
        slice(2, 9),
        slice(20, 3, -2),
        [5, 1, 1, 23],
        np.arange(NUM)[::-1],
        np.random.default_rng(1).permutation(NUM),
        [-1, 0],
        slice(4, 4),
    ],
)
def test_every_index_gives_what_numpy_gives(file: Path, limit: int, index) -> None:
    got = Stored(file, limit=limit).read("u", index)
    assert got.dtype == np.float32 and np.array_equal(got, VALUES[index])


def test_places_are_found_where_samples_are_runs_of_bytes(tmp_path: Path) -> None:
    cases = {
        "chunks": ({"chunks": (1, *SHAPE)}, True),
        "checked": ({"chunks": (1, *SHAPE), "fletcher32": True}, True),
        "contiguous": ({}, True),
        "pairs": ({"chunks": (2, *SHAPE)}, False),
        "frames": ({"chunks": (1, 1, 40, 40)}, False),
        "small": ({"chunks": (1, *SHAPE), "compression": "gzip"}, False),
        "shuffled": ({"chunks": (1, *SHAPE), "shuffle": True}, False),
    }
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as out:
        for name, (options, _) in cases.items():
            out.create_dataset(name, data=VALUES, **options)
        out.create_dataset("big endian", data=VALUES.astype(">f4"))
        out.create_dataset("holes", VALUES.shape, "f4", chunks=(1, *SHAPE))[3] = VALUES[3]
    order = np.random.default_rng(2).permutation(NUM)
    with h5py.File(path) as stored:
        for name, (_, possible) in cases.items():
            runs = Runs.of(stored[name], Descriptor(path))
            assert (runs is not None) == possible, name
            if runs is not None:
                assert np.array_equal(runs.read(order), VALUES[order]), name
        assert Runs.of(stored["big endian"], Descriptor(path)) is None
        assert Runs.of(stored["holes"], Descriptor(path)) is None


def test_a_file_cut_while_it_is_read_is_named(tmp_path: Path, file: Path) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(file.read_bytes())
    stored = Stored(copy, limit=0)
    assert len(stored) == NUM
    stored.read("u", [0])
    with copy.open("r+b") as stream:
        stream.truncate(copy.stat().st_size // 2)
    with pytest.raises(DataError, match=r"copy\.h5' ends before sample 2[0-3]; it was cut"):
        stored.read("u", [23, 22, 21, 20])


def _remotely(stored: Stored) -> np.ndarray:
    return stored.read("u", [7, 3])


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_processes_open_their_own(file: Path, method: str) -> None:
    stored = Stored(file, limit=0)
    stored.read("u", [0])
    if method == "spawn":
        copy = pickle.loads(pickle.dumps(stored))
        assert np.array_equal(_remotely(copy), VALUES[[7, 3]])
        return
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for got in pool.map(_remotely, [stored] * 4):
            assert np.array_equal(got, VALUES[[7, 3]])


def test_a_solver_may_read_what_was_opened_before(file: Path) -> None:
    from pdebench.errors import AccessError
    from pdebench.harness.guard import sealed

    stored = Stored(file, limit=0)
    assert stored.coordinate("x").shape == (40,)
    with sealed(file.parent):
        assert np.array_equal(stored.read("u", [2, 1]), VALUES[[2, 1]])
        with pytest.raises(AccessError):
            Stored(file).read("u")


def test_nothing_is_kept_beyond_the_limit(file: Path) -> None:
    inside, beyond = Stored(file, limit=VALUES.nbytes), Stored(file, limit=VALUES.nbytes - 1)
    views = [inside.read("u", slice(2, 4)) for _ in range(2)]
    assert np.shares_memory(*views)
    copies = [beyond.read("u", slice(2, 4)) for _ in range(2)]
    assert not np.shares_memory(*copies)


def test_files_at_an_address_are_read_through_fsspec(file: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/train.h5", file.read_bytes())
    stored = Stored("memory://bucket/train.h5", limit=0)
    assert np.array_equal(stored.read("u", [3, 1]), VALUES[[3, 1]])
    opened = pdebench.open_dataset("memory://bucket/train.h5")
    assert np.array_equal(opened["u"].isel(sample=5).values, VALUES[5])
    with pytest.raises(DataError, match="memory://bucket/no' cannot be opened"):
        pdebench.open_dataset("memory://bucket/no")


def test_reading_ahead_changes_nothing() -> None:
    samples: Samples = DecayingModes().split("train")
    for seed in (None, 3):
        plain = list(Batches(samples, 3, seed, True))
        early = list(Batches(samples, 3, seed, True, ahead=2))
        assert len(plain) == len(early)
        for (p, y), (q, z) in zip(plain, early, strict=True):
            assert y is not None and z is not None
            assert bool((p.input == q.input).all()) and bool((y == z).all())


def test_reading_ahead_stops_with_its_reader_and_raises_its_errors() -> None:
    def endless():
        n = 0
        while True:
            yield n
            n += 1

    before = threading.active_count()
    for n in ahead(endless(), 2):
        if n == 3:
            break
    for _ in range(200):
        if threading.active_count() == before:
            break
        threading.Event().wait(0.01)
    assert threading.active_count() == before

    def failing():
        yield 1
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        list(ahead(failing(), 2))
