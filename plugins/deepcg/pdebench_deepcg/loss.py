"""The training loss: no solutions are needed."""

from collections.abc import Callable

from torch import Tensor


def residual_after_step(d: Tensor, y: Tensor, matvec: Callable[[Tensor], Tensor]) -> Tensor:
    """Return  |y - alpha A d|^2,  alpha = (d . y) / (d . A d),  (B,): what is left of residual y.

    The step length that minimises the error in the A-norm along d. Kaneda et al., ICML 2023 (arXiv
    2205.10763), eq. 9. d, y: (B, N).
    """
    product = matvec(d)
    alpha = (d * y).sum(-1, keepdim=True) / (d * product).sum(-1, keepdim=True)
    return (y - alpha * product).square().sum(-1)
