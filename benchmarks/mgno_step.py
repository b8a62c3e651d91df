"""A training step of MgNO against the formulation of its authors, written down, of one result.

    python benchmarks/mgno_step.py [--threads 2] [--rounds 9]

The Darcy variant: 24 channels, five layers, six levels of one step each and two on the coarsest.
The plain form states each V-cycle as the paper does, with 1x1 convolutions, in torch's default
memory format. Float32, batch 8, forward, relative L2 loss, backward, Adam.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median
from typing import final

import torch
from pdebench_mgno.network import MgNO
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn
from torch.nn import functional

LEVELS, WIDTH, LAYERS, BATCH = 6, 24, 5, 8


@final
class PlainCycle(nn.Module):
    """One V-cycle: S, A per step; R, Pi and P between levels (He, Liu, Xu 2024, algorithm 1)."""

    def __init__(self, width: int, source: int) -> None:
        super().__init__()
        steps = [1] * (LEVELS - 1) + [2]
        self.smooth = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(source, width, 3, 1, 1, bias=False) for _ in range(n))
            for n in steps
        )
        self.apply_a = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, source, 3, 1, 1, bias=False) for _ in range(n))
            for n in [0, *steps[1:]]
        )
        between = range(LEVELS - 1)
        self.restrict = nn.ModuleList(
            nn.Conv2d(source, source, 3, 2, 1, bias=False) for _ in between
        )
        self.warm = nn.ModuleList(nn.Conv2d(width, width, 3, 2, 1, bias=False) for _ in between)
        self.prolong = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, 2, 1, bias=False) for _ in between
        )

    def forward(self, f: Tensor) -> Tensor:
        u = self.smooth[0][0](f)
        kept = [u]
        for level in range(1, LEVELS):
            f, u = self.restrict[level - 1](f), self.warm[level - 1](u)
            for s, a in zip(self.smooth[level], self.apply_a[level], strict=True):
                u = u + s(f - a(u))
            kept.append(u)
        for level in range(LEVELS - 2, -1, -1):
            u = kept[level] + self.prolong[level](u)
        return u


@final
class Plain(nn.Module):
    """u <- gelu( MG u + W u + b ), then a 1x1 convolution."""

    def __init__(self, ours: MgNO) -> None:
        super().__init__()
        sources = [1] + [WIDTH] * (LAYERS - 1)
        self.cycles = nn.ModuleList(PlainCycle(WIDTH, c) for c in sources)
        self.local = nn.ModuleList(nn.Conv2d(c, WIDTH, 1) for c in sources)
        self.head = nn.Conv2d(WIDTH, 1, 1, bias=False)
        with torch.no_grad():
            for mine, given in zip(self.cycles, ours.cycles, strict=True):
                for level in range(LEVELS):
                    for step, smoother in enumerate(given.before[level]):
                        mine.smooth[level][step].weight.copy_(smoother.apply_s.weight)
                        if smoother.apply_a is not None:
                            mine.apply_a[level][step].weight.copy_(smoother.apply_a.weight)
                for level in range(LEVELS - 1):
                    mine.restrict[level].weight.copy_(given.restrict_f[level].weight)
                    mine.warm[level].weight.copy_(given.restrict_u[level].weight)
                    mine.prolong[level].weight.copy_(given.prolong[level].weight)
        self.local.load_state_dict(ours.pointwise.state_dict())
        self.head.load_state_dict(ours.head.state_dict())

    def forward(self, u: Tensor) -> Tensor:
        for cycle, local in zip(self.cycles, self.local, strict=True):
            u = functional.gelu(cycle(u) + local(u))
        return self.head(u)


def step(network: nn.Module, x: Tensor, y: Tensor) -> Callable[[], object]:
    """Return one training step as a function."""
    optimizer = torch.optim.Adam(network.train().parameters(), 5e-4)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        error = (network(x) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
        error.mean().backward()
        optimizer.step()

    return once


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = {}
    for size in (64, 128):
        torch.manual_seed(0)
        ours = MgNO(1, 1, (size, size), WIDTH, LAYERS, [[1, 0]] * (LEVELS - 1) + [[2, 0]])
        plain = Plain(ours)
        x, y = torch.randn(2, BATCH, 1, size, size)
        with torch.no_grad():
            a, b = ours(x), plain(x)
        difference = float((a - b).norm() / b.norm())
        if difference > 1e-5:  # float32 round-off of the same formula
            raise SystemExit(f"the two forms differ by {difference:.1e}")
        times = interleaved({"ours": step(ours, x, y), "plain": step(plain, x, y)}, given.rounds)
        ratio, low, high = ratio_interval(times["ours"], times["plain"])
        rows[f"{size}^2"] = {
            "ours_s": median(times["ours"]),
            "plain_s": median(times["plain"]),
            "ratio": ratio,
            "low": low,
            "high": high,
            "output difference": difference,
        }
        sys.stdout.write(f"{size}^2: {ratio:.3f} x plain [{low:.3f}, {high:.3f}]\n")
    facts = {"baseline": "plain", "threads": given.threads, "batch": BATCH}
    store_result("mgno_step", facts | {"rows": rows})


if __name__ == "__main__":
    main()
