"""The solver against exact solutions, its order, conservation laws and the published program."""

import math
from itertools import pairwise

import pytest
import torch
from pdebench_spectral import reference
from pdebench_spectral.crank_nicolson_euler import CrankNicolsonEuler
from pdebench_spectral.etd_rk4 import ETDRK4
from pdebench_spectral.evolve import evolve
from pdebench_spectral.if_rk4 import IFRK4
from pdebench_spectral.scheme import Scheme
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import DiagonalForcing
from pdebench.errors import Diverged
from pdebench.spectral import Modes, resample, velocity
from pdebench.testing import golden

PUBLISHED = golden.archives("fno_ns_solver")
SCHEMES = [IFRK4(), ETDRK4(), CrankNicolsonEuler()]


def named(scheme: Scheme) -> str:
    return type(scheme).__name__


def field(num: int = 32, batch: int = 2, highest: int = 4, seed: int = 0) -> Tensor:
    """Band-limited random vorticity (B, n, n) of order one, the same function on every grid."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.arange(num, dtype=torch.float64) / num
    w = torch.zeros(batch, num, num, dtype=torch.float64)
    for _ in range(8):
        k = torch.randint(-highest, highest + 1, (2, batch, 1, 1), generator=generator)
        phase = torch.rand(batch, 1, 1, generator=generator, dtype=torch.float64)
        w += torch.cos(2 * math.pi * (k[0] * x[:, None] + k[1] * x + phase))
    return w - w.mean((1, 2), keepdim=True)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_program_is_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("scheme", SCHEMES[:2], ids=named)
@pytest.mark.parametrize("shape", [(16, 16), (24, 15)])
def test_taylor_green_decays_exactly(scheme: Scheme, shape: tuple[int, int]) -> None:
    """One wavenumber: advection vanishes, w = w0 exp(-nu |k|^2 t), exact for the exponential ones.

    Tolerance: float64 round-off over the steps.
    """
    nu, times = 0.01, [0.3, 1.0]
    x, y = (torch.arange(n, dtype=torch.float64) / n for n in shape)
    w0 = (torch.cos(2 * math.pi * x)[:, None] * torch.cos(2 * math.pi * y))[None]
    got = evolve(w0, times, nu, scheme=scheme, step=0.1)
    for frame, t in zip(got[0], times, strict=True):
        assert relative(frame, w0[0] * math.exp(-nu * 8 * math.pi**2 * t)) < 1e-12


@pytest.mark.parametrize(
    ("scheme", "order", "steps"),
    [
        (IFRK4(), 4, (0.1, 0.05, 0.025)),
        (ETDRK4(), 4, (0.1, 0.05, 0.025)),
        (CrankNicolsonEuler(), 1, (0.02, 0.01, 0.005)),
    ],
    ids=lambda v: named(v) if isinstance(v, Scheme) else "",
)
def test_error_falls_at_the_order_of_the_scheme(
    scheme: Scheme, order: int, steps: tuple[float, ...]
) -> None:
    settings = {"viscosity": 1e-3, "forcing": DiagonalForcing(0.1)}
    fine = evolve(field(), [0.6], scheme=IFRK4(), step=0.6 / 240, **settings)  # type: ignore[arg-type]
    errors = [
        relative(evolve(field(), [0.6], scheme=scheme, step=h, **settings), fine) for h in steps
    ]  # type: ignore[arg-type]
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(abs(slope - order) < 0.35 for slope in slopes), (errors, slopes)


@pytest.mark.parametrize("scheme", SCHEMES[:2], ids=named)
def test_inviscid_flow_conserves_energy_and_enstrophy(scheme: Scheme) -> None:
    """Dealiased Galerkin truncation conserves both; what is left is the error of the time steps."""
    w0 = field(48, highest=3)
    w = evolve(w0, [1.0], 0.0, scheme=scheme, step=0.01)[:, 0]
    modes = Modes.of((48, 48), (1.0, 1.0))
    for quantity in (
        lambda f: f.square().mean((1, 2)),
        lambda f: velocity(f, modes).square().mean((1, 2, 3)),
    ):
        change = (quantity(w) / quantity(w0) - 1).abs()
        assert float(change.max()) < 2e-6  # fourth order in a step of 0.01


def test_budgets_close() -> None:
    """d/dt <w^2>/2 = -nu <|grad w|^2> + <w f>, and the same for energy, by central differences."""
    nu, h = 2e-3, 1e-3
    grid = Grid.torus((48, 48))
    forcing = DiagonalForcing(0.1)
    w = evolve(field(48), [0.5 - h, 0.5, 0.5 + h], nu, forcing=forcing, step=h)
    modes = Modes.of((48, 48), (1.0, 1.0))
    f = forcing.on(grid).to(torch.float64)
    now = w[:, 1]
    gradient = torch.stack([modes.inverse(modes.forward(now) * s) for s in modes.slopes], 1)
    half = w.square().mean((2, 3)) / 2
    rate = (half[:, 2] - half[:, 0]) / (2 * h)
    balance = -nu * gradient.square().sum(1).mean((1, 2)) + (now * f).mean((1, 2))
    assert relative(rate, balance) < 1e-5  # central differences: h^2
    psi = modes.inverse(modes.forward(now) * modes.inverse_square)
    energy = torch.stack(
        [velocity(w[:, i], modes).square().sum(1).mean((1, 2)) / 2 for i in (0, 2)]
    )
    rate = (energy[1] - energy[0]) / (2 * h)
    balance = -nu * now.square().mean((1, 2)) + (psi * f).mean((1, 2))
    assert relative(rate, balance) < 1e-5


@pytest.mark.parametrize("shift", [(3, 0), (5, 11)])
def test_shifted_flows_are_shifted(shift: tuple[int, int]) -> None:
    w0 = field()
    moved = evolve(w0.roll(shift, (1, 2)), [0.5], 1e-3)
    assert relative(moved, evolve(w0, [0.5], 1e-3).roll(shift, (2, 3))) < 1e-10


def test_reflected_flows_are_reflected() -> None:
    """x -> -x turns w into -w."""
    w0 = field()

    def mirror(w: Tensor) -> Tensor:
        return -w.flip(-2).roll(1, -2)

    assert relative(evolve(mirror(w0), [0.5], 1e-3), mirror(evolve(w0, [0.5], 1e-3))) < 1e-10


def test_an_instance_does_not_see_the_others() -> None:
    w0 = torch.cat([field(batch=2), 30 * field(batch=1, seed=5)])
    together = evolve(w0, [0.4, 1.0], torch.tensor([1e-3, 2e-3, 1e-3], dtype=torch.float64))
    alone = torch.cat([evolve(w0[i : i + 1], [0.4, 1.0], (1e-3, 2e-3, 1e-3)[i]) for i in range(3)])
    assert relative(together, alone) < 1e-10


def test_finer_grids_agree() -> None:
    coarse = evolve(field(32), [1.0], 5e-3)
    fine = evolve(field(64), [1.0], 5e-3)
    assert relative(coarse, resample(fine, (32, 32))) < 1e-4


def test_float32_is_float64_to_single_precision() -> None:
    single = evolve(field(), [1.0], 1e-3, dtype=torch.float32)
    assert single.dtype == torch.float32
    assert relative(single.double(), evolve(field(), [1.0], 1e-3)) < 2e-5


def test_blow_up_names_its_time() -> None:
    with pytest.raises(Diverged, match=r"blew up by t=[\d.]+; use a smaller step"):
        evolve(100 * field(), [50.0], 1e-6, step=1.0)


def test_times_must_increase() -> None:
    with pytest.raises(ValueError, match="expected increasing times"):
        evolve(field(), [1.0, 0.5], 1e-3)
