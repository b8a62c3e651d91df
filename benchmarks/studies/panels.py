"""Pictures of a study: panels side by side, a line a row, the reference thick and black."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.ticker import NullFormatter, ScalarFormatter

Plot = Callable[[Any, int, Any, dict[str, Any]], None]  # axes, panel, what to draw, look


def panels(
    titles: Sequence[str],
    rows: Mapping[str, Any],
    plot: Plot,
    path: Path,
    *,
    reference: str,
    wavenumbers: bool = False,
    **axes: Any,
) -> None:
    """Draw one panel a title with one line a row, the legend beside them.

    ``wavenumbers`` shows the decades of a spectrum that hold energy, with plain ticks.
    """
    matplotlib.rcParams["svg.hashsalt"] = "pdebench"
    colours = pyplot.colormaps["tab20"].colors  # type: ignore[attr-defined]
    figure, grid = pyplot.subplots(
        1,
        len(titles),
        figsize=(2.9 * len(titles) + 1.9, 3.1),
        layout="constrained",
        squeeze=False,
        sharey=len(titles) > 1 and wavenumbers,
    )
    for position, (ax, title) in enumerate(zip(grid[0], titles, strict=True)):
        for number, (row, content) in enumerate(rows.items()):
            look = {
                "label": row,
                "linewidth": 1.2,
                "color": colours[(2 * number + number // 10) % 20],
            }
            if row == reference:
                look |= {"color": "black", "linewidth": 2.4}
            plot(ax, position, content, look)
        ax.set(title=title, **axes)
        if wavenumbers:
            _spectral(ax, reference)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=7, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _spectral(ax: Any, reference: str) -> None:
    """Show a decade below the reference's lowest energy, wavenumbers at powers of two."""
    drawn = [line for line in ax.lines if line.get_label() == reference]
    ax.set_ylim(bottom=min(float(min(line.get_ydata())) for line in drawn) / 10)
    highest = int(max(float(max(line.get_xdata())) for line in drawn))
    ax.set_xticks([2**p for p in range(highest.bit_length())])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
