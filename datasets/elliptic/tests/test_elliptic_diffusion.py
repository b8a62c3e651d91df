"""Diffusion: orders of accuracy, agreement of solvers, statistics of the coefficients, splits."""

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.fft
import torch
import xarray
from hydra.utils import instantiate
from pdebench_elliptic.diffusion import Diffusion
from pdebench_elliptic.laws import GaussianLaw, TrigonometricLaw, cosines, gaussian_coefficients
from pdebench_krylov.direct import Direct
from pdebench_krylov.fast_poisson import FastPoisson, sine_transform
from pdebench_krylov.incomplete import IncompleteCholesky
from pdebench_krylov.multigrid import Multigrid
from pdebench_krylov.solver import ConjugateGradients

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.dirichlet import Dirichlet
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.equations.flux_form import applied, harmonic_faces
from pdebench.errors import ConfigError, DataError, Unsupported
from pdebench.generation import sample_generator
from pdebench.problem import Problem

SINE = ConjugateGradients(FastPoisson(), 1e-10, 500)
COUNTS = {"train": 5, "valid": 1, "test": 2, "test_fine": 2, "ood_length": 1, "ood_lognormal": 1}
SHIFTS = {
    "ood_length": GaussianLaw(tau=6.0, modes=16),
    "ood_lognormal": GaussianLaw("lognormal", modes=16),
}


def darcy(n: int, a: np.ndarray, source: np.ndarray | None = None) -> Problem:
    inputs = {"coefficient": torch.from_numpy(a)[None, None]}
    if source is not None:
        inputs["source"] = torch.from_numpy(source)[None, None]
    return Problem(DivergenceForm(), Grid((Axis.interval(n),) * 2), inputs)


def test_smooth_coefficient_converges_at_second_order() -> None:
    """a = 1 + x y, u = sin(pi x) sin(2 pi y): f by hand."""
    errors = []
    for n in (17, 33, 65, 129):
        x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
        sx, cx = np.sin(np.pi * x), np.pi * np.cos(np.pi * x)
        sy, cy = np.sin(2 * np.pi * y), 2 * np.pi * np.cos(2 * np.pi * y)
        u = sx * sy
        f = 5 * np.pi**2 * (1 + x * y) * u - y * cx * sy - x * sx * cy
        got = SINE.solve(darcy(n, 1 + x * y, f)).u[0, 0].numpy()
        errors.append(np.sqrt(np.mean((got - u) ** 2)))
    orders = [np.log2(a / b) for a, b in pairwise(errors)]
    assert abs(orders[-1] - 2) < 0.02, orders  # 2.00 in the limit


def test_two_phases_converge_at_order_three_halves() -> None:
    """The mean over samples: a single one jumps with where the nodes fall about its interfaces."""
    law = GaussianLaw(modes=24)
    numbers = [law.draw(sample_generator("order", i)) for i in range(4)]
    found: dict[int, np.ndarray] = {}
    sizes = (33, 65, 129, 257)
    for n in sizes:
        x, step = np.linspace(0, 1, n), (n - 1) // 32
        fields = [SINE.solve(darcy(n, law.field(c, x, x))).u[0, 0].numpy() for c in numbers]
        found[n] = np.stack(fields)[:, ::step, ::step]
    errors = [np.linalg.norm(found[n] - found[257]) for n in sizes[:-1]]
    slope = np.log2(errors[0] / errors[2]) / 2
    assert 1.2 < slope < 1.8, (slope, errors)


