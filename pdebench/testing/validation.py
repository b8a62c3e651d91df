"""What a validation says: our figures beside the published ones, and pictures.

A distribution validates its reference data in modules ``plugins/<family>/validation/<subject>.py``
and ``datasets/<family>/validation/<subject>.py``. Each has one function ``validate() -> Section``;
``make validate`` runs them and assembles docs/validation.md.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

Scale = Literal["linear", "log"]


@final
@dataclass(frozen=True)
class Row:
    """One figure and the range that it is expected in.

    Attributes:
        quantity: what was computed, with its setting.
        ours: the figure.
        expected: the figure or statement that it is compared with, as it is printed.
        low, high: where it agrees, bounds included.
        source: where the expectation is from: a citation, a law, another computation.
    """

    quantity: str
    ours: float
    expected: str
    low: float
    high: float
    source: str

    @classmethod
    def near(
        cls, quantity: str, ours: float, published: float, within: float, source: str
    ) -> "Row":
        """Expect ``published`` up to the relative difference ``within``."""
        gap = abs(published) * within
        text = f"{published:.5g} (within {100 * within:.3g} %)"
        return cls(quantity, ours, text, published - gap, published + gap, source)

    @classmethod
    def below(cls, quantity: str, ours: float, limit: float, source: str) -> "Row":
        """Expect an error of at most ``limit``."""
        return cls(quantity, ours, f"0 (at most {limit:.2g})", -math.inf, limit, source)

    @classmethod
    def between(cls, quantity: str, ours: float, low: float, high: float, source: str) -> "Row":
        """Expect a figure in a range, such as the spread of published ones."""
        return cls(quantity, ours, f"{low:.5g} to {high:.5g}", low, high, source)

    @property
    def agrees(self) -> bool:
        """Whether the figure is where it is expected; NaN is nowhere."""
        return self.low <= self.ours <= self.high


@final
@dataclass(frozen=True)
class Curve:
    """One line of a picture; ``published`` ones are drawn as points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    published: bool = False


@final
@dataclass(frozen=True)
class Picture:
    """Curves over one pair of axes.

    Attributes:
        name: of the file, unique within its section.
        title: what is seen.
        x, y: labels of the axes, with units.
        curves: in drawing order.
        x_scale, y_scale: linear or log.
    """

    name: str
    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"


@final
@dataclass(frozen=True)
class Section:
    """The validation of one subject.

    Attributes:
        title: heading.
        summary: what was computed, with which solver and settings; one paragraph.
        rows: figures.
        pictures: curves.
        remarks: what is not reached, and why.
    """

    title: str
    summary: str
    rows: Sequence[Row]
    pictures: Sequence[Picture] = ()
    remarks: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every row does."""
        return all(row.agrees for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return title, summary, rows, picture names and titles, and remarks."""
        rows = [
            {
                "quantity": row.quantity,
                "ours": row.ours,
                "expected": row.expected,
                "source": row.source,
                "agrees": row.agrees,
            }
            for row in self.rows
        ]
        pictures = [{"name": p.name, "title": p.title} for p in self.pictures]
        whole = asdict(self)
        return {
            **{key: whole[key] for key in ("title", "summary", "remarks")},
            "rows": rows,
            "pictures": pictures,
        }
