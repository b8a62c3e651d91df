"""A batch of trajectories to T = 1 on 64^2: our solver against the published recipe at equal error.

    python benchmarks/spectral_trajectory.py [--threads 2] [--batch 20] [--rounds 3]

Published recipe (Li et al., ICLR 2021, data generation): complex FFTs, Crank-Nicolson for the
viscous term, explicit Euler for advection and forcing, 2/3 rule, dt = 1e-4; written here plainly
from its formulas. Ours: the coarsest step of a ladder whose error against a fine reference (96^2,
IFRK4, h = 1/400) is not above the published recipe's. Both compute in float64; float32, which the
published program uses, is reported too.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from pdebench_navier_stokes.field import draw
from pdebench_spectral.evolve import evolve
from report import interleaved, ratio_interval, store_result

from pdebench.equations.vorticity import DiagonalForcing
from pdebench.spectral import resample

GRID, END, DT = 64, 1.0, 1e-4
LADDER = (0.5, 0.25, 0.2, 0.125, 0.1, 0.05, 0.025, 0.0125)


def published(w0: Tensor, viscosity: float, forcing: Tensor) -> Tensor:
    """Return w(T) by the published recipe: every field as a full complex spectrum."""
    num = w0.shape[-1]
    k = torch.fft.fftfreq(num, 1 / num, dtype=w0.dtype)
    kx, ky = torch.meshgrid(k, k, indexing="ij")
    square = 4 * math.pi**2 * (kx**2 + ky**2)
    inverse = torch.where(square > 0, 1 / square, torch.ones_like(square))
    inverse[0, 0] = 0.0
    limit = 2 / 3 * (num // 2)
    kept = ((kx.abs() <= limit) & (ky.abs() <= limit)).to(w0.dtype)
    force = torch.fft.fft2(forcing)
    w = torch.fft.fft2(w0)
    factor = 0.5 * DT * viscosity * square
    for _ in range(round(END / DT)):
        psi = w * inverse
        u = torch.fft.ifft2(2j * math.pi * ky * psi).real
        v = torch.fft.ifft2(-2j * math.pi * kx * psi).real
        w_x = torch.fft.ifft2(2j * math.pi * kx * w).real
        w_y = torch.fft.ifft2(2j * math.pi * ky * w).real
        advection = kept * torch.fft.fft2(u * w_x + v * w_y)
        w = (w - DT * advection + DT * force - factor * w) / (1 + factor)
    return torch.fft.ifft2(w).real


def relative(a: Tensor, b: Tensor) -> float:
    """Return the relative L2 difference."""
    return float((a.double() - b).norm() / b.norm())


def compare(viscosity: float, batch: int, rounds: int) -> dict[str, object]:
    """Return errors, seconds and ratios at one viscosity."""
    w0 = torch.as_tensor(draw("benchmark/test", range(batch), GRID, 21, 2.5, 7.0)).double()
    forcing = DiagonalForcing(0.1)
    settings = {"viscosity": viscosity, "forcing": forcing}
    fine = resample(
        evolve(resample(w0, (96, 96)), [END], step=1 / 400, **settings)[:, 0], (GRID, GRID)
    )
    x = torch.arange(GRID, dtype=torch.float64) / GRID
    angle = 2 * math.pi * (x[:, None] + x)
    force = 0.1 * (torch.sin(angle) + torch.cos(angle))
    answers = {
        "published float64": published(w0, viscosity, force),
        "published float32": published(w0.float(), viscosity, force.float()),
    }
    allowed = relative(answers["published float64"], fine)
    for step in LADDER:
        error = relative(evolve(w0, [END], step=step, **settings)[:, 0], fine)
        if error <= allowed:
            break
    else:
        raise SystemExit(f"no step of the ladder reaches the published error {allowed:.1e}")
    seconds = interleaved(
        {
            "ours": lambda: evolve(w0, [END], step=step, **settings),
            "published float64": lambda: published(w0, viscosity, force),
            "published float32": lambda: published(w0.float(), viscosity, force.float()),
        },
        rounds,
        warmup=0,
    )
    found: dict[str, object] = {
        "step": step,
        "errors": {"ours": error} | {k: relative(v, fine) for k, v in answers.items()},
    }
    for name, values in seconds.items():
        ratio, low, high = ratio_interval(values, seconds["ours"])
        found[name] = {
            "median_s": sorted(values)[len(values) // 2],
            "times_ours": ratio,
            "low": low,
            "high": high,
        }
        median = sorted(values)[len(values) // 2]
        sys.stdout.write(f"nu={viscosity:g} {name:<20} {median:9.4f} s {ratio:9.1f} x ours\n")
    return found


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    began = time.time()
    rows = {f"nu={nu:g}": compare(nu, options.batch, options.rounds) for nu in (1e-3, 1e-5)}
    store_result(
        "spectral_trajectory",
        {
            "rows": rows,
            "threads": options.threads,
            "batch": options.batch,
            "elapsed_s": time.time() - began,
        },
    )


if __name__ == "__main__":
    main()
