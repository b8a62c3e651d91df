"""A training step of the latent spectral model against the formulation written down.

    python benchmarks/lsm_step.py [--threads 2] [--rounds 11]

The plain form cuts patches out, forms keys, values and queries at every point by 1x1 convolutions,
and evaluates all sines and cosines of the series, as the paper states the block; everything else
(convolutions, norms, projection) is the same code. Float32, forward, loss, backward, Adam.
"""

import argparse
import math
import sys
from collections.abc import Callable
from statistics import median
from typing import final

import torch
from pdebench_lsm.backbone import Backbone
from pdebench_lsm.block import SpectralBlock
from pdebench_lsm.network import LSM
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn
from torch.nn import functional

GRID = 64


@final
class PlainBlock(nn.Module):
    """The block with keys, values and queries at every point, in 2D."""

    def __init__(self, ours: SpectralBlock) -> None:
        super().__init__()
        self.patch, self.heads = ours.patch, ours.heads
        self.weights, self.latent = ours.weights, ours.latent
        self.encode = nn.Conv2d(ours.encode.in_features, ours.encode.out_features, 1)
        self.decode = nn.Conv2d(ours.decode.in_features, ours.decode.out_features, 1)
        with torch.no_grad():
            for mine, given in ((self.encode, ours.encode), (self.decode, ours.decode)):
                mine.weight.copy_(given.weight[..., None, None])
                mine.bias.copy_(given.bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, rows, columns = x.shape
        p, q = self.patch
        n, m = rows // p, columns // q
        cut = x.view(batch, channels, n, p, m, q).permute(0, 2, 4, 1, 3, 5)
        cut = cut.reshape(batch * n * m, channels, p, q)
        d = channels // self.heads
        pair = self.encode(cut).view(-1, self.heads, d, 2, p * q).permute(3, 0, 1, 4, 2)
        key, value = pair[0], pair[1]
        z = (self.latent @ key.transpose(-1, -2)).softmax(-1) @ value + self.latent
        flat = z.permute(0, 1, 3, 2).reshape(-1, channels, z.shape[2])
        terms = self.weights.shape[1] // 2
        order = torch.arange(terms, dtype=flat.dtype)
        phase = math.pi * flat.unsqueeze(-1) * order / terms
        basis = torch.cat([phase.sin(), phase.cos()], dim=-1)
        flat = flat + torch.einsum("nctm,cm->nct", basis, self.weights)
        z = flat.view(-1, self.heads, d, z.shape[2]).permute(0, 1, 3, 2)
        query = self.decode(cut).view(-1, self.heads, d, p * q).permute(0, 1, 3, 2)
        read = (query @ z.transpose(-1, -2)).softmax(-1) @ z
        out = cut + read.permute(0, 1, 3, 2).reshape(-1, channels, p, q)
        out = out.view(batch, n, m, channels, p, q).permute(0, 3, 1, 4, 2, 5)
        return out.reshape(batch, channels, rows, columns)


@final
class PlainBackbone(nn.Module):
    """The same levels with plain blocks, in torch's default memory format."""

    def __init__(self, ours: Backbone) -> None:
        super().__init__()
        self.down, self.up, self.out = ours.down, ours.up, ours.out
        self.to(memory_format=torch.contiguous_format)  # ours keep channels last
        self.blocks = nn.ModuleList(PlainBlock(block) for block in ours.blocks)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.down[0](x)]
        for conv in self.down[1:]:
            levels.append(conv(functional.max_pool2d(levels[-1], 2)))
        skips = [block(level) for block, level in zip(self.blocks, levels, strict=True)]
        y = skips[-1]
        for conv, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            raised = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
            y = conv(torch.cat([skip, raised], dim=1))
        return self.out(y)


def pair(width: int, patch: int, size: int) -> tuple[LSM, LSM]:
    """Return our network and the plain one with the same weights."""
    torch.manual_seed(0)
    ours = LSM(10, 1, (size, size), width, patch=(patch, patch))
    torch.manual_seed(0)
    plain = LSM(10, 1, (size, size), width, patch=(patch, patch))
    plain.load_state_dict(ours.state_dict())
    plain.backbone = PlainBackbone(plain.backbone)
    return ours, plain


def compare(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return medians and the ratio ours / plain with its interval."""
    times = interleaved(work, rounds)
    ratio, low, high = ratio_interval(times["ours"], times["plain"])
    seconds = {f"{name}_s": median(values) for name, values in times.items()}
    return {**seconds, "ratio": ratio, "low": low, "high": high}


def step(network: nn.Module, x: Tensor, y: Tensor) -> Callable[[], object]:
    """Return one training step as a function; both forms have the fused optimizer."""
    optimizer = torch.optim.Adam(network.train().parameters(), 1e-4, fused=True)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        (network(x) - y).square().mean().backward()
        optimizer.step()

    return once


def blocks(network: LSM, fields: list[Tensor]) -> Callable[[], object]:
    """Return forward and backward of the five blocks as a function; ours take channels last."""

    def once() -> None:
        for block, field in zip(network.backbone.blocks, fields, strict=True):
            block(field).square().mean().backward()

    return once


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cases = {
        "width 32, patch 4": (32, 4),
        "width 64, patch 4": (64, 4),
        "width 32, patch 1": (32, 1),
    }
    found = {}
    for name, (width, patch) in cases.items():
        x, y = torch.randn(4, 10, GRID, GRID), torch.randn(4, 1, GRID, GRID)
        ours, plain = pair(width, patch, GRID)
        with torch.no_grad():
            a, b = ours.eval()(x), plain.eval()(x)
        difference = float((a - b).norm() / b.norm())
        if difference > 1e-5:  # float32 round-off of the same formula
            raise SystemExit(f"the two forms differ by {difference:.1e}")
        widths = [width * k for k in (1, 2, 4, 8, 8)]
        fields = [torch.randn(4, GRID >> n, GRID >> n, c) for n, c in enumerate(widths)]
        networks = {"ours": ours, "plain": plain}
        found[name] = {
            "step": compare({k: step(n, x, y) for k, n in networks.items()}, given.rounds),
            "blocks": compare(
                {
                    "ours": blocks(ours, fields),
                    "plain": blocks(plain, [f.movedim(-1, 1).contiguous() for f in fields]),
                },
                given.rounds,
            ),
            "output difference": difference,
        }
        for what in ("step", "blocks"):
            row = found[name][what]
            interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
            sys.stdout.write(f"{name}, {what}: {row['ratio']:.3f} x plain {interval}\n")
    store_result("lsm_step", {"baseline": "plain", "threads": given.threads, "cases": found})


if __name__ == "__main__":
    main()
