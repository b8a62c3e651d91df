"""``pdebench board verify``: run rows again and say whether error and time lie within the interval
that the board gives them.
"""

import argparse
import fnmatch
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from pdebench.errors import ConfigError, PdebenchError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.leaderboard.identity import digest, hardware, key_of
from pdebench.leaderboard.pooling import Pool, costs, pools, scores
from pdebench.leaderboard.trust import foreign_targets
from pdebench.paths import default_data, default_store
from pdebench.plugins import nearest

_EXACT = 1e-6  # relative; samples that all agree have an interval of no width but rounding remains


@final
@dataclass(frozen=True)
class Check:
    """One figure of a row, as recorded and again. ``within`` is None where they cannot be compared,
    which ``reason`` says.
    """

    what: str
    recorded: float | None
    low: float | None
    high: float | None
    again: float | None
    within: bool | None
    reason: str | None = None


@final
@dataclass(frozen=True)
class Verdict:
    """What running a row again came to; ``reason`` where it could not be run."""

    row: str
    task: str
    seeds: list[int]
    checks: list[Check] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    reason: str | None = None

    def holds(self, only_errors: bool = False) -> bool:
        """Whether all figures that can be compared lie within their intervals."""
        checks = [c for c in self.checks if not (only_errors and c.what.endswith("solve"))]
        return self.reason is None and all(c.within is not False for c in checks)


