"""The pressure equation of an incompressible flow between obstacles, on cells."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pdebench.equation import Equation, LinearSystem
from pdebench.errors import ConfigError, Unsupported

if TYPE_CHECKING:
    from pdebench.problem import Problem

FLUID, SOLID, AIR = 1, 0, -1
Array = NDArray[Any]


def _bordered(mask: Tensor, open_top: bool) -> Tensor:
    """Return (B, *S) cells inside one layer of walls, or of air beyond the end of the last axis."""
    framed = functional.pad(mask, (1, 1) * (mask.ndim - 1), value=SOLID)
    if open_top:
        framed[..., -1] = AIR
    return framed


def _neighbours(framed: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """Return the 2 d shifted views of a field with one more layer all around."""
    views = []
    for axis in range(len(shape)):
        for start in (0, 2):
            where = [slice(1, n + 1) for n in shape]
            where[axis] = slice(start, start + shape[axis])
            views.append(framed[(..., *where)])
    return views


def diagonal(mask: Tensor, open_top: bool = False) -> Tensor:
    """Return the number of neighbours that are not solid, (B, *S); 0 off the fluid."""
    shape = tuple(mask.shape[1:])
    open_sides = [view != SOLID for view in _neighbours(_bordered(mask, open_top), shape)]
    return torch.stack(open_sides).sum(0) * (mask == FLUID)


def product(
    mask: Tensor, open_top: bool = False, elsewhere: float = 1.0
) -> Callable[[Tensor], Tensor]:
    """Return x (B, N) -> A x, diagonal by diagonal over all cells, as in ``assembled``.

        (A x)_i = d_i x_i - sum_axes (w_i x_{i + s} + w_{i - s} x_{i - s}),   s the axis's stride

    w_i is 1 where cell i and the next one along the axis are fluid: row ends and solids need no
    padding. mask: (B, *S).
    """
    fluid = mask == FLUID
    main = torch.where(fluid, diagonal(mask, open_top).double(), elsewhere).flatten(1)
    strides, links = [], []
    for axis in range(1, mask.ndim):
        link = torch.zeros_like(fluid)
        here = link.narrow(axis, 0, mask.shape[axis] - 1)
        here.copy_(
            fluid.narrow(axis, 0, here.shape[axis]) & fluid.narrow(axis, 1, here.shape[axis])
        )
        stride = math.prod(mask.shape[axis + 1 :])
        strides.append(stride)
        links.append(link.flatten(1)[:, : mask[0].numel() - stride])

    @cache
    def weights(dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        with torch.inference_mode(False):  # a gradient may be asked for later
            return main.to(dtype, copy=True), [link.to(dtype) for link in links]

    def apply(x: Tensor) -> Tensor:
        centre, beside = weights(x.dtype)
        result = centre * x
        for stride, link in zip(strides, beside, strict=True):
            result[:, :-stride].addcmul_(link, x[:, stride:], value=-1)
            result[:, stride:].addcmul_(link, x[:, :-stride], value=-1)
        return result

    return apply


def assembled(mask: Array, open_top: bool = False, elsewhere: float = 1.0) -> Any:
    """Return A as a ``scipy.sparse.csr_array`` over all cells, indices sorted, float64.

    ``elsewhere`` is the diagonal of cells that are not fluid: 1 keeps the matrix positive definite,
    0 leaves their rows empty.
    """
    from scipy import sparse

    shape = mask.shape
    cells = np.arange(mask.size).reshape(shape)
    fluid = mask == FLUID
    counts = diagonal(torch.from_numpy(mask.copy())[None], open_top)[0].numpy().astype(float)
    main = np.where(fluid, counts, elsewhere).ravel()
    rows, columns = [cells.ravel()[main != 0]], [cells.ravel()[main != 0]]
    for axis in range(mask.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(mask.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(mask.ndim))
        both = fluid[low] & fluid[high]
        one, other = cells[low][both], cells[high][both]
        rows += [one, other]
        columns += [other, one]
    values = np.concatenate([main[main != 0], -np.ones(sum(map(len, rows[1:])))])
    where = (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.csr_array((values, where), shape=(mask.size, mask.size))
    matrix.sort_indices()
    return matrix


@final
class PressurePoisson(Equation):
    """Discrete -lap p = b on the fluid cells of a box; solid faces Neumann, air Dirichlet.

        (A p)_i = n_i p_i - sum_{fluid neighbours j} p_j = b_i

    n_i counts the neighbours of cell i that are not solid; air has p = 0. Spacing 1. Inputs: mask
    (B, 1, *S) with 1 fluid, 0 solid, -1 air, and source b (B, 1, *S). Kaneda et al., ICML 2023
    (arXiv 2205.10763), sec. 3; their matrices. Cells that are not fluid have the equation p = 0.

    Args:
        open_top: whether air lies beyond the end of the last axis (else a wall).
    """

    def __init__(self, open_top: bool = True) -> None:
        self.open_top = open_top

    @property
    def fields(self) -> Mapping[str, str]:
        return {"pressure": "1"}

    @property
    def reference(self) -> str:
        return "Kaneda et al., ICML 2023, arXiv 2205.10763, sec. 3"

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return b - A p on fluid cells and -p elsewhere, (B, 1, *S)."""
        mask = problem.inputs["mask"][:, 0]
        applied = product(mask, self.open_top)(u.flatten(1)).view_as(u)
        source = problem.inputs["source"].to(u.dtype)
        return torch.where((mask == FLUID).unsqueeze(1), source, 0.0) - applied

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the systems of all instances over all cells.

        Unsupported where fluid is shut in by solid cells and several instances are asked for: the
        null spaces then differ.
        """
        missing = {"mask", "source"} - set(problem.inputs)
        if missing:
            raise ConfigError(
                f"the pressure equation needs inputs mask and source, lacks {missing}"
            )
        mask = problem.inputs["mask"][:, 0]
        fluid = mask == FLUID
        source = torch.where(fluid, problem.inputs["source"][:, 0], 0.0)
        masks = mask.cpu().numpy()
        return LinearSystem(
            product(mask, self.open_top),
            source.flatten(1),
            tuple(assembled(one, self.open_top) for one in masks),
            symmetric_positive=True,
            null_space=_null_space(masks, self.open_top),
        )


def shut_in(mask: Array, open_top: bool = False) -> Array:
    """Return one row per connected part of the fluid that touches no air, (K, *S), 0 or 1."""
    from scipy import ndimage

    labels = np.asarray(ndimage.label(mask == FLUID)[0])  # pyright: ignore[reportIndexIssue]
    count = int(labels.max(initial=0))
    if count == 0:
        return np.zeros((0, *mask.shape))
    framed = _bordered(torch.from_numpy(mask.copy())[None], open_top)
    airy = torch.stack([v == AIR for v in _neighbours(framed, mask.shape)]).any(0)[0].numpy()
    closed = [n for n in range(1, count + 1) if not airy[labels == n].any()]
    return (
        np.stack([labels == n for n in closed]).astype(float)
        if closed
        else np.zeros((0, *mask.shape))
    )


def _null_space(masks: Array, open_top: bool) -> Tensor | None:
    parts = [shut_in(one, open_top) for one in masks]
    if all(len(part) == 0 for part in parts):
        return None
    if any(not np.array_equal(one, masks[0]) for one in masks[1:]):
        raise Unsupported(
            "fluid is shut in by solid cells, differently per instance; ask one by one"
        )
    rows = parts[0].reshape(len(parts[0]), -1)
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))
