"""The small U-Net of IUFNO, over points laid out in one row."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

_SLOPE = 0.1  # of LeakyReLU, released IUFNO program


@final
class UNet1d(nn.Module):
    """Three halvings and three doublings of a row of points, with skips by concatenation.

    Encoder levels: convolution (kernel 3, stride 2, no bias), the second and third followed by one
        of stride 1; decoder:
    transposed convolution (kernel 4, stride 2); LeakyReLU 0.1 after each; output: convolution
    (kernel 3) of [x, decoder].
    x: (B, C, N) with N divisible by 8.  Returns (B, C, N).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

        def conv(stride: int) -> nn.Conv1d:
            return nn.Conv1d(channels, channels, 3, stride, 1, bias=False)

        self.conv1, self.conv2, self.conv3 = conv(2), conv(2), conv(2)
        self.conv2_1, self.conv3_1 = conv(1), conv(1)
        self.deconv2 = nn.ConvTranspose1d(channels, channels, 4, 2, 1)
        self.deconv1 = nn.ConvTranspose1d(2 * channels, channels, 4, 2, 1)
        self.deconv0 = nn.ConvTranspose1d(2 * channels, channels, 4, 2, 1)
        self.output = nn.Conv1d(2 * channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 8:
            raise ConfigError(
                f"the grid has {x.shape[-1]} values, expected a multiple of 8; set unet=false or "
                "pad it"
            )

        def active(y: Tensor) -> Tensor:
            return functional.leaky_relu(y, _SLOPE)

        half = active(self.conv1(x))
        quarter = active(self.conv2_1(active(self.conv2(half))))
        eighth = active(self.conv3_1(active(self.conv3(quarter))))
        up = torch.cat([quarter, active(self.deconv2(eighth))], 1)
        up = torch.cat([half, active(self.deconv1(up))], 1)
        return self.output(torch.cat([x, active(self.deconv0(up))], 1))
