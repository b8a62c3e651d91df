"""The command line as a user meets it; light commands import nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = (
    "dataset.counts={train:4,valid:2,test:3}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.workers=1",
    "task.evaluate=[test]",
    "threads=1",
)


def program(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pdebench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return program("run", f"store={root}/store", f"data={root}/data", *SMALL, *arguments)


def modules_after(*arguments: str) -> set[str]:
    """Names in sys.modules after the command ran in a fresh interpreter."""
    probe = (
        "import sys, json, io, contextlib\n"
        "from pdebench.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    code = main({list(arguments)!r})\n"
        "assert code == 0, code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"torch", "lightning", "h5py", "xarray", "scipy"}
SOLVERS = ("pdebench_fno.solver", "pdebench_spectral.solver", "pdebench.baselines.mean")


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--paths"), ("--version",)])
def test_light_commands_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(*arguments)
    assert not loaded & HEAVY and not any(name in loaded for name in SOLVERS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    done = run(root, "solver=persistence")
    assert done.returncode == 0, done.stderr
    assert "(computed " in done.stdout
    return root


def test_second_run_is_recalled_without_torch(finished: Path) -> None:
    again = run(finished, "solver=persistence")
    assert again.returncode == 0 and "(recalled " in again.stdout
    loaded = modules_after(
        "run", f"store={finished}/store", f"data={finished}/data", *SMALL, "solver=persistence"
    )
    assert not loaded & HEAVY and not any(name in loaded for name in SOLVERS)


def test_another_machine_setting_is_the_same_run(finished: Path) -> None:
    assert "(recalled " in run(finished, "solver=persistence", "threads=2").stdout


def test_another_seed_is_another_run(finished: Path) -> None:
    assert "(computed " in run(finished, "solver=persistence", "seed=5").stdout


def test_sweep_runs_everything_and_one_failure_costs_one_record(finished: Path) -> None:
    done = run(finished, "-m", "solver=persistence,mean,spectral_n8_h0.5", "seed=0,1")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == 6 and lines[-1].startswith("[6/6]")
    assert sum("recalled" in line for line in lines) >= 1


def test_nothing_is_written_into_the_working_folder(finished: Path, tmp_path: Path) -> None:
    arguments = ("run", f"store={finished}/store", f"data={finished}/data", *SMALL)
    done = program(*arguments, "solver=mean", "seed=9", cwd=tmp_path)
    assert done.returncode == 0 and not list(tmp_path.iterdir())


def test_two_processes_compute_one_run_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pdebench", "run", f"store={tmp_path}/store"]
    command += [f"data={tmp_path}/data", *SMALL, "solver=mean"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=240)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted("computed" in text for text in said) == [False, True], said
    assert len(list((tmp_path / "store" / "records").glob("*/*.json"))) == 1


WRONG = [
    (("solver=persistense",), "solver=persistense is unknown; did you mean 'persistence'?"),
    (("sed=1",), "'sed' is no key of the configuration; did you mean 'seed'?"),
    (("solver=mean", "solver.widht=3"), "'solver.widht' is no key of solver=mean"),
    (("seed=-1",), "seed=-1, expected a non-negative integer"),
    (("seed=abc",), "seed='abc', expected a non-negative integer"),
    (("threads=0",), "threads=0, expected a positive integer or null"),
    (("device=tpu",), "device='tpu', expected auto, cpu or cuda"),
    (("solver=spectral", "solver.grid=abc"), "solver.grid='abc', expected"),
    (("mean",), "'mean' is no override, expected key=value"),
    (("task.question.history=99",), "task.question.history=99, but the trajectories have"),
    (("dataset.viscosity=-1",), "dataset.viscosity=-1, expected a positive number"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_bad_input_is_one_sentence_that_names_the_argument(
    finished: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(finished, *arguments)
    assert done.returncode != 0 or "failed" in done.stdout
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_unknown_command_and_no_command() -> None:
    done = program("rnu")
    assert done.returncode == 2 and "'rnu' is no command; did you mean 'run'?" in done.stderr
    assert program().stdout.startswith("usage: pdebench")


@pytest.mark.parametrize("flags", [("--cfg", "job"), ("--help",), ("--info", "searchpath")])
def test_hydra_flags_work(flags: tuple[str, ...]) -> None:
    done = program("run", *flags, "solver=fno")
    assert done.returncode == 0, done.stderr
    assert "pdebench_fno" in done.stdout or "fno" in done.stdout


def test_a_store_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    done = run(tmp_path, "solver=mean")
    assert done.returncode != 0 and "is a file, expected a folder" in done.stderr


def test_paths_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PDEBENCH_STORE", str(tmp_path / "s"))
    monkeypatch.delenv("PDEBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    said = program("list", "--paths").stdout
    assert f"store {tmp_path / 's'}\n" in said
    assert f"data  {tmp_path / 'x' / 'pdebench' / 'data'}\n" in said
    assert os.path.join("site-packages") not in said


def test_edited_data_are_refused(tmp_path: Path) -> None:
    assert run(tmp_path, "solver=mean").returncode == 0
    file = next((tmp_path / "data").glob("*/test.h5"))
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size - 100)
    done = run(tmp_path, "solver=persistence")
    assert done.returncode != 0 and "test.h5' is truncated" in done.stderr


def test_solvers_are_timed_in_turn(finished: Path) -> None:
    where = (f"store={finished}/store", f"data={finished}/data", *SMALL)
    named = "solver=persistence,mean,spectral_n8_h0.5"
    done = program("time", named, *where, "--seconds", "0.05", "--json", "--sweep", "--batch", "2")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert list(said["rows"]) == ["persistence", "mean", "spectral_n8_h0.5"]
    assert said["batch"] == 2
    rows = said["rows"]
    assert rows["persistence"]["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    slow = rows["spectral_n8_h0.5"]
    assert slow["ratio"]["value"] > 3  # integration against a copy
    assert slow["low"] <= slow["seconds"] <= slow["high"]
    assert [p["batch"] for p in rows["mean"]["sweep"]["points"]] == [1, 2]
    assert len({row["rounds"] for row in rows.values()}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("threads=1",), "give the solvers once"),
        (("solver=mean", "--batch", "99"), "--batch 99, expected 1 to 3"),
        (("solver=mean", "--seconds", "0"), "--seconds 0.0, expected a positive number"),
        (("solver=men",), "did you mean 'mean'"),
    ],
)
def test_wrong_timing_is_refused(finished: Path, arguments: tuple[str, ...], said: str) -> None:
    where = (f"store={finished}/store", f"data={finished}/data", *SMALL)
    done = program("time", *arguments, *where)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("command", ["", "list", "run --help", "store --help"])
def test_a_reader_that_goes_away_ends_a_command_quietly(command: str) -> None:
    """As in ``pdebench run --help | head``: a closed pipe is no error to read about."""
    code = "import sys; from pdebench.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() in (0, 141)  # argparse passes over it; else 128 + SIGPIPE
    process.stderr.close()
