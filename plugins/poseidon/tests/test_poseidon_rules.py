"""The solvers keep the suite's rules; forms, rates and experiments do what they say."""

import pytest
import torch
from hydra.utils import instantiate
from pdebench_poseidon.consistency import identity_error, semigroup_error
from pdebench_poseidon.finetune import Rates, parameter_groups
from pdebench_poseidon.lead_time import LeadTime, ordered_pairs
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.norm import ConditionalNorm
from pdebench_poseidon.scaling import Constants
from pdebench_poseidon.solver import Poseidon
from torch import Tensor, nn

from pdebench.config import compose
from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import ConfigError
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Evolve
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

ONE_SHOT = ("~solver.form", "+solver.form._target_=pdebench.learning.OneShot")
SMALL = ("solver.architecture.embed_dim=8", "solver.architecture.heads=[1,2]")


def solver(*overrides: str) -> Poseidon:
    built = instantiate(compose(list(overrides)).solver, _convert_="all")
    assert isinstance(built, Poseidon)
    return built


def test_solver_keeps_the_rules() -> None:
    check_solver("poseidon", *SMALL, "solver.form.pairs=2")


def test_solver_without_lead_times_keeps_the_rules() -> None:
    check_solver("poseidon", *SMALL, *ONE_SHOT, "solver.architecture.conditioning=false")


@pytest.mark.parametrize("size", ["t", "b", "l"])
def test_published_sizes_apply(size: str) -> None:
    assert all(solver(f"solver=poseidon_{size}").supports(t) is None for t in conformance_tasks())


@pytest.mark.parametrize(
    "name",
    ["finetune_t", "finetune_b", "finetune_l", "scratch_t", "fluid_channels", "navier_stokes"],
)
def test_published_experiment_composes_and_builds(name: str) -> None:
    built = solver(f"+experiment=poseidon/{name}")
    assert isinstance(built.form, LeadTime) and built.form.lead_frames == 20


def test_what_does_not_apply_says_why() -> None:
    steady, evolve = conformance_tasks()[1], conformance_tasks()[0]
    blind = solver("solver=poseidon", "solver.architecture.conditioning=false")
    assert blind.supports(steady) is None
    assert "conditioning=true" in (blind.supports(evolve) or "")
    assert "follow the lead time" in (solver("solver=poseidon", *ONE_SHOT).supports(evolve) or "")
    plain = solver("solver=poseidon", *ONE_SHOT, "solver.architecture.conditioning=false")
    assert plain.supports(evolve) is None
    deep = solver("solver=poseidon", "solver.image_size=12")
    assert "leaves 1 token(s) a side" in (deep.supports(steady) or "")
    wide = solver("solver=poseidon", "solver.form.window=11")
    assert "gives 10 frames" in (wide.supports(evolve) or "")


@pytest.mark.parametrize(("frames", "stride"), [(8, 1), (15, 2), (21, 2)])
def test_all2all_has_every_ordered_pair_once(frames: int, stride: int) -> None:
    """(K + 1)(K + 2)/2 pairs of K + 1 frames, identities included."""
    pairs, last = ordered_pairs(frames, stride), (frames - 1) // stride
    assert len(pairs) == (last + 1) * (last + 2) // 2
    assert len({(int(i), int(j)) for i, j in pairs}) == len(pairs)
    assert bool((pairs[:, 0] <= pairs[:, 1]).all()) and bool((pairs % stride == 0).all())
    assert int((ordered_pairs(frames, stride, 4).diff(dim=1)).max()) == 4


def numbered(batch: int = 3, history: int = 2, horizon: int = 5) -> tuple[Problem, Tensor]:
    """Trajectories whose every value is 100 * sample + frame."""
    values = 100 * torch.arange(batch)[:, None] + torch.arange(history + horizon)
    frames = values[:, :, None, None, None].float().expand(-1, -1, 2, 4, 4).contiguous()
    times = torch.arange(history + horizon, dtype=torch.float64) / 4
    problem = Problem(
        Vorticity(),
        Grid.torus((4, 4)),
        {"vorticity": frames[:, :history]},
        times=times[history:],
        history=times[:history],
    )
    return problem, frames[:, history:]


