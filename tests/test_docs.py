"""What the documents say is what the program does."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hydra.utils import instantiate
from scipy import stats

ROOT = Path(__file__).parents[1]
SMALL = (
    "dataset.counts={train:4,valid:2,test:6}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=14",
    "dataset.workers=1",
    "task.evaluate=[test]",
)


def pdebench(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pdebench", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    where = (f"store={root}/store", f"data={root}/data", "threads=1")
    pdebench("run", "-m", *where, *SMALL, "solver=persistence,spectral_n8_h0.5", "seed=0,1")
    pdebench("board", "--store", f"{root}/store", "--out", f"{root}/board")
    return root


def test_a_sceptic_can_redo_a_row_by_hand(board: Path) -> None:
    """docs/boards.md for the row ``persistence``, from the files alone."""
    with h5py.File(next((board / "data").glob("*/test.h5"))) as stored:
        w = stored["vorticity"][()].astype(float)  # (sample, frame, channel, x, y), frame 0 at t=0
    asked, last = w[:, 11:], w[:, 10:11]  # ten frames given, from t = 1 on
    difference = np.sqrt(((last - asked) ** 2).sum((1, 2, 3, 4)))
    by_hand = difference / np.sqrt((asked**2).sum((1, 2, 3, 4)))
    lines = [json.loads(x) for x in next((board / "board").rglob("*.jsonl")).open()]
    row = next(x for x in lines if x.get("solver") == "persistence")
    score = row["scores"]["test"]["relative_l2"]
    assert score["mean"] == pytest.approx(by_hand.mean(), rel=1e-5)  # six digits are written
    files = [
        next((board / "store" / "records").glob(f"*/{run['id']}.cpu.json")) for run in row["runs"]
    ]
    records = [json.loads(file.read_text()) for file in files]
    for record in records:
        values = record["scores"]["test"]["relative_l2"]["values"]
        assert values == pytest.approx(by_hand.tolist(), rel=1e-5)
    solve = [r["costs"]["solve"]["seconds"] / r["costs"]["solve"]["batch"] for r in records]
    assert row["costs"]["solve"]["seconds"] == pytest.approx(np.median(solve), rel=1e-5)
    # two equal seeds leave the samples' interval, and six samples Student's
    low, high = stats.t.interval(0.95, 5, by_hand.mean(), stats.sem(by_hand))
    assert (score["low"], score["high"]) == pytest.approx((low, high), rel=2e-3)
    assert row["protocol"] == {
        "examined": True,
        "violations": [],
        "trials": 1,
        "precision": "float32",
    }


def test_the_notebook_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.S)
    assert found is not None
    overrides = ", ".join(map(repr, ("task=navier_stokes/evolve", *SMALL)))
    code = found.group(1).replace('"task=navier_stokes/evolve"', overrides)
    assert overrides in code and sum(1 for line in code.splitlines() if line.strip()) <= 14
    monkeypatch.setenv("PDEBENCH_DATA", str(tmp_path))
    script = tmp_path / "notebook.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 10


def test_the_data_example_and_commands_run(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/data.md: its Python with ``folder``, and every command with small settings."""
    from pdebench.cli import main
    from pdebench.testing import lookalikes

    text = (ROOT / "docs" / "data.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.S)
    assert found is not None
    folder = next((board / "data").glob("*/test.h5")).parent
    script = tmp_path / "example.py"
    script.write_text(f"folder = {str(folder)!r}\n{found.group(1)}")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert "('sample', 'time', 'channel', 'x', 'y') 1/s" in done.stdout

    lookalikes.fno_v73(tmp_path)
    lookalikes.pdebench_darcy(tmp_path)
    monkeypatch.chdir(tmp_path)
    small = [change for change in SMALL if not change.startswith("task.")]
    commands = re.findall(r"^    pdebench (data|run) (.*?)(?:  +#.*)?$", text, re.M)
    assert len(commands) >= 9
    for command, rest in commands:
        words = rest.split()
        if command == "data":
            words += [*([] if words[0] == "import" else small), "--data", f"{board}/data"]
        else:
            words = [w.replace("solver=fno,mean", "solver=mean") for w in words]
            words = [w.replace("solver=fno", "solver=mean") for w in words]
            words += [f"store={tmp_path}/store", f"data={tmp_path}/data", "track.budget.epochs=1"]
        if command == "data":
            assert main([command, *words]) == 0
        else:
            pdebench(command, *words)


def test_start_in_five_minutes_runs(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/start.md: every command, on the small data of the other tests."""
    from pdebench.cli import main

    monkeypatch.setenv("PDEBENCH_STORE", f"{board}/store")
    monkeypatch.setenv("PDEBENCH_DATA", f"{board}/data")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "start.md").read_text()
    commands = re.findall(r"^    pdebench (.*)$", text, re.M)
    assert {command.split()[0] for command in commands} == {"list", "run", "board", "data", "store"}
    for command in commands:
        words = command.split()
        if words[0] == "run":
            pdebench(*words, *SMALL, "threads=1")
        elif words[0] == "data":
            small = [change for change in SMALL if change.startswith("dataset.")]
            assert main([*words, *small]) == 0
        else:
            assert main(words) == 0
    assert (tmp_path / "my_board" / "index.html").is_file()


def test_the_example_of_the_concepts_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "concepts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {})
    assert capsys.readouterr().out == "(8, 8) 1.0\n"


SHOWN = ("<!-- shown only:", "<!-- run by ")  # why a block is not run here, or which test runs it


def blocks(name: str) -> list[tuple[str, str]]:
    """Return (mark, code) of every block of a page; the mark is the comment above it."""
    text = (ROOT / "docs" / f"{name}.md").read_text()
    indented, fenced = r"^ {4}\S[^\n]*\n(?:^(?: {4}[^\n]*)?\n)*", r"```\w+\n.*?```"
    pattern = rf"(<!-- [^\n]* -->\n+)?({indented}|{fenced})"
    return [(mark.strip(), code) for mark, code in re.findall(pattern, text, re.M | re.S)]


def test_sweeps_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/sweeps.md: every command outside blocks that are marked as shown only."""
    from pdebench.cli import main

    monkeypatch.setenv("PDEBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PDEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    ran = []
    for mark, code in blocks("sweeps"):
        for line in re.findall(r"^ {4}pdebench (.*?)(?:  +#.*)?$", code, re.M):
            if mark.startswith(SHOWN):
                continue
            words = shlex.split(line)
            ran.append(words[0])
            if words[0] == "run":
                pdebench(*words, *SMALL)
            else:
                assert main([w for w in words if w != "--watch"]) == 0, line
    assert ran[0] == "run" and {"sweep", "store"} <= set(ran) and len(ran) >= 7
    import duckdb

    table = duckdb.read_parquet(str(tmp_path / "all.parquet"))
    assert len(table.fetchall()) > 0


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("*.md")), ids=lambda f: f.stem)
def test_every_block_of_code_is_run_or_says_why_not(file: Path) -> None:
    """Blocks run by a test of this file are named here; others carry a mark."""
    run_here = {"start", "sweeps", "data", "concepts"}
    text = file.read_text()
    for mark, code in blocks(file.stem):
        asks = code.startswith("```python") or re.search(r"^ {4}pdebench ", code, re.M)
        if file.stem in run_here or not asks:
            continue
        line = text[: text.index(code)].count("\n") + 1
        assert mark.startswith(SHOWN), f"{file.name}, line {line}"
        named = re.match(r"<!-- run by ([\w/.]+)", mark)
        assert named is None or (ROOT / named[1]).is_file(), f"{file.name}, line {line}: {mark}"


def test_the_learned_operator_of_the_tutorial_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/plugins.md: the class with its YAML's form trains and answers."""
    import pdebench as suite
    from pdebench.config import compose
    from pdebench.learning import Rollout

    monkeypatch.setenv("PDEBENCH_DATA", str(tmp_path))
    code = next(c for _, c in blocks("plugins") if "class Mine(LearnedSolver)" in c)
    made: dict[str, type[suite.Solver]] = {}
    exec(code.removeprefix("```python\n").removesuffix("```"), made)
    short = ("task=navier_stokes/evolve", *SMALL, "track.budget.epochs=1")
    task = instantiate(compose(list(short)).task, _convert_="all")
    solver = made["Mine"](8, form=Rollout(unroll=1, increment=True))
    assert 0 < suite.evaluate(solver, task).mean("relative_l2") < 10


@pytest.mark.parametrize("name", ["start", "gpu", "cluster", "own_board", "sweeps", "faq"])
def test_runs_that_the_documents_name_compose(name: str) -> None:
    """What cannot be run here (a GPU, a cluster) names options, solvers and tasks that exist."""
    from pdebench.cli import _COMMANDS
    from pdebench.config import compose

    text = (ROOT / "docs" / f"{name}.md").read_text()
    for command, rest in re.findall(r"^ +pdebench (\w+) ?(.*?)(?:  +#.*)?$", text, re.M):
        assert command in _COMMANDS
        if command == "run":
            changes = [
                w for w in rest.split() if "=" in w and not w.startswith(("hydra.", "sweep="))
            ]
            first = [re.sub(r"=(?:range\()?([^,]+),.*", r"=\1", change) for change in changes]
            compose(first)


def test_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_and_paths_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(
        r"`((?:pdebench|plugins|datasets|docs|tests|benchmarks|conf)/[\w./]+)`", text
    )
    missing = [
        p
        for p in (*linked, *named)
        if not ((ROOT / name).parent / p).exists() and not (ROOT / p).exists()
    ]
    assert missing == []


def test_packages_of_the_wheel_are_the_packages_there_are() -> None:
    import tomllib

    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "pdebench").rglob("__init__.py")
    }
    assert set(named) == there | {"pdebench.conf"}
