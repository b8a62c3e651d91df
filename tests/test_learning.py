"""Training: it learns, keeps the best weights, respects budgets, resumes after a kill."""

import copy
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import final

import pytest
import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError, DataError, Diverged, SolverError, Unsupported
from pdebench.learning import LearnedSolver, OneShot, Rollout, Sizes, Training
from pdebench.learning.scaling import PerChannel, PerPoint
from pdebench.learning.schedules import WarmupCosine
from pdebench.learning.solver import Scaled
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.session import Session, opened
from pdebench.solver import Budget
from pdebench.testing.problems import conformance_tasks

EVOLVE, STEADY = conformance_tasks()


@final
class Pointwise(LearnedSolver):
    """The smallest network that can learn: one linear map of the channels."""

    def network(self, sizes: Sizes) -> nn.Module:
        kind = {1: nn.Conv1d, 2: nn.Conv2d}[sizes.dim]
        return kind(sizes.in_channels, sizes.out_channels, 1)


@final
class Exploding(LearnedSolver):
    """Learns well for two epochs, then its loss is not a number."""

    calls = 0

    def network(self, sizes: Sizes) -> nn.Module:
        return nn.Conv2d(sizes.in_channels, sizes.out_channels, 1)

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        self.calls += 1
        value = super().loss(model, problem, target, weights)
        return value * float("nan") if self.calls > 4 else value


def adam(lr: float = 0.05, **settings: object) -> Training:
    return Training(
        optimizer=lambda p: torch.optim.Adam(p, lr=lr),
        batch_size=4,
        **settings,  # type: ignore[arg-type]
    )


def fitted(solver: LearnedSolver, task=STEADY, budget: Budget | None = None):
    torch.manual_seed(0)
    train, valid = task.samples("train"), task.samples("valid")
    solver.fit(train, valid, budget or Budget(epochs=40))
    return solver


def error(solver: LearnedSolver, task=STEADY) -> float:
    test = task.samples("test")
    solver.prepare(test.problem)
    u = solver.solve(test.problem).u
    return float((u - test.target).norm() / test.target.norm())


def test_it_learns_a_linear_law() -> None:
    """-lap u = f with one wavenumber is u = f / (20 pi^2): one number to learn."""
    solver = fitted(Pointwise(OneShot(), adam(scaling=PerChannel())), budget=Budget(epochs=150))
    assert error(solver) < 0.02
    assert solver.curve[-1]["valid_loss"] < solver.curve[0]["valid_loss"] / 10


def test_best_epoch_on_validation_is_kept() -> None:
    """A rate so large that the loss jumps: the kept weights are those of the best epoch."""
    solver = fitted(Pointwise(OneShot(), adam(lr=1.5, scaling=PerChannel())))
    losses = [row["valid_loss"] for row in solver.curve]
    assert losses[-1] > min(losses)
    valid = STEADY.samples("valid")
    assert solver.model is not None
    with torch.no_grad():
        got = solver.loss(
            solver.model, valid.problem, valid.target, valid.problem.domain.weights.float()
        )
    assert float(got) == pytest.approx(min(losses), rel=1e-5)


def test_nan_loss_is_a_divergence_with_its_epoch() -> None:
    with pytest.raises(Diverged, match="train_loss is nan in epoch 2"):
        fitted(Exploding(OneShot(), adam()))


@pytest.mark.parametrize(
    ("budget", "epochs", "steps"),
    [(Budget(epochs=3), 3, 6), (Budget(steps=5), 3, 5), (Budget(epochs=9, steps=4), 2, 4)],
)
def test_budget_of_epochs_and_steps(budget: Budget, epochs: int, steps: int) -> None:
    curve = fitted(Pointwise(OneShot(), adam()), budget=budget).curve
    assert curve[-1]["epoch"] == epochs and curve[-1]["step"] == steps


def test_budget_of_seconds_ends_the_fit() -> None:
    began = time.perf_counter()
    solver = fitted(Pointwise(OneShot(), adam()), budget=Budget(seconds=0.5))
    assert time.perf_counter() - began < 30
    assert solver.curve[-1]["seconds"] > 0.4


