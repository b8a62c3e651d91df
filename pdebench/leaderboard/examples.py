"""Example fields of the leading rows: prediction, reference, difference on one scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pdebench.harness.record import Record
from pdebench.leaderboard.board import Row
from pdebench.leaderboard.curves import Arrays, rounded
from pdebench.leaderboard.png import image

_EDGE = 96  # pixels of a picture's longer edge at most; larger fields are averaged down
_POINTS = 160  # points of a line in one dimension

Field = np.ndarray[Any, Any]


def examples(
    rows: Sequence[Row], records: Mapping[str, Sequence[Record]], arrays: Arrays
) -> dict[str, Any] | None:
    """Return the first sample's fields for every row that kept some, or None.

    The scale is the largest absolute value of the reference. Differences are shown on the same
    scale after multiplication by a power of ten, stated beside each, so that small ones can be
    seen. Rows whose stored reference is another than the first row's are left out.
    """
    reference: Field | None = None
    points: Field | None = None
    shown: dict[str, Any] = {}
    done: list[dict[str, Any]] = []
    for row in rows:
        found = _first(records[row.id], arrays)
        if found is None:
            continue
        prediction, own, times, own_points = found
        if reference is None:
            reference, points = own, own_points
            scale = float(np.nanmax(np.abs(own))) or 1.0
            shown = _described(own, times, points, scale)
            shown["reference"] = [_drawn(frame, scale, points) for frame in own]
        if prediction.shape == reference.shape and np.array_equal(own, reference):
            done.append({"row": row.id} | _compared(prediction, reference, shown["scale"], points))
    return shown | {"rows": done} if done else None


def _first(
    records: Sequence[Record], arrays: Arrays
) -> tuple[Field, Field, Field | None, Field | None] | None:
    """Return prediction and reference (frames, *S) of the first sample and channel, times and
    points (N, d).
    """
    for record in records:
        held = arrays(record) or {}
        if "example/prediction" not in held or "example/reference" not in held:
            continue
        times = np.asarray(held["example/times"]) if "example/times" in held else None
        points = np.asarray(held["example/points"]) if "example/points" in held else None
        prediction, reference = (
            _first_channel(np.asarray(held[f"example/{name}"]), times is not None)
            for name in ("prediction", "reference")
        )
        if reference.ndim >= 2 and reference.size:
            return prediction, reference, times, points
    return None


def _first_channel(fields: Field, timed: bool) -> Field:
    """(B, frames, C, *S) or, for steady problems, (B, C, *S) -> (frames, *S)."""
    return fields[0, :, 0] if timed else fields[0, :1]


def _described(
    own: Field, times: Field | None, points: Field | None, scale: float
) -> dict[str, Any]:
    frames = [float(times[0]), float(times[-1])] if times is not None else []
    kind = "line" if own.ndim == 2 and points is None else "image"
    slice_of = "central slice of a field in three dimensions" if own.ndim == 4 else ""
    return {"kind": kind, "scale": scale, "frames": frames[: len(own)], "remark": slice_of}


def _compared(
    prediction: Field, reference: Field, scale: float, points: Field | None
) -> dict[str, Any]:
    difference = prediction - reference
    factor = _factor(difference, scale)
    return {
        "prediction": [_drawn(frame, scale, points) for frame in prediction],
        "difference": [_drawn(frame * factor, scale, points) for frame in difference],
        "factor": factor,
    }


def _factor(difference: Field, scale: float) -> float:
    """Return the power of ten that lifts the largest difference into the upper decade of the scale;
    1 at least.
    """
    largest = float(np.nanmax(np.abs(difference), initial=0.0))
    if not math.isfinite(largest) or largest <= 0:
        return 1.0
    return float(10.0 ** max(math.floor(math.log10(scale / largest)), 0))


def _drawn(field: Field, scale: float, points: Field | None) -> str | list[float | None]:
    """Return a picture of one frame (*S), or the values of a line."""
    if points is not None and field.ndim == 1 and points.ndim == 2 and len(points) == len(field):
        return image(rastered(field, points), scale)
    if field.ndim == 1:
        return rounded(
            field[np.linspace(0, len(field) - 1, min(len(field), _POINTS)).round().astype(int)]
        )
    while field.ndim > 2:
        field = field[..., field.shape[-1] // 2]
    return image(_smaller(field), scale)


def _smaller(field: Field) -> Field:
    """Average blocks of points so that no edge is longer than a picture's."""
    for axis in range(2):
        block = math.ceil(field.shape[axis] / _EDGE)
        if block > 1:
            starts = np.arange(0, field.shape[axis], block)
            sizes = np.diff([*starts, field.shape[axis]])
            total = np.add.reduceat(field, starts, axis=axis)
            field = total / (sizes[:, None] if axis == 0 else sizes)
    return field


def rastered(field: Field, points: Field) -> Field:
    """Return the field (N,) at ``points`` (N, d >= 2) as a picture: the nearest point's value, NaN
    far from all points.

    Far is more than twice the spacing of as many points on a square lattice.
    """
    from scipy.spatial import KDTree

    plane = points[:, :2]
    low, high = plane.min(0), plane.max(0)
    size = (high - low).max() or 1.0
    pixels = np.maximum(np.ceil((high - low) / size * _EDGE).astype(int), 1)
    axes = [
        low[k] + (np.arange(pixels[k]) + 0.5) / pixels[k] * (high[k] - low[k]) for k in range(2)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    spacing = math.sqrt(max(float(np.prod(high - low)), 1e-30) / len(points))
    distance, nearest = KDTree(plane).query(grid)
    return np.where(distance <= 2 * spacing, field[nearest], np.nan)
