"""The multigrid neural operator in its published variants."""

from collections.abc import Callable, Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_mgno.vcycle import Boundary, Cycle, VCycle, steps_of

Activation = Literal["gelu", "relu", "tanh", "silu"]
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "silu": functional.silu,
}


@final
class MgNO(nn.Module):
    """Multigrid neural operator: every linear map of a layer is a V-cycle.

        u_{l+1} = sigma( [LN] MG_l u_l + [W_l u_l + b_l] ),    u_0 = the input,    l = 0 .. layers-1

    He, Liu and Xu, ICLR 2024 (arXiv 2310.19809), eq. 3. There is no lifting. Options make the
    published variants: Darcy (``pointwise``), Navier-Stokes (``norm="levels"``, circular,
    ``residual``), Helmholtz (``norm="layers"``, ``grow``, ``transfer_padding=0``,
    ``head="vcycle"``).
    x: (B, in_channels, X, Y).  Returns (B, out_channels, X, Y).

    Args:
        in_channels, out_channels: channels of input and output.
        shape: points per axis; kernels of the prolongations (and norms) follow it.
        width: channels of u.
        layers: number of V-cycles.
        steps: smoothing steps per level, (before, after) or before alone, finest first.
        boundary: "zeros" (Dirichlet), "circular" (periodic), "reflect" (Neumann) or "replicate".
        activation: "gelu", "relu", "tanh" or "silu".
        pointwise: whether W_l u_l + b_l is added.
        norm: layer normalisation, "levels" within V-cycles, "layers" after each, or None; it fixes
            the grid.
        affine: whether the normalisation has a weight and a bias per point.
        bias: whether smoothers have a bias.
        restrict_residual: restrict residuals instead of data.
        grow: level l has l + 1 times the channels.
        transfer_padding: 1, or 0 for transfers without padding.
        head: "linear", "mlp" (through ``head_width`` channels) or "vcycle".
        head_width: hidden channels of the "mlp" head.
        residual: whether the input is added to the output (equal channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int],
        width: int = 24,
        layers: int = 5,
        steps: Sequence[Sequence[int] | int] = ((1, 0), (1, 0), (1, 0), (2, 0)),
        boundary: Boundary = "zeros",
        activation: Activation = "gelu",
        pointwise: bool = True,
        norm: Literal["levels", "layers"] | None = None,
        affine: bool = True,
        bias: bool = False,
        restrict_residual: bool = False,
        grow: bool = False,
        transfer_padding: int = 1,
        head: Literal["linear", "mlp", "vcycle"] = "linear",
        head_width: int = 64,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if len(shape) != 2:
            raise ConfigError(f"shape={list(shape)}, expected two axes")
        if activation not in _ACTIVATIONS:
            raise ConfigError(
                f"activation={activation!r}, expected one of {', '.join(_ACTIVATIONS)}"
            )
        if residual and in_channels != out_channels:
            raise ConfigError(
                f"residual=true needs as many channels out as in, got {in_channels} and "
                f"{out_channels}"
            )
        cycle = Cycle(
            (shape[0], shape[1]),
            steps_of(steps),
            boundary,
            bias,
            restrict_residual,
            grow,
            transfer_padding,
        )
        self.in_channels, self.residual = in_channels, residual
        self.activation = _ACTIVATIONS[activation]
        inputs = [in_channels, *[width] * (layers - 1)]
        within = norm == "levels"
        self.cycles = nn.ModuleList(VCycle(width, c, cycle, within, affine) for c in inputs)
        self.pointwise = nn.ModuleList(
            nn.Conv2d(c, width, 1) for c in (inputs if pointwise else ())
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm((width, *shape), elementwise_affine=affine)
            for _ in range(layers if norm == "layers" else 0)
        )
        self.head = _head(head, width, out_channels, head_width, cycle)
        # channels last are what convolutions run on; layer normalisation would copy them back
        self.format = torch.contiguous_format if norm else torch.channels_last
        self.to(memory_format=self.format)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, n, n)"
            )
        u = x.contiguous(memory_format=self.format)
        for position, cycle in enumerate(self.cycles):
            v = cycle(u)
            if self.norms:
                v = self.norms[position](v)
            if self.pointwise:
                v = v + _everywhere(self.pointwise[position], u)
            u = self.activation(v)
        y = self.head(u)
        return y + x if self.residual else y


def _everywhere(layer: nn.Module, u: Tensor) -> Tensor:
    """Return a 1x1 convolution as the matrix product that it is."""
    assert isinstance(layer, nn.Conv2d)
    return functional.linear(u.movedim(1, -1), layer.weight.flatten(1), layer.bias).movedim(-1, 1)


def _head(kind: str, width: int, outputs: int, hidden: int, cycle: Cycle) -> nn.Module:
    if kind == "linear":
        return nn.Conv2d(width, outputs, 1, bias=False)
    if kind == "mlp":
        last = nn.Conv2d(hidden, outputs, 1, bias=False)
        return nn.Sequential(nn.Conv2d(width, hidden, 1), nn.GELU(), last)
    if kind == "vcycle":
        return VCycle(outputs, width, cycle)
    raise ConfigError(f"head={kind!r}, expected 'linear', 'mlp' or 'vcycle'")
