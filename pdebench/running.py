"""Scores of an answer that comes in blocks of consecutive frames and is never held whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import final

from torch import Tensor

from pdebench.errors import Unsupported
from pdebench.metric import Metric, State
from pdebench.problem import Problem, Solution


@final
class Running:
    """Scores while the frames come.

    After ``add(block, target)`` for all blocks of the frames at ``problem.times``, ``scores()`` is
    what every metric gives on the whole answer, up to round-off. What is held does not grow with
    the horizon but for a few numbers a frame; metrics without a fold need the whole trajectory, and
    only where one of them is asked for are the frames kept.

    Args:
        metrics: what is scored.
        problem: the whole question.
    """

    def __init__(self, metrics: Sequence[Metric], problem: Problem) -> None:
        self._metrics, self._problem = {m.short: m for m in metrics}, problem
        self._states: dict[str, State] = {}
        self._refused: dict[str, str] = {}
        self._whole: _Whole | None = None
        self._frames = 0

    @property
    def frames(self) -> int:
        """How many frames there have been."""
        return self._frames

    @property
    def refused(self) -> dict[str, str]:
        """Why metrics do not apply, by their names."""
        return dict(self._refused)

    def _refuse(self, name: str, reason: str) -> None:
        """Score a metric no further."""
        self._refused[name] = reason
        self._states.pop(name, None)

    def add(self, block: Solution, target: Tensor) -> None:
        """Take the next frames: an answer (B, t, C, *S) to t of the times, and its target."""
        steady = self._problem.times is None
        count = 1 if steady else target.shape[1]
        asked = self._problem.at(slice(self._frames, self._frames + count))
        self._frames += count
        whole = False
        for name, metric in self._metrics.items():
            if name in self._refused:
                continue
            try:
                reason = metric.not_applicable(block, asked)
                if reason:
                    raise Unsupported(reason)
                if metric.fold is None:
                    whole = True
                    continue
                state = metric.part(block, target, asked)
            except Unsupported as error:
                self._refuse(name, str(error))
                continue
            before = self._states.get(name)
            self._states[name] = state if before is None else metric.fold.join(before, state)
        if whole:
            self._whole = self._whole or _Whole(self._problem)
            self._whole.add(block, target)
        else:
            self._whole = None

    def scores(self) -> dict[str, Tensor]:
        """Return the scores (B,) or (B, T) of every metric that applies, by name."""
        found = {}
        for name, metric in self._metrics.items():
            if name in self._refused:
                continue
            try:
                if metric.fold is not None:
                    found[name] = metric.fold.finish(self._states[name], self._problem)
                elif self._whole is not None:
                    found[name] = metric.score(*self._whole.found(), self._problem)
            except Unsupported as error:
                self._refuse(name, str(error))
        return found


@final
class _Whole:
    """The trajectory itself, for metrics that need it at once."""

    def __init__(self, problem: Problem) -> None:
        self._steps = 1 if problem.times is None else len(problem.times)
        self._steady = problem.times is None
        self._block: Solution | None = None
        self._fields: dict[str, Tensor] = {}
        self._done = 0

    def add(self, block: Solution, target: Tensor) -> None:
        fields = {"u": block.u, "target": target}
        if block.spread is not None:
            fields["spread"] = block.spread
        count = 1 if self._steady else target.shape[1]
        if count == self._steps:
            self._fields = fields
        else:
            for name, part in fields.items():
                if name not in self._fields:
                    shape = (len(part), self._steps, *part.shape[2:])
                    self._fields[name] = part.new_empty(shape)
                self._fields[name][:, self._done : self._done + count] = part
        self._block, self._done = block, self._done + count

    def found(self) -> tuple[Solution, Tensor]:
        assert self._block is not None
        u, spread = self._fields["u"], self._fields.get("spread")
        return replace(self._block, u=u, spread=spread), self._fields["target"]


def scored(
    metrics: Sequence[Metric], blocks: Iterable[tuple[Solution, Tensor]], problem: Problem
) -> dict[str, Tensor]:
    """Return the scores of an answer that comes block by block, by the metrics' names.

    Args:
        metrics: what is scored.
        blocks: consecutive frames of the answer, each with those of the reference, such as
            ``paired(solver.stream(problem, 32), samples.frames)``.
        problem: the whole question, on the reference's device.

    Raises Unsupported, with the reason, where a metric does not apply.
    """
    running = Running(metrics, problem)
    for block, target in blocks:
        running.add(block, target)
    found = running.scores()
    for reason in running.refused.values():
        raise Unsupported(reason)
    return found


def paired(
    blocks: Iterable[Solution], frames: Callable[[slice], Tensor]
) -> Iterator[tuple[Solution, Tensor]]:
    """Yield blocks of an evolving answer with the frames of the reference at the same times."""
    done = 0
    for block in blocks:
        count = block.u.shape[1]
        yield block, frames(slice(done, done + count))
        done += count
