"""Weights from elsewhere are declared: where from, what they saw, what they cost."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pdebench import origin
from pdebench.errors import DataError
from pdebench.harness import identity
from pdebench.harness.evaluate import evaluate
from pdebench.harness.outcome import Surroundings
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Pretraining, Solver
from pdebench.testing.problems import conformance_tasks


class Started(Solver):
    """Answers zeros, from weights that someone else trained."""

    def __init__(self, before: Pretraining | None = None) -> None:
        self._before = before

    @property
    def pretraining(self) -> Pretraining | None:
        return self._before

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        pass

    def solve(self, problem: Problem) -> Solution:
        frames = () if problem.times is None else (len(problem.times),)
        given = problem.initial
        return Solution(given.new_zeros(len(problem), *frames, *given.shape[1:]))

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        (path / "weights").write_bytes(b"w")


def test_pretraining_stands_in_the_record_and_beside_fit() -> None:
    task = conformance_tasks()[0]
    family = task.dataset.card.name.partition("/")[0]
    before = Pretraining("w", "d" * 64, "t", (f"{family}/other",), 300, 123.0)
    record, _ = evaluate(Started(before), task)
    assert record.status == "ok", record.reason
    assert record.pretrained is not None and record.pretrained["related"] is True
    assert record.costs["pretrain"]["seconds"] == 123.0
    assert record.costs["fit"]["seconds"] < 1.0
    unrelated, _ = evaluate(Started(Pretraining("w", "d" * 64, None, ("z/z",))), task)
    assert unrelated.pretrained is not None and unrelated.pretrained["related"] is False
    assert "pretrain" not in unrelated.costs
    assert evaluate(Started(), task)[0].pretrained is None


def test_a_fit_states_its_origin_and_adds_up_what_came_before(tmp_path: Path) -> None:
    task = conformance_tasks()[0]
    before = Pretraining("w", "d" * 64, "t", ("z/z",), 300, 100.0)
    evaluate(Started(before), task, surroundings=Surroundings(workspace=tmp_path))
    found = origin.read(tmp_path, tmp_path / "weights", "here")
    assert found.task == task.name
    assert found.data == tuple(sorted({task.dataset.card.name, "z/z"}))
    assert found.samples == 300 + len(task.samples("train"))
    assert found.seconds is not None and found.seconds > 100.0
    assert len(found.digest) == 64


@pytest.mark.parametrize("content", ["{", "[1]", '{"samples": "many"}', '{"data": "x"}'])
def test_a_wrong_origin_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / origin.FILE).write_text(content)
    (tmp_path / "weights").write_bytes(b"w")
    with pytest.raises(DataError, match=origin.FILE):
        origin.read(tmp_path, tmp_path / "weights", "here")


def test_weights_without_an_origin_are_known_by_digest_alone(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"w")
    found = origin.read(tmp_path, tmp_path / "weights", "here")
    assert (found.data, found.samples, found.seconds) == ((), None, None)


def test_a_run_follows_the_content_of_its_checkpoint_not_the_path(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        (folder / "weights").write_bytes(b"same")

    def key(folder: Path) -> dict[str, Any]:
        return identity.with_content({"_target_": "p.S", "checkpoint": str(folder)})

    assert key(folders[0]) == key(folders[1])
    (folders[1] / "weights").write_bytes(b"other")
    assert key(folders[0]) != key(folders[1])
    named = {"checkpoint": "owner/name"}
    assert identity.with_content(named) == named


def test_the_board_marks_related_pretraining(tmp_path: Path) -> None:
    from pdebench.leaderboard.build import build
    from pdebench.leaderboard.lines import to_jsonl
    from pdebench.leaderboard.markdown import markdown_from_jsonl

    torch.manual_seed(0)
    task = conformance_tasks()[0]
    family = task.dataset.card.name.partition("/")[0]
    before = Pretraining("w", "d" * 64, "t", (f"{family}/other",), 300, 123.0)
    record, _ = evaluate(Started(before), task)
    lines = to_jsonl(build([record]).tables)
    assert json.loads(lines.splitlines()[1])["pretrained"]["samples"] == 300
    markdown = markdown_from_jsonl(lines)
    assert "pretrained †" in markdown and "| Pretrain |" in markdown
    assert "2.05 min" in markdown and "300 samples" in markdown
