"""What must hold of the blocks whatever their weights."""

import math

import pytest
import torch
from pdebench_lsm.block import SpectralBlock, from_patches, to_patches
from pdebench_lsm.network import LSM, padded_sizes
from pdebench_lsm.points import PointLSM, Projection
from pdebench_lsm.series import trigonometric

from pdebench.errors import ConfigError


def test_the_series_and_its_gradients() -> None:
    torch.manual_seed(0)
    z = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(4, 14, dtype=torch.float64, requires_grad=True)
    m = torch.arange(7, dtype=torch.float64)
    phase = math.pi * z.unsqueeze(-1) * m / 7
    plain = (phase.sin() * weights[:, :7] + phase.cos() * weights[:, 7:]).sum(-1)
    torch.testing.assert_close(trigonometric(z, weights), plain, rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(trigonometric, (z, weights))


@pytest.mark.parametrize("shape, patch", [((6,), (2,)), ((6, 4), (3, 2)), ((4, 6, 2), (2, 3, 1))])
def test_patches_come_back_and_hold_neighbours(
    shape: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    x = torch.arange(2 * math.prod(shape) * 3, dtype=torch.float32).view(2, *shape, 3)
    cut = to_patches(x, patch)
    assert torch.equal(from_patches(cut, shape, patch), x)
    corner = x[(0, *(slice(0, p) for p in patch))].reshape(-1, 3)
    assert torch.equal(cut[0], corner)


def test_the_block_is_what_its_formula_says() -> None:
    """Keys, values and queries formed for every point, in float64."""
    torch.manual_seed(1)
    block = SpectralBlock(8, 5, 3, (2, 3), heads=2).double()
    x = torch.randn(1, 2, 3, 8, dtype=torch.float64)
    points = x.view(6, 8)
    pairs = block.encode(points).view(6, 2, 4, 2)
    key, value = pairs[..., 0], pairs[..., 1]
    query = block.decode(points).view(6, 2, 4)
    tokens = [
        (block.latent[h] @ key[:, h].T).softmax(1) @ value[:, h] + block.latent[h] for h in range(2)
    ]
    z = torch.cat(tokens, dim=1)  # (T, C)
    z = z + trigonometric(z, block.weights)
    read = [
        (query[:, h] @ z[:, 4 * h : 4 * h + 4].T).softmax(1) @ z[:, 4 * h : 4 * h + 4]
        for h in range(2)
    ]
    expected = points + torch.cat(read, dim=1)
    torch.testing.assert_close(block(x).view(6, 8), expected, rtol=0, atol=1e-12)


def test_the_block_is_the_identity_when_values_and_series_vanish() -> None:
    block = SpectralBlock(8, 6, 4, (2, 2))
    with torch.no_grad():
        for parameter in (block.weights, block.latent):
            parameter.zero_()
        block.encode.weight.view(8, 1, 2, 8)[:, :, 1] = 0
        block.encode.bias.zero_()
    x = torch.randn(2, 4, 4, 8)
    assert torch.equal(block(x), x)


def test_the_block_commutes_with_shifts_by_a_patch_and_with_no_smaller_ones() -> None:
    torch.manual_seed(2)
    block = SpectralBlock(8, 6, 4, (2, 2))
    x = torch.randn(1, 8, 8, 8)
    torch.testing.assert_close(block(x.roll(2, 1)), block(x).roll(2, 1))
    assert (block(x.roll(1, 1)) - block(x).roll(1, 1)).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(17,), (13, 7), (5, 3, 2)])
def test_any_grid_size_is_taken(shape: tuple[int, ...]) -> None:
    network = LSM(2, 3, shape, width=8, basis=3, tokens=2).eval()
    assert network(torch.randn(2, 2, *shape)).shape == (2, 3, *shape)


def test_sizes_and_their_errors() -> None:
    assert padded_sizes((85, 85), (6, 6)) == (96, 96)
    assert padded_sizes((221, 51), (14, 4)) == (224, 64)
    with pytest.raises(ConfigError, match=r"axis of 34 points, expected a multiple of .* 32"):
        padded_sizes((32,), (2,), (2,))
    with pytest.raises(ConfigError, match="width=12 is no multiple of heads=8"):
        SpectralBlock(12, 4, 4, (2, 2))
    with pytest.raises(ConfigError, match=r"patches of \(2, 2\) points do not divide"):
        SpectralBlock(8, 4, 4, (2, 2))(torch.zeros(1, 3, 4, 8))
    with pytest.raises(ConfigError, match=r"modes=\[20, 4\] are more than latent"):
        PointLSM(2, 1, latent=(32, 32), modes=[20, 4])


def test_projection_to_points_inverts_projection_to_a_grid() -> None:
    """With unit weights, a band-limited field sampled on a grid comes back at any point."""
    projection = Projection(1, (5, 5)).double()
    projection.weight = torch.nn.Parameter(torch.ones(1, 1, 10, 5, dtype=torch.complex128))
    n = 16
    axis = torch.arange(n, dtype=torch.float64) / n
    a, b = torch.meshgrid(axis, axis, indexing="ij")

    def field(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        tau = 2 * math.pi
        return torch.sin(tau * (2 * x - 3 * y)) + 0.5 * torch.cos(tau * (x + 2 * y)) + 0.25

    xi = torch.rand(1, 30, 2, dtype=torch.float64)
    values = projection.to_points(field(a, b)[None, None], xi, shifted_mirror=False)
    expected = field(xi[..., 0], xi[..., 1]).unsqueeze(-1) * n * n  # rfft2 is not normalised
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=1e-9)
    wrong = projection.to_points(field(a, b)[None, None], xi, shifted_mirror=True)
    assert (wrong - expected).abs().max() > 1
    cloud = torch.stack([a.flatten(), b.flatten()], dim=-1).unsqueeze(0)
    grid = projection.to_grid(field(a, b).view(1, -1, 1), cloud, (n, n))
    torch.testing.assert_close(grid[0, 0], field(a, b), rtol=0, atol=1e-10)


def test_a_cloud_does_not_depend_on_the_order_of_its_points() -> None:
    torch.manual_seed(3)
    network = PointLSM(2, 1, width=8, basis=3, latent=(16, 16), modes=(3, 3)).eval()
    x = torch.rand(2, 2, 40)
    order = torch.randperm(40)
    torch.testing.assert_close(network(x[..., order]), network(x)[..., order], rtol=1e-4, atol=1e-5)
    assert network(torch.rand(1, 2, 17)).shape == (1, 1, 17)


@pytest.mark.parametrize(
    "width, outputs, inputs, patch, shape, count",
    [
        (64, 1, 10, (4, 4), (64, 64), 19_188_033),
        (64, 1, 1, (6, 6), (85, 85), 19_187_457),
        (32, 1, 2, (14, 4), (221, 51), 4_812_833),
        (48, 1, 2, (9, 9), (129, 129), 10_804_913),
    ],
)
def test_parameter_counts_are_the_published_ones(
    width: int,
    outputs: int,
    inputs: int,
    patch: tuple[int, int],
    shape: tuple[int, int],
    count: int,
) -> None:
    with torch.device("meta"):
        network = LSM(inputs, outputs, shape, width, patch=patch)
    assert sum(p.numel() for p in network.parameters()) == count
