"""Every rule of the kit holds for a right plugin and fails for the one that is wrong in it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdebench.metrics.errors import nrmse
from pdebench.solver import Budget
from pdebench.task import Evolve, Task
from pdebench.testing import check_metric, check_solver
from pdebench.testing.conformance import check_dataset_rules, check_metric_rules, check_rules
from pdebench.testing.dataset_rules import DATASET
from pdebench.testing.findings import Finding, insist, with_expected
from pdebench.testing.metric_rules import METRIC
from pdebench.testing.problems import DecayingModes
from pdebench.testing.rules import ITERATIVE, LEARNED, RULES

_spec = importlib.util.spec_from_file_location(
    "wrong_plugins", Path(__file__).with_name("wrong_plugins.py")
)
assert _spec is not None and _spec.loader is not None
wrong = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wrong)

TASK = Task(
    "conformance/evolve",
    DecayingModes(grid=8, frames=12),
    (nrmse,),
    Evolve(history=10),
    Budget(epochs=1),
    batch=5,
)


def failed(findings: list[Finding]) -> set[str]:
    return {f.rule for f in findings if f.failure}


def test_a_right_plugin_of_each_kind_keeps_every_rule() -> None:
    for solver in (wrong.Right, wrong.Net):
        insist(check_rules(solver, [TASK]), solver.__name__)
    insist(check_dataset_rules(wrong.RightData), "data set")
    insist(check_metric_rules(wrong.right), "metric")


def test_there_is_a_wrong_plugin_for_every_rule() -> None:
    solver_rules = {r.name for r in (*RULES, *LEARNED, *ITERATIVE)}
    assert {name.strip() for name in wrong.SOLVERS} == solver_rules | {
        "supports",
        "applies somewhere",
        "runs",
    }
    assert set(wrong.DATASETS) == {r.name for r in DATASET}
    assert set(wrong.METRICS) == {r.name for r in METRIC}


@pytest.mark.parametrize("rule", wrong.SOLVERS)
def test_a_wrong_solver_breaks_its_rule(rule: str) -> None:
    findings = check_rules(wrong.SOLVERS[rule], [TASK])
    assert rule.strip() in failed(findings), findings
    for finding in findings:
        assert finding.why and finding.mend


@pytest.mark.parametrize("rule", wrong.DATASETS)
def test_a_wrong_data_set_breaks_its_rule(rule: str) -> None:
    assert rule in failed(check_dataset_rules(wrong.DATASETS[rule]))


@pytest.mark.parametrize("rule", wrong.METRICS)
def test_a_wrong_metric_breaks_its_rule(rule: str) -> None:
    assert rule in failed(check_metric_rules(wrong.METRICS[rule]))


def test_an_expected_failure_carries_its_reason_and_must_happen() -> None:
    findings = check_rules(wrong.BatchStatistics, [TASK])
    reason = "the published network normalises over the batch"
    accepted = with_expected(findings, {"batch independence": reason})
    insist(accepted, "solver")
    with pytest.raises(AssertionError, match="expected a sentence"):
        insist(with_expected(findings, {"batch independence": "known"}), "solver")
    with pytest.raises(AssertionError, match="'determinism' is expected to fail and holds"):
        insist(with_expected(accepted, {"determinism": reason}), "solver")


def test_a_failure_says_rule_why_and_how_to_mend() -> None:
    with pytest.raises(AssertionError) as caught:
        insist(check_rules(wrong.Remembers, [TASK]), "solver=mine")
    said = str(caught.value)
    assert "solver=mine breaks" in said and "no memory [conformance/evolve]" in said
    assert "Why: " in said and "Mend: " in said


@pytest.mark.parametrize("name", ["mean", "persistence"])
def test_built_in_solvers_keep_the_rules(name: str) -> None:
    check_solver(name)


@pytest.mark.parametrize(
    "name", ["nrmse", "correlation_time", "crps", "divergence", "pdebench_crmse"]
)
def test_metrics_of_every_need_keep_the_rules(name: str) -> None:
    check_metric(name)


def program(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pdebench", *arguments],
        env=os.environ | {"PYTHONPATH": str(root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_badly_packed_plugin_is_told_what_is_wrong(tmp_path: Path) -> None:
    info = tmp_path / "bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pdebench]\nx = bad_plugin\n")
    package = tmp_path / "bad_plugin"
    (package / "conf" / "solver").mkdir(parents=True)
    (package / "__init__.py").write_text("import torch\n")
    (package / "solver.py").write_text(
        "from pdebench.baselines.mean import Mean\n"
        "class Wide(Mean):\n    def __init__(self, width: int = 3): ...\n"
    )
    (package / "conf" / "solver" / "wide.yaml").write_text("_target_: bad_plugin.solver.Wide\n")
    done = program(tmp_path, "check", "wide")
    assert done.returncode == 1, done.stderr
    for said in ("imports torch", "missing: width", "the first line is no comment"):
        assert said in done.stdout


def test_the_table_names_kind_and_rules(tmp_path: Path) -> None:
    done = program(tmp_path, "check", "nrmse")
    assert done.returncode == 0, done.stderr
    assert "metric=nrmse" in done.stdout and "samples apart" in done.stdout
    done = program(tmp_path, "check", "nrmsee")
    assert done.returncode == 2 and "did you mean 'nrmse'?" in done.stderr
