"""A batch of questions on one discretisation; the answer is never inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Domain
from pdebench.equation import Equation
from pdebench.errors import AccessError

Index = slice | Sequence[int] | np.ndarray[Any, Any]


@final
class Withheld:
    """Stands where the equation was before the harness took it away; holds only the sentence that
    says so.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _frozen(mapping: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return MappingProxyType(dict(mapping))


@final
@dataclass(frozen=True)
class Problem:
    """B instances of one equation on one domain.

    inputs: name -> (B, [T_in,] C, *S), what is given: coefficients, sources, initial fields, or a
        history of T_in frames.
    times: (T,) s, when the solution is asked for; None for steady problems.
    history: (T_in,) s, when the input frames were taken; evolution starts at the last. None for
        steady problems.
    parameters: name -> (B,), numbers of the equation such as the viscosity.
    """

    law: Equation | Withheld = field(repr=False)
    domain: Domain = field(repr=False)
    inputs: Mapping[str, Tensor]
    times: Tensor | None = None
    history: Tensor | None = None
    parameters: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", _frozen(self.inputs))
        object.__setattr__(self, "parameters", _frozen(self.parameters))
        shape = self.domain.shape
        size = None
        for name, value in self.inputs.items():
            layout = (
                ("batch", "time", "channel") if self.history is not None else ("batch", "channel")
            )
            if (
                value.ndim not in (2 + len(shape), 3 + len(shape))
                or tuple(value.shape[-len(shape) :]) != shape
            ):
                expected = ", ".join([*layout, *map(str, shape)])
                raise ValueError(
                    f"inputs[{name!r}] has shape {tuple(value.shape)}, expected ({expected})"
                )
            size = len(value) if size is None else size
            if len(value) != size:
                raise ValueError(
                    f"inputs[{name!r}] holds {len(value)} instances, the others {size}"
                )
        for name, value in self.parameters.items():
            if value.ndim != 1 or (size is not None and len(value) != size):
                raise ValueError(
                    f"parameters[{name!r}] has shape {tuple(value.shape)}, expected ({size},)"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by the constructor: read-only mappings do not pickle."""
        inputs, parameters = dict(self.inputs), dict(self.parameters)
        return Problem, (self.law, self.domain, inputs, self.times, self.history, parameters)

    @property
    def equation(self) -> Equation:
        """The equation; AccessError where the harness withheld it from a solver that did not
        declare it.
        """
        if isinstance(self.law, Withheld):
            raise AccessError(self.law.reason)
        return self.law

    def __len__(self) -> int:
        for value in (*self.inputs.values(), *self.parameters.values()):
            return len(value)
        return 0

    @property
    def input(self) -> Tensor:
        """The only input field; ValueError where there are several, naming them."""
        if len(self.inputs) != 1:
            raise ValueError(
                f"the problem has inputs {sorted(self.inputs)}, expected exactly one; name the "
                "one you want"
            )
        return next(iter(self.inputs.values()))

    @property
    def initial(self) -> Tensor:
        """The field (B, C, *S) that evolution starts from: the last frame of the only input."""
        return self.input[:, -1] if self.history is not None else self.input

    def take(self, index: Index) -> "Problem":
        """Return the instances selected by a slice (views) or by a list of positions (copies)."""
        where = index if isinstance(index, slice) else torch.as_tensor(np.asarray(index))
        return replace(
            self,
            inputs={name: value[where] for name, value in self.inputs.items()},
            parameters={name: value[where] for name, value in self.parameters.items()},
        )

    def at(self, frames: slice) -> "Problem":
        """Return the question about some of the times alone; steady problems stay as they are."""
        return self if self.times is None else replace(self, times=self.times[frames])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "Problem":
        """Return the problem with inputs and parameters on ``device`` (and as ``dtype``, where
        given).
        """
        return replace(
            self,
            inputs={
                n: v.to(device=device, dtype=dtype, non_blocking=True)
                for n, v in self.inputs.items()
            },
            parameters={
                n: v.to(device=device, dtype=dtype, non_blocking=True)
                for n, v in self.parameters.items()
            },
            times=None if self.times is None else self.times.to(device),
            history=None if self.history is None else self.history.to(device),
        )


@final
@dataclass(frozen=True)
class Solution:
    """An answer: ``u`` like the target, ``spread`` its predictive standard deviation or None,
    ``iterations`` or None.

    ``u`` is (B, [T,] C, *S); T is ``len(problem.times)``. ``iterations`` (B,) counts what the
    solver calls a step; ``counts`` holds what else it counted, by name, (B,) each.
    """

    u: Tensor
    spread: Tensor | None = None
    iterations: Tensor | None = None
    counts: Mapping[str, Tensor] = field(default_factory=dict)
