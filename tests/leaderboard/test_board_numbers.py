"""Every number on a board against counts made by hand."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from pdebench.leaderboard import build, markdown_from_jsonl
from pdebench.leaderboard.identity import command_of
from pdebench.leaderboard.lines import row_line, to_jsonl
from pdebench.leaderboard.numbers import count, interval, memory, number, seconds
from pdebench.leaderboard.over_tasks import sentence, svg
from pdebench.leaderboard.ranking import rank
from pdebench.leaderboard.resampling import ends
from pdebench.leaderboard.versus import seconds_at
from pdebench.statistics import joint_replicates, mean_interval


def only(board):
    (table,) = board.tables
    return table


def row_of(table, label: str):
    return next(row for row in table.rows if row.label == label)


def test_means_costs_and_counts_by_hand(record) -> None:
    records = [record(values=[0.1, 0.3], seed=0), record(values=[0.2, 0.6], seed=1, seconds=3e-3)]
    row = only(build(records)).rows[0]
    score = row.scores["test"]["relative_l2"]
    assert score.mean == pytest.approx(0.3)
    assert score.median == pytest.approx(0.25) and score.worst == 0.6
    assert row.costs["solve"].seconds == pytest.approx(2e-3)  # median of 1 and 3 ms a sample
    assert row.costs["solve"].low == pytest.approx(0.975e-3)
    assert row.costs["solve"].high == pytest.approx(3.075e-3)
    assert (row.seeds, row.seeds_ok, row.samples) == (2, 2, 2)


def test_other_splits_and_the_json_lines_hold_the_same(record) -> None:
    table = only(build([record(values=[1.0, 2.0], shifted=[4.0, 6.0])]))
    line = row_line(table, table.rows[0])
    assert line["scores"]["ood"]["relative_l2"]["mean"] == 5.0
    assert json.loads(to_jsonl([table]).splitlines()[1]) == json.loads(json.dumps(line))


def test_the_board_shows_the_interval_of_the_statistics(record) -> None:
    values = np.random.default_rng(0).lognormal(0, 0.5, (2, 60))
    row = only(build([record(values=v, seed=k) for k, v in enumerate(values)])).rows[0]
    expected = mean_interval(values)
    score = row.scores["test"]["relative_l2"]
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_seeds_that_disagree_widen_the_interval() -> None:
    same = np.ones((3, 50))
    apart = np.ones((3, 50)) * np.array([[0.5], [1.0], [1.5]])
    low, high = ends(joint_replicates([same, apart]))
    assert float(high[0] - low[0]) == pytest.approx(0.0, abs=1e-12)
    # Student's t with two degrees of freedom: +- 4.30 * 0.5 / sqrt 3
    assert float(high[1] - low[1]) == pytest.approx(2 * 4.303 * 0.5 / math.sqrt(3), rel=0.02)


def test_draws_of_two_rows_share_their_samples(record) -> None:
    """Equal scores of one seed have no difference; seeds are drawn for each row on its own."""
    one = np.random.default_rng(1).lognormal(0, 1, (1, 50))
    a, b = joint_replicates([one, one]).T
    assert np.array_equal(a, b) and np.ptp(a) > 0
    two = one * np.array([[0.9], [1.1]])
    a, b = joint_replicates([two, two]).T
    assert not np.array_equal(a, b)


def test_pairs_on_common_samples_are_told_apart_where_intervals_overlap(record) -> None:
    """Every sample is 2 % worse: the intervals overlap, the paired difference does not."""
    hard = np.random.default_rng(1).lognormal(0, 1, 40)
    table = only(build([record("a", values=hard), record("b", values=1.02 * hard)]))
    first, second = table.rows
    assert first.scores["test"]["relative_l2"].high > second.scores["test"]["relative_l2"].low
    assert (first.rank, second.rank) == ((1, 1), (2, 2))


def test_rows_that_cannot_be_told_apart_share_a_rank_set(record) -> None:
    random = np.random.default_rng(2)
    a, b = random.lognormal(0, 1, (2, 30))
    table = only(
        build([record("a", values=a), record("b", values=b), record("c", values=[9.0] * 30)])
    )
    assert table.rows[0].rank == table.rows[1].rank == (1, 2)
    assert table.rows[2].rank == (3, 3)
    assert any("ot told apart" in note for note in table.notes)


def test_differences_below_the_references_error_are_none() -> None:
    rows = [np.full((2, 9), 1.0), np.full((2, 9), 1.1)]
    assert rank(rows, "lower").sets == ((1, 1), (2, 2))
    assert rank(rows, "lower", floor=0.2).sets == ((1, 2), (1, 2))
    assert rank(rows, "higher").order == (1, 0)
    assert rank([-rows[0], rows[1]], "zero").order == (0, 1)


def test_among_many_equal_rows_none_is_called_apart(record) -> None:
    """Thirty pure-noise rows make 435 pairs: at 5 % each, twenty would be apart."""
    random = np.random.default_rng(4)
    rows = [random.normal(1.0, 0.1, (3, 40)) for _ in range(30)]
    assert not rank(rows, "lower").apart.any()


def test_ladder_is_interpolated_exactly_on_a_power_law() -> None:
    """Error t^-4: at error e the ladder takes e^{-1/4}; beaten rungs do not matter."""
    times = np.array([1.0, 2.0, 4.0, 3.9])
    errors = np.array([1.0, 2.0**-4, 4.0**-4, 1.0])
    for wanted in (0.5, 0.1, 0.01):
        got, side = seconds_at(wanted, errors, times)
        assert side == "inside" and got == pytest.approx(wanted**-0.25)
    assert seconds_at(2.0, errors, times) == (pytest.approx(1.0), "coarser")
    assert seconds_at(1e-3, errors, times) == (pytest.approx(4.0), "finer")


def ladder(record, **kind):
    names = ("coarse", "fine")
    return [
        record(name, values=[e, e], seconds=t, fit=0.0, ladder=names, plugin="pdebench-classic")
        for name, e, t in zip(names, (1e-1, 1e-3), (1e-3, 1e-1), strict=True)
    ]


def test_speed_up_and_break_even_by_hand(record) -> None:
    """At error 1e-2 the ladder takes 1e-2 s; 2 ms a sample are five times as fast, 60 s of fit and
    20 s of data are paid after 80 / 8e-3 solves.
    """
    mine = record(values=[1e-2, 1e-2], seconds=2e-3, ladder=("coarse", "fine"))
    mine.costs["data"] = {"seconds": 20.0}
    versus = row_of(only(build([*ladder(record), mine])), "fno").versus
    assert versus.speedup == pytest.approx(5.0)
    assert versus.low < 5.0 < versus.high and versus.high / versus.low < 1.2
    assert versus.break_even == pytest.approx(80 / 8e-3)
    # the ladder's seconds are known to 2.5 % at either end, the row's too
    assert 0.9 * versus.break_even < versus.break_even_low < versus.break_even
    assert versus.break_even < versus.break_even_high < 1.1 * versus.break_even


def test_break_even_may_be_never(record) -> None:
    """A row as fast as the ladder, within its noise: some replicates never pay."""
    mine = record(values=[1e-2, 1e-2], seconds=9.9e-3, ladder=("coarse", "fine"))
    table = only(build([*ladder(record), mine]))
    versus = row_of(table, "fno").versus
    assert versus.break_even is not None and versus.break_even_high is None
    assert "never)" in markdown_from_jsonl(to_jsonl([table]))


@pytest.mark.parametrize(
    ("error", "seconds_", "said"),
    [
        (1e-2, 5e-2, "none: the classical solver is 5.00 times as fast"),
        (0.5, 5e-3, "none: coarse is 5.00 times as fast"),
        (0.5, 1e-4, "undecided: faster and less accurate"),
        (1e-4, 1e-3, "> 100: more accurate than every rung"),
    ],
)
def test_verdicts(record, error: float, seconds_: float, said: str) -> None:
    mine = record(values=[error, error], seconds=seconds_, ladder=("coarse", "fine"))
    versus = row_of(only(build([*ladder(record), mine])), "fno").versus
    assert versus.verdict.startswith(said)


def test_without_a_ladder_there_is_no_comparison(record) -> None:
    table = only(build([record(ladder=("coarse",))]))
    assert table.rows[0].versus is None
    assert any("No record yet of the classical ladder's coarse" in note for note in table.notes)


def test_devices_and_precisions_are_never_ranked_together(record) -> None:
    board = build([record(), record(device="cuda"), record(precision="float64")])
    assert len(board.tables) == 3
    assert all(len(table.rows) == 1 for table in board.tables)


def test_rows_say_their_distance_to_the_first(record) -> None:
    hard = np.random.default_rng(1).lognormal(0, 1, 40)
    table = only(build([record("a", values=hard), record("b", values=1.5 * hard)]))
    first, second = table.rows
    assert first.behind is None
    assert second.behind.ratio == pytest.approx(1.5) and second.behind.delta == 1.0
    apart = 0.5 * hard
    assert second.behind.standardised == pytest.approx(apart.mean() / apart.std(ddof=1))
    t = apart.mean() / (apart.std(ddof=1) / math.sqrt(40))
    assert second.behind.p_value == pytest.approx(2 * stats.t.sf(t, 39))
    assert "×1.50, p" in markdown_from_jsonl(to_jsonl([table]))


def test_violated_guards_stand_on_the_board_with_their_reasons(record) -> None:
    cheat = record("cheat", values=[0.1, 0.2])
    cheat.protocol.update(
        trials=12,
        precision="float32",
        violations=[{"guard": "budget", "reason": "fit took 30 s of 10 allowed"}],
    )
    honest = record("honest", values=[0.3, 0.4])
    honest.protocol.update(trials=1, precision="float32", violations=[])
    table = only(build([cheat, honest, record("old", values=[0.5, 0.6])]))
    assert "Protocol, budget (cheat): fit took 30 s of 10 allowed." in table.notes
    text = markdown_from_jsonl(to_jsonl([table]))
    for said in ("**violates budget**; 12 trials", "| ok, 1 trial |", "| not examined |"):
        assert said in text


def test_precision_of_the_answers_parts_tables(record) -> None:
    double = record("double")
    double.protocol.update(precision="float64", violations=[], trials=1)
    assert {t.key.precision for t in build([record(), double]).tables} == {"float32", "float64"}


def test_noisy_and_repeated_times_are_marked(record) -> None:
    mine = record()
    mine.costs["solve"] |= {"noisy": True, "retimed": "2026-05-02T12:00:00+00:00"}
    table = only(build([mine, record("b")]))
    text = markdown_from_jsonl(to_jsonl([table]))
    assert "1.00 ms [0.975, 1.03] noisy" in text
    assert any(note.startswith("Noisy, ") and "fno" in note for note in table.notes)
    assert any("1 of 2 rows were measured again" in note for note in table.notes)


def test_too_few_seeds_and_samples_are_said(record) -> None:
    notes = only(build([record(seed=0), record(seed=1)])).notes
    assert any("Two seeds say next to nothing" in note for note in notes)
    assert any("2 samples are too few" in note for note in notes)


def test_tasks_in_common_make_a_critical_difference_diagram(record) -> None:
    """Three tasks, three solvers, one order: ranks 1, 2, 3 and Nemenyi's difference by hand."""
    records = [
        record(solver, values=[0.1 * k, 0.2 * k], task=f"flow/{task}")
        for task in "abc"
        for k, solver in enumerate(("one", "two", "three"), start=1)
    ] + [record("rare", values=[1.0, 2.0], task="flow/a")]
    (found,) = build(records).diagrams
    assert found.tasks == ("flow/a", "flow/b", "flow/c") and found.left_out == ("rare",)
    assert found.diagram.names == ("one", "two", "three") and found.diagram.ranks == (1, 2, 3)
    assert found.diagram.critical == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 3)), rel=1e-3)
    assert "Caution: 3 task(s)" in sentence(found)
    assert svg(found).count("<text") == 3 + 1 + 3
    assert build(records[:2]).diagrams == ()


