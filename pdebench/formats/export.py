"""Contents of any layout written in another: The Well, Zarr, NetCDF; streamed in bounded memory."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdebench.atomic import atomic_path
from pdebench.errors import ConfigError, DataError
from pdebench.formats.contents import Contents, Variable
from pdebench.formats.conversion import blocks, canonical, converted
from pdebench.formats.lazy import LazyArray
from pdebench.formats.xarrays import as_xarray
from pdebench.progress import steps

Parts = Sequence[tuple[str, Contents]]


class _Section(LazyArray):
    """Consecutive samples of another array."""

    def __init__(self, inner: LazyArray, start: int, stop: int) -> None:
        self._inner, self._start = inner, start
        self.shape, self.dtype = (stop - start, *inner.shape[1:]), inner.dtype
        self.direct = inner.direct

    def read(self, key: tuple[slice | int, ...]) -> Any:
        first = key[0]
        if isinstance(first, int):
            return self._inner.read((first + self._start, *key[1:]))
        start, stop, step = first.indices(self.shape[0])
        return self._inner.read((slice(start + self._start, stop + self._start, step), *key[1:]))


def section(found: Contents, split: str) -> Contents:
    """Return the contents of one split alone."""
    start, stop = found.splits[split]
    variables = {
        name: replace(v, array=_Section(v.array, start, stop)) if v.dims[0] == "sample" else v
        for name, v in found.variables.items()
    }
    return replace(found, variables=variables, splits={split: (0, stop - start)})


def to_netcdf(parts: Parts, folder: Path) -> Iterator[Path]:
    """Write ``<split>.nc``: NetCDF 4 with named dimensions, coordinates and units."""
    for split, found in parts:
        path = folder / f"{split}.nc"
        converted(section(found, split), path)
        yield path


def to_zarr(parts: Parts, folder: Path) -> Iterator[Path]:
    """Write ``<split>.zarr``, chunks of one sample. Raises ConfigError without the package zarr."""
    try:
        import zarr
    except ImportError as error:
        raise ConfigError(
            "--to zarr needs the package zarr; pip install 'pdebench-suite[zarr]'"
        ) from error
    for split, found in parts:
        # Names of channels are text, of which Zarr's format 3 has no final specification yet.
        warnings.filterwarnings("ignore", message=".*Zarr (V3|format 3) specification.*")
        path = folder / f"{split}.zarr"
        if path.exists():
            raise DataError(f"'{path}' exists already; choose another --out or remove it")
        one = section(found, split)
        data = as_xarray(one)
        partial = folder / f".{split}.zarr.part"
        for number, block in enumerate(steps(list(blocks(one)), f"writing {path.name}")):
            piece = data.isel(sample=block).load()
            if number:
                piece.to_zarr(partial, append_dim="sample", consolidated=False)
            else:
                chunks = {
                    name: {"chunks": (1, *v.shape[1:])} for name, v in piece.data_vars.items()
                }
                piece.to_zarr(partial, mode="w", encoding=chunks, consolidated=False)
        zarr.consolidate_metadata(partial)
        partial.rename(path)
        yield path


def to_the_well(parts: Parts, folder: Path) -> Iterator[Path]:
    """Write ``data/<split>/<name>.hdf5`` in the layout of The Well.

    Fields of one channel go to ``t0_fields``, of as many as there are axes to ``t1_fields``, other
    channels apart into ``t0_fields``; The Well holds float32 on uniform grids only. Splits other
    than train, valid and test keep their names as folders. Raises ConfigError for point clouds.
    """
    for split, found in parts:
        if found.roles.position is not None or not _axes(found):
            raise ConfigError(f"'{found.path}' holds a point cloud, expected a grid; use netcdf")
        one = section(found, split)
        path = folder / "data" / split / f"{_name(found)}.hdf5"
        with atomic_path(path) as partial, h5py.File(partial, "w") as out:
            _write_well(out, one)
        yield path


def _name(found: Contents) -> str:
    stated = str(found.attributes.get("dataset", Path(found.path).stem))
    return stated.replace("/", "_").replace(" ", "_")


def _axes(found: Contents) -> list[str]:
    state = found.variables[found.roles.state[0]]
    return [d for d in state.dims if d in ("x", "y", "z") and d in found.coordinates]


def _write_well(out: h5py.File, found: Contents) -> None:
    axes = _axes(found)
    num = found.num_samples
    numbers = {k: v for k, v in found.attributes.items() if isinstance(v, int | float)}
    out.attrs.update(
        {
            **numbers,
            "simulation_parameters": list(numbers) or np.array([], h5py.string_dtype()),
            "dataset_name": _name(found),
            "grid_type": "cartesian",
            "n_spatial_dims": len(axes),
            "n_trajectories": num,
        }
    )
    dimensions = out.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = axes
    times = found.coordinates.get("time", (np.zeros(1), "1"))
    for name, (values, _) in {
        "time": times,
        **{axis: found.coordinates[axis] for axis in axes},
    }.items():
        dimensions[name] = np.asarray(values, np.float32)
        dimensions[name].attrs.update(sample_varying=False, time_varying=False)
    _boundaries(out, found, axes)
    for order in range(3):
        out.create_group(f"t{order}_fields").attrs["field_names"] = np.array(
            [], h5py.string_dtype()
        )
    scalars = out.create_group("scalars")
    scalars.attrs["field_names"] = np.array([], h5py.string_dtype())
    for name, variable in found.variables.items():
        if variable.dims == ("sample",):
            scalars[name] = np.asarray(variable.array.rows(slice(None)), np.float32)
            scalars[name].attrs.update(sample_varying=True, time_varying=False)
            _append_name(scalars, name)
        elif set(axes) <= set(variable.dims):
            _write_field(out, name, variable, axes, num, found)


def _boundaries(out: h5py.File, found: Contents, axes: list[str]) -> None:
    flags = found.roles.periodic
    periodic = (flags,) * len(axes) if isinstance(flags, bool) else flags
    for axis, flag in zip(axes, periodic, strict=True):
        kind = "periodic" if flag else "wall"
        group = out.create_group(f"boundary_conditions/{axis}_{kind}")
        group.attrs.update(
            associated_dims=[axis],
            associated_fields=np.array([], h5py.string_dtype()),
            bc_type=kind.upper(),
            sample_varying=False,
            time_varying=False,
        )
        mask = np.zeros(len(found.coordinates[axis][0]), bool)
        mask[[0, -1]] = True
        group["mask"] = mask


def _append_name(group: Any, name: str) -> None:
    known = [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs["field_names"]]
    group.attrs["field_names"] = [*known, name]


def _write_field(
    out: Any, name: str, variable: Variable, axes: list[str], num: int, found: Contents
) -> None:
    dims = canonical(variable.dims)
    inner = [d for d in dims if d == "channel" or d.startswith("component")]
    sizes = dict(zip(variable.dims, variable.array.shape, strict=True))
    channels = int(np.prod([sizes[d] for d in inner])) if inner else 1
    timed = "time" in dims
    vector = channels == len(axes) and channels > 1
    lead = (num, *((sizes["time"],) if timed else ()), *(sizes[a] for a in axes))
    targets: list[Any] = []
    labels = [name] if vector or channels == 1 else [f"{name}_{i}" for i in range(channels)]
    for label in labels:
        group = out["t1_fields" if vector else "t0_fields"]
        shape = (*lead, channels) if vector else lead
        made = group.create_dataset(label, shape, np.float32)
        made.attrs.update(
            dim_varying=np.ones(len(axes), bool), sample_varying=True, time_varying=timed
        )
        _append_name(group, label)
        targets.append(made)
    order = [variable.dims.index(d) for d in dims]
    for part in steps(list(blocks(found)), f"writing {name}"):
        values = variable.array.rows(part).transpose(order)
        head = 2 if timed else 1
        values = values.reshape(*values.shape[:head], channels, *(sizes[a] for a in axes))
        for channel, made in enumerate(targets):
            if vector:
                made[part] = np.moveaxis(values, head, -1)
            else:
                made[part] = values.take(channel, axis=head)
