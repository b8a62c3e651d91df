"""Weighted reductions over space, in float64, by blocks that stay in the cache.

Fields are (B, T, C, *S) of any real dtype. Work runs through about `BLOCK` values at a time, so
that a reduction over fields of any size needs temporaries of a few megabytes, and squares of
float32 or float16 values neither overflow nor lose digits.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pdebench.domain import Domain

BLOCK = 1 << 18  # float64 values: 2 MB, inside a level-2 cache; measured flat from 2^16 to 2^20

Form = Callable[..., Tensor]


def blocks(domain: Domain, *fields: Tensor) -> Iterator[tuple[int, int, tuple[Tensor, ...]]]:
    """Yield (start, stop, parts): rows start:stop of all fields seen as (B*T*C, N).

    The first part is a float64 copy and may be overwritten; the others are views.

    A field whose space axes have length one
    (a value per row) is seen as (B*T*C, 1) and broadcasts.
    """
    ndim = len(domain.shape)
    flat = [f.flatten(-ndim).flatten(0, -2) for f in fields]
    rows, num = flat[0].shape
    step = max(1, BLOCK // max(num, 1))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        first, *others = (f[start:stop] for f in flat)
        yield start, stop, (first.to(torch.float64, copy=True), *others)


def weighted_mean(domain: Domain, form: Form, *fields: Tensor) -> Tensor:
    """Return sum_i w_i form(fields)_i / sum_i w_i over space, (B, T, C) float64.

    ``form`` gets blocks (rows, N), of which it may overwrite the first, and returns values of that
    shape.
    """
    weights = domain.weights.to(fields[0].device, torch.float64).reshape(-1)
    weights = weights / weights.sum()
    shape = fields[0].shape[: -len(domain.shape)]
    total = torch.empty(shape, dtype=torch.float64, device=fields[0].device).flatten()
    for start, stop, parts in blocks(domain, *fields):
        torch.mv(form(*parts), weights, out=total[start:stop])
    return total.reshape(shape)


def maximum(domain: Domain, form: Form, *fields: Tensor) -> Tensor:
    """Return max_i form(fields)_i over space, (B, T, C) float64; NaN wins."""
    shape = fields[0].shape[: -len(domain.shape)]
    total = torch.empty(shape, dtype=torch.float64, device=fields[0].device).flatten()
    for start, stop, parts in blocks(domain, *fields):
        torch.amax(form(*parts), dim=-1, out=total[start:stop])
    return total.reshape(shape)


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


def variance(field: Tensor, domain: Domain) -> Tensor:
    """Return <(u - <u>)^2>, (B, T, C), in two passes so that a large mean costs no digits."""
    return weighted_mean(domain, square_difference, field, per_row(mean(field, domain), domain))
