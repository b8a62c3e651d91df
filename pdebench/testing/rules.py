"""What every solver must do on every task it supports: a check, why it exists, how to mend it."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from pdebench.access import grant_problem, grant_samples
from pdebench.harness.answer import checked
from pdebench.harness.evaluate import seed_everything
from pdebench.learning import LearnedSolver
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, IterativeSolver, Solver
from pdebench.task import Task
from pdebench.testing.findings import Rule

# Float32 sums in another order (batch of 1 against 5) differ by a few units in the last place per
# layer.
_ROUND_OFF = 1e-4
_ITERATES = 3  # iterates that are looked at one by one

Make = Callable[[], Solver]


@final
class Trial:
    """A solver under examination on one task: fitted once, its answer, and what it left changed."""

    def __init__(self, make: Make, task: Task) -> None:
        self.make, self.task = make, task
        samples = task.samples("test")
        self.problem, self.target = samples.problem, samples.target

    def fitted(self) -> Solver:
        """Return a new solver, fitted with seed 0."""
        seed_everything(0)
        solver = self.make()
        splits = (self.task.samples(name) for name in ("train", "valid"))
        train, valid = (grant_samples(samples, solver) for samples in splits)
        solver.fit(train, valid, self.task.budget)
        return solver

    @cached_property
    def _first(self) -> tuple[Solver, Solution, list[str]]:
        before = _settings()
        copies = {name: value.clone() for name, value in self.problem.inputs.items()}
        solver = self.fitted()
        solution = answer(solver, self.problem)
        u = solution.u.clone()
        after = _settings()
        changed = [name for name in before if before[name] != after[name]]
        changed += [
            f"inputs[{name!r}]"
            for name, value in copies.items()
            if not torch.equal(value, self.problem.inputs[name])
        ]
        _restore(before)
        return solver, Solution(u, solution.spread, solution.iterations), changed

    @property
    def solver(self) -> Solver:
        """The solver, fitted once for all rules."""
        return self._first[0]

    @property
    def solution(self) -> Solution:
        """Its answer to the test problems."""
        return self._first[1]

    @property
    def changed(self) -> list[str]:
        """What of the process and of the inputs it changed."""
        return self._first[2]


def answer(solver: Solver, problem: Problem) -> Solution:
    """Return what the solver answers, with its own rights."""
    granted = grant_problem(problem, solver)
    solver.prepare(granted)
    return solver.solve(granted)


def _shape(trial: Trial) -> str | None:
    checked(trial.solution, trial.problem, trial.target, type(trial.solver).__name__)
    return None


def _spread(trial: Trial) -> str | None:
    spread = trial.solution.spread
    if spread is None or bool((spread >= 0).all()):
        return None
    return "Solution.spread holds negative numbers or NaN"


def _batch(trial: Trial) -> str | None:
    size = range(len(trial.problem))
    alone = [answer(trial.solver, trial.problem.take(slice(i, i + 1))).u for i in size]
    said = "solving samples one by one changes the answer"
    return _compare(torch.cat(alone), trial.solution.u, said, _ROUND_OFF)


def _memory(trial: Trial) -> str | None:
    answer(trial.solver, trial.problem.take(slice(0, 1)))
    again = answer(trial.solver, trial.problem).u
    return _compare(again, trial.solution.u, "answering twice gives two answers", 0.0)


def _seed(trial: Trial) -> str | None:
    second = answer(trial.fitted(), trial.problem).u
    return _compare(second, trial.solution.u, "two fits with the same seed differ", 0.0)


def _round_trip(trial: Trial) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        trial.solver.save(Path(folder))
        seed_everything(1)
        again = trial.make()
        again.load(Path(folder))
    said = "the loaded solver answers otherwise"
    return _compare(answer(again, trial.problem).u, trial.solution.u, said, 0.0)


def _validation(trial: Trial) -> str | None:
    """Fit one epoch, so that there is nothing to choose, beside two different valid splits.

    The second is part of train with its target negated: where gradients are taken on valid their
    signs turn, which the first step of Adam shows whatever their size.
    """
    if trial.solver.num_parameters == 0:
        return None
    once = Trial(trial.make, replace(trial.task, budget=Budget(epochs=1)))
    seed_everything(0)
    second = once.make()
    train = once.task.samples("train")
    part = train[-len(once.task.samples("valid")) :]
    other = Samples.of(part.problem, -part.target)
    second.fit(grant_samples(train, second), grant_samples(other, second), once.task.budget)
    said = "one epoch beside another validation split ends elsewhere"
    return _compare(answer(second, once.problem).u, once.solution.u, said, 0.0)


def _global_state(trial: Trial) -> str | None:
    return f"changed: {', '.join(trial.changed)}" if trial.changed else None


def _curve(trial: Trial) -> str | None:
    curve = getattr(trial.solver, "curve", [])
    limit = trial.task.budget.epochs
    if not curve:
        return "fit left no training curve"
    if limit is not None and curve[-1]["epoch"] > limit:
        return f"fit ran {curve[-1]['epoch']} epochs, the budget is {limit}"
    return None


def _count(trial: Trial) -> str | None:
    return None if trial.solver.num_parameters > 0 else "num_parameters is 0 after fit"


def _iterates(trial: Trial) -> str | None:
    solver = trial.solver
    assert isinstance(solver, IterativeSolver)
    granted = grant_problem(trial.problem, solver)
    solver.prepare(granted)
    kept: list[tuple[Tensor, Tensor]] = []
    for iterate, _ in zip(solver.iterate(granted), range(_ITERATES), strict=False):
        u = iterate.u if isinstance(iterate, Solution) else iterate
        kept.append((u, u.clone()))
        if u.shape != trial.target.shape:
            shape, expected = tuple(u.shape), tuple(trial.target.shape)
            return f"iterate {len(kept)} has shape {shape}, expected {expected}"
    if any(not torch.equal(yielded, copy) for yielded, copy in kept):
        return "an iterate changed after it was yielded"
    return None if kept else "iterate yielded nothing"


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.get_default_dtype()": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.get_num_threads()": (torch.get_num_threads, torch.set_num_threads),
    "torch.is_grad_enabled()": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch.get_float32_matmul_precision()": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
}


def _settings() -> dict[str, Any]:
    return {name: read() for name, (read, _) in _SETTINGS.items()}


def _restore(before: dict[str, Any]) -> None:
    """Undo what a solver changed, so that the other rules judge it alone."""
    for name, (read, write) in _SETTINGS.items():
        if read() != before[name]:
            write(before[name])


def _compare(got: Tensor, expected: Tensor, said: str, tolerance: float) -> str | None:
    if got.shape != expected.shape:
        return f"{said}: shapes {tuple(got.shape)} and {tuple(expected.shape)}"
    scale = float(expected.double().norm()) or 1.0
    difference = float((got.double() - expected.double()).norm()) / scale
    if difference <= tolerance:
        return None
    return f"{said}: relative difference {difference:.1e}, allowed {tolerance:g}"


_GENERATOR = (
    "draw random numbers from torch's global generator, which the harness seeds, and from nothing "
    "else"
)
RULES: tuple[Rule[Trial], ...] = (
    Rule(
        "shape",
        "scores compare like with like",
        "return Solution(u) with u like the target, floating, finite",
        _shape,
    ),
    Rule(
        "spread",
        "coverage and CRPS read it as a standard deviation",
        "return a spread >= 0, or None",
        _spread,
    ),
    Rule(
        "batch independence",
        "a score must not depend on how many problems are solved together",
        "use no statistics over the batch in solve (eval mode, per-sample norms)",
        _batch,
    ),
    Rule(
        "no memory",
        "the clock repeats solve, and every repeat must be the same work",
        "keep in prepare what depends on the discretisation alone, and draw no random numbers in "
        "solve without seeding a generator of your own",
        _memory,
    ),
    Rule("determinism", "a run must be repeatable from its seed", _GENERATOR, _seed),
    Rule(
        "save and load",
        "records keep the fitted state so that others can solve with it",
        "write every fitted tensor in save and read it in load",
        _round_trip,
    ),
    Rule(
        "validation is for choosing",
        "scalings and weights come from train; valid only says which epoch was best",
        "fit normalisation on train alone and take no gradient on valid",
        _validation,
    ),
    Rule(
        "no global state",
        "the next solver of a sweep must not notice this one",
        "restore what you change and never write into problem.inputs",
        _global_state,
    ),
)
LEARNED: tuple[Rule[Trial], ...] = (
    Rule(
        "budget",
        "rows compare at equal training",
        "train through LearnedSolver.fit, or stop at budget.epochs",
        _curve,
    ),
    Rule(
        "parameters",
        "boards show the size of a model",
        "return the number of trainable real numbers",
        _count,
    ),
)
ITERATIVE: tuple[Rule[Trial], ...] = (
    Rule(
        "iterates",
        "the harness scores iterates while it iterates",
        "yield tensors like the target, at least one, and write into none after yielding it",
        _iterates,
    ),
)


def rules_for(solver: Solver) -> tuple[Rule[Trial], ...]:
    """Return the rules that apply to what the solver can do."""
    learned = LEARNED if isinstance(solver, LearnedSolver) else ()
    iterative = ITERATIVE if isinstance(solver, IterativeSolver) else ()
    return (*RULES, *learned, *iterative)
