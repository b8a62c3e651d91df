"""Check a solver, a data set or a metric: its configuration, its package, its behaviour."""

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pdebench import plugins
from pdebench.access import grant_task
from pdebench.config import check_types, compose
from pdebench.dataset import Dataset
from pdebench.errors import ConfigError, Unsupported
from pdebench.harness.run import build
from pdebench.metric import Metric
from pdebench.task import Task
from pdebench.testing.dataset_rules import DATASET, Shelf
from pdebench.testing.findings import Finding, examined, insist, with_expected
from pdebench.testing.metric_rules import METRIC, Scored
from pdebench.testing.problems import conformance_tasks
from pdebench.testing.rules import Make, Trial, rules_for

KINDS = ("solver", "dataset", "metric")


def _supported(make: Make, task: Task) -> tuple[bool, str | None]:
    solver = make()
    reason = solver.supports(grant_task(task, solver))
    if reason is None:
        return True, None
    spoken = isinstance(reason, str) and len(reason.split()) >= 3
    return False, None if spoken else f"supports returned {reason!r}, expected None or a sentence"


def check_rules(make: Make, tasks: Sequence[Task] = ()) -> list[Finding]:
    """Apply every rule that fits the solver's capabilities, on every task it supports."""
    findings: list[Finding] = []
    ran = False
    for task in tasks or conformance_tasks():
        applies, wrong = _supported(make, task)
        why, mend = "a skip must carry its reason", "return a sentence or None"
        findings.append(Finding("supports", task.name, wrong, why, mend))
        if not applies:
            continue
        ran = True
        trial = Trial(make, task)
        try:
            _ = trial.solution
            failure = None
        except Exception as error:  # a solver that crashes breaks this rule, and only this one
            failure = f"{type(error).__name__}: {error}"
        why, mend = "nothing else can be judged", "fit, prepare and solve what supports accepts"
        findings.append(Finding("runs", task.name, failure, why, mend))
        if failure is None:
            findings += examined(trial, task.name, rules_for(trial.solver))
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


def check_config(kind: str, name: str) -> list[Finding]:
    """Check that the configuration of ``kind=name`` lists every constructor argument and has a
    summary.
    """
    from hydra.utils import get_object

    choice = plugins.require(kind, name)
    content = OmegaConf.to_container(OmegaConf.load(choice.file))
    keys = set(content) if isinstance(content, dict) else set()
    target = str(content["_target_"]) if isinstance(content, dict) and "_target_" in content else ""
    if not target:
        missing = ["_target_"]
    elif target == "hydra.utils.get_object":
        missing = [] if "path" in keys else ["path"]
    else:
        missing = sorted(set(inspect.signature(get_object(target)).parameters) - keys)
    said = f"missing: {', '.join(missing)}" if missing else None
    mend = f"add the keys to {choice.file.name}, with unit comments"
    why = "a reader must see every choice in one file"
    found = [Finding("config lists every argument", name, said, why, mend)]
    said = None if choice.summary else "the first line is no comment"
    mend = "start the file with one sentence behind #"
    found.append(Finding("config has a summary", name, said, "pdebench list shows it", mend))
    return found


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
    why = "pdebench list loads every plugin package"
    return Finding("light import", package, failure, why, mend)


def check_dataset_rules(make: Callable[[], Dataset], name: str = "data set") -> list[Finding]:
    """Apply every rule of data sets; files are made in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        return examined(Shelf(make, Path(folder)), name, DATASET)


def check_metric_rules(metric: Metric) -> list[Finding]:
    """Apply every rule of metrics, on the kit's tasks.

    Where the metric needs what these do not have, only its description is judged.
    """
    scored = Scored(metric)
    try:
        _ = scored.case
    except Unsupported:
        return examined(scored, f"{metric.short}, its behaviour not judged", METRIC[:1])
    except Exception:  # whatever it raises is what its rules find
        return examined(scored, metric.short, METRIC)
    return examined(scored, metric.short, METRIC)


def kind_of(name: str) -> str:
    """Return which kind of plugin ``name`` is. Raises ConfigError for none and for several."""
    found = [kind for kind in KINDS if (kind, name) in plugins.catalog()]
    if len(found) == 1:
        return found[0]
    if found:
        spelled = " or ".join(f"{kind}={name}" for kind in found)
        raise ConfigError(f"'{name}' is ambiguous; write {spelled}")
    known = [other for kind, other in plugins.catalog() if kind in KINDS]
    raise ConfigError(f"'{name}' is no solver, dataset or metric{plugins.nearest(name, known)}")


def check_named(
    name: str,
    overrides: Sequence[str] = (),
    tasks: Sequence[Task] = (),
    kind: str = "solver",
    expected: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check ``kind=name`` as shipped, with overrides: configuration, package and behaviour.

    ``expected`` maps rules that are known to fail to the reason; a solver class may declare its own
    as ``breaks``.
    """
    package = plugins.require(kind, name).plugin.package
    config = _composed(kind, name, overrides)
    check_types(config, kind)
    findings = [check_import(package), *check_config(kind, name)]
    declared: dict[str, str] = {}
    if kind == "metric":
        metric: Metric = build(config, kind)
        declared |= metric.breaks
        findings += check_metric_rules(metric)
    elif kind == "dataset":
        findings += check_dataset_rules(lambda: build(config, kind), name)
    else:
        declared |= type(build(config, kind)).breaks
        findings += check_rules(lambda: build(config, kind), tasks)
    return with_expected(findings, declared | dict(expected or {}))


def _composed(kind: str, name: str, overrides: Sequence[str]) -> Any:
    if kind == "metric":
        return OmegaConf.to_container(OmegaConf.load(plugins.require(kind, name).file))
    if kind == "dataset":
        config = OmegaConf.load(plugins.require(kind, name).file)
        dots = [o.removeprefix("dataset.") for o in overrides]
        merged = OmegaConf.merge(config, OmegaConf.from_dotlist(dots))
        return OmegaConf.to_container(merged, resolve=True)
    return OmegaConf.to_container(compose([f"{kind}={name}", *overrides])[kind], resolve=True)


def check_solver(
    name: str,
    *overrides: str,
    tasks: Sequence[Task] = (),
    expected: Mapping[str, str] | None = None,
) -> None:
    """Assert that ``solver=name`` keeps every rule; the message says what failed, why it matters
    and how to mend it.

    def test_my_solver_keeps_the_rules():
        check_solver("my_solver", "solver.width=8")
    """
    insist(check_named(name, overrides, tasks, expected=expected), f"solver={name}")


def check_dataset(name: str, *overrides: str, expected: Mapping[str, str] | None = None) -> None:
    """Assert that ``dataset=name`` keeps every rule; make it small with overrides such as
    ``dataset.counts.train=4``.
    """
    insist(check_named(name, overrides, (), "dataset", expected), f"dataset={name}")


def check_metric(name: str, *, expected: Mapping[str, str] | None = None) -> None:
    """Assert that ``metric=name`` keeps every rule."""
    insist(check_named(name, (), (), "metric", expected), f"metric={name}")
