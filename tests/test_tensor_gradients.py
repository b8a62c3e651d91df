"""Gradients of the flow's tensors, written out by hand, against differences."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from pdebench.equations import tensors
from pdebench.equations.imbalance import imbalance
from pdebench.spectral import Modes


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize(("dim", "n"), [(2, 4), (2, 5), (3, 3)])
def test_gradients_are_those_of_differences(dim: int, n: int, pruned: bool) -> None:
    torch.manual_seed(0)
    modes = Modes.of((n,) * dim, (2 * math.pi,) * dim)
    modes = modes.pruned if pruned else modes
    u = torch.randn(2, dim, *modes.shape, dtype=torch.float64, requires_grad=True)
    s = torch.randn(1, len(tensors.pairs(dim)), *modes.shape, dtype=torch.float64)
    s.requires_grad_()

    def divergence(s: torch.Tensor) -> torch.Tensor:
        tau_hat = modes.forward(s)
        return modes.inverse(tensors.stress_divergence(tau_hat, modes, modes.kept_slopes))

    assert gradcheck(lambda u: modes.inverse(modes.forward(u)), u)
    assert gradcheck(lambda u: tensors.strain(modes.forward(u), modes), u)
    assert gradcheck(lambda u: tensors.products(u, modes), u)
    assert gradcheck(lambda s: tensors.sized(s, modes, -0.3), s)
    assert gradcheck(divergence, s)


def test_the_sized_strain_has_no_gradient_at_rest() -> None:
    modes = Modes.of((4, 4), (1.0, 1.0))
    s = torch.zeros(1, 3, 4, 4, requires_grad=True)
    tensors.sized(s, modes).sum().backward()
    assert s.grad is not None
    assert bool((s.grad == 0).all())


def test_the_sized_strain_does_not_hide_what_is_not_finite() -> None:
    modes = Modes.of((4, 4), (1.0, 1.0))
    s = torch.ones(1, 3, 4, 4)
    s[0, 0, 1, 2] = float("nan")
    s.requires_grad_()
    tensors.sized(s, modes).sum().backward()
    assert s.grad is not None
    assert bool(s.grad[0, :, 1, 2].isnan().all())
    assert int(s.grad.isnan().sum()) == 3


@pytest.mark.parametrize("pruned", [False, True])
def test_the_gradient_of_both_sides_is_that_of_differences(pruned: bool) -> None:
    """Spectra come from fields, so that only spectra of real fields are varied."""
    torch.manual_seed(0)
    modes = Modes.of((5, 4), (2 * math.pi, 3.0))
    cut = modes.pruned if pruned else modes
    u, force, change = torch.randn(3, 1, 2, 5, 4, dtype=torch.float64).requires_grad_().unbind(0)
    nu = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def sides(u: torch.Tensor, force: torch.Tensor, change: torch.Tensor, nu: torch.Tensor):
        u_hat, rate = modes.forward(u), cut.forward(force)
        return imbalance(u_hat, rate, nu * modes.square, change, modes)

    assert gradcheck(sides, (u, force, change, nu))
