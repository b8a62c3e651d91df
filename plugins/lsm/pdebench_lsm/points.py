"""The latent spectral model on point clouds, through a learned deformation to a latent grid."""

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_lsm.backbone import COARSEST, Backbone, Norm
from pdebench_lsm.network import lift, time_embedding, time_features, unit_grid

_CENTRE = 1e-4  # both coordinates


@final
class Deformation(nn.Module):
    """Learned map of points to the latent unit square,  xi = x + x h(x)  (Geo-FNO, Li et al. 2022).

    h sees x, y, angle and radius about (1e-4, 1e-4), and sines and cosines of them at the
    frequencies pi 2^j.  x: (B, N, 2), code: (B, codes) or None.  Returns (B, N, 2).

    Args:
        width: channels, a multiple of 4.
        codes: numbers that describe a shape.
    """

    def __init__(self, width: int = 32, codes: int = 42) -> None:
        super().__init__()
        self.enter = nn.Linear(4, width)
        self.with_code = nn.Linear(codes, width)
        self.without_code = nn.Linear(3 * width, 4 * width)
        self.inner = nn.ModuleList(nn.Linear(4 * width, 4 * width) for _ in range(3))
        self.out = nn.Linear(4 * width, 2)
        frequencies = math.pi * 2.0 ** torch.arange(width // 4)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.frequencies: Tensor

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        away = x - _CENTRE
        angle = torch.atan2(away[..., 1], away[..., 0])
        features = torch.cat([x, angle.unsqueeze(-1), away.norm(dim=-1, keepdim=True)], dim=-1)
        phase = (features.unsqueeze(-1) * self.frequencies).flatten(2)
        h = torch.cat([self.enter(features), phase.sin(), phase.cos()], dim=-1)
        if code is None:
            h = self.without_code(h)
        else:
            shape = self.with_code(code).unsqueeze(1).expand(-1, h.shape[1], -1)
            h = torch.cat([shape, h], dim=-1)
        for layer in self.inner:
            h = layer(h).tanh()
        return x + x * self.out(h)


@final
class Projection(nn.Module):
    """Weights of 2 m_1 x m_2 Fourier modes between points and the latent grid (Geo-FNO).

    Args:
        width: channels.
        modes: m_1, m_2; k_1 = 0 .. m_1 - 1, -m_1 .. -1 and k_2 = 0 .. m_2 - 1.
    """

    def __init__(self, width: int, modes: Sequence[int]) -> None:
        super().__init__()
        first, second = modes
        weight = torch.rand(width, width, 2 * first, second, dtype=torch.complex64)
        self.weight = nn.Parameter(weight / width**2)
        self.modes = (first, second)

    def waves(self, xi: Tensor, sign: int) -> tuple[Tensor, Tensor]:
        """Return exp(sign 2 pi i k_a xi_a): (B, N, 2 m_1) and (B, N, m_2)."""
        first, second = self.modes
        ks = (torch.cat([torch.arange(first), torch.arange(-first, 0)]), torch.arange(second))
        angles = [sign * 2 * math.pi * xi[..., a, None] * k.to(xi) for a, k in enumerate(ks)]
        return tuple(torch.polar(torch.ones_like(a), a) for a in angles)  # pyright: ignore[reportReturnType]

    def to_grid(self, u: Tensor, xi: Tensor, shape: Sequence[int]) -> Tensor:
        """(B, N, C) -> (B, C, *shape): U(k) = sum_n u_n exp(-2 pi i k.xi_n), weighted, inverted."""
        e1, e2 = self.waves(xi, -1)
        moments = torch.einsum("bnk,bnlc->bckl", e1, e2.unsqueeze(-1) * u.unsqueeze(2))
        found = torch.einsum("bikl,iokl->bokl", moments, self.weight)
        first, second = self.modes
        spectrum = found.new_zeros(*found.shape[:2], shape[0], shape[1] // 2 + 1)
        spectrum[:, :, :first, :second] = found[:, :, :first]
        spectrum[:, :, -first:, :second] = found[:, :, first:]
        return torch.fft.irfft2(spectrum, s=tuple(shape))

    def to_points(self, grid: Tensor, xi: Tensor, shifted_mirror: bool) -> Tensor:
        """(B, C, *S) -> (B, N, C): real part of the weighted modes and of their mirror images.

        The mirror of (k_1, k_2) is (-k_1, -k_2); ``shifted_mirror`` takes (-k_1 - 1, -k_2), as the
        released programs do.
        """
        first, second = self.modes
        spectrum = torch.fft.rfft2(grid)[..., :second]
        kept = torch.cat([spectrum[:, :, :first], spectrum[:, :, -first:]], dim=2)
        found = torch.einsum("bikl,iokl->bokl", kept, self.weight)
        e1, e2 = self.waves(xi, 1)
        extra = torch.ones_like(e2)
        extra[..., 1:] += e1[..., 1:2] if shifted_mirror else 1.0
        rows = torch.einsum("bnk,bckl->bncl", e1, found)
        return torch.einsum("bnl,bncl->bnc", e2 * extra, rows).real


@final
class PointLSM(nn.Module):
    """Latent spectral model of a point cloud of any size.

        xi = deformation(x);   grid = gelu(F^-1[ W_in sum_n u_n e^{-2 pi i k.xi_n} ] + linear(grid))
        y(x_n) = project( Re sum_k W_out F[backbone(grid)] e^{2 pi i k.xi_n} + linear(x_n) )

    Wu et al., ICML 2023 (arXiv 2301.12664), sec. 3.1, after Geo-FNO (arXiv 2207.05209).
    x: (B, in_channels, N) whose first two channels are coordinates.  Returns (B, out_channels, N).

    Args:
        in_channels, out_channels: channels of input and output.
        shape: points (N,); not used, the cloud may change its size.
        width, basis, tokens, heads, norm, lifting, head_width: as in ``network.LSM``.
        latent: points of the latent grid, multiples of 16 patch[a].
        patch: points per patch of the latent grid; null makes 16 patches per axis.
        modes: m_1, m_2 of the projections.
        deformation_width: channels of the deformation.
        codes: numbers that describe a shape, where ``code`` is given.
        local: add linear maps of the grid and the coordinates, and GELU before the backbone.
        shifted_mirror: pair modes as the released programs do, one off.
        conditioned: whether a time is embedded and added after lifting.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int] = (),
        width: int = 32,
        basis: int = 12,
        tokens: int = 4,
        heads: int = 8,
        norm: Norm = "batch",
        lifting: Literal["linear", "mlp"] = "linear",
        head_width: int | None = None,
        latent: Sequence[int] = (96, 96),
        patch: Sequence[int] | None = None,
        modes: Sequence[int] = (12, 12),
        deformation_width: int = 32,
        codes: int = 42,
        local: bool = True,
        shifted_mirror: bool = False,
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        if in_channels < 2:
            raise ConfigError(f"in_channels={in_channels}, expected two coordinates at least")
        self.patch = tuple(patch) if patch is not None else tuple(n // COARSEST for n in latent)
        if any(n % (COARSEST * p) for n, p in zip(latent, self.patch, strict=True)):
            raise ConfigError(
                f"latent={list(latent)}, expected multiples of {COARSEST} times patch={self.patch}"
            )
        if 2 * modes[0] > latent[0] or modes[1] > latent[1] // 2 + 1:
            raise ConfigError(f"modes={list(modes)} are more than latent={list(latent)} has")
        self.latent, self.local, self.shifted_mirror = tuple(latent), local, shifted_mirror
        hidden = 128 if head_width is None else head_width
        self.lift = lift(in_channels, width, lifting)
        self.time = time_embedding(width) if conditioned else None
        self.deformation = Deformation(deformation_width, codes)
        self.enter, self.leave = Projection(width, modes), Projection(width, modes)
        self.at_grid = nn.Linear(2, width) if local else None
        self.at_points = nn.Linear(2, width) if local else None
        self.backbone = Backbone(2, width, basis, tokens, self.patch, heads, norm)
        self.project = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out_channels)
        )
        self.width = width

    def forward(
        self,
        x: Tensor,
        code: Tensor | None = None,
        asked: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Return the values at ``asked`` (B, M, 2), by default at the given points."""
        points = x[:, :2].mT
        u = self.lift(x.mT)
        if self.time is not None:
            if time is None:
                raise ConfigError("the network is conditioned on a time, none was given")
            u = u + self.time(time_features(time, self.width)).unsqueeze(1)
        xi = self.deformation(points, code)
        grid = self.enter.to_grid(u, xi, self.latent)
        if self.at_grid is not None:
            offset = self.at_grid(unit_grid(self.latent, grid).movedim(1, -1)).movedim(-1, 1)
            grid = functional.gelu(grid + offset)
        grid = self.backbone(grid)
        if asked is not None:
            points, xi = asked, self.deformation(asked, code)
        y = self.leave.to_points(grid, xi, self.shifted_mirror)
        if self.at_points is not None:
            y = y + self.at_points(points)
        return self.project(y).mT
