"""Cutting a grid of tokens into shifted windows and putting it together again."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Windows(NamedTuple):
    """Windows of ``size`` x ``size`` tokens, moved by ``shift`` tokens along both axes.

    The grid is padded with zeros at the bottom and right to a multiple of ``size`` and rolled by
    -``shift``; padding tokens take part in attention.
    """

    size: int
    shift: int

    def padded(self, num: int) -> int:
        """Return the number of tokens of an axis after padding."""
        return -(-num // self.size) * self.size

    def split(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, windows, size^2, C)."""
        h, w = x.shape[1:3]
        tall, wide = self.padded(h), self.padded(w)
        if (tall, wide) != (h, w):
            x = functional.pad(x, (0, 0, 0, wide - w, 0, tall - h))
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        x = x.view(len(x), tall // self.size, self.size, wide // self.size, self.size, -1)
        return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def merge(self, x: Tensor, shape: tuple[int, int]) -> Tensor:
        """(B, windows, size^2, C) -> (B, h, w, C): the inverse of `split`."""
        h, w = shape
        tall, wide = self.padded(h), self.padded(w)
        x = x.view(len(x), tall // self.size, wide // self.size, self.size, self.size, -1)
        x = x.transpose(2, 3).reshape(len(x), tall, wide, -1)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, :h, :w] if (tall, wide) != (h, w) else x

    def mask(self, shape: tuple[int, int], score: float, like: Tensor) -> Tensor | None:
        """Return what is added to scores (windows, size^2, size^2); None where nothing is.

        Tokens that the roll made neighbours get ``score``.
        """
        if not self.shift:
            return None
        tall, wide = self.padded(shape[0]), self.padded(shape[1])
        return _mask(self, tall, wide, score, like.device, like.dtype)


@lru_cache(maxsize=128)
def _mask(
    windows: Windows, tall: int, wide: int, score: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    rows, columns = (_regions(n, windows) for n in (tall, wide))
    labels = (3 * rows[:, None] + columns)[None, :, :, None]
    of = Windows(windows.size, 0).split(labels).squeeze(-1).squeeze(0)
    foreign = of[:, :, None] != of[:, None, :]
    mask = torch.zeros(foreign.shape, dtype=dtype).masked_fill(foreign, score)
    return mask.to(device)


def _regions(num: int, windows: Windows) -> Tensor:
    """Label the tokens of a rolled axis by origin: interior 0, last window 1, wrapped around 2."""
    place = torch.arange(num)
    return (place >= num - windows.size).long() + (place >= num - windows.shift).long()
