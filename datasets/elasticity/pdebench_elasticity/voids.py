"""Random voids: shape numbers of r(theta), drawn once and meshed at any fineness."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pdebench.equations.unit_cell import MODES
from pdebench.generation import sample_generator

Array = NDArray[Any]
Prior = Literal["published", "amplitude", "modes", "ellipse"]
_AMPLITUDE, _MODES = 4.0, 5  # Li et al., Geo-FNO, sec. 4.1; 10 coefficients as in their files
_SEMI_AXES = (0.24, 0.38)  # inside the radii 0.2 to 0.4 that the form can give


def draw(stream: str, index: int, prior: Prior) -> Array:
    """Return the shape numbers (17,) of one void.

        s = sum_{k=1}^{5} 4 (k^2 + 9)^{-1/2} pi^{-1/2} (xi_k cos k theta + eta_k sin k theta)

    Gaussian field of covariance 16 (-d^2/dtheta^2 + 9)^{-1}, cut at five harmonics: without the cut
    the boundary is as rough as a Brownian path and stresses have no limit under refinement.
    ``amplitude`` has 6 for 4, ``modes`` eight harmonics, ``ellipse`` a turned ellipse (cut at eight
    harmonics) that no draw of the prior resembles in its even symmetry.
    """
    random = sample_generator(stream, index)
    if prior == "ellipse":
        return _ellipse(*random.uniform(*_SEMI_AXES, 2), random.uniform(0, np.pi))
    amplitude = 6.0 if prior == "amplitude" else _AMPLITUDE
    k = np.arange(1, MODES + 1)
    size = amplitude / np.sqrt(np.pi * (k**2 + 9))
    kept = MODES if prior == "modes" else _MODES
    numbers = np.zeros(2 * MODES + 1)
    for start in (1, MODES + 1):
        numbers[start : start + MODES] = size * random.standard_normal(MODES) * (k <= kept)
    return numbers


def _ellipse(a: float, b: float, angle: float) -> Array:
    """Return the shape numbers of an ellipse with semi-axes a and b, turned by ``angle``."""
    theta = 2 * np.pi * np.arange(64) / 64
    away = theta - angle
    r = a * b / np.sqrt((b * np.cos(away)) ** 2 + (a * np.sin(away)) ** 2)
    waves = np.fft.rfft(np.log(0.2 / (r - 0.2) - 1)) / len(theta)
    k = slice(1, MODES + 1)
    return np.concatenate([waves[:1].real, 2 * waves[k].real, -2 * waves[k].imag])
