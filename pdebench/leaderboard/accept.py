"""``pdebench board accept``: check a submission and add it to a store, all of it or nothing."""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pdebench.atomic import write_atomically
from pdebench.harness.identity import sha256
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.harness.upkeep import same_sources
from pdebench.leaderboard.build import build
from pdebench.leaderboard.lines import to_jsonl
from pdebench.leaderboard.markdown import markdown_from_jsonl
from pdebench.leaderboard.page import html
from pdebench.leaderboard.submission import Entry, Manifest, unpack
from pdebench.leaderboard.trust import foreign_targets, objections
from pdebench.paths import default_data, default_store

_SHOWN = 20  # reasons on the screen
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError)


def main(argv: list[str]) -> int:
    """Take in a submission; return 0, or 1 where something in it is refused (then nothing is)."""
    options = _parser().parse_args(argv)
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    root = Path(options.data).expanduser() if options.data else default_data()
    manifest, entries = unpack(Path(options.file).expanduser())
    refused = [
        f"{entry.name[:12]}: {said}"
        for entry in entries
        for said in refusals(entry, root, options.any_data)
    ] or list(_unshowable([entry.record for entry in entries]))
    if refused:
        more = len(refused) - _SHOWN
        lines = [*refused[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        sys.stderr.write("".join(f"refused: {line}\n" for line in lines))
        sys.stderr.write("nothing was added\n")
        return 1
    for said in cautions(entries):
        sys.stderr.write(f"caution: {said}\n")
    added, same, kept = add(store, entries, dry=options.dry_run)
    if not options.dry_run:
        _receipt(store, manifest, entries)
    done = "would be added" if options.dry_run else "added"
    sys.stdout.write(f"{added} records {done}, {same} the same here, {len(kept)} kept as ours\n")
    sys.stdout.write(
        "".join(f"  kept {name}: another record of this run is here\n" for name in kept)
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench board accept",
        description="Check a file of 'pdebench submit' and add its records to the store: digests, "
        "types, known task, version and track, the digest of data that are here, possible numbers, "
        "no run twice. One refusal and nothing is added; what is here already stays. "
        "Nothing of it is executed; see 'pdebench board verify' for that.",
        epilog="example: pdebench board accept --dry-run mynet.zip",
    )
    parser.add_argument("file", metavar="FILE", help="the submission")
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument(
        "--data", metavar="PATH", help="folder of data sets to compare digests with"
    )
    parser.add_argument("--any-data", action="store_true", help="take other data than ours, too")
    parser.add_argument("--dry-run", action="store_true", help="check only")
    return parser


def refusals(entry: Entry, root: Path | None, any_data: bool = False) -> list[str]:
    """Return why one entry is not taken; empty where it is sound."""
    try:
        return list(objections(entry.record, entry.device, root, any_data))
    except _MALFORMED as error:
        return [f"holds fields of another shape than a record's: {type(error).__name__}: {error}"]


def _unshowable(records: Sequence[Record]) -> Iterator[str]:
    """Yield what no board can be made of: the surest check is to make one."""
    for record in records:
        try:
            board = build([record])
            html(board)
            markdown_from_jsonl(to_jsonl(board.tables))
        except _MALFORMED as error:
            yield f"{record.id[:12]}: no board can show it: {type(error).__name__}: {error}"


def cautions(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what a person should look at, though it is no reason to refuse."""
    other = sum(same_sources(entry.record) is not True for entry in entries)
    if other:
        yield f"{other} records were made by other sources than the installed ones, or cannot say"
    unknown = sorted({t for e in entries for t in foreign_targets(e.record.config)})
    if unknown:
        shown = ", ".join(f"{target[:60]!a}" for target in unknown[:5])
        yield f"not shipped by an installed plugin, so not to be verified here: {shown}"
    for entry in entries:
        record = entry.record
        floor = (record.task.get("dataset") or {}).get("reference_error") or {}
        mean = record.mean(str(record.task.get("headline")))
        if mean is not None and mean < (floor.get("test") or 0.0):
            yield f"{record.id[:12]} has an error of {mean:.3g}, below that of the reference itself"


def add(store: Store, entries: Sequence[Entry], dry: bool = False) -> tuple[int, int, list[str]]:
    """Put the entries into the store; return how many were new, how many the same, which differ."""
    added, same, kept = 0, 0, list[str]()
    for entry in entries:
        run_id, device = entry.record.id, entry.device
        ours = store.get(run_id, device)
        if ours is not None:
            same += ours.to_json() == entry.record.to_json()
            kept += [] if ours.to_json() == entry.record.to_json() else [entry.name[:12]]
            continue
        added += 1
        if dry:
            continue
        with store.claim(run_id, device):
            if entry.arrays:  # first: a record that exists is complete
                buffer = io.BytesIO()
                np.savez_compressed(buffer, allow_pickle=False, **entry.arrays)
                write_atomically(store.arrays(run_id, device), buffer.getvalue())
            store.put(entry.record, device)
    return added, same, kept


def _receipt(store: Store, manifest: Manifest, entries: Sequence[Entry]) -> None:
    """Remember who sent what: ``submissions/<digest>.json`` in the store."""
    said = {"submitter": manifest.submitter, "note": manifest.note, "created": manifest.created} | {
        "suite": manifest.suite,
        "records": [entry.name for entry in entries],
    }
    text = json.dumps(said, indent=1, sort_keys=True)
    write_atomically(store.root / "submissions" / f"{sha256(text)[:16]}.json", text.encode())
