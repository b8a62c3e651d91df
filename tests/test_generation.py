"""Generated files: independent of counts, workers and kills; damage is noticed and named."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import final

import h5py
import numpy as np
import pytest
import xarray

from pdebench.errors import DataError
from pdebench.files import Layout, Variable, content_digest, verify, write
from pdebench.generation import Recipe, generate, sample_generator
from pdebench.stored import Stored
from pdebench.workers import Workers

AXIS = np.linspace(0, 1, 6, endpoint=False)


@final
class Noise(Recipe):
    """Random fields with one stream per sample."""

    def __init__(self, train: int = 7, shard: int = 2, delay: float = 0.0) -> None:
        self._train, self._shard, self._delay = train, shard, delay

    @property
    def counts(self) -> Mapping[str, int]:
        return {"train": self._train, "test": 3}

    @property
    def shard(self) -> int:
        return self._shard

    def make(self, split: str, indices: range) -> dict[str, np.ndarray]:
        time.sleep(self._delay)
        rows = [sample_generator(f"noise@1/{split}", i).standard_normal(6) for i in indices]
        return {"u": np.stack(rows).astype(np.float32)}

    def layout(self, split: str) -> Layout:
        return Layout({"u": Variable(("x",), "m/s", "noise")}, {"x": (AXIS, "m")}, {"version": "1"})


def content(folder: Path, split: str = "train") -> np.ndarray:
    with h5py.File(folder / f"{split}.h5") as stored:
        return stored["u"][()]


def test_sample_does_not_depend_on_how_many_are_made(tmp_path: Path) -> None:
    generate(Noise(7), tmp_path / "a", Workers(1))
    generate(Noise(4), tmp_path / "b", Workers(1))
    assert np.array_equal(content(tmp_path / "a")[:4], content(tmp_path / "b"))


def test_sample_does_not_depend_on_workers(tmp_path: Path) -> None:
    one = generate(Noise(), tmp_path / "a", Workers(1))
    with Workers(2) as workers:
        two = generate(Noise(), tmp_path / "b", workers)
    assert one == two


def test_streams_are_distinct_and_repeatable() -> None:
    draw = {
        (stream, i): sample_generator(stream, i).standard_normal(4).tobytes()
        for stream in ("a/train", "a/test")
        for i in range(50)
    }
    assert len(set(draw.values())) == 100
    assert sample_generator("a/train", 3).standard_normal(4).tobytes() == draw["a/train", 3]


def test_known_stream() -> None:
    """Recorded once: if this changes, every data set changes."""
    values = sample_generator("pdebench", 0).integers(0, 2**32, 3).tolist()
    assert values == [4157298897, 3505872347, 3173907486]


PROGRAM = """
import sys, pathlib
sys.path.insert(0, sys.argv[2])
from test_generation import Noise, Workers, generate
generate(Noise(40, 1, 0.02), pathlib.Path(sys.argv[1]), Workers(1))
"""


def test_killed_generation_goes_on_and_gives_the_same_bits(tmp_path: Path) -> None:
    whole = generate(Noise(40, 1), tmp_path / "whole", Workers(1))
    folder = tmp_path / "killed"
    here = str(Path(__file__).parent)
    worker = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), here])
    shards = folder / ".shards"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(shards.glob("train-*.npz"))) < 5:
        time.sleep(0.01)
    worker.kill()
    worker.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in shards.glob("train-*.npz")}
    assert 5 <= len(kept) < 40
    (shards / sorted(kept)[0]).write_bytes(b"damaged")
    assert generate(Noise(40, 1), folder, Workers(1)) == whole
    assert np.array_equal(content(folder), content(tmp_path / "whole"))
    assert not shards.exists()


def test_xarray_opens_it_with_names_and_units(tmp_path: Path) -> None:
    generate(Noise(), tmp_path, Workers(1))
    with xarray.open_dataset(tmp_path / "train.h5", engine="h5netcdf") as opened:
        assert opened["u"].dims == ("sample", "x")
        assert opened["u"].attrs["units"] == "m/s"
        assert np.array_equal(opened["x"].values, AXIS)


def test_what_is_verified(tmp_path: Path) -> None:
    digest = generate(Noise(), tmp_path, Workers(1))["train"]
    file = tmp_path / "train.h5"
    assert verify(file, {"version": "1"}, ["u"]) == digest
    assert digest == content_digest([("u", content(tmp_path))])
    with pytest.raises(DataError, match=r"version='1', expected '2'; delete it"):
        verify(file, {"version": "2"}, ["u"])
    with pytest.raises(DataError, match="lacks v"):
        verify(file, {}, ["u", "v"])


def edited(file: Path) -> None:
    with h5py.File(file, "a") as stored:
        stored["u"][0, 0] = 42.0


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flipped(file: Path) -> None:
    with h5py.File(file) as stored:
        place = stored["u"].id.get_chunk_info(3).byte_offset
    with file.open("r+b") as stream:
        stream.seek(place + 2)
        byte = stream.read(1)
        stream.seek(place + 2)
        stream.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize(
    ("harm", "said"),
    [(edited, "was edited"), (truncated, "truncated"), (flipped, "is damaged")],
)
def test_harm_is_noticed(tmp_path: Path, harm, said: str) -> None:
    generate(Noise(), tmp_path, Workers(1))
    harm(tmp_path / "train.h5")
    with pytest.raises(DataError, match=said):
        verify(tmp_path / "train.h5", {}, ["u"])


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        verify(tmp_path / "no.h5", {}, ["u"])
    with pytest.raises(DataError, match="is a folder"):
        verify(tmp_path, {}, ["u"])


def test_lazy_reading_gives_what_indexing_gives(tmp_path: Path) -> None:
    generate(Noise(), tmp_path, Workers(1))
    everything = content(tmp_path)
    for limit in (0, 1 << 20):
        stored = Stored(tmp_path / "train.h5", limit=limit)
        assert len(stored) == 7
        assert np.array_equal(stored.read("u", slice(2, 5)), everything[2:5])
        assert np.array_equal(stored.read("u", [5, 1, 1]), everything[[5, 1, 1]])


def test_objects_are_never_stored(tmp_path: Path) -> None:
    pieces = iter([{"u": np.array([{}], dtype=object)}])
    layout = Layout({"u": Variable((), "1", "bad")}, {})
    with pytest.raises(DataError, match="dtype object"):
        write(tmp_path / "f.h5", layout, pieces, 1)
    assert not list(tmp_path.iterdir())


def test_a_script_without_a_main_guard_is_not_run_again_by_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    here = str(Path(__file__).parent)
    script.write_text(
        f"import sys, pathlib; sys.path.insert(0, {here!r})\n"
        "print('once', flush=True)\n"
        "from test_generation import Noise, Workers, generate\n"
        f"generate(Noise(), pathlib.Path({str(tmp_path / 'data')!r}), Workers(2))\n"
    )
    environment = os.environ | {"PYTHONPATH": here}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["once"]


def test_workers_entered_within_others_are_those() -> None:
    with Workers(2) as outer:
        with Workers(2) as inner, Workers(1) as alone:
            assert inner is outer and alone is not outer
            assert sorted(inner.run(abs, [(-1,), (-2,), (3,)])) == [1, 2, 3]
        assert list(outer.run(abs, [(-4,)])) == [4]
    with Workers(2) as later:
        assert later is not outer
        later.start()
