"""The command line: ``pdebench list | run | board | ...``; each command loads only what it
needs.
"""

import os
import signal
import sys
from importlib import import_module

_COMMANDS = {
    "list": (
        "pdebench.cli.listing",
        "solvers, data sets, tasks, metrics, tracks; which plugin ships each",
    ),
    "run": ("pdebench.cli.run", "run solvers on tasks; -m sweeps over comma-separated values"),
    "data": ("pdebench.cli.data", "make, describe, check, import, export and plot data sets"),
    "sweep": ("pdebench.cli.sweep", "a sweep from any terminal: done, running, failed, to go"),
    "store": ("pdebench.cli.store", "records: list, sql, merge, verify, gc, export"),
    "board": ("pdebench.leaderboard.command", "leaderboard of the store; board verify, accept"),
    "submit": ("pdebench.leaderboard.submit", "records as one file for somebody else's board"),
    "compare": ("pdebench.leaderboard.compare", "two rows side by side: what differs, by how much"),
    "time": ("pdebench.cli.time", "solvers in turn on the same problems; ratios with intervals"),
    "ladder": ("pdebench.cli.ladder", "tune a classical solver; its front becomes rungs to beat"),
    "retime": ("pdebench.cli.retime", "solve of finished runs again, in turns, on a quiet machine"),
    "new": ("pdebench.cli.new", "a plugin to start from: solver, dataset or metric"),
    "check": ("pdebench.cli.check", "the rules every solver, data set and metric keeps"),
}

_USAGE = """usage: pdebench COMMAND [ARGUMENTS]

One clock, one set of metrics and one leaderboard for PDE surrogates and solvers.

commands:
{commands}

examples:
  pdebench list
  pdebench run solver=fno task=navier_stokes/evolve track=tiny
  pdebench run -m solver=fno,spectral,persistence,mean seed=0,1,2
  pdebench sweep status --watch
  pdebench board

'pdebench COMMAND --help' says more.
"""


def _usage() -> str:
    rows = "\n".join(f"  {name:<8} {what}" for name, (_, what) in _COMMANDS.items())
    return _USAGE.format(commands=rows)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; the suite's own errors become one sentence on
    stderr.

    Where the reader of the output has gone (``| head``), it ends quietly as by SIGPIPE.
    """
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered would be written, and fail, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        from pdebench import __version__

        sys.stdout.write(f"pdebench-suite {__version__}\n")
        return 0
    name, *rest = arguments
    if name not in _COMMANDS:
        from pdebench.plugins import nearest

        sys.stderr.write(
            f"pdebench: '{name}' is no command{nearest(name, list(_COMMANDS))}\n{_usage()}"
        )
        return 2
    from pdebench.errors import PdebenchError

    try:
        return int(import_module(_COMMANDS[name][0]).main(rest))
    except PdebenchError as error:
        sys.stderr.write(f"pdebench {name}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\npdebench {name}: interrupted; what was finished is kept, "
            "the same command goes on there\n"
        )
        return 130
