"""The authors' programs, reproduced from their weights."""

import numpy as np
import pytest
import torch
from pdebench_ifactformer import reference
from pdebench_ifactformer.block import AxialBlock
from pdebench_ifactformer.official import official_keys

from pdebench.errors import ConfigError
from pdebench.testing import golden

CASES = golden.archives("ifactformer_", "factformer_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]
SAME = 1e-5  # golden/README.md: float32 forward passes of one formula
GRADIENT = 1e-4  # ibidem


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_training_is_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_inner_values_are_reproduced(name: str) -> None:
    a = golden.load(name)
    network = reference.network_of(a.meta, a.state, a.arrays)
    seen: dict[str, np.ndarray] = {}
    block = network.encoder.blocks[0]
    assert isinstance(block, AxialBlock)
    shape = reference.to_channels(a.meta, a.arrays).shape[2:]
    with torch.no_grad():
        coordinates = network.coordinates.of(tuple(shape))
        rotations = block.rotations(coordinates)
        x = reference.to_channels(a.meta, a.arrays)
        lift = network.lift(x.flatten(2))
        position = network.encoder.positions[0](coordinates)
        start = lift + position
        grid = tuple(shape)
        n = block.norm(start)
        kernels = block.axial_kernels(n, grid, rotations)
        v = block.value(n)
        change = block(start, grid, rotations)
        seen = {
            "inter/lift": lift.transpose(1, 2).unsqueeze(2),
            "inter/position": position.unsqueeze(0),
            "inter/block1_in": start.unflatten(1, grid),
            "inter/block1": change.unflatten(1, grid),
            "inter/block1_out": change.unflatten(1, grid),
            "inter/v": v.unflatten(1, grid),
            "inter/q0": block.mix(n).unflatten(1, grid),
            "inter/encoder": network.encoder(lift, grid, coordinates).unflatten(1, grid),
        }
        field = n.unflatten(1, grid)
        for axis, letter in enumerate("xyz"[: len(grid)]):
            others = [d + 1 for d in range(len(grid)) if d != axis]
            seen[f"inter/kernel_{letter}"] = kernels[axis]
            pooled = block.kernels[axis].reduce(block.mix(field.mean(others)))
            seen[f"inter/pooled_{letter}"] = pooled
        parts = torch.stack(
            block.attend(v.unflatten(-1, (block.heads, -1)).transpose(1, 2), kernels, grid), 2
        )
        w = parts.permute(0, 3, 1, 2, 4).flatten(2).unflatten(1, grid)
        first = a.arrays.get("inter/norm_in")
        seen["inter/norm_in"] = (
            w.movedim(-1, 1) if first is not None and first.shape[1] == w.shape[-1] else w
        )
    known = [k for k in a.arrays if k.startswith("inter/") and k != "inter/norm"]
    wrong = {k: golden.relative_difference(seen[k].numpy(), a.arrays[k]) for k in known}
    assert max(wrong.values()) <= SAME, wrong


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_rollout_and_loss_are_reproduced(name: str) -> None:
    a = golden.load(name)
    output = reference.from_reference(a.meta, a.state)
    if "rollout_pred" in a.arrays:
        arrays, frames = dict(a.arrays), []
        for _ in range(a.arrays["rollout_pred"].shape[1]):
            frames.append(output(arrays))
            arrays["input"] = np.concatenate([arrays["input"][:, 1:], frames[-1][:, None]], 1)
        got = np.stack(frames, 1)
        assert golden.relative_difference(got, a.arrays["rollout_pred"]) <= SAME
    if "loss_target" in a.arrays:
        p, y = output(a.arrays), a.arrays["loss_target"]
        over = tuple(range(1, y.ndim))
        loss = np.sqrt(((p - y) ** 2).sum(over) / (y**2).sum(over))
        assert golden.relative_difference(loss, a.arrays["loss_relative_l2"]) <= SAME


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_gradients_are_reproduced(name: str) -> None:
    a = golden.load(name)
    network = reference.network_of(a.meta, a.state, a.arrays)
    network(reference.to_channels(a.meta, a.arrays)).square().mean().backward()
    own = dict(network.named_parameters())
    axes = network.coordinates.num
    norms = {
        theirs: float(gradient.norm())
        for ours, theirs in official_keys(network, a.state, axes).items()
        if ours in own and (gradient := own[ours].grad) is not None
    }
    recorded = a.meta["gradnorm_of_mean_out_squared"]
    assert set(norms) == set(recorded)
    wrong = {k: abs(norms[k] - v) / v for k, v in recorded.items()}
    assert max(wrong.values()) <= GRADIENT, {k: v for k, v in wrong.items() if v > GRADIENT}


@pytest.mark.parametrize("name", NETWORKS[:1] + NETWORKS[-1:])
def test_wrong_weights_are_named(name: str) -> None:
    a = golden.load(name)
    key = "encoder.layers.0.1.to_v.weight"
    with pytest.raises(ConfigError, match=r"missing \['encoder.layers.0.1.to_v.weight'\]"):
        reference.from_reference(a.meta, {k: v for k, v in a.state.items() if k != key})(a.arrays)
    with pytest.raises(ConfigError, match=r"surplus \['to_nowhere'\]"):
        reference.from_reference(a.meta, {**a.state, "to_nowhere": a.state[key]})(a.arrays)
