"""``pdebench data import``: check a public file once, and say how to benchmark on it."""

import sys
from pathlib import Path

from pdebench.cli.data.target import Target, parser, target
from pdebench.cli.data.text import size
from pdebench.errors import ConfigError

_ABOUT = """Import a file or folder: PDEBench, The Well, FNO .mat (v5, v7.3), Geo-FNO .npy,
Poseidon, PDEArena, CFDBench, BLASTNet.

The layout is found by content. Samples that lie together and uncompressed stay where they are;
others are copied once into the data folder, in bounded memory. Every sample is read and checked for
NaN. The splits are the published ones, with a validation part that holds no test sample. --out
writes the suite's own files, one per split, instead.
"""


def main(argv: list[str]) -> int:
    """Import, and print what was found and the command that runs a benchmark on it."""
    made = parser("import", _ABOUT)
    made.add_argument("--out", type=Path, help="also write one file per split there")
    options = made.parse_intermixed_args(argv)
    chosen = target(options)
    if not chosen.imported:
        raise ConfigError(
            f"'{options.target}' is a data set of the suite, expected a file or folder to import"
        )
    from pdebench.formats.imported import Imported

    dataset = chosen.dataset
    assert isinstance(dataset, Imported)
    digest = chosen.prepare()
    sys.stdout.write(_report(chosen, dataset, digest))
    if options.out:
        from pdebench.formats.export import to_netcdf

        for file in to_netcdf(chosen.parts(), options.out):
            sys.stdout.write(f"wrote {file}\n")
    return 0


def _report(chosen: Target, dataset: "object", digest: str) -> str:
    from pdebench.formats.detect import contents

    found = contents(chosen.config["path"], layout=chosen.config.get("layout"))
    card = chosen.dataset.card
    kept = "read where it is" if found.direct else f"copied to {chosen.folder}"
    task = "imported/evolve" if found.timed else "imported/steady"
    lines = [
        f"{chosen.config['path']}: layout {found.layout}, {found.num_samples} samples, "
        f"{size(found.nbytes)}, {kept}",
        *(
            f"  {name} {dict(zip(v.dims, v.array.shape, strict=True))} {v.array.dtype}"
            for name, v in found.variables.items()
        ),
        "  splits " + ", ".join(f"{name} {num}" for name, num in card.splits.items()),
        f"  {found.protocol}",
        f"  digest {digest}",
        "run a benchmark on it:",
        f"  pdebench run -m task={task} 'dataset.path=\"{chosen.config['path']}\"' "
        "solver=fno,mean" + (",persistence" if found.timed else ""),
    ]
    return "\n".join(lines) + "\n"
