"""Numbers that tell how turbulent a flow is, and whether a simulation resolves it."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.spectral import Modes


@final
@dataclass(frozen=True)
class FlowStatistics:
    """One instant of isotropic turbulence, Pope, Turbulent Flows (2000), ch. 6.

    Attributes:
        energy: E = <|u|^2> / 2.
        dissipation: eps = nu <|grad u|^2>.
        reynolds: Re_lambda = u' sqrt(15 nu u'^2 / eps) / nu,  u'^2 = 2 E / 3.
        resolution: k_max eta, eta = (nu^3 / eps)^{1/4}; 1.5 and more is resolved.
        length: L = pi / (2 u'^2) sum_k E(k) / k, the integral scale.
        turnover: L / u', time.
        skewness: <(du/dx)^3> / <(du/dx)^2>^{3/2}, mean over the axes; about -0.5 once developed.
    """

    energy: float
    dissipation: float
    reynolds: float
    resolution: float
    length: float
    turnover: float
    skewness: float


def flow_statistics(
    u: Tensor, viscosity: float, modes: Modes, largest: float | None = None
) -> FlowStatistics:
    """Return the statistics of one velocity field (3, n, n, n) on [0, L)^3.

    ``largest`` counts the waves of k_max; n / 3, the two-thirds rule's, by default.
    """
    u_hat = modes.forward(u)
    weight = torch.where(modes.k[-1] == 0, 1.0, 2.0)
    power = (u_hat.abs().square().sum(0) * weight) / u[0].numel() ** 2
    energy = float(power.sum()) / 2
    dissipation = viscosity * float((modes.square * power).sum())
    u_rms = (2 * energy / 3) ** 0.5
    length = torch.pi / (4 * u_rms**2) * float((power * modes.inverse_square.sqrt()).sum())
    slopes = [modes.inverse(modes.slopes[a] * u_hat[a]) for a in range(3)]
    skewness = sum(float((s**3).mean() / (s**2).mean() ** 1.5) for s in slopes) / 3
    k_max = torch.pi * 2 / max(modes.extent) * (largest or max(modes.shape) / 3)
    return FlowStatistics(
        energy=energy,
        dissipation=dissipation,
        reynolds=u_rms**2 * (15 / (viscosity * dissipation)) ** 0.5,
        resolution=k_max * (viscosity**3 / dissipation) ** 0.25,
        length=length,
        turnover=length / u_rms,
        skewness=skewness,
    )
