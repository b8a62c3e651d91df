"""Derivatives on grids and meshes, as far as norms of gradients need them."""

import torch
from torch import Tensor

from pdebench.domain import Axis, Domain, Grid, Mesh
from pdebench.errors import Unsupported
from pdebench.metrics.quadrature import blocks, weighted_mean


def derivative(field: Tensor, grid: Grid, direction: int) -> Tensor:
    """Return d field / d x_direction of fields (..., *S) on a grid.

    Spectral along periodic uniform axes (the Nyquist mode has derivative 0 at the nodes), second-
    order differences on the axis' own nodes elsewhere, one-sided at its ends. Raises Unsupported
    for fewer than three nodes on a bounded axis.
    """
    axis, dim = grid.axes[direction], direction - grid.dim
    if axis.periodic and axis.uniform:
        return _spectral(field, axis, dim)
    if len(axis.nodes) < 3:
        raise Unsupported(f"axis {direction} has {len(axis.nodes)} nodes, a derivative needs 3")
    if axis.periodic:
        return _periodic_differences(field, axis, dim)
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


def mean_square_gradient(domain: Domain, field: Tensor, other: Tensor | None = None) -> Tensor:
    """Return <|grad v|^2> with v = field (minus ``other``), (B, T, C) float64.

    On grids by `derivative`, on simplicial meshes by the gradient of the linear interpolant, exact
    for it. Raises Unsupported on clouds, which have no derivative, and on quadrilaterals.
    """
    operands = (field,) if other is None else (field, other)
    if isinstance(domain, Grid):

        def form(v: Tensor, *rest: Tensor) -> Tensor:
            v = v.sub_(rest[0]) if rest else v
            v = v.reshape(-1, *domain.shape)
            total = derivative(v, domain, 0).square_()
            for direction in range(1, domain.dim):
                total += derivative(v, domain, direction).square_()
            return total.flatten(1)

        return weighted_mean(domain, form, *operands)
    if isinstance(domain, Mesh):
        return _on_mesh(domain, *operands)
    raise Unsupported("a point cloud has no derivative; use a grid or a mesh")


def _on_mesh(mesh: Mesh, field: Tensor, *other: Tensor) -> Tensor:
    if mesh.cells.shape[1] != mesh.dim + 1:
        raise Unsupported("gradients need simplices; split the quadrilaterals into triangles")
    cells = mesh.cells.to(field.device)
    corners = mesh.nodes.to(field.device, torch.float64)[cells]
    inverse = torch.linalg.inv(corners[:, 1:] - corners[:, :1])  # (E, d, d): grad = inverse @ jump
    measure = mesh.cell_measures.to(field.device)
    shape = field.shape[:-1]
    total = torch.empty(shape.numel(), dtype=torch.float64, device=field.device)
    for start, stop, (part, *rest) in blocks(mesh, field, *other):
        values = part.sub_(rest[0]) if rest else part
        at = values[:, cells]
        slope = torch.einsum("eij,rej->rei", inverse, at[..., 1:] - at[..., :1])
        total[start:stop] = slope.square().sum(-1) @ measure
    return total.reshape(shape) / measure.sum()