@pytest.mark.parametrize(
    "status", ["diverged", "failed", "timeout", "out_of_memory", "unsupported"]
)
def test_what_did_not_end_well_is_shown_with_its_reason_and_not_ranked(record, status: str) -> None:
    table = only(build([record("good"), record("bad", status=status, reason="because of X")]))
    bad = row_of(table, "bad")
    assert bad.status == status and bad.reason == "because of X" and bad.place is None
    assert table.rows[0].label == "good" and table.rows[0].place == 1


def test_a_seed_that_failed_makes_the_row_partial(record) -> None:
    row = only(build([record(seed=0), record(seed=1, status="diverged", reason="NaN")])).rows[0]
    assert row.status == "partial" and row.place is None
    assert row.reason == "diverged for seed 1: NaN"


def test_order_of_records_does_not_matter_and_newer_ones_replace(record) -> None:
    old = record(values=[5.0, 5.0], created="2026-01-01T00:00:00+00:00")
    records = [record(), record("mean", values=[1.0, 1.0]), old]
    one, two = build(records), build(records[::-1])
    assert to_jsonl(one.tables) == to_jsonl(two.tables)
    assert row_of(only(one), "fno").scores["test"]["relative_l2"].mean == pytest.approx(0.15)
    assert any("1 older record" in note for note in only(one).notes)