@pytest.mark.parametrize(("window", "pairs"), [(1, None), (2, None), (1, 3)])
def test_training_pairs_hold_the_right_frames_and_leads(window: int, pairs: int | None) -> None:
    torch.manual_seed(0)
    asked, target = LeadTime(window=window, pairs=pairs).training_pair(*numbered())
    (seen,), lead = asked.inputs.values(), asked.parameters["lead_frames"]
    num = 7 - (window - 1)
    assert len(seen) == 3 * (pairs or num * (num + 1) // 2)
    assert torch.equal(seen[:, -1, 0, 0, 0] + lead, target[:, 0, 0, 0, 0])
    assert torch.equal(seen[:, 0, 0, 0, 0] + window - 1, seen[:, -1, 0, 0, 0])
    rows = {(float(a), float(b)) for a, b in zip(seen[:, -1, 0, 0, 0], lead, strict=True)}
    assert len(rows) == len(seen)  # drawn without replacement


class Clock(nn.Module):
    """Returns the newest frame plus 20 times the lead time, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.leads: list[float] = []

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        self.leads.append(round(float(time[0]) * 20, 6))
        return x[:, -2:] + 20 * time.view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("longest", "leads"),
    [(None, [1, 2, 3, 4, 5]), (1, [1, 1, 1, 1, 1]), (2, [1, 2, 1, 2, 1])],
)
def test_answers_are_direct_or_in_jumps(longest: int | None, leads: list[float]) -> None:
    problem, target = numbered()
    clock = Clock()
    answer = LeadTime(longest=longest).predict(clock, problem)
    assert clock.leads == leads
    assert torch.allclose(answer, target, rtol=0, atol=1e-4)  # float32 sums of values up to 206


def test_frames_of_unequal_spacing_are_refused() -> None:
    problem, target = numbered()
    times = problem.times
    assert times is not None
    uneven = Problem(
        problem.law, problem.domain, problem.inputs, times**2, problem.history, problem.parameters
    )
    with pytest.raises(ConfigError, match="not equally spaced"):
        LeadTime().sizes(Samples.of(uneven, target))


def test_rates_cover_every_parameter_once() -> None:
    net = ScOT(4, 4, 32, embed_dim=8, depths=(1, 1), heads=(1, 2), skips=(1, 0), window=4)
    groups = parameter_groups(net, Rates(body=1e-5, ends=2e-4, norms=3e-4, weight_decay=1e-2))
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters())
    where = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    norms = {id(p) for m in net.modules() if isinstance(m, ConditionalNorm) for p in m.parameters()}
    assert {where[p] for p in norms} == {(3e-4, 0.0)}
    assert where[id(net.embed.projection.weight)] == (2e-4, 1e-2)
    assert where[id(net.recover.projection.bias)] == (2e-4, 0.0)
    assert where[id(net.encoder[0].blocks[0].first.weight)] == (1e-5, 1e-2)
    assert where[id(net.encoder[0].blocks[0].first.bias)] == (1e-5, 0.0)


def test_rates_reach_the_optimiser() -> None:
    """With vanishing rates elsewhere only embedding and recovery move."""
    task = conformance_tasks()[1]
    tiny = 1e-30
    fitted = solver(
        "solver=poseidon",
        *SMALL,
        "+solver.rates._target_=pdebench_poseidon.finetune.Rates",
        f"+solver.rates.body={tiny}",
        "+solver.rates.ends=0.01",
        f"+solver.rates.norms={tiny}",
        "+solver.rates.weight_decay=0",
        "solver.training.schedule=null",
    )
    torch.manual_seed(0)
    before = {k: v.clone() for k, v in fitted.build(task.samples("train")).state_dict().items()}
    torch.manual_seed(0)
    fitted.fit(task.samples("train"), task.samples("valid"), Budget(epochs=1))
    assert fitted.model is not None
    after = fitted.model.state_dict()
    moved = {k for k in before if float((after[k] - before[k]).abs().max()) > 1e3 * tiny}
    ends = {k for k in before if k.startswith(("network.embed.projection", "network.recover"))}
    assert moved == ends


def test_constants_scale_as_published() -> None:
    affine = Constants([0.8, 0.0], [0.31, 0.391]).fit(torch.zeros(5, 4, 3, 3))
    assert affine is not None  # two frames of two components
    z = affine.encode(torch.tensor([1.11, 0.391, 0.8, 0.0]).view(1, 4, 1, 1))
    assert torch.allclose(z.flatten(), torch.tensor([1.0, 1.0, 0.0, 0.0]), atol=1e-6)
    with pytest.raises(ConfigError, match="2 channels, the fields 3"):
        Constants([0.8, 0.0], [0.31, 0.391]).fit(torch.zeros(5, 3, 3, 3))


class Decay(nn.Module):
    """An exact semigroup, or with ``linear`` its first-order approximation, which is none."""

    def __init__(self, linear: bool) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, u: Tensor, time: Tensor) -> Tensor:
        factor = 1 - time if self.linear else torch.exp(-time)
        return u * factor.view(-1, 1, 1, 1)


def test_semigroups_are_consistent_and_others_are_not() -> None:
    u = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    for network in (Decay(False), Decay(True)):
        assert float(identity_error(network, u).max()) == 0.0
    assert float(semigroup_error(Decay(False), u, 0.2, 0.3).max()) < 1e-15
    # (1 - 0.2)(1 - 0.3) = 0.56 against 1 - 0.5
    expected = torch.full((3,), 0.06 / 0.5, dtype=torch.float64)
    assert torch.allclose(semigroup_error(Decay(True), u, 0.2, 0.3), expected)


def test_training_learns_forecast_identity_and_semigroup() -> None:
    """Each error is 1 for the answer zero; forty epochs leave less than half of it."""
    task = conformance_tasks()[0]
    question = Evolve(history=1)
    train, valid, test = (
        question.ask(task.dataset.split(name)) for name in ("train", "valid", "test")
    )
    fitted = solver(
        "solver=poseidon",
        "solver.architecture.embed_dim=12",
        "solver.architecture.depths=[1,1]",
        "solver.form.pairs=16",
        "solver.training.optimizer.lr=5e-3",
        "solver.training.batch_size=2",
        "solver.training.validate_every=10",
    )
    torch.manual_seed(0)
    fitted.fit(train, valid, Budget(epochs=40))
    fitted.prepare(test.problem)
    answer, target, model = fitted.solve(test.problem).u, test.target, fitted.model
    assert model is not None
    assert float((answer - target).norm()) < 0.5 * float(target.norm())
    with torch.no_grad():
        assert float(identity_error(model, test.problem.initial).mean()) < 0.5
        assert float(semigroup_error(model, test.problem.initial, 0.2, 0.2).mean()) < 0.5
