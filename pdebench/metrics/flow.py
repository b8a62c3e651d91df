"""What a flow must conserve: divergence, energy and enstrophy."""

import math

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metric import EACH, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.channels import velocity, vorticity
from pdebench.metrics.derivatives import derivative, lines, mean_square_gradient
from pdebench.metrics.fields import paired, ratio
from pdebench.metrics.shells import Modes, mode_sum, torus
from pdebench.problem import Problem, Solution
from pdebench.task import frame_axis

Terms = list[list[tuple[int, int, int]]]


@metric("pdebench.divergence@1", needs=("grid",), fold=EACH)
def divergence(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Divergence of the predicted velocity by the size of its gradient, (B, T).

        ( <(div p)^2> / sum_j <|grad p_j|^2> )^{1/2}

    0 for an incompressible field, 1 for a gradient on the torus, at most d^{1/2}. Derivatives as in
    `derivatives.derivative`: the target's own value is not 0 where the solver used others. Raises
    Unsupported in one dimension, where it is 1 for every flow, and where no velocity is found
    (`channels.velocity`).
    """
    if problem.domain.dim == 1:
        raise Unsupported("the divergence of a flow in one dimension is its whole gradient")
    flow = velocity(frame_axis(solution.u, problem), problem)
    gradients = mean_square_gradient(problem.domain, flow).sum(2)
    return ratio(_combined(flow, problem.domain, _divergence(flow.shape[2])), gradients).sqrt()


def _combined(flow: Tensor, domain: Domain, terms: Terms) -> Tensor:
    """Return sum_k <(sum of the terms of component k)^2> over space, (B, T).

    A term (sign, i, j) is sign d u_i / d x_j.
    """
    if not isinstance(domain, Grid):
        raise Unsupported("derivatives of a flow need a tensor grid")
    all_frames = flow.flatten(0, 1)
    total = torch.zeros(len(all_frames), dtype=torch.float64, device=flow.device)
    step = max(1, q.BLOCK // max(math.prod(domain.shape), 1))
    for start in range(0, len(total), step):
        part = all_frames[start : start + step]
        for component in terms:
            joined = torch.zeros_like(part[:, 0], dtype=torch.float64)
            for sign, i, j in component:
                for index in lines(domain, j, joined):
                    values = part[:, i][index].to(torch.float64)
                    joined[index].add_(
                        derivative(values, domain.axes[j], j - domain.dim), alpha=sign
                    )
            square = q.weighted_mean(domain, q.square, joined[:, None, None])
            total[start : start + step] += square[:, 0, 0]
    return total.reshape(flow.shape[:2])


def _divergence(dim: int) -> Terms:
    return [[(1, j, j) for j in range(dim)]]


def _curl(dim: int) -> Terms:
    pairs = [(0, 1)] if dim == 2 else [(1, 2), (2, 0), (0, 1)]
    return [[(1, b, a), (-1, a, b)] for a, b in pairs]


def _inverse_laplacian(modes: Modes) -> Tensor:
    """Return 1 / |q|^2, 0 for the mean."""
    inverse = (modes.radius * modes.spacing).pow_(-2)
    return inverse.masked_fill_(inverse.isinf(), 0.0)


def kinetic_energy(field: Tensor, problem: Problem) -> Tensor:
    """Return the mean kinetic energy of each frame, (B, T).

    1/2 sum_j <u_j^2>,    from a vorticity on the 2D torus 1/2 sum_{q != 0} |w_hat|^2 / |q|^2
    """
    rotation = vorticity(field, problem)
    if rotation is not None and rotation.shape[2] == 1 and problem.domain.dim == 2:
        return mode_sum(torus(problem.domain), _inverse_laplacian, rotation).sum(2) / 2
    flow = velocity(field, problem)
    return q.weighted_mean(problem.domain, q.square, flow).sum(2) / 2


def enstrophy(field: Tensor, problem: Problem) -> Tensor:
    """Return the mean enstrophy of each frame, 1/2 <|w|^2>, (B, T), w the vorticity or curl u."""
    rotation = vorticity(field, problem)
    if rotation is not None:
        return q.weighted_mean(problem.domain, q.square, rotation).sum(2) / 2
    if problem.domain.dim not in (2, 3):
        raise Unsupported(f"no enstrophy in {problem.domain.dim} dimension(s)")
    terms = _curl(problem.domain.dim)
    return _combined(velocity(field, problem), problem.domain, terms) / 2


def _drift(got: Tensor, expected: Tensor) -> Tensor:
    apart = got - expected
    return ratio(apart, expected)


@metric("pdebench.energy_drift@1", better="zero", needs=("target", "times"), fold=EACH)
def energy_drift(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative deviation of the kinetic energy from the target's at the same time, (B, T), signed.

        (K_p(t) - K_y(t)) / K_y(t),    K as in `kinetic_energy`

    Against the target rather than the initial value, so that forced and decaying flows count, too.
    """
    prediction, reference = paired(solution, target, problem)
    return _drift(kinetic_energy(prediction, problem), kinetic_energy(reference, problem))


@metric("pdebench.enstrophy_drift@1", better="zero", needs=("target", "times"), fold=EACH)
def enstrophy_drift(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative deviation of the enstrophy from the target's at the same time, (B, T), signed.

    (Z_p(t) - Z_y(t)) / Z_y(t),    Z as in `enstrophy`
    """
    prediction, reference = paired(solution, target, problem)
    return _drift(enstrophy(prediction, problem), enstrophy(reference, problem))
