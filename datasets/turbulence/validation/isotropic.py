"""Driven isotropic turbulence: energy budget, scales and spectrum of a stationary flow."""

import math

import torch
from pdebench_spectral.velocity import evolve_velocity
from pdebench_turbulence.isotropic_recipe import draw_velocity
from pdebench_turbulence.statistics import FlowStatistics, flow_statistics

from pdebench.domain import Grid
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.forcing import ConstantPower
from pdebench.metrics.spectra import energy_spectrum
from pdebench.spectral import Modes
from pdebench.testing.validation import Curve, Picture, Row, Section

BOX = (2 * math.pi,) * 3
INDEPENDENT = "independent double-precision program"
NU_32 = 0.0797  # (1.5 / k_max)^{4/3} with k_max = 10: k_max eta = 1.5 at unit power


def _stationary(
    n: int, nu: float, start: float, stop: float, spacing: float
) -> tuple[list[FlowStatistics], torch.Tensor, float]:
    """Return statistics of every frame, the mean spectrum, and the defect of the energy budget."""
    law, h = FilteredNavierStokes(forcing=ConstantPower(1.0)), 0.01
    grid, modes = Grid.torus((n,) * 3, 2 * math.pi), Modes.of((n,) * 3, BOX)
    u, now, frames, spectra = draw_velocity("validation", 0, n, 3.0)[None], 0.0, [], []
    for step in range(round((stop - start) / spacing) + 1):
        until = start + step * spacing
        u = evolve_velocity(u, [until], nu, law, extent=BOX, start=now)[:, 0]
        now = until
        frames.append(flow_statistics(u[0], nu, modes))
        spectra.append(energy_spectrum(u, grid)[0])
    around = evolve_velocity(u, [h, 2 * h], nu, law, extent=BOX, step=h / 2)[0]
    energies = [float(v.square().sum(0).mean()) / 2 for v in (u[0], *around)]
    middle = flow_statistics(around[0], nu, modes).dissipation
    defect = abs((energies[2] - energies[0]) / (2 * h) - 1.0 + middle) / middle
    return frames, torch.stack(spectra).mean(0), defect


def _mean(frames: list[FlowStatistics], name: str) -> float:
    return sum(getattr(frame, name) for frame in frames) / len(frames)


def validate() -> Section:
    """Return figures of flows driven with unit power below |k| = 2.5."""
    frames, low, defect = _stationary(32, NU_32, 6.0, 26.0, 0.5)
    finer, high, _ = _stationary(64, 0.0301, 6.0, 12.0, 0.5)
    source = f"{INDEPENDENT}, one run"
    rows = [
        Row.below("32^3: |dE/dt - power + dissipation| / dissipation", defect, 1e-4,
                  "law; central differences"),
        Row.between("32^3: dissipation, mean over t = 6..26", _mean(frames, "dissipation"), 0.88,
                    1.06, source),
        Row.between("32^3: Re_lambda", _mean(frames, "reynolds"), 15.0, 19.0, f"{source}: 17"),
        Row.between("32^3: energy <|u|^2>/2", _mean(frames, "energy"), 1.5, 2.2,
                    f"{source}: 1.83"),
        Row.between("32^3: k_max eta, k_max = N/3", _mean(frames, "resolution"), 1.45, 1.65,
                    f"{source}: 1.52"),
        Row.between("32^3: skewness of du/dx", _mean(frames, "skewness"), -0.50, -0.30,
                    f"{source}: -0.37"),
        Row.between("64^3: Re_lambda", _mean(finer, "reynolds"), 25.0, 36.0,
                    "predicted: about 30"),
        Row.between("64^3: skewness of du/dx", _mean(finer, "skewness"), -0.60, -0.40,
                    "experiments and simulations: about -0.5 (Sreenivasan and Antonia 1997)"),
    ]  # fmt: skip
    curves = []
    for n, nu, flow, spectrum in ((32, NU_32, frames, low), (64, 0.0301, finer, high)):
        epsilon = _mean(flow, "dissipation")
        eta = (nu**3 / epsilon) ** 0.25
        k = torch.arange(1, n // 3 + 1)
        scaled = spectrum[k] * k ** (5 / 3) / epsilon ** (2 / 3)
        curves.append(Curve(f"{n}^3", (k * eta).tolist(), scaled.tolist()))
    curves.append(Curve("C = 1.6 (Sreenivasan 1995)", [0.05, 0.15], [1.6, 1.6], published=True))
    compensated = curves[1].y[1:4]
    rows.append(
        Row.between("64^3: eps^(-2/3) k^(5/3) E(k), mean of k = 2..4", sum(compensated) / 3, 1.2,
                    2.4, "Kolmogorov constant 1.6 (Sreenivasan, Phys. Fluids 7, 1995); bottleneck")
    )  # fmt: skip
    title = "Compensated spectrum, unit power"
    y = "eps^(-2/3) k^(5/3) E(k)"
    return Section(
        "Driven isotropic turbulence",
        "Forcing f = power u_low / (2 E_low) below |k| = 2.5, power 1, float64; viscosity so that "
        "k_max eta is 1.5: 0.0797 on 32^3, 0.0301 on 64^3.",
        rows,
        [Picture("spectrum", title, "k eta", y, curves, "log", "log")],
        "At these Reynolds numbers no decade of k^(-5/3) exists: the compensated spectrum touches "
        "the Kolmogorov constant over a few shells only. A range needs 256^3 and more.",
    )
