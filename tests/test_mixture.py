"""A mixture holds what its parts hold, in order, and refuses parts that do not go together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pdebench.errors import ConfigError, Unsupported
from pdebench.mixture import Mixture, _Joined
from pdebench.task import Evolve
from pdebench.testing.problems import DecayingModes


@pytest.fixture
def mixture(tmp_path: Path) -> Mixture:
    made = Mixture(
        {"long": DecayingModes(32, 13), "short": DecayingModes(32, 9)}, "conformance/mixture"
    )
    assert len(made.prepare(tmp_path)) == 64
    return made


def test_a_mixture_is_its_parts_one_after_the_other(mixture: Mixture) -> None:
    long, short = DecayingModes(32, 13), DecayingModes(32, 9)
    joined = mixture.split("train")
    assert len(joined) == len(long.split("train")) + len(short.split("train"))
    assert mixture.card.splits["train"] == len(joined)
    assert torch.equal(joined.target[:8], long.split("train").target[:, :9])
    assert torch.equal(joined.target[8:], short.split("train").target)
    assert joined.problem.times is not None
    assert torch.equal(joined.problem.times, short.split("train").problem.times)


def test_samples_come_in_the_order_asked(mixture: Mixture) -> None:
    joined = mixture.split("train")
    order = np.array([12, 3, 9, 0])
    some = joined[order]
    assert torch.equal(some.target, joined.target[order])
    name = next(iter(some.problem.inputs))
    assert torch.equal(some.problem.inputs[name], joined.problem.inputs[name][order])


def test_a_mixture_has_no_equation_to_solve(mixture: Mixture) -> None:
    samples = mixture.split("test")
    with pytest.raises(Unsupported, match="different equations"):
        samples.problem.equation.residual(samples.target, samples.problem)


def test_parts_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        Mixture({"one": DecayingModes()}, "m")
    unlike = Mixture({"fine": DecayingModes(32), "coarse": DecayingModes(16)}, "m")
    unlike.prepare(tmp_path)
    with pytest.raises(ConfigError, match=r"\(16, 16\)"):
        unlike.split("train")
    with pytest.raises(ConfigError, match="no split 'nope'"):
        unlike.split("nope")


def test_parts_with_and_without_given_frames_go_together(tmp_path: Path) -> None:
    """Some data sets store an initial field, others a first frame with its time."""
    plain = DecayingModes(32, 9)
    joined = _Joined(
        [plain.split("train").source, Evolve(2).ask(DecayingModes(32, 11).split("train")).source],
        ["plain", "given"],
        plain.equation,
    )
    problem = joined.problem(slice(6, 10))
    assert problem.history is None and problem.input.shape == (4, 1, 32, 32)
    assert joined.target(slice(6, 10)).shape == (4, 9, 1, 32, 32)
