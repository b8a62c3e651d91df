"""Facts that hold for Transform Once whatever its weights."""

import math

import pytest
import scipy.fft
import torch
from pdebench_t1.layer import FrequencyLayer, deviation
from pdebench_t1.network import T1, coordinates
from pdebench_t1.shaped import T1U
from pdebench_t1.solver import T1 as Solver
from pdebench_t1.transform import Cosine, Fourier, dct, idct
from torch import Tensor, nn

from pdebench.config import compose
from pdebench.errors import ConfigError
from pdebench.learning import OneShot, Rollout, Training
from pdebench.learning.losses import RelativeL2
from pdebench.learning.scaling import PerChannel
from pdebench.solver import Budget
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().norm() / b.detach().norm())


@pytest.mark.parametrize("n", [1, 2, 7, 8, 15, 31, 64])
@pytest.mark.parametrize("norm", [None, "ortho"])
def test_transforms_are_scipys(n: int, norm: str | None) -> None:
    x = torch.randn(3, n, dtype=torch.float64)
    assert torch.allclose(dct(x, norm), torch.from_numpy(scipy.fft.dct(x.numpy(), norm=norm)))
    assert torch.allclose(idct(x, norm), torch.from_numpy(scipy.fft.idct(x.numpy(), norm=norm)))


@pytest.mark.parametrize("shape", [(12,), (9, 16), (8, 15), (6, 7, 8)])
@pytest.mark.parametrize("kind", ["dct", "dft"])
def test_all_coefficients_restore_the_field(shape: tuple[int, ...], kind: str) -> None:
    """And the cosine transform keeps the norm (Parseval)."""
    x = torch.randn(2, 3, *shape, dtype=torch.float64)
    points = math.prod(shape)
    if kind == "dct":
        plan = Cosine(shape, shape, points, x)
        assert float(plan.forward(x).norm()) == pytest.approx(float(x.norm()), rel=1e-12)
    else:
        plan = Fourier(shape, [*shape[:-1], shape[-1] // 2 + 1], points)
    assert relative(plan.inverse(plan.forward(x)), x) < 1e-12


@pytest.mark.parametrize("kind", ["dct", "dft"])
def test_identity_mixing_is_diagonal_in_frequency(kind: str) -> None:
    """Without activation, residual and axis mixing a layer is FNO's: one channel matrix per
    coefficient.
    """
    torch.manual_seed(0)
    layer = FrequencyLayer(3, (4, 5), 100, residual=False, complex_weights=kind == "dft")
    layer._act = lambda z: z
    with torch.no_grad():
        for weight, m in zip(layer.axes, (4, 5), strict=True):
            weight.copy_(torch.eye(m)[:, :, None].expand(m, m, 3))
    z = torch.randn(2, 3, 4, 5, dtype=layer.channels.dtype)
    out = layer(z)
    for i in range(4):
        for j in range(5):
            expected = z[:, :, i, j] @ layer.channels[:, :, i, j]
            assert torch.allclose(out[:, :, i, j], expected, atol=1e-5)


def test_axis_mixing_by_hand() -> None:
    torch.manual_seed(0)
    layer = FrequencyLayer(2, (3, 4), 12, residual=True)
    z = torch.randn(1, 2, 3, 4)
    p = nn.functional.gelu(torch.einsum("bixy,ioxy->boxy", z, layer.channels))
    first, second = layer.axes
    q = torch.einsum("bcxy,xoc->bcoy", p, first)
    expected = torch.einsum("bcxy,yoc->bcxo", q, second) + z
    assert torch.allclose(layer(z), expected, atol=1e-6)


@pytest.mark.parametrize("kept", [16, 64, 256])
def test_variance_preserving_start(kept: int) -> None:
    """White input, one linear map of the kept coefficients: the field's variance stays."""
    torch.manual_seed(0)
    points, width = 1024, 32
    scale = deviation("variance", width, width, points, kept)
    x = torch.randn(64, width, points, dtype=torch.float64)
    weights = scale * torch.randn(width, width, kept, dtype=torch.float64)
    z = torch.einsum("bik,iok->bok", dct(x)[..., :kept], weights)
    y = idct(nn.functional.pad(z, (0, points - kept)))
    # kept * 64 * 32 numbers: the variance is known to about 1 / sqrt(1000) at the worst
    assert float(y.var() / x.var()) == pytest.approx(1.0, abs=0.08)


def network(**changes) -> T1:
    torch.manual_seed(0)
    return T1(2, 1, (16, 16), (6, 6), width=5, layers=3, **changes).double().eval()


def test_output_does_not_see_coefficients_above_the_cut() -> None:
    net = network()
    x = torch.randn(1, 2, 16, 16, dtype=torch.float64)
    z = dct(x, dims=(-2, -1))
    z[..., 6:, :] = torch.randn_like(z[..., 6:, :])
    z[..., :, 6:] = torch.randn_like(z[..., :, 6:])
    with torch.no_grad():
        assert relative(net(idct(z, dims=(-2, -1))), net(x)) < 1e-10


def test_same_weights_run_on_a_finer_grid() -> None:
    """A cosine polynomial on twice the points gives the same function, but for the coordinates,
    whose end point moves: linspace is the same function only in the limit.
    """
    net = network()

    def sampled(n: int) -> Tensor:
        x = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        modes = torch.cos(math.pi * x[:, None] * torch.arange(4)) @ torch.randn(
            4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        )
        return torch.einsum("xc,yc->cxy", modes, modes)[None]

    with torch.no_grad():
        net.lift.weight[:, 2:] = 0.0  # no coordinates: then the statement is exact
        coarse, fine = net.coefficients(sampled(16)), net.coefficients(sampled(32))
    assert relative(fine, coarse) < 1e-10


def test_coordinates_hold_the_end_point() -> None:
    grid = coordinates(torch.zeros(1, 1, 5, 3))
    assert grid[0, 0, :, 0].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert grid[0, 1, 0].tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("shape", [(20,), (16, 12), (8, 10, 6)])
@pytest.mark.parametrize("transform", ["dct", "dft"])
def test_one_two_and_three_dimensions(shape: tuple[int, ...], transform) -> None:
    net = T1(2, 3, shape, (4,) * len(shape), width=4, layers=2, transform=transform, padding=1)
    y = net(torch.randn(2, 2, *shape))
    assert y.shape == (2, 3, *shape) and not y.is_complex()
    y.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


@pytest.mark.parametrize("size", [24, 36, 64])
def test_u_shaped_body_takes_every_size(size: int) -> None:
    net = T1U(1, 2, (size + 8, size + 8), modes=size, exponent=1).eval()
    assert net(torch.randn(1, 1, size + 8, size + 8)).shape == (1, 2, size + 8, size + 8)


def test_training_in_coefficients_is_training_on_fields() -> None:
    """Parseval with scaling of inputs and outputs; float32 sums in another order."""
    samples = conformance_tasks()[0].samples("train")
    training = Training(loss=RelativeL2(), scaling=PerChannel())

    def architecture(**sizes):
        return T1(modes=(8, 8), width=6, layers=2, **sizes)

    losses = []
    for flag in (True, False):
        torch.manual_seed(0)
        solver = Solver(architecture, flag, form=OneShot(), training=training)
        model = solver.build(samples)
        weights = samples.problem.domain.weights.float()
        losses.append(solver.loss(model, samples.problem, samples.target, weights))
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-5)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match=r"axis 1 keeps 20 coefficients.*16 points have 16"):
        T1(1, 1, (32, 16), (4, 20))(torch.zeros(1, 1, 32, 16))
    with pytest.raises(ConfigError, match=r"are for 1 axes, the grid has 2"):
        T1(1, 1, (8, 8), (4,))
    with pytest.raises(ConfigError, match=r"needs solver\.form OneShot"):
        Solver(lambda **k: network(), True, Rollout())
    with pytest.raises(ConfigError, match="start='variants'"):
        T1(1, 1, (8, 8), (4, 4), start="variants")  # type: ignore[arg-type]


