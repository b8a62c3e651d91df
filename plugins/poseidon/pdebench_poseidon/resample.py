"""Between images and tokens of every size: resize, embed, merge, un-merge, recover."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench_poseidon.norm import make_norm


def resize(x: Tensor, num: int) -> Tensor:
    """Sample a periodic image on ``num`` x ``num`` points by its Fourier modes.

        y(p) = sum_f x_hat(f) exp(2 pi i f . p / n),   f per axis in both grids' ranges
        -n/2 <= f <= n/2 - 1 (even n), |f| <= (n - 1)/2 (odd n);   the real part is taken

    x: (B, C, m, m).  Returns (B, C, num, num). Exact for fields without modes beyond both ranges.
    """
    m = x.shape[-1]
    if m == num:
        return x
    kept = min(m, num)
    f = torch.arange(kept, device=x.device) - kept // 2
    spectrum = torch.fft.fft2(x, norm="forward")
    there, here = f % num, f % m
    out = spectrum.new_zeros(*x.shape[:2], num, num)
    out[..., there[:, None], there] = spectrum[..., here[:, None], here]
    return torch.fft.ifft2(out, norm="forward").real


@final
class Embedding(nn.Module):
    """Patches to tokens: P x P convolution with stride P, norm, optional learned positions.

    x: (B, C, I, I), padded with zeros at the bottom and right.  Returns (B, h, h, dim).
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        patch: int,
        tokens: int,
        positions: bool,
        conditional: bool,
        eps: float,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.projection = nn.Conv2d(channels, dim, patch, patch)
        self.norm = make_norm(dim, conditional, eps)
        self.positions = nn.Parameter(torch.zeros(1, tokens**2, dim)) if positions else None

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return the tokens."""
        right, bottom = (-x.shape[-1] % self.patch, -x.shape[-2] % self.patch)
        if right or bottom:
            x = functional.pad(x, (0, right, 0, bottom))
        tokens = self.norm(self.projection(x).permute(0, 2, 3, 1), time)
        if self.positions is None:
            return tokens
        return tokens + self.positions.view(1, *tokens.shape[1:])


@final
class Merge(nn.Module):
    """Halve the grid: four phases as channels, linear map 4 dim -> 2 dim, norm.

    Phases in the order (even row, even column), (odd, even), (even, odd), (odd, odd); odd grids are
    padded with zeros. (B, h, w, dim) -> (B, ceil(h/2), ceil(w/2), 2 dim).
    """

    def __init__(self, dim: int, conditional: bool, eps: float) -> None:
        super().__init__()
        self.reduce = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = make_norm(2 * dim, conditional, eps)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return the coarser tokens."""
        h, w = x.shape[1:3]
        if h % 2 or w % 2:
            x = functional.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        phases = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # (B, h/2, 2, w/2, 2, dim)
        return self.norm(self.reduce(phases.permute(0, 1, 3, 4, 2, 5).flatten(3)), time)


@final
class Unmerge(nn.Module):
    """Double the grid: linear map dim -> 2 dim seen as 2 x 2 tokens, crop, norm, linear map.

    (B, h, w, dim) -> (B, *shape, dim/2).
    """

    def __init__(self, dim: int, conditional: bool, eps: float) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 2 * dim, bias=False)
        self.norm = make_norm(dim // 2, conditional, eps)
        self.mix = nn.Linear(dim // 2, dim // 2, bias=False)

    def forward(self, x: Tensor, shape: tuple[int, int], time: Tensor | None) -> Tensor:
        """Return the finer tokens, cropped to ``shape``."""
        tokens = self.expand(x).unflatten(-1, (2, 2, -1)).transpose(2, 3)
        fine = tokens.flatten(3, 4).flatten(1, 2)
        return self.mix(self.norm(fine[:, : shape[0], : shape[1]], time))


@final
class Recovery(nn.Module):
    """Tokens to an image: transposed P x P convolution, crop, 5 x 5 convolution without bias.

    (B, h, w, dim) -> (B, C_out, num, num).
    """

    def __init__(self, dim: int, channels: int, patch: int) -> None:
        super().__init__()
        self.projection = nn.ConvTranspose2d(dim, channels, patch, patch)
        self.mix = nn.Conv2d(channels, channels, 5, padding=2, bias=False)

    def forward(self, x: Tensor, num: int) -> Tensor:
        """Return the image of ``num`` x ``num`` points."""
        image = self.projection(x.permute(0, 3, 1, 2))
        return self.mix(image[..., :num, :num])
