"""Tests between solvers, ranks as sets, critical differences and effect sizes."""

import numpy as np
import pytest

from pdebench.statistics import (
    cliffs_delta,
    cohens_d,
    compare,
    critical_difference,
    geometric_ratio,
    holm,
    pairwise,
    rank_sets,
)


def solver(level: float, key: int, seeds: int = 5, samples: int = 200) -> np.ndarray:
    """Scores on common samples, hard ones included."""
    hard = np.exp(np.random.default_rng(0).standard_normal(samples))
    random = np.random.default_rng((1, key))
    spread = np.exp(0.05 * random.standard_normal((seeds, 1)))
    return level * hard * spread * np.exp(0.2 * random.standard_normal((seeds, samples)))


def test_holm_by_hand():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 not below its predecessor, 0.5 x 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def test_equal_methods_are_called_apart_as_often_as_stated():
    """Size of the test under no difference, five seeds each: 5 % with s.d. 1.1 % at 400."""
    apart = 0
    for key in range(400):
        a, b = solver(1.0, 2 * key), solver(1.0, 2 * key + 1)
        apart += compare(a, b, resamples=50).p_value <= 0.05
    assert 0.02 <= apart / 400 <= 0.08


def test_pairs_tell_apart_what_single_intervals_cannot():
    found = compare(solver(1.0, 1), solver(1.3, 2))
    assert found.p_value < 0.01 and found.difference.excludes_zero and found.apart()
    assert found.p_samples < 0.01
    assert compare(solver(1.3, 2), solver(1.0, 1)).difference.value == -found.difference.value


def test_many_seeds_of_one_method_are_needed_and_said():
    """One fit each: their samples differ for sure, the methods need not."""
    found = compare(solver(1.0, 1, seeds=1), solver(1.1, 2, seeds=1))
    assert "one seed" in found.difference.cautions[0]


def test_equal_diverged_and_constant_scores():
    a = solver(1.0, 1)
    assert compare(a, a).p_value == 1.0
    broken = a.copy()
    broken[0, 0] = np.inf
    assert compare(a, broken).p_value == 1.0
    assert compare(np.ones((3, 9)), np.full((3, 9), 2.0)).p_value == 0.0
    assert compare([1.0], [2.0]).p_value == 1.0  # one seed, one sample: nothing is known


def test_multiplicity_only_raises_p_values():
    rows = {f"s{k}": solver(1.0 + 0.02 * k, k) for k in range(4)}
    found = pairwise(rows, resamples=50)
    assert len(found) == 6
    assert all(c.adjusted >= c.p_value for c in found.values())
    assert holm([c.p_value for c in found.values()]) == pytest.approx(
        [c.adjusted for c in found.values()]
    )


def test_ranks_are_sets_and_ties_stay_ties():
    rows = {"b": solver(1.0, 1), "a": solver(1.005, 2), "far": solver(3.0, 3)}
    found = rank_sets(rows, resamples=50)
    assert found.places == {"a": (1, 2), "b": (1, 2), "far": (3, 3)}
    assert found.tied == {"a": ("b",), "b": ("a",), "far": ()}
    assert found.order[-1] == "far"
    assert rank_sets(rows, "higher", resamples=50).places["far"] == (1, 1)
    assert rank_sets(rows, floor=100.0, resamples=50).places["far"] == (1, 3)
    one = rank_sets({"only": solver(1.0, 1)})
    assert one.places == {"only": (1, 1)}


def test_zero_is_best_where_scores_are_signed():
    rows = {"over": np.full((2, 20), 0.5), "under": np.full((2, 20), -0.1)}
    assert rank_sets(rows, "zero").order == ("under", "over")


def test_diverged_solvers_rank_below_all_others_and_tie():
    lost = np.full((2, 200), np.inf)
    found = rank_sets({"x": lost, "good": solver(9.0, 1), "y": lost}, resamples=50)
    assert found.places == {"good": (1, 1), "x": (2, 3), "y": (2, 3)}


def test_critical_difference_of_the_published_example():
    """Demsar 2006, sec. 3.2.2: 4 classifiers, 14 data sets, CD = 2.569 sqrt(4 5 / (6 14))."""
    random = np.random.default_rng(0)
    found = critical_difference("abcd", random.random((14, 4)))
    assert found.critical == pytest.approx(1.25, abs=0.005)
    ten = critical_difference([str(k) for k in range(10)], random.random((10, 10)), level=0.90)
    assert ten.critical * np.sqrt(60 / 110) == pytest.approx(2.920, abs=1e-3)  # table 5(a)


def test_groups_join_only_what_is_within_the_critical_difference():
    scores = np.tile([1.0, 2.0, 2.0, 9.0], (14, 1))
    found = critical_difference(["a", "b", "c", "d"], scores)
    assert found.names == ("a", "b", "c", "d") and found.ranks == (1.0, 2.5, 2.5, 4.0)
    assert found.groups == (("b", "c"),)
    assert found.p_value < 1e-6 and "more than 10 and 5" in found.cautions[0]
    assert critical_difference("ab", [[1.0, 1.0]]).groups == (("a", "b"),)
    assert critical_difference("ab", [[1.0, 1.0]]).p_value == 1.0
    higher = critical_difference("ab", [[1.0, 2.0]] * 12, higher=True)
    assert higher.names == ("b", "a") and higher.p_value == pytest.approx(2 * 0.5**12)
    lost = critical_difference("abc", [[np.inf, 1.0, np.inf]] * 12)
    assert lost.ranks == (1.0, 2.5, 2.5)
    with pytest.raises(ValueError, match="NaN"):
        critical_difference("ab", [[1.0, np.nan]])
    with pytest.raises(ValueError, match="two solvers"):
        critical_difference("a", [[1.0]])


def test_effect_sizes_by_hand():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 7.0])
    assert cohens_d(a, b) == pytest.approx(-5 / 3 / np.std([-1, 0, -4], ddof=1))
    assert cohens_d(a, a) == 0 and cohens_d(a, a + 1) == -np.inf
    assert np.isnan(cohens_d([1.0], [2.0])) and np.isnan(cohens_d([np.inf, 1.0], [1.0, 1.0]))
    assert cliffs_delta(a, b) == pytest.approx(-2 / 3)
    assert cliffs_delta([[1.0], [4.0]], [[2.0], [3.0]]) == 0
    assert cliffs_delta([np.inf], [1.0]) == 1
    assert geometric_ratio([1.0, 8.0], [2.0, 1.0]) == pytest.approx(2)
    with pytest.raises(ValueError, match="positive"):
        geometric_ratio([0.0, 1.0], [1.0, 1.0])