def test_harmonic_means_are_exact_through_a_layer() -> None:
    """-(a u')' = 0 across a jump half way between nodes: resistances l_1 / a_1 + l_2 / a_2 add."""
    n = 10
    a = torch.ones(1, 1, n, dtype=torch.float64)
    a[..., n // 2 :] = 10.0
    drop = torch.full((n - 1,), 0.1, dtype=torch.float64)
    drop[: n // 2 - 1] = 1.0
    drop[n // 2 - 1] = (1 + 0.1) / 2
    u = torch.cat([torch.zeros(1, dtype=torch.float64), drop.cumsum(0)])
    assert float(applied(u[None], harmonic_faces(a[:, 0]), (1.0,)).abs().max()) < 1e-14


@pytest.mark.parametrize("kind", ["two_phase", "lognormal", "trigonometric"])
def test_all_solvers_agree(kind: str) -> None:
    n = 33
    law = TrigonometricLaw(3) if kind == "trigonometric" else GaussianLaw(kind, modes=16)  # pyright: ignore[reportArgumentType]
    x = np.linspace(0, 1, n)
    problem = darcy(n, law.field(law.draw(sample_generator("agree", 1)), x, x))
    exact = Direct().solve(problem).u
    for preconditioner in (None, IncompleteCholesky(), Multigrid(), FastPoisson()):
        got = ConjugateGradients(preconditioner, 1e-12, 5000).solve(problem).u
        # tolerance times the condition number, 1e4 at contrast 100 on this grid
        assert float((got - exact).norm() / exact.norm()) < 1e-9, preconditioner
    assert float(DivergenceForm().residual(exact, problem).abs().max()) < 1e-9


def test_sine_preconditioner_takes_as_many_steps_on_every_grid() -> None:
    law = GaussianLaw(modes=16)
    numbers = law.draw(sample_generator("steps", 0))
    counts = []
    for n in (33, 65, 129):
        x = np.linspace(0, 1, n)
        counts.append(float(SINE.solve(darcy(n, law.field(numbers, x, x))).iterations.max()))
    assert max(counts) <= 30 and max(counts) - min(counts) <= 4, counts


def test_sine_transform_is_the_sum_and_its_own_inverse() -> None:
    x = torch.randn(2, 6, dtype=torch.float64)
    j = torch.arange(1, 7, dtype=torch.float64)
    wanted = x @ torch.sin(torch.pi * j[:, None] * j / 7)
    assert torch.allclose(sine_transform(x, 1), wanted, atol=1e-13)
    assert torch.allclose(sine_transform(sine_transform(x, 1), 1) * 2 / 7, x, atol=1e-13)


def test_poisson_with_boundary_values_is_solved_by_the_same_solvers() -> None:
    n = 33
    grid = Grid((Axis.interval(n),) * 2)
    x, y = (p.view(n, n) for p in grid.points.T)
    u = x**2 - y**2 + x * y + 2  # harmonic, and exact for second differences
    boundary = torch.where(grid.boundary, u, 0.0)[None, None]
    problem = Problem(
        Dirichlet("poisson"), grid, {"source": torch.zeros_like(boundary), "boundary": boundary}
    )
    for solver in (Direct(), SINE, ConjugateGradients(Multigrid(), 1e-10)):
        assert torch.allclose(solver.solve(problem).u[0, 0], u, atol=1e-8)
    with pytest.raises(Unsupported, match="not linear"):
        Dirichlet("allencahn").linear_system(problem)


def test_field_is_the_released_generator_s_inverse_cosine_transform() -> None:
    """Theirs: s times the orthonormal inverse DCT of the amplitudes, at s cell centres per axis."""
    numbers = gaussian_coefficients(sample_generator("size", 0), 32, 2.0, 3.0)
    centres = (np.arange(32) + 0.5) / 32
    wanted = 32 * scipy.fft.idctn(numbers, norm="ortho")
    assert np.allclose(cosines(numbers, centres, centres), wanted, atol=1e-13)
    amplitude = np.abs(numbers[1, 0] / sample_generator("size", 0).standard_normal((32, 32))[1, 0])
    assert amplitude == pytest.approx(3 / (np.pi**2 + 9))


def test_two_phases_share_the_square() -> None:
    law, x = GaussianLaw(modes=32), np.linspace(0, 1, 33)
    fields = [law.field(law.draw(sample_generator("size", i)), x, x) for i in range(200)]
    assert set(np.unique(fields)) == {3.0, 12.0}
    assert np.mean(np.array(fields) == 12) == pytest.approx(0.5, abs=0.05)  # 3 standard errors


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Diffusion, Path]:
    data = Diffusion("darcy", 33, 17, 33, GaussianLaw(modes=16), COUNTS, SINE, SHIFTS, workers=1)
    folder = tmp_path_factory.mktemp("darcy")
    data.prepare(folder)
    return data, folder


def test_fine_split_is_the_test_split_on_more_points(made: tuple[Diffusion, Path]) -> None:
    coarse, fine = (made[0].split(name) for name in ("test", "test_fine"))
    assert torch.equal(coarse.target, fine.target[..., ::2, ::2])
    a, b = (s.problem.inputs["coefficient"] for s in (coarse, fine))
    assert torch.equal(a, b[..., ::2, ::2])


def test_card_states_errors_and_reasons(made: tuple[Diffusion, Path]) -> None:
    card = made[0].card
    assert card.reference_error is not None and set(card.reference_error) >= {"test", "test_fine"}
    assert 1e-4 < card.reference_error["test"] < 0.05
    assert set(card.shifts) == {"test_fine", "ood_length", "ood_lognormal"}


def test_sample_does_not_depend_on_how_many_or_where(
    made: tuple[Diffusion, Path], tmp_path: Path
) -> None:
    few = Diffusion("darcy", 33, 17, 33, GaussianLaw(modes=16), {"train": 2}, SINE, workers=2)
    few.prepare(tmp_path)
    with h5py.File(made[1] / "train.h5") as many, h5py.File(tmp_path / "train.h5") as two:
        assert np.array_equal(many["u"][:2], two["u"])
    with xarray.open_dataset(tmp_path / "train.h5", engine="h5netcdf") as opened:
        assert opened["u"].dims == ("sample", "channel", "x", "y")
        assert opened["u"].attrs["units"] == "1"


@pytest.mark.parametrize("name", ["darcy", "darcy_rough", "multiscale"])
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=elliptic/{name}", f"track={track}", "solver=mean"])
    data = instantiate(config.dataset, _convert_="all")
    assert set(config.task.evaluate) <= set(data.card.splits)


def test_wrong_settings_are_named(made: tuple[Diffusion, Path]) -> None:
    law = GaussianLaw(modes=16)
    with pytest.raises(ConfigError, match=r"dataset\.stored=20"):
        Diffusion("darcy", 33, 20, 33, law, COUNTS, SINE, SHIFTS)
    with pytest.raises(ConfigError, match=r"dataset\.counts="):
        Diffusion("darcy", 33, 17, 33, law, {"tests": 2}, SINE)
    with pytest.raises(ConfigError, match=r"dataset\.shifts has \['ood_x'\]"):
        Diffusion("darcy", 33, 17, 33, law, {"test": 1}, SINE, {"ood_x": law})
    with pytest.raises(ConfigError, match=r"dataset\.law\.high=1"):
        GaussianLaw(high=1.0)
    with pytest.raises(ConfigError, match=r"dataset\.law\.levels=0"):
        TrigonometricLaw(0)
    with pytest.raises(ConfigError, match="not positive everywhere"):
        SINE.solve(darcy(17, np.zeros((17, 17))))
    with pytest.raises(DataError, match="not prepared"):
        Diffusion("darcy", 33, 17, 33, law, {"test": 1}, SINE).split("test")
