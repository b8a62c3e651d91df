"""The pressure systems: their matrices, their convergence, their reference."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from pdebench_turbulence.obstacles import draw_mask
from pdebench_turbulence.pressure import Pressure, refined, solved

from pdebench.equations.pressure import FLUID, assembled, shut_in
from pdebench.errors import ConfigError, DataError

COUNTS = {"train": 4, "valid": 1, "test": 2, "test_large": 2, "ood_plates": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pressure, Path, str]:
    data, folder = Pressure(12, COUNTS, 2, workers=1), tmp_path_factory.mktemp("pressure")
    return data, folder, data.prepare(folder)


@pytest.mark.parametrize("kind", ["mixed", "plates"])
def test_matrix_is_symmetric_and_its_rows_sum_to_the_open_faces(kind: str) -> None:
    mask = draw_mask("t", 3, 10, kind)
    matrix = assembled(mask, open_top=True, elsewhere=0.0)
    assert abs(matrix - matrix.T).max() == 0
    sums = matrix.sum(axis=1).reshape(mask.shape)
    open_faces = np.zeros(mask.shape)
    open_faces[..., -1] = mask[..., -1] == FLUID
    assert np.array_equal(sums, open_faces)
    assert np.linalg.eigvalsh(assembled(mask, open_top=True).toarray())[0] > 0


def test_no_fluid_is_shut_in() -> None:
    for index in range(8):
        for kind in ("mixed", "plates"):
            assert len(shut_in(draw_mask("t", index, 16, kind), open_top=True)) == 0


def test_cells_converge_at_second_order() -> None:
    """-lap p = b with p = cos(pi x) cos(2 pi y) cos(pi z / 2): walls at five faces, p = 0 half a
    cell above the top, so that the box is 1 + h/2 high.
    """
    errors = []
    for n in (8, 16, 32):
        h = 1 / n
        c = (np.arange(n) + 0.5) * h
        x, y, z = np.meshgrid(c, c, c, indexing="ij")
        kz = np.pi / 2 / (1 + h / 2)
        p = np.cos(np.pi * x) * np.cos(2 * np.pi * y) * np.cos(kz * z)
        b = h**2 * (5 * np.pi**2 + kz**2) * p
        got = solved(np.ones((n, n, n), np.int8), b)
        errors.append(np.sqrt(np.mean((got - p) ** 2)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(abs(orders - 2) < 0.1), orders


@pytest.mark.parametrize("kind", ["mixed", "plates"])
def test_the_check_of_the_reference_agrees_with_elimination(kind: str) -> None:
    from scipy.sparse.linalg import spsolve

    mask = draw_mask("t", 1, 12, kind)
    where = np.flatnonzero(mask.ravel() == FLUID)
    matrix = assembled(mask, open_top=True)[where][:, where]
    b = np.random.default_rng(0).standard_normal(len(where))
    exact = np.asarray(spsolve(matrix.tocsc(), b))
    assert np.linalg.norm(refined(matrix, b) - exact) < 1e-12 * np.linalg.norm(exact)


def test_targets_solve_the_task_s_own_equation(made: tuple[Pressure, Path, str]) -> None:
    data = made[0]
    for name in COUNTS:
        samples = data.split(name)
        problem, target = samples.problem, samples.target
        residual = data.equation.residual(target.double(), problem)
        source = problem.inputs["source"].double()
        # both are stored in float64 and read in float32
        assert float(residual.norm() / source.norm()) < 1e-5
    assert data.card.reference_error is not None
    assert data.card.reference_error["test"] < 1e-6


def test_sample_does_not_depend_on_how_many_or_where(
    made: tuple[Pressure, Path, str], tmp_path: Path
) -> None:
    other = Pressure(12, {"test": 1, "train": 1}, 2, workers=2)
    other.prepare(tmp_path)
    for split in ("test", "train"):
        for field in ("mask", "source", "pressure"):
            with (
                h5py.File(made[1] / f"{split}.h5") as many,
                h5py.File(tmp_path / f"{split}.h5") as one,
            ):
                assert np.array_equal(many[field][:1], one[field][:1])


def test_large_split_holds_the_same_obstacles_on_a_finer_grid(
    made: tuple[Pressure, Path, str],
) -> None:
    coarse, fine = (made[0].split(n).problem.inputs["mask"] for n in ("test", "test_large"))
    assert fine.shape[2:] == (24, 24, 24)
    share = [float((m == 0).double().mean()) for m in (coarse, fine)]
    assert share[0] == pytest.approx(share[1], rel=0.25)
    assert torch.unique(coarse).tolist() == [0, 1]


def test_arguments_are_checked(made: tuple[Pressure, Path, str]) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.grid=4"):
        Pressure(4, COUNTS)
    with pytest.raises(ConfigError, match=r"dataset\.counts=.*test_large"):
        Pressure(16, {"tests": 3})
    with pytest.raises(ConfigError, match=r"dataset\.sources_per_mask=0"):
        Pressure(16, COUNTS, 0)
    with pytest.raises(ConfigError, match="no split 'validation'"):
        made[0].split("validation")
    with pytest.raises(DataError, match="not prepared"):
        Pressure(16, COUNTS).split("test")
