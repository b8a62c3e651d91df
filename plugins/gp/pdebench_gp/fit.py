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
    """Everything that is optimised: values at the nodes, two precisions, kernels per axis."""

    u: Tensor
    log_tau: Tensor
    log_v: Tensor
    axes: Sequence[Parameters]
    losses: list[float] = field(default_factory=list)

    @classmethod
    def published(cls, objective: Objective, components: int, freq_scale: float) -> "State":
        """Return the published start: zeros, equal weights, frequencies 0 .. freq_scale."""
        source = objective.task.source
        axes = [start(components, freq_scale, source) for _ in objective.task.points]
        return cls(torch.zeros_like(source), source.new_zeros(()), source.new_zeros(()), axes)

    @property
    def leaves(self) -> list[Tensor]:
        """All tensors, in a fixed order."""
        kernels = [t for p in self.axes for t in (p.log_w, p.log_ls, p.freq)]
        return [self.u, self.log_tau, self.log_v, *kernels]

    def terms(self, objective: Objective) -> Terms:
        """Return the objective at this state."""
        return objective.terms(self.u, self.axes, self.log_tau, self.log_v)


def descend(objective: Objective, state: State, lr: float = 0.01) -> Iterator[tuple[State, Terms]]:
    """Yield the state before every step, with its terms, and take a step of Adam after each.

    beta 0.9 and 0.999, eps 1e-8, full batch, no schedule; never ends.
    """
    leaves = state.leaves
    for leaf in leaves:
        leaf.requires_grad_()
    optimizer = torch.optim.Adam(leaves, lr=lr)
    while True:
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            terms = state.terms(objective)
        state.losses.append(float(terms.loss.detach()))
        yield state, terms
        terms.loss.backward()
        optimizer.step()


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
