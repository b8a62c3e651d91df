"""What a solver answers, block by block of consecutive frames, and whether it is an answer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from pdebench.errors import Diverged, SolverError
from pdebench.harness.guard import sealed
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Solver

BLOCK_BYTES = 64 << 20  # of a trajectory that are held at once, of answer and reference each
Block = tuple[Solution, Tensor]  # frames of the answer and of the reference


def block_frames(part: Samples, problem: Problem, limit: int = BLOCK_BYTES) -> int:
    """Return how many frames of the answer to ``part`` fit into ``limit`` bytes, at least one."""
    if problem.times is None:
        return 1
    frame = part.frames(slice(0, 1)).nbytes
    return max(1, min(len(problem.times), limit // max(frame, 1)))


def frames_of(part: Samples, problem: Problem) -> Callable[[slice], Tensor]:
    """Return what reads frames of the reference of ``part``; all of it where that is steady."""
    return lambda frames: part.target if problem.times is None else part.frames(frames)


def drain(solver: Solver, problem: Problem, block: int) -> None:
    """Have a problem answered and keep nothing: what the clock times."""
    for _ in solver.stream(problem, block):
        pass


def answered(
    solver: Solver,
    granted: Problem,
    problem: Problem,
    target: Callable[[slice], Tensor],
    block: int,
    seal: tuple[Path, ...],
) -> Iterator[Block]:
    """Yield the checked answer block by block, each with its target; it may be overwritten later.

    Args:
        solver: prepared.
        granted: the problem as the solver may see it.
        problem: the same as it is.
        target: returns frames of the reference; the whole field of a steady problem.
        block: frames that are held at once.
        seal: folders that the solver must not open meanwhile.
    """
    name, total = type(solver).__name__, 1 if problem.times is None else len(problem.times)
    blocks, done, shape = iter(solver.stream(granted, block)), 0, torch.Size()
    while True:
        with sealed(*seal):
            found = next(blocks, None)
        if found is None:
            break
        if done >= total:
            raise SolverError(f"{name}.stream went on after the {total} frames asked for")
        u = getattr(found, "u", None)  # anything may come back: `checked` says what is wrong
        count = u.shape[1] if isinstance(u, Tensor) and u.ndim > 1 else total
        part = slice(done, done + max(1, min(count, total - done)))  # of steady fields the only one
        expected = target(part)
        solution = checked(found, problem.at(part), expected, name)
        shape, done = solution.u.shape, part.stop
        yield solution, expected
    if done < total:
        got, wanted = ((len(problem), count, *shape[2:]) for count in (done, total))
        raise SolverError(f"{name}.solve returned u of shape {got}, expected {wanted}")


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
    if not bool(u.sum().isfinite()) and not bool(u.isfinite().all()):  # a sum may overflow
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
