"""BLASTNet 2.0, super-resolution: raw float32 fields of 128^3 points without a header."""

import re
from collections import defaultdict
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents, Roles, Variable
from pdebench.formats.lazy import LazyArray, Mapped, Stacked
from pdebench.formats.place import Place
from pdebench.formats.reader import Reader

_FIELDS = {"RHO_kgm-3": "kg/m^3", "UX_ms-1": "m/s", "UY_ms-1": "m/s", "UZ_ms-1": "m/s"}
_SPLITS = ("train", "val", "test")


@final
class BLASTNet(Reader):
    """``<split>/{RHO_kgm-3,UX_ms-1,UY_ms-1,UZ_ms-1}_id<hash>.dat``, little-endian float32.

    The number of points is the cube root of the file's size. High and low resolutions are two data
    sets of one layout; give the folder of one of them.
    """

    name: ClassVar[str] = "blastnet"
    title: ClassVar[str] = "BLASTNet 2.0"
    expects: ClassVar[str] = "files RHO_kgm-3_id<hash>.dat, UX_ms-1_id<hash>.dat and so on"

    def matches(self, place: Place) -> bool:
        return place.kind == "folder" and any(_key(file) for file in place.named(".dat"))

    def open(self, place: Place, split: str | None = None) -> Contents:
        found: dict[str, dict[str, dict[str, Path]]] = defaultdict(lambda: defaultdict(dict))
        for file in place.named(".dat"):
            key = _key(file)
            if key:
                found[file.parent.name][key[1]][key[0]] = file
        modes = [m for m in _SPLITS if m in found] or list(found)
        rows = [(m, h) for m in modes for h in sorted(found[m]) if split in (None, m, m[:3])]
        lacking = [h for m, h in rows if set(found[m][h]) != set(_FIELDS)]
        if not rows or lacking:
            raise DataError(
                f"'{place.path}' lacks fields of sample {lacking[0] if lacking else split}, "
                f"expected {', '.join(_FIELDS)}; get its files again"
            )
        variables = {
            name: Variable(
                ("sample", *SPACE),
                Stacked([_cube(found[m][h][name]) for m, h in rows], place.path),
                unit,
                name,
            )
            for name, unit in _FIELDS.items()
        }
        n = next(iter(variables.values())).array.shape[1]
        splits, start = {}, 0
        for mode in modes:
            count = sum(m == mode for m, _ in rows)
            splits["valid" if mode == "val" else mode] = (start, start + count)
            start += count
        return Contents(
            self.name,
            place.path,
            variables,
            {axis: (np.arange(n, dtype=float), "cells") for axis in SPACE},
            Roles(tuple(_FIELDS)),
            splits,
            "the splits are the folders train, val and test",
            reference="Chung et al., NeurIPS 2023, BLASTNet 2.0, arXiv 2309.13457",
        )


def _key(file: Path) -> tuple[str, str] | None:
    found = re.fullmatch(r"(.+)_id([0-9A-Za-z]+)\.dat", file.name)
    return (found[1], found[2]) if found and found[1] in _FIELDS else None


def _cube(file: Path) -> LazyArray:
    size = file.stat().st_size
    n = round((size / 4) ** (1 / 3))
    if size == 0 or n**3 * 4 != size:
        raise DataError(f"'{file}' holds {size} bytes, expected 4 n^3 for some n; it is truncated")
    return Mapped(np.memmap(file, "<f4", "r", shape=(n, n, n)))
