"""``pdebench store``: list, query, merge, verify, clean and export the records of a store."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pdebench.atomic import atomic_path
from pdebench.errors import ConfigError
from pdebench.harness.store import Store
from pdebench.paths import default_store


def main(argv: list[str]) -> int:
    """Do one thing to a store; return 0, or 1 where something in it is damaged."""
    options = _parser().parse_args(argv)
    store = Store(Path(options.store).expanduser() if options.store else default_store())
    work: Callable[[Store, Any], int] = options.work
    return work(store, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench store",
        description="Look into and look after the records of a store.",
        epilog="examples: pdebench store list solver=fno; pdebench store merge /from/cluster; "
        'pdebench store sql "select solver, min(mean) from scores group by solver"',
    )
    parser.add_argument("--store", help="folder of records (default: as pdebench list --paths)")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line per record")
    listing.add_argument("filters", nargs="*", help="column=value, such as solver=fno status=ok")
    listing.add_argument("--json", action="store_true", help="JSON lines")
    listing.set_defaults(work=_list)
    sql = actions.add_parser("sql", help="a query over the views records, scores, samples, raw")
    sql.add_argument("statement", help="SQL, as DuckDB speaks it")
    sql.add_argument("--csv", action="store_true", help="comma-separated values")
    sql.add_argument("--json", action="store_true", help="JSON lines")
    sql.set_defaults(work=_sql)
    merging = actions.add_parser("merge", help="copy in what another machine's store has")
    merging.add_argument("others", nargs="+", help="folders of other stores")
    merging.add_argument("--fits", action="store_true", help="copy fitted weights, too")
    merging.set_defaults(work=_merge)
    gc = actions.add_parser("gc", help="what nothing needs; --delete removes it")
    gc.add_argument("--delete", action="store_true", help="remove it")
    gc.set_defaults(work=_gc)
    verifying = actions.add_parser("verify", help="read everything; say what is damaged")
    verifying.set_defaults(work=_verify)
    export = actions.add_parser("export", help="all records in one file")
    export.add_argument("file", help="NAME.jsonl, .csv, .parquet (summaries) or .nc (scores)")
    export.set_defaults(work=_export)
    return parser


def _rows(store: Store, filters: Sequence[str]) -> list[dict[str, Any]]:
    from pdebench.harness.index import COLUMNS, summaries

    wanted = {}
    for text in filters:
        key, sign, value = text.partition("=")
        if not sign or key not in COLUMNS:
            raise ConfigError(f"'{text}', expected column=value with one of {', '.join(COLUMNS)}")
        wanted[key] = value
    rows, damaged = summaries(store)
    for said in damaged:
        sys.stderr.write(f"pdebench store: {said}\n")
    return [r for r in rows if all(str(r[k]) == v for k, v in wanted.items())]


def _list(store: Store, options: argparse.Namespace) -> int:
    rows = _rows(store, options.filters)
    if options.json:
        sys.stdout.write("".join(json.dumps(row) + "\n" for row in rows))
        return 0
    columns = {
        "id": [r["id"][:12] for r in rows],
        "task": [f"{r['task']} {r['track']}" for r in rows],
        "solver": [r["solver"] for r in rows],
        "seed": [str(r["seed"]) for r in rows],
        "result": [_result(r) for r in rows],
        "created": [r["created"][:16] for r in rows],
    }
    _table(list(columns), list(zip(*columns.values(), strict=True)))
    sys.stdout.write(f"{len(rows)} records in {store.root}\n")
    return 0


def _result(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']}: {row['reason']}"
    value = row["value"]
    return f"{row['metric']}={value:.4g}" if isinstance(value, float) else "not applicable"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns; ten thousand lines in a blink, which rich's tables are not."""
    cells = [["" if c is None else str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    sys.stdout.write("\n".join(line.rstrip() for line in lines) + "\n")


def _sql(store: Store, options: argparse.Namespace) -> int:
    from pdebench.harness.sql import query

    head, rows = query(store.root, options.statement)
    if options.json:
        for row in rows:
            said = dict(zip(head, row, strict=True))
            sys.stdout.write(json.dumps(said, default=str) + "\n")
    elif options.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(head)
        writer.writerows(rows)
    else:
        _table(head, rows)
    return 0


def _merge(store: Store, options: argparse.Namespace) -> int:
    from pdebench.harness.upkeep import merge

    damaged = 0
    for name in options.others:
        done = merge(store, Store(Path(name).expanduser()), options.fits)
        damaged += len(done.damaged)
        for said in (*done.kept, *done.damaged):
            sys.stderr.write(f"pdebench store merge: {said}\n")
        sys.stdout.write(
            f"{name}: {done.added} added, {done.replaced} replaced, {done.same} the same, "
            f"{len(done.kept)} kept, {len(done.damaged)} damaged\n"
        )
    return 1 if damaged else 0


def _gc(store: Store, options: argparse.Namespace) -> int:
    from pdebench.harness.upkeep import collect, rubbish

    total = count = 0
    for found in list(rubbish(store)):
        count, total = count + 1, total + found.bytes
        sys.stdout.write(f"{found.path.relative_to(store.root)}: {found.why}\n")
        if options.delete:
            collect(found)
    done = "removed" if options.delete else "would be removed; --delete does it"
    sys.stdout.write(f"{count} pieces, {total / 1e6:.1f} MB {done}\n")
    return 0


def _verify(store: Store, options: argparse.Namespace) -> int:
    from pdebench.harness.upkeep import same_sources, verify

    wrong = list(verify(store))
    for said in wrong:
        sys.stdout.write(f"{said}\n")
    records = [] if wrong else list(store)
    other = sum(same_sources(record) is False for record in records)
    sys.stdout.write(
        f"{len(wrong)} damages\n"
        if wrong
        else f"{len(records)} records, none damaged; {other} were made by other sources than "
        "the installed ones\n"
    )
    return 1 if wrong else 0


def _export(store: Store, options: argparse.Namespace) -> int:
    file = Path(options.file)
    kind = file.suffix
    if kind not in (".jsonl", ".csv", ".parquet", ".nc"):
        raise ConfigError(f"'{file}', expected a name that ends in .jsonl, .csv, .parquet or .nc")
    with atomic_path(file) as partial:
        if kind == ".jsonl":
            with partial.open("w", encoding="utf-8") as stream:
                stream.writelines(record.to_json() + "\n" for record in store)
        elif kind == ".csv":
            _csv(store, partial)
        elif kind == ".parquet":
            from pdebench.harness.sql import connect

            target = str(partial).replace("'", "''")
            connect(store.root).execute(f"COPY records TO '{target}' (FORMAT parquet)")
        else:
            from pdebench.harness.table import scores

            scores(store).to_netcdf(partial, engine="h5netcdf")
    sys.stdout.write(f"{file}\n")
    return 0


def _csv(store: Store, file: Path) -> None:
    from pdebench.harness.index import COLUMNS

    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list[str](COLUMNS))
        writer.writeheader()
        writer.writerows(_rows(store, ()))
