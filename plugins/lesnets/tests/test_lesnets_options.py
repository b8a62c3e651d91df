"""Coefficients, online steps, released losses, backbones, precisions and bad input."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pdebench_lesnets.coefficient import ClosedForm, Descent, parabola
from pdebench_lesnets.floor import exact_frames, floor_table
from pdebench_lesnets.online import Online
from pdebench_lesnets.physics import Physics
from pdebench_lesnets.released import Program
from pdebench_spectral.large_eddy import LargeEddy
from pdebench_turbulence.isotropic import Isotropic

from pdebench.access import grant_task
from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.closures import Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import ConfigError, Unsupported
from pdebench.harness.evaluate import evaluate
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Task
from pdebench.testing import check_solver

TINY = (
    "solver.architecture.modes=[2,2,2,2]",
    "solver.architecture.head=[8]",
    "solver.architecture.widths=[6,6,6]",
)


def built(name: str, *overrides: str, **blocks):
    """Return the solver of a configuration, ``blocks`` in place of its blocks of these names."""
    chosen = OmegaConf.to_container(compose([f"solver={name}", *overrides]).solver)
    assert isinstance(chosen, dict)
    return instantiate(chosen | blocks, _convert_="all")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Task:
    counts = {"train": 2, "valid": 1, "test": 3}
    data = Isotropic(0.1, 22, 8, 4, 0.05, 0.0, counts, LargeEddy(), window=2, workers=1)
    data.prepare(tmp_path_factory.mktemp("isotropic"))
    return Task("box", data, (relative_l2,), budget=Budget(epochs=1), batch=3)


def les(n: int = 8, frames: int = 6, spacing: float = 0.02, c: float = 0.01) -> tuple:
    """Return a problem and exact frames of its equation with Smagorinsky's closure."""
    law = FilteredNavierStokes(Smagorinsky(2 * math.pi / n, c), dealias="padding")
    generator = torch.Generator().manual_seed(3)
    u0 = torch.randn(1, 3, n, n, n, generator=generator, dtype=torch.float64)
    from pdebench.spectral import Modes, project

    modes = Modes.of((n,) * 3, (2 * math.pi,) * 3)
    u0 = project(modes.inverse(modes.forward(u0) * torch.exp(-modes.square / 8)), modes)
    u0 = u0 / u0.square().sum(1).mean().sqrt()
    problem = Problem(
        replace(law, closure=FilteredNavierStokes().closure),
        Grid.torus((n,) * 3, 2 * math.pi),
        {"velocity": u0[:, None]},
        times=spacing * torch.arange(1, frames + 1, dtype=torch.float64),
        history=torch.zeros(1, dtype=torch.float64),
        parameters={"viscosity": torch.tensor([0.02], dtype=torch.float64)},
    )
    return problem, exact_frames(law, problem, spacing, frames, 2)[:, 1:]


def physics(c: float = 0.01, program=None) -> Physics:
    def closure(width: float, coefficient=c) -> Smagorinsky:
        return Smagorinsky(width, coefficient)

    return Physics(closure, 1.0, None, program)


@pytest.mark.parametrize("name", ["lesnets_mixed", "lesnets_learned", "lesnets_released"])
def test_variants_keep_the_rules(name: str, box: Task) -> None:
    check_solver(name, *TINY, tasks=(box,))


def test_factorised_backbone_keeps_the_rules(box: Task) -> None:
    small = ("solver.architecture.width=6", "solver.architecture.modes=[2,2,2,2]")
    check_solver("lesnets_factorised", *small, "solver.architecture.layers=2", tasks=(box,))


def test_backbone_of_another_plugin_serves_by_its_name(box: Task) -> None:
    """The factorised FNO of pdebench-fno (Tucker), no import of it anywhere in this plugin."""
    other = {
        "_target_": "pdebench_fno.network.FNO",
        "_partial_": True,
        "modes": [4, 4, 4, 2],
        "width": 6,
        "layers": 2,
        "rank": 0.3,
        "embedding": None,
    }
    record, _ = evaluate(built("lesnets", architecture=other), box)
    assert record.status == "ok", record.reason
    assert record.uses == ["equation"]


