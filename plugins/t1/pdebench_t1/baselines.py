"""Baselines of the released program, mistakes included; for the reference loader alone.

Tables of this suite compare with the right FNO (plugin ``fno``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pdebench.errors import DataError
from pdebench_t1.layer import activation
from pdebench_t1.network import coordinates
from pdebench_t1.transform import dct, idct

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Run = Callable[[Arrays], Array]
_BOTH = (-2, -1)


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}


def _options(meta: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(meta.get("kwargs") or {})
    if options.get("keep_high"):
        raise DataError("keep_high=true of this baseline is not reproduced")
    return options


def dct_convolution(meta: Mapping[str, Any], state: Arrays) -> Run:
    """Return ``DCTConv2d``: both corner blocks of a DCT with the first weights (out, in, m1, m2).

    The second weights are never used, and a DCT has no negative frequencies: two mistakes.
    """
    _options(meta)
    weights = _tensors(state)["weights1"]
    m1, m2 = weights.shape[2:]

    def run(arrays: Arrays) -> Array:
        x = _tensors(arrays)["input"]
        z = dct(x, dims=_BOTH)
        out = z.new_zeros((len(x), weights.shape[0], *x.shape[2:]))
        for rows in (slice(0, m1), slice(-m1, None)):
            block = z[:, :, rows, :m2]
            out[:, :, rows, :m2] = torch.einsum("bixy,oixy->boxy", block, weights)
        return idct(out, dims=_BOTH).numpy()

    return run


def _real_part_convolution(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the released Fourier layer, which drops the imaginary part of the product."""
    z = torch.fft.rfft2(x, norm="ortho")
    m1, m2 = first.shape[2:4]
    out = torch.zeros((len(x), first.shape[1], *z.shape[2:]), dtype=x.dtype)
    for rows, weight in ((slice(0, m1), first), (slice(-m1, None), second)):
        complex_weight = torch.view_as_complex(weight.contiguous())
        block = torch.einsum("bixy,ioxy->boxy", z[:, :, rows, :m2], complex_weight)
        out[:, :, rows, :m2] = block.real
    return torch.fft.irfft2(out.to(z.dtype), s=x.shape[2:], norm="ortho")


def released_fno(meta: Mapping[str, Any], state: Arrays) -> Run:
    """Return ``NeuralOperator2d``: v <- act( K v + W v [+ v] ), the imaginary part of K dropped."""
    options, w = _options(meta), _tensors(state)
    act = activation(options.get("act", "gelu"))
    layers = 1 + max(int(key.split(".")[1]) for key in w if key.startswith("layers."))
    pad = int(options.get("padding", 0))

    def run(arrays: Arrays) -> Array:
        x = _tensors(arrays)["input"]
        x = x.unsqueeze(1) if x.ndim == 3 else x
        v = torch.cat([x, coordinates(x)], dim=1).movedim(1, -1)
        v = functional.linear(v, w["fc0.weight"], w["fc0.bias"]).movedim(-1, 1)
        v = functional.pad(v, (0, pad, 0, pad))
        for layer in range(layers):
            name = f"layers.{layer}."
            y = functional.conv2d(v, w[f"{name}w.weight"], w[f"{name}w.bias"])
            if options.get("use_spectral", True):
                kernels = w[f"{name}conv.weights1"], w[f"{name}conv.weights2"]
                y = y + _real_part_convolution(v, *kernels)
            v = act(y + v if options.get("residual", True) else y)
        v = v[..., : x.shape[2], : x.shape[3]].movedim(1, -1)
        hidden = act(functional.linear(v, w["fc1.weight"], w["fc1.bias"]))
        y = functional.linear(hidden, w["fc2.weight"], w["fc2.bias"]).movedim(-1, 1)
        return (y.squeeze(1) if y.shape[1] == 1 else y).numpy()

    return run


def released_factorised_fno(meta: Mapping[str, Any], state: Arrays) -> Run:
    """Return ``FNOFactorized2DBlock``: x <- x - FF( sum over axes of irfft(R rfft(x)) ).

    The head sees the last layer's FF alone, through two linear maps without activation.
    """
    w = _tensors(state)
    layers = 1 + max(int(key.split(".")[1]) for key in w if key.startswith("spectral_layers."))

    def along(x: Tensor, weight: Tensor, dim: int) -> Tensor:
        moved = x.movedim(dim, -1)
        kept = weight.shape[2]
        z = torch.fft.rfft(moved, norm="ortho")
        out = torch.zeros_like(z)
        matrix = torch.view_as_complex(weight.contiguous())
        out[..., :kept] = torch.einsum("bi...x,iox->bo...x", z[..., :kept], matrix)
        return torch.fft.irfft(out, n=moved.shape[-1], norm="ortho").movedim(-1, dim)

    def run(arrays: Arrays) -> Array:
        x = _tensors(arrays)["input"]
        x = x.unsqueeze(-1) if x.ndim == 3 else x
        v = functional.linear(x, w["in_proj.weight"], w["in_proj.bias"])
        b = v
        for layer in range(layers):
            name = f"spectral_layers.{layer}."
            field = v.movedim(-1, 1)
            g = along(field, w[f"{name}fourier_weight.0"], 3)
            g = g + along(field, w[f"{name}fourier_weight.1"], 2)
            ff = f"{name}backcast_ff.layers."
            hidden = functional.linear(g.movedim(1, -1), w[f"{ff}0.0.weight"], w[f"{ff}0.0.bias"])
            b = functional.linear(hidden.relu(), w[f"{ff}1.0.weight"], w[f"{ff}1.0.bias"])
            v = v - b
        b = functional.linear(b, w["out.0.weight"], w["out.0.bias"])
        y = functional.linear(b, w["out.1.weight"], w["out.1.bias"])
        return (y.squeeze(-1) if y.shape[-1] == 1 else y).numpy()

    return run
