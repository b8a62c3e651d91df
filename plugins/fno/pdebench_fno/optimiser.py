"""Adam as the first FNO programs had it."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer


@final
class ComplexAdam(Optimizer):
    """Adam whose second moment of a complex weight is one real number.

        m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g conj(g),   w <- w - lr m_hat / (v_hat^{1/2}
        + eps)

    torch's Adam treats real and imaginary part as two real weights, each with a second moment of
    its own. g includes the coupled L2 term ``weight_decay`` w. Li et al. 2021, public program
    `Adam.py`.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every weight once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)
        return loss

    def _update(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient = weight.grad
        if group["weight_decay"]:
            gradient = gradient.add(weight, alpha=group["weight_decay"])
        state = self.state[weight]
        if not state:
            state["step"] = 0
            state["first"] = torch.zeros_like(weight)
            state["second"] = torch.zeros_like(weight.real if weight.is_complex() else weight)
        state["step"] += 1
        b1, b2 = group["betas"]
        square = (gradient * gradient.conj()).real if gradient.is_complex() else gradient * gradient
        state["first"].mul_(b1).add_(gradient, alpha=1 - b1)
        state["second"].mul_(b2).add_(square, alpha=1 - b2)
        size = state["second"].sqrt().div_((1 - b2 ** state["step"]) ** 0.5).add_(group["eps"])
        weight.sub_(state["first"] / size, alpha=group["lr"] / (1 - b1 ** state["step"]))