def test_no_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="budget has neither epochs, steps nor seconds"):
        fitted(Pointwise(), budget=Budget())


@pytest.mark.parametrize("name", ["epochs", "steps", "seconds"])
def test_negative_budget_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"budget\.{name}=-1"):
        Budget(**{name: -1})


def test_patience_stops_early() -> None:
    solver = fitted(Pointwise(OneShot(), adam(lr=0.0, patience=3)))
    assert len(solver.curve) == 4


def test_seed_decides_everything() -> None:
    runs = [fitted(Pointwise(OneShot(), adam())).curve[-1]["train_loss"] for _ in range(2)]
    assert runs[0] == runs[1]


def test_batches_follow_the_session_seed() -> None:
    def run(seed: int) -> float:
        with opened(Session(seed=seed)):
            return fitted(Pointwise(OneShot(), adam()), budget=Budget(epochs=2)).curve[-1][
                "train_loss"
            ]

    assert run(1) == run(1) != run(2)


def test_solving_before_fitting_is_refused() -> None:
    with pytest.raises(SolverError, match="before fit or load"):
        Pointwise().solve(STEADY.samples("test").problem)


def test_loading_from_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"weights\.safetensors' does not exist"):
        Pointwise().load(tmp_path)


def test_rollout_answers_frame_by_frame() -> None:
    """The answer of a rollout is the network applied to its own answers."""
    solver = fitted(Pointwise(Rollout(), adam()), EVOLVE, Budget(epochs=1))
    problem = EVOLVE.samples("test").problem
    u = solver.solve(problem).u
    window = problem.input.flatten(1, 2)
    assert solver.model is not None
    with torch.no_grad():
        for frame in u.unbind(1):
            assert torch.allclose(solver.model(window), frame, atol=1e-6)
            window = torch.cat([window[:, 1:], frame], dim=1)


def test_increment_starts_from_persistence() -> None:
    solver = Pointwise(Rollout(increment=True), adam())
    model = solver.build(EVOLVE.samples("train"))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    problem = EVOLVE.samples("test").problem
    with torch.no_grad():
        u = solver.form.predict(model, problem)
    assert torch.equal(u[:, -1], problem.initial)


def test_unrolled_training_pairs_are_pieces_of_the_trajectory() -> None:
    torch.manual_seed(1)
    samples = EVOLVE.samples("train")
    whole = torch.cat([samples.problem.input, samples.target], dim=1)
    starts = set()
    for _ in range(20):
        problem, target = Rollout(unroll=1).training_pair(samples.problem, samples.target)
        piece = torch.cat([problem.input, target], dim=1)
        matching = [s for s in range(3) if torch.equal(whole[:, s : s + 11], piece)]
        assert matching and problem.times is not None and problem.history is not None
        assert len(problem.times) == 1 and len(problem.history) == 10
        starts.add(matching[0])
    assert starts == {0, 1, 2}


