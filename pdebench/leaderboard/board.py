"""What a board is made of: frozen values that carry no behaviour beyond their own shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from pdebench.harness.record import Status
from pdebench.statistics.diagram import Diagram

RowStatus = Status | Literal["partial", "unranked"]


@final
@dataclass(frozen=True, order=True)
class Key:
    """What rows must share to stand in one table: nothing of it is ever averaged over.

    Attributes:
        task: name of the task.
        track: "tiny", "small", "paper", or "" where a run had none.
        device: "cpu" or "cuda".
        hardware: model of the device; with its thread count for a processor.
        precision: of the answers, such as "float32".
        version: of the task.
        dataset: digest of the data.
        headline: full name of the headline metric, version included.
        protocol: canonical JSON of what else the task's configuration fixes: question, budget,
            batch.
    """

    task: str
    track: str
    device: str
    hardware: str
    precision: str
    version: str
    dataset: str
    headline: str
    protocol: str


@final
@dataclass(frozen=True)
class Score:
    """One metric of one row on one split, pooled over seeds and samples.

    Attributes:
        mean: over seeds and samples; None where not applicable.
        low: lower end of the 95 % interval of ``mean`` (over seeds and samples); None
            where undefined.
        high: upper end.
        median: over all values.
        worst: the worst single value.
        not_applicable: why there is no value.
    """

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    median: float | None = None
    worst: float | None = None
    not_applicable: str | None = None


@final
@dataclass(frozen=True)
class Cost:
    """One phase of one row: median over seeds of the seconds, hull of the seeds' intervals, largest
    peak memory.

    ``solve`` is per sample, the other phases per call. ``noisy``: some seed's interval is wider
    than its clock was asked for. ``first``: seconds of the first call, compilation included.
    ``retimed``: all seeds by `pdebench retime`.
    """

    seconds: float
    low: float | None = None
    high: float | None = None
    peak_bytes: int | None = None
    noisy: bool = False
    first: float | None = None
    retimed: bool = False


@final
@dataclass(frozen=True)
class Run:
    """One record behind a row, with what it takes to repeat it."""

    id: str
    seed: int
    status: str
    reason: str | None
    created: str
    command: str
    environment: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)


@final
@dataclass(frozen=True)
class Versus:
    """A row against the classical ladder at equal error.

    Attributes:
        verdict: a sentence; the numbers below are absent where it says why there are none.
        speedup: online seconds of the ladder at this row's error over this row's own.
        low: lower end of the 95 % interval of ``speedup``.
        high: upper end.
        break_even: solves after which making the data and the fit have paid for themselves.
        break_even_low: lower end of its 95 % interval.
        break_even_high: upper end; None where it reaches "never".
    """

    verdict: str
    speedup: float | None = None
    low: float | None = None
    high: float | None = None
    break_even: float | None = None
    break_even_low: float | None = None
    break_even_high: float | None = None


@final
@dataclass(frozen=True)
class Behind:
    """A row against the first-placed one, on the same samples.

    Attributes:
        p_value: of no difference, adjusted for all pairs of the table (Holm).
        delta: Cliff's delta, the share of (seed, seed, sample) where this row is above, minus where
            it is below.
        ratio: of the means; None where one is not positive.
        standardised: paired difference over its standard deviation (Cohen's d_z); None without.
    """

    p_value: float
    delta: float
    ratio: float | None = None
    standardised: float | None = None


@final
@dataclass(frozen=True)
class Protocol:
    """The guards of a row, over its seeds.

    Attributes:
        examined: whether every seed's record says.
        violations: {"guard", "reason"} each, every pair once.
        trials: configurations tried on valid for this one; None where not declared.
        precision: of the answers, and of the training where that differs.
    """

    examined: bool = False
    violations: tuple[Mapping[str, str], ...] = ()
    trials: int | None = None
    precision: str | None = None


@final
@dataclass(frozen=True)
class Row:
    """One solver in one setting, pooled over seeds.

    Attributes:
        id: 12 hexadecimal digits that name the row wherever it is shown.
        label: the solver's name with as much of its setting as tells it from the other rows.
        family: the plugin's family, such as "fno"; "baseline" for solvers that the suite ships.
        setting: 8 hexadecimal digits of the configuration's hash.
        status: "ok" if every seed ended well, "partial" if some did, "unranked" if all did but the
            headline metric has no finite value, else what happened to the first seed; rows other
            than "ok" are not ranked.
        place: 1 for the best mean; None where not ranked.
        rank: best and worst place compatible with the intervals.
        ladder: position on the task's classical ladder, from 0; tuned rungs follow the task's own.
        front: whether no other row is both faster online and better.
        pretrained: where the fit started from, as in `Record.pretrained`; None for its own start.
        disclosures: what `pdebench.solver.Solver.disclosures` said in the newest run.
        history: this row and its past, oldest first (`history.Entry`); empty without a past.
    """

    id: str
    solver: str
    label: str
    family: str
    plugin: str
    version: str
    overrides: tuple[str, ...]
    setting: str
    uses: tuple[str, ...]
    status: RowStatus
    reason: str | None
    seeds: int
    seeds_ok: int
    samples: int
    parameters: int
    scores: Mapping[str, Mapping[str, Score]]
    costs: Mapping[str, Cost]
    runs: tuple[Run, ...]
    place: int | None = None
    rank: tuple[int, int] | None = None
    ladder: int | None = None
    front: bool = False
    pretrained: Mapping[str, Any] | None = None
    disclosures: Mapping[str, str] = field(default_factory=dict)
    versus: Versus | None = None
    behind: Behind | None = None
    protocol: Protocol = field(default_factory=Protocol)
    history: tuple[Mapping[str, Any], ...] = ()


@final
@dataclass(frozen=True)
class Table:
    """One comparison: rows that answered the same task on the same data with the same device.

    Attributes:
        slug: names the table in links and files.
        metrics: short name -> {"name", "unit", "better"}, the headline first.
        splits: scored splits, the headline first.
        card: the data set's card.
        reference_error: of the stored reference, where it bounds the headline metric.
        ladder: names of the classical solvers, coarse to fine.
        rows: ranked rows first, then the others.
        notes: sentences to print under the table.
        over_time: error over time of the leading rows, or None.
        spectra: energy spectra of the leading rows beside the reference's, or None.
        training: training curves of the leading rows.
        convergence: error against seconds within a solve, of the iterative rows.
        examples: pictures of the leading rows, or None.
    """

    key: Key
    slug: str
    headline: str
    metrics: Mapping[str, Mapping[str, str]]
    splits: tuple[str, ...]
    card: Mapping[str, Any]
    reference_error: float | None
    ladder: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    over_time: Mapping[str, Any] | None = None
    spectra: Mapping[str, Any] | None = None
    training: tuple[Mapping[str, Any], ...] = ()
    convergence: tuple[Mapping[str, Any], ...] = ()
    examples: Mapping[str, Any] | None = None


@final
@dataclass(frozen=True)
class Board:
    """All tables, and when the newest of their records was made (so that a board depends on its
    records alone).

    ``diagrams`` compare solvers over the tasks of one track and device.
    """

    tables: tuple[Table, ...]
    newest: str
    records: int
    diagrams: tuple["OverTasks", ...] = ()


@final
@dataclass(frozen=True)
class OverTasks:
    """A critical-difference diagram: solvers that several tables have in common, by average rank.

    Attributes:
        name: track and device.
        tasks: the tables' tasks.
        diagram: average ranks, critical difference, groups, p, cautions.
        left_out: solvers ranked in some of the tables only.
    """

    name: str
    tasks: tuple[str, ...]
    diagram: Diagram
    left_out: tuple[str, ...] = ()
