"""Energy spectra of answers beside the reference's, for the boards."""

from typing import Any

import numpy as np
from torch import Tensor

from pdebench.domain import Grid
from pdebench.metrics.spectra import energy_spectrum
from pdebench.problem import Problem, Solution

Spectrum = np.ndarray[Any, np.dtype[np.float32]]


def spectra(problem: Problem, solution: Solution, target: Tensor) -> dict[str, Spectrum]:
    """Return E(k) of prediction and reference, (frames, K) each, means over the batch.

    First and last asked frame; one frame of steady fields. Empty on anything but a torus.
    """
    domain = problem.domain
    if not (isinstance(domain, Grid) and domain.is_torus):
        return {}
    found: dict[str, Spectrum] = {}
    for name, u in (("prediction", solution.u), ("reference", target)):
        frames = u[:, None] if problem.times is None else u[:, [0, -1]]
        spectrum = energy_spectrum(frames.detach().cpu().double(), domain).mean(0)
        found[f"spectrum/{name}"] = spectrum.float().numpy()
    return found
