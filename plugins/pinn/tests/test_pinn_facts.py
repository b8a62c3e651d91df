"""Derivatives against automatic ones, a fit that works, the suite's rules, wrong options."""

import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_elliptic.high_frequency import HighFrequency
from pdebench_pinn.network import Coordinates
from pdebench_pinn.solver import Pinn

from pdebench.config import compose
from pdebench.errors import ConfigError, Diverged
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks


@pytest.mark.parametrize("scales", [(), (1.0, 3.0)])
def test_carried_derivatives_are_the_automatic_ones(scales: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    network = Coordinates(2, 2, width=8, depth=3, scales=scales, features=4).double()
    x = (torch.rand(5, 2).double() * 2 - 1).requires_grad_()
    u, first, second = network(x)
    for b in range(2):
        plain = _plain(network, x, b)
        assert torch.allclose(u[b], plain, rtol=1e-12, atol=1e-12)
        (slope,) = torch.autograd.grad(plain.sum(), x, create_graph=True)
        assert torch.allclose(first[b], slope, rtol=1e-9, atol=1e-9)
        for axis in range(2):
            (bend,) = torch.autograd.grad(slope[:, axis].sum(), x, retain_graph=True)
            assert torch.allclose(second[b, :, axis], bend[:, axis], rtol=1e-8, atol=1e-8)


def _plain(network: Coordinates, x: torch.Tensor, b: int) -> torch.Tensor:
    """The same network by torch's own tanh."""
    h = x
    if network.frequencies is not None:
        angle = 2 * math.pi * x @ network.frequencies[b]
        h = torch.cat([torch.cos(angle), torch.sin(angle)], -1)
    last = len(network.layers.weights) - 1
    pairs = zip(network.layers.weights, network.layers.biases, strict=True)
    for index, (weight, bias) in enumerate(pairs):
        h = h @ weight[b] + bias[b]
        h = torch.tanh(h) if index < last else h
    return h[:, 0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> HighFrequency:
    made = HighFrequency("poisson_1d-sin_10", 40, {"train": 1, "valid": 1, "test": 5})
    made.prepare(tmp_path_factory.mktemp("pinn"))
    return made


def test_a_low_frequency_is_learned(tmp_path: Path) -> None:
    smooth = HighFrequency("poisson_1d-sin_10", 200, {"test": 1})
    smooth.prepare(tmp_path)
    samples = smooth.split("test")
    torch.manual_seed(0)
    solver = Pinn(
        width=24,
        depth=2,
        scales=(4.0,),
        features=8,
        boundary_weight=1e4,
        steps=1200,
        every=400,
        tolerance=1e-9,
    )
    iterates = list(solver.iterate(samples.problem))
    errors = [float((u - samples.target).norm() / samples.target.norm()) for u in iterates]
    assert len(errors) == 3
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize("name", ["pinn", "pinn_fourier"])
def test_it_keeps_the_rules(name: str, data: HighFrequency) -> None:
    task = Task("box", data, (relative_l2,))
    small = ("solver.width=8", "solver.depth=2", "solver.steps=10", "solver.every=5")
    check_solver(name, *small, "solver.features=4", tasks=(task,))


def test_a_loss_that_is_not_finite_is_reported(data: HighFrequency) -> None:
    with pytest.raises(Diverged, match="not finite after"):
        list(Pinn(lr=1e30, steps=20, every=20).iterate(data.split("test").problem))


def test_other_tasks_and_options_get_a_reason() -> None:
    said = Pinn().supports(conformance_tasks()[0])
    assert said is not None and "an evolution in time" in said
    for options in ({"width": 0}, {"lr": 0.0}, {"scales": (-1.0,)}, {"every": 0}):
        with pytest.raises(ConfigError, match=rf"solver\.{next(iter(options))}="):
            Pinn(**options)


def test_configuration_makes_it() -> None:
    solver = instantiate(compose(["solver=pinn_fourier"]).solver, _convert_="all")
    assert solver.scales == (1.0, 10.0, 50.0)
