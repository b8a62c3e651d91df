"""Every solver of the plugin keeps the suite's rules; one that does not apply says why."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_ifactformer.coordinates import channel_wall_normal
from pdebench_ifactformer.solver import IFactFormer

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import ConfigError
from pdebench.learning import Sizes
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Evolve, Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = (
    "solver.architecture.dim=16",
    "solver.architecture.heads=2",
    "solver.architecture.head_width=8",
)


@pytest.mark.parametrize("name", ["ifactformer_m", "ifactformer_o", "factformer"])
def test_solver_keeps_the_rules(name: str) -> None:
    check_solver(name, *SMALL)


def solver(*overrides: str) -> IFactFormer:
    built = instantiate(compose(list(overrides)).solver, _convert_="all")
    assert isinstance(built, IFactFormer)
    return built


def test_unfit_sizes_are_refused_with_the_reason() -> None:
    task = conformance_tasks()[0]
    odd = solver("solver=ifactformer_m", "solver.architecture.dim=15")
    assert "expected an even number" in (odd.supports(task) or "")
    spacetime = solver("solver=factformer", "solver.form._target_=pdebench.learning.SpaceTime")
    assert "axes are those of space" in (spacetime.supports(task) or "")
    march = solver("solver=factformer", "solver.architecture.steps=7")
    assert "steps that divide the 3 channels" in (march.supports(task) or "")


def test_unknown_coordinates_are_refused_with_the_key() -> None:
    with pytest.raises(Exception, match=r"solver.coordinates='polar', expected"):
        solver("solver=ifactformer_m", "solver.coordinates=polar")
    with pytest.raises(ConfigError, match=r"solver\.coordinates"):
        IFactFormer(lambda **sizes: None, "polar")  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("channel_m", 1_163_331),
        ("channel_m_paper", 1_181_763),
        ("channel_o", 1_071_171),
        ("factformer_kolmogorov", 3_463_489),
        ("navier_stokes", None),
    ],
)
def test_published_experiment_composes_and_builds_the_released_size(
    name: str, weights: int | None
) -> None:
    built = solver(f"+experiment=ifactformer/{name}")
    if weights is None:
        return
    channel = name.startswith("channel")
    sizes = (
        Sizes(3, 3, (32, 33, 16), (True, False, True))
        if channel
        else Sizes(10, 4, (128, 128), (True, True))
    )
    with torch.device("meta"):
        net = built.network(sizes)
    fixed = 3 * 48 if channel else 0  # the notebook counts the fixed Fourier matrix
    assert sum(p.numel() for p in net.parameters()) + fixed == weights


def test_stretched_walls_are_learned_saved_and_loaded(tmp_path: Path) -> None:
    """Channel-like: periodic x and z, stretched y, three components; two frames asked for."""
    grid = Grid((Axis.torus(4, 6.0), Axis.nodal(channel_wall_normal(5)), Axis.torus(3, 2.0)))
    frames = torch.randn(6, 3, 3, *grid.shape, generator=torch.Generator().manual_seed(0))
    problem = Problem(
        Vorticity(),
        grid,
        {"velocity": frames[:, :1]},
        times=torch.tensor([1.0, 2.0]),
        history=torch.tensor([0.0]),
    )
    samples = Samples.of(problem, frames[:, 1:])
    fitted = solver("solver=ifactformer_m", "solver.architecture.dim=12", *SMALL[1:])
    fitted.fit(samples, samples, Budget(epochs=1))
    assert fitted.model is not None
    stored = fitted.model.network.coordinates.axis1
    assert torch.allclose(stored.double(), channel_wall_normal(5), atol=1e-7)
    fitted.prepare(problem)
    answer = fitted.solve(problem).u
    assert answer.shape == frames[:, 1:].shape
    fitted.save(tmp_path)
    again = solver("solver=ifactformer_m", "solver.architecture.dim=12", *SMALL[1:])
    again.load(tmp_path)
    assert torch.equal(again.solve(problem).u, answer)


def channel_task(frames: int, history: int, times: torch.Tensor | None = None) -> Task:
    """A channel record of ``frames`` frames; Evolve takes ``history`` of them."""
    grid = Grid((Axis.torus(4), Axis.chebyshev(5), Axis.torus(4)))
    u = torch.randn(2, frames, 3, *grid.shape, generator=torch.Generator().manual_seed(0))
    moments = torch.arange(float(frames)) if times is None else times
    samples = Samples.of(Problem(ChannelFlow(), grid, {"velocity": u[:, 0]}, moments), u)

    class Held:
        def split(self, name: str) -> Samples:
            return samples

    return Task("channel", Held(), (relative_l2,), Evolve(history))  # type: ignore[arg-type]


@pytest.mark.parametrize(("frames", "history"), [(1, 1), (3, 3), (3, 7)])
def test_records_without_a_frame_to_predict_are_named(frames: int, history: int) -> None:
    """One-frame trajectories, and a history as long as the record or longer."""
    with pytest.raises(
        ConfigError, match=rf"history={history}, but the trajectories have {frames}"
    ):
        _ = channel_task(frames, history).samples("train").problem


@pytest.mark.parametrize("history", [1, 2, 3])
@pytest.mark.parametrize("increment", [False, True])
def test_any_history_and_increments_are_learned(history: int, increment: bool) -> None:
    task = channel_task(6, history)
    form = f"solver.form.increment={str(increment).lower()}"
    fitted = solver("solver=ifactformer_m", "solver.architecture.dim=12", form, *SMALL[1:])
    assert fitted.supports(task) is None
    fitted.fit(task.samples("train"), task.samples("valid"), Budget(steps=1))
    assert fitted.solve(task.samples("test").problem).u.shape[1] == 6 - history


def test_unequal_time_steps_are_refused() -> None:
    """The network knows no time: one step must mean the same everywhere."""
    uneven = channel_task(4, 1, torch.tensor([0.0, 1.0, 3.0, 4.0]))
    said = solver("solver=ifactformer_m").supports(uneven) or ""
    assert "equally spaced" in said
    assert solver("solver=ifactformer_m").supports(channel_task(4, 1)) is None
