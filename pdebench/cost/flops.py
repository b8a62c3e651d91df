"""Floating-point operations of a piece of work, counted by its calls and not by hardware.

Products of matrices, convolutions and attention as in torch's own counter, 2 m n k for a product
(m, k) x (k, n), four times that between complex matrices (a complex multiplication and addition is
8 operations, a real one 2). Fourier transforms, which that counter leaves out,

    5 N log2 n  complex to complex,    2.5 N log2 n  between real and complex,

for N points in all, n of them transformed together (Frigo and Johnson 2005, Proc. IEEE 93(2), sec.
IX: a convention, the count of a radix-2 transform). Elementwise operations, reductions and what
runs outside torch (NumPy, SciPy) are not counted: the number is a lower bound.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


@final
@dataclass(frozen=True)
class Operations:
    """Counted operations: ``total`` and ``by_call``, the share of each kind of call."""

    total: int
    by_call: dict[str, int]


def fft_flops(shape: tuple[int, ...], dims: tuple[int, ...], real: bool) -> int:
    """Return the operations of a transform of a field of ``shape`` over ``dims``.

    ``shape`` is that of the real field for a transform between real and complex.
    """
    together = math.prod(shape[d] for d in dims)
    per_point = (2.5 if real else 5.0) * math.log2(together) if together > 1 else 0.0
    return round(per_point * math.prod(shape))


def count_flops(work: Callable[[], Any]) -> tuple[Operations, Any]:
    """Return the operations of one call of ``work``, and its result."""
    with FlopCounterMode(display=False, custom_mapping=_formulas()) as counter:
        result = work()
    found = counter.get_flop_counts().get("Global", {})
    by_call = {str(call): int(count) for call, count in found.items()}
    return Operations(int(counter.get_total_flops()), by_call), result


def _complex_to_complex(x: Tensor, dim: list[int], *_: Any, out_val: Any = None) -> int:
    return fft_flops(tuple(x.shape), tuple(dim), real=False)


def _from_real(x: Tensor, dim: list[int], *_: Any, out_val: Any = None) -> int:
    return fft_flops(tuple(x.shape), tuple(dim), real=True)


def _to_real(x: Tensor, dim: list[int], mode: int, last: int, *_: Any, out_val: Any = None) -> int:
    shape = list(x.shape)
    shape[dim[-1]] = last
    return fft_flops(tuple(shape), tuple(dim), real=True)


def _product(a: Tensor, b: Tensor, *_: Any, out_val: Any = None, **__: Any) -> int:
    factor = 8 if a.is_complex() or b.is_complex() else 2
    return factor * math.prod(a.shape) * b.shape[-1]


def _added_product(c: Tensor, a: Tensor, b: Tensor, *_: Any, out_val: Any = None, **__: Any) -> int:
    return _product(a, b)


def _formulas() -> dict[Any, Any]:
    aten = torch.ops.aten
    formulas: dict[Any, Any] = {
        aten._fft_c2c: _complex_to_complex,
        aten._fft_r2c: _from_real,
        aten._fft_c2r: _to_real,
        aten.mm: _product,
        aten.bmm: _product,
        aten.addmm: _added_product,
        aten.baddbmm: _added_product,
    }
    for formula in formulas.values():
        formula._get_raw = True  # torch then hands over tensors, whose type we need, not shapes
    return formulas
