"""A task hands out what it says, and no more."""

import pytest
import torch

from pdebench.access import grant_task
from pdebench.baselines.persistence import Persistence
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing.problems import conformance_tasks


def _task(num: int | None) -> Task:
    whole = conformance_tasks()[0]
    return Task("t", whole.dataset, (relative_l2,), whole.question, train_samples=num)


def test_train_samples_takes_the_first_ones_of_training_alone() -> None:
    whole, some = _task(None), _task(3)
    assert len(some.samples("train")) == 3
    assert torch.equal(some.samples("train").target, whole.samples("train").target[:3])
    for split in ("valid", "test"):
        assert len(some.samples(split)) == len(whole.samples(split))


def test_more_training_samples_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"task.train_samples=0, expected a positive number"):
        _task(0)
    with pytest.raises(ConfigError, match=r"has 8 training samples; ask for fewer"):
        _task(9).samples("train")


def test_a_solver_asked_whether_it_applies_sees_a_task_of_few_samples() -> None:
    shown = grant_task(_task(3), Persistence())
    assert len(shown.samples("train")) == 1
