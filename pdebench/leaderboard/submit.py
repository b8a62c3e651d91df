"""``pdebench submit``: the records of a store as one file for somebody else's board."""

import argparse
import fnmatch
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pdebench.atomic import write_atomically
from pdebench.errors import ConfigError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.leaderboard.submission import MEMBERS, Arrays, Entry, pack
from pdebench.paths import default_store


def main(argv: list[str]) -> int:
    """Pack the matching records; return 0."""
    from pdebench import __version__

    options = _parser().parse_args(argv)
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    records = list(_chosen(store, options))
    if not records:
        raise ConfigError(
            f"no record in '{store.root}' matches --task '{options.task}' --track "
            f"'{options.track}' --solver '{options.solver}'"
        )
    if 2 * len(records) >= MEMBERS:
        raise ConfigError(
            f"{len(records)} records, at most {MEMBERS // 2}; narrow them with --task"
        )
    entries = [
        Entry(r, r.device, _arrays(store, r, int(options.arrays_below * 1024))) for r in records
    ]
    file = Path(options.out).expanduser()
    created = datetime.now(UTC).isoformat(timespec="seconds")
    content = pack(entries, __version__, created, options.submitter, options.note)
    write_atomically(file, content)
    count = sum(bool(entry.arrays) for entry in entries)
    sys.stdout.write(
        f"{file}: {len(entries)} records, {count} with arrays, {len(content) / 1e6:.2f} MB\n"
        f"check it as its receiver will: pdebench board accept --dry-run {file}\n"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench submit",
        description="Pack records, with environment, versions and configuration, into one file "
        "that 'pdebench board accept' checks and adds to another store. The file is a zip of JSON: "
        "read it before you send it. Folders of this machine are left out.",
        epilog="example: pdebench submit --task 'elliptic/*' --solver mynet --submitter Ann "
        "--out mynet.zip",
    )
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument("--task", metavar="GLOB", default="*", help="only tasks that match")
    parser.add_argument("--track", metavar="GLOB", default="*", help="only tracks that match")
    parser.add_argument("--solver", metavar="GLOB", default="*", help="only solvers that match")
    parser.add_argument("--out", metavar="FILE", default="submission.zip", help="file to write")
    parser.add_argument("--submitter", default="", help="who sends it, as the receipt will say")
    parser.add_argument("--note", default="", help="a sentence to whoever accepts it")
    parser.add_argument(
        *("--arrays-below", "-a"),
        metavar="KIB",
        type=float,
        default=512.0,
        help="leave out arrays (curves over time, example fields) of larger files; 0 for all",
    )
    return parser


def _chosen(store: Store, options: argparse.Namespace) -> Iterator[Record]:
    for record in readable(store, options.task, "submit"):
        own = str(record.task.get("track", "")), str(record.solver.get("name", ""))
        asked = options.track, options.solver
        if all(fnmatch.fnmatchcase(*pair) for pair in zip(own, asked, strict=True)):
            yield record


def _arrays(store: Store, record: Record, limit: int) -> Arrays:
    file = store.arrays(record.id, record.device)
    if not file.is_file() or file.stat().st_size > limit:
        return {}
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
