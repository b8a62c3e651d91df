"""A training step of IFactFormer against its formulas written down, and its memory in points.

    python benchmarks/ifactformer_step.py [--threads 1] [--rounds 7]

The plain form projects every point before it pools, makes the rotary tables in every call, writes
the concatenated attention output and normalises it, as the paper states the block. The same weights
and the same other layers. Float32, forward, loss, backward, Adam. Memory is what the forward pass
keeps for the backward pass, summed over distinct storages.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any, cast, final

import torch
from pdebench_ifactformer.block import AxialBlock
from pdebench_ifactformer.kernel import AxialKernel
from pdebench_ifactformer.network import IFactFormer
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn
from torch.nn import functional

SHAPE = (16, 17, 16)


def rotated(t: Tensor, x: Tensor, frequencies: Tensor) -> Tensor:
    """Return t turned by the angles 64 x f, halves as pairs."""
    angle = torch.outer(64.0 * x, frequencies)
    angle = torch.cat([angle, angle], -1)
    first, second = t.chunk(2, -1)
    return t * angle.cos() + torch.cat([-second, first], -1) * angle.sin()


@final
class PlainBlock(nn.Module):
    """The block as section 2 of the paper states it, on the weights of ours."""

    def __init__(self, ours: AxialBlock, coordinates: list[Tensor]) -> None:
        super().__init__()
        self.ours, self.coordinates = ours, coordinates

    def rotations(self, coordinates: Any) -> None:
        """Nothing is kept between calls."""

    def forward(self, u: Tensor, shape: tuple[int, ...], rotations: None) -> Tensor:
        block = self.ours
        n = block.norm(u).unflatten(1, shape)
        v = block.value(n).unflatten(-1, (block.heads, -1))
        q0 = block.mix(n)
        parts = []
        for a, module in enumerate(block.kernels):
            kernel = cast(AxialKernel, module)
            mixed = kernel.reduce.mix(q0).mean([d + 1 for d in range(3) if d != a])
            gate, carried = kernel.reduce.expand(kernel.reduce.norm(mixed)).chunk(2, -1)
            s = kernel.reduce.contract(functional.gelu(gate) * carried)
            q, k = (
                rotated(
                    layer(s).unflatten(-1, (block.heads, -1)).transpose(1, 2),
                    self.coordinates[a],
                    kernel.frequencies,
                )
                for layer in (kernel.query, kernel.key)
            )
            small = torch.einsum("bhid,bhjd->bhij", q, k)
            spec = ["bhij,bjyzhd->biyzhd", "bhij,bxjzhd->bxizhd", "bhij,bxyjhd->bxyihd"][a]
            parts.append(torch.einsum(spec, small, v))
        w = torch.cat(parts, -1).flatten(-2).flatten(1, 3)
        w = functional.instance_norm(w.transpose(1, 2)).transpose(1, 2)
        return block.second(functional.gelu(block.first(w)))


def network(plain: bool, shape: tuple[int, int, int], **sizes: int) -> IFactFormer:
    """Return IFactFormer-m with a fixed start, with our blocks or plain ones."""
    torch.manual_seed(0)
    nodes = [
        torch.linspace(0, length, n) for n, length in zip(shape, (12.0, 2.0, 4.0), strict=True)
    ]
    net = IFactFormer(3, 3, nodes, qk_gain=1.0, **sizes)
    if plain:
        blocks = [PlainBlock(cast(AxialBlock, block), nodes) for block in net.encoder.blocks]
        net.encoder.blocks = nn.ModuleList(blocks)
    return net


def step(net: nn.Module, x: Tensor, y: Tensor) -> Callable[[], object]:
    """Return one training step as a function."""
    optimizer = torch.optim.Adam(net.train().parameters(), 1e-4)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        (net(x) - y).square().mean().backward()
        optimizer.step()

    return once


def kept(net: nn.Module, x: Tensor) -> int:
    """Return the bytes that a forward pass keeps for its backward pass, weights not counted."""
    weights = {p.untyped_storage().data_ptr() for p in net.parameters()}
    held: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        if t.untyped_storage().data_ptr() not in weights:
            held[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        answer = net(x)
    assert answer.requires_grad
    return sum(held.values())


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cases = {
        "dim 36, 4 heads of 32": {"dim": 36, "heads": 4, "head_width": 32, "iterations": 4},
        "dim 96, 5 heads of 96": {"dim": 96, "heads": 5, "head_width": 96, "iterations": 2},
    }
    found: dict[str, Any] = {}
    for name, sizes in cases.items():
        x, y = torch.randn(2, 1, 3, *SHAPE)
        ours, plain = (network(p, SHAPE, **sizes) for p in (False, True))
        with torch.no_grad():
            a, b = ours(x), plain(x)
        difference = float((a - b).norm() / b.norm())
        if difference > 1e-4:  # float32 round-off of the same formula, through 1/sqrt(variance)
            raise SystemExit(f"the two forms differ by {difference:.1e}")
        work = {"ours": step(ours, x, y), "plain": step(plain, x, y)}
        times = interleaved(work, given.rounds)
        ratio, low, high = ratio_interval(times["ours"], times["plain"])
        row = {"ratio": ratio, "low": low, "high": high, "output difference": difference}
        row["kept"] = kept(ours, x) / kept(plain, x)
        sys.stdout.write(f"{name}: {ratio:.3f} x plain [{low:.3f}, {high:.3f}], "
                         f"memory {row['kept']:.3f} x\n")  # fmt: skip
        found[name] = row
    sizes = {"dim": 36, "heads": 4, "head_width": 32, "iterations": 2}
    shapes = [(8, 9, 8), (16, 9, 8), (16, 17, 8), (16, 17, 16), (32, 17, 16)]
    memory = {}
    for shape in shapes:
        points = shape[0] * shape[1] * shape[2]
        memory[str(points)] = (
            kept(network(False, shape, **sizes), torch.randn(1, 3, *shape)) / points
        )
        sys.stdout.write(f"{points} points: {memory[str(points)]:.0f} bytes per point\n")
    content = {"baseline": "plain", "threads": given.threads, "shape": SHAPE, "cases": found}
    store_result("ifactformer_step", {**content, "bytes per point": memory})


if __name__ == "__main__":
    main()
