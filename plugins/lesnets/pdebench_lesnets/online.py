"""Test-time optimisation: a fitted operator goes on learning from the residual of one instance."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pdebench.errors import ConfigError, Diverged


@final
@dataclass(frozen=True)
class Online:
    """Steps on  loss(u) + anchor |u - u_0|^2 / |u_0|^2,  u_0 what the fitted operator answers.

    Li et al., arXiv 2111.03794, sec. 3.3 (test-time optimisation with the anchor loss). Every
    instance starts from the fitted weights, so that an answer does not depend on its batch. The
    time is the instance's own: it is part of ``solve``.

    Attributes:
        steps: updates per instance.
        optimizer: takes parameters.
        anchor: weight of the distance to u_0; 0 for none.
    """

    steps: int
    optimizer: Callable[..., Optimizer] = Adam
    anchor: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.anchor < 0:
            raise ConfigError(
                f"solver.online.steps={self.steps}, anchor={self.anchor}, expected at least one "
                "step and an anchor of 0 or more"
            )

    def refined(
        self,
        model: nn.Module,
        predict: Callable[[nn.Module], Tensor],
        loss: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Return the answer of least loss among those before, between and after the steps.

        Raises Diverged where the loss is not finite from the start.
        """
        with torch.inference_mode(False), torch.enable_grad():
            own = copy.deepcopy(model).train()
            optimizer = self.optimizer([p for p in own.parameters() if p.requires_grad])
            best: tuple[float, Tensor | None] = (float("inf"), None)
            start: Tensor | None = None
            for step in range(self.steps + 1):
                u = predict(own)
                start = u.detach() if start is None else start
                total = loss(u)
                if self.anchor:
                    total = total + self.anchor * (u - start).square().sum() / start.square().sum()
                if float(total.detach()) < best[0]:
                    best = float(total.detach()), u.detach()
                if step == self.steps or not bool(torch.isfinite(total.detach())):
                    break
                optimizer.zero_grad()
                total.backward()
                optimizer.step()
        if best[1] is None:
            raise Diverged("lesnets: the residual is not finite before the first online step")
        return best[1]
