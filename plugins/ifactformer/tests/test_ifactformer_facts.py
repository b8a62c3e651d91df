"""Facts that hold for factorised attention whatever its weights."""

import copy
import itertools
import math

import pytest
import torch
from pdebench_ifactformer.block import AxialBlock
from pdebench_ifactformer.coordinates import Coordinates, channel_wall_normal, with_both_ends
from pdebench_ifactformer.factformer import FactFormer
from pdebench_ifactformer.kernel import apply_along
from pdebench_ifactformer.network import IFactFormer
from pdebench_ifactformer.norm import NORMS
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

SHAPE = (4, 5, 3)
ROUND_OFF = 1e-11  # float64: a few hundred sums of order one


def axes(shape: tuple[int, ...] = SHAPE) -> list[Tensor]:
    return [torch.linspace(0, 1 + a, n) ** (1 + a / 4) for a, n in enumerate(shape)]


def network(shape: tuple[int, ...] = SHAPE, seed: int = 0, **options: object) -> IFactFormer:
    torch.manual_seed(seed)
    sizes: dict[str, object] = {"dim": 12, "heads": 2, "head_width": 4, "iterations": 3}
    made = IFactFormer(3, 3, axes(shape), **(sizes | {"qk_gain": 1.0} | options))  # type: ignore[arg-type]
    return made.double().eval()


def field(shape: tuple[int, ...] = SHAPE, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, *shape, generator=generator, dtype=torch.float64)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def kernels_and_values(shape: tuple[int, ...] = SHAPE) -> tuple[list[Tensor], Tensor]:
    torch.manual_seed(2)
    kernels = [torch.randn(2, 3, n, n, dtype=torch.float64) for n in shape]
    return kernels, torch.randn(2, 3, math.prod(shape), 5, dtype=torch.float64)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_axial_kernels_commute(order: tuple[int, ...]) -> None:
    kernels, v = kernels_and_values()
    expected = torch.einsum(
        "bhip,bhjq,bhkr,bhpqrd->bhijkd", *kernels, v.unflatten(2, SHAPE)
    ).flatten(2, 4)
    for a in order:
        v = apply_along(kernels[a], v, a, SHAPE)
    assert relative(v, expected) < ROUND_OFF


@pytest.mark.parametrize("combine", ["parallel", "chained"])
def test_identity_kernels_return_the_values(combine: str) -> None:
    block = AxialBlock(3, 8, 3, 5, 2, combine=combine)  # type: ignore[arg-type]
    _, v = kernels_and_values()
    parts = block.attend(v, [torch.eye(n).double().expand(2, 3, n, n) for n in SHAPE], SHAPE)
    assert len(parts) == (3 if combine == "parallel" else 1)
    assert all(torch.equal(part, v) for part in parts)


@pytest.mark.parametrize("norm", sorted(NORMS))
@pytest.mark.parametrize("num_parts", [1, 3])
def test_folded_norm_equals_norm_then_product(norm: str, num_parts: int) -> None:
    torch.manual_seed(3)
    batch, heads, width, num = 2, 3, 5, math.prod(SHAPE)
    parts = [
        3 + torch.randn(batch, heads, num, width, dtype=torch.float64) for _ in range(num_parts)
    ]
    weight = torch.randn(heads, num_parts, width, 7, dtype=torch.float64)
    w = torch.stack(parts, 2).permute(0, 1, 2, 4, 3).flatten(1, 3)  # (B, channels, N)
    if norm == "instance":
        normed = functional.instance_norm(w)
    elif norm == "group":
        grouped = w.unflatten(1, (heads, -1)).flatten(2)
        var, mean = torch.var_mean(grouped, 2, correction=1, keepdim=True)
        normed = ((grouped - mean) / (var + 1e-8).sqrt()).view(w.shape)
    else:  # torch's instance norm fed (B, x, y, z, channels)
        last = w.transpose(1, 2).unflatten(1, SHAPE)
        normed = functional.instance_norm(last).flatten(1, 3).transpose(1, 2)
    expected = normed.transpose(1, 2) @ weight.flatten(0, 2)
    assert relative(NORMS[norm](parts, weight, SHAPE[0]), expected) < ROUND_OFF


