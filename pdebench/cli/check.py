"""``pdebench check NAME``: the conformance kit as a table."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from pdebench import plugins
from pdebench.errors import ConfigError
from pdebench.testing.conformance import KINDS, check_named, kind_of
from pdebench.testing.findings import Finding


def main(argv: list[str]) -> int:
    """Check one plugin, or with --all every one of a kind; return 0 where every rule holds."""
    options = _parser().parse_args(argv)
    if options.all:
        names = [(options.all, name) for name in plugins.names(options.all)]
    else:
        names = [_named(options.name)]
    broken = False
    for number, (kind, name) in enumerate(names, 1):
        if len(names) > 1:
            sys.stderr.write(f"[{number}/{len(names)}] {kind}={name}\n")
        findings = check_named(name, options.overrides, kind=kind)
        broken |= any(f.breaks for f in findings)
        if len(names) == 1 or any(f.failure for f in findings):
            Console().print(_table(f"{kind}={name}", findings))
    if len(names) > 1:
        sys.stdout.write(f"{len(names)} checked, {'some break rules' if broken else 'all hold'}\n")
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pdebench check",
        description="Check that a solver, a data set or a metric keeps the rules every plugin must "
        "keep. Which rules apply follows from what it can do.",
        epilog="examples: pdebench check fno solver.architecture.width=8; "
        "pdebench check metric=nrmse; pdebench check --all metric",
    )
    parser.add_argument("name", nargs="?", help="NAME, solver=NAME, dataset=NAME or metric=NAME")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as solver.width=8")
    parser.add_argument("--all", choices=KINDS, metavar="KIND", help=f"every {', '.join(KINDS)}")
    return parser


def _named(text: str | None) -> tuple[str, str]:
    if text is None:
        raise ConfigError("name what to check, such as pdebench check fno, or use --all solver")
    kind, sign, name = text.partition("=")
    if not sign:
        return kind_of(text), text
    if kind not in KINDS:
        raise ConfigError(f"'{text}', expected {', '.join(f'{k}=NAME' for k in KINDS)}")
    plugins.require(kind, name)
    return kind, name


def _table(title: str, findings: list[Finding]) -> Table:
    head = "what failed, why it matters, how to mend it"
    table = Table("rule", "on", "", head, title=title)
    for f in findings:
        said = f"{f.failure}. {f.why}. {f.mend}." if f.failure else ""
        outcome = "holds" if f.failure is None else "expected" if f.expected else "fails"
        table.add_row(
            f.rule, f.on, outcome, f"{said} Expected: {f.expected}" * bool(f.expected) or said
        )
    return table
