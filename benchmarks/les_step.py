"""One Runge-Kutta step of large-eddy simulation on 48^3 against its Fourier transforms alone.

    python benchmarks/les_step.py [--threads 1] [--rounds 31] [--grid 48]

A step is four evaluations of  P[-div(u u + tau)]  and the combinations of the integrating-factor
scheme, in float32, as `pdebench_spectral.velocity` takes them under the two-thirds rule. The bound
is the time of as many three-dimensional real transforms of the whole spectrum, counted by wrapping
them, of the same batches: what a step would cost if everything between them were free. Ours leave
out the columns that the two-thirds rule drops.
"""

import argparse
import math
import sys
from statistics import median

import torch
from hydra.utils import instantiate
from pdebench_spectral.velocity import Stepper
from report import interleaved, ratio_interval, store_result

from pdebench.config import compose
from pdebench.equations.closures import NoClosure
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.spectral import Modes

MODELS = {
    "implicit": "coarse_dns",
    "smagorinsky": "les_smagorinsky",
    "dynamic": "les_dynamic",
    "wale": "les_wale",
    "gradient": "les_gradient",
}

_TRANSFORMS = {"rfftn": "forward", "irfftn": "inverse", "rfft": "forward", "irfft": "inverse"}


class Recorder:
    """Lists the batches of real transforms while it is active, those of cut spectra, whose last
    axis is transformed apart, included.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self._saved = {name: getattr(torch.fft, name) for name in _TRANSFORMS}

    def __enter__(self) -> "Recorder":
        for name, transform in self._saved.items():
            setattr(torch.fft, name, self._recording(transform, _TRANSFORMS[name]))
        return self

    def _recording(self, transform, kind: str):
        def recorded(x, *args, **kwargs):
            self.calls.append((kind, math.prod(x.shape[:-3])))
            return transform(x, *args, **kwargs)

        return recorded

    def __exit__(self, *_: object) -> None:
        for name, transform in self._saved.items():
            setattr(torch.fft, name, transform)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--grid", type=int, default=48)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    n = given.grid
    modes = Modes.of((n,) * 3, (2 * math.pi,) * 3, dtype=torch.float32)
    field = torch.randn(1, 3, n, n, n, generator=torch.Generator().manual_seed(0))
    smooth = torch.exp(-modes.square / 30) * modes.kept
    u_hat = modes.project(modes.forward(field) * smooth)
    pruned = modes.pruned
    cut = u_hat[..., : pruned.k[-1].shape[-1]].contiguous()
    width = 2 * math.pi / (2 * n / 3)
    work, transforms = {}, {}
    for name, config in MODELS.items():
        closure = instantiate(compose([f"solver={config}"]).solver, _convert_="all").closure
        law = FilteredNavierStokes(closure(width=width) if closure else NoClosure())
        whole = Stepper(law, modes, -0.01 * modes.square).of_size(1e-3)
        step = Stepper(law, pruned, -0.01 * pruned.square).of_size(1e-3)
        with Recorder() as seen:  # the same step with transforms of whole spectra
            whole(u_hat)
        fields = {m: torch.randn(m, n, n, n) for _, m in seen.calls}
        halves = {m: torch.fft.rfftn(x, dim=(-3, -2, -1)) for m, x in fields.items()}

        def alone(calls=seen.calls, fields=fields, halves=halves) -> None:
            for kind, m in calls:
                if kind == "forward":
                    torch.fft.rfftn(fields[m], dim=(-3, -2, -1))
                else:
                    torch.fft.irfftn(halves[m], s=(n, n, n), dim=(-3, -2, -1))

        work[name] = lambda step=step: step(cut)
        work[f"{name}, transforms"] = alone
        transforms[name] = sum(m for _, m in seen.calls)
    times = interleaved(work, given.rounds)
    rows = {}
    for name in MODELS:
        ratio, low, high = ratio_interval(times[name], times[f"{name}, transforms"])
        rows[name] = {
            "seconds": median(times[name]),
            "transforms_of_fields": transforms[name],
            "ratio_to_transforms": ratio,
            "low": low,
            "high": high,
        }
        sys.stdout.write(
            f"{name:<12} {1e3 * median(times[name]):7.1f} ms, {transforms[name]:4d} transforms, "
            f"{ratio:.2f} x their time [{low:.2f}, {high:.2f}]\n"
        )
    store_result("les_step", {"grid": n, "threads": given.threads, "rows": rows})


if __name__ == "__main__":
    main()
