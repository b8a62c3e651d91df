"""Bad files: one sentence naming the file, what was expected and what to do."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import pdebench
from pdebench.errors import DataError
from pdebench.formats.imported import Imported
from pdebench.testing import lookalikes

Make = Callable[[Path], Path]


def refused(path: Path | str) -> str:
    """Open, and prepare as a data set; return the sentence that says why not."""
    with pytest.raises(DataError) as caught:
        pdebench.open_dataset(str(path))
        Imported(str(path)).prepare(Path(path).parent / "prepared")
    said = str(caught.value)
    name = Path(path).name
    assert name in said or str(Path(path)) in said
    assert ", expected" in said or ";" in said, said
    assert "\n" not in said and "Traceback" not in said and len(said) < 1500
    return said


def truncated(folder: Path) -> Path:
    path = lookalikes.pdebench_flow(folder)
    os.truncate(path, path.stat().st_size // 2)
    return path


def not_hdf5(folder: Path) -> Path:
    path = folder / "file.hdf5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return path


def garbage(folder: Path) -> Path:
    path = folder / "file.h5"
    path.write_bytes(os.urandom(4096))
    return path


def empty(folder: Path) -> Path:
    path = folder / "empty.h5"
    path.touch()
    return path


def missing(folder: Path) -> Path:
    return folder / "no such file.h5"


def empty_folder(folder: Path) -> Path:
    path = folder / "folder.h5"
    path.mkdir()
    return path


def changed(make: Make, change: Callable[[h5py.File], None]) -> Make:
    def made(folder: Path) -> Path:
        path = make(folder)
        with h5py.File(path, "a") as out:
            change(out)
        return path

    return made


def transpose(name: str, *order: int) -> Callable[[h5py.File], None]:
    def change(out: h5py.File) -> None:
        values = out[name][()].transpose(order)
        del out[name]
        out[name] = values

    return change


def retyped(out: h5py.File) -> None:
    values = out["Vx"][()].astype(np.float64)
    del out["Vx"]
    out["Vx"] = values


def drop(name: str) -> Callable[[h5py.File], None]:
    def change(out: h5py.File) -> None:
        del out[name]

    return change


def unknown(out: h5py.File) -> None:
    out["Temperature"] = out["density"][()]


def not_finite(out: h5py.File) -> None:
    out["Vx"][3, 1, 2, 2] = np.nan
    out["pressure"][7, 0, 0, 0] = np.inf


def objects(out: h5py.File) -> None:
    del out["velocity"]
    kind = h5py.special_dtype(vlen=np.float32)
    out.create_dataset("velocity", (20, 6, 2, 16, 16), kind)


def other_length(out: h5py.File) -> None:
    group = out["0001"]
    del group["data"]
    group["data"] = np.zeros((5, 16, 12, 2), np.float32)


def external(out: h5py.File) -> None:
    del out["tensor"]
    out["tensor"] = h5py.ExternalLink("/etc/passwd", "/x")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, "does not exist"),
        (empty, "neither HDF5, NetCDF 4, MATLAB nor NumPy"),
        (garbage, "neither HDF5, NetCDF 4, MATLAB nor NumPy"),
        (truncated, "truncated or no HDF5 file"),
        (not_hdf5, "(truncated or no HDF5|damaged HDF5)"),
        (empty_folder, "has no files"),
        (changed(lookalikes.pdebench_advection, transpose("tensor", 0, 2, 1)), "another order"),
        (changed(lookalikes.pdebench_flow, drop("y-coordinate")), "lacks the coordinates 'y-coor"),
        (changed(lookalikes.pdebench_grouped, drop("0000/grid/t")), "lacks the coordinates"),
        (changed(lookalikes.pdebench_flow, unknown), "holds 'Temperature'"),
        (changed(lookalikes.pdebench_flow, retyped), "mixes dtypes .*Vx float64"),
        (changed(lookalikes.pdebench_flow, not_finite), r"in 2 of 10 samples \(3, 7\)"),
        (changed(lookalikes.pdebench_grouped, other_length), "samples of shapes"),
        (changed(lookalikes.poseidon, objects), "objects are never read"),
        (changed(lookalikes.pdebench_advection, external), "links 'tensor' to the file"),
        (changed(lookalikes.fno_v73, transpose("a", 2, 0, 1)), "transpose 'u'"),
        (changed(lookalikes.poseidon, transpose("velocity", 0, 1, 3, 4, 2)), "square fields"),
    ],
)
def test_each_is_one_sentence(make: Make, said: str, tmp_path: Path) -> None:
    import re

    assert re.search(said, refused(make(tmp_path)))


def test_damaged_bytes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "NS.nc"
    with h5py.File(path, "w") as out:
        values = lookalikes.field(6, 4, 2, 16, 16)
        out.create_dataset("velocity", data=values, chunks=(1, 4, 2, 16, 16), fletcher32=True)
        place = out["velocity"].id.get_chunk_info(2).byte_offset
    with path.open("r+b") as stream:
        stream.seek(place + 9)
        stream.write(b"\xff\x7f\x03")
    assert "is damaged at 'velocity'" in refused(path)


def test_rows_that_are_not_finite_can_be_left_out(tmp_path: Path) -> None:
    path = str(changed(lookalikes.pdebench_flow, not_finite)(tmp_path))
    data = Imported(path, exclude=[3, 7])
    data.prepare(tmp_path / "p")
    assert 3 not in data.split("train").indices and 7 not in data.split("train").indices
    assert sum(data.card.splits.values()) == 8


def test_objects_in_npy_are_never_unpickled(tmp_path: Path) -> None:
    folder = lookalikes.geo_fno(tmp_path)
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple:
            return (marker.touch, ())

    np.save(folder / "Random_UnitCell_sigma_10.npy", np.array([Trap()]), allow_pickle=True)
    with pytest.raises(DataError, match=r"sigma_10\.npy' is no array of numbers"):
        pdebench.open_dataset(str(folder))
    assert not marker.exists()


def test_structures_in_matlab_files_are_never_read(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "file.mat"
    savemat(path, {"u": {"field": np.ones(3)}, "a": np.ones((2, 3))})
    assert "of MATLAB class struct, expected double" in refused(path)


def test_damaged_matlab_file_is_named(tmp_path: Path) -> None:
    path = lookalikes.fno_v5(tmp_path)
    os.truncate(path, path.stat().st_size // 3)
    assert "damaged" in refused(path)


def test_hostile_attributes_are_left_out(tmp_path: Path) -> None:
    given, path = lookalikes.pdebench_flow(tmp_path), tmp_path / "hostile.hdf5"
    with h5py.File(given) as source, h5py.File(path, "w", libver="latest") as out:
        for name in source:  # only the newest file format holds attributes of any size
            source.copy(name, out)
        out.attrs.create("fine", "short")
        out.attrs.create("huge", np.bytes_(b"x" * (1 << 24)))
        out.attrs.create("pointers", np.array([out["Vx"].ref] * 3, dtype=h5py.ref_dtype))
        out.attrs.create("texts", np.array(["a", "b"], dtype=h5py.string_dtype()))
    with pdebench.open_dataset(str(path)) as opened:
        assert opened.attrs["fine"] == "short"
        assert not {"huge", "pointers", "texts"} & set(opened.attrs)


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    root = lookalikes.the_well(tmp_path / "inside")
    elsewhere = lookalikes.the_well(tmp_path / "outside") / "train" / "part_0.hdf5"
    (root / "train" / "part_1.hdf5").symlink_to(elsewhere)
    with pytest.raises(DataError, match=r"part_1\.hdf5' is a link out of the folder.*copy"):
        pdebench.open_dataset(str(root))
    (root / "train" / "part_1.hdf5").unlink()
    (root / "train" / "part_1.hdf5").symlink_to(root / "train" / "part_0.hdf5")
    assert pdebench.open_dataset(str(root), split="train").sizes["sample"] == 8


@pytest.mark.parametrize("name", ["with space.hdf5", "ünïcødé 日本.hdf5", "quote'and\"=,[.hdf5"])
def test_names_may_have_any_letters(name: str, tmp_path: Path) -> None:
    from pdebench.cli import main

    path = lookalikes.pdebench_flow(tmp_path).rename(tmp_path / name)
    assert pdebench.open_dataset(str(path)).sizes["sample"] == 10
    assert main(["data", "info", str(path), "--data", str(tmp_path / "data")]) == 0


PROGRAM = """
import resource, sys
import numpy as np
import pdebench
from pdebench.formats.imported import Imported
import pdebench.formats.imported, pdebench.task, torch, h5py, xarray
limit = 1_500_000_000  # bytes of data and stack, libraries included; the file has 10 GB
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
opened = pdebench.open_dataset(sys.argv[1])
assert opened["velocity"].nbytes > 10e9
assert opened["velocity"][5, 3, 0].values.shape == (512, 512)
data = Imported(sys.argv[1])
data._ready = data._found
one = data.split("test")[:1]
assert one.target.shape == (1, 20, 2, 512, 512)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_ten_gigabytes_on_a_small_machine(tmp_path: Path) -> None:
    path = tmp_path / "NS-big.nc"
    with h5py.File(path, "w") as out:  # never written: takes no space, reads as zeros
        out.create_dataset("velocity", (240, 20, 2, 512, 512), "f4", chunks=(1, 1, 2, 512, 512))
    assert path.stat().st_size < 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 1e9  # libraries take half of it


