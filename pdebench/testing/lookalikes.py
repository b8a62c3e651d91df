"""Small files in the layout of every public data set, for tests of readers.

Names, axis orders and attributes are those of the published files; sizes and values are not. Every
function writes below ``folder`` and returns the path to open.
"""

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def field(*shape: int, seed: int = 0, dtype: str = "float32") -> Array:
    """Return random numbers of a shape."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _hdf5(path: Path, arrays: dict[str, Array], **attributes: Any) -> Path:
    with h5py.File(path, "w") as out:
        for name, values in arrays.items():
            out[name] = values
        out.attrs.update(attributes)
    return path


def _cells(n: int) -> Array:
    return ((np.arange(n) + 0.5) / n).astype(np.float32)


def pdebench_advection(folder: Path, num: int = 20, times: int = 21) -> Path:
    """``1D_Advection_Sols_beta0.1.hdf5``: tensor (B, T, X), one time more than frames."""
    arrays = {
        "tensor": field(num, times, 32),
        "x-coordinate": _cells(32),
        "t-coordinate": np.linspace(0, 2, times + 1, dtype=np.float32),
    }
    return _hdf5(folder / "1D_Advection_Sols_beta0.1.hdf5", arrays, beta=0.1)


def pdebench_flow(folder: Path, num: int = 10) -> Path:
    """``2D_CFD_Rand_..hdf5``: density, pressure, Vx, Vy (B, T, X, Y)."""
    names = ("density", "pressure", "Vx", "Vy")
    arrays = {name: field(num, 5, 16, 12, seed=i) for i, name in enumerate(names)}
    arrays |= {"x-coordinate": _cells(16), "y-coordinate": _cells(12)}
    arrays["t-coordinate"] = np.linspace(0, 1, 6, dtype=np.float32)
    name = "2D_CFD_Rand_M0.1_Eta0.01_Zeta0.01_periodic_128_Train.hdf5"
    return _hdf5(folder / name, arrays, eta=0.01, zeta=0.01, M=0.1)


def pdebench_darcy(folder: Path, num: int = 20) -> Path:
    """``2D_DarcyFlow_beta1.0_Train.hdf5``: nu (B, X, Y), tensor (B, 1, X, Y)."""
    arrays = {"nu": field(num, 16, 16) ** 2, "tensor": field(num, 1, 16, 16, seed=1)}
    arrays |= {"x-coordinate": _cells(16), "y-coordinate": _cells(16)}
    return _hdf5(folder / "2D_DarcyFlow_beta1.0_Train.hdf5", arrays, beta=1.0)


def pdebench_grouped(folder: Path, num: int = 4) -> Path:
    """``2D_diff-react_NA_NA.h5``: groups 0000.. with data (T, X, Y, C) and grid, lzf."""
    path = folder / "2D_diff-react_NA_NA.h5"
    with h5py.File(path, "w") as out:
        for i in range(num):
            group = out.create_group(f"{i:04d}")
            group.create_dataset("data", data=field(6, 16, 12, 2, seed=i), compression="lzf")
            group["grid/x"], group["grid/y"] = _cells(16), _cells(12)
            group["grid/t"] = np.linspace(0, 5, 6, dtype=np.float32)
            group.attrs["config"] = "sim:\n  seed: 1\n"
    return path


def pdebench_incompressible(folder: Path) -> Path:
    """``ns_incom_inhom_2d_512-0.h5``: velocity (B, T, X, Y, 2), particles, force, t (B, T)."""
    arrays = {
        "velocity": field(2, 6, 16, 16, 2),
        "particles": field(2, 6, 16, 16, 1, seed=1),
        "force": field(2, 16, 16, 2, seed=2),
        "t": np.tile(np.linspace(0, 1, 6), (2, 1)),
    }
    return _hdf5(folder / "ns_incom_inhom_2d_512-0.h5", arrays, config="a: 1\n", latestIndex=3)


def the_well(folder: Path, nums: tuple[int, int, int] = (4, 2, 2)) -> Path:
    """``datasets/x/data/{train,valid,test}/*.hdf5`` with constant, partial and tensor fields."""
    root = folder / "datasets" / "lookalike" / "data"
    for seed, (split, num) in enumerate(zip(("train", "valid", "test"), nums, strict=True)):
        (root / split).mkdir(parents=True, exist_ok=True)
        _well_file(root / split / "part_0.hdf5", num, seed)
    return root


def _well_file(path: Path, num: int, seed: int) -> None:
    frames, nx, ny = 7, 16, 12
    with h5py.File(path, "w") as out:
        out.attrs.update(
            dataset_name="lookalike", grid_type="cartesian", n_spatial_dims=2, n_trajectories=num,
            simulation_parameters=["p"], p=0.5,
        )  # fmt: skip
        dimensions = out.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        axes = {"time": np.arange(frames), "x": np.arange(nx) / nx, "y": np.arange(ny) / ny}
        for name, values in axes.items():
            dimensions[name] = values.astype(np.float32)
            dimensions[name].attrs.update(sample_varying=False, time_varying=False)
        for axis, kind in (("x", "periodic"), ("y", "wall")):
            bc = out.create_group(f"boundary_conditions/{axis}_{kind}")
            bc.attrs.update(
                associated_dims=[axis], associated_fields=[], bc_type=kind.upper(),
                sample_varying=False, time_varying=False,
            )  # fmt: skip
            mask = np.zeros(len(axes[axis]), bool)
            mask[[0, -1]] = True
            bc["mask"] = mask
            if kind == "wall":
                bc["values"] = np.zeros(2, np.float32)
        out.create_group("scalars").attrs["field_names"] = ["p"]
        out["scalars/p"] = np.float32(0.5)
        out["scalars/p"].attrs.update(sample_varying=False, time_varying=False)
        fields = {
            "t0_fields/pressure": (field(num, frames, nx, ny, seed=seed), True, True, (1, 1)),
            "t0_fields/density": (field(nx, ny, seed=5), False, False, (1, 1)),
            "t0_fields/profile": (field(nx, seed=6), False, False, (1, 0)),
            "t1_fields/velocity": (field(num, frames, nx, ny, 2, seed=seed), True, True, (1, 1)),
            "t2_fields/strain": (field(num, frames, nx, ny, 2, 2, seed=seed), True, True, (1, 1)),
        }
        for name, (values, samples, times, varying) in fields.items():
            out[name] = values
            out[name].attrs.update(
                dim_varying=np.array(varying, bool), sample_varying=samples, time_varying=times
            )
        for order in range(3):
            group: Any = out[f"t{order}_fields"]
            group.attrs["field_names"] = list(group)


def fno_v5(folder: Path, num: int = 20, frames: int = 12) -> Path:
    """``NavierStokes_V1e-5_N1200_T20.mat``: MATLAB v5, u (N, X, Y, T), a (N, X, Y), t (1, T)."""
    from scipy.io import savemat

    path = folder / "NavierStokes_V1e-5_N1200_T20.mat"
    times = np.arange(1.0, frames + 1)[None]
    arrays = {"u": field(num, 16, 12, frames), "a": field(num, 16, 12, seed=1), "t": times}
    savemat(path, arrays)
    return path


def fno_v73(folder: Path, num: int = 20, frames: int = 12, header: bool = True) -> Path:
    """``NavierStokes_V1e-3_N5000_T50.mat``: HDF5 behind MATLAB's header, all axes reversed."""
    path = folder / "NavierStokes_V1e-3_N5000_T50.mat"
    with h5py.File(path, "w", userblock_size=512 if header else 0) as out:
        out["u"] = field(num, 16, 16, frames).transpose()
        out["a"] = field(num, 16, 16, seed=1).transpose()
        out["t"] = np.arange(1.0, frames + 1)[:, None]
    if header:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
        with path.open("r+b") as stream:
            stream.write(text.ljust(116) + bytes(8) + struct.pack("<H", 0x0200) + b"IM")
    return path


def fno_darcy(folder: Path, num: int = 20) -> Path:
    """``piececonst_r421_N1024_smooth1.mat``: MATLAB v5, coeff and sol (N, X, Y)."""
    from scipy.io import savemat

    path = folder / "piececonst_r421_N1024_smooth1.mat"
    coefficient = np.where(field(num, 21, 21) > 0, 12.0, 3.0)
    savemat(path, {"coeff": coefficient, "sol": field(num, 21, 21, seed=1, dtype="float64")})
    return path


def geo_fno(folder: Path, num: int = 20) -> Path:
    """``elasticity/Meshes/*.npy``, samples last."""
    path = folder / "elasticity" / "Meshes"
    path.mkdir(parents=True, exist_ok=True)
    points = field(30, 2, num, dtype="float64")
    np.save(path / "Random_UnitCell_XY_10.npy", points)
    np.save(path / "Random_UnitCell_sigma_10.npy", np.abs(field(30, num, dtype="float64")))
    np.save(path / "Random_UnitCell_rr_10.npy", field(42, num, dtype="float64"))
    np.save(path / "Random_UnitCell_theta_10.npy", field(num, 10, dtype="float64"))
    return path


def poseidon(folder: Path, num: int = 20) -> Path:
    """``NS-Sines.nc``: HDF5 with velocity (N, T, 2, X, Y) and nothing else."""
    return _hdf5(folder / "NS-Sines.nc", {"velocity": field(num, 6, 2, 16, 16)})


def pdearena(folder: Path) -> Path:
    """A folder of ``NavierStokes2D_<split>_*.h5`` shards: u, vx, vy (N, T, X, Y)."""
    path = folder / "pdearena"
    path.mkdir(exist_ok=True)
    for shard, split in enumerate(("train", "train", "valid", "test")):
        file = path / f"NavierStokes2D_{split}_{shard}_0.5.h5"
        with h5py.File(file, "w") as out:
            for i, name in enumerate(("u", "vx", "vy")):
                out[f"{split}/{name}"] = field(3, 6, 16, 16, seed=10 * shard + i)
            out[f"{split}/x"], out[f"{split}/y"] = _cells(16), _cells(16)
            out[f"{split}/buo_y"] = np.full(3, 0.5)
    return path


def cfdbench(folder: Path, num: int = 20) -> Path:
    """``cavity/{bc,geo}/case0000/{u,v}.npy`` with ``case.json``."""
    path = folder / "cavity"
    for i in range(num):
        case = path / ("bc" if i < num // 2 else "geo") / f"case{i:04d}"
        case.mkdir(parents=True, exist_ok=True)
        for name in "uv":
            np.save(case / f"{name}.npy", field(6 + i % 2, 16, 16, seed=i))
        (case / "case.json").write_text(json.dumps({"vel_top": 1.0 + i, "viscosity": 0.1}))
    return path


def blastnet(folder: Path) -> Path:
    """``HR/<split>/<field>_id<hash>.dat``, raw float32."""
    path = folder / "HR"
    for split, names in (("train", "ab"), ("val", "c"), ("test", "d")):
        (path / split).mkdir(parents=True, exist_ok=True)
        for name in names:
            for i, kind in enumerate(("RHO_kgm-3", "UX_ms-1", "UY_ms-1", "UZ_ms-1")):
                field(8, 8, 8, seed=i).tofile(path / split / f"{kind}_id{name}1.dat")
    return path


ALL = {
    "pdebench_single": pdebench_advection,
    "pdebench_single_flow": pdebench_flow,
    "pdebench_single_darcy": pdebench_darcy,
    "pdebench_grouped": pdebench_grouped,
    "pdebench_incompressible": pdebench_incompressible,
    "the_well": the_well,
    "fno_mat_v5": fno_v5,
    "fno_mat_v73": fno_v73,
    "fno_mat_darcy": fno_darcy,
    "geo_fno": geo_fno,
    "poseidon": poseidon,
    "pdearena": pdearena,
    "cfdbench": cfdbench,
    "blastnet": blastnet,
}
"""Look-alike -> its function; names start with the layout's."""
