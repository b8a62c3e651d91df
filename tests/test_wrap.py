"""Functions and plain networks are solvers without a package."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pdebench
from pdebench.errors import ConfigError
from pdebench.metrics.errors import nrmse
from pdebench.solver import Budget
from pdebench.task import Evolve, Task
from pdebench.testing.problems import DecayingModes
from pdebench.wrap import Network

TASK = Task(
    "conformance/evolve",
    DecayingModes(grid=8, frames=12),
    (nrmse,),
    Evolve(history=10),
    Budget(epochs=1),
    batch=5,
)


def last(problem):
    frames = len(problem.times)
    return np.repeat(problem.initial.numpy()[:, None], frames, axis=1)


class Net(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 1)
        self.second = nn.Conv2d(width, out_channels, 1)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


@pytest.mark.parametrize(("given", "parameters"), [(last, 0), (Net, 49)])
def test_a_function_and_a_network_class_are_evaluated(given, parameters, tmp_path: Path) -> None:
    record = pdebench.evaluate(given, TASK, data=tmp_path)
    assert record.status == "ok", record.reason
    assert record.parameters == parameters and record.mean("nrmse") is not None


C_PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { /* u(t) = 0.9^(t+1) u(0); fields as float32 on the streams */
    long frames = atol(argv[1]), size = atol(argv[2]);
    float *u = malloc(size * sizeof(float));
    while (fread(u, sizeof(float), size, stdin) == (size_t)size)
        for (long t = 0; t < frames; t++) {
            for (long i = 0; i < size; i++) u[i] *= 0.9f;
            fwrite(u, sizeof(float), size, stdout);
        }
    free(u);
    return 0;
}
"""


def damped(problem):
    decay = 0.9 ** np.arange(1, len(problem.times) + 1, dtype=np.float32).reshape(1, -1, 1, 1, 1)
    return problem.initial.numpy()[:, None] * decay


def test_a_compiled_program_is_called_by_subprocess(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path / "damped"
    (tmp_path / "damped.c").write_text(C_PROGRAM)
    subprocess.run([compiler, "-O2", "-o", program, tmp_path / "damped.c"], check=True)

    def compiled(problem):
        u = problem.initial.numpy()  # (B, C, *S)
        shape = (len(u), len(problem.times), *u.shape[1:])
        command = [program, str(shape[1]), str(u[0].size)]
        done = subprocess.run(command, input=u.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.float32).reshape(shape)

    found, expected = (pdebench.evaluate(f, TASK, data=tmp_path) for f in (compiled, damped))
    assert found.status == "ok", found.reason
    assert found.mean("nrmse") == pytest.approx(expected.mean("nrmse"), rel=1e-5)


def test_a_jax_function_is_evaluated(tmp_path: Path) -> None:
    jax = pytest.importorskip("jax")

    @jax.jit
    def step(u):
        return 0.9 * u

    def with_jax(problem):
        u, frames = jax.numpy.asarray(problem.initial.numpy()), []
        for _ in problem.times:
            u = step(u)
            frames.append(u)
        return np.asarray(jax.numpy.stack(frames, axis=1))

    found, expected = (pdebench.evaluate(f, TASK, data=tmp_path) for f in (with_jax, damped))
    assert found.status == "ok", found.reason
    assert found.mean("nrmse") == pytest.approx(expected.mean("nrmse"), rel=1e-5)


def test_a_neuraloperator_model_is_trained(tmp_path: Path) -> None:
    models = pytest.importorskip("neuralop.models")
    net = Network(models.FNO, n_modes=(4, 4), hidden_channels=4, n_layers=1)
    record = pdebench.evaluate(net, TASK, data=tmp_path)
    assert record.status == "ok", record.reason
    assert record.parameters > 0 and record.mean("nrmse") is not None


def test_what_is_no_method_is_refused() -> None:
    wrong: tuple[tuple[Any, str], ...] = ((3, "is no solver"), (Net(1, 1), "give its class"))
    for given, said in wrong:
        with pytest.raises(ConfigError, match=said):
            pdebench.evaluate(given, TASK)


def test_a_network_beside_the_working_folder_runs_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, in_channels, out_channels):\n"
        "        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=1))\n"
    )
    small = ["dataset.counts={train:4,valid:2,test:3}", "dataset.stored_grid=16", "threads=1",
             "dataset.solve_grid=16", "dataset.frames=12", "dataset.workers=1",
             "task.evaluate=[test]", "track.budget.epochs=1"]  # fmt: skip
    where = [f"store={tmp_path}/store", f"data={tmp_path}/data"]
    command = [sys.executable, "-m", "pdebench", "run"]
    done = subprocess.run(
        [*command, *where, *small, "solver._target_=my_model.Net"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " net seed=0 relative_l2=" in done.stdout
