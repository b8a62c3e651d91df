"""The Taylor-Green vortex at Re 100 and 1600, exact Beltrami decay, and the energy budget."""

import math
from collections.abc import Sequence

import torch
from pdebench_spectral.velocity import evolve_velocity
from torch import Tensor

from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.spectral import Modes
from pdebench.testing.validation import Curve, Picture, Row, Section

BOX = (2 * math.pi,) * 3
INDEPENDENT = "independent double-precision program (rotational form, RK4)"
# dissipation at t = 1..7, Re = 100, 48^3
RE_100 = (0.007769, 0.009266, 0.01122, 0.012575, 0.012968, 0.012298, 0.010695)
# Re = 1600 on 64^3: t -> dissipation
RE_1600 = {
    1: 5.188e-4, 2: 7.075e-4, 3: 1.123e-3, 4: 2.003e-3, 5: 3.929e-3, 7: 9.062e-3, 9: 1.330e-2,
    10: 1.270e-2,
}  # fmt: skip
ENERGY_1600 = {1: 0.124515, 2: 0.123917, 3: 0.123025, 4: 0.121527, 5: 0.118607}
# the same on 96^3: the resolved values that 64^3 is held against while it resolves them
FINE_1600 = {1: 5.188e-4, 2: 7.076e-4, 3: 1.126e-3, 4: 2.046e-3}


def _axes(n: int) -> tuple[Tensor, ...]:
    line = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
    return torch.meshgrid(line, line, line, indexing="ij")


def taylor_green(n: int) -> Tensor:
    """Return (sin x cos y cos z, -cos x sin y cos z, 0), (1, 3, n, n, n)."""
    x, y, z = _axes(n)
    plane = [x.sin() * y.cos() * z.cos(), -x.cos() * y.sin() * z.cos(), torch.zeros_like(x)]
    return torch.stack(plane)[None]


def history(n: int, nu: float, times: Sequence[float], cfl: float = 0.8) -> tuple[Tensor, Tensor]:
    """Return energy <|u|^2>/2 and dissipation nu <|curl u|^2> at ``times``, frame by frame."""
    modes, u = Modes.of((n,) * 3, BOX), taylor_green(n)
    energy, dissipation, now = [], [], 0.0
    for until in times:
        if until > now:
            law = FilteredNavierStokes()
            u = evolve_velocity(u, [until], nu, law, extent=BOX, start=now, cfl=cfl)[:, 0]
        now = until
        power = modes.forward(u).abs().square()
        power = power * torch.where(modes.k[-1] == 0, 1.0, 2.0) / n**6
        energy.append(power.sum() / 2)
        # <|curl u|^2> = <|grad u|^2> for solenoidal fields
        dissipation.append(nu * (modes.square * power).sum())
    return torch.stack(energy), torch.stack(dissipation)


def _exact() -> list[Row]:
    x, y, z = _axes(24)
    flow = [z.sin() + 0.6 * y.cos(), 0.8 * x.sin() + z.cos(), 0.6 * y.sin() + 0.8 * x.cos()]
    u0, nu, t = torch.stack(flow)[None], 0.1, 2.0
    u = evolve_velocity(u0, [t], nu, FilteredNavierStokes(), extent=BOX)[:, 0]
    error = float((u - u0 * math.exp(-nu * t)).norm() / (u0 * math.exp(-nu * t)).norm())
    modes = Modes.of((24,) * 3, BOX)
    v = evolve_velocity(taylor_green(24), [2.0], 0.01, FilteredNavierStokes(), extent=BOX)[:, 0]
    divergence = FilteredNavierStokes().divergence(v, modes).abs().max() / v.abs().max()
    mirror = v.flip(-3).roll(1, -3) * torch.tensor([-1.0, 1, 1]).view(3, 1, 1, 1)
    return [
        Row.below("ABC (Beltrami) flow at t = 2: relative L2 error", error, 1e-13,
                  "exact: u = u0 exp(-nu t)"),
        Row.below("Taylor-Green at t = 2: max |div u| / max |u|", float(divergence), 1e-12, "law"),
        Row.below("Taylor-Green at t = 2: defect of the mirror x -> -x",
                  float((mirror - v).norm() / v.norm()), 1e-12, "symmetry"),
    ]  # fmt: skip


