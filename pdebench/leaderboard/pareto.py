"""Error against online seconds as a static SVG, for READMEs and papers."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from pdebench.leaderboard.board import Row, Table

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 88, 16, 16, 48
# Okabe and Ito's palette: told apart with any colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195", "#8c564b")
_LADDER = "#333333"
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.axis{stroke:#ddd}.name{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{stroke:#444}.rung{stroke:#ddd}"
    ".rung-fill{fill:#ddd}}"
)
_SECONDS = ((1e-6, "ns", 1e9), (1e-3, "µs", 1e6), (1.0, "ms", 1e3), (math.inf, "s", 1.0))


class _Point(NamedTuple):
    row: Row
    seconds: float
    error: float


def pareto(table: Table) -> str | None:
    """Return the SVG of a table's ranked rows on logarithmic axes, or None where there is nothing.

    The classical ladder is drawn as one line from coarse to fine; other rows are dots, one colour
    per family, with the 95 % interval of their error.
    """
    points = [
        _Point(row, row.costs["solve"].seconds, float(mean))
        for row in table.rows
        if row.place is not None and "solve" in row.costs
        for mean in [row.scores[table.splits[0]][table.headline].mean]
        if mean is not None and mean > 0 and row.costs["solve"].seconds > 0
    ]
    if not points:
        return None
    x = _Scale([p.seconds for p in points], _LEFT, _WIDTH - _RIGHT)
    y = _Scale([p.error for p in points], _HEIGHT - _BOTTOM, _TOP)
    families = list(dict.fromkeys(p.row.family for p in points if p.row.ladder is None))
    parts = [*_axes(table, x, y), *_ladder(points, x, y)]
    for point in points:
        parts += _dot(point, x, y, families, table)
    parts += _names(points, x, y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{escape(table.headline)} against online seconds per sample, "
        f"{escape(table.key.task)} {escape(table.key.track)}</title><style>{_STYLE}</style>"
        + "".join(parts)
        + "</svg>\n"
    )


class _Scale:
    """Logarithmic map of values to pixels, with powers of ten as ticks."""

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max(0.08 * (high - low), 0.15)
        self._low, self._high = low - room, high + room
        self._start, self._stop = start, stop
        self.ticks = [10.0**k for k in range(math.ceil(self._low), math.floor(self._high) + 1)]

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + min(max(share, 0.0), 1.0) * (self._stop - self._start)


def _axes(table: Table, x: _Scale, y: _Scale) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for tick in x.ticks:
        at = x(tick)
        unit, factor = next((u, f) for limit, u, f in _SECONDS if tick < limit * 0.999)
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(_text(at, bottom + 18, f"{tick * factor:g} {unit}", "middle"))
    for tick in y.ticks:
        at = y(tick)
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(_LEFT - 8, at + 4, f"{tick:g}", "end"))
    parts.append(_text((_LEFT + right) / 2, _HEIGHT - 8, "online time per sample", "middle"))
    label = _text(-(_TOP + bottom) / 2, 14, table.headline, "middle")
    return [*parts, f'<g transform="rotate(-90)">{label}</g>']


def _text(x: float, y: float, content: str, anchor: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(content)}</text>'


def _ladder(points: Sequence[_Point], x: _Scale, y: _Scale) -> list[str]:
    rungs = sorted(
        (p for p in points if p.row.ladder is not None), key=lambda p: (p.seconds, -p.error)
    )
    path = " ".join(f"{x(p.seconds):.1f},{y(p.error):.1f}" for p in rungs)
    line = f'<polyline class="rung" points="{path}" fill="none" stroke="{_LADDER}"/>'
    return [line] if len(rungs) > 1 else []


def _dot(point: _Point, x: _Scale, y: _Scale, families: Sequence[str], table: Table) -> list[str]:
    row, at, up = point.row, x(point.seconds), y(point.error)
    if row.ladder is not None:
        square = f'x="{at - 4:.1f}" y="{up - 4:.1f}" width="8" height="8" fill="{_LADDER}"'
        return [f'<rect class="rung-fill" {square}/>']
    colour = _COLOURS[families.index(row.family) % len(_COLOURS)]
    score = row.scores[table.splits[0]][table.headline]
    parts = []
    if score.low is not None and score.high is not None and score.low > 0:
        ends = f'y1="{y(score.low):.1f}" y2="{y(score.high):.1f}"'
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" {ends} stroke="{colour}"/>')
    return [*parts, f'<circle cx="{at:.1f}" cy="{up:.1f}" r="5" fill="{colour}"/>']


def _names(points: Sequence[_Point], x: _Scale, y: _Scale) -> list[str]:
    """Names beside their marks, where they hit neither a mark nor another name."""
    taken = [(x(p.seconds) - 6, y(p.error) - 6, x(p.seconds) + 6, y(p.error) + 6) for p in points]
    parts: list[str] = []
    for point in points:
        at, up, name = x(point.seconds), y(point.error), point.row.label
        long = 6.6 * len(name)
        for left, base in ((at + 9, up - 6), (at - 9 - long, up - 6), (at + 9, up + 15)):
            area = (left, base - 11, left + long, base + 3)
            free = all(
                area[2] < t[0] or t[2] < area[0] or area[3] < t[1] or t[3] < area[1] for t in taken
            )
            if free and area[0] > _LEFT and area[2] < _WIDTH:
                taken.append(area)
                parts.append(_text(left, base, name, "start", ' class="name"'))
                break
    return parts
