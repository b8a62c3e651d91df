"""Sweeps: every launcher, the journal, what a hostile solver costs, what tuning may see."""

import importlib.util
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from pdebench.cli.run import _per_job
from pdebench.cli.view import spoken, table
from pdebench.config import composed
from pdebench.errors import ConfigError
from pdebench.grid import expanded
from pdebench.harness.journal import Journal, begin
from pdebench.harness.record import Record
from pdebench.leaderboard.identity import command_of

SMALL = (
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "threads=1",
)


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = (f"store={root}/store", f"data={root}/data")
    return subprocess.run(
        [sys.executable, "-m", "pdebench", "run", *where, *SMALL, *arguments],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def status(root: Path, *arguments: str) -> dict:
    command = [sys.executable, "-m", "pdebench", "sweep", "status", "--store", f"{root}/store"]
    done = subprocess.run([*command, "--json", *arguments], capture_output=True, text=True)
    return json.loads(done.stdout)


def needs(name: str) -> None:
    if importlib.util.find_spec("hydra_plugins") is None or not importlib.util.find_spec(name):
        pytest.skip(f"{name.partition('.')[2]} is not installed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


HOSTILE = ("solver=mean", "solver._target_=hostile_solvers.Hostile", "+solver.where=fit")


def test_hostile_solvers_cost_a_record_each_never_the_sweep(root: Path) -> None:
    whats = "+solver.what=raises,exits,segfaults,hangs"
    done = run(root, "-m", *HOSTILE, whats, "limit.seconds=10", "task.evaluate=[test]")
    assert done.returncode == 0, done.stderr
    fates = [line.split("seed=0 ")[1].split(":")[0] for line in done.stdout.splitlines()]
    assert fates == ["failed", "failed", "failed", "timeout"]
    said = status(root)
    assert said["total"] == 4 and said["over"] is not None
    reasons = " ".join(e["reason"] for e in said["ended"].values())
    assert "boom" in reasons and "exit status 3" in reasons and "SIGSEGV" in reasons
    again = run(root, "-m", *HOSTILE, whats, "task.evaluate=[test]", "--retry", "timeout",
                "limit.seconds=1")  # fmt: skip
    assert again.stdout.count("(recalled ") == 3 and "limit.seconds=1" in again.stdout


LAUNCHERS = {
    "hydra_plugins.hydra_joblib_launcher": ("sweep=local", "hydra.launcher.n_jobs=2"),
    "hydra_plugins.hydra_submitit_launcher": ("sweep=slurm", "hydra/launcher=submitit_local"),
    "hydra_plugins.hydra_ray_launcher": ("sweep=ray", "hydra.launcher.ray.init.num_cpus=2"),
}


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(name, marks=[] if "joblib" in name else pytest.mark.slow, id=name[14:])
        for name in LAUNCHERS
    ],
)
def test_launchers_run_every_combination_once(root: Path, module: str) -> None:
    needs(module)
    where = root / module  # an option that the default solver does not have, beside the choice
    options = ("solver=spectral,crank_nicolson", "solver.step=0.5", "task.evaluate=[test]",
               "track.budget.epochs=4")  # fmt: skip
    done = run(where, *LAUNCHERS[module], *options)
    assert done.returncode == 0, done.stderr
    said = status(where)
    assert said["total"] == 2 and [e["status"] for e in said["ended"].values()] == ["ok"] * 2
    records = [json.loads(f.read_text()) for f in (where / "store/records").glob("*/*.json")]
    assert {r["solver"]["name"] for r in records} == {"spectral", "crank_nicolson"}
    assert all("solver.step=0.5" in r["solver"]["overrides"] for r in records)
    for record in records:  # the board's command, composed here, is the run that was made
        words = shlex.split(command_of(Record(**record)))
        assert words[:2] == ["pdebench", "run"] and "sweep=local" not in words
        again = OmegaConf.to_container(composed(words[2:])[0], resolve=True)
        assert isinstance(again, dict)
        assert all(again[key] == record["config"][key] for key in ("solver", "task", "seed"))


