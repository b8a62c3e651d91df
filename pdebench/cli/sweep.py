"""``pdebench sweep``: what a sweep does, from any terminal; what to run again."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from pdebench.errors import ConfigError
from pdebench.harness.journal import Journal, State, journals
from pdebench.paths import default_store


def main(argv: list[str]) -> int:
    """Show sweeps; return 0, or 1 where runs of the shown sweep failed."""
    options = _parser().parse_args(argv)
    store = Path(options.store).expanduser() if options.store else default_store()
    found = journals(store)
    if options.action == "list":
        _list(found)
        return 0
    if not found:
        raise ConfigError(
            f"store '{store}' has no sweep yet; pdebench run -m solver=a,b starts one"
        )
    journal = _chosen(found, options.name)
    if options.json:
        sys.stdout.write(json.dumps(_plain(journal.state()), indent=2) + "\n")
    elif options.watch:
        _watch(journal)
    else:
        _show(journal.state(), None if options.all else 12)
    return 1 if journal.state().failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench sweep",
        description="What the sweeps of a store do: done, running, failed with the reason, time "
        "to go. Works from another terminal, while the sweep runs and afterwards.",
        epilog="example: pdebench sweep status --watch",
    )
    parser.add_argument("action", choices=("status", "list"), help="one sweep, or all by name")
    parser.add_argument("name", nargs="?", help="beginning of a sweep's name (default: the last)")
    parser.add_argument("--store", help="folder of records (default: as pdebench list --paths)")
    parser.add_argument("--watch", action="store_true", help="keep up with it until it ends")
    parser.add_argument("--all", action="store_true", help="show every failed and running run")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _chosen(found: list[Journal], name: str | None) -> Journal:
    if name is None:
        return found[-1]
    fitting = [j for j in found if j.file.stem.startswith(name)]
    if len(fitting) != 1:
        known = ", ".join(j.file.stem for j in (fitting or found)[-5:])
        raise ConfigError(f"'{name}' begins {len(fitting)} sweeps; one of: {known}")
    return fitting[0]


def _list(found: list[Journal]) -> None:
    for journal in found:
        state = journal.state()
        ended = f"{len(state.ended)}/{'?' if state.total is None else state.total}"
        failed = len(state.failures)
        sys.stdout.write(f"{state.name}  {ended} done, {failed} failed  {state.command}\n")


def _show(state: State, rows: int | None) -> None:
    from rich.console import Console

    from pdebench.cli.view import table

    Console().print(table(state, rows))
    if state.failures or state.lost:
        sys.stdout.write(f"again what failed: {state.command} --retry failed\n")


def _watch(journal: Journal) -> None:
    from rich.console import Console
    from rich.live import Live

    from pdebench.cli.view import table

    with Live(console=Console(), auto_refresh=False) as live:
        while True:
            state = journal.state()
            live.update(table(state), refresh=True)
            if state.over is not None or (state.running and set(state.running) == set(state.lost)):
                return
            time.sleep(0.5)


def _plain(state: State) -> dict[str, object]:
    said = asdict(state)
    said["lost"] = state.lost
    said["remaining_seconds"] = state.remaining_seconds
    return said