def test_scalings_are_those_of_the_training_split() -> None:
    field = torch.randn(50, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1
    for scaling in (PerChannel(), PerPoint()):
        affine = scaling.fit(field)
        assert affine is not None
        z = affine.encode(field)
        assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
        assert torch.allclose(affine.decode(z), field, atol=1e-5)


def test_schedule_warms_up_and_falls_to_zero() -> None:
    spent = {"p": 0.0}
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = WarmupCosine(optimizer, progress=lambda: spent["p"], warmup=0.2)
    rates = []
    for p in (0.1, 0.2, 0.6, 1.0):
        spent["p"] = p
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    assert rates == pytest.approx([0.5, 1.0, 0.5, 0.0], abs=1e-12)


PROGRAM = """
import sys, pathlib, torch
sys.path.insert(0, sys.argv[2])
from test_learning import Pointwise, OneShot, adam, STEADY, Budget, Session, opened
import pdebench.learning.callbacks as callbacks
callbacks._RESUME_EVERY = 0.0
folder = pathlib.Path(sys.argv[1])
class Told(Pointwise.__mro__[1]):
    network = Pointwise.network
    def loss(self, *a):
        print("batch", flush=True)
        return super().loss(*a)
torch.manual_seed(0)
solver = Told(OneShot(), adam())
with opened(Session(seed=3, folder=folder)):
    solver.fit(STEADY.samples("train"), STEADY.samples("valid"), Budget(epochs=60))
print("curve", len(solver.curve), repr(solver.curve[-1]["valid_loss"]), flush=True)
"""


def test_a_killed_fit_goes_on_and_ends_in_the_same_weights(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)

    def start(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(folder), here]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(worker: subprocess.Popen[str]) -> tuple[int, str]:
        out, _ = worker.communicate(timeout=240)
        lines = out.splitlines()
        return lines.count("batch"), lines[-1]

    whole_batches, whole = finish(start(tmp_path / "whole"))
    worker = start(tmp_path / "killed")
    assert worker.stdout is not None
    for _ in range(60):
        assert worker.stdout.readline() == "batch\n"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert (tmp_path / "killed" / "resume.ckpt").is_file()
    batches, resumed = finish(start(tmp_path / "killed"))
    assert resumed == whole and resumed.startswith("curve 60 ")
    assert batches < whole_batches - 40
    assert not (tmp_path / "killed" / "resume.ckpt").exists()


def test_samples_are_never_indexed_by_a_number() -> None:
    with pytest.raises(TypeError, match=r"take a slice, samples\[3:4\]"):
        Samples.of(STEADY.samples("train").problem, STEADY.samples("train").target)[3]  # type: ignore[index]


def test_two_processes_train_as_one_with_the_batch_of_both() -> None:
    """Data parallelism averages gradients: two batches of 2 are one of 4 (gloo, CPU)."""
    train, valid = EVOLVE.samples("train"), EVOLVE.samples("valid")
    fitted = []
    for devices, size in ((1, 4), (2, 2)):
        torch.manual_seed(0)
        solver = Pointwise(
            OneShot(),
            Training(
                optimizer=lambda p: torch.optim.SGD(p, lr=0.05), batch_size=size, devices=devices
            ),
        )
        solver.fit(train, valid, Budget(epochs=3))
        fitted.append(solver)
    one, two = fitted
    assert one.model is not None and two.model is not None
    before = torch.cat([p.flatten() for p in one.build(train).parameters()])
    a, b = (torch.cat([p.flatten() for p in s.model.parameters()]) for s in fitted)
    assert torch.allclose(a, b, atol=1e-6) and not torch.allclose(a, before, atol=1e-2)
    assert [point["epoch"] for point in two.curve] == [1, 2, 3]
    for x, y in zip(one.curve, two.curve, strict=True):
        assert x["valid_loss"] == pytest.approx(y["valid_loss"], rel=1e-5)
        assert x["train_loss"] == pytest.approx(y["train_loss"], rel=1e-5)


def test_all_frames_at_once_refuses_another_horizon() -> None:
    """The network's channels are the frames it was trained on; more are no answer, and say so."""
    problem = conformance_tasks()[0].samples("test").problem
    assert problem.times is not None
    frames = len(problem.times)

    def network(x: torch.Tensor) -> torch.Tensor:
        return x[:, :1].expand(-1, frames, -1, -1)

    form = OneShot()
    assert form.predict(network, problem).shape[1] == frames  # type: ignore[arg-type]
    for asked in (frames - 1, 2 * frames):
        times = torch.arange(1.0, asked + 1)
        with pytest.raises(Unsupported, match="a rollout answers any horizon"):
            form.predict(network, replace(problem, times=times))  # type: ignore[arg-type]


def test_a_network_gets_its_own_precision_wherever_it_was_moved() -> None:
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Conv2d(1, 1, 1))
    model = Scaled(net, None, None)
    x = torch.zeros(1, 1, 4, 4)
    assert model(x).dtype == torch.float32
    net.double()
    assert model(x).dtype == torch.float64
    twin = copy.deepcopy(model)
    model.float()
    assert model(x.double()).dtype == torch.float32 and twin(x).dtype == torch.float64
    assert Scaled(torch.nn.Identity(), None, None)(x.half()).dtype == torch.float16
