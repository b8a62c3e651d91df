"""PDEBench's six scores on 2D fields: vectorised against the plain loop over modes.

    python benchmarks/metrics.py [--quick]

The plain form is the definition written down (Takamoto et al. 2022, app. B, and the layout of the
program: batch, x, y, time, channel) with the work in the program's order: prediction and target
are transformed apart, shells are summed mode by mode, each sample for itself. Ours is
`pdebench.metrics.published.pdebench`. Both run in float32; the numbers must agree to 1e-5; the aim
is ten times the speed, and the result says where it is reached; ``transform`` is what the Fourier
transform of the error takes alone, which bounds it. Also the peak memory that every default metric
needs for 10^7 values (10^6 with --quick), in temporaries of the field's size: the aim is three.
"""

import argparse
import json
import math
import os
import sys
from typing import Any

import numpy as np
import torch
from metric_memory import temporaries
from report import interleaved, ratio_interval, store_result
from torch import Tensor

from pdebench.metrics.published import pdebench as ours

LOW, HIGH = 4, 12
SHAPES = ((1, 128, 128, 1, 1), (4, 128, 128, 1, 2), (8, 128, 128, 5, 2))  # (B, x, y, T, C)


def plain(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return the six scores of (B, x, y, T, C) fields, mode by mode."""
    error = prediction - target
    num_x, num_y = error.shape[1:3]
    squares = error.square()
    rim = squares[:, 0].sum(1) + squares[:, -1].sum(1)
    rim = rim + squares[:, :, 0].sum(1) + squares[:, :, -1].sum(1)
    gap = torch.fft.fftn(prediction, dim=(1, 2)) - torch.fft.fftn(target, dim=(1, 2))
    power = gap.abs().square()
    num = min(num_x // 2, num_y // 2)
    sums = torch.zeros(len(error), num, *power.shape[3:])
    for i in range(num_x // 2):
        for j in range(num_y // 2):
            shell = math.isqrt(i * i + j * j)
            if shell < num:
                sums[:, shell] += power[:, i, j]
    amplitude = sums.mean(0).sqrt() / (num_x * num_y)
    bands = [amplitude[:LOW], amplitude[LOW:HIGH], amplitude[HIGH:]]
    rms = squares.mean((1, 2)).sqrt()
    return {
        "rmse": rms.mean(0).T,
        "nrmse": (rms / target.square().mean((1, 2)).sqrt()).mean(0).T,
        "crmse": error.sum((1, 2)).square().mean(0).sqrt().T / (num_x * num_y),
        "max": error.abs().amax((0, 1, 2)).T,
        "brmse": (rim / (2 * num_x + 2 * num_y)).sqrt().mean(0).T,
        "frmse": torch.stack([band.mean(0) for band in bands]).permute(2, 0, 1),
    }


def vectorised(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return the same by the suite's functions."""
    order = (0, 3, 4, 1, 2)  # the change of layout is ours to pay for
    return ours.scores(prediction.permute(order), target.permute(order))


def speed(shape: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Return the speed-up with its interval, seconds and differences on fields (B, x, y, T, C)."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(shape, generator=generator)
    prediction = target + 0.1 * torch.randn(shape, generator=generator)
    slow, fast = plain(prediction, target), vectorised(prediction, target)
    error = (prediction - target).permute(0, 3, 4, 1, 2).contiguous()
    work = {
        "plain": lambda: plain(prediction, target),
        "ours": lambda: vectorised(prediction, target),
        "transform": lambda: torch.fft.rfftn(error, dim=(3, 4)),
    }
    seconds = interleaved(work, rounds, warmup=1)
    ratio, low, high = ratio_interval(seconds["plain"], seconds["ours"])
    return {
        "speedup": ratio,
        "bound": float(np.median(seconds["plain"]) / np.median(seconds["transform"])),
        "low": low,
        "high": high,
        "seconds": {name: float(np.median(values)) for name, values in seconds.items()},
        "relative_difference": {
            # a band without a shell is NaN in both
            k: float((fast[k] - slow[k]).nan_to_num().norm() / slow[k].nan_to_num().norm())
            for k in slow
        },
    }


def main() -> int:
    """Run, print and store; return 1 where the numbers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller fields")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    load = os.getloadavg()[0]  # of other work: wall times beside it are no more than a hint
    cases = {str(shape): speed(shape, 3 if quick else 21) for shape in SHAPES}
    points = 10**6 if quick else 10**7
    memory = temporaries(points)
    agree = all(max(case["relative_difference"].values()) <= 1e-5 for case in cases.values())
    fast = [shape for shape, case in cases.items() if case["speedup"] >= 10]
    content = {
        "load average": load,
        "cases": cases,
        "temporaries": {"points": points, "fields": memory},
        "met": {
            "same numbers": agree,
            "ten times as fast": fast,
            "more than three temporaries": [
                name for name, cases in memory.items() if max(cases.values()) > 3
            ],
        },
    }
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
    store_result("metrics", content)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
