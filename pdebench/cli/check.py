"""``pdebench check NAME``: the conformance kit as a table."""

import argparse

from rich.console import Console
from rich.table import Table

from pdebench.testing.conformance import check_named


def main(argv: list[str]) -> int:
    """Check one solver; return 0 where every rule holds, else 1."""
    parser = argparse.ArgumentParser(
        prog="pdebench check",
        description="Check that a solver keeps the rules every plugin must keep.",
        epilog="example: pdebench check fno solver.network.width=8",
    )
    parser.add_argument("name", help="the solver, as in solver=NAME")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as solver.width=8")
    options = parser.parse_args(argv)
    findings = check_named(options.name, options.overrides)
    table = Table(
        "rule",
        "on",
        "",
        "what failed, why it matters, how to mend it",
        title=f"solver={options.name}",
    )
    for finding in findings:
        said = f"{finding.failure}. {finding.why}. {finding.mend}." if finding.failure else ""
        table.add_row(finding.rule, finding.task, "fails" if finding.failure else "holds", said)
    Console().print(table)
    return 1 if any(finding.failure for finding in findings) else 0
