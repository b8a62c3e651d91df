"""Facts that hold for Fourier neural operators whatever their weights."""

import pytest
import torch
from pdebench_fno.classic import ClassicFNO
from pdebench_fno.network import FNO
from pdebench_fno.spectral_conv import DenseWeight, SpectralConv, TuckerWeight, centred
from pdebench_fno.transform import Band
from torch import Tensor

from pdebench.errors import ConfigError


def smooth(shape: tuple[int, ...], channels: int = 2, highest: int = 2) -> Tensor:
    """A band-limited random field, the same function on every grid: (1, channels, *shape)."""
    generator = torch.Generator().manual_seed(3)
    axes = [torch.arange(n, dtype=torch.float64) / n for n in shape]
    mesh = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    field = torch.zeros(channels, *shape, dtype=torch.float64)
    for _ in range(4):
        wave = torch.randint(-highest, highest + 1, (channels, len(shape)), generator=generator)
        phase = torch.rand(channels, generator=generator, dtype=torch.float64)
        angle = torch.einsum("cd,d...->c...", wave.double(), mesh)
        field += torch.cos(2 * torch.pi * (angle + phase.view(-1, *(1,) * len(shape))))
    return field[None]


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def layer(shape: tuple[int, ...]) -> SpectralConv:
    torch.manual_seed(0)
    bands = (*(centred(5) for _ in shape[:-1]), Band(0, 3))
    return SpectralConv(bands, DenseWeight(2, 3, [b.count for b in bands])).double()


@pytest.mark.parametrize("shape", [(16,), (12, 15), (9, 16), (8, 9, 10)])
def test_layer_equals_the_full_transform(shape: tuple[int, ...]) -> None:
    """Equation 5 with torch's own FFT, on even, odd and unequal axes."""
    conv, x = layer(shape), smooth(shape) + torch.randn(1, 2, *shape, dtype=torch.float64)
    space = tuple(range(2, x.ndim))
    spectrum = torch.fft.rfftn(x, dim=space, norm="forward")
    weight = conv.weight().to(torch.complex128)
    out = torch.zeros(1, 3, *spectrum.shape[2:], dtype=torch.complex128)
    ranges = [range(-b.negative, b.positive) for b in conv.bands]
    for row, k in enumerate(torch.cartesian_prod(*(torch.tensor(list(r)) for r in ranges))):
        place = tuple(int(i) for i in torch.atleast_1d(k))
        flat = weight.flatten(0, -3)[row]
        out[(slice(None), slice(None), *place)] = (
            spectrum[(slice(None), slice(None), *place)] @ flat
        )
    expected = torch.fft.irfftn(out, s=shape, dim=space, norm="forward")
    assert relative(conv(x), expected) < 1e-12  # float64 round-off


@pytest.mark.parametrize("fine", [(24, 30), (16, 33), (64, 48)])
def test_linear_layer_is_exact_at_every_resolution(fine: tuple[int, int]) -> None:
    """Same function in, same function out, however it is sampled."""
    conv = layer((12, 15))
    coarse_out, fine_out = conv(smooth((12, 15))), conv(smooth(fine))
    coarse_modes = torch.fft.rfftn(coarse_out, dim=(2, 3), norm="forward")
    fine_modes = torch.fft.rfftn(fine_out, dim=(2, 3), norm="forward")
    for k in range(-2, 3):
        got, expected = fine_modes[:, :, k, :3], coarse_modes[:, :, k, :3]
        assert float((got - expected).abs().max()) < 1e-13


def test_network_converges_with_resolution() -> None:
    """On finer grids only what GELU aliases changes, and that falls with every refinement."""
    torch.manual_seed(0)
    network = FNO([8, 8], 2, 1, width=8, layers=3, embedding=None).double().eval()
    with torch.no_grad():
        answers = [network(smooth((n, n)))[:, :, :: n // 16, :: n // 16] for n in (16, 32, 64, 128)]
    errors = [relative(a, answers[-1]) for a in answers[:-1]]
    assert errors[0] < 0.05
    assert errors[1] < errors[0] / 4 and errors[2] < errors[1] / 4


@pytest.mark.parametrize("shift", [(3, 0), (5, 7)])
def test_shift_equivariance_without_coordinates(shift: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 16, 20, dtype=torch.float64)
    plain = FNO([8, 8], 2, 1, width=8, embedding=None).double().eval()
    with torch.no_grad():
        moved = plain(x.roll(shift, (2, 3)))
        assert relative(moved, plain(x).roll(shift, (2, 3))) < 1e-12
        aware = FNO([8, 8], 2, 1, width=8).double().eval()
        assert relative(aware(x.roll(shift, (2, 3))), aware(x).roll(shift, (2, 3))) > 1e-4


def test_too_coarse_a_grid_is_refused_with_the_limit() -> None:
    network = FNO([16, 16], 1, 1, width=4)
    with pytest.raises(ConfigError, match=r"axis 0 keeps 16 modes.*its 12 points have 12"):
        network(torch.zeros(1, 1, 12, 32))
    with pytest.raises(ConfigError, match=r"axis 1 keeps 9 modes.*its 12 points have 7"):
        network(torch.zeros(1, 1, 32, 12))
    assert FNO([16, 16], 1, 1, width=4, clip=True)(torch.zeros(1, 1, 12, 12)).shape[-1] == 12


def test_wrong_channels_are_named() -> None:
    with pytest.raises(ConfigError, match=r"expected \(batch, 2, n, n\)"):
        FNO([4, 4], 2, 1)(torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize("shape", [(16, 12), (15, 9)])
def test_output_is_real_and_finite_on_odd_grids(shape: tuple[int, int]) -> None:
    y = ClassicFNO([4, 4], 2, 1, width=6)(smooth(shape).float())
    assert y.shape == (1, 1, *shape) and not y.is_complex() and bool(y.isfinite().all())


def test_gradient_of_complex_weights() -> None:
    """Torch's gradient against central differences in the real and in the imaginary part."""
    conv, x = layer((8, 9)), smooth((8, 9))
    conv.weight.tensor.data = conv.weight.tensor.data.to(torch.complex128)
    loss = conv(x).square().sum()
    (gradient,) = torch.autograd.grad(loss, conv.weight.tensor)
    with torch.no_grad():
        for step, part in ((1e-6, torch.real), (1e-6j, torch.imag)):
            flat = conv.weight.tensor.data.view(-1)
            kept = flat[7].clone()
            flat[7] = kept + step
            up = float(conv(x).square().sum())
            flat[7] = kept - step
            down = float(conv(x).square().sum())
            flat[7] = kept
            slope = (up - down) / 2e-6
            got = float(part(gradient.view(-1)[7]))
            # central differences of a quadratic are exact up to round-off over the step
            assert abs(slope - got) < 1e-5 * float(gradient.abs().max())


def test_tucker_of_full_rank_is_dense_and_small_rank_is_small() -> None:
    torch.manual_seed(0)
    full = TuckerWeight(3, 4, [5, 3], ranks=[5, 3, 3, 4])
    dense = full()
    assert dense.shape == (5, 3, 3, 4)
    by_hand = torch.einsum("abcd,ka,lb,ic,od->klio", full.core, *full.factors)
    assert (
        relative(torch.view_as_real(dense).detach(), torch.view_as_real(by_hand).detach()) < 1e-6
    )  # float32
    tenth = TuckerWeight(32, 32, [24, 13], rank=0.1)
    held = sum(p.numel() for p in tenth.parameters())
    assert 0.07 < held / (32 * 32 * 24 * 13) <= 0.1
