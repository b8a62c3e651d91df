"""A data set: an equation, a card that says how it was made, and lazily read splits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, final

from pdebench.equation import Equation
from pdebench.errors import AccessError
from pdebench.samples import Samples

# Set by the harness while solver code runs: a split then comes from what a verb is given alone.
closed: ContextVar[bool] = ContextVar("pdebench_closed", default=False)


@final
@dataclass(frozen=True)
class Card:
    """What a reader must know of a data set before believing a number computed on it.

    Attributes:
        name: such as ``navier_stokes/forced``.
        version: raised whenever the recipe changes; files of another version are refused.
        summary: one sentence.
        equation: the formula in plain text.
        units: field -> unit.
        how: how the samples were drawn and solved, with the reference solver and its settings.
        reference: citation of the recipe.
        splits: split -> number of samples.
        shifts: out-of-distribution split -> why it is harder.
        reference_error: relative L2 error of the stored reference, by a finer run of a few samples;
            None until made.
    """

    name: str
    version: str
    summary: str
    equation: str
    units: Mapping[str, str]
    how: str
    reference: str
    splits: Mapping[str, int]
    shifts: Mapping[str, str] = field(default_factory=dict)
    reference_error: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {key: dict(v) if isinstance(v, Mapping) else v for key, v in asdict(self).items()}


class Dataset(ABC):
    """Samples of one equation under one recipe.

    ``prepare(folder)`` makes or checks the files (idempotent, resumable) and must come first;
    ``split`` reads lazily, and raises AccessError inside a solver's own code, which has its samples
    from what ``fit``, ``prepare`` and ``solve`` are given.
    """

    shown: ClassVar[bool] = False  # whether it holds nothing that solvers must not see

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        split = cls.__dict__.get("split")
        if split is None or cls.shown:
            return

        @wraps(split)
        def guarded(self: "Dataset", name: str) -> Samples:
            if closed.get():
                raise AccessError(
                    f"the solver asked {type(self).__name__} for its split '{name}' while it ran; "
                    "samples reach a solver only through what fit, prepare and solve are given"
                )
            return split(self, name)

        cls.split = guarded  # type: ignore[method-assign]

    @property
    @abstractmethod
    def card(self) -> Card:
        """The data set's card; available before ``prepare`` (without reference_error)."""

    @property
    @abstractmethod
    def equation(self) -> Equation:
        """The equation that the samples solve."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders outside the prepared folder that hold samples; solvers may not open
        them while they run.
        """
        return ()

    @abstractmethod
    def prepare(self, folder: Path) -> str:
        """Make what is missing in ``folder`` and return the digest of the content (SHA-256,
        hexadecimal).
        """

    @abstractmethod
    def split(self, name: str) -> Samples:
        """Return split ``name``: problems with the initial or coefficient fields, targets with all
        stored fields.
        """
