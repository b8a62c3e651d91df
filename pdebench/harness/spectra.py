"""Energy spectra of answers beside the reference's, for the boards."""

from typing import Any

import numpy as np
from torch import Tensor

from pdebench.domain import Grid
from pdebench.metrics.spectra import energy_spectrum
from pdebench.problem import Problem

Spectrum = np.ndarray[Any, np.dtype[np.float32]]


def spectra(problem: Problem, prediction: Tensor, reference: Tensor) -> dict[str, Spectrum]:
    """Return E(k) of frames (B, T, C, *S) of prediction and reference, (T, K) each, means over the
    batch. Empty on anything but a torus.
    """
    domain = problem.domain
    if not (isinstance(domain, Grid) and domain.is_torus):
        return {}
    found: dict[str, Spectrum] = {}
    for name, frames in (("prediction", prediction), ("reference", reference)):
        spectrum = energy_spectrum(frames.detach().cpu().double(), domain).mean(0)
        found[f"spectrum/{name}"] = spectrum.float().numpy()
    return found
