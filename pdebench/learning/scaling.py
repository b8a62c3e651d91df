"""Affine scalings of fields, fitted on the training split only."""

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

# Keeps constant channels finite; far below any physical standard deviation in float32.
_SMALLEST = 1e-8


class Affine(nn.Module):
    """z = (x - mean) / std with buffers that broadcast against (B, C, *S)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def encode(self, x: Tensor) -> Tensor:
        """Return z = (x - mean) / std."""
        return (x - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        """Return x = z std + mean."""
        return z * self.std + self.mean


class Scaling(ABC):
    """How the fields a network sees are scaled."""

    @abstractmethod
    def fit(self, field: Tensor) -> Affine | None:
        """Return the scaling of ``field`` (n, C, *S), or None for none."""


@final
class NoScaling(Scaling):
    """Leave fields as they are (FNO's recurrent protocol)."""

    def fit(self, field: Tensor) -> Affine | None:
        return None


@final
class PerChannel(Scaling):
    """Zero mean and unit standard deviation per channel, over samples, times and points of the
    training split.
    """

    def fit(self, field: Tensor) -> Affine | None:
        over = (0, *range(2, field.ndim))
        shape = (-1, *(1,) * (field.ndim - 2))
        std, mean = torch.std_mean(field.double(), over)
        return Affine(mean.view(shape).float(), std.clamp_min(_SMALLEST).view(shape).float())


@final
class PerPoint(Scaling):
    """Zero mean and unit standard deviation per channel and point, over samples (and times) of the
    training split.

    The grid is then fixed: a network with this scaling refuses other resolutions. Li et al. 2021,
    UnitGaussianNormalizer: (x - mean) / (std + 1e-5).
    """

    def fit(self, field: Tensor) -> Affine | None:
        std, mean = torch.std_mean(field.double(), 0)
        return Affine(mean.float(), (std + 1e-5).float())
