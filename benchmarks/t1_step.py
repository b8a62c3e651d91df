"""A training step of Transform Once against our FNO from 64^2 to 512^2 points.

    python benchmarks/t1_step.py [--threads 2] [--rounds 7]

24 wavenumbers per axis and four layers in both (48 modes with both signs in FNO); width 64 in T1
and 32 in FNO, which gives 2.4 and 2.5 million real weights per layer. T1 is trained in coefficients
(no transform back), one field in and one out, batch 4, Adam, float32. The claim: three to ten times
faster, more so at higher resolution (Poli et al., NeurIPS 2022).
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from statistics import median

import torch
from pdebench_fno.network import FNO
from pdebench_t1.network import T1
from report import RESULTS, interleaved, ratio_interval, store_result
from torch import Tensor, nn

MODES, BATCH = 24, 4


def parameters(network: nn.Module) -> int:
    """Return real numbers that are trained."""
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in network.parameters())


def step(network: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """Return one training step as a function."""
    optimizer = torch.optim.Adam(network.train().parameters(), 1e-4)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return once


def draw(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the speed-up over the resolution, with its interval, as an SVG beside the result."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.5, 3), layout="constrained")
    sizes = [int(name.partition("^")[0]) for name in rows]
    middle = [row["speedup"] for row in rows.values()]
    ends = [[abs(row[end] - row["speedup"]) for row in rows.values()] for end in ("low", "high")]
    axes.errorbar(sizes, middle, ends, marker="o", capsize=3)
    axes.axhline(3, linestyle=":", color="gray")
    axes.set(xscale="log", xlabel="points per axis", ylabel="FNO step / T1 step", xticks=sizes)
    axes.set_xticklabels(list(map(str, sizes)))
    axes.minorticks_off()
    figure.savefig(RESULTS / "t1_step.svg", metadata={"Date": None})


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows: dict[str, dict[str, float]] = {}
    for size in (64, 128, 256, 512):
        torch.manual_seed(0)
        fno = FNO((2 * MODES, 2 * MODES), 1, 1, width=32, layers=4)
        t1 = T1(1, 1, (size, size), modes=(MODES, MODES), width=64, layers=4)
        x, y = torch.randn(2, BATCH, 1, size, size)

        def in_fields(fno=fno, x=x, y=y) -> Tensor:
            return (fno(x) - y).square().mean()

        def in_coefficients(t1=t1, x=x, y=y) -> Tensor:
            # the target's transform is part of the step
            return (t1.coefficients(x) - t1.plan(x).forward(y)).square().mean()

        work = {"t1": step(t1, in_coefficients), "fno": step(fno, in_fields)}
        times = interleaved(work, given.rounds)
        ratio, low, high = ratio_interval(times["fno"], times["t1"])
        rows[f"{size}^2"] = {
            "t1_s": median(times["t1"]),
            "fno_s": median(times["fno"]),
            "speedup": ratio,
            "low": low,
            "high": high,
            "t1_parameters": parameters(t1),
            "fno_parameters": parameters(fno),
        }
        sys.stdout.write(f"{size}^2: T1 {ratio:.2f}x faster [{low:.2f}, {high:.2f}]\n")
    store_result("t1_step", {"rows": rows, "threads": given.threads, "batch": BATCH})
    draw(rows)


if __name__ == "__main__":
    main()