def relabelled(net: IFactFormer, order: tuple[int, ...]) -> IFactFormer:
    """The same function of a grid whose axes are listed in another order."""
    other = copy.deepcopy(net)
    nodes = net.coordinates.of(SHAPE)
    other.coordinates = Coordinates([nodes[a] for a in order]).double()
    for n, position in enumerate(net.encoder.positions):
        other.encoder.positions[n].directions.copy_(position.directions[list(order)])
    for n, block in enumerate(net.encoder.blocks):
        made = other.encoder.blocks[n]
        made.kernels = nn.ModuleList(copy.deepcopy(block.kernels[a]) for a in order)
        if block.parallel:
            weight = block.first.weight.unflatten(1, (block.heads, len(order), -1))
            made.first.weight.data = weight[:, :, list(order)].flatten(1)
    return other


@pytest.mark.parametrize("combine", ["parallel", "chained"])
@pytest.mark.parametrize("norm", sorted(NORMS))
def test_relabelling_axes_permutes_the_output_but_for_plane_norms(combine: str, norm: str) -> None:
    net, x, order = network(combine=combine, norm=norm), field(), (2, 0, 1)
    turned = (0, 1, *(2 + a for a in order))
    with torch.no_grad():
        other = relabelled(net, order)
        # the position term is computed from float32 nodes in float64: 1e-7 would be round-off there
        difference = relative(other(x.permute(turned)), net(x).permute(turned))
    assert difference > 1e-4 if norm == "x_plane" else difference < 1e-9


def test_kernels_see_coordinate_differences_only() -> None:
    net = network()
    kernel = net.encoder.blocks[0].kernels[1]
    pooled = torch.randn(2, 5, 12, dtype=torch.float64)
    x = net.coordinates.of(SHAPE)[1]
    with torch.no_grad():
        here, there = (kernel(pooled, kernel.rotation(x + by)) for by in (0.0, 0.25))
        assert relative(there, here) < ROUND_OFF
        moved = copy.deepcopy(net)
        moved.coordinates.axis1 += 0.25
        # the random Fourier features see the coordinates themselves
        assert relative(moved(field()), net(field())) > 0.01


@pytest.mark.parametrize("combine", ["parallel", "chained"])
def test_without_kernels_the_network_is_pointwise(combine: str) -> None:
    net, x = network(combine=combine), field()
    with torch.no_grad():
        for kernel in net.encoder.blocks[0].kernels:
            kernel.query.weight.zero_()
        y = x.clone()
        y[:, :, 1, 2, 0] += 1.0
        change = (net(y) - net(x)).abs().amax((0, 1))
    assert float(change[1, 2, 0]) > 1e-3
    change[1, 2, 0] = 0.0
    assert float(change.max()) == 0.0


def test_many_small_steps_converge_to_a_flow_with_first_order() -> None:
    answers = {}
    for steps in (4, 8, 16, 256):
        net = network(iterations=steps)
        with torch.no_grad():
            answers[steps] = net(field())
    errors = [relative(answers[n], answers[256]) for n in (4, 8, 16)]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.8 < coarse / fine < 2.4  # halving the step halves the error, up to second order


def test_samples_do_not_see_each_other_and_training_mode_changes_nothing() -> None:
    net, x = network(), field(batch=3)
    with torch.no_grad():
        together = net(x)
        assert relative(net(x[1:2]), together[1:2]) < ROUND_OFF
        assert torch.equal(net.train()(x), together)


