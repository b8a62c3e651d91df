"""A data set: an equation, a card that says how it was made, and lazily read splits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from pdebench.equation import Equation
from pdebench.samples import Samples


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
    ``split`` reads lazily.
    """

    @property
    @abstractmethod
    def card(self) -> Card:
        """The data set's card; available before ``prepare`` (without reference_error)."""

    @property
    @abstractmethod
    def equation(self) -> Equation:
        """The equation that the samples solve."""

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