def test_a_copy_that_does_not_fit_is_refused_before_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "NavierStokes_V1e-3_N5000_T50.mat"
    huge = 1 << 28
    with h5py.File(path, "w") as out:
        chunks = (1, 64, 64, 1)
        out.create_dataset("u", (50, 64, 64, huge), "f4", chunks=chunks)
        out.create_dataset("a", (64, 64, huge), "f4", chunks=chunks[1:])
        out["t"] = np.arange(1.0, 51.0)[:, None]
    with pytest.raises(DataError, match=r"needs a copy of 2\d+\.\d GB and .* free"):
        Imported(str(path)).prepare(tmp_path / "p")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20  # kB
    assert not list((tmp_path / "p").glob("*.h5"))


def test_manifest_notices_a_changed_file(tmp_path: Path) -> None:
    from pdebench.harness.data import known_digest, prepare

    path = lookalikes.pdebench_flow(tmp_path)
    config = {"_target_": "pdebench.formats.imported.Imported", "path": str(path)}
    digest = prepare(tmp_path / "d", config, Imported(str(path)))
    assert known_digest(tmp_path / "d", config) == digest
    with h5py.File(path, "a") as out:
        out["Vx"][0, 0, 0, 0] = 9.0
    os.utime(path, ns=(1, 1))
    assert known_digest(tmp_path / "d", config) is None
    with pytest.raises(DataError, match="was edited or"):
        prepare(tmp_path / "d", config, Imported(str(path)))


def test_the_id_of_a_run_ignores_where_the_file_lies() -> None:
    from pdebench.harness.identity import run_id

    tasks = [{"name": "t", "dataset": {"path": p, "stride": 1}} for p in ("/a", "/b")]
    one, two = (run_id(task, {}, 0, "digest", "code") for task in tasks)
    assert one == two
    assert json.dumps(tasks[0]) != json.dumps(tasks[1])
