"""The operator -div(a grad u) on nodes of a uniform box, by fluxes through faces between them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def spacings(domain: Domain) -> tuple[float, ...]:
    """Return the spacing of every axis. Unsupported but for uniform boxes, nodes on the walls."""
    if not isinstance(domain, Grid):
        raise Unsupported("the flux form needs a tensor grid, the problem has a mesh or a cloud")
    if any(a.periodic or not a.uniform or a.rule == "midpoint" for a in domain.axes):
        raise Unsupported("the flux form needs uniform axes that are bounded, nodes on the walls")
    return tuple(axis.length / (len(axis.nodes) - 1) for axis in domain.axes)


def harmonic_faces(a: Tensor) -> list[Tensor]:
    """Return 2 a_i a_j / (a_i + a_j) between neighbours along every axis; a (B, *S), positive.

    Resistances add along a flux, so this mean, unlike the arithmetic one, keeps the flux through a
    jump of a (Patankar 1980, eq. 4.9).
    """
    faces = []
    for axis in range(1, a.ndim):
        low, high = a.narrow(axis, 0, a.shape[axis] - 1), a.narrow(axis, 1, a.shape[axis] - 1)
        faces.append(2 * low * high / (low + high))
    return faces


def applied(u: Tensor, faces: Sequence[Tensor | None], spacing: Sequence[float]) -> Tensor:
    """Return -div(a grad u) at inner nodes and 0 on the walls, (B, *S); None for a = 1."""
    total = torch.zeros_like(u)
    inner = (slice(None), *(slice(1, -1) for _ in spacing))
    for axis, (face, h) in enumerate(zip(faces, spacing, strict=True), 1):
        flux = u.diff(dim=axis) / h**2
        if face is not None:
            flux = flux * face
        across = [slice(1, -1)] * len(spacing)
        across[axis - 1] = slice(None)
        total[inner] -= flux.diff(dim=axis)[(slice(None), *across)]
    return total


def assembled(
    faces: Sequence[Tensor | None], spacing: Sequence[float], shape: Sequence[int], index: int
) -> "csr_array":
    """Return the matrix of instance ``index`` over all nodes as CSR, float64, symmetric, with the
    identity on the walls.
    """
    from scipy import sparse

    nodes = np.arange(int(np.prod(shape))).reshape(shape)
    inside = np.zeros(shape, dtype=bool)
    inside[tuple(slice(1, -1) for _ in shape)] = True
    main = np.where(inside, 0.0, 1.0)
    rows, columns, values = [], [], []
    for axis, (face, h) in enumerate(zip(faces, spacing, strict=True)):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(len(shape)))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(len(shape)))
        size = [n - (a == axis) for a, n in enumerate(shape)]
        weight = np.ones(size) if face is None else face[index].double().cpu().numpy()
        weight = weight / h**2
        main[low] += np.where(inside[low], weight, 0.0)
        main[high] += np.where(inside[high], weight, 0.0)
        both = inside[low] & inside[high]
        one, other = nodes[low][both], nodes[high][both]
        rows += [one, other]
        columns += [other, one]
        values += [-weight[both]] * 2
    where = (
        np.concatenate([nodes.ravel(), *rows]),
        np.concatenate([nodes.ravel(), *columns]),
    )
    matrix = sparse.csr_array(
        (np.concatenate([main.ravel(), *values]), where), shape=(nodes.size, nodes.size)
    )
    matrix.sort_indices()
    return matrix


@final
class Assembled(Sequence[Any]):
    """Matrices that are assembled when asked for: ``matrices[b]`` is ``make(b)``, not kept."""

    def __init__(self, count: int, make: Callable[[int], Any]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not -self._count <= index < self._count:
            raise IndexError(f"instance {index} of {self._count}")
        return self._make(index % self._count)

    def __iter__(self) -> Iterator[Any]:
        return (self._make(b) for b in range(self._count))