def test_front_is_what_nothing_beats_in_both(record) -> None:
    rows = {"a": (1e-3, 0.3), "b": (2e-3, 0.1), "c": (3e-3, 0.2)}
    table = only(build([record(n, values=[e, e], seconds=t) for n, (t, e) in rows.items()]))
    assert {row.label for row in table.rows if row.front} == {"a", "b"}


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (number(0.012345), "0.0123"),
        (number(math.inf), "∞"),
        (number(0), "0"),
        (number(-2.5e-7), "−2.50e−7"),
        (number(0.99987), "0.99987"),
        (interval(1.0, None, None), "1.00"),
        (seconds(4.2e-5), "42.0 µs"),
        (seconds(7300), "2.03 h"),
        (memory(3 << 20), "3.00 MiB"),
        (count(414517), "415 k"),
    ],
)
def test_numbers_read_well(got: str, expected: str) -> None:
    assert got == expected


def test_a_rows_command_says_what_was_overridden(record) -> None:
    plain = record("fno", overrides=("solver=fno", "track.budget.epochs=4", "sweep=local"))
    assert command_of(plain).startswith("pdebench run solver=fno task=flow/evolve ")
    assert command_of(plain).endswith(" track.budget.epochs=4")
    own = record("net", overrides=("solver=mean", "solver._target_=my_model.Net"))
    assert command_of(own).startswith("pdebench run solver=mean task=flow/evolve ")
    assert command_of(own).endswith(" solver._target_=my_model.Net")


def test_a_checkpoint_is_labelled_by_its_run_not_by_its_place(record) -> None:
    end = f"/fits/ab/{'c' * 64}"
    made = [
        record("scot", overrides=[f"solver.checkpoint={place}{end}", "solver.w=2"])
        for place in ("/somebody/else", "relative")
    ]
    labels = {row.label for one in made for row in build([one]).tables[0].rows}
    assert labels == {f"scot checkpoint={'c' * 12} w=2"}
