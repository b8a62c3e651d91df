"""``pdebench retime``: the online phase of finished runs again, on a machine that is quiet now."""

import argparse
import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdebench.errors import ConfigError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.paths import default_data, default_store

if TYPE_CHECKING:
    from pdebench.harness.retiming import Retimed

_BUSY = 0.3  # load per core above which other work takes part in what is measured


def main(argv: list[str]) -> int:
    """Time the matching records again; return 0, or 1 where some could not be."""
    options = _parser().parse_args(argv)
    if options.seconds <= 0:
        raise ConfigError(f"--seconds {options.seconds}, expected a positive number")
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    root = Path(options.data).expanduser() if options.data else default_data()
    records = _chosen(store, options)
    _warn()
    from pdebench.harness.retiming import groups, retime

    found: list[Retimed] = []
    for group in groups(records):
        named = f"{group[0].task['name']} {group[0].task.get('track', '')}: {len(group)} records"
        with _progress(named) as watch:
            found += retime(group, store, root, seconds=options.seconds, watch=watch)
    said = [_plain(one) for one in found]
    if options.json:
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    else:
        _show(said)
    return 0 if all(one.cost is not None for one in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench retime",
        description="Time the solve of finished runs again, from their fitted weights: all records "
        "of a task in turns in one process. The new figure replaces the one on the board; the "
        "former stays in the record. Do this on a quiet machine after a sweep, then make the "
        "board. Nothing is fitted or scored again.",
        epilog="example: pdebench retime --task navier_stokes/evolve --track tiny && pdebench "
        "board",
    )
    parser.add_argument("--task", metavar="GLOB", default="*", help="only tasks that match")
    parser.add_argument("--track", metavar="GLOB", default="*", help="only tracks that match")
    parser.add_argument("--solver", metavar="GLOB", default="*", help="only solvers that match")
    parser.add_argument("--seconds", type=float, default=2.0, help="share of each record")
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument("--data", metavar="PATH", help="folder of data sets")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


def _chosen(store: Store, options: argparse.Namespace) -> list[Record]:
    records = [
        r
        for r in readable(store, options.task, "retime")
        if r.status == "ok"
        and fnmatch.fnmatchcase(str(r.task.get("track", "")), options.track)
        and fnmatch.fnmatchcase(str(r.solver.get("name", "")), options.solver)
    ]
    if not records:
        raise ConfigError(
            f"no finished run in '{store.root}' matches --task '{options.task}' --track "
            f"'{options.track}' --solver '{options.solver}'"
        )
    return records


def _warn() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > _BUSY * (cores or 1):
        sys.stderr.write(
            f"pdebench retime: the load of this machine is {load:.2f} on {cores} cores; what else "
            "runs here will be in the figures\n"
        )


class _progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, named: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.disable = not sys.stderr.isatty()
        self._task = self._bar.add_task(named, total=1.0)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda fraction: self._bar.update(self._task, completed=fraction)

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()


def _plain(one: "Retimed") -> dict[str, Any]:
    record = one.record
    row: dict[str, Any] = {
        "task": record.task["name"],
        "track": record.task.get("track"),
        "solver": " ".join([record.solver["name"], *record.solver.get("overrides", [])]),
        "seed": record.seed,
        "id": record.id,
    }
    if one.cost is None:
        return row | {"reason": one.reason}
    now, batch = one.cost, one.cost["batch"]
    before = now["former"][-1]
    return row | {
        "seconds": now["seconds"] / batch,
        "low": now["low"] / batch,
        "high": now["high"] / batch,
        "before": before["seconds"] / before["batch"] if before else None,
        "repeats": now["repeats"],
        "noisy": now["noisy"],
    }


def _show(said: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "solver", "seed", "before, s", "now, s a sample", "95 %", "repeats", "")
    for row in said:
        where = f"{row['task']} {row['track'] or ''}".strip()
        if "reason" in row:
            table.add_row(where, row["solver"], str(row["seed"]), "", "", "", "", row["reason"])
            continue
        before = "" if row["before"] is None else f"{row['before']:.3g}"
        span = f"[{row['low']:.3g}, {row['high']:.3g}]"
        own = (before, f"{row['seconds']:.3g}", span, str(row["repeats"]))
        noisy = "noisy" if row["noisy"] else ""
        table.add_row(where, row["solver"], str(row["seed"]), *own, noisy)
    Console().print(table)
