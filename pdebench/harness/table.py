"""All scores of a store as one labelled array."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pdebench.errors import StoreError
from pdebench.harness.store import Store
from pdebench.paths import default_store

if TYPE_CHECKING:
    import xarray

__all__ = ["scores"]

_FACTS = ("id", "task", "track", "solver", "seed", "status", "device")


def scores(store: Store | Path | str | None = None, *, task: str | None = None) -> "xarray.Dataset":
    """Return every score of every record, as an ``xarray.Dataset``.

    Dimensions: ``run``, ``split``, ``metric`` (short names) and ``sample``. Variables: ``score``
    (run, split, metric, sample), NaN beyond a split's size and where a metric does not apply;
    ``fit_seconds``, ``solve_seconds`` (run; s, s per sample). Coordinates along ``run``: id, task,
    track, solver, seed, status, device. A mean over samples: ``scores().score.mean("sample")``.

    Args:
        store: folder of records or `Store`; None: as ``pdebench list --paths`` says.
        task: keep one task's records.

    Raises StoreError where nothing is found.
    """
    import xarray

    opened = store if isinstance(store, Store) else Store(Path(store or default_store()))
    records = [r for r in opened if task in (None, r.task.get("name"))]
    if not records:
        which = f" of task={task}" if task else ""
        raise StoreError(f"store '{opened.root}' holds no record{which}; pdebench run makes them")
    splits = list(dict.fromkeys(s for r in records for s in r.scores))
    metrics = list(dict.fromkeys(m for r in records for s in r.scores.values() for m in s))
    longest = max(
        (len(v.get("values", ())) for r in records for s in r.scores.values() for v in s.values()),
        default=0,
    )
    values = np.full((len(records), len(splits), len(metrics), longest), np.nan)
    for number, record in enumerate(records):
        for split, named in record.scores.items():
            for metric, score in named.items():
                given = score.get("values", ())
                at = (number, splits.index(split), metrics.index(metric))
                values[at][: len(given)] = given
    facts = {
        "id": [r.id for r in records],
        "task": [r.task.get("name", "") for r in records],
        "track": [r.task.get("track", "") for r in records],
        "solver": [r.solver.get("name", "") for r in records],
        "seed": [r.seed for r in records],
        "status": [r.status for r in records],
        "device": [r.device for r in records],
    }
    seconds = {
        name: ("run", [_seconds(r.costs.get(phase, {})) for r in records], {"units": unit})
        for name, phase, unit in (
            ("fit_seconds", "fit", "s"),
            ("solve_seconds", "solve", "s/sample"),
        )
    }
    return xarray.Dataset(
        {"score": (("run", "split", "metric", "sample"), values), **seconds},
        coords={
            **{name: ("run", facts[name]) for name in _FACTS},
            "split": splits,
            "metric": metrics,
        },
    )


def _seconds(cost: dict[str, float]) -> float:
    return float(cost.get("seconds", np.nan)) / float(cost.get("batch", 1))