def test_uses_follow_what_is_read() -> None:
    assert built("lesnets_learned").uses == {"labels", "equation"}
    assert built("lesnets_mixed").uses == {"labels", "equation"}
    assert built("lesnets_released").uses == {"equation"}
    online = "solver.online={_target_: pdebench_lesnets.online.Online, steps: 2}"
    assert built("lesnets_labelled", online).uses == {"labels", "equation"}


def test_parabola_is_the_residual() -> None:
    problem, u = les()
    form = physics()
    fit = parabola(lambda c: form.residual(u, problem, c))
    for c in torch.tensor([-0.03, 0.004, 0.05], dtype=torch.float64):
        exact = form.residual(u, problem, c).square().mean()
        assert float(fit(c)) == pytest.approx(float(exact), rel=1e-9)
    assert float(fit.lowest) == pytest.approx(0.01, rel=0.03)


def test_coefficient_of_labelled_trajectories_reaches_record_and_weights(
    box: Task, tmp_path: Path
) -> None:
    """Closed form: what `best_coefficient` says of the first trajectory, saved and disclosed."""
    solver = built("lesnets_learned", *TINY)
    record, _ = evaluate(solver, box)
    flow = box.samples("train")[:1]
    weights = torch.tensor([*[0.33333] * 3, 1.0]).double().view(1, 1, 4, 1, 1, 1)
    fit = parabola(lambda c: solver.physics.residual(flow.target, flow.problem, c), weights)
    said = record.solver["disclosures"]["coefficient"]
    assert f"C = {float(fit.lowest):.5g}" in said
    assert "tuned on labelled data" in said
    solver.save(tmp_path)
    again = built("lesnets_learned", *TINY)
    again.load(tmp_path)
    assert again.disclosures["coefficient"] == said


def test_record_of_a_run_without_labels_names_its_constants(box: Task) -> None:
    record, _ = evaluate(built("lesnets", *TINY), box)
    said = record.solver["disclosures"]
    assert record.uses == ["equation"]
    assert "not tuned" in said["coefficient"]
    assert "not tuned" in said["filter width"]
    assert "labelled data gave their distribution" in said["initial fields"]


def test_descent_moves_the_coefficient_towards_the_closed_form(box: Task) -> None:
    descent = {
        "_target_": "pdebench_lesnets.coefficient.Descent",
        "rate": 1e-2,
        "weight": 50.0,
        "start": 0.0,
    }
    solver = built("lesnets_learned", *TINY, coefficient=descent)
    train, valid = box.samples("train"), box.samples("valid")
    solver.fit(train, valid, Budget(steps=40))
    best = float(solver._misfit.lowest)
    reached = float(solver.model.network.coefficient.detach())
    assert abs(reached - best) < 0.8 * abs(best)


def test_online_steps_lower_the_residual_and_nothing_else_changes(box: Task) -> None:
    online = (
        "solver.online={_target_: pdebench_lesnets.online.Online, steps: 8, "
        "optimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 3.0e-3}}"
    )
    solver = built("lesnets", *TINY, online)
    solver.fit(box.samples("train"), box.samples("valid"), Budget(epochs=1))
    before = {k: v.clone() for k, v in solver.model.state_dict().items()}
    problem = box.samples("test").problem
    refined = solver.solve(problem).u
    alone = solver.solve(problem.take(slice(1, 2))).u
    assert torch.allclose(refined[1:2], alone, atol=1e-6)  # instances do not see each other
    assert all(torch.equal(v, before[k]) for k, v in solver.model.state_dict().items())
    solver.online = None
    plain = solver.solve(problem).u
    for b in range(len(problem)):
        one = problem.take(slice(b, b + 1))
        losses = [float(solver.physics.loss(u[b : b + 1], one)) for u in (refined, plain)]
        assert losses[0] < losses[1]


def test_released_loss_exchanges_the_constants() -> None:
    """(nu, C) = (0.02, 0.04) under the released loss is (0.04, 0.02) under the same one mended."""
    problem, u = les()
    mended = replace(problem, parameters={"viscosity": torch.tensor([0.04], dtype=torch.float64)})
    released = physics(0.04, lambda **k: Program(**k, swapped=True)).loss(u, problem)
    assert float(physics(0.02, Program).loss(u, mended)) == pytest.approx(float(released), 1e-12)
    assert float(physics(0.04, Program).loss(u, problem)) != pytest.approx(float(released), 1e-2)


