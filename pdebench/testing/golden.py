"""Check a family against golden vectors recorded from its authors' own program.

An archive is an ``.npz`` whose ``meta`` entry is JSON. Arrays under ``state/`` are official
weights. Two kinds:

    network    ``output`` (and further recorded results) of one forward pass; checked through
               ``from_reference(meta, state) -> (arrays -> output)``
    functions  ``meta["inputs"]`` lists the arguments, every other array is a result; checked
    through
               ``evaluate(meta, inputs) -> {name: array}``

The agreement is the relative L2 difference ||a - b|| / ||b||, with tolerance ``meta["tolerance"]``
or 1e-5.
"""

import fnmatch
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DEFAULT_TOLERANCE = (
    1e-5  # golden/README.md: float32 forward passes of the same formula agree to this
)


@dataclass(frozen=True)
class Archive:
    """One golden archive: ``name``, decoded ``meta``, official weights ``state`` and all other
    ``arrays``.
    """

    name: str
    meta: dict[str, Any]
    state: dict[str, Array]
    arrays: dict[str, Array]

    @property
    def is_network(self) -> bool:
        """Whether the archive records one forward pass (an ``output`` and no list of function
        arguments).
        """
        return "output" in self.arrays and "inputs" not in self.meta

    @property
    def inputs(self) -> dict[str, Array]:
        """The argument arrays of a function archive; ``state/*`` entries keep their prefix."""
        everything = self.arrays | {f"state/{key}": value for key, value in self.state.items()}
        patterns: Iterable[str] = self.meta.get("inputs", ())
        return {
            name: value
            for name, value in everything.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        }

    @property
    def results(self) -> dict[str, Array]:
        """What the authors' functions returned: every array that is not an argument."""
        inputs = self.inputs
        everything = self.arrays | {f"state/{key}": value for key, value in self.state.items()}
        return {name: value for name, value in everything.items() if name not in inputs}


def golden_folder() -> Path:
    """The folder of golden archives: ``PDEBENCH_GOLDEN``, else ``../shared/golden`` beside the
    checkout.
    """
    named = os.environ.get("PDEBENCH_GOLDEN")
    return Path(named) if named else Path(__file__).parents[3] / "shared" / "golden"


def archives(*prefixes: str) -> list[str]:
    """Names (no suffix) of the archives that start with one of ``prefixes``.

    Raises FileNotFoundError where the folder or every match is absent and CI=true: a check that
    silently vanishes proves nothing. Elsewhere the list is then empty, so that the suite runs
    without the vectors.
    """
    folder = golden_folder()
    found = sorted(p.stem for p in folder.glob("*.npz") if p.stem.startswith(prefixes))
    if not found and os.environ.get("CI") == "true":
        raise FileNotFoundError(
            f"no golden archive {' or '.join(prefixes)} in '{folder}'; CI must not pass without "
            "them: "
            "set PDEBENCH_GOLDEN to the folder that holds them"
        )
    return found


def load(name: str) -> Archive:
    """Read archive ``name`` from the golden folder (never unpickles)."""
    with np.load(golden_folder() / f"{name}.npz", allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files if key != "meta"}
        meta = json.loads(str(stored["meta"]))
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    return Archive(
        name, meta, state, {k: v for k, v in arrays.items() if not k.startswith("state/")}
    )


def relative_difference(got: Array, expected: Array) -> float:
    """||got - expected|| / ||expected|| over all entries; inf where shapes or the places of NaN
    differ.

    Where ``expected`` is all zero the absolute norm is returned.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return float("inf")
    wide = np.complex128 if np.iscomplexobj(expected) or np.iscomplexobj(got) else np.float64
    a, b = got.astype(wide), expected.astype(wide)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float("inf")
    scale = float(np.linalg.norm(b[finite]))
    return float(np.linalg.norm(a[finite] - b[finite])) / (scale or 1.0)


def check_network(
    from_reference: Callable[
        [Mapping[str, Any], Mapping[str, Array]], Callable[[Mapping[str, Array]], Array]
    ],
    name: str,
) -> None:
    """Assert that the network built from archive ``name``'s weights reproduces its recorded
    ``output``.
    """
    archive = load(name)
    output = from_reference(archive.meta, archive.state)(archive.arrays)
    difference = relative_difference(output, archive.arrays["output"])
    tolerance = float(archive.meta.get("tolerance", DEFAULT_TOLERANCE))
    assert difference <= tolerance, (
        f"{name}: output differs by {difference:.2e}, tolerance {tolerance:g}"
    )


def check_functions(
    evaluate: Callable[[Mapping[str, Any], Mapping[str, Array]], Mapping[str, Array]],
    name: str,
) -> None:
    """Assert that ``evaluate`` reproduces every recorded result of archive ``name``."""
    archive = load(name)
    got = evaluate(archive.meta, archive.inputs)
    tolerance = float(archive.meta.get("tolerance", DEFAULT_TOLERANCE))
    wrong = {
        key: "not returned" if key not in got else f"{relative_difference(got[key], expected):.2e}"
        for key, expected in archive.results.items()
        if key not in got or not relative_difference(got[key], expected) <= tolerance
    }
    assert not wrong, (
        f"{name}: {len(wrong)} of {len(archive.results)} results differ by more than "
        f"{tolerance:g}: {wrong}"
    )
