"""Whether what a solver learns from or is chosen on is also what it is scored on.

Two samples are the same if every input and parameter has the same bytes, or if half of the asked
frames of one are frames of the other: windows of one trajectory. They are nearly the same if

    |a - b| < 1e-3 (2 mean |x - <x>|^2)^{1/2},    x over the training inputs

that is a thousandth of the distance between two independent ones, with |.| over evenly spaced
entries of inputs and parameters. Samples of different shape are never near.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.domain import Grid
from pdebench.samples import Samples
from pdebench.task import Task

NEAR = 1e-3  # of the distance between independent samples
_ENTRIES = 4096  # of a sample's inputs that its distance is taken over
_CHUNK = 64  # samples read at once
_ROWS = 256  # samples whose distances to all others are held at once

Array = np.ndarray[Any, np.dtype[np.float64]]


@final
@dataclass
class _Prints:
    """What is remembered of a split: digests of inputs and frames, and entries by shape."""

    inputs: list[bytes] = field(default_factory=list)
    frames: list[list[bytes]] = field(default_factory=list)
    entries: dict[tuple[int, ...], list[Array]] = field(default_factory=dict)
    positions: dict[tuple[int, ...], list[int]] = field(default_factory=dict)


def overlaps(task: Task, folder: Path | None = None, digest: str = "") -> list[str]:
    """Return one sentence for every two splits of a task that share samples.

    Looked at: train and valid against the scored splits, and train against valid.

    Args:
        task: its data are prepared.
        folder: of the data set, where the finding is kept for the next run; None to keep nothing.
        digest: of the data.
    """
    asked = [repr(type(task.question).__name__), sorted(vars(task.question).items())]
    key = hashlib.sha256(json.dumps([digest, asked, task.evaluate], default=str).encode())
    file = None if folder is None else folder / f".overlap-{key.hexdigest()[:16]}.json"
    if file is not None and file.exists():
        try:
            return [str(said) for said in json.loads(file.read_text(encoding="utf-8"))]
        except (OSError, ValueError):
            pass  # damaged: looked at again
    found = _compared({name: _prints(task.samples(name)) for name in _names(task)}, task)
    if file is not None:
        write_atomically(file, json.dumps(found).encode())
    return found


def _names(task: Task) -> list[str]:
    return list(dict.fromkeys(("train", "valid", *task.evaluate)))


def _compared(prints: Mapping[str, _Prints], task: Task) -> list[str]:
    pairs = [("train", "valid")]
    pairs += [(a, b) for a in ("train", "valid") for b in task.evaluate if a != b]
    found = []
    for own, other in dict.fromkeys(pairs):
        for said in (_exact(prints[own], prints[other]), _near(prints[own], prints[other])):
            if said:
                found.append(f"split '{other}' shares samples with '{own}': {said}")
                break  # what is the same is near, too
    if "valid" in task.evaluate or "train" in task.evaluate:
        found.append("a scored split is one that solvers are given: score another")
    return found


def _digest(x: Tensor) -> bytes:
    return hashlib.blake2b(x.contiguous().numpy().tobytes(), digest_size=16).digest()


def _prints(samples: Samples) -> _Prints:
    found = _Prints()
    for parts, target in _pieces(samples):  # (T, C, *S) or one frame (1, C, *S)
        position = len(found.inputs)
        found.inputs.append(hashlib.blake2b(b"".join(map(_digest, parts))).digest())
        found.frames.append([_digest(f) for f in target if float(f.max()) > float(f.min())])
        flat = torch.cat([part.reshape(-1).double() for part in parts]).numpy()
        step = max(1, len(flat) // _ENTRIES)
        shape = tuple(size for part in parts for size in part.shape)
        found.entries.setdefault(shape, []).append(flat[::step])
        found.positions.setdefault(shape, []).append(position)
    return found


def _pieces(samples: Samples) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Yield what a sample is told by (inputs, parameters, points of a cloud or mesh) and its
    target.
    """
    for part in samples.chunks(_CHUNK):
        problem, target = part.problem, part.target
        cloud = [] if isinstance(problem.domain, Grid) else [problem.domain.points.cpu()]
        named = [*sorted(problem.inputs.items()), *sorted(problem.parameters.items())]
        for k in range(len(problem)):
            frames = target[k : k + 1] if problem.times is None else target[k]
            yield [*(value[k].cpu() for _, value in named), *cloud], frames.cpu()


def _exact(own: _Prints, other: _Prints) -> str | None:
    inputs = {digest: k for k, digest in enumerate(own.inputs)}
    frames = {digest: k for k, of in enumerate(own.frames) for digest in of}
    same: list[tuple[int, int]] = []
    for k, (digest, asked) in enumerate(zip(other.inputs, other.frames, strict=True)):
        shared = [frames[f] for f in asked if f in frames]
        if digest in inputs:
            same.append((inputs[digest], k))
        elif asked and 2 * len(shared) >= len(asked):
            same.append((shared[0], k))
    if not same:
        return None
    one, its = same[0]
    return f"{len(same)} of {len(other.inputs)} are the same (such as {its} and {one})"


def _near(own: _Prints, other: _Prints) -> str | None:
    count, closest = 0, (np.inf, 0, 0)
    for shape, found in other.entries.items():
        if shape not in own.entries:
            continue
        a, b = np.stack(own.entries[shape]), np.stack(found)
        centre = a.mean(0)
        a, b = a - centre, b - centre
        typical = np.sqrt(2 * (a * a).sum(1).mean())
        if typical == 0:
            continue
        for start in range(0, len(b), _ROWS):
            rows = b[start : start + _ROWS]
            squares = (rows * rows).sum(1)[:, None] + (a * a).sum(1) - 2 * rows @ a.T
            nearest = squares.argmin(1)
            apart = np.linalg.norm(rows - a[nearest], axis=1) / typical  # without cancellation
            count += int((apart < NEAR).sum())
            k = int(apart.argmin())
            pair = (own.positions[shape][int(nearest[k])], other.positions[shape][start + k])
            closest = min(closest, (float(apart[k]), *pair))
    if not count:
        return None
    apart, one, its = closest
    return (
        f"{count} of {len(other.inputs)} are within {NEAR:g} of the usual distance (closest: {its} "
        f"and {one}, {apart:.1e})"
    )
