"""What the stages of scOT are made of, level by level."""

from dataclasses import dataclass
from typing import final

import torch

from pdebench.errors import ConfigError
from pdebench_poseidon.block import Block, Blocks
from pdebench_poseidon.windows import Windows


@final
@dataclass(frozen=True)
class Plan:
    """Sizes and options of all blocks; level 0 is the finest. Fields as in `network.ScOT`."""

    image_size: int
    patch_size: int
    embed_dim: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    window: int
    mlp_ratio: float
    conditioning: bool
    biases: bool
    eps: float
    drop_path: float
    trained_windows: tuple[int, ...]
    mask_score: float
    checkpointed: bool

    def __post_init__(self) -> None:
        stages = len(self.depths)
        for name in ("heads", "trained_windows"):
            given = getattr(self, name)
            if len(given) != stages:
                raise ConfigError(
                    f"{name} has {len(given)} entries, depths {stages}; give one per stage"
                )
        if min(self.image_size, self.patch_size, self.embed_dim, *self.depths, *self.heads) < 1:
            raise ConfigError(
                "image_size, patch_size, embed_dim, depths and heads must be positive integers"
            )
        if self.nominal(stages - 1) < 2 or self.window < 2:
            raise ConfigError(
                f"image_size={self.image_size} with patch_size={self.patch_size} and {stages} "
                f"stages leaves {self.nominal(stages - 1)} token(s) a side (window="
                f"{self.window}), expected at least 2; use a larger image or fewer stages"
            )

    @property
    def stages(self) -> int:
        """Number of levels."""
        return len(self.depths)

    def dim(self, level: int) -> int:
        """Return the channels of a level."""
        return self.embed_dim * 2**level

    def nominal(self, level: int) -> int:
        """Return the published tokens per side of a level, which fix its windows."""
        return (self.image_size // self.patch_size) // 2**level

    def grid(self, level: int) -> int:
        """Return the actual tokens per side: images and odd grids are padded, not cropped."""
        return -(-self.image_size // (self.patch_size * 2**level))

    def blocks(self, level: int, decoding: bool) -> Blocks:
        """Return the blocks of a level; the decoder has the shifts in reversed order."""
        nominal = self.nominal(level)
        size = min(self.window, nominal)
        shift = self.window // 2 if nominal > size else 0
        rates = torch.linspace(0, self.drop_path, sum(self.depths), device="cpu").tolist()
        first = sum(self.depths[:level])
        order = range(self.depths[level])
        made = [
            Block(
                self.dim(level),
                self.heads[level],
                Windows(size, shift if b % 2 else 0),
                self.mlp_ratio,
                self.conditioning,
                self.eps,
                self.biases,
                self.trained_windows[level],
                self.mask_score,
                rates[first + b],
            )
            for b in (reversed(order) if decoding else order)
        ]
        return Blocks(made, self.checkpointed)
