"""Facts that hold for multigrid operators whatever their weights."""

import math

import pytest
import torch
from pdebench_mgno.network import MgNO
from pdebench_mgno.vcycle import Cycle, Smoother, VCycle
from torch import Tensor, nn

from pdebench.errors import ConfigError

STEPS = ((1, 1), (1, 1), (2, 0))


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("boundary", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("residual", [False, True])
def test_v_cycle_is_linear(boundary, residual: bool) -> None:
    torch.manual_seed(0)
    cycle = Cycle((16, 12), STEPS, boundary, restrict_residual=residual)
    mg = VCycle(3, 2, cycle).double()
    f, g = torch.randn(2, 1, 2, 16, 12, dtype=torch.float64)
    with torch.no_grad():
        assert relative(mg(2 * f - 3 * g), 2 * mg(f) - 3 * mg(g)) < 1e-12


@pytest.mark.parametrize("shape", [(16, 16), (19, 19), (27, 19), (12, 20), (9, 16)])
def test_every_size_is_halved_and_restored(shape: tuple[int, int]) -> None:
    cycle = Cycle(shape, ((1, 0),) * 3)
    assert VCycle(2, 1, cycle)(torch.randn(1, 1, *shape)).shape == (1, 2, *shape)
    for fine, coarse in zip(cycle.shapes, cycle.shapes[1:], strict=False):
        assert coarse == tuple(math.ceil(n / 2) for n in fine)


def test_periodic_cycle_commutes_with_coarse_shifts_only() -> None:
    """Shifts by multiples of the coarsest spacing commute but for the prolongation, whose boundary
    is not periodic: away from the seam the fields agree.
    """
    torch.manual_seed(0)
    mg = VCycle(2, 1, Cycle((64, 64), ((1, 0), (1, 0), (1, 0)), "circular")).double()
    f = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    f[..., 28:36, 28:36] = torch.randn(8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert relative(mg(f.roll(4, 2)), mg(f).roll(4, 2)) < 1e-12
        assert relative(mg(f.roll(1, 2)), mg(f).roll(1, 2)) > 1e-3


def poisson(num: int) -> VCycle:
    """A V-cycle with the weights of textbook multigrid for -lap u = f, u = 0 around the grid.

    num = 2^k - 1 interior points of spacing 1 / (num + 1); coarse points are the odd ones.
    Smoother: damped Jacobi; restriction: full weighting; prolongation: bilinear.
    """
    levels = int(math.log2(num + 1))  # down to a single point
    cycle = Cycle(
        (num, num), ((2, 2),) * levels, "zeros", restrict_residual=True, transfer_padding=0
    )
    mg = VCycle(1, 1, cycle).double()
    stencil = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float64)
    tent = torch.tensor([0.5, 1.0, 0.5], dtype=torch.float64)
    bilinear = torch.outer(tent, tent)

    def fill(conv: nn.Module, values: Tensor) -> None:
        conv.weight.data.copy_(values.view(1, 1, 3, 3))  # type: ignore[union-attr, operator]

    dirac = torch.zeros(3, 3, dtype=torch.float64)
    dirac[1, 1] = 1.0
    for level in range(levels):
        h2 = (2**level / (num + 1)) ** 2
        for smoother in (*mg.before[level], *mg.after[level]):  # type: ignore[misc]
            assert isinstance(smoother, Smoother)
            fill(smoother.apply_s, 0.8 * h2 / 4 * dirac)
            if smoother.apply_a is not None:
                fill(smoother.apply_a, stencil / h2)
        if level + 1 < levels:
            fill(mg.operators[level], stencil / h2)
            fill(mg.restrict_f[level], bilinear / 4)
            fill(mg.restrict_u[level], torch.zeros(3, 3, dtype=torch.float64))
            fill(mg.prolong[level], bilinear)
    return mg


def laplace(u: Tensor, num: int) -> Tensor:
    stencil = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float64)
    return nn.functional.conv2d(u, stencil.view(1, 1, 3, 3) * (num + 1) ** 2, padding=1)


def test_poisson_weights_make_a_convergent_cycle_whatever_the_grid() -> None:
    """Error reduction per cycle stays below 0.2 from 15^2 to 127^2 points (Trottenberg et al. 2001,
    table 2.4 has 0.1 to 0.15 for such cycles); Jacobi alone tends to 1.
    """
    rates = {}
    for num in (15, 31, 63, 127):
        mg = poisson(num)
        torch.manual_seed(1)
        exact = torch.randn(1, 1, num, num, dtype=torch.float64)
        f, u = laplace(exact, num), torch.zeros_like(exact)
        errors = []
        with torch.no_grad():
            for _ in range(8):
                u = u + mg(f - laplace(u, num))
                errors.append(float((u - exact).norm()))
        rates[num] = (errors[-1] / errors[2]) ** (1 / 5)
    assert all(rate < 0.2 for rate in rates.values()), rates
    assert rates[127] < 1.3 * rates[31], rates


def test_network_parameters_as_published() -> None:
    """672 k and 573 k are the authors' counts for the smooth and the rough Darcy problem."""
    steps = ((1, 0),) * 5 + ((2, 0),)
    rough = MgNO(1, 1, (256, 256), 24, 4, steps)
    smooth = MgNO(1, 1, (211, 211), 24, 5, steps)
    assert sum(p.numel() for p in rough.parameters()) == 572_661
    assert sum(p.numel() for p in smooth.parameters()) == 678_093
    flow_steps = ((1, 0),) * 3 + ((2, 0),) * 2
    flow = MgNO(
        1, 1, (64, 64), 32, 5, flow_steps, "circular", pointwise=False, norm="levels", bias=True,
        residual=True,
    )  # fmt: skip
    assert sum(p.numel() for p in flow.parameters()) == 2_885_194


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match="has no 6 levels"):
        MgNO(1, 1, (8, 8), steps=[1] * 6, boundary="circular")
    with pytest.raises(ConfigError, match="activation='gelo', expected one of gelu"):
        MgNO(1, 1, (16, 16), activation="gelo")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one step before"):
        MgNO(1, 1, (16, 16), steps=[[0, 1], [1, 0]])
    with pytest.raises(ConfigError, match=r"expected \(batch, 1, n, n\)"):
        MgNO(1, 1, (16, 16))(torch.zeros(1, 2, 16, 16))