def test_floor_falls_with_the_spacing_and_ends_spoil_it() -> None:
    problem, u = les(12, 10)
    rows = floor_table(physics(), problem, u)
    exact = [row for row in rows if row["frames"] == "exact"]
    ratios = [b["central"] / a["central"] for a, b in pairwise(exact[:3])]
    assert all(12 < ratio < 20 for ratio in ratios), ratios  # squares of second order: 16
    assert all(row["mixed"] > 10 * row["central"] for row in exact[:2])
    assert all(row["constants exchanged"] > row["central"] for row in exact[:2])


def test_half_precision_falls_back_and_says_so() -> None:
    problem, u = les()
    form = physics()
    with pytest.warns(UserWarning, match="formed in float32"):
        low = form.loss((300 * u).half(), replace(problem, inputs=_scaled(problem, 300)))
    assert bool(torch.isfinite(low))
    assert low.dtype == torch.float32


def _scaled(problem: Problem, factor: float) -> dict[str, torch.Tensor]:
    return {name: factor * value for name, value in problem.inputs.items()}


def test_training_in_bfloat16_keeps_finite_weights(box: Task) -> None:
    solver = built("lesnets", *TINY, "solver.training.precision=bf16-mixed")
    solver.fit(box.samples("train"), box.samples("valid"), Budget(epochs=1))
    assert all(bool(torch.isfinite(p).all()) for p in solver.model.parameters())


def test_a_box_with_walls_is_refused(box: Task) -> None:
    axes = (*Grid.torus((8, 8), 2 * math.pi).axes, Axis.interval(8, 2 * math.pi))
    problem = box.samples("train")[:1].problem
    walled = replace(problem, domain=Grid(axes))
    still = problem.initial.unsqueeze(1).expand(-1, 2, *problem.initial.shape[1:])
    with pytest.raises(Unsupported, match="periodic uniform grid"):
        physics().residual(still, walled)

    class Walls(Isotropic):
        def split(self, name: str) -> Samples:
            return Samples.of(walled, still)

    data = Walls.__new__(Walls)
    data.__dict__ = dict(box.dataset.__dict__)
    solver = built("lesnets", *TINY)
    reason = solver.supports(grant_task(replace(box, dataset=data), solver))
    assert reason is not None
    assert "periodic uniform grid" in reason


@pytest.mark.parametrize("nu", [0.0, -0.1, math.nan])
def test_viscosity_that_ends_no_cascade_is_refused(nu: float) -> None:
    problem, u = les()
    problem = replace(problem, parameters={"viscosity": torch.tensor([nu]).double()})
    with pytest.raises(Unsupported, match=r"parameters\['viscosity'\]=.*expected positive"):
        physics().residual(u, problem)


def test_odd_grids_serve_the_right_residual_and_not_the_released_one() -> None:
    problem, u = les(9)
    assert bool(torch.isfinite(physics().loss(u, problem)))
    with pytest.raises(Unsupported, match="even grid"):
        physics(program=Program).loss(u, problem)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("closure.coefficient=-0.01", r"closure\.coefficient=-0\.01: a negative eddy viscosity"),
        ("cells=0.5", r"solver\.cells=0\.5: a filter narrower"),
    ],
)
def test_closures_that_cannot_be_are_refused(override: str, said: str) -> None:
    with pytest.raises(Exception, match=said) as caught:
        built("lesnets", f"solver.{override}")
    assert isinstance(caught.value.__cause__ or caught.value, ConfigError)


def test_arguments_of_the_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"solver\.online\.steps=0"):
        Online(0)
    with pytest.raises(ConfigError, match=r"coefficient\.trajectories=0"):
        ClosedForm(0)
    with pytest.raises(ConfigError, match=r"coefficient\.rate=0"):
        Descent(rate=0.0)
    wale = {"_target_": "pdebench.equations.closures.Wale", "_partial_": True}
    with pytest.raises(Exception, match=r"learns Smagorinsky's") as caught:
        built("lesnets_learned", closure=wale)
    assert isinstance(caught.value.__cause__, ConfigError)
