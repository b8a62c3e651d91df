"""``pdebench time``: solvers in turn on the same problems, with the interval of their ratio."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from pdebench import config as composition
from pdebench import heap
from pdebench.errors import ConfigError
from pdebench.harness.run import Choices, Run, resolve

if TYPE_CHECKING:
    from pdebench.harness.interleaved import Interleaved


def main(argv: list[str]) -> int:
    """Time what the overrides describe; return 0."""
    options = _parser().parse_intermixed_args(argv)
    runs = _runs(options.overrides)
    if options.seconds <= 0:
        raise ConfigError(f"--seconds {options.seconds}, expected a positive number")
    threads = next(iter(runs.values())).config.get("threads")
    import torch

    from pdebench.harness.interleaved import same_question, timed

    if threads:
        torch.set_num_threads(threads)
    heap.keep_freed()
    same_question(list(runs.values()))
    found = timed(
        runs,
        batch=options.batch,
        seconds=options.seconds,
        flush=options.flush,
        sizes=options.sweep,
        progress=sys.stderr.isatty(),
    )
    said = described(found)
    if options.json:
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    else:
        _show(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench time",
        description="Fit or recall solvers, then time their answers in interleaved rounds: each "
        "runs once per round, so that drifts of the machine hit all alike. Ratios are to the "
        "first.",
        epilog="example: pdebench time solver=spectral,fno task=navier_stokes/evolve track=tiny "
        "threads=2 --sweep",
    )
    parser.add_argument("overrides", nargs="+", help="as in pdebench run; solver=a,b,c")
    parser.add_argument("--batch", type=int, help="samples per call (default: the task's)")
    parser.add_argument("--seconds", type=float, default=2.0, help="share of each solver")
    parser.add_argument("--sweep", action="store_true", help="also batch sizes 1, 2, 4, ..")
    parser.add_argument("--flush", action="store_true", help="empty the cache in between")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


def _runs(overrides: list[str]) -> dict[str, Run]:
    """Return one run per named solver."""
    named = [o.removeprefix("solver=") for o in overrides if o.startswith("solver=")]
    if len(named) != 1:
        raise ConfigError("give the solvers once, such as solver=spectral,fno")
    rest = [o for o in overrides if not o.startswith("solver=")]
    runs: dict[str, Run] = {}
    for name in composition.alternatives(named[0]):
        settings, about = composition.composed([f"solver={name}", *rest])
        chosen = about.runtime.choices
        choices = Choices(name, str(chosen["task"]), str(chosen["track"]), tuple(rest))
        runs[name] = resolve(settings, choices)
    return runs


def described(found: "Interleaved") -> dict[str, Any]:
    """Return the result as plain values: seconds per sample, ratios to the first solver."""
    from pdebench import cost

    first = next(iter(found.timings.values()))
    rows: dict[str, Any] = {}
    for name, timing in found.timings.items():
        low, high = timing.interval()
        times, least, most = cost.ratio(timing, first)
        rows[name] = {
            "seconds": timing.median / found.batch,
            "low": low / found.batch,
            "high": high / found.batch,
            "ratio": {"value": times, "low": least, "high": most},
            "first": timing.first,
            "prepare": found.prepared[name],
            "alone": found.alone[name].to_json(),
            "rounds": len(timing.samples),
            "noisy": timing.noisy,
            "error": found.errors[name],
        }
        if name in found.sweeps:
            points = found.sweeps[name].points
            rows[name]["sweep"] = {
                "points": [{"batch": p.batch, "throughput": p.throughput} for p in points],
                "stopped": found.sweeps[name].stopped,
            }
    transfer = None if found.transfer is None else found.transfer.to_json()
    apart = {"load": found.load, "transfer": transfer}
    return {"batch": found.batch, "machine": found.machine, **apart, "rows": rows}


def _show(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = ("solver", "error", "per sample", "95 %", "ratio", "95 %", "at batch 1", "prepare")
    table = Table(*columns, "first call", "rounds", "", title="seconds")
    for name, row in said["rows"].items():
        error = "" if row["error"] is None else f"{row['error']:.3g}"
        ratio = row["ratio"]
        noisy = "noisy" if row["noisy"] or row["alone"]["noisy"] else ""
        spans = [f"{r['low']:.3g} - {r['high']:.3g}" for r in (row, ratio)]
        cells = [f"{row['seconds']:.3g}", spans[0], f"{ratio['value']:.3g}", spans[1]]
        cells += [f"{v:.3g}" for v in (row["alone"]["seconds"], row["prepare"], row["first"])]
        table.add_row(name, error, *cells, str(row["rounds"]), noisy)
    console.print(table)
    for name, row in said["rows"].items():
        if "sweep" in row:
            points = ", ".join(
                f"{p['batch']}: {p['throughput']:.3g}/s" for p in row["sweep"]["points"]
            )
            stopped = row["sweep"]["stopped"]
            console.print(f"{name}, samples per second by batch: {points} ({stopped})")
    facts = ", ".join(f"{k} {v}" for k, v in said["machine"].items() if v is not None)
    moved = said["transfer"]
    apart = "" if moved is None else f", moving it to the device {moved['seconds']:.3g} s"
    console.print(f"not in these: reading the batch {said['load']:.3g} s{apart}")
    console.print(f"batch {said['batch']}; {facts}")
