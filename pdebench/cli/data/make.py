"""``pdebench data make``: size and time beforehand, then the samples, in parallel and resumable."""

import sys
import time

from pdebench.cli.data.target import Target, parser, target
from pdebench.cli.data.text import duration, size
from pdebench.workers import Workers

_ABOUT = """Make a data set, or go on where a killed run stopped.

One shard of samples is made first to tell how long the rest takes and how much disk it needs;
finished shards are kept whatever happens. The result does not depend on the number of processes.
"""


def main(argv: list[str]) -> int:
    """Make the data set and print where it lies and its digest."""
    made = parser("make", _ABOUT)
    made.add_argument("--workers", type=int, help="processes; one per core by default")
    made.add_argument("--estimate", action="store_true", help="tell size and time, then stop")
    options = made.parse_intermixed_args(argv)
    chosen = target(options)
    if options.workers is not None:
        chosen.config["workers"] = options.workers
    with Workers(chosen.config.get("workers")) as workers:
        if not chosen.imported:
            workers.start()
        return _make(chosen, options.estimate)


def _make(chosen: Target, only_estimate: bool) -> int:
    began = time.monotonic()
    from pdebench.generated import GeneratedDataset

    dataset = chosen.dataset
    if isinstance(dataset, GeneratedDataset):
        from pdebench.estimate import estimate, require_space

        found = estimate(dataset.recipe, chosen.folder, dataset.workers)
        require_space(found, chosen.folder)
        if found.samples_left or only_estimate:
            sys.stdout.write(
                f"{chosen.name}: {found.samples} samples, {size(found.nbytes)}; "
                f"{found.samples_left} to make in about {duration(found.seconds)} "
                f"on {found.workers} processes\n"
            )
            sys.stdout.flush()
        if only_estimate:
            return 0
    digest = chosen.prepare()
    sys.stdout.write(
        f"{chosen.name} in {chosen.folder}\ndigest {digest}\n"
        f"took {duration(time.monotonic() - began)}\n"
    )
    return 0
