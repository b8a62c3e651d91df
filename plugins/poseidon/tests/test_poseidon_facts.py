"""Facts that hold for scOT, its losses and its gains whatever the weights."""

import copy
import math

import pytest
import torch
from pdebench_poseidon.attention import WindowAttention
from pdebench_poseidon.gains import accuracy_gain, efficiency_gain, error_at
from pdebench_poseidon.losses import GroupedRelative, relative_error
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.norm import ConditionalNorm, PlainNorm
from pdebench_poseidon.resample import Merge, resize
from pdebench_poseidon.windows import Windows
from torch import Tensor, nn

from pdebench.errors import ConfigError

ROUND_OFF = 1e-11  # float64: sums of a few hundred terms of order one


def lively(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter at unit scale, float64: the published start is nearly the identity."""
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for p in module.parameters():
            size = max(1, p[0].numel()) if p.ndim > 1 else 4
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.copy_(noise / math.sqrt(size))
    return module


def scot(image_size: int = 32, **options: object) -> ScOT:
    sizes: dict[str, object] = {
        "embed_dim": 8,
        "depths": (2, 2),
        "heads": (2, 2),
        "skips": (1, 0),
        "window": 4,
    }
    made = lively(ScOT(2, 2, image_size, **(sizes | options)))  # type: ignore[arg-type]
    assert isinstance(made, ScOT)
    return made


def images(num: int = 32, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, 2, num, num, generator=generator, dtype=torch.float64)
    return x, torch.linspace(0.1, 1, batch, dtype=torch.float64)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("windows", [Windows(4, 0), Windows(4, 2), Windows(3, 1), Windows(5, 2)])
@pytest.mark.parametrize("shape", [(8, 8), (7, 9)])
def test_windows_split_and_merge_are_inverse(windows: Windows, shape: tuple[int, int]) -> None:
    x = torch.randn(2, *shape, 3)
    assert torch.equal(windows.merge(windows.split(x), shape), x)


@pytest.mark.parametrize("shift", [0, 2])
def test_fused_attention_equals_the_formula(shift: int) -> None:
    attention = WindowAttention(6, 3, 4)
    lively(attention)
    assert isinstance(attention, WindowAttention)
    windows = Windows(4, shift)
    x = torch.randn(2, 8, 8, 6, dtype=torch.float64)
    tokens, mask = windows.split(x), windows.mask((8, 8), float("-inf"), x)
    with torch.no_grad():
        q, k, v = attention.queries_keys_values(tokens)
        scores = q @ k.transpose(-1, -2) + attention.bias()
        if mask is not None:
            scores = scores + mask[None, :, None]
        weights = scores.softmax(-1)
        assert torch.allclose(weights.sum(-1), torch.ones(()).double())
        expected = attention.out((weights @ v).transpose(2, 3).flatten(3))
        assert relative(attention(tokens, mask), expected) < ROUND_OFF


def test_position_bias_is_the_formula_pair_by_pair() -> None:
    attention = WindowAttention(4, 2, 3)
    lively(attention)
    bias = attention.bias
    with torch.no_grad():
        table = bias()
        for query in range(9):
            for key in range(9):
                r = [query // 3 - key // 3, query % 3 - key % 3]
                g = [math.copysign(math.log2(abs(8 * n / 2) + 1) / 3, n) for n in r]
                h = bias.second((bias.first(torch.tensor(g).double())).relu())
                expected = 16 * h.sigmoid()
                # the table of offsets is kept in float32
                assert torch.allclose(table[:, query, key], expected, atol=1e-5)


def test_position_bias_follows_its_weights_without_gradients() -> None:
    bias = WindowAttention(4, 2, 3).bias
    with torch.no_grad():
        first = bias()
        assert bias() is first  # computed once
        bias.second.weight.mul_(50.0)
        changed = bias()
        assert not torch.equal(changed, first)
    with torch.enable_grad():
        assert torch.equal(bias().detach(), changed) and bias().requires_grad


def test_tokens_joined_by_the_roll_do_not_see_each_other() -> None:
    block = scot(depths=(2, 2)).encoder[0].blocks[1]
    assert block.windows == Windows(4, 2)
    x = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    other = x.clone()
    other[:, :2] += 1.0  # first rows: rolled beside the last ones
    time = torch.ones(1).double()
    with torch.no_grad():
        change = (block(other, time) - block(x, time)).abs().amax((0, 2, 3))
    assert float(change[0]) > 1e-3 and float(change[6:].max()) == 0.0


def test_released_mask_of_minus_200_is_an_exclusion() -> None:
    excluded, penalised = scot(), scot(mask_score=-200.0)
    x, time = images()
    with torch.no_grad():
        # scores differ by at most 2 * 100 + 16 in theory, by a few tens here: exp(-150) is nothing
        assert relative(penalised(x, time), excluded(x, time)) < ROUND_OFF


def test_unshifted_blocks_are_equivariant_to_whole_windows() -> None:
    block = scot().encoder[0].blocks[0]
    x, time = torch.randn(1, 8, 8, 8, dtype=torch.float64), torch.ones(1).double()
    with torch.no_grad():
        moved = block(x.roll((4, -4), (1, 2)), time)
        assert relative(moved, block(x, time).roll((4, -4), (1, 2))) < ROUND_OFF
        by_one = block(x.roll(1, 1), time)
        assert relative(by_one, block(x, time).roll(1, 1)) > 0.01


def test_windows_shrink_to_the_nominal_grid_and_then_do_not_shift() -> None:
    net = scot(24, window=4)  # grids of 6 and 3 tokens
    sizes = [[b.windows for b in stage.blocks] for stage in net.encoder]
    assert sizes == [[Windows(4, 0), Windows(4, 2)], [Windows(3, 0), Windows(3, 0)]]
    decoder = [[b.windows for b in stage.blocks] for stage in net.decoder]
    assert decoder == [sizes[1], sizes[0][::-1]]


@pytest.mark.parametrize("image_size", [24, 26, 28, 44])
def test_every_image_size_gives_an_answer_of_its_size(image_size: int) -> None:
    net = scot(image_size, depths=(1, 1, 1), heads=(1, 1, 1), skips=(0, 0, 0)) if (
        image_size == 44
    ) else scot(image_size)  # fmt: skip
    x, time = images(image_size)
    with torch.no_grad():
        assert net(x, time).shape == x.shape


def test_a_single_token_per_stage_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"leaves 1 token\(s\) a side"):
        ScOT(1, 1, 16, depths=(1, 1, 1), heads=(1, 1, 1), embed_dim=4)
    with pytest.raises(ConfigError, match=r"expected \(batch, 2, n, n\)"):
        scot()(torch.zeros(1, 2, 32, 16).double(), torch.ones(1))
    with pytest.raises(ConfigError, match="one lead time per sample"):
        scot()(images()[0])


@pytest.mark.parametrize(("num", "to"), [(16, 32), (32, 16), (16, 17), (17, 16), (15, 22)])
def test_resizing_is_exact_for_band_limited_fields(num: int, to: int) -> None:
    def sampled(n: int) -> Tensor:
        x = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
        return (1 + torch.sin(3 * x)[:, None] * torch.cos(5 * x - 1)[None])[None, None]

    assert float((resize(sampled(num), to) - sampled(to)).abs().max()) < ROUND_OFF


def test_images_of_other_sizes_are_resized_there_and_back() -> None:
    net = scot(32)
    x, time = images(16)
    with torch.no_grad():
        assert relative(net(x, time), resize(net(resize(x, 32), time), 16)) < ROUND_OFF


def test_merge_takes_the_phases_in_the_published_order() -> None:
    merge = Merge(1, False, 1e-5)
    x = torch.arange(16.0).view(1, 4, 4, 1)
    merge.reduce, merge.norm = nn.Identity(), PlainNorm(4, elementwise_affine=False)  # type: ignore[assignment]
    merge.norm.forward = lambda y, t: y  # type: ignore[method-assign,assignment]
    assert merge(x, None)[0, 0, 0].tolist() == [0.0, 4.0, 1.0, 5.0]


def test_conditional_norm_is_a_layer_norm_affine_in_time() -> None:
    norm = ConditionalNorm(6).double()
    x, time = torch.randn(3, 2, 2, 6).double(), torch.tensor([0.0, 0.5, 1.0]).double()
    with torch.no_grad():
        gain, shift = norm.weight(time[:, None]), norm.bias(time[:, None])
        plain = (x - x.mean(-1, keepdim=True)) / (
            x.var(-1, keepdim=True, correction=0) + 1e-5
        ).sqrt()
        expected = gain[:, None, None] * plain + shift[:, None, None]
        assert relative(norm(x, time), expected) < ROUND_OFF
        halves = (norm(x[:1], time[:1]) + norm(x[:1], time[2:])) / 2
        assert relative(norm(x[:1], time[1:2]), halves) < ROUND_OFF


@pytest.mark.parametrize("residual", ["convnext", "resnet"])
def test_samples_do_not_see_each_other(residual: str) -> None:
    net = scot(residual=residual)
    x, time = images(batch=3)
    with torch.no_grad():
        assert relative(net(x[1:2], time[1:2]), net(x, time)[1:2]) < ROUND_OFF


def test_checkpointed_gradients_are_the_same() -> None:
    x, time = images()
    gradients = []
    for checkpointed in (False, True):
        net = scot(checkpointed=checkpointed).train()
        net(x, time).square().mean().backward()
        gradients.append([p.grad for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_learned_residual_adds_the_input() -> None:
    net = scot(learn_residual=True)
    plain = copy.deepcopy(net)
    plain.learn_residual = False
    x, time = images()
    with torch.no_grad():
        assert relative(net(x, time) - plain(x, time), x) < ROUND_OFF


@pytest.mark.parametrize(
    ("embed_dim", "depth", "published"), [(48, 4, 20.8e6), (96, 8, 157.7e6), (192, 8, 628.6e6)]
)
def test_parameter_counts_are_the_published_ones(
    embed_dim: int, depth: int, published: float
) -> None:
    with torch.device("meta"):
        net = ScOT(4, 4, embed_dim=embed_dim, depths=(depth,) * 4)
    # published to a tenth of a million
    assert abs(sum(p.numel() for p in net.parameters()) - published) < 0.05e6


def test_grouped_loss_of_nothing_is_one_and_ignores_scales() -> None:
    loss = GroupedRelative([0, 1, 3])
    y, weights = torch.randn(4, 5, 3, 6, 6), torch.ones(6, 6)
    assert float(loss(y, y, weights)) == 0.0
    assert float(loss(torch.zeros_like(y), y, weights)) == pytest.approx(1, abs=1e-6)
    scale = torch.tensor([1.0, 30.0, 30.0]).view(3, 1, 1)
    p = y + 0.1 * torch.randn_like(y)
    assert float(loss(p * scale, y * scale, weights)) == pytest.approx(float(loss(p, y, weights)))
    assert float(GroupedRelative(p=2)(p, y)) == pytest.approx(float((p - y).square().mean()))


def test_masked_channels_cost_nothing() -> None:
    p, y = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    masked = GroupedRelative([0, 1, 3, 4], masked=[3])
    replaced = torch.cat([p[:, :3], y[:, 3:]], 1)
    assert float(masked(p, y)) == pytest.approx(float(GroupedRelative([0, 1, 3, 4])(replaced, y)))
    with pytest.raises(ConfigError, match="but the fields have 4 channels"):
        GroupedRelative([0, 2, 5])(p, y)


def test_relative_error_is_in_per_cent() -> None:
    y = torch.ones(2, 3, 4, 4)
    for p in (1, 2):
        assert torch.allclose(relative_error(1.03 * y, y, p), torch.full((2,), 3.0), atol=1e-4)


def test_gains_of_power_laws_are_exact() -> None:
    """error = c S^(-1/2): the model with half the constant needs a quarter of the samples."""
    samples = [16, 64, 256, 1024]
    baseline, model = ([c / math.sqrt(s) for s in samples] for c in (1.0, 0.5))
    gain = efficiency_gain(samples, model, baseline[-1])
    assert gain.value == pytest.approx(4) and gain.bound is None
    assert accuracy_gain(samples, model, samples, baseline) == pytest.approx(2)
    assert error_at(samples, baseline, 128) == pytest.approx(1 / math.sqrt(128))
    assert efficiency_gain(samples, baseline, baseline[-1]).value == pytest.approx(1)


def test_gains_beyond_the_measurements_are_bounds() -> None:
    assert efficiency_gain([16, 64], [0.01, 0.005], 0.02).bound == "at least"
    assert efficiency_gain([16, 64], [0.01, 0.005], 0.02).value == pytest.approx(64)
    never = efficiency_gain([16, 64], [0.5, 0.4], 0.1)
    assert never.bound == "at most" and never.value == pytest.approx(16)
    with pytest.raises(ConfigError, match="outside the measured 16 to 64"):
        error_at([16, 64], [0.5, 0.4], 128)
