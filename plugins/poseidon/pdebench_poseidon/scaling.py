"""Scalings with given constants, as a pretrained network expects them."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from pdebench.errors import ConfigError
from pdebench.learning import Scaling
from pdebench.learning.scaling import Affine


@final
class Constants(Scaling):
    """z = (x - mean) / std with constants per channel, the same for inputs and outputs.

    Published for density, two velocities, pressure: mean 0.80, 0, 0, 0 and std 0.31, 0.391, 0.356,
    0.185; for the tracer 0.19586183 and 0.37.

    Args:
        mean, std: one number per channel; repeated where the input holds several frames.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if len(mean) != len(std) or not mean or min(std) <= 0:
            raise ConfigError(
                f"mean={list(mean)} and std={list(std)}, expected as many positive deviations as "
                "means, one per channel"
            )
        self.mean, self.std = tuple(mean), tuple(std)

    def fit(self, field: Tensor) -> Affine | None:
        channels = field.shape[1]
        if channels % len(self.mean):
            raise ConfigError(
                f"solver.training.scaling has {len(self.mean)} channels, the fields {channels}"
            )
        shape = (-1, *(1,) * (field.ndim - 2))
        repeats = channels // len(self.mean)
        return Affine(
            torch.tensor(self.mean).repeat(repeats).view(shape),
            torch.tensor(self.std).repeat(repeats).view(shape),
        )
