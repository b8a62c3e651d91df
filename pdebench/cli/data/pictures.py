"""The pictures of ``pdebench data plot``; each function says whether it drew something."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from pdebench.atomic import atomic_path
from pdebench.formats.contents import Contents
from pdebench.formats.conversion import canonical

Array = NDArray[Any]


def _values(found: Contents, name: str, num: int) -> tuple[Array, list[str]]:
    """Return samples (n, T, C, *S), float64, and the names of the space axes."""
    variable = found.variables[name]
    dims = canonical(variable.dims)
    order = [variable.dims.index(d) for d in dims]
    values = variable.array.rows(slice(0, num)).transpose(order).astype(np.float64)
    if "time" not in dims:
        values = values[:, None]
    inner = [d for d in dims if d == "channel" or d.startswith("component")]
    space = [d for d in dims if d not in ("sample", "time", *inner)]
    shape = values.shape[:2], values.shape[2 + len(inner) :]
    return values.reshape(*shape[0], -1, *shape[1]), space


def _save(figure: Any, file: Path) -> bool:
    with atomic_path(file) as partial:
        figure.savefig(partial, dpi=110, bbox_inches="tight", format="png")
    plt.close(figure)
    return True


def _frames(num: int) -> list[int]:
    return sorted({0, num // 2, num - 1})


def field(found: Contents, name: str, num: int, file: Path) -> bool:
    """Draw frames of samples; the middle plane of a volume, points of a cloud."""
    values, space = _values(found, name, num)
    frames, columns = _frames(values.shape[1]), len(values)
    rows = [(t, c) for t in frames for c in range(values.shape[2])][:9]
    figure, panels = plt.subplots(
        len(rows), columns, figsize=(2.4 * columns, 2.2 * len(rows)), squeeze=False
    )
    times = found.coordinates.get("time")
    for row, (t, c) in enumerate(rows):
        for column in range(columns):
            panel = panels[row][column]
            _panel(panel, found, values[column, t, c], space, column)
            label = f"t = {times[0][t]:.3g}" if times is not None and len(frames) > 1 else ""
            panel.set_title(f"sample {column} channel {c} {label}", fontsize=7)
    figure.suptitle(f"{name} [{found.variables[name].unit}]", fontsize=9)
    return _save(figure, file)


def _panel(panel: Any, found: Contents, values: Array, space: list[str], sample: int) -> None:
    if found.roles.position is not None and space == ["point"]:
        variable = found.variables[found.roles.position]
        order = [variable.dims.index(d) for d in ("sample", "point", "component")]
        points = variable.array.rows(slice(sample, sample + 1)).transpose(order)[0]
        panel.scatter(points[:, 0], points[:, 1], c=values, s=4)
        panel.set_aspect("equal")
        return
    if values.ndim == 1:
        axis = found.coordinates.get(space[0], (np.arange(len(values)), "1"))[0]
        panel.plot(axis, values, lw=1)
        return
    if values.ndim == 3:
        values = values[:, :, values.shape[2] // 2]
    limit = np.abs(values).max() or 1.0
    signed = values.min() < 0 < values.max()
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "viridis"}
    panel.imshow(values.T, origin="lower", **scale)
    panel.set_xticks([])
    panel.set_yticks([])


def spectrum(found: Contents, name: str, num: int, file: Path) -> bool:
    """Draw energy per unit shell of integer wavenumbers, channels summed, samples averaged."""
    values, space = _values(found, name, num)
    if "point" in space or min(values.shape[3:], default=0) < 8:
        return False
    figure, panel = plt.subplots(figsize=(4, 3))
    for t in sorted({0, values.shape[1] - 1}):
        k, energy = shells(values[:, t])
        panel.loglog(k, np.maximum(energy, energy.max() * 1e-20), label=f"frame {t}")
    panel.set_xlabel("wavenumber index k")
    panel.set_ylabel(f"energy of {name} in shell k")
    panel.legend(fontsize=7)
    return _save(figure, file)


def shells(u: Array) -> tuple[Array, Array]:
    """Return k = 1 .. n/2 and E(k) = 1/2 sum_{|q| in [k - 1/2, k + 1/2)} |u_q|^2, u (n, C, *S).

    Averaged over samples, summed over channels, u_q = fft(u) / N; fields that are not periodic leak
    as k^-2.
    """
    axes = tuple(range(2, u.ndim))
    power = np.square(np.abs(np.fft.fftn(u, axes=axes) / np.prod(u.shape[2:])))
    lines = [np.fft.fftfreq(n, 1 / n) for n in u.shape[2:]]
    radius = np.sqrt(sum(np.square(q) for q in np.meshgrid(*lines, indexing="ij")))
    shell = np.floor(radius + 0.5).astype(int).ravel()
    energy = np.bincount(shell, power.mean(0).sum(0).ravel()) / 2
    k = np.arange(1, min(u.shape[2:]) // 2 + 1)
    return k, energy[k]


def statistics(found: Contents, name: str, num: int, file: Path) -> bool:
    """Draw the histogram of all values and, for evolutions, moments over time."""
    values, _ = _values(found, name, num)
    figure, panels = plt.subplots(1, 2, figsize=(7.5, 3))
    panels[0].hist(values.ravel(), bins=80, density=True)
    panels[0].set_xlabel(f"{name} [{found.variables[name].unit}]")
    panels[0].set_ylabel("density")
    over = (0, *range(2, values.ndim))
    times = found.coordinates.get("time", (np.arange(values.shape[1]), "1"))
    axis = times[0] if len(times[0]) == values.shape[1] else np.arange(values.shape[1])
    for label, line in (
        ("mean", values.mean(over)),
        ("deviation", values.std(over)),
        ("smallest", values.min(over)),
        ("largest", values.max(over)),
    ):
        panels[1].plot(axis, line, "o-", ms=2, lw=1, label=label)
    panels[1].set_xlabel(f"time [{times[1]}]")
    panels[1].legend(fontsize=7)
    return _save(figure, file)
