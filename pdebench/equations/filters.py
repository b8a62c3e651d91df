"""Spatial filters of large-eddy simulation on a torus, as Fourier multipliers."""

import math
from typing import Literal

import torch
from torch import Tensor

from pdebench.errors import ConfigError
from pdebench.spectral import Modes

FilterKind = Literal["gaussian", "box", "sharp"]


def response(kind: FilterKind, width: float, modes: Modes) -> Tensor:
    """Return G(k) of a filter of ``width`` Delta on the modes of a grid, (*S_half).

        gaussian: exp(-|k|^2 Delta^2 / 24)    box: prod_a sin(k_a Delta/2) / (k_a Delta/2)
        sharp: 1 where |k| <= pi / Delta, else 0

    Pope, Turbulent Flows (2000), table 13.2. Raises ConfigError for an unknown kind and for a width
    below the grid's spacing, which filters nothing.
    """
    spacing = min(length / n for length, n in zip(modes.extent, modes.shape, strict=True))
    if width < spacing * (1 - 1e-9):
        raise ConfigError(
            f"filter width {width:g} is below the grid spacing {spacing:g}; take a wider filter"
        )
    if kind == "gaussian":
        return torch.exp(-modes.square * width**2 / 24)
    if kind == "box":
        factors = [torch.sinc(k * width / (2 * math.pi)) for k in modes.k]
        return torch.stack(torch.broadcast_tensors(*factors)).prod(0)
    if kind == "sharp":
        # round-off must not decide about a mode on the sphere
        return (modes.square <= (math.pi / width) ** 2 * (1 + 1e-9)).to(modes.square)
    raise ConfigError(f"filter kind '{kind}', expected gaussian, box or sharp")


def filtered(field: Tensor, kind: FilterKind, width: float, modes: Modes) -> Tensor:
    """Return a real field (..., *S) after the filter."""
    return modes.inverse(modes.forward(field) * response(kind, width, modes))
