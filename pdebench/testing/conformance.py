"""Rules that every solver keeps, each with why it exists and how to mend a failure."""

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from omegaconf import OmegaConf
from torch import Tensor

from pdebench import plugins
from pdebench.access import grant_problem, grant_samples, grant_task
from pdebench.config import check_types, compose
from pdebench.harness.answer import checked
from pdebench.harness.evaluate import seed_everything
from pdebench.harness.run import build
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver
from pdebench.task import Task
from pdebench.testing.problems import conformance_tasks

# Float32 sums in another order (batch of 1 against 5) differ by a few units in the last place per
# layer.
_ROUND_OFF = 1e-4

Make = Callable[[], Solver]


@final
@dataclass(frozen=True)
class Finding:
    """Outcome of one rule on one task: ``failure`` is None where it holds, "" never."""

    rule: str
    task: str
    failure: str | None
    why: str = ""
    mend: str = ""


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
        "no global state",
        "the next solver of a sweep must not notice this one",
        "restore what you change and never write into problem.inputs",
        _global_state,
    ),
)


def _supported(make: Make, task: Task) -> tuple[bool, str | None]:
    solver = make()
    reason = solver.supports(grant_task(task, solver))
    if reason is None:
        return True, None
    spoken = isinstance(reason, str) and len(reason.split()) >= 3
    return False, None if spoken else f"supports returned {reason!r}, expected None or a sentence"


def check_rules(make: Make, tasks: Sequence[Task] = ()) -> list[Finding]:
    """Run every rule on every supported task and return the findings."""
    findings: list[Finding] = []
    ran = False
    for task in tasks or conformance_tasks():
        applies, wrong = _supported(make, task)
        findings.append(
            Finding(
                "supports",
                task.name,
                wrong,
                "a skip must carry its reason",
                "return a sentence or None",
            )
        )
        if not applies:
            continue
        ran = True
        for rule in RULES:
            try:
                failure = rule.check(make, task)
            except Exception as error:  # a crash is a finding like any other
                failure = f"{type(error).__name__}: {error}"
            findings.append(Finding(rule.name, task.name, failure, rule.why, rule.mend))
    if not ran:
        findings.append(
            Finding(
                "applies somewhere",
                "all",
                "the solver supports none of the tasks it was checked on",
                "an unchecked solver is an unknown one",
                "pass tasks=(...) that it supports",
            )
        )
    return findings


def check_config(name: str) -> list[Finding]:
    """Check that the configuration of ``solver=name`` lists every constructor argument and a
    summary.
    """
    from hydra.utils import get_object

    choice = plugins.require("solver", name)
    content = OmegaConf.to_container(OmegaConf.load(choice.file))
    keys = set(content) if isinstance(content, dict) else set()
    target = str(content["_target_"]) if isinstance(content, dict) and "_target_" in content else ""
    missing = (
        sorted(set(inspect.signature(get_object(target)).parameters) - keys)
        if target
        else ["_target_"]
    )
    why, mend = (
        "a reader must see every choice in one file",
        f"add the keys to {choice.file.name}, with unit comments",
    )
    return [
        Finding(
            "config lists every argument",
            name,
            f"missing: {', '.join(missing)}" if missing else None,
            why,
            mend,
        ),
        Finding(
            "config has a summary",
            name,
            None if choice.summary else "the first line is no comment",
            "pdebench list shows it",
            "start the file with one sentence behind #",
        ),
    ]


def check_import(package: str) -> Finding:
    """Check, in a fresh interpreter, that importing a plugin package imports neither torch nor
    lightning.
    """
    probe = (
        f"import sys, {package}; print(*[m for m in ('torch', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    heavy = done.stdout.split()
    failure = done.stderr.strip().splitlines()[-1] if done.returncode else None
    failure = failure or (f"imports {', '.join(heavy)}" if heavy else None)
    mend = f"move imports out of {package}/__init__.py"
    return Finding(
        "light import", package, failure, "pdebench list loads every plugin package", mend
    )


def check_named(
    name: str, overrides: Sequence[str] = (), tasks: Sequence[Task] = ()
) -> list[Finding]:
    """Check ``solver=name`` as shipped, with overrides: its configuration, its package and its
    behaviour.
    """
    config = OmegaConf.to_container(compose([f"solver={name}", *overrides]).solver, resolve=True)
    check_types(config, "solver")
    package = plugins.require("solver", name).plugin.package
    return [
        check_import(package),
        *check_config(name),
        *check_rules(lambda: build(config, "solver"), tasks),
    ]


def check_solver(name: str, *overrides: str, tasks: Sequence[Task] = ()) -> None:
    """Assert that ``solver=name`` keeps every rule; the message says what failed, why it matters
    and how to mend it.

    def test_my_solver_keeps_the_rules():
        check_solver("my_solver", "solver.width=8")
    """
    failed = [f for f in check_named(name, overrides, tasks) if f.failure]
    said = [f"{f.rule} [{f.task}]: {f.failure}. Why: {f.why}. Mend: {f.mend}." for f in failed]
    assert not failed, f"solver={name} breaks {len(failed)} rules:\n" + "\n".join(said)
