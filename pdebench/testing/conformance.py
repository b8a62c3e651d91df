"""Check a solver: its configuration, its package and the rules of behaviour."""

import inspect
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from omegaconf import OmegaConf

from pdebench import plugins
from pdebench.access import grant_task
from pdebench.config import check_types, compose
from pdebench.harness.run import build
from pdebench.task import Task
from pdebench.testing.problems import conformance_tasks
from pdebench.testing.rules import RULES, Make


@final
@dataclass(frozen=True)
class Finding:
    """Outcome of one rule on one task: ``failure`` is None where it holds, "" never."""

    rule: str
    task: str
    failure: str | None
    why: str = ""
    mend: str = ""


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
