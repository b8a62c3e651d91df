"""Weighted reductions over space, in float64, by blocks that stay in the cache.

Fields are (B, T, C, *S) of any real dtype. Work runs through about `BLOCK` values at a time, so
that a reduction over fields of any size needs temporaries of a few megabytes, and squares of
float32 or float16 values neither overflow nor lose digits.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid

BLOCK = 1 << 17  # float64 values: 1 MB, inside a level-2 cache

Form = Callable[..., Tensor]


def rows_of(domain: Domain, *fields: Tensor) -> list[Tensor]:
    """Return every field (B, T, C, *S) as (B*T*C, N), one of a value per row as (B*T*C, 1)."""
    ndim = len(domain.shape)
    return [f.flatten(-ndim).flatten(0, -2) for f in fields]


def frames(
    domain: Domain, dtype: torch.dtype, *fields: Tensor
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (start, stop, part): whole frames start:stop of field (minus another), (rows, N).

    ``part`` is of type ``dtype``; it may be a view.
    """
    first, *other = rows_of(domain, *fields)
    step = max(1, BLOCK // max(first.shape[1], 1))
    for start in range(0, len(first), step):
        stop = min(start + step, len(first))
        yield start, stop, _part([f[start:stop] for f in (first, *other)], dtype)


def _part(fields: list[Tensor], dtype: torch.dtype) -> Tensor:
    if len(fields) == 1:
        return fields[0].to(dtype)
    return fields[0].to(dtype, copy=True).sub_(fields[1])


def pieces(domain: Domain, *fields: Tensor) -> Iterator[tuple[slice, slice, tuple[Tensor, ...]]]:
    """Yield (rows, points, parts) that cover fields seen as (B*T*C, N) in blocks of `BLOCK` values.

    The first part is a float64 copy and may be overwritten; the others are views. A field whose
    space axes have length one (a value per row) is seen as (B*T*C, 1) and broadcasts.
    """
    flat = rows_of(domain, *fields)
    num_rows, num = flat[0].shape
    step = max(1, BLOCK // max(num, 1))
    width = num if step > 1 else min(num, BLOCK)
    for row in range(0, num_rows, step):
        rows = slice(row, min(row + step, num_rows))
        for start in range(0, num, width):
            points = slice(start, min(start + width, num))
            first, *others = (f[rows] if f.shape[1] == 1 else f[rows, points] for f in flat)
            yield rows, points, (first.to(torch.float64, copy=True), *others)


def _empty(domain: Domain, field: Tensor, value: float) -> Tensor:
    shape = field.shape[: -len(domain.shape)]
    return torch.full((shape.numel(),), value, dtype=torch.float64, device=field.device)


def box_weights(grid: Grid, index: Sequence[slice]) -> Tensor:
    """Return the weights of the points grid[index], one slice an axis, float64."""
    total = torch.ones((), dtype=torch.float64)
    for axis, part in zip(grid.axes, index, strict=True):
        total = total.unsqueeze(-1) * axis.weights[part]
    return total


def weights_of(domain: Domain, points: slice) -> Tensor:
    """Return the weights of the flattened points, (n,), float64.

    Those of large grids are multiplied out for these points alone.
    """
    if not isinstance(domain, Grid) or math.prod(domain.shape) <= BLOCK:
        return domain.weights.to(torch.float64).reshape(-1)[points]
    num = math.prod(domain.shape[1:])
    first, last = points.start // num, -(-points.stop // num)
    rows = box_weights(domain, (slice(first, last), *(slice(None),) * (domain.dim - 1)))
    return rows.reshape(-1)[points.start - first * num : points.stop - first * num]


def volume(grid: Grid) -> float:
    """Return the sum of all weights."""
    return math.prod(float(axis.weights.sum()) for axis in grid.axes)


def weighted_mean(domain: Domain, form: Form, *fields: Tensor) -> Tensor:
    """Return sum_i w_i form(fields)_i / sum_i w_i over space, (B, T, C) float64.

    ``form`` works point by point: it gets blocks (rows, points), of which it may overwrite the
    first, and returns values of that shape.
    """
    total = _empty(domain, fields[0], 0.0)
    size = total.new_zeros(())
    for rows, points, parts in pieces(domain, *fields):
        weights = weights_of(domain, points).to(total.device)
        total[rows].addmv_(form(*parts), weights)
        if rows.start == 0:
            size += weights.sum()
    return total.div_(size).reshape(fields[0].shape[: -len(domain.shape)])


def maximum(domain: Domain, form: Form, *fields: Tensor) -> Tensor:
    """Return max_i form(fields)_i over space, (B, T, C) float64; NaN wins."""
    total = _empty(domain, fields[0], -math.inf)
    for rows, _, parts in pieces(domain, *fields):
        total[rows] = torch.maximum(total[rows], form(*parts).amax(-1))
    return total.reshape(fields[0].shape[: -len(domain.shape)])


def per_row(values: Tensor, domain: Domain) -> Tensor:
    """Return (B, T, C) values as a field with space axes of length one."""
    return values.reshape(*values.shape, *(1,) * len(domain.shape))


def square(field: Tensor) -> Tensor:
    """Return field^2, in place."""
    return field.square_()


def absolute(field: Tensor) -> Tensor:
    """Return abs(field), in place."""
    return field.abs_()


def square_difference(field: Tensor, other: Tensor) -> Tensor:
    """Return (field - other)^2, in place."""
    return field.sub_(other).square_()


def absolute_difference(field: Tensor, other: Tensor) -> Tensor:
    """Return abs(field - other), in place."""
    return field.sub_(other).abs_()


def mean(field: Tensor, domain: Domain) -> Tensor:
    """Return the mean over space, (B, T, C)."""
    return weighted_mean(domain, lambda u: u, field)


def mean_square(frame: Tensor, domain: Domain) -> Tensor:
    """Return <u^2> of one frame (*S,), scalar."""
    return weighted_mean(domain, square, frame[None, None, None])[0, 0, 0]


def variance(field: Tensor, domain: Domain) -> Tensor:
    """Return <(u - <u>)^2>, (B, T, C), in two passes so that a large mean costs no digits."""
    return weighted_mean(domain, square_difference, field, per_row(mean(field, domain), domain))