@pytest.mark.parametrize("shape", [(6,), (4, 5), SHAPE])
def test_checkpointed_gradients_are_the_same(shape: tuple[int, ...]) -> None:
    gradients = []
    for checkpointed in (False, True):
        net = network(shape, checkpointed=checkpointed).train()
        net(field(shape)).square().mean().backward()
        gradients.append([p.grad for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_uniform_periodic_axes_follow_the_input_and_others_refuse() -> None:
    fine = torch.arange(8) / 8
    net = IFactFormer(1, 1, [fine, fine], dim=8, heads=1, head_width=4, periodic=[True, False])
    assert torch.allclose(net.coordinates.of((16, 8))[0], torch.arange(16) / 16)
    assert net(torch.zeros(1, 1, 16, 8)).shape == (1, 1, 16, 8)
    with pytest.raises(ConfigError, match="axis 1 has 16 points"):
        net(torch.zeros(1, 1, 8, 16))
    with pytest.raises(ConfigError, match=r"expected \(batch, 1, n, n\)"):
        net(torch.zeros(1, 2, 8, 8))


@pytest.mark.parametrize(
    ("reynolds", "num", "published"),
    [  # friction Reynolds number, wall-normal points, y+ of the published filtered profiles
        (174.587, 33, (3.89, 7.85, 11.94, 16.25)),
        (384.456, 49, (5.70, 11.45, 17.28)),
        (568.049, 65, (6.32, 12.66, 19.05)),
    ],
)
def test_wall_normal_grid_has_the_published_wall_units(
    reynolds: float, num: int, published: tuple[float, ...]
) -> None:
    y = channel_wall_normal(num)
    for j, expected in enumerate(published, start=1):
        assert abs(float(y[j]) * reynolds - expected) < 0.006  # two printed decimals
    assert torch.allclose(y + y.flip(0), torch.full_like(y, 2.0))
    # every fourth point of the fine grid is the coarse one
    assert torch.allclose(channel_wall_normal(4 * (num - 1) + 1)[::4], y, atol=1e-12)


def test_mixed_precision_spares_the_phases_of_the_coordinates() -> None:
    """bfloat16 keeps three digits of everything else, none of phases of hundreds of radians."""
    net = network().float()
    coordinates = net.coordinates.of(SHAPE)
    with torch.no_grad():
        full = net.encoder.positions[0](coordinates)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = net.encoder.positions[0](coordinates).float()
    assert relative(mixed, full) < 0.01


def trainable(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts_are_the_released_ones() -> None:
    nodes = [with_both_ends(n, 1.0) for n in (32, 33, 16)]
    fixed = 3 * 48  # the Fourier matrix, counted by the release though it is not trained
    with torch.device("meta"):
        assert trainable(IFactFormer(3, 3, nodes)) + fixed == 1_163_331
        assert trainable(IFactFormer(3, 3, nodes, combine="chained")) + fixed == 1_071_171
        first = IFactFormer(3, 3, nodes, norm="x_plane", extra_mlp=True)
        assert trainable(first) + fixed == 1_181_763
        square = [torch.zeros(128)] * 2
        assert trainable(FactFormer(10, 4, square, steps=4)) == 3_463_489
        cube = [torch.zeros(60)] * 3
        isotropic = FactFormer(
            40, 8, cube, steps=2, frames=10, heads=6, multiplier=3, latent_multiplier=1.5,
            lift="grouped",
        )  # fmt: skip
        assert trainable(isotropic) == 5_093_188


def test_the_chained_form_is_dead_at_the_released_start_and_alive_at_gain_one() -> None:
    """Entries of 1e-5 multiplied thrice drown in the norm's epsilon."""
    sizes = {}
    for combine, gain in (("parallel", 0.02), ("chained", 0.02), ("chained", 1.0)):
        net = network(combine=combine, qk_gain=gain)
        block, x = net.encoder.blocks[0], torch.randn(1, 60, 12, dtype=torch.float64)
        with torch.no_grad():
            change = block(x, SHAPE, block.rotations(net.coordinates.of(SHAPE)))
        sizes[combine, gain] = float(change.norm() / x.norm())
    assert sizes["chained", 0.02] < 1e-4 * sizes["parallel", 0.02]
    assert sizes["chained", 1.0] > 1e3 * sizes["chained", 0.02]
