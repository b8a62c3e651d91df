"""``pdebench data``: make, describe, check, import, export and plot data sets; one module each."""

import sys
from importlib import import_module

_COMMANDS = {
    "make": ("make", "make a data set: parallel, resumable, with size and time told beforehand"),
    "info": ("info", "the card: equation, units, reference and its error, statistics, splits"),
    "verify": ("verify", "digest, NaN, residual, conservation, and a sample of rows made again"),
    "import": ("importing", "check a public file and say how to benchmark on it"),
    "export": ("export", "write another layout: The Well, Zarr, NetCDF"),
    "plot": ("plot", "fields, spectra and statistics of samples as PNG"),
}
_USAGE = """usage: pdebench data COMMAND NAME|PATH [ARGUMENTS]

NAME is a data set ('pdebench list dataset'), PATH a file or folder of any layout that is known:
PDEBench, The Well, FNO .mat, Geo-FNO, Poseidon, PDEArena, CFDBench, BLASTNet, or the suite's own.

commands:
{commands}

examples:
  pdebench data make navier_stokes/forced/tiny
  pdebench data info navier_stokes/forced/tiny
  pdebench data verify navier_stokes/forced/tiny --rows 4
  pdebench data import ~/Downloads/NavierStokes_V1e-3_N5000_T50.mat
  pdebench data export navier_stokes/forced/tiny --to the_well --out well
  pdebench data plot navier_stokes/forced/tiny --out pictures

'pdebench data COMMAND --help' says more.
"""


def main(argv: list[str]) -> int:
    """Run one sub-command and return its exit status."""
    rows = "\n".join(f"  {name:<7} {what}" for name, (_, what) in _COMMANDS.items())
    usage = _USAGE.format(commands=rows)
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(usage)
        return 0
    name, *rest = argv
    if name not in _COMMANDS:
        from pdebench.plugins import nearest

        said = nearest(name, list(_COMMANDS))
        sys.stderr.write(f"pdebench data: '{name}' is no command{said}\n{usage}")
        return 2
    return int(import_module(f"pdebench.cli.data.{_COMMANDS[name][0]}").main(rest))
