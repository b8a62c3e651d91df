"""Solvers over several tasks: average ranks and the critical difference between them."""

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from pdebench.leaderboard.board import OverTasks, Row, Table
from pdebench.leaderboard.numbers import number
from pdebench.leaderboard.ranking import badness
from pdebench.statistics import critical_difference

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP = 720, 150, 150, 64, 20
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}line{stroke:#333}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#ddd}}"
)


def over_tasks(tables: Sequence[Table]) -> Iterator[OverTasks]:
    """Yield one diagram per track and device where at least two tasks rank the same two solvers.

    A task counts once: of its tables the one with most rows. Solvers that not all of the tasks rank
    are left out and named.
    """
    groups: dict[tuple[str, str, str], dict[str, Table]] = defaultdict(dict)
    for table in tables:
        key = table.key
        group = groups[key.track, key.device, key.hardware]
        held = group.get(key.task)
        if held is None or len(_ranked(table)) > len(_ranked(held)):
            group[key.task] = table
    for (track, device, hardware), group in groups.items():
        ranked = [_ranked(table) for table in group.values()]
        common = sorted(set.intersection(*map(set, ranked))) if len(ranked) > 1 else []
        if len(common) < 2:
            continue
        bad = []
        for table, rows in zip(group.values(), ranked, strict=True):
            found = (rows[name].scores[table.splits[0]][table.headline].mean for name in common)
            means = np.array(list(found), dtype=float)
            bad.append(badness(means, table.metrics[table.headline].get("better", "lower")))
        others = sorted(set().union(*ranked) - set(common))
        name = " · ".join(part for part in (track, device, hardware) if part)
        yield OverTasks(name, tuple(group), critical_difference(common, bad), tuple(others))


def _ranked(table: Table) -> dict[str, Row]:
    return {row.label: row for row in table.rows if row.place is not None}


def sentence(one: OverTasks) -> str:
    """Say what the diagram shows and what it cannot say."""
    diagram = one.diagram
    said = (
        f"Average ranks over {len(one.tasks)} tasks ({', '.join(one.tasks)}); solvers joined by a "
        f"bar are within the critical difference {number(diagram.critical)} (Nemenyi, 95 %). All "
        f"alike: p = {number(diagram.p_value)}."
    )
    said += "".join(f" Caution: {caution}." for caution in diagram.cautions)
    if one.left_out:
        said += f" Not in all tasks, so left out: {', '.join(one.left_out)}."
    return said


def picture(one: OverTasks) -> str:
    """Return the diagram as a data URI for a page."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(one).encode()).decode("ascii")


def svg(one: OverTasks) -> str:
    """Return the critical-difference diagram as an SVG (Demsar 2006, JMLR 7, fig. 1).

    Rank 1 is at the left; the better half of the names stands there, the worse at the right.
    """
    diagram, num = one.diagram, len(one.diagram.names)
    half = (num + 1) // 2
    bars = 10 * len(diagram.groups)
    height = _TOP + bars + 24 + _STEP * half

    def at(rank: float) -> float:
        return _LEFT + (rank - 1) / max(num - 1, 1) * (_WIDTH - _LEFT - _RIGHT)

    parts = [_line(at(1), _TOP, at(num), _TOP)]
    for rank in range(1, num + 1):
        parts += [
            _line(at(rank), _TOP - 5, at(rank), _TOP),
            _text(at(rank), _TOP - 9, str(rank), "middle"),
        ]
    stop = at(1) + diagram.critical * (at(num) - at(1)) / max(num - 1, 1)
    parts += [
        _line(at(1), 20, min(stop, _WIDTH - 8), 20, 2),
        _text(at(1), 14, f"critical difference {number(diagram.critical)}", "start"),
    ]
    known = dict(zip(diagram.names, diagram.ranks, strict=True))
    for k, group in enumerate(diagram.groups):
        y = _TOP + 10 * (k + 1)
        parts.append(_line(at(known[group[0]]) - 3, y, at(known[group[-1]]) + 3, y, 4))
    for k, (name, rank) in enumerate(known.items()):
        left = k < half
        y = _TOP + bars + 24 + _STEP * (k if left else num - 1 - k)
        edge, anchor = (_LEFT - 6, "end") if left else (_WIDTH - _RIGHT + 6, "start")
        parts += [_line(at(rank), _TOP, at(rank), y), _line(at(rank), y, edge, y)]
        parts.append(_text(edge + (-4 if left else 4), y + 4, f"{name} {rank:.2f}", anchor))
    label = escape(f"Average ranks of {', '.join(known)}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{label}</title><style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _line(x1: float, y1: float, x2: float, y2: float, width: int = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{width}"/>'


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
