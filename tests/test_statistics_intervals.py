"""Intervals over seeds and samples: coverage by simulation, limits by hand."""

import numpy as np
import pytest
from scipy import stats

from pdebench.statistics import bootstrap_interval, difference_interval, mean_interval
from pdebench.statistics.scores import parts


def draw(random: np.random.Generator, seeds: int, samples: int, spread: float, skew: float):
    """Log-normal errors: hard samples, better and worse seeds, and their interplay."""
    return (
        np.exp(spread * random.standard_normal((seeds, 1)))
        * np.exp(skew * random.standard_normal(samples))
        * np.exp(0.3 * random.standard_normal((seeds, samples)))
    )


def coverage(spread: float, skew: float, times: int = 400) -> tuple[float, float]:
    """How often the interval, and the plain bootstrap's, holds the true mean."""
    true = np.exp((spread**2 + skew**2 + 0.3**2) / 2)
    held = np.zeros(2)
    for k in range(times):
        scores = draw(np.random.default_rng((7, k)), 5, 200, spread, skew)
        own = mean_interval(scores, resamples=500)
        plain = bootstrap_interval(scores, resamples=100)
        held += [e.low <= true <= e.high for e in (own, plain)]
    return tuple(held / times)


@pytest.mark.parametrize(("spread", "skew"), [(0.0, 0.5), (0.1, 0.5), (0.1, 1.0), (0.3, 1.0)])
def test_intervals_hold_their_level_at_five_seeds_and_200_samples(spread: float, skew: float):
    """Standard deviation of a coverage over 400 simulations: 1.1 %."""
    own, plain = coverage(spread, skew)
    assert 0.92 <= own <= 0.98
    if spread == 0.3:
        assert plain < 0.92  # what five resampled seeds cannot do


def test_differences_hold_their_level_and_hard_samples_cancel():
    held, widths = 0, []
    for k in range(300):
        random = np.random.default_rng((8, k))
        hard = np.exp(random.standard_normal(200))
        a = hard * draw(random, 5, 200, 0.1, 0.0)
        b = hard * draw(random, 4, 200, 0.1, 0.0)
        found = difference_interval(a, b, resamples=500)
        held += found.low <= 0 <= found.high
        apart = [mean_interval(v, resamples=500) for v in (a, b)]
        widths.append((found.high - found.low) / sum(e.high - e.low for e in apart))
    # standard deviation 1.3 %
    assert 0.92 <= held / 300 <= 0.985
    assert np.mean(widths) < 0.7


def test_interval_of_normal_samples_is_students():
    values = np.random.default_rng(1).standard_normal(400)
    found = mean_interval(values, resamples=20_000)
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    # the bootstrap-t of 400 values is Student's up to its own 1 % of 20,000 draws and N^(-1/2)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.05 * np.ptp(expected))
    assert found.value == values.mean()


def test_interval_of_identical_samples_is_students_over_seeds():
    scores = np.repeat(np.array([[1.0], [2.0], [4.0]]), 50, axis=1)
    found = mean_interval(scores, resamples=20_000)
    low, high = stats.t.interval(0.95, 2, 7 / 3, stats.sem(scores[:, 0]))
    # half a step of 20,000 quantiles: 2.5e-5 over the density 0.011, times the error 0.88
    assert (found.low, found.high) == pytest.approx((low, high), abs=3e-3)


def test_variances_of_a_balanced_table_by_hand():
    own = parts(np.array([[1.0, 2.0], [3.0, 6.0]]))
    assert own.mean == 3.0
    assert own.seeds == pytest.approx((1.5**2 + 1.5**2) / 2)  # means 1.5 and 4.5
    assert own.samples == pytest.approx((1 + 1) / 2)  # means 2 and 4
    assert own.rest == pytest.approx(4 * 0.5**2 / 1 / 4)  # residuals +-1/2


def test_skewed_errors_reach_further_up_than_down():
    found = mean_interval(np.exp(np.random.default_rng(0).standard_normal(200)))
    assert found.high - found.value > 1.1 * (found.value - found.low)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 1), (2, 4), (5, 50)])
def test_equal_scores_have_no_spread(shape: tuple[int, int]):
    found = mean_interval(np.full(shape, 0.25))
    assert (found.low, found.value, found.high) == (0.25, 0.25, 0.25)


def test_too_few_of_anything_is_said():
    random = np.random.default_rng(0)
    assert mean_interval(random.random((5, 50))).cautions == ()
    assert "one seed" in mean_interval(random.random(50)).cautions[0]
    assert "2 seeds" in mean_interval(random.random((2, 50))).cautions[0]
    assert "one sample" in mean_interval(random.random((5, 1))).cautions[0]
    assert "4 samples" in mean_interval(random.random((5, 4))).cautions[0]
    wide = mean_interval(random.lognormal(sigma=2.0, size=200) * np.ones((5, 1)))
    assert "large errors" in wide.cautions[-1]
    assert mean_interval(random.lognormal(sigma=1.0, size=200).reshape(1, -1)).cautions == (
        "one seed: the interval is that of this fit, not of the method",
    )
    assert "one seed" in difference_interval(random.random((5, 50)), random.random(50)).cautions[0]


def test_one_sample_leaves_the_seeds_spread_and_one_seed_the_samples():
    random = np.random.default_rng(0)
    assert mean_interval(random.random((5, 1))).low < mean_interval(random.random((5, 1))).value
    assert mean_interval(random.random((1, 30))).low < mean_interval(random.random((1, 30))).value


def test_diverged_scores_have_no_interval():
    scores = np.ones((3, 20))
    scores[1, 4] = np.inf
    found = mean_interval(scores)
    assert found.value == np.inf and not found.excludes_zero
    assert "1 score(s) are infinite" in found.cautions[-1]
    assert difference_interval(scores, np.ones((3, 20))).value == np.inf
    assert np.isnan(difference_interval(scores, scores).value)


@pytest.mark.parametrize("bad", [[], [[]], [np.nan, 1.0], np.zeros((2, 2, 2))])
def test_what_is_no_table_of_scores_is_refused(bad):
    with pytest.raises(ValueError, match="values"):
        mean_interval(bad)
    with pytest.raises(ValueError, match="same ones"):
        difference_interval([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="level"):
        mean_interval([1.0, 2.0], level=1.5)


def test_the_same_scores_give_the_same_interval_whatever_their_unit():
    scores = draw(np.random.default_rng(3), 5, 60, 0.1, 0.5)
    first, again = mean_interval(scores), mean_interval(scores.copy())
    assert first == again
    scaled = mean_interval(2.0**-60 * scores)
    assert scaled.low == pytest.approx(2.0**-60 * first.low, rel=1e-12)  # a power of two


def test_plain_bootstrap_takes_other_statistics():
    scores = draw(np.random.default_rng(3), 5, 60, 0.1, 0.5)
    found = bootstrap_interval(scores, lambda v: float(np.median(v)), resamples=200)
    assert found.low <= np.median(scores) == found.value <= found.high
