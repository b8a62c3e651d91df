"""The stream function of a two-dimensional flow: Poisson's equation on a torus."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation, LinearSystem
from pdebench.errors import ConfigError, Unsupported
from pdebench.spectral import Modes, torus

if TYPE_CHECKING:
    from pdebench.problem import Problem


@final
@dataclass(frozen=True)
class StreamFunction(Equation):
    """-lap psi = w on the torus [0, L_x) x [0, L_y), both of zero mean.

    Input: "vorticity" w (B, 1, X, Y), 1/s; its mean, which no stream function has, is left out.
    The linear system is the compact nine-point scheme of order four on square cells,

        A = (1/6 h^2) [-1 -4 -1; -4 20 -4; -1 -4 -1],   A psi = (1 + h^2 lap_5 / 12) w

    (Collatz, The Numerical Treatment of Differential Equations (1960), table VI), symmetric and
    positive but for the constants; `residual` and `symbol` are those of the exact operator.

    Batchelor, An Introduction to Fluid Dynamics (1967), eq. 2.2.10 and 2.7.2.
    """

    @property
    def fields(self) -> Mapping[str, str]:
        return {"stream_function": "length^2/s"}

    @property
    def reference(self) -> str:
        return "Batchelor, An Introduction to Fluid Dynamics (1967), sec. 2.7"

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        """Return |k|^2, the symbol of -lap."""
        total = wavenumbers[0] ** 2
        for k in wavenumbers[1:]:
            total = total + k**2
        return total

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return -lap psi - w + <w>, (B, 1, X, Y), by spectral derivatives."""
        modes = Modes.like(u, torus(problem.domain, "the stream function's residual"))
        source = _source(problem).to(u)
        applied = modes.inverse(modes.square * modes.forward(u))
        return applied - source + source.mean((-2, -1), keepdim=True)

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the nine-point system, one matrix for all instances; constants span the kernel.

        Raises Unsupported off the torus, in other dimensions than two, and on cells that are not
        square.
        """
        grid = torus(problem.domain, "the stream function's linear system")
        h = _spacing(grid)
        source = _source(problem)[:, 0].double()
        source = source - source.mean((-2, -1), keepdim=True)
        right = source + _five_points(source) / 12
        shape = grid.shape

        def matvec(x: Tensor) -> Tensor:
            field = x.view(len(x), *shape)
            edges, corners = _around(field)
            return ((20 * field - 4 * edges - corners) / (6 * h**2)).flatten(1)

        count = shape[0] * shape[1]
        constant = torch.full((1, count), count**-0.5, dtype=torch.float64, device=source.device)
        return LinearSystem(
            matvec,
            right.flatten(1),
            (_assembled(shape, h),),
            symmetric_positive=True,
            null_space=constant,
        )

    def pointwise(self, jet: Mapping[str, Tensor], problem: "Problem") -> Tensor:
        """Return -psi_xx - psi_yy - w + <w> at the nodes (B, N), from ``u_xx`` and ``u_yy``."""
        source = _source(problem).flatten(1).to(jet["u_xx"])
        return source.mean(1, keepdim=True) - source - jet["u_xx"] - jet["u_yy"]


def _source(problem: "Problem") -> Tensor:
    if "vorticity" not in problem.inputs:
        raise ConfigError(
            f"the stream function needs inputs['vorticity'], the problem has "
            f"{sorted(problem.inputs)}"
        )
    return problem.inputs["vorticity"]


def _spacing(grid: Grid) -> float:
    if grid.dim != 2:
        raise Unsupported(f"the nine-point scheme is for two dimensions, the grid has {grid.dim}")
    h, other = (length / n for length, n in zip(grid.extent, grid.shape, strict=True))
    if abs(h - other) > 1e-9 * h:
        raise Unsupported(f"the nine-point scheme needs square cells, these are {h:g} x {other:g}")
    return h


def _around(field: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums over the four neighbours across edges and the four across corners."""
    low, high = field.roll(1, -2), field.roll(-1, -2)
    edges = low + high + field.roll(1, -1) + field.roll(-1, -1)
    both = low + high
    return edges, both.roll(1, -1) + both.roll(-1, -1)


def _five_points(field: Tensor) -> Tensor:
    """Return h^2 lap_5 of a field."""
    return _around(field)[0] - 4 * field


def _assembled(shape: tuple[int, ...], h: float) -> Any:
    """Return A as ``scipy.sparse.csr_array``, indices sorted, float64."""
    import numpy as np
    from scipy import sparse

    cells = np.arange(shape[0] * shape[1]).reshape(shape)
    rows, columns, values = [], [], []
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            weight = {0: 20.0, 1: -4.0, 2: -1.0}[abs(dx) + abs(dy)]
            rows.append(cells.ravel())
            columns.append(np.roll(cells, (dx, dy), (0, 1)).ravel())
            values.append(np.full(cells.size, weight / (6 * h**2)))
    where = (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.csr_array((np.concatenate(values), where), shape=(cells.size,) * 2)
    matrix.sort_indices()
    return matrix
