"""Whether what a solver returned is an answer."""

import torch
from torch import Tensor

from pdebench.errors import Diverged, SolverError
from pdebench.problem import Problem, Solution


def checked(solution: Solution, problem: Problem, target: Tensor, name: str) -> Solution:
    """Return the solution on the target's device, or raise SolverError saying what is wrong with
    it.
    """
    if not isinstance(solution, Solution):
        raise SolverError(
            f"{name}.solve returned {type(solution).__name__}, expected pdebench.Solution"
        )
    u = solution.u
    expected = (len(problem), *target.shape[1:])
    if tuple(u.shape) != expected:
        raise SolverError(f"{name}.solve returned u of shape {tuple(u.shape)}, expected {expected}")
    if not u.is_floating_point():
        raise SolverError(
            f"{name}.solve returned u of dtype {u.dtype}, expected a real floating dtype"
        )
    reference = next(iter(problem.inputs.values()))
    if u.device != reference.device:
        raise SolverError(
            f"{name}.solve returned u on {u.device}, expected {reference.device}, where the "
            "problem is"
        )
    spread = solution.spread
    if spread is not None and spread.shape != u.shape:
        raise SolverError(
            f"{name}.solve returned spread of shape {tuple(spread.shape)}, expected {expected}"
        )
    if not bool(torch.isfinite(u).all()):
        raise Diverged(_first_bad(u, problem, name))
    return Solution(
        u.to(target.device),
        None if spread is None else spread.to(target.device),
        solution.iterations,
        solution.counts,
    )


def _first_bad(u: Tensor, problem: Problem, name: str) -> str:
    bad = ~torch.isfinite(u)
    count = int(bad.flatten(1).any(1).sum())
    if problem.times is None:
        return f"{name} returned NaN or infinity in {count} of {len(u)} samples"
    frames = bad.flatten(2).any(2).any(0)
    first = int(frames.int().argmax())
    time = float(problem.times[first])
    return f"{name} returned NaN or infinity in {count} of {len(u)} samples, first at t={time:g}"
