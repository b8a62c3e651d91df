"""The convolutional U-Net on coefficients that T1U puts between two transforms."""

from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError


class _Block(NamedTuple):
    kernel: int
    padding: int
    factor: int = 2


# (kernel, padding) of the encoder's blocks 2, 2b, 3, 4, 5, 6; kernels of the decoder are one less.
_DOWN = {
    24: ((4, 1), (4, 1), (2, 2), (2, 2), (2, 3), (3, 0)),
    64: ((4, 1), (4, 1), (4, 1), (2, 2), (2, 2), (2, 0)),
}
_UP = {  # 6, 5, 4, 3, 2b, 2
    24: ((2, 1, 2), (3, 0, 1), (4, 1, 1), (4, 1, 1), (4, 1, 2), (4, 1, 2)),
    64: ((2, 0, 2), (2, 0, 1), (4, 1, 1), (4, 1, 2), (4, 1, 2), (4, 1, 2)),
}
_EASY = ((4, 1),) * 6
_EASY_UP = ((4, 1, 2),) * 6
NAMES = ("2", "2b", "3", "4", "5", "6")


@final
class Down(nn.Module):
    """LeakyReLU(0.2), strided convolution, batch norm (but in the deepest block)."""

    def __init__(self, inputs: int, outputs: int, block: _Block, normed: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, block.kernel, 2, block.padding)
        self.norm = nn.BatchNorm2d(outputs) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(functional.leaky_relu(x, 0.2))
        return y if self.norm is None else self.norm(y)


@final
class Up(nn.Module):
    """ReLU, bilinear upsampling, convolution, batch norm."""

    def __init__(self, inputs: int, outputs: int, block: _Block) -> None:
        super().__init__()
        self.factor = block.factor
        self.conv = nn.Conv2d(inputs, outputs, block.kernel - 1, 1, block.padding)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        if self.factor != 1:
            x = functional.interpolate(x, scale_factor=self.factor, mode="bilinear")
        return self.norm(self.conv(x))


@final
class CoefficientNet(nn.Module):
    """U-Net of Thuerey et al. (AIAA J. 58, 2020) as T1U uses it: seven levels, concatenated skips.

    Sizes 24 and 64 have the published kernels; other sizes are padded with zeros to a multiple of
    128, where kernels of 4 halve and double exactly.
    x: (B, in_channels, m, m).  Returns (B, out_channels, m, m).
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, exponent: int) -> None:
        super().__init__()
        if exponent < 0 or size < 1:
            raise ConfigError(f"size={size}, exponent={exponent}, expected positive numbers")
        c = 2**exponent
        self.size = size
        self._padded = size if size in _DOWN else -(-size // 128) * 128
        down, up = _DOWN.get(size, _EASY), _UP.get(size, _EASY_UP)
        widths = [c, 2 * c, 2 * c, 4 * c, 8 * c, 8 * c, 8 * c]
        self.first = nn.Conv2d(in_channels, c, 4, 2, 1)
        self.down = nn.ModuleDict(
            {
                name: Down(widths[k], widths[k + 1], _Block(*down[k]), normed=name != "6")
                for k, name in enumerate(NAMES)
            }
        )
        outputs = [8 * c, 8 * c, 4 * c, 2 * c, 2 * c, c]
        inputs = [8 * c, 16 * c, 16 * c, 8 * c, 4 * c, 4 * c]
        self.up = nn.ModuleDict(
            {
                name: Up(inputs[k], outputs[k], _Block(*up[k]))
                for k, name in enumerate(reversed(NAMES))
            }
        )
        self.last = nn.ConvTranspose2d(2 * c, out_channels, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.size or x.shape[-2] != self.size:
            raise ConfigError(
                f"the U-Net got {tuple(x.shape[-2:])} coefficients, expected {self.size} per axis"
            )
        extra = self._padded - self.size
        encoded = [self.first(functional.pad(x, (0, extra, 0, extra)) if extra else x)]
        for block in self.down.values():
            encoded.append(block(encoded[-1]))
        y = encoded.pop()
        for block in self.up.values():
            y = torch.cat([block(y), encoded.pop()], dim=1)
        y = self.last(functional.relu(y))
        return y[..., : self.size, : self.size] if extra else y
