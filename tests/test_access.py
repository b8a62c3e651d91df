"""A solver sees what it declares and nothing else, however it tries."""

import copy
import pickle
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pytest
import torch

from pdebench.access import grant_problem, grant_samples, grant_task
from pdebench.errors import AccessError
from pdebench.harness.evaluate import evaluate
from pdebench.harness.guard import sealed
from pdebench.harness.outcome import Surroundings
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver
from pdebench.testing.problems import conformance_tasks

TASK = conformance_tasks()[0]


class Honest(Solver):
    """Answers zeros; subclasses cheat in one verb."""

    uses: ClassVar[frozenset] = frozenset()

    def solve(self, problem: Problem) -> Solution:
        u = problem.input
        assert problem.times is not None
        return Solution(u.new_zeros(len(u), len(problem.times), *u.shape[2:]))


class ReadsTargets(Honest):
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        _ = train.target


class ReadsTargetsOfASlice(Honest):
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        _ = next(train[2:4].chunks(1)).target


class ReadsTargetsOfTheSource(Honest):
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        _ = train.source.target(slice(None))


class ReadsTargetsOfValidation(Honest):
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        _ = valid.target


class ReadsTheEquation(Honest):
    def solve(self, problem: Problem) -> Solution:
        _ = problem.equation
        return super().solve(problem)


class ReadsTheEquationInFit(Honest):
    uses = frozenset({"labels"})

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        _ = train.problem.equation


class ReadsTheEquationOfACopy(Honest):
    def solve(self, problem: Problem) -> Solution:
        _ = copy.deepcopy(problem).equation
        return super().solve(problem)


class ReadsTheEquationOfAPickle(Honest):
    def solve(self, problem: Problem) -> Solution:
        _ = pickle.loads(pickle.dumps(problem.take(slice(0, 1)))).equation
        return super().solve(problem)


class ReadsTheTestSplitInSupports(Honest):
    def supports(self, task):
        _ = task.dataset.split("valid")


class PreparesDataInSupports(Honest):
    def supports(self, task):
        task.dataset.prepare(Path("."))


class DeclaresNonsense(Honest):
    uses = frozenset({"answers"})


CHEATS = [
    (ReadsTargets, "targets"),
    (ReadsTargetsOfASlice, "targets"),
    (ReadsTargetsOfTheSource, "targets"),
    (ReadsTargetsOfValidation, "targets"),
    (ReadsTheEquation, "problem.equation"),
    (ReadsTheEquationInFit, "problem.equation"),
    (ReadsTheEquationOfACopy, "problem.equation"),
    (ReadsTheEquationOfAPickle, "problem.equation"),
    (ReadsTheTestSplitInSupports, "not shown"),
    (PreparesDataInSupports, "no business"),
    (DeclaresNonsense, "expected a subset"),
]


@pytest.mark.parametrize(("cheat", "said"), CHEATS, ids=lambda c: getattr(c, "__name__", ""))
def test_cheating_costs_a_failed_record_that_says_how(cheat: type[Solver], said: str) -> None:
    record, _ = evaluate(cheat(), TASK, surroundings=Surroundings(timing_seconds=0.01))
    assert record.status == "failed"
    assert record.reason is not None and said in record.reason
    assert record.mean("relative_l2") is None


def test_the_honest_one_passes() -> None:
    record, _ = evaluate(Honest(), TASK, surroundings=Surroundings(timing_seconds=0.01))
    assert record.status == "ok" and record.mean("relative_l2") == pytest.approx(1.0)


def test_nothing_granted_leads_to_what_was_withheld() -> None:
    """Walk every attribute of what is granted: no tensor equals a target, no object is the law."""
    samples, law = TASK.samples("train"), TASK.dataset.equation
    target = samples.target
    granted = grant_samples(samples, Honest())
    seen: set[int] = set()
    found: list[object] = []

    def walk(value: object) -> None:
        if id(value) in seen or isinstance(value, str | bytes | int | float | type):
            return
        seen.add(id(value))
        found.append(value)
        if isinstance(value, dict):
            children = list(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            children = list(value)
        else:
            children = list(getattr(value, "__dict__", {}).values())
            children += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        for child in children:
            walk(child)

    walk(granted)
    tensors = [x for x in found if isinstance(x, torch.Tensor)]
    assert tensors
    assert not any(type(x) is type(law) for x in found)
    assert not any(t.shape == target.shape and torch.equal(t, target) for t in tensors)
    storages = {t.untyped_storage().data_ptr() for t in tensors}
    assert target.untyped_storage().data_ptr() not in storages


def test_grants_hand_over_what_was_declared() -> None:
    class Uses(Honest):
        uses = frozenset({"labels", "equation"})

    samples = TASK.samples("train")
    granted = grant_samples(samples, Uses())
    assert torch.equal(granted.target, samples.target)
    assert type(grant_problem(samples.problem, Uses()).equation) is type(TASK.dataset.equation)


def test_supports_sees_shapes_but_no_answers() -> None:
    shown = grant_task(TASK, Honest())
    assert shown.samples("train").problem.domain.shape == (32, 32)
    assert float(shown.samples("test").target.abs().max()) == 0.0
    assert len(shown.samples("test")) == 1


def opens_file(path: Path) -> None:
    path.read_bytes()


def opens_hdf5(path: Path) -> None:
    h5py.File(path, "r").close()


def opens_by_numpy(path: Path) -> None:
    np.fromfile(path, np.uint8)


def opens_by_symlink(path: Path) -> None:
    link = path.parent.parent / "innocent"
    link.symlink_to(path)
    try:
        link.read_bytes()
    finally:
        link.unlink()


def lists_folder(path: Path) -> None:
    list(path.parent.iterdir())


@pytest.mark.parametrize(
    "way", [opens_file, opens_hdf5, opens_by_numpy, opens_by_symlink, lists_folder]
)
def test_stored_answers_cannot_be_opened_while_a_solver_runs(way, tmp_path: Path) -> None:
    file = tmp_path / "data" / "flow" / "test.h5"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as out:
        out["u"] = np.zeros(3)
    way(file)
    with sealed(file.parents[1]):
        with pytest.raises(AccessError, match="opened"):
            way(file)
        (tmp_path / "notes.txt").write_text("elsewhere is fine")
    way(file)
