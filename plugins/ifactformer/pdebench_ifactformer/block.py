"""The attention block: one kernel per axis, applied in parallel (m) or in a chain (o)."""

from collections.abc import Sequence
from typing import Literal, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_ifactformer.kernel import AxialKernel, apply_along
from pdebench_ifactformer.norm import NORMS, Norm

Combine = Literal["parallel", "chained"]
Rotations = list[tuple[Tensor, Tensor]]


@final
class AxialBlock(nn.Module):
    """Factorised attention over a grid.

        n = LayerNorm(u),   v = n W_v,   A_a = kernel of axis a made from mean_{not a}(n) W_in
        parallel:  w = [A_x v | A_y v | A_z v] per head        (IFactFormer-m)
        chained:   w = A_z A_y A_x v                           (FactFormer, IFactFormer-o)
        Block(u) = W_2 GELU(W_1 norm(w))  [ then W_4 GELU(W_3 .) with ``extra_mlp`` ]

    u: (B, N, dim), N = prod(shape), last axis of the grid fastest.  Returns (B, N, dim).
    Cost per point: dim H d + H d sum_a n_a + {A, 1} H d dim + dim^2 multiply-adds; memory linear in
    the number of points. The pooled mean is plain, without quadrature weights on stretched axes, as
    published. Pooling commutes with W_in, so only pooled fields are multiplied by it.
    Yang, Wang, Wang, Sci. China PMA 69, 214606 (arXiv 2412.18840); Li et al. 2023
    (arXiv 2305.17560).

    Args:
        axes: number of axes of the grid.
        dim: channels of u.
        heads: H.
        head_width: d.
        multiplier: kernel width D in units of d.
        combine: "parallel" (m) or "chained" (o).
        norm: statistics of the norm of w: "instance" per channel, "group" per head, "x_plane" per
            index of the first axis (the first releases).
        extra_mlp: two more linear layers at the end (IFactFormer-m as first released).
        latent: channels between pooling and queries; None for dim.
        softmax: normalise the rows of the kernels.
        qk_gain: gain of the Xavier-uniform start of W_q and W_k.
    """

    def __init__(
        self,
        axes: int,
        dim: int,
        heads: int,
        head_width: int,
        multiplier: float = 3,
        combine: Combine = "parallel",
        norm: Norm = "instance",
        extra_mlp: bool = False,
        latent: int | None = None,
        softmax: bool = False,
        qk_gain: float = 0.02,
    ) -> None:
        super().__init__()
        if combine not in ("parallel", "chained") or norm not in NORMS:
            raise ConfigError(
                f"combine={combine!r} and norm={norm!r}, expected 'parallel' or 'chained' and one "
                f"of {sorted(NORMS)}"
            )
        if int(head_width * multiplier) % 2 or int(head_width * multiplier) < 2:
            raise ConfigError(
                f"head_width={head_width} times multiplier={multiplier} is the width of queries, "
                "expected an even number: rotations act on pairs"
            )
        self.heads, self.parallel, self.normalised = heads, combine == "parallel", NORMS[norm]
        self.norm = nn.LayerNorm(dim)
        self.value = nn.Linear(dim, heads * head_width, bias=False)
        self.mix = nn.Linear(dim, dim, bias=False)
        self.kernels = nn.ModuleList(
            AxialKernel(dim, heads, head_width, multiplier, latent, softmax, qk_gain)
            for _ in range(axes)
        )
        entering = heads * head_width * (axes if self.parallel else 1)
        self.first = nn.Linear(entering, dim, bias=False)
        self.second = nn.Linear(dim, dim, bias=False)
        self.extra = (
            nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2)) if extra_mlp else None
        )

    def rotations(self, coordinates: Sequence[Tensor]) -> Rotations:
        """Return the rotary tables of every axis; they depend on the grid only."""
        kernels = (cast(AxialKernel, kernel) for kernel in self.kernels)
        return [k.rotation(x) for k, x in zip(kernels, coordinates, strict=True)]

    def axial_kernels(
        self, n: Tensor, shape: tuple[int, ...], rotations: Rotations
    ) -> list[Tensor]:
        """Return A_a (B, H, n_a, n_a) of every axis, of the normalised field n (B, N, dim)."""
        field = n.unflatten(1, shape)
        made = []
        for a, kernel in enumerate(self.kernels):
            others = [d + 1 for d in range(len(shape)) if d != a]
            pooled = field.mean(others) if others else field  # mean over no axis would be over all
            made.append(kernel(self.mix(pooled), rotations[a]))
        return made

    def attend(self, v: Tensor, kernels: list[Tensor], shape: tuple[int, ...]) -> list[Tensor]:
        """Return the parts of w, each (B, H, N, d): one per axis (parallel) or one (chained)."""
        if self.parallel:
            return [apply_along(kernel, v, a, shape) for a, kernel in enumerate(kernels)]
        for a, kernel in enumerate(kernels):
            v = apply_along(kernel, v, a, shape)
        return [v]

    def forward(self, u: Tensor, shape: tuple[int, ...], rotations: Rotations) -> Tensor:
        """Return Block(u); see the class."""
        n = self.norm(u)
        kernels = self.axial_kernels(n, shape, rotations)
        v = self.value(n).unflatten(-1, (self.heads, -1)).transpose(1, 2).contiguous()
        parts = self.attend(v, kernels, shape)
        # channel of w: head, then axis, then channel of the head
        weight = self.first.weight.t().unflatten(0, (self.heads, len(parts), -1))
        y = self.second(functional.gelu(self.normalised(parts, weight, shape[0])))
        if self.extra is None:
            return y
        return self.extra[1](functional.gelu(self.extra[0](y)))


@final
class FourierPosition(nn.Module):
    """Random Fourier features of the coordinates.

        P = [sin(2 pi X B), cos(2 pi X B)] W + b,   X (N, axes),  B ~ 8 N(0, 1), fixed

    Frequencies of 8 N(0, 1) per unit of length lie beyond every grid's Nyquist limit on domains of
    length 4 pi: P is then a fixed random vector per point, with no transfer to another grid.
    """

    directions: Tensor

    def __init__(self, axes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("directions", 8 * torch.randn(axes, dim // 2))
        self.out = nn.Linear(dim, dim)

    def forward(self, coordinates: Sequence[Tensor]) -> Tensor:
        """Return P (N, dim) on the tensor grid of the coordinates."""
        mesh = torch.stack(torch.meshgrid(*coordinates, indexing="ij"), -1).flatten(0, -2)
        # X B first, then 2 pi: float32 phases reach 2000 rad and this order is the authors'.
        # Lower precision would leave nothing of them, so mixed precision stops here.
        with torch.autocast(mesh.device.type, enabled=False):
            phase = 2 * torch.pi * (mesh @ self.directions)
        return self.out(torch.cat([phase.sin(), phase.cos()], -1))
