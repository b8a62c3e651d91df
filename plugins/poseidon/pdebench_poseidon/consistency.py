"""What a solution operator must satisfy whatever the equation: identity and semigroup."""

import torch
from torch import Tensor, nn

from pdebench_poseidon.lead_time import apply_at


def identity_error(network: nn.Module, u: Tensor) -> Tensor:
    """Return ||S(u, 0) - u|| / ||u|| of every sample.

    network: answers (B, C, n, n) at lead times (B,), scaled or not; u: (B, C, n, n).  Returns (B,).
    Zero for the solution operator; all2all training sees it as the pairs i = j.
    """
    return _relative(apply_at(network, u, u.new_zeros(len(u))), u)


def semigroup_error(network: nn.Module, u: Tensor, first: float, second: float) -> Tensor:
    """Return ||S(u, t_1 + t_2) - S(S(u, t_1), t_2)|| / ||S(u, t_1 + t_2)|| of every sample.

    first, second: t_1, t_2 in the unit of lead times; other arguments as in `identity_error`. Zero
    for the solution operator of an autonomous equation.
    """
    direct = apply_at(network, u, u.new_full((len(u),), first + second))
    halfway = apply_at(network, u, u.new_full((len(u),), first))
    return _relative(apply_at(network, halfway, u.new_full((len(u),), second)), direct)


def _relative(got: Tensor, expected: Tensor) -> Tensor:
    difference = torch.linalg.vector_norm((got - expected).flatten(1), dim=1)
    return difference / torch.linalg.vector_norm(expected.flatten(1), dim=1)