def test_tuning_sees_the_validation_split_and_is_told(root: Path) -> None:
    needs("hydra_plugins.hydra_optuna_sweeper")
    where = root / "optuna"
    net = ("solver=fno", "solver.architecture.modes=[4,4]", "track.budget.epochs=1")
    tuned = ("sweep=optuna", "hydra.sweeper.n_trials=2", "solver.architecture.width=2,4")
    done = run(where, *tuned, *net, "hydra.sweeper.sampler.seed=3")
    assert done.returncode == 0, done.stderr
    trials = [json.loads(f.read_text()) for f in where.glob("store/trials/records/*/*.json")]
    assert trials and all(set(t["scores"]) == {"valid"} for t in trials)
    (final,) = (json.loads(f.read_text()) for f in where.glob("store/records/*/*.json"))
    assert "test" in final["scores"] and "valid" not in final["scores"]
    assert final["config"]["trials"] == len(trials)
    best = min(trials, key=lambda t: sum(t["scores"]["valid"][t["task"]["headline"]]["values"]))
    assert final["config"]["solver"] == best["config"]["solver"]
    wrong = run(where, *tuned, *net, "task.evaluate=[test]")
    assert wrong.returncode != 0 and "expected [valid]" in wrong.stderr


def test_a_missing_launcher_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pdebench.cli import presets

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'pdebench-suite\[local\]'"):
        presets.chosen(["sweep=local"])


def test_combinations_are_those_of_hydra() -> None:
    from pdebench.config import compose

    overrides = ["solver=persistence,mean", "seed=range(0,2)", "track.budget.epochs=3"]
    found = list(expanded(overrides))
    assert [own for _, _, own in found] == [
        (f"solver={solver}", f"seed={seed}", "track.budget.epochs=3")
        for solver in ("persistence", "mean")
        for seed in (0, 1)
    ]
    for config, chosen, own in found:
        assert config == compose(list(own)) and f"solver={chosen['solver']}" in own
    with pytest.raises(ConfigError, match="nonsense"):
        list(expanded(["dataset.nonsense=3"]))


def test_values_beside_a_varied_choice_reach_every_job() -> None:
    found = _per_job(["solver=a,b", "solver.x=[1,2]", "+solver.y=k", "seed=1", "track.z=2"])
    assert found == ["solver=a,b", "solver.x=choice([1,2])", "+solver.y=choice(k)", "seed=1",
                     "track.z=2"]  # fmt: skip
    assert _per_job(["solver=a", "solver.x=1"]) == ["solver=a", "solver.x=1"]
    swept = list(expanded(["solver=spectral,crank_nicolson", "solver.step=0.5"]))
    assert [config.solver.step for config, _, _ in swept] == [0.5, 0.5]


def test_a_shared_composition_gives_the_run_that_hydra_would() -> None:
    from pdebench.harness import identity
    from pdebench.harness.run import Choices, resolve

    def name(config, own) -> str:
        task = resolve(config, Choices("spectral", "t", "tiny", own)).config
        return identity.run_id(task["task"], task["solver"], task["seed"], "data", "code")

    asked = ["solver=spectral,crank_nicolson", "seed=0,1", "solver.step=0.25,0.5",
             "track=tiny,small", *SMALL]  # fmt: skip
    ids = []
    for config, _, own in expanded(asked):
        ids.append(name(config, own))
        if own[1] == "seed=1":  # half of them: Hydra takes a quarter of a second each
            assert ids[-1] == name(composed(own)[0], own), own
    assert len(ids) == len(set(ids)) == 16


def test_a_journal_tells_running_lost_failed_and_time_to_go(tmp_path: Path) -> None:
    journal = begin(tmp_path, "pdebench run -m seed=0,1,2,3", 4)
    for label in ("seed=0", "seed=1", "seed=2"):
        journal.append("running", run=label)
    journal.append("done", run="seed=0", status="ok", recalled=False, seconds=3.0, record="ab")
    journal.append("done", run="seed=1", status="failed", reason="boom [x]", seconds=1.0)
    with journal.file.open("a") as stream:
        stream.write('{"event": "running", "run": "torn')
    state = journal.state()
    assert list(state.running) == ["seed=2"] and not state.lost
    assert [e.reason for e in state.failures] == ["boom [x]"]
    assert state.remaining_seconds == pytest.approx(state.seen - state.began)  # 2 of 4 done
    screen = io.StringIO()
    Console(file=screen, width=100).print(table(state))
    assert "2 of 4 done" in screen.getvalue() and "boom [x]" in screen.getvalue()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True)  # fmt: skip
    lines = journal.file.read_text().replace(f'"process": {os.getpid()}',
                                             f'"process": {gone.stdout.strip()}')  # fmt: skip
    other = Journal(tmp_path / "other.jsonl")
    other.file.write_text(lines)
    assert other.state().lost == ["seed=2"]


def test_durations_are_spoken() -> None:
    assert [spoken(s) for s in (3, 200, 8000)] == ["3 s", "3 min", "2 h 13 min"]
