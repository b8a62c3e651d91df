"""Derivatives on grids and meshes, as far as norms of gradients need them."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from pdebench.chebyshev import differentiation
from pdebench.domain import Axis, Domain, Grid, Mesh
from pdebench.errors import Unsupported
from pdebench.metrics.quadrature import BLOCK, box_weights, frames, volume
from pdebench.metrics.shells import Modes, mode_sum


def derivative(field: Tensor, axis: Axis, dim: int) -> Tensor:
    """Return the derivative of a field along its dimension ``dim`` (< 0), whose nodes are ``axis``.

    Spectral on a periodic uniform axis (the Nyquist mode has derivative 0 at the nodes) and on
    Chebyshev-Gauss-Lobatto nodes, second-order differences on the axis' own nodes elsewhere,
    one-sided at its ends. Raises Unsupported for fewer than three nodes on a bounded axis.
    """
    if axis.periodic and axis.uniform:
        return _spectral(field, axis, dim)
    if len(axis.nodes) < 3:
        raise Unsupported(f"a bounded axis has {len(axis.nodes)} nodes, a derivative needs 3")
    if axis.periodic:
        return _periodic_differences(field, axis, dim)
    if axis.rule == "clenshaw-curtis":
        matrix = differentiation(axis)[0].to(field)
        return (field.movedim(dim, -1) @ matrix.T).movedim(-1, dim)
    nodes = axis.nodes.to(field)
    return torch.gradient(field, spacing=(nodes,), dim=(dim,), edge_order=2)[0]


def _spectral(field: Tensor, axis: Axis, dim: int) -> Tensor:
    num = len(axis.nodes)
    waves = torch.arange(num // 2 + 1, dtype=field.dtype, device=field.device)
    waves *= 2 * torch.pi / axis.length
    if num % 2 == 0:
        waves[-1] = 0.0
    factor = (1j * waves).reshape(-1, *(1,) * (-dim - 1))
    return torch.fft.irfft(torch.fft.rfft(field, dim=dim) * factor, n=num, dim=dim)


def _periodic_differences(field: Tensor, axis: Axis, dim: int) -> Tensor:
    """Second-order differences on stretched periodic nodes: wrap one node around either end."""
    nodes = axis.nodes.to(field)
    wrapped = torch.cat([nodes[-1:] - axis.length, nodes, nodes[:1] + axis.length])
    ends = (field.narrow(dim, field.shape[dim] - 1, 1), field, field.narrow(dim, 0, 1))
    slope = torch.gradient(torch.cat(ends, dim), spacing=(wrapped,), dim=(dim,))[0]
    return slope.narrow(dim, 1, len(nodes))


def lines(grid: Grid, direction: int, frame: Tensor) -> Iterator[tuple[slice, ...]]:
    """Yield indices that cut frames (rows, *S) into parts of about `BLOCK` values.

    Every part holds whole lines along ``direction``, so that derivatives can be taken part by part.
    """
    across = 0 if direction else 1
    if grid.dim == 1:
        yield (slice(None), slice(None))
        return
    num = grid.shape[across]
    width = max(1, min(num, BLOCK * num // max(frame.numel(), 1)))
    for start in range(0, num, width):
        index = [slice(None)] * (1 + grid.dim)
        index[1 + across] = slice(start, start + width)
        yield tuple(index)


def mean_square_gradient(domain: Domain, field: Tensor, *other: Tensor) -> Tensor:
    """Return <|grad v|^2> with v = field (minus other), (B, T, C) float64.

    On grids by `derivative`, on simplicial meshes by the gradient of the linear interpolant, exact
    for it. Raises Unsupported on clouds, which have no derivative, and on quadrilaterals.
    """
    if isinstance(domain, Grid):
        return _on_grid(domain, field, *other)
    if isinstance(domain, Mesh):
        return _on_mesh(domain, field, *other)
    raise Unsupported("a point cloud has no derivative; use a grid or a mesh")


def _on_grid(grid: Grid, *fields: Tensor) -> Tensor:
    flat = [f.flatten(0, -grid.dim - 1) for f in fields]
    if grid.dim == 1 and grid.shape[0] > BLOCK:
        axis = grid.axes[0]
        if axis.periodic and axis.uniform:
            return mode_sum(grid, partial(_squared_wavenumber, grid.shape[0]), *fields)
        if not axis.periodic and axis.rule != "clenshaw-curtis":
            total = _on_long_line(axis, *flat)
            return total.reshape(fields[0].shape[:-1]) / volume(grid)
    total = torch.zeros(len(flat[0]), dtype=torch.float64, device=flat[0].device)
    step = max(1, BLOCK // max(math.prod(grid.shape), 1))
    for start in range(0, len(total), step):
        parts = [f[start : start + step] for f in flat]
        for j, axis in enumerate(grid.axes):
            for index in lines(grid, j, parts[0]):
                values = parts[0][index].to(torch.float64, copy=True)
                values = values.sub_(parts[1][index]) if len(parts) > 1 else values
                slope = derivative(values, axis, j - grid.dim).square_().flatten(1)
                weights = box_weights(grid, index[1:]).to(slope.device).reshape(-1)
                total[start : start + step].addmv_(slope, weights)
    return total.reshape(fields[0].shape[: -grid.dim]) / volume(grid)


def _squared_wavenumber(num: int, modes: Modes) -> Tensor:
    """Return q^2 of every mode of a line, 0 of the Nyquist mode as in `_spectral`."""
    wave = modes.axes[0]
    return (wave * modes.spacing).square_().masked_fill_(2 * wave == num, 0.0)


def _on_long_line(axis: Axis, *flat: Tensor) -> Tensor:
    """Return sum_i w_i (dv/dx)_i^2 of every row of fields (rows, n), n > `BLOCK`, bounded axis."""
    num = len(axis.nodes)
    total = torch.zeros(len(flat[0]), dtype=torch.float64, device=flat[0].device)
    for start in range(0, num, BLOCK):
        stop = min(start + BLOCK, num)
        low, high = max(start - 2, 0), min(stop + 2, num)  # a difference reaches two nodes at most
        nodes = axis.nodes[low:high].to(total)
        weights = axis.weights[start:stop].to(total)
        for row in range(len(total)):
            values = flat[0][row, low:high].to(torch.float64, copy=True)
            for other in flat[1:]:
                values -= other[row, low:high]
            slope = torch.gradient(values, spacing=(nodes,), edge_order=2)[0]
            total[row] += slope[start - low : stop - low].square_() @ weights
    return total


def _on_mesh(mesh: Mesh, field: Tensor, *other: Tensor) -> Tensor:
    if mesh.cells.shape[1] != mesh.dim + 1:
        raise Unsupported("gradients need simplices; split the quadrilaterals into triangles")
    cells = mesh.cells.to(field.device)
    corners = mesh.nodes.to(field.device, torch.float64)[cells]
    inverse = torch.linalg.inv(corners[:, 1:] - corners[:, :1])  # (E, d, d): grad = inverse @ jump
    measure = mesh.cell_measures.to(field.device)
    shape = field.shape[:-1]
    total = torch.empty(shape.numel(), dtype=torch.float64, device=field.device)
    for start, stop, values in frames(mesh, torch.float64, field, *other):
        at = values[:, cells]
        slope = torch.einsum("eij,rej->rei", inverse, at[..., 1:] - at[..., :1])
        total[start:stop] = slope.square().sum(-1) @ measure
    return total.reshape(shape) / measure.sum()
