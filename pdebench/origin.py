"""Where weights came from: a small file beside them, so that their cost and data stay known.

``origin.json`` holds ``{"task", "data", "samples", "seconds"}`` as in `Pretraining`. The harness
writes it beside every fitted state; for weights of others it can be written by hand.
"""

import hashlib
import json
from pathlib import Path

from pdebench.atomic import write_atomically
from pdebench.errors import DataError
from pdebench.solver import Pretraining

FILE = "origin.json"


def write(
    folder: Path,
    task: str,
    dataset: str,
    samples: int,
    seconds: float,
    before: Pretraining | None = None,
) -> None:
    """State beside the weights in ``folder`` what they were fitted on; ``before`` is what that fit
    started from, whose data and seconds count as well.
    """
    earlier = () if before is None else before.data
    content = {
        "task": task,
        "data": sorted({dataset, *earlier}),
        "samples": samples + ((before.samples or 0) if before else 0),
        "seconds": seconds + ((before.seconds or 0.0) if before else 0.0),
    }
    write_atomically(folder / FILE, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def read(folder: Path, weights: Path, source: str) -> Pretraining:
    """Return what is known of the weights in ``folder``; only their digest where there is no
    ``origin.json``.

    Raises DataError naming the file and the entry where it holds something else.
    """
    file = folder / FILE
    found: dict[str, object] = {}
    if file.is_file():
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"'{file}' is no JSON: {error}; mend or delete it") from error
    wanted = {"task": str, "data": list, "samples": int, "seconds": (int, float)}
    if not isinstance(found, dict) or any(
        found.get(key) is not None and not isinstance(found[key], kind)  # type: ignore[arg-type]
        for key, kind in wanted.items()
    ):
        raise DataError(
            f"'{file}', expected an object with task (text), data (list of names), samples "
            "(integer) and seconds (number), each of which may be absent; mend or delete it"
        )
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    task, data, samples, seconds = (found.get(key) for key in wanted)
    return Pretraining(
        source=source,
        digest=digest,
        task=None if task is None else str(task),
        data=tuple(map(str, data)) if isinstance(data, list) else (),
        samples=samples if isinstance(samples, int) else None,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )
