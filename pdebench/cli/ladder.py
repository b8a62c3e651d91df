"""``pdebench ladder``: a classical solver tuned over its own options, the front kept as rungs."""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from pdebench import config as composition
from pdebench.cli.sweeping import TRIALS
from pdebench.errors import ConfigError
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, Run, execute, resolve
from pdebench.harness.store import Store


@final
@dataclass(frozen=True)
class Candidate:
    """One setting: its ``overrides``, and on the validation split ``error`` and ``seconds`` per
    sample, or the ``reason`` why there are none.
    """

    overrides: tuple[str, ...]
    error: float = math.inf
    seconds: float = math.inf
    reason: str | None = None


def main(argv: list[str]) -> int:
    """Tune, then run the rungs on the task; return 0, or 1 where no setting gave an answer."""
    options = _parser().parse_intermixed_args(argv)
    if options.rungs < 2:
        raise ConfigError(f"--rungs {options.rungs}, expected two at least")
    fixed, settings = _settings(options.overrides)
    tried = [_tried(fixed, own, k, len(settings)) for k, own in enumerate(settings, start=1)]
    chosen = thinned(front(tried), options.rungs)
    if not chosen:
        sys.stderr.write("pdebench ladder: no setting gave an answer; see the reasons above\n")
        return 1
    for one in chosen:
        own = (*fixed, *one.overrides, f"trials={len(tried)}", "rung=true")
        record, _ = execute(_run(own), progress=sys.stderr.isatty())
        _say(f"rung {' '.join(one.overrides)}: {_outcome(record)}")
    _say(f"{len(chosen)} rungs of {len(tried)} settings; 'pdebench board' compares with them")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench ladder",
        description="Tune a classical solver over its own options, as generously as a learned one "
        "is tuned: every setting answers the validation split, and those that no other beats in "
        "both error and seconds become rungs of the task's ladder, run on the scored splits. The "
        "board interpolates between them for the cost at equal error.",
        epilog="example: pdebench ladder solver=spectral task=navier_stokes/evolve track=tiny "
        "threads=2 solver.grid=8,12,16,24 solver.step=0.25,0.5,1",
    )
    parser.add_argument("overrides", nargs="+", help="as in pdebench run; solver.KEY=a,b,c to vary")
    parser.add_argument("--rungs", type=int, default=8, help="most rungs to keep (default: 8)")
    return parser


def _settings(overrides: Sequence[str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return what all settings share, and each setting's own overrides."""
    from itertools import product

    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    fixed: list[str] = []
    varied: list[list[str]] = []
    for text, one in zip(overrides, parsed, strict=True):
        if not one.is_sweep_override():
            fixed.append(text)
        elif one.key_or_group.startswith("solver."):
            varied.append([f"{one.key_or_group}={v}" for v in one.sweep_string_iterator()])
        else:
            raise ConfigError(
                f"'{text}': a ladder varies options of one solver; give one value, or vary "
                "solver.KEY"
            )
    if not varied:
        raise ConfigError("nothing to tune over; give options such as solver.grid=8,16,32")
    return tuple(fixed), list(product(*varied))


def _run(overrides: Sequence[str]) -> Run:
    settings, about = composition.composed(list(overrides))
    chosen = about.runtime.choices
    solver, task, track = (str(chosen[group]) for group in ("solver", "task", "track"))
    return resolve(settings, Choices(solver, task, track, tuple(about.overrides.task)))


def _tried(fixed: Sequence[str], own: tuple[str, ...], number: int, total: int) -> Candidate:
    """Answer the validation split; its records lie in the store's folder of trials, which
    boards do not read.
    """
    run = _run([*fixed, *own, "task.evaluate=[valid]"])
    run = replace(run, store=Store(run.store.root / TRIALS))
    record, _ = execute(run, progress=sys.stderr.isatty())
    _say(f"[{number}/{total}] {' '.join(own)}: {_outcome(record)}")
    error = record.mean(str(record.task["headline"]), "valid")
    if record.status != "ok" or error is None or not math.isfinite(error):
        return Candidate(own, reason=record.reason or "no finite error")
    solve = record.costs["solve"]
    return Candidate(own, error, solve["seconds"] / solve["batch"])


def _outcome(record: Record) -> str:
    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    name, split = str(record.task["headline"]), record.task["evaluate"][0]
    solve: dict[str, Any] = record.costs["solve"]
    value = record.mean(name, split)
    said = "not applicable" if value is None else f"{value:.4g}"
    return f"{name}={said} on {split}, {solve['seconds'] / solve['batch']:.2e} s/sample"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def front(tried: Sequence[Candidate]) -> list[Candidate]:
    """Return the settings that no other beats in both, fast and coarse first."""
    found: list[Candidate] = []
    for one in sorted(tried, key=lambda c: (c.seconds, c.error)):
        if math.isfinite(one.error) and (not found or one.error < found[-1].error):
            found.append(one)
    return found


def thinned(found: Sequence[Candidate], most: int) -> list[Candidate]:
    """Return at most ``most``, both ends among them, evenly spread over the logarithm of the
    error.
    """
    kept = list(found)
    while len(kept) > most:
        logs = [math.log(max(one.error, 1e-300)) for one in kept]
        gaps = [logs[k - 1] - logs[k + 1] for k in range(1, len(kept) - 1)]
        del kept[1 + gaps.index(min(gaps))]
    return kept
