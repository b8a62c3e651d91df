"""CFDBench: one folder per case with u.npy, v.npy and case.json."""

import json
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable
from pdebench.formats.lazy import LazyArray, Mapped, Stacked
from pdebench.formats.place import LONGEST_TEXT, Place, npy
from pdebench.formats.reader import Reader

_STEP = 0.1  # s between frames of the cavity; other problems have their own


@final
class CFDBench(Reader):
    """``[<problem>/]{bc,geo,prop}/case0000/u.npy``, ``v.npy`` (time, x, y) and ``case.json``.

    Cases of different lengths are cut to the shortest. Every tenth case is tested, the ones after
    them validate: cases are sorted by their parameters, so that consecutive ones would be a shift.
    """

    name: ClassVar[str] = "cfdbench"
    title: ClassVar[str] = "CFDBench"
    expects: ClassVar[str] = "folders case0000, .. with u.npy, v.npy and case.json"

    def matches(self, place: Place) -> bool:
        return place.kind == "folder" and any(
            file.name == "u.npy" and file.parent.name.startswith("case") for file in place.files
        )

    def open(self, place: Place, split: str | None = None) -> Contents:
        cases = [f.parent for f in place.files if f.name == "u.npy"]
        valid, tested = cases[1::10], cases[::10]
        rest = [case for i, case in enumerate(cases) if i % 10 > 1]
        cases = [*rest, *valid, *tested]
        fields = {name: [npy(_need(case, f"{name}.npy")) for case in cases] for name in "uv"}
        frames = min(len(array) for arrays in fields.values() for array in arrays)
        stacks = {
            name: Stacked([_cut(array, frames) for array in arrays], place.path)
            for name, arrays in fields.items()
        }
        dims = ("sample", "time", "x", "y")
        variables = {
            name: Variable(dims, stack, "m/s", f"velocity {name}") for name, stack in stacks.items()
        }
        known = [_parameters(case) for case in cases]
        names = sorted(set.intersection(*(set(one) for one in known)))
        for name in names:
            values = Mapped(np.array([one[name] for one in known]))
            variables[name] = Variable(("sample",), values, "1", f"parameter {name}")
        nx, ny = stacks["u"].shape[2:]
        n, m = len(rest), len(valid)
        splits = {"train": (0, n), "valid": (n, n + m), "test": (n + m, len(cases))}
        return Contents(
            self.name,
            place.path,
            variables,
            {
                "time": (_STEP * np.arange(frames), "s"),
                "x": ((np.arange(nx) + 0.5) / nx, "1"),
                "y": ((np.arange(ny) + 0.5) / ny, "1"),
            },
            Roles(("u", "v"), parameters=tuple(names)),
            {name: (a, b) for name, (a, b) in splits.items() if a < b},
            "every tenth case is tested, those after them validate (ours; the loader draws at "
            "random)",
            reference="Luo et al. 2023, CFDBench, arXiv 2310.05963",
        )


def _need(case: Path, name: str) -> Path:
    file = case / name
    if not file.is_file():
        raise DataError(f"'{case}' lacks {name}, expected u.npy, v.npy and case.json; remove it")
    return file


def _cut(array: np.ndarray, frames: int) -> LazyArray:
    return Mapped(array[:frames])


def _parameters(case: Path) -> dict[str, float]:
    file = _need(case, "case.json")
    if file.stat().st_size > LONGEST_TEXT:
        raise DataError(f"'{file}' is longer than {LONGEST_TEXT} bytes, expected a few numbers")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {k: float(v) for k, v in content.items() if isinstance(v, int | float)}
    except (ValueError, AttributeError) as error:
        raise DataError(f"'{file}' is no JSON mapping ({error}); get the case again") from error
