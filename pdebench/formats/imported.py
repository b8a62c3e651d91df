"""A data set over a file that the user has, of any layout that `pdebench.formats` reads."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.dataset import Card, Dataset
from pdebench.equation import Equation
from pdebench.equations.vorticity import DiagonalForcing, Vorticity
from pdebench.errors import ConfigError, DataError, Unsupported
from pdebench.formats.contents import Contents, Variable
from pdebench.formats.conversion import converted, scanned
from pdebench.formats.detect import contents
from pdebench.formats.rows import Rows
from pdebench.problem import Problem
from pdebench.samples import Samples

_STATE = "source.json"
_CONVERTED = "samples.h5"


@final
@dataclass(frozen=True)
class Unstated(Equation):
    """The equation of a file that does not say it in a form that could be computed with."""

    names: tuple[str, ...]
    text: str
    cited: str

    @property
    def fields(self) -> Mapping[str, str]:
        return dict.fromkeys(self.names, "1")

    @property
    def reference(self) -> str:
        return self.cited

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        raise Unsupported(
            f"the imported data state their equation only in words ({self.text}); solvers and "
            "metrics that need it do not apply"
        )


@final
class Imported(Dataset):
    """Samples of a public file, under its published split and an honest validation split.

    The layout is found by content. Where samples lie together and uncompressed on disk, they are
    read from the file itself; otherwise (MATLAB files, samples last, compressed chunks) they are
    copied once into the data folder, streamed through at most 256 MiB of memory (a variable of a
    MATLAB v5 file, at most 2 GiB, is read whole). The digest is that of the content; a file with
    NaN or infinity is refused, naming the rows, unless ``exclude`` leaves them out.

    Args:
        path: file or folder.
        layout: name of the layout; null detects it.
        splits: split -> [start, stop] of consecutive samples; null for the published protocol.
        parameters: numbers of the equation that the file does not hold, such as
            {viscosity: 0.001}.
        exclude: numbers of samples that are left out of every split.
        frames: keep only the first so many frames; null for all.
        stride: take every so many points of every space axis.
    """

    def __init__(
        self,
        path: str | None,
        layout: str | None = None,
        splits: Mapping[str, Sequence[int]] | None = None,
        parameters: Mapping[str, float] | None = None,
        exclude: Sequence[int] = (),
        frames: int | None = None,
        stride: int = 1,
    ) -> None:
        if path is None:
            raise ConfigError("dataset.path is not set, expected the file or folder to import")
        if stride < 1 or (frames is not None and frames < 2):
            raise ConfigError(
                f"dataset.stride={stride} and frames={frames}, expected a positive stride, and at "
                "least two frames or null"
            )
        self._path, self._exclude = path, frozenset(exclude)
        self._found = contents(path, layout=layout)
        self._splits = _chosen(self._found, splits)
        self._parameters = _numbers(self._found, parameters or {})
        self._frames, self._stride = frames, stride
        self._ready: Contents | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """What a solver must not open while it runs."""
        return (Path(self._path),)

    @property
    def equation(self) -> Equation:
        found = self._found
        known = found.layout == "fno_mat" and found.timed and "viscosity" in self._parameters
        if known and self._stride == 1:
            return Vorticity(DiagonalForcing(0.1, (1, 1)))
        return Unstated(_channels(found), found.equation, found.reference)

    @property
    def card(self) -> Card:
        found = self._found
        return Card(
            name=f"imported/{found.layout}",
            version="1",
            summary=f"{Path(self._path).name}, {found.num_samples} samples of layout "
            f"{found.layout}",
            equation=found.equation,
            units={name: variable.unit for name, variable in found.variables.items()},
            how=f"imported; {found.protocol}",
            reference=found.reference,
            splits={name: len(self._rows(name)) for name in self._splits},
        )

    def _rows(self, split: str) -> np.ndarray:
        start, stop = self._splits[split]
        return np.array([i for i in range(start, stop) if i not in self._exclude], np.int64)

    def prepare(self, folder: Path) -> str:
        self._ready = self._found
        stamp = _stamp(self._path)
        said = _remembered(folder / _STATE)
        if not self._found.direct:
            target = folder / _CONVERTED
            if said is None or said["stamp"] != stamp or not target.exists():
                converted(self._found, target)
            self._ready = contents(str(target), layout="native")
        if said is None or said["stamp"] != stamp or said["exclude"] != sorted(self._exclude):
            digest = scanned(self._ready, self._exclude)
            said = {"stamp": stamp, "digest": digest, "exclude": sorted(self._exclude)}
            write_atomically(folder / _STATE, json.dumps(said).encode())
        return hashlib.sha256(f"{said['digest']}:{said['exclude']}".encode()).hexdigest()

    def split(self, name: str) -> Samples:
        if name not in self._splits:
            raise ConfigError(
                f"'{self._path}' has no split '{name}'; it has {', '.join(self._splits)}"
            )
        if self._ready is None:
            raise DataError(f"'{self._path}' is not prepared; call prepare(folder) first")
        roles = self._found.roles
        if not (self._found.timed or roles.given or roles.position):
            raise ConfigError(
                f"'{self._path}' holds fields and nothing that they depend on, expected frames or "
                "a given field; it can be opened, plotted and exported, but no task asks for it"
            )
        cloud = roles.position is not None
        source = Rows(
            self._ready, self._found, self._parameters, self.equation, self._frames, self._stride
        )
        return Samples(source, self._rows(name), chunk=1 if cloud else None)


def _channels(found: Contents) -> tuple[str, ...]:
    names: list[str] = []
    for name in found.roles.state:
        variable: Variable = found.variables[name]
        sizes = dict(zip(variable.dims, variable.array.shape, strict=True))
        num = 1
        for dim, size in sizes.items():
            num *= size if dim == "channel" or dim.startswith("component") else 1
        names += [name] if num == 1 else [f"{name}_{i}" for i in range(num)]
    return tuple(names)


def _chosen(
    found: Contents, splits: Mapping[str, Sequence[int]] | None
) -> Mapping[str, tuple[int, int]]:
    if splits is None:
        return found.splits
    done: dict[str, tuple[int, int]] = {}
    for name, part in splits.items():
        if len(part) != 2 or not 0 <= part[0] < part[1] <= found.num_samples:
            raise ConfigError(
                f"dataset.splits.{name}={list(part)}, expected [start, stop] within the "
                f"{found.num_samples} samples of the file"
            )
        done[name] = (int(part[0]), int(part[1]))
    for one, (a, b) in done.items():
        for other, (c, d) in done.items():
            if one < other and a < d and c < b:
                raise ConfigError(
                    f"dataset.splits.{one} and {other} share samples, expected disjoint ranges; "
                    "no test sample may train or validate"
                )
    return done


def _numbers(found: Contents, given: Mapping[str, float]) -> dict[str, float]:
    stored = {
        k: float(v)
        for k, v in found.attributes.items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }
    known = ("viscosity", "beta", "Nu", "nu", "rho", "eta", "zeta", "M")
    return {k: v for k, v in stored.items() if k in known} | dict(given)


def _stamp(path: str) -> list[Any]:
    """What changes when the file does: size and time (ns) of every file."""
    if "://" in path:
        return [path]
    place = Path(path)
    if place.is_file():
        return [place.stat().st_size, place.stat().st_mtime_ns]
    return [
        [str(f.relative_to(place)), f.stat().st_size, f.stat().st_mtime_ns]
        for f in sorted(Path(root) / n for root, _, names in os.walk(place) for n in names)
    ]


def _remembered(file: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return said if {"stamp", "digest", "exclude"} <= set(said) else None
    except (OSError, ValueError, TypeError):
        return None