SMALL = ("solver.architecture.modes=[8,8]", "solver.architecture.width=6")


@pytest.mark.parametrize("name", ["t1", "t1_paper"])
def test_t1_keeps_the_rules(name: str) -> None:
    check_solver(name, *SMALL, "solver.architecture.layers=2")


def test_t1u_keeps_the_rules() -> None:
    check_solver("t1u", "solver.architecture.exponent=1")


def test_configurations_compose() -> None:
    assert compose(["solver=t1_paper"]).solver.architecture.width == 48


def test_targets_transformed_once_train_the_same_network() -> None:
    """Coefficients held in memory give the fit that transforming every batch gives."""
    task = conformance_tasks()[0]
    train, valid = task.samples("train"), task.samples("valid")
    training = Training(loss=RelativeL2(), scaling=PerChannel(), batch_size=3)

    def architecture(**sizes):
        return T1(modes=(8, 8), width=6, layers=2, **sizes)

    states = []
    for once in (False, True):
        torch.manual_seed(0)
        solver = Solver(architecture, True, once=once, form=OneShot(), training=training)
        solver.fit(train, valid, Budget(epochs=3))
        assert solver.training_samples(train).target.ndim == (2 if once else train.target.ndim)
        assert solver.model is not None
        states.append(solver.model.state_dict())
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], rtol=1e-4, atol=1e-6), name


def test_once_needs_coefficients() -> None:
    with pytest.raises(ConfigError, match=r"solver\.once=true needs solver\.coefficients=true"):
        Solver(T1, once=True)
