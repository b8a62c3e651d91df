"""Curves of the leading rows: error over time, spectra, and losses over the course of a fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pdebench.harness.record import Record
from pdebench.leaderboard.board import Row

Arrays = Callable[[Record], Mapping[str, np.ndarray[Any, Any]] | None]

_POINTS = 120  # points of a curve that a plot of a few hundred pixels can show
_DRAWN_SEEDS = 3


def leading(rows: Sequence[Row], most: int) -> list[Row]:
    """Return the first ranked rows, then what is left of the ladder: what a plot can show without
    becoming a thicket.
    """
    ranked = [row for row in rows if row.place is not None]
    first = ranked[:most]
    rungs = [row for row in ranked[most:] if row.ladder is not None]
    return first + rungs[: most // 2]


def over_time(
    rows: Sequence[Row],
    records: Mapping[str, Sequence[Record]],
    arrays: Arrays,
    split: str,
    metric: str,
) -> dict[str, Any] | None:
    """Return the headline error of each row against time, or None for steady tasks.

    Each line holds the mean over seeds and samples and the quartiles over samples, (T,) each. Rows
    whose frames differ from the first row's are left out.
    """
    lines: list[dict[str, Any]] = []
    times: np.ndarray[Any, Any] | None = None
    for row in rows:
        pieces: list[np.ndarray[Any, Any]] = []
        for record in records[row.id][:_DRAWN_SEEDS]:
            held = arrays(record) or {}
            if f"{split}/{metric}" not in held:
                continue
            scores = np.asarray(held[f"{split}/{metric}"], dtype=float)
            if times is None:
                times = np.asarray(
                    held["example/times"] if "example/times" in held else np.arange(scores.shape[1])
                )
            if scores.ndim == 2 and scores.shape[1] == len(times):
                pieces.append(scores)
        if pieces:
            lines.append({"row": row.id} | _spread(np.concatenate(pieces)))
    if times is None or not lines or len(times) < 2:
        return None
    return {"times": rounded(times), "lines": lines}


def _spread(scores: np.ndarray[Any, Any]) -> dict[str, list[float | None]]:
    low, high = np.quantile(scores, [0.25, 0.75], axis=0)
    return {"mean": rounded(scores.mean(0)), "low": rounded(low), "high": rounded(high)}


def spectra(
    rows: Sequence[Row], records: Mapping[str, Sequence[Record]], arrays: Arrays
) -> dict[str, Any] | None:
    """Return energy spectra at the last frame, of each row's first seed beside the reference's.

    None where no record holds any: fields that are not periodic on a uniform grid. Rows whose
    reference is another than the first row's are left out. Wavenumbers count from the first shell;
    shells are those of `pdebench.metrics.spectra.energy_spectrum`.
    """
    reference: np.ndarray[Any, Any] | None = None
    time: float | None = None
    lines: list[dict[str, Any]] = []
    for row in rows:
        held = arrays(records[row.id][0]) or {}
        if "spectrum/prediction" not in held or "spectrum/reference" not in held:
            continue
        got, expected = (
            np.asarray(held[f"spectrum/{side}"], dtype=float)[-1, 1:]
            for side in ("prediction", "reference")
        )
        if reference is None:
            reference = expected
            time = float(held["example/times"][-1]) if "example/times" in held else None
        if len(reference) > 1 and expected.shape == got.shape == reference.shape:
            same = np.allclose(expected, reference, rtol=1e-4)  # stored in single precision
            lines += [{"row": row.id, "energy": rounded(got)}] if same else []
    if reference is None or not lines:
        return None
    wavenumbers = list(range(1, len(reference) + 1))
    return {"wavenumbers": wavenumbers, "reference": rounded(reference), "lines": lines} | (
        {} if time is None else {"time": time}
    )


def convergence(
    rows: Sequence[Row],
    records: Mapping[str, Sequence[Record]],
    arrays: Arrays,
    metric: str,
    most: int,
) -> tuple[dict[str, Any], ...]:
    """Return error against seconds per sample within one solve of the ranked iterative rows.

    Of each row's first seed: seconds since the start of the solve, scoring not counted, and the
    mean headline error over the first batch.
    """
    done: list[dict[str, Any]] = []
    for row in rows:
        if row.place is None or len(done) == most:
            continue
        held = arrays(records[row.id][0]) or {}
        if "iterate/seconds" in held and f"iterate/{metric}" in held:
            seconds = np.asarray(held["iterate/seconds"], dtype=float)
            errors = np.asarray(held[f"iterate/{metric}"], dtype=float)
            batch = errors.shape[1]
            mean = errors.mean(1)
            done.append(
                {"row": row.id, "seconds": rounded(seconds / batch), "error": rounded(mean)}
            )
    return tuple(done)


def training(
    rows: Sequence[Row], records: Mapping[str, Sequence[Record]]
) -> tuple[dict[str, Any], ...]:
    """Return the training curves of the rows that have one: epoch, seconds, training and validation
    loss.
    """
    done: list[dict[str, Any]] = []
    for row in rows:
        for record in records[row.id][:_DRAWN_SEEDS]:
            if len(record.curve) > 1:
                curve = [record.curve[k] for k in _picked(len(record.curve))]
                done.append({"row": row.id, "seed": record.seed} | _columns(curve))
    return tuple(done)


def _columns(curve: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    columns = {"epoch": "epoch", "seconds": "seconds", "train": "train_loss", "valid": "valid_loss"}
    return {
        name: rounded(np.array([float(entry.get(key, "nan")) for entry in curve]))
        for name, key in columns.items()
    }


def _picked(count: int) -> list[int]:
    """Evenly spread positions, first and last among them."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, _POINTS))})


def rounded(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Return plain numbers with five significant digits; None where not finite."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values.tolist()]
