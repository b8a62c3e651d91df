"""``pdebench data export``: the same samples in another layout."""

import sys
from pathlib import Path

from pdebench.cli.data.target import parser, target
from pdebench.errors import DataError

_ABOUT = """Write a data set, or a public file, in another layout; streamed in bounded memory.

  the_well  data/<split>/<name>.hdf5 as The Well's loader reads it
  zarr      one Zarr store per split, chunks of one sample (needs pip install pdebench-suite[zarr])
  netcdf    one NetCDF 4 file per split, named dimensions and units
"""


def main(argv: list[str]) -> int:
    """Write the files and print their paths."""
    made = parser("export", _ABOUT)
    made.add_argument("--to", required=True, choices=("the_well", "zarr", "netcdf"))
    made.add_argument("--out", type=Path, required=True, help="folder to write into")
    made.add_argument("--split", help="only this split")
    options = made.parse_intermixed_args(argv)
    from pdebench.formats import export

    chosen = target(options)
    chosen.require_made()
    parts = [(s, c) for s, c in chosen.parts() if options.split in (None, s)]
    if not parts:
        known = ", ".join(chosen.dataset.card.splits)
        raise DataError(f"{chosen.name} has no split '{options.split}', expected one of {known}")
    writer = {
        "the_well": export.to_the_well,
        "zarr": export.to_zarr,
        "netcdf": export.to_netcdf,
    }[options.to]
    for file in writer(parts, options.out):
        sys.stdout.write(f"wrote {file}\n")
        sys.stdout.flush()
    return 0
