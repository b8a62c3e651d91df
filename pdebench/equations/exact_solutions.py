"""High-frequency problems with exact solutions, and their sources by differentiating them.

Fang et al., ICLR 2024 (arXiv 2311.04465), sec. 6, as in the released program.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pdebench.errors import ConfigError

Field = Callable[..., Tensor]


def _mixed(s: Tensor) -> Tensor:
    return torch.sin(s) + 0.1 * torch.sin(20 * s) + torch.cos(100 * s)


@final
@dataclass(frozen=True)
class Published:
    """One problem.

    Attributes:
        equation: residual that it solves.
        solution: exact u of one or two coordinates (and ``beta`` for advection).
        length: the interval is [0, length] along every axis.
        points: nodes per axis.
        beta: speed of advection.
    """

    equation: str
    solution: Field
    length: float
    points: int
    beta: float = 1.0


_TURN = 2 * torch.pi
PROBLEMS: dict[str, Published] = {
    "poisson_1d-single_sin": Published("poisson", lambda x: torch.sin(100 * x), _TURN, 400),
    "poisson_1d-sin_cos": Published(
        "poisson", lambda x: torch.sin(6 * x) * torch.cos(100 * x), _TURN, 400
    ),
    "poisson_1d-x_time_sinx": Published("poisson", lambda x: x * torch.sin(200 * x), _TURN, 900),
    "poisson_1d-mix_sin": Published(
        "poisson",
        lambda x: torch.sin(x) + 0.1 * torch.sin(20 * x) + 0.05 * torch.sin(100 * x),
        1.0,
        900,
    ),
    "poisson_1d-x2_add_sinx": Published(
        "poisson", lambda x: torch.sin(500 * x) - 2 * (x - 0.5) ** 2, 1.0, 400
    ),
    "allencahn_1d-single_sin": Published("allencahn", lambda x: torch.sin(100 * x), _TURN, 400),
    "allencahn_1d-sin_cos": Published(
        "allencahn", lambda x: torch.sin(6 * x) * torch.cos(100 * x), _TURN, 400
    ),
    "poisson_2d-sin_sin": Published(
        "poisson", lambda x, y: torch.sin(100 * x) * torch.sin(100 * y), _TURN, 400
    ),
    "poisson_2d-sin_cos": Published(
        "poisson", lambda x, y: torch.sin(100 * x) * torch.cos(100 * y), _TURN, 400
    ),
    "poisson_2d-sin_add_cos": Published(
        "poisson",
        lambda x, y: torch.sin(6 * x) * torch.cos(20 * x) + torch.sin(6 * y) * torch.cos(20 * y),
        _TURN,
        200,
    ),
    "allencahn_2d-mix-sincos": Published("allencahn", lambda x, y: _mixed(x) * _mixed(y), 1.0, 400),
    "advection-sin": Published(
        "advection", lambda x, t, beta=200.0: torch.sin(x - beta * t), 1.0, 200, 200.0
    ),
}


# Easy frequencies for tests, not of the paper.
EASY: dict[str, Published] = {
    "poisson_1d-sin_10": Published("poisson", lambda x: torch.sin(10 * x), _TURN, 48),
    "allencahn_1d-sin_8": Published("allencahn", lambda x: torch.sin(8 * x), _TURN, 40),
    "poisson_2d-sin_4": Published(
        "poisson", lambda x, y: torch.sin(4 * x) * torch.sin(3 * y), _TURN, 24
    ),
    "allencahn_2d-sin_4": Published(
        "allencahn", lambda x, y: torch.sin(4 * x) * torch.sin(3 * y), _TURN, 24
    ),
    "advection-sin_2": Published(
        "advection", lambda x, t, beta=2.0: torch.sin(2 * (x - beta * t)), _TURN, 24, 2.0
    ),
}


def problem_named(name: str) -> Published:
    """Return a problem, published or easy. Raises ConfigError naming the known ones."""
    known = PROBLEMS | EASY
    if name not in known:
        raise ConfigError(f"problem={name!r}, expected one of {', '.join(known)}")
    return known[name]


def exact(problem: Published, *axes: Tensor, beta: float | None = None) -> tuple[Tensor, Tensor]:
    """Return (u, f) on the tensor grid of ``axes``; f is the operator applied to u (float64)."""
    speed = problem.beta if beta is None else beta
    mesh = [m.double().requires_grad_() for m in torch.meshgrid(*axes, indexing="ij")]
    moving = problem.equation == "advection"
    u = problem.solution(*mesh, beta=speed) if moving else problem.solution(*mesh)
    first = torch.autograd.grad(u.sum(), mesh, create_graph=True)
    if moving:
        source = speed * first[0] + first[1]
    else:
        parts = [
            torch.autograd.grad(slope.sum(), x, retain_graph=True)[0]
            for slope, x in zip(first, mesh, strict=True)
        ]
        source = torch.stack(parts).sum(0)
        if problem.equation == "allencahn":
            source = source + u * (u.square() - 1)
    return u.detach(), source.detach()


def stretched(problem: Published, factor: float) -> Published:
    """Return the problem of u(factor x): every frequency times ``factor``."""
    solution = problem.solution

    def scaled(*x: Tensor, **speed: float) -> Tensor:
        return solution(*(factor * axis for axis in x), **speed)

    return replace(problem, solution=scaled)
