"""``pdebench board``: records in, a leaderboard to open out."""

import argparse
import fnmatch
import sys
import webbrowser
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pdebench.atomic import write_atomically
from pdebench.errors import ConfigError, StoreError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard.again import RECORDS, Reader, keep, read, redraw, source, title_of
from pdebench.leaderboard.board import Board
from pdebench.leaderboard.build import build
from pdebench.leaderboard.slugs import page
from pdebench.leaderboard.write import write
from pdebench.paths import default_store

Arrays = dict[str, np.ndarray[Any, Any]]
_TITLE = "pdebench leaderboard"
_ACTIONS = ("verify", "accept")  # each a module of this package


def main(argv: list[str]) -> int:
    """Write the board of a store, or verify or accept rows; return 0 where all is well."""
    if argv and argv[0] in _ACTIONS:
        return int(import_module(f"pdebench.leaderboard.{argv[0]}").main(argv[1:]))
    options = _parser().parse_args(argv)
    origin = source(Path(options.origin).expanduser()) if options.origin else None
    folder = Path(options.out or (origin.parent if origin else "leaderboard")).expanduser()
    if origin is not None and origin.suffix == ".html":
        sys.stdout.write(f"no {RECORDS} beside it: '{origin}' is drawn anew, nothing computed\n")
        sys.stdout.write("".join(f"  {file}\n" for file in redraw(origin, folder)))
        return 0
    records, arrays = _records(options, origin)
    board = build(records, arrays)
    title = options.title or (title_of(origin.parent) if origin else None) or _TITLE
    written = write(board, folder, title)
    if options.records:
        written.append(keep(records, arrays, board, folder))
    if options.latex or options.bibtex:
        written += _papers(board, folder, options)
    tables, rows = len(board.tables), sum(len(table.rows) for table in board.tables)
    sys.stdout.write(
        f"{board.records} records, {rows} rows in {tables} table{'s' if tables != 1 else ''}\n"
    )
    sys.stdout.write("".join(f"  {file}\n" for file in written))
    if options.open:
        webbrowser.open((folder / "index.html").resolve().as_uri())
    return 0


def _records(options: argparse.Namespace, origin: Path | None) -> tuple[list[Record], Reader]:
    """Return the matching records of the store, or of the file they are read from."""
    if origin is not None:
        held, arrays = read(origin)
        records = [r for r in held if fnmatch.fnmatchcase(str(r.task.get("name")), options.task)]
        if not records:
            raise ConfigError(f"--task '{options.task}' matches none of the tasks in '{origin}'")
        return records, arrays
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    records = list(readable(store, options.task))
    if not records:
        raise ConfigError(_nothing(store, options.task))
    return records, _arrays(store)


def _papers(board: Board, folder: Path, options: argparse.Namespace) -> list[Path]:
    """Write what a paper needs; return the files."""
    from pdebench.leaderboard.latex import citations, latex_from_jsonl, plugin_citations

    rows = [row for table in board.tables for row in table.rows]
    files = plugin_citations() if options.bibtex else {}
    cited, entries = citations(files, [(row.solver, row.plugin) for row in rows])
    contents = {folder / "references.bib": entries} if options.bibtex else {}
    for name in sorted({page(table.key) for table in board.tables}) if options.latex else ():
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
        contents[folder / f"{name}.tex"] = latex_from_jsonl(lines, cited)
    for file, content in contents.items():
        write_atomically(file, content.encode())
    return list(contents)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench board",
        description="Make the leaderboard of whatever records are in the store: one page to open, "
        "and Markdown, JSON lines and a picture for every task and track.",
        epilog="example: pdebench board --task 'navier_stokes/*' --out leaderboards/mine --open. "
        "Further: 'pdebench board verify [ROW]' runs rows again and says whether they hold, "
        "'pdebench board accept FILE' takes in what 'pdebench submit' packed; each has its --help.",
    )
    parser.add_argument("--store", metavar="PATH", help="folder of records (pdebench list --paths)")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="PATH",
        help="compute a board again from its own folder (records.zip) or a file of 'pdebench "
        "submit' instead of a store; a board without records.zip has its page drawn anew",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="folder to write into (default: leaderboard; with --from, where it came from)",
    )
    parser.add_argument(
        "--records",
        action="store_true",
        help="records.zip beside the page, from which --from computes the board again",
    )
    parser.add_argument("--task", metavar="GLOB", default="*", help="only tasks that match")
    parser.add_argument("--title", help=f"of the page (default: {_TITLE})")
    parser.add_argument(
        "--latex", action="store_true", help="a LaTeX table beside every Markdown file, .tex"
    )
    parser.add_argument(
        "--bibtex",
        action="store_true",
        help="references.bib with the papers of the methods, from the installed plugins; with "
        "--latex the tables cite them",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    return parser


def readable(store: Store, glob: str, command: str = "board") -> Iterator[Record]:
    """Yield the records of matching tasks; a damaged file is named and left out."""
    for file in store.files():
        try:
            record = store.read(file)
        except StoreError as error:
            sys.stderr.write(f"pdebench {command}: left out {error}\n")
            continue
        if fnmatch.fnmatchcase(str(record.task.get("name", "")), glob):
            yield record


def _nothing(store: Store, glob: str) -> str:
    if next(store.files(), None) is None:
        return (
            f"store='{store.root}' holds no records; run something first, such as "
            "'pdebench run -m solver=persistence,mean,spectral', or give --store"
        )
    return f"--task '{glob}' matches none of the tasks recorded in '{store.root}'"


def _arrays(store: Store) -> Callable[[Record], Arrays | None]:
    def read(record: Record) -> Arrays | None:
        file = store.arrays(record.id, record.device)
        if not file.exists():
            return None
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    return read
