"""Training and inference steps of Poseidon-T against the same model from Swin-V2 parts.

    python benchmarks/poseidon_step.py [--threads 2] [--rounds 7] [--batch 2]

The peer takes every block from `transformers` (Swinv2Layer, whose two norms are replaced by the
lead-time-conditioned norm), as a user would who builds the network from that package; embedding,
merging, skips and recovery are the same code. Same weights; the outputs are compared first.
Float32; a training step is forward, loss, backward and Adam.
"""

import argparse
import sys
from collections.abc import Callable
from copy import deepcopy
from statistics import median
from typing import final

import torch
from pdebench_poseidon.block import Block
from pdebench_poseidon.network import ScOT
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn
from transformers import Swinv2Config
from transformers.models.swinv2.modeling_swinv2 import Swinv2Layer

SIZES = {"embed_dim": 48, "depths": (4, 4, 4, 4), "heads": (3, 6, 12, 24), "skips": (2, 2, 2, 0)}
WINDOW = 16


@final
class Timed(nn.Module):
    """A conditional norm that is handed its lead time before the block is called."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.time: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x, self.time)


@final
class LibraryBlock(nn.Module):
    """A block made of the package's Swin-V2 layer; the same weights and the same answer."""

    def __init__(self, ours: Block, dim: int, resolution: int) -> None:
        super().__init__()
        config = Swinv2Config(
            window_size=WINDOW, mlp_ratio=4.0, qkv_bias=True, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, hidden_act="gelu",
        )  # fmt: skip
        shift = ours.windows.shift
        heads = ours.attention.heads
        self.layer = Swinv2Layer(config, dim, (resolution, resolution), heads, shift_size=shift)
        if (self.layer.window_size, self.layer.shift_size) != tuple(ours.windows):
            raise SystemExit(f"windows differ: {self.layer.window_size}, {ours.windows}")
        own = self.layer.attention.self
        given = ours.attention
        pairs = {
            own.query: given.query,
            own.key: given.key,
            own.value: given.value,
            own.continuous_position_bias_mlp[0]: given.bias.first,
            own.continuous_position_bias_mlp[2]: given.bias.second,
            self.layer.attention.output.dense: given.out,
            self.layer.intermediate.dense: ours.first,
            self.layer.output.dense: ours.second,
        }
        for mine, theirs in pairs.items():
            mine.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            own.logit_scale.copy_(given.logit_scale)
        self.layer.layernorm_before = Timed(ours.norm1)
        self.layer.layernorm_after = Timed(ours.norm2)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        self.layer.layernorm_before.time = self.layer.layernorm_after.time = time
        shape = (x.shape[1], x.shape[2])
        return self.layer(x.flatten(1, 2), shape)[0].view_as(x)


def from_library(ours: ScOT) -> ScOT:
    """Return a copy of the network with every block replaced by the package's."""
    copy = deepcopy(ours)
    levels = range(copy.plan.stages)
    for level, stage in [
        *zip(levels, copy.encoder, strict=True),
        *zip(reversed(levels), copy.decoder, strict=True),
    ]:
        for place, block in enumerate(stage.blocks):
            made = LibraryBlock(block, copy.plan.dim(level), copy.plan.nominal(level))
            stage.blocks[place] = made
    return copy


def train_step(network: nn.Module, x: Tensor, t: Tensor, y: Tensor) -> Callable[[], object]:
    """Return one training step as a function."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-5)

    def once() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        (network(x, t) - y).abs().mean().backward()
        optimizer.step()

    return once


def inference(network: nn.Module, x: Tensor, t: Tensor) -> Callable[[], object]:
    """Return one evaluation without gradients as a function."""

    def once() -> None:
        network.eval()
        with torch.inference_mode():
            network(x, t)

    return once


def main() -> None:
    """Compare outputs, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    # The package adds -100 to scores of foreign tokens; ours, told the same, is the same function.
    ours = ScOT(4, 4, 128, patch_size=4, window=WINDOW, mask_score=-100.0, **SIZES).eval()
    for parameter in ours.parameters():  # not the gentle start: every branch must count
        if parameter.ndim < 2:
            nn.init.normal_(parameter, 0.5, 0.2)
    peer = from_library(ours).eval()
    x, t = torch.randn(given.batch, 4, 128, 128), torch.rand(given.batch)
    with torch.no_grad():
        a, b = ours(x, t), peer(x, t)
    difference = float((a - b).norm() / b.norm())
    sys.stdout.write(f"relative difference of the outputs: {difference:.1e}\n")
    if difference > 1e-5:
        raise SystemExit("the two networks differ; no times are reported")
    y = torch.randn_like(x)
    found = {}
    for name, work in {
        "training step": {n: train_step(m, x, t, y) for n, m in (("ours", ours), ("peer", peer))},
        "inference": {n: inference(m, x, t) for n, m in (("ours", ours), ("peer", peer))},
    }.items():
        times = interleaved(work, given.rounds, warmup=1)
        ratio, low, high = ratio_interval(times["ours"], times["peer"])
        medians = {f"{n}_s": median(values) for n, values in times.items()}
        found[name] = {**medians, "ratio": ratio, "low": low, "high": high}
        sys.stdout.write(f"{name:<14} {ratio:.3f} x [{low:.3f}, {high:.3f}]  {medians}\n")
    facts = {"parameters": sum(p.numel() for p in ours.parameters()), "image": 128}
    store_result(
        "poseidon_step",
        {"cases": found, "output_difference": difference, "threads": given.threads,
         "batch": given.batch, "rounds": given.rounds, "facts": facts},
        ("torch", "transformers"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