def main(argv: list[str]) -> int:
    """Run the rows again; return 0 where all are within their intervals, 1 where not."""
    options = _parser().parse_args(argv)
    if options.seeds < 0:
        raise ConfigError(f"--seeds {options.seeds}, expected a number of seeds, or 0 for all")
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    root = Path(options.data).expanduser() if options.data else default_data()
    chosen = _chosen(store, options)
    for said in _expected(chosen):
        sys.stderr.write(f"pdebench board verify: {said}\n")
    verdicts: list[Verdict] = []
    for pool in chosen:
        verdicts.append(verify(pool, root, options.trust))
        if not options.json:
            _show(verdicts[-1])
    if options.json:
        sys.stdout.write(json.dumps([_plain(asdict(v)) for v in verdicts], indent=2) + "\n")
    good = sum(v.holds(options.only_errors) for v in verdicts)
    sys.stderr.write(f"{good} of {len(verdicts)} rows hold\n")
    return 0 if good == len(verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench board verify",
        description="Run a row again, data, fit and all, from its recorded configuration, in a "
        "store of its own, and compare: the headline error on every split with its 95 % interval, "
        "the online seconds with theirs. Exit status 0: all within, 1: not, 2: nothing to run.",
        epilog="examples: pdebench board verify fno --task navier_stokes/evolve --track tiny; "
        "pdebench board verify 3f2a90c1 --seeds 1",
    )
    said = "a solver, the id of a row (as in links and JSON lines) or of a run; none: every row"
    parser.add_argument("row", metavar="ROW", nargs="?", help=said)
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument("--data", metavar="PATH", help="folder of data sets")
    parser.add_argument("--task", metavar="GLOB", default="*", help="only tasks that match")
    parser.add_argument("--track", metavar="GLOB", default="*", help="only tracks that match")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="the first N seeds only")
    parser.add_argument(
        "--only-errors", action="store_true", help="times do not count (a busy machine)"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run classes that no installed plugin's configuration names: whoever made the record "
        "can then execute anything here",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


def _chosen(store: Store, options: argparse.Namespace) -> list[Pool]:
    tables: dict[Any, list[Record]] = {}
    for record in readable(store, options.task, "board verify"):
        if fnmatch.fnmatchcase(str(record.task.get("track", "")), options.track):
            tables.setdefault(key_of(record), []).append(record)
    rows = [pool for records in tables.values() for pool in pools(records)]
    found = [pool for pool in rows if options.row is None or _named(pool, options.row)]
    if not found:
        known = sorted({pool.setting[0] for pool in rows})
        asked = f"'{options.row}' names no row" if options.row and rows else "no row matches"
        raise ConfigError(
            f"{asked} of '{store.root}'{nearest(str(options.row), known)} It has "
            f"{', '.join(known) or 'none'} for --task '{options.task}' --track '{options.track}'"
        )
    count = options.seeds or None
    return [Pool(pool.setting, pool.records[:count], pool.replaced) for pool in found]


def _named(pool: Pool, name: str) -> bool:
    ids = [digest(pool.setting, 12), *(record.id for record in pool.records)]
    return name == pool.setting[0] or (len(name) >= 4 and any(i.startswith(name) for i in ids))


def _expected(chosen: Sequence[Pool]) -> Iterator[str]:
    spent = sum(
        float(record.costs.get(phase, {}).get("seconds") or 0.0)
        for pool in chosen
        for record in pool.records
        for phase in ("fit", "prepare", "solve")
    )
    runs = sum(len(pool.records) for pool in chosen)
    yield f"{len(chosen)} rows, {runs} runs; their fits and solves took {spent:.3g} s when recorded"


def verify(pool: Pool, root: Path, trust: bool = False) -> Verdict:
    """Run all records of a row again and compare; the row's own store is not touched.

    Raises nothing for a run that fails: that is a verdict.
    """
    first = pool.records[0]
    named = " ".join((str(first.solver.get("name")), *map(str, _own(first))))
    where = f"{first.task.get('name')} {first.task.get('track') or ''}".strip()
    said = Verdict(named, where, [record.seed for record in pool.records])
    foreign = [] if trust else foreign_targets(first.config)
    if foreign:
        reason = f"no installed plugin names {foreign[0]}; install it, or --trust the record"
        return Verdict(said.row, where, said.seeds, reason=reason)
    again: list[Record] = []
    with tempfile.TemporaryDirectory(prefix="pdebench-verify-") as folder:
        for record in pool.records:
            try:
                again.append(_again(record, Store(Path(folder)), root))
            except PdebenchError as error:
                return Verdict(said.row, where, said.seeds, reason=f"seed {record.seed}: {error}")
    return Verdict(
        said.row,
        where,
        said.seeds,
        list(compared(pool, Pool(pool.setting, tuple(again), ()))),
        list(_cautions(pool.records, again)),
    )


def _own(record: Record) -> list[str]:
    return [o for o in record.solver.get("overrides") or () if str(o).startswith("solver.")]


def _again(record: Record, store: Store, root: Path) -> Record:
    from pdebench.harness.run import Choices, Run, execute

    if not record.config.get("solver") or not record.config.get("task"):
        raise ConfigError("its record holds no configuration (a run from a notebook)")
    # Where it ran, what it logged and what it retried are not part of the result.
    config = record.config | {"store": None, "data": None, "logger": None, "retry": False}
    solver, task = record.solver, record.task
    overrides = tuple(map(str, solver.get("overrides") or ()))
    choices = Choices(str(solver["name"]), str(task["name"]), str(task.get("track", "")), overrides)
    run = Run(dict(config), choices, store, root, record.device)
    return execute(run, progress=sys.stderr.isatty())[0]


def compared(pool: Pool, again: Pool) -> Iterator[Check]:
    """Yield the checks of a row: status, headline error on every split, seconds of the solve."""
    for old, new in zip(pool.records, again.records, strict=True):
        if "ok" != old.status == new.status:
            yield Check(f"seed {old.seed}", None, None, None, None, True, f"{old.status} as before")
        elif old.status != new.status:
            reason = f"recorded {old.status}, now {new.status}: {new.reason or 'as it should'}"
            yield Check(f"seed {old.seed}", None, None, None, None, False, reason)
    headline = str(pool.newest.task.get("headline"))
    better = str((pool.newest.task.get("metrics") or {}).get(headline, {}).get("better", "lower"))
    for split in dict.fromkeys(s for record in pool.records for s in record.scores):
        (then,), _ = scores([pool], split, headline, better)
        (now,), _ = scores([again], split, headline, better)
        if then is not None and then.mean is not None:
            value = None if now is None else now.mean
            within = value is not None and _within(value, then.mean, then.low, then.high)
            yield Check(f"{headline} on {split}", then.mean, then.low, then.high, value, within)
    yield from _solve(pool, again)


def _within(value: float, mean: float, low: float | None, high: float | None) -> bool:
    if low is not None and high is not None and low <= value <= high:
        return True
    if not math.isfinite(mean) or not math.isfinite(value):
        return value == mean or (math.isnan(value) and math.isnan(mean))
    return abs(value - mean) <= _EXACT * abs(mean)


def _solve(pool: Pool, again: Pool) -> Iterator[Check]:
    """Yield whether the online seconds agree: whether the two 95 % intervals meet."""
    then, now = costs(pool).get("solve"), costs(again).get("solve")
    if then is None or now is None:
        return
    machines = [hardware(own.newest.environment) for own in (pool, again)]
    low, high = then.low, then.high
    if machines[0] != machines[1]:
        reason = f"recorded on {machines[0]}, this is {machines[1]}"
        yield Check("solve", then.seconds, low, high, now.seconds, None, reason)
        return
    if low is None or high is None:
        yield Check("solve", then.seconds, None, None, now.seconds, None, "without an interval")
        return
    ends = (now.low or now.seconds, now.high or now.seconds)
    meet = ends[0] <= high and low <= ends[1]
    reason = None if meet else f"{now.seconds / then.seconds:.3g} times the recorded seconds"
    yield Check("solve", then.seconds, low, high, now.seconds, meet, reason)


def _cautions(old: Sequence[Record], new: Sequence[Record]) -> Iterator[str]:
    if any(a.id != b.id for a, b in zip(old, new, strict=True)):
        yield "the plugin's sources or the data have changed since: not the same run"
    differ = [
        f"{name} {version}, now {new[0].versions.get(name, 'absent')}"
        for name, version in old[0].versions.items()
        if new[0].versions.get(name) != version
    ]
    if differ:
        yield f"other versions: {'; '.join(differ)}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _show(verdict: Verdict) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    seeds = ", ".join(map(str, verdict.seeds))
    console.print(Text(f"{verdict.row} on {verdict.task}, seeds {seeds}", style="bold"))
    if verdict.reason:
        console.print(Text(f"  not verified: {verdict.reason}"))
        return
    table = Table("", "recorded", "95 %", "again", "")
    words = {True: "within", False: "OUTSIDE", None: "not compared"}
    for check in verdict.checks:
        figures = [f"{v:.4g}" if v is not None else "—" for v in (check.recorded, check.again)]
        known = check.low is not None and check.high is not None
        span = f"{check.low:.4g} to {check.high:.4g}" if known else "—"
        said = f"{words[check.within]}{': ' + check.reason if check.reason else ''}"
        table.add_row(*map(Text, (check.what, figures[0], span, figures[1], said)))
    console.print(table)
    for caution in verdict.cautions:
        console.print(Text(f"  caution: {caution}"))