def _reynolds_100() -> tuple[list[Row], Picture]:
    h = 0.025
    times = [0.0] + [t + d for t in range(1, 8) for d in (-h, 0.0, h)]
    energy, dissipation = history(48, 0.01, times)
    centre = dissipation[2::3]
    rows = [
        Row.near("Re 100, dissipation at t = 0", float(dissipation[0]), 0.0075, 1e-9,
                 "exact: 3 / (4 Re)"),
        *(
            Row.near(f"Re 100, 48^3, dissipation at t = {t}", float(centre[t - 1]), value, 1e-3,
                     INDEPENDENT)
            for t, value in enumerate(RE_100, 1)
        ),
    ]  # fmt: skip
    rate = (energy[3::3] - energy[1::3]) / (2 * h)
    defect = ((rate + centre) / centre).abs().max()
    rows.append(
        Row.below("Re 100: |dE/dt + dissipation| / dissipation, worst of t = 1..7", float(defect),
                  2e-3, f"law; central differences over {h} leave about 1e-4 to 1e-3")
    )  # fmt: skip
    curves = [
        Curve("ours, 48^3", list(range(1, 8)), centre.tolist()),
        Curve("independent program, 48^3", list(range(1, 8)), RE_100, published=True),
    ]
    title = "Taylor-Green, Re 100"
    return rows, Picture("re100", title, "t", "dissipation", curves)


def _reynolds_1600() -> tuple[list[Row], Picture]:
    times = [0.0, *(0.25 * i for i in range(1, 41))]
    found = {n: history(n, 1 / 1600, times) for n in (32, 64)}
    energy, dissipation = found[64]
    rows = [
        Row.near("Re 1600, dissipation at t = 0", float(dissipation[0]), 0.75 / 1600, 1e-9,
                 "exact: 3 / (4 Re)"),
        *(
            Row.near(f"Re 1600, 64^3, energy at t = {t}", float(energy[4 * t]), value, 1e-4,
                     INDEPENDENT)
            for t, value in ENERGY_1600.items()
        ),
        *(
            Row.near(f"Re 1600, 64^3, dissipation at t = {t}", float(dissipation[4 * t]), value,
                     0.01, f"{INDEPENDENT}, 64^3")
            for t, value in RE_1600.items()
        ),
        *(
            # 64^3 differs from 96^3 by .01 % at t = 2, .2 % at 3, 2 % at 4
            Row.near(f"Re 1600, 64^3, dissipation at t = {t}", float(dissipation[4 * t]), value,
                     {1: 5e-4, 2: 5e-4, 3: 5e-3, 4: 0.03}[t], f"{INDEPENDENT}, 96^3")
            for t, value in FINE_1600.items()
        ),
    ]  # fmt: skip
    peak = int(dissipation.argmax())
    rows += [
        Row.near("Re 1600, 64^3: peak dissipation", float(dissipation[peak]), 0.0129, 0.1,
                 "van Rees et al., J. Comput. Phys. 230 (2011), converged (quoted from memory); "
                 "64^3 overshoots"),
        Row.between("Re 1600, 64^3: time of the peak", times[peak], 8.75, 9.5,
                    "van Rees et al. 2011: about 9"),
    ]  # fmt: skip
    curves = [Curve(f"ours, {n}^3", times, found[n][1].tolist()) for n in found]
    curves.append(Curve("independent program, 64^3", list(RE_1600), list(RE_1600.values()), True))
    curves.append(Curve("van Rees et al. 2011, peak", [9.0], [0.0129], True))
    title = "Taylor-Green, Re 1600"
    return rows, Picture("re1600", title, "t", "dissipation", curves)


def validate() -> Section:
    """Return the three-dimensional figures that need no random numbers."""
    low, first = _reynolds_100()
    high, second = _reynolds_1600()
    return Section(
        "Three-dimensional flow: exact decay and the Taylor-Green vortex",
        "`pdebench_spectral.velocity` in float64 on [0, 2 pi)^3: divergence form under the strict "
        "two-thirds rule, integrating-factor RK4, adaptive steps.",
        [*_exact(), *low, *high],
        [first, second],
        "Re 1600 needs 256^3; 64^3 is within 0.2 % of 96^3 up to t = 3 and overshoots the peak.",
    )
