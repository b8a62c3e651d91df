"""Every guard against a solver or protocol that cheats in just that way."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from pdebench.dataset import Card, Dataset
from pdebench.equation import Equation
from pdebench.harness.evaluate import evaluate
from pdebench.harness.outcome import Surroundings
from pdebench.harness.overlap import overlaps
from pdebench.harness.protocol import overspent
from pdebench.harness.record import Record
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver
from pdebench.task import Evolve, Task
from pdebench.testing.conformance import check_rules
from pdebench.testing.problems import DecayingModes, conformance_tasks

TASK = conformance_tasks()[0]
QUICK = Surroundings(timing_seconds=0.01)


class Honest(Solver):
    """Repeats the last frame."""

    def solve(self, problem: Problem) -> Solution:
        assert problem.times is not None
        return Solution(problem.initial[:, None].repeat(1, len(problem.times), 1, 1, 1))


def run(solver: Solver, task: Task = TASK, **described: Any) -> Record:
    return evaluate(solver, task, described=described or None, surroundings=QUICK)[0]


def guards(record: Record) -> dict[str, str]:
    return {v["guard"]: v["reason"] for v in record.protocol["violations"]}


def test_an_honest_run_violates_nothing_and_says_its_protocol() -> None:
    record = run(Honest())
    assert record.protocol["violations"] == []
    assert record.protocol["precision"] == "float32"
    assert record.protocol["budget"] == {"epochs": 1} and record.protocol["trials"] == 1
    assert Record.from_json(record.to_json()) == record


class ScalesByItsBatch(Honest):
    """Normalises by the mean over the test batch."""

    def solve(self, problem: Problem) -> Solution:
        u = super().solve(problem).u
        return Solution(u - u.mean(0, keepdim=True))


class FailsAlone(Honest):
    def solve(self, problem: Problem) -> Solution:
        if len(problem) == 1:
            raise ValueError("batches only")
        return super().solve(problem)


@pytest.mark.parametrize(("cheat", "size"), [(ScalesByItsBatch, "e+00"), (FailsAlone, "inf")])
def test_statistics_of_the_test_batch_are_found(cheat: type[Solver], size: str) -> None:
    said = guards(run(cheat()))["test statistics"]
    assert size in said or "e-01" in said


class TrainsTooLong(Honest):
    curve: ClassVar[list] = [{"epoch": 1.0, "step": 3.0}, {"epoch": 2.0, "step": 6.0}]


def test_more_epochs_steps_or_seconds_than_allowed_are_found() -> None:
    assert guards(run(TrainsTooLong())) == {"budget": "fit went to epoch 2 of 1 allowed"}
    curve = TrainsTooLong.curve
    assert overspent(Budget(steps=6), {}, curve) == []
    assert overspent(Budget(steps=5), {}, curve) == ["fit went to step 6 of 5 allowed"]
    took = {"fit": {"seconds": 30.0}}
    assert overspent(Budget(seconds=10), took, []) == ["fit took 30 s of 10 allowed"]
    assert overspent(Budget(seconds=29), took, []) == []


def test_the_clock_of_the_harness_sees_a_fit_that_ignores_its_seconds() -> None:
    class Sleeps(Honest):
        def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
            time.sleep(1.05)

    record = run(Sleeps(), replace(TASK, budget=Budget(seconds=0.01)))
    assert "of 0.01 allowed" in guards(record)["budget"]


def test_tuning_must_be_declared() -> None:
    tuned = {"name": "fno", "overrides": ["solver.width=8"]}
    assert "trials=N" in guards(run(Honest(), **tuned))["trials"]
    declared = run(Honest(), **tuned, trials=12)
    assert declared.protocol["trials"] == 12 and not guards(declared)
    rung = replace(TASK, ladder=("fno solver.width=8",))
    assert not guards(run(Honest(), rung, **tuned))


class OpensTheTestSplit(Honest):
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        self.answers = DecayingModes().split("test").target


class OpensTheTestSplitWhileSolving(Honest):
    def solve(self, problem: Problem) -> Solution:
        return Solution(DecayingModes().split("test").target[:, 10:])


@pytest.mark.parametrize("cheat", [OpensTheTestSplit, OpensTheTestSplitWhileSolving])
def test_the_test_split_cannot_be_had_from_the_data_set(cheat: type[Solver]) -> None:
    record = run(cheat())
    assert record.status == "failed" and record.reason is not None
    assert "asked DecayingModes for its split 'test' while it ran" in record.reason
    DecayingModes().split("test")  # outside a solver's code it is open again


class Leaky(Dataset):
    """Decaying modes whose splits a function has tampered with."""

    def __init__(self, change: Callable[[str, Samples, Callable[[str], Samples]], Samples]) -> None:
        self._clean, self._change = DecayingModes(grid=16), change

    @property
    def card(self) -> Card:
        return self._clean.card

    @property
    def equation(self) -> Equation:
        return self._clean.equation

    def prepare(self, folder: Path) -> str:
        return "0" * 64

    def split(self, name: str) -> Samples:
        return self._change(name, self._clean.split(name), self._clean.split)


def joined(samples: Samples, more: Samples, factor: float = 1.0) -> Samples:
    """``samples`` and the first of ``more``, its fields multiplied by ``factor``."""
    a, b = samples.problem, more[:1].problem
    problem = replace(
        a,
        inputs={k: torch.cat([v, factor * b.inputs[k]]) for k, v in a.inputs.items()},
        parameters={k: torch.cat([v, b.parameters[k]]) for k, v in a.parameters.items()},
    )
    return Samples.of(problem, torch.cat([samples.target, factor * more[:1].target]))


def leaky(change) -> Task:
    return replace(TASK, dataset=Leaky(change))


CASES = [
    (lambda n, s, split: s, None),
    (lambda n, s, split: joined(s, split("train")) if n == "test" else s, "1 of 6 are the same"),
    (lambda n, s, split: joined(s, split("test")) if n == "train" else s, "1 of 5 are the same"),
    (
        lambda n, s, split: split("test") if n == "valid" else s,
        "'test' shares samples with 'valid'",
    ),
    (
        lambda n, s, split: joined(s, split("train"), 1 + 1e-5) if n == "test" else s,
        "1 of 6 are within 0.001 of the usual distance (closest: 5 and 0, ",
    ),
    (lambda n, s, split: joined(s, split("train"), 1.1) if n == "test" else s, None),
]


@pytest.mark.parametrize(("change", "said"), CASES)
def test_shared_and_nearly_shared_samples_are_found(change, said: str | None) -> None:
    found = overlaps(leaky(change))
    assert (found == []) if said is None else said in " ".join(found)


def test_windows_of_one_trajectory_are_found() -> None:
    """Test asks for frames that train has as inputs: other inputs, other windows, same fields."""

    def windows(name: str, samples: Samples, split) -> Samples:
        if name != "test":
            return samples
        one, target = split("train").problem, split("train").target
        assert one.times is not None
        later = replace(one, inputs={"vorticity": target[:, 0]}, times=one.times[1:])
        return Samples.of(later, target[:, 1:])

    task = replace(leaky(windows), question=Evolve(history=8))
    assert any("8 of 8 are the same" in said for said in overlaps(task))


def test_findings_reach_the_record_and_are_kept_beside_the_data(tmp_path: Path) -> None:
    task = leaky(CASES[1][0])
    around = replace(QUICK, data=tmp_path)
    record, _ = evaluate(Honest(), task, described={"task": {"digest": "d"}}, surroundings=around)
    assert "split 'test' shares samples with 'train'" in guards(record)["overlap"]
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith(".overlap-")
    assert overlaps(leaky(CASES[0][0]), tmp_path, "d") == overlaps(task)  # read, not made again
    kept.write_text("[damaged")
    assert overlaps(leaky(CASES[0][0]), tmp_path, "d") == []


def test_scoring_on_the_validation_split_is_found() -> None:
    found = overlaps(replace(TASK, evaluate=("valid",)))
    assert any("one that solvers are given" in said for said in found)


class ScalesByValidation(Honest):
    """Fits its normalisation on train and valid together."""

    uses: ClassVar[frozenset] = frozenset({"labels"})
    num_parameters = 1  # type: ignore[assignment]

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        # not the mean: vorticity has none, and round-off would decide
        self.spread = torch.cat([train.target, valid.target]).std()

    def solve(self, problem: Problem) -> Solution:
        return Solution(super().solve(problem).u * self.spread)


def test_normalisation_beyond_the_training_split_is_found() -> None:
    found = {f.rule: f.failure for f in check_rules(ScalesByValidation, (TASK,))}
    assert "another validation split" in (found["validation is for choosing"] or "")
    assert found["batch independence"] is None
