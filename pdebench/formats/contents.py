"""What a file of any layout holds, in one form: named variables, coordinates, roles and splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench.formats.lazy import LazyArray

SPACE = ("x", "y", "z")


@final
@dataclass(frozen=True)
class Variable:
    """A lazily read array: the names of its axes (the first is ``sample``), unit, meaning."""

    dims: tuple[str, ...]
    array: LazyArray
    unit: str = "1"
    summary: str = ""

    def __post_init__(self) -> None:
        if len(self.dims) != len(self.array.shape):
            raise DataError(
                f"an array of shape {self.array.shape} was taken for ({', '.join(self.dims)})"
            )


@final
@dataclass(frozen=True)
class Roles:
    """How variables become problems and targets.

    Attributes:
        state: fields that evolve together (with a time axis), or the steady fields asked for.
        given: fields that are given besides: coefficients, sources, masks.
        initial: the field the evolution starts from, where it is stored apart, or None.
        parameters: names of variables with one number per sample.
        position: variable (sample, point, component) with the points of each sample, or None.
        periodic: whether the space axes are periodic, one flag an axis or one for all.
    """

    state: tuple[str, ...]
    given: tuple[str, ...] = ()
    initial: str | None = None
    parameters: tuple[str, ...] = ()
    position: str | None = None
    periodic: bool | tuple[bool, ...] = False


@final
@dataclass(frozen=True)
class Contents:
    """A file or folder of samples, read lazily.

    Attributes:
        layout: name of the layout, such as ``pdebench_single``.
        path: as typed.
        variables: by name.
        coordinates: axis -> (values, unit).
        roles: how variables become problems and targets.
        splits: split -> (start, stop) of consecutive samples.
        protocol: where that split is from, one sentence.
        attributes: plain numbers and short texts.
        equation: in plain text.
        reference: citation.
    """

    layout: str
    path: str
    variables: Mapping[str, Variable]
    coordinates: Mapping[str, tuple[NDArray[Any], str]]
    roles: Roles
    splits: Mapping[str, tuple[int, int]]
    protocol: str
    attributes: Mapping[str, str | float | int] = field(default_factory=dict)
    equation: str = "not stated by the file"
    reference: str = ""

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return max(v.array.shape[0] for v in self.variables.values() if v.dims[0] == "sample")

    @property
    def direct(self) -> bool:
        """Whether samples can be read in any order at the cost of their bytes."""
        return all(variable.array.direct for variable in self.variables.values())

    @property
    def nbytes(self) -> int:
        """Size of all variables in memory."""
        return sum(variable.array.nbytes for variable in self.variables.values())

    @property
    def timed(self) -> bool:
        """Whether the state evolves."""
        return "time" in self.variables[self.roles.state[0]].dims


def coordinate_of(
    path: str, name: str, values: NDArray[Any] | None, size: int, extra: int = 0
) -> NDArray[Any]:
    """Return ``size`` coordinates of an axis; ``extra`` more may be stored and are dropped.

    Raises DataError where they are missing, of another number (the axes are then in another order
    than expected) or not finite.
    """
    if values is None:
        raise DataError(
            f"'{path}' lacks the coordinates '{name}', expected {size} numbers; add them to the "
            "file"
        )
    values = np.asarray(values).reshape(-1)
    if not size <= len(values) <= size + extra:
        raise DataError(
            f"'{path}' has {len(values)} coordinates '{name}' for an axis of {size} points; the "
            "axes seem to be in another order than the layout's, transpose the arrays"
        )
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise DataError(f"'{path}' has coordinates '{name}' that are not finite numbers; mend them")
    return values[:size].astype(np.float64)


def one_dtype(path: str, variables: Mapping[str, Variable]) -> None:
    """Raise DataError where fields that are stacked as channels differ in dtype."""
    kinds = {name: str(variable.array.dtype) for name, variable in variables.items()}
    if len(set(kinds.values())) > 1:
        said = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise DataError(f"'{path}' mixes dtypes ({said}), expected one; convert the file")
