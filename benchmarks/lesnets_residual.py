"""The residual of a block of 32^3 x 8 frames with its gradient, against its transforms alone.

    python benchmarks/lesnets_residual.py [--threads 1 2] [--rounds 7]

The residual is that of the filtered Navier-Stokes equations with Smagorinsky's closure, two-thirds
rule, central differences, continuity included, as the operator is trained on it; the gradient is by
the frames. The bound is the time of as many real transforms of such fields: per frame 3 forward of
u, 6 inverse for the strain, 6 forward for the fluxes, 4 inverse for rates and continuity, and as
many for the gradient, counted here by wrapping the transforms, all of whole spectra; ours leave out
the columns of the fluxes' spectra that the two-thirds rule drops. The peer writes every derivative
of the velocity out and takes the divergence form term by term.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from pdebench_lesnets.physics import Physics
from report import interleaved, ratio_interval, store_result
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.closures import Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.problem import Problem
from pdebench.spectral import Modes

_TRANSFORMS = ("rfftn", "irfftn", "rfft", "irfft")  # one-dimensional ones: the last axis
_COMPLEX = ("fftn", "ifftn")  # the other axes, after or before that
N, FRAMES, NU, STEP = 32, 8, 1 / 64, 0.02
WIDTH = 2 * math.pi / N


def _real(spectrum: Tensor) -> Tensor:
    return torch.fft.irfftn(spectrum, s=(N,) * 3, dim=(-3, -2, -1))


def plain(u: Tensor, modes: Modes, step: float) -> Tensor:
    """Return mean(R^2) + mean((div u)^2) with the full gradient and nine products."""
    used = u[1:-1]
    u_hat = torch.fft.rfftn(used, dim=(-3, -2, -1))
    g = [[_real(modes.slopes[j] * u_hat[:, i]) for j in range(3)] for i in range(3)]
    s = [[(g[i][j] + g[j][i]) / 2 for j in range(3)] for i in range(3)]
    size = (2 * sum(s[i][j] ** 2 for i in range(3) for j in range(3)) + 1e-30).sqrt()
    rates = []
    for i in range(3):
        total = torch.zeros_like(u_hat[:, 0])
        for j in range(3):
            flux = used[:, i] * used[:, j] - 2 * 0.01 * WIDTH**2 * size * s[i][j]
            total = total - modes.slopes[j] * torch.fft.rfftn(flux, dim=(-3, -2, -1)) * modes.kept
        rates.append(total)
    rate = modes.project(torch.stack(rates, 1)) - NU * modes.square * u_hat
    residual = (u[2:] - u[:-2]) / (2 * step) - _real(rate)
    divergence = g[0][0] + g[1][1] + g[2][2]
    return residual.square().mean() + divergence.square().mean()


class Counter:
    """Counts real transforms of single fields while it is active, those of cut spectra included,
    and the seconds in these and their complex parts.
    """

    def __init__(self) -> None:
        self.fields, self.seconds = 0, 0.0
        self._saved = {name: getattr(torch.fft, name) for name in _TRANSFORMS + _COMPLEX}

    def __enter__(self) -> "Counter":
        for name, transform in self._saved.items():
            setattr(torch.fft, name, self._counting(transform, name in _TRANSFORMS))
        return self

    def _counting(self, transform, real: bool):
        def counted(x, *args, **kwargs):
            began = time.perf_counter()
            found = transform(x, *args, **kwargs)
            self.seconds += time.perf_counter() - began
            if real:
                self.fields += (x if found.is_complex() else found).numel() // N**3
            return found

        return counted

    def __exit__(self, *_: object) -> None:
        for name, transform in self._saved.items():
            setattr(torch.fft, name, transform)


def saved_bytes(form, frames: Tensor) -> int:
    """Return the memory that the residual keeps for its gradient, every storage counted once."""
    held: dict[int, int] = {}

    def keep(t: Tensor) -> Tensor:
        held[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        form(frames.clone().requires_grad_())
    return sum(held.values())


def training_loss(frames: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the loss that the operator is trained on, mean(R^2) + mean((div u)^2)."""
    problem = Problem(
        FilteredNavierStokes(Smagorinsky(WIDTH, 0.01)),
        Grid.torus((N,) * 3, 2 * math.pi),
        {"velocity": frames[None, :1]},
        times=STEP * torch.arange(1, FRAMES, dtype=torch.float64),
        history=torch.zeros(1, dtype=torch.float64),
        parameters={"viscosity": torch.tensor([NU])},
    )
    physics = Physics(None, 1, (1 / 3, 1 / 3, 1 / 3, 1), None)
    return lambda u: physics.loss(u[None, 1:], problem)


def gradient(form: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Return the gradient of a loss by the frames."""
    u = frames.clone().requires_grad_()
    form(u).backward()
    assert u.grad is not None
    return u.grad


def measured(work: dict[str, Callable[[], object]], threads: int, rounds: int) -> dict:
    """Return ratios with intervals, medians, and the time that ours spends in its transforms."""
    torch.set_num_threads(threads)
    times = interleaved(work, rounds)
    rows = {}
    for against in ("transforms", "plain"):
        ratio, low, high = ratio_interval(times["ours"], times[against])
        rows[f"ours / {against}"] = {"ratio": ratio, "low": low, "high": high}
        sys.stdout.write(
            f"{threads} thread(s), ours / {against}: {ratio:.2f} [{low:.2f}, {high:.2f}]\n"
        )
    seconds = {name: median(values) for name, values in times.items()}
    with Counter() as counter:
        for _ in range(rounds):
            work["ours"]()
    return {"rows": rows, "seconds": {**seconds, "ours, in transforms": counter.seconds / rounds}}


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.manual_seed(0)
    modes = Modes.of((N,) * 3, (2 * math.pi,) * 3, dtype=torch.float32)
    frames = torch.randn(FRAMES, 3, N, N, N)
    frames = modes.inverse(modes.project(modes.forward(frames)) * torch.exp(-modes.square / 30))
    loss = training_loss(frames)

    def peer(u: Tensor) -> Tensor:
        return plain(u, modes, STEP)

    ours_gradient, plain_gradient = gradient(loss, frames)[1:], gradient(peer, frames)[1:]
    gap = float((ours_gradient - plain_gradient).norm() / plain_gradient.norm())
    with Counter() as counter:
        gradient(loss, frames)
    fields = counter.fields // 2
    block = torch.randn(fields, N, N, N)
    half = torch.fft.rfftn(block, dim=(-3, -2, -1))

    def transforms() -> None:
        # forward and backward of the residual: as many transforms each way
        torch.fft.rfftn(block, dim=(-3, -2, -1))
        torch.fft.irfftn(half, s=(N,) * 3, dim=(-3, -2, -1))

    work = {
        "ours": lambda: gradient(loss, frames),
        "plain": lambda: gradient(peer, frames),
        "transforms": transforms,
    }
    cases = {f"{n} threads" if n > 1 else "1 thread": n for n in given.threads}
    found = {name: measured(work, n, given.rounds) for name, n in cases.items()}
    facts = {
        "transforms_of_fields": counter.fields,
        "gradient_difference": gap,
        "block_bytes": frames.nbytes,
        "saved_for_gradient_bytes": saved_bytes(loss, frames),
    }
    store_result("lesnets_residual", {"cases": found, **facts})
    sys.stdout.write(f"{counter.fields} transforms of fields; gradients differ by {gap:.1e}\n")


if __name__ == "__main__":
    main()
