"""Peak memory of every default metric on fields of about 10^7 values, for `metrics.py`.

One child process a case: everything that is freed there goes back to the system at once, so that
the growth of the resident set over one metric is what that metric took.
"""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import final

import torch
import yaml
from hydra.utils import instantiate
from torch import Tensor

from pdebench import cost
from pdebench.domain import Axis, Domain, Grid
from pdebench.equation import Equation
from pdebench.errors import Unsupported
from pdebench.metric import Metric
from pdebench.problem import Problem, Solution

_CONF = Path(__file__).parents[1] / "conf" / "metric"
_SMALL = 16  # points along an axis of the field that pays for libraries alone


@final
class Fields(Equation):
    """Named fields whose residual is themselves: what a metric adds to an equation's own work."""

    def __init__(self, *names: str) -> None:
        self._names = names

    @property
    def fields(self) -> dict[str, str]:
        """Name and unit."""
        return dict.fromkeys(self._names, "1")

    @property
    def reference(self) -> str:
        """No reference."""
        return "none"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return the field itself."""
        return u


def _channel(side: int) -> Grid:
    return Grid((Axis.torus(side, 6.0), Axis.chebyshev(side + 1), Axis.torus(side, 3.0)))


def _line(side: int) -> Grid:
    return Grid((Axis.interval(side),))


def _ring(side: int) -> Grid:
    return Grid.torus((side,))


def _square(side: int) -> Grid:
    return Grid((Axis.interval(side), Axis.interval(side)))


def _torus(side: int) -> Grid:
    return Grid.torus((side, side))


# name -> (domain of a side, its dimension, names of the fields, frames)
Case = tuple[Callable[[int], Grid], int, tuple[str, ...], int | None]
CASES: dict[str, Case] = {
    "ring": (_ring, 1, ("u",), None),
    "line": (_line, 1, ("u",), None),
    "ring rollout": (_ring, 1, ("u",), 4),
    "torus": (_torus, 2, ("u",), None),
    "square": (_square, 2, ("u",), None),
    "rollout": (_torus, 2, ("vorticity",), 4),
    "flow": (_torus, 2, ("u", "v"), 1),
    "channel": (_channel, 3, ("u", "v", "w"), 2),
}


def default_metrics() -> list[Metric]:
    """Return every configured metric but those kept as others published them."""
    built = [instantiate(yaml.safe_load(f.read_text("utf-8"))) for f in sorted(_CONF.glob("*"))]
    ours = {m.name: m for m in built if not m.name.startswith("pdebench.published.")}
    return list(ours.values())  # two files may ask for the same one


def temporaries(points: int) -> dict[str, dict[str, float]]:
    """Return metric -> case -> peak memory in float32 fields of the case's size."""
    context = multiprocessing.get_context("spawn")
    before = os.environ.get("MALLOC_MMAP_THRESHOLD_")
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "4194304"  # B; larger blocks are unmapped: mallopt(3)
    found: dict[str, dict[str, float]] = {}
    try:
        for name in CASES:
            with context.Pool(1) as pool:
                for short, fields in pool.apply(_measured, (name, points)).items():
                    found.setdefault(short, {})[name] = fields
    finally:
        del os.environ["MALLOC_MMAP_THRESHOLD_"]
        if before is not None:
            os.environ["MALLOC_MMAP_THRESHOLD_"] = before
    return found


def _measured(name: str, points: int) -> dict[str, float]:
    """Return the peak of every metric that applies to one case; runs in the child."""
    torch.set_num_threads(1)
    domain, dim, fields, frames = CASES[name]
    per_point = len(fields) * (frames or 1)
    side = round((points / per_point) ** (1 / dim))
    target, solution = _answer(domain(side), fields, frames)
    little, few = _answer(domain(_SMALL), fields, frames)
    found: dict[str, float] = {}
    for metric in default_metrics():
        try:
            metric(few, little, _problem(domain(_SMALL), little, fields, frames))
        except Unsupported:
            continue
        problem = _problem(domain(side), target, fields, frames)
        with cost.peak_memory(torch.device("cpu")) as peak:
            metric(solution, target, problem)
        if peak.bytes is None:
            raise RuntimeError("this system does not tell the peak memory of a process")
        found[metric.short] = peak.bytes / (target.numel() * target.itemsize)
    return found


def _answer(domain: Domain, fields: tuple[str, ...], frames: int | None) -> tuple[Tensor, Solution]:
    lead = (1, len(fields)) if frames is None else (1, frames, len(fields))
    generator = torch.Generator().manual_seed(0)
    target = torch.randn((*lead, *domain.shape), generator=generator)
    return target, Solution(target + 0.1, spread=torch.full_like(target, 0.1))


def _problem(
    domain: Domain, target: Tensor, fields: tuple[str, ...], frames: int | None
) -> Problem:
    times = None if frames is None else torch.arange(1.0, frames + 1)
    first = target if frames is None else target[:, 0]
    return Problem(Fields(*fields), domain, {"state": first}, times)
