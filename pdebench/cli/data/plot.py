"""``pdebench data plot``: pictures of samples, to look at before anything is trained on them."""

import sys
from pathlib import Path
from typing import Any

from pdebench.cli.data.target import parser, target
from pdebench.errors import ConfigError, DataError

_ABOUT = """Draw samples as PNG (needs pip install pdebench-suite[plot]).

  <split>_<variable>_field.png       first, middle and last frame (rows) of samples (columns)
  <split>_<variable>_spectrum.png    energy per shell of wavenumbers, first and last frame
  <split>_<variable>_statistics.png  histogram, and mean, deviation and extremes over time
"""


def main(argv: list[str]) -> int:
    """Write the pictures and print their paths."""
    made = parser("plot", _ABOUT)
    made.add_argument("--out", type=Path, default=Path("pictures"), help="folder of the pictures")
    made.add_argument("--split", default="test", help="split to draw")
    made.add_argument("--samples", type=int, default=4, help="number of samples")
    made.add_argument("--variable", help="only this variable")
    options = made.parse_intermixed_args(argv)
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("plot needs matplotlib; pip install 'pdebench-suite[plot]'") from error
    matplotlib.use("Agg")
    from pdebench.cli.data import pictures
    from pdebench.formats.export import section

    chosen = target(options)
    chosen.require_made()
    found = dict(chosen.parts()).get(options.split)
    if found is None:
        known = ", ".join(chosen.dataset.card.splits)
        raise DataError(f"{chosen.name} has no split '{options.split}', expected one of {known}")
    one = section(found, options.split)
    names = _fields(one, options.variable)
    for name in names:
        for kind in ("field", "spectrum", "statistics"):
            file = options.out / f"{options.split}_{name}_{kind}.png"
            if getattr(pictures, kind)(one, name, options.samples, file):
                sys.stdout.write(f"wrote {file}\n")
    return 0


def _fields(found: Any, wanted: str | None) -> list[str]:
    names = [n for n, v in found.variables.items() if len(v.dims) > 1 and n != "position"]
    if wanted is None:
        return names
    if wanted not in names:
        raise ConfigError(f"--variable={wanted} is unknown, expected one of {', '.join(names)}")
    return [wanted]
