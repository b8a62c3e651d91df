"""Every outcome of a run is a record that says what happened."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pdebench
from pdebench.errors import Diverged, Unsupported
from pdebench.harness.evaluate import evaluate
from pdebench.harness.outcome import Surroundings
from pdebench.harness.record import Record
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver
from pdebench.testing.problems import conformance_tasks

TASK = conformance_tasks()[0]
QUICK = Surroundings(timing_seconds=0.01)


class Answers(Solver):
    """Applies ``change`` to a right-shaped answer of zeros."""

    def __init__(self, change) -> None:
        self.change = change

    def solve(self, problem: Problem) -> Solution:
        u = problem.input
        assert problem.times is not None
        return self.change(u.new_zeros(len(u), len(problem.times), *u.shape[2:]))


def run(solver: Solver) -> Record:
    return evaluate(solver, TASK, surroundings=QUICK)[0]


def raises(error: BaseException):
    def change(u):
        raise error

    return change


def one_nan(u: torch.Tensor) -> Solution:
    u[1, 2, 0, 3, 3] = float("nan")
    return Solution(u)


OUTCOMES = [
    (lambda u: u, "failed", "returned Tensor, expected pdebench.Solution"),
    (lambda u: Solution(u[:, :-1]), "failed", r"shape (5, 2, 1, 32, 32), expected (5, 3, 1, 32"),
    (lambda u: Solution(u.int()), "failed", "dtype torch.int32, expected a real floating dtype"),
    (lambda u: Solution(u.cfloat()), "failed", "dtype torch.complex64"),
    (lambda u: Solution(u.to("meta")), "failed", "returned u on meta, expected cpu"),
    (lambda u: Solution(u, u[:1]), "failed", "spread of shape"),
    (one_nan, "diverged", "NaN or infinity in 1 of 5 samples, first at t=1.3"),
    (raises(RuntimeError("boom")), "failed", "RuntimeError: boom (test_harness.py:"),
    (raises(MemoryError("3 GiB")), "out_of_memory", "out of memory: 3 GiB"),
    (raises(Diverged("blew up")), "diverged", "blew up"),
    (raises(Unsupported("not here")), "unsupported", "not here"),
]


@pytest.mark.parametrize(("change", "status", "said"), OUTCOMES)
def test_outcome_becomes_status_and_reason(change, status: str, said: str) -> None:
    record = run(Answers(change))
    assert record.status == status
    assert record.reason is not None and said in record.reason
    assert Record.from_json(record.to_json()) == record


def test_other_floating_dtypes_are_welcome() -> None:
    assert run(Answers(lambda u: Solution(u.double()))).status == "ok"


class FailsLate(Answers):
    """Right on the first five problems it is asked, then not."""

    calls = 0

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        self.seen = len(train)


def test_what_was_measured_before_a_failure_is_kept() -> None:
    record = run(FailsLate(raises(RuntimeError("late"))))
    assert record.status == "failed" and record.costs["fit"]["seconds"] >= 0


def test_unsupported_costs_nothing_and_says_why() -> None:
    class Picky(Answers):
        def supports(self, task):
            return "it needs a mesh, the task lives on a grid"

    record = run(Picky(lambda u: Solution(u)))
    assert record.status == "unsupported" and record.costs == {} and record.scores == {}


def test_three_phases_are_timed_apart() -> None:
    record = run(Answers(lambda u: Solution(u)))
    assert set(record.costs) == {"load", "fit", "prepare", "solve"}  # no transfer on the CPU
    assert record.costs["load"]["seconds"] > 0 and record.costs["load"]["batch"] == 5
    solve = record.costs["solve"]
    assert solve["low"] <= solve["seconds"] <= solve["high"] and solve["batch"] == 5
    assert solve["machine"]["threads"] == torch.get_num_threads()
    assert solve["flops"] == 0  # of torch.zeros


def test_notebook_in_ten_lines(tmp_path: Path) -> None:
    from pdebench.baselines.persistence import Persistence

    record = pdebench.evaluate(Persistence(), TASK, data=tmp_path)
    assert record.status == "ok"
    values = record.scores["test"]["relative_l2"]["values"]
    # Modes of |k|^2 = 5 decay as exp(-nu 4 pi^2 5 t): persistence errs by the known factor.
    rate = 0.01 * 5 * 4 * torch.pi**2
    decay = torch.exp(-rate * torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    expected = float((1 - decay).norm() / decay.norm())
    assert values == pytest.approx([expected] * 5, rel=1e-5)


def test_public_names_load_when_used() -> None:
    for name in pdebench.__all__:
        assert getattr(pdebench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pdebench.nonsense


def test_diverging_off_the_distribution_costs_that_split_alone() -> None:
    class Fragile(Solver):
        def solve(self, problem: Problem) -> Solution:
            assert problem.times is not None
            if len(problem) == 3:  # the validation split of the kit holds three samples
                raise Diverged("blew up")
            u = problem.input
            return Solution(u.new_zeros(len(u), len(problem.times), *u.shape[2:]))

    task = replace(TASK, evaluate=("test", "valid"))
    record = evaluate(Fragile(), task, surroundings=QUICK)[0]
    assert record.status == "ok" and record.mean("relative_l2") == pytest.approx(1.0)
    assert record.scores["valid"]["relative_l2"] == {"not_applicable": "diverged: blew up"}
