"""Exact flows leave no residual, a short fit beats standing still, the suite's rules, refusals."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_pinn.flow import PinnFlow
from pdebench_pinn.jet import Jet, pairs
from pdebench_pinn.layers import _Tanh
from pdebench_pinn.velocity_pressure import VelocityPressure
from pdebench_pinn.vorticity_streamfunction import VorticityStreamfunction
from torch import Tensor

from pdebench.config import compose
from pdebench.dataset import Card, Dataset
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation
from pdebench.equations.closures import NoClosure, Smagorinsky, Wale
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.forcing import ConstantPower, RandomForce
from pdebench.equations.vorticity import DiagonalForcing, Vorticity
from pdebench.errors import ConfigError, Diverged
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import DecayingModes, conformance_tasks

_NU, _BOX = 0.5, 2 * math.pi
_TIMES = torch.linspace(0.2, 1.0, 5, dtype=torch.float64)


def _beltrami(x: Tensor, t: Tensor) -> Tensor:
    """(u, v, w, p) of an ABC flow: curl u = u, so p = -|u|^2 / 2 and u decays as exp(-nu t)."""
    a, b, c = x.unbind(-1)
    u = torch.stack([a.new_tensor(1.0) * torch.sin(c) + 0.6 * torch.cos(b),
                     0.8 * torch.sin(a) + torch.cos(c),
                     0.6 * torch.sin(b) + 0.8 * torch.cos(a)], -1)  # fmt: skip
    u = u * torch.exp(-_NU * t).unsqueeze(-1)
    return torch.cat([u, -u.square().sum(-1, keepdim=True) / 2], -1)


class _Beltrami(Dataset):
    """The ABC flow at several amplitudes is one flow; its translates are the instances."""

    def __init__(self, law: Equation | None = None) -> None:
        self._law = FilteredNavierStokes() if law is None else law

    @property
    def card(self) -> Card:
        return Card(name="tests/beltrami", version="1", summary="ABC flow; exact",
                    equation="du/dt = P[-div(u u)] + nu lap u", units={"velocity": "1"},
                    how="closed form", reference="Dombre et al. 1986",
                    splits={"train": 1, "valid": 1, "test": 2},
                    reference_error={"test": 0.0})  # fmt: skip

    @property
    def equation(self) -> Equation:
        return self._law

    def prepare(self, folder: Path) -> str:
        return "0" * 64

    def split(self, name: str) -> Samples:
        count, grid = self.card.splits[name], Grid.torus((8, 8, 8), _BOX)
        times = torch.cat([torch.zeros(1, dtype=torch.float64), _TIMES])
        fields = torch.stack([
            torch.stack([_beltrami(grid.points + 0.7 * n, t)[:, :3].T for t in times])
            for n in range(count)
        ]).view(count, 6, 3, 8, 8, 8).float()  # fmt: skip
        given = {"velocity": fields[:, 0]}
        nu = {"viscosity": torch.full((count,), _NU)}
        return Samples.of(Problem(self._law, grid, given, _TIMES, None, nu), fields[:, 1:])


def _jet(q: Callable[[Tensor, Tensor], Tensor], grid: Grid, t: float, mixed: bool) -> Jet:
    """Return the jet of a function by automatic differentiation."""
    dim, held = grid.dim, pairs(grid.dim, mixed)
    place = torch.cat([grid.points, torch.full((len(grid.points), 1), t, dtype=torch.float64)], 1)

    def one(y: Tensor) -> Tensor:
        return q(y[:dim], y[dim])

    first = torch.func.vmap(torch.func.jacfwd(one))(place)
    second = torch.func.vmap(torch.func.hessian(one))(place)
    streams = [q(place[:, :dim], place[:, dim]), *first.unbind(-1)]
    streams += [second[..., i, j] for i, j in held]
    return Jet(torch.stack(streams)[None], dim, held)


def _moved(num: int, dim: int, length: float) -> Grid:
    return Grid(tuple(Axis.torus(num, length, 0.1 * n) for n in range(dim)))


def test_a_beltrami_flow_leaves_no_residual() -> None:
    grid, form = _moved(8, 3, _BOX), VelocityPressure()
    momentum, divergence = form.residual(
        _jet(_beltrami, grid, 0.3, True), grid, _Beltrami().split("test")[:1].problem
    )
    assert float(momentum.abs().max()) < 1e-12
    assert float(divergence.abs().max()) < 1e-12


def test_the_subgrid_stress_is_differentiated() -> None:
    grid, problem = _moved(8, 3, _BOX), _Beltrami().split("test")[:1].problem
    form = VelocityPressure(lambda width: Smagorinsky(width, 0.3))
    found = form.residual(_jet(_beltrami, grid, 0.3, True), grid, problem)[0][0]

    def stress(x: Tensor) -> Tensor:
        slope = torch.func.jacfwd(lambda y: _beltrami(y, y.new_tensor(0.3))[:3])(x)
        s = (slope + slope.T) / 2
        return -2 * 0.3 * (_BOX / 8) ** 2 * (2 * s.square().sum()).sqrt() * s

    wanted = torch.func.vmap(torch.func.jacfwd(stress))(grid.points).diagonal(0, 2, 3).sum(-1)
    assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_force_on_the_large_eddies_enters_the_residual() -> None:
    law = FilteredNavierStokes(forcing=ConstantPower(0.5))
    problem, grid = _Beltrami(law).split("test")[:1].problem, _moved(8, 3, _BOX)
    jet = _jet(_beltrami, grid, 0.3, True)
    found = VelocityPressure().residual(jet, grid, problem)[0]
    u = jet.value[..., :3]
    force = 0.5 * u / u.square().sum(-1).mean()  # all of this flow has |k| = 1
    assert torch.allclose(found, -force, rtol=1e-10, atol=1e-10)


def test_decaying_vortices_leave_no_residual() -> None:
    waves = 2 * math.pi * torch.tensor([[1.0, 2.0], [2.0, -1.0]], dtype=torch.float64)
    square, grid = 5 * (2 * math.pi) ** 2, _moved(12, 2, 1.0)

    def flow(x: Tensor, t: Tensor) -> Tensor:
        w = torch.cos(x @ waves.T).sum(-1) * torch.exp(-0.01 * square * t)
        return torch.stack([w, w / square], -1)

    problem = DecayingModes().split("test")[:1].problem
    jet, form = _jet(flow, grid, 0.3, False), VorticityStreamfunction()
    for residual in form.residual(jet, grid, problem):
        assert float(residual.abs().max()) < 1e-5  # the viscosity is stored in single precision
    driven = replace(problem, law=Vorticity(DiagonalForcing()))
    force = DiagonalForcing().on(grid).flatten()
    assert torch.allclose(form.residual(jet, grid, driven)[0][0], -force, atol=1e-5)


def test_gradients_of_carried_derivatives() -> None:
    z = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: _Tanh.apply(s, 2, ((0, 0), (0, 1), (1, 1))), z)
    assert torch.autograd.gradcheck(lambda s: _Tanh.apply(s[:, :1], 0, ()), z)


def _small(**options: object) -> PinnFlow:
    given = {"width": 24, "depth": 2, "band": 1.0, "points": 6, "given": 256, "lr": 5e-3}
    return PinnFlow(VelocityPressure(), **(given | options))  # type: ignore[arg-type]


def test_a_short_fit_beats_persistence() -> None:
    samples = _Beltrami().split("test")[:1]
    solver = _small(initial=10.0, steps=400, every=400)
    u, target = solver.solve(samples.problem).u, samples.target
    still = samples.problem.initial.unsqueeze(1).expand_as(target)
    # seen: a fifth
    assert float((u - target).norm()) < 0.5 * float((still - target).norm())


@pytest.mark.parametrize("name", ["pinn_flow", "pinn_vorticity"])
def test_they_keep_the_rules(name: str) -> None:
    flow = Task("beltrami", _Beltrami(), (relative_l2,), budget=Budget(epochs=1))
    task = flow if name == "pinn_flow" else conformance_tasks()[0]
    small = ("width=8", "depth=1", "points=4", "given=32", "steps=6", "every=3")
    check_solver(name, *(f"solver.{one}" for one in small), tasks=(task,))


def test_other_tasks_get_a_reason() -> None:
    evolve, steady = conformance_tasks()
    vorticity, velocity = PinnFlow(VorticityStreamfunction()), _small()
    assert "solver=pinn answers" in str(vorticity.supports(steady))
    assert "solver=pinn_vorticity" in str(velocity.supports(evolve))
    driven = FilteredNavierStokes(forcing=RandomForce(1.0, 1.0))
    problem = _Beltrami(driven).split("test").problem
    assert "function of time and seed" in str(VelocityPressure().unsuitable(problem))
    problem = _Beltrami().split("test").problem
    assert "solver=pinn_flow" in str(VorticityStreamfunction().unsuitable(problem))
    assert "no pointwise form" in str(VelocityPressure(Wale).unsuitable(problem))
    assert "parameters['viscosity']" in str(
        VelocityPressure().unsuitable(replace(problem, parameters={}))
    )
    bounded = Grid(tuple(Axis.interval(8) for _ in range(3)))
    assert "periodic" in str(VelocityPressure().unsuitable(replace(problem, domain=bounded)))


def test_wrong_options_are_named() -> None:
    for options in ({"width": 0}, {"lr": -1.0}, {"band": 0.5}, {"points": 1}, {"initial": 0.0}):
        with pytest.raises(ConfigError, match=rf"solver\.{next(iter(options))}="):
            _small(**options)
    with pytest.raises(ConfigError, match=r"solver\.form\.momentum="):
        VelocityPressure(momentum=-1.0)
    with pytest.raises(ConfigError, match=r"solver\.form\.cells="):
        VelocityPressure(NoClosure, cells=0.5)
    with pytest.raises(Diverged, match=r"smaller solver\.lr"):
        list(_small(lr=1e30, steps=20, every=20).iterate(_Beltrami().split("test").problem))


def test_a_record_says_which_constants_were_given() -> None:
    solver = instantiate(compose(["solver=pinn_flow"]).solver, _convert_="all")
    assert solver.disclosures["coefficient"] == "C = 0.01, given, not tuned on this data"
