"""What every solver must do on every task it supports: a check, why it exists, how to mend it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from pdebench.access import grant_problem, grant_samples
from pdebench.harness.answer import checked
from pdebench.harness.evaluate import seed_everything
from pdebench.problem import Problem, Solution
from pdebench.solver import Budget, Solver
from pdebench.task import Task

# Float32 sums in another order (batch of 1 against 5) differ by a few units in the last place per
# layer.
_ROUND_OFF = 1e-4

Make = Callable[[], Solver]


@final
@dataclass(frozen=True)
class Rule:
    """A check: ``check(make, task)`` returns None or what is wrong."""

    name: str
    why: str
    mend: str
    check: Callable[[Make, Task], str | None]


def _fitted(make: Make, task: Task) -> Solver:
    seed_everything(0)
    solver = make()
    train, valid = (grant_samples(task.samples(name), solver) for name in ("train", "valid"))
    solver.fit(train, valid, task.budget)
    return solver


def _answer(solver: Solver, problem: Problem) -> Solution:
    granted = grant_problem(problem, solver)
    solver.prepare(granted)
    return solver.solve(granted)


def _shape(make: Make, task: Task) -> str | None:
    solver = _fitted(make, task)
    samples = task.samples("test")
    checked(
        _answer(solver, samples.problem), samples.problem, samples.target, type(solver).__name__
    )
    return None


def _batch(make: Make, task: Task) -> str | None:
    solver = _fitted(make, task)
    problem = task.samples("test").problem
    together = _answer(solver, problem).u
    alone = torch.cat(
        [_answer(solver, problem.take(slice(i, i + 1))).u for i in range(len(problem))]
    )
    return _compare(alone, together, "solving samples one by one changes the answer", _ROUND_OFF)


def _seed(make: Make, task: Task) -> str | None:
    problem = task.samples("test").problem
    first, second = (_answer(_fitted(make, task), problem).u for _ in range(2))
    return _compare(first, second, "two fits with the same seed differ", 0.0)


def _round_trip(make: Make, task: Task) -> str | None:
    problem = task.samples("test").problem
    solver = _fitted(make, task)
    with tempfile.TemporaryDirectory() as folder:
        solver.save(Path(folder))
        seed_everything(1)
        again = make()
        again.load(Path(folder))
    return _compare(
        _answer(again, problem).u,
        _answer(solver, problem).u,
        "the loaded solver answers otherwise",
        0.0,
    )


def _validation(make: Make, task: Task) -> str | None:
    """Fit one epoch, so that there is nothing to choose, beside two different valid splits."""
    once = replace(task, budget=Budget(epochs=1))
    first = _fitted(make, once)
    if first.num_parameters == 0:
        return None
    seed_everything(0)
    second = make()
    train = grant_samples(task.samples("train"), second)
    second.fit(train, train[-len(task.samples("valid")) :], once.budget)
    problem = task.samples("test").problem
    said = "one epoch beside another validation split ends elsewhere"
    return _compare(_answer(second, problem).u, _answer(first, problem).u, said, 0.0)


def _global_state(make: Make, task: Task) -> str | None:
    before = _settings()
    problem = task.samples("test").problem
    copies = {name: value.clone() for name, value in problem.inputs.items()}
    _answer(_fitted(make, task), problem)
    after = _settings()
    changed = [name for name in before if before[name] != after[name]]
    changed += [
        f"inputs[{name!r}]"
        for name, value in copies.items()
        if not torch.equal(value, problem.inputs[name])
    ]
    return f"changed: {', '.join(changed)}" if changed else None


def _settings() -> dict[str, Any]:
    return {
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
    }


def _compare(got: Tensor, expected: Tensor, said: str, tolerance: float) -> str | None:
    if got.shape != expected.shape:
        return f"{said}: shapes {tuple(got.shape)} and {tuple(expected.shape)}"
    scale = float(expected.double().norm()) or 1.0
    difference = float((got.double() - expected.double()).norm()) / scale
    return (
        None
        if difference <= tolerance
        else f"{said}: relative difference {difference:.1e}, allowed {tolerance:g}"
    )


RULES = (
    Rule(
        "shape",
        "scores compare like with like",
        "return Solution(u) with u like the target, floating, finite",
        _shape,
    ),
    Rule(
        "batch independence",
        "a score must not depend on how many problems are solved together",
        "use no statistics over the batch in solve (eval mode, per-sample norms)",
        _batch,
    ),
    Rule(
        "determinism",
        "a run must be repeatable from its seed",
        "draw random numbers from torch's global generator, which the harness seeds, and from "
        "nothing else",
        _seed,
    ),
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
