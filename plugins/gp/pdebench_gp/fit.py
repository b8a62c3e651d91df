"""Adam on all parameters at once, from the published start."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from pdebench_gp.kernel import Parameters, start
from pdebench_gp.objective import Objective, Terms


@final
@dataclass
class State:
    """Everything that is optimised: values at the nodes, two precisions, kernels per axis.

    Axes in front are instances: u (.., *S), log_tau and log_v (..,), kernels (.., Q). ``losses``
    are summed over them.
    """

    u: Tensor
    log_tau: Tensor
    log_v: Tensor
    axes: Sequence[Parameters]
    losses: list[float] = field(default_factory=list)

    @classmethod
    def published(cls, objective: Objective, components: int, freq_scale: float) -> "State":
        """Return the published start: zeros, equal weights, frequencies 0 .. freq_scale."""
        source, front = objective.task.source, objective.task.instances
        axes = [start(components, freq_scale, source, front) for _ in objective.task.points]
        ones = source.new_zeros(front)
        return cls(torch.zeros_like(source), ones, ones.clone(), axes)

    @property
    def leaves(self) -> list[Tensor]:
        """All tensors, in a fixed order."""
        kernels = [t for p in self.axes for t in (p.log_w, p.log_ls, p.freq)]
        return [self.u, self.log_tau, self.log_v, *kernels]

    def terms(self, objective: Objective) -> Terms:
        """Return the objective at this state."""
        return objective.terms(self.u, self.axes, self.log_tau, self.log_v)


@final
class Descent:
    """Adam on all instances at once; instances that are done can be let go.

    beta 0.9 and 0.999, eps 1e-8, full batch, no schedule.
    """

    def __init__(self, objective: Objective, state: State, lr: float = 0.01) -> None:
        self.objective, self.state, self.lr = objective, state, lr
        self._terms: Terms | None = None
        self._optimizer = self._made()

    def _made(self) -> torch.optim.Adam:
        for leaf in self.state.leaves:
            leaf.requires_grad_()
        return torch.optim.Adam(self.state.leaves, lr=self.lr)

    def look(self) -> Terms:
        """Return the terms of the objective at the present state."""
        with torch.enable_grad():
            self._terms = self.state.terms(self.objective)
        self.state.losses.append(float(self._terms.loss.detach().sum()))
        return self._terms

    def step(self) -> None:
        """Take one step from the state that was looked at."""
        terms = self.look() if self._terms is None else self._terms
        self._optimizer.zero_grad(set_to_none=True)
        terms.loss.sum().backward()
        self._optimizer.step()
        self._terms = None

    def keep(self, objective: Objective, rows: Tensor) -> None:
        """Go on with the instances ``rows`` alone, of which ``objective`` is."""
        moments = [self._optimizer.state[leaf] for leaf in self.state.leaves]
        leaves = [leaf.detach()[rows] for leaf in self.state.leaves]
        kernels = [Parameters(*leaves[n : n + 3]) for n in range(3, len(leaves), 3)]
        self.state = State(leaves[0], leaves[1], leaves[2], kernels)
        self.objective, self._terms = objective, None
        self._optimizer = self._made()
        for leaf, old in zip(self.state.leaves, moments, strict=True):
            if old:
                self._optimizer.state[leaf] = {
                    "step": old["step"],
                    "exp_avg": old["exp_avg"][rows],
                    "exp_avg_sq": old["exp_avg_sq"][rows],
                }


def descend(objective: Objective, state: State, lr: float = 0.01) -> Iterator[tuple[State, Terms]]:
    """Yield the state before every step, with its terms, and take a step of Adam after each; never
    ends.
    """
    descent = Descent(objective, state, lr)
    while True:
        yield state, descent.look()
        descent.step()


def run(
    objective: Objective,
    state: State,
    steps: int,
    lr: float = 0.01,
    told: Callable[[int, Terms], None] | None = None,
) -> State:
    """Take ``steps`` steps and return the state after the last one."""
    for step, (_, terms) in enumerate(descend(objective, state, lr)):
        if step == steps:
            state.losses.pop()
            break
        if told is not None:
            told(step, terms)
    for leaf in state.leaves:
        leaf.requires_grad_(False)
    return state
