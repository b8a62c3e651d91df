"""The authors' program, reproduced from its weights."""

import numpy as np
import pytest
import torch
from pdebench_poseidon import reference
from pdebench_poseidon.official import official_key
from pdebench_poseidon.resample import resize

from pdebench.errors import ConfigError
from pdebench.testing import golden

CASES = golden.archives("poseidon_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
CHECKPOINTS = [n for n in CASES if n.endswith("_io")]
FUNCTIONS = [n for n in CASES if n not in NETWORKS + CHECKPOINTS]
SAME = 1e-5  # golden/README.md: float32 forward passes of one formula
GRADIENT = 1e-4  # ibidem


def arguments(a: golden.Archive) -> tuple[torch.Tensor, torch.Tensor | None]:
    time = torch.as_tensor(a.arrays["time"]) if "time" in a.arrays else None
    return torch.as_tensor(a.arrays["input"]), time


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_recorded_checkpoint_is_reproduced(name: str) -> None:
    folder = golden.golden_folder() / name.removesuffix("_io")
    a = golden.load(name)
    got = reference.load_checkpoint(folder)(a.arrays)
    assert golden.relative_difference(got, a.arrays["output"]) <= SAME


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_functions_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_inner_values_are_reproduced(name: str) -> None:
    a = golden.load(name)
    network = reference.network_of(a.meta, a.state)
    x, time = arguments(a)
    with torch.no_grad():
        tokens = network.embed(resize(x, network.plan.image_size), time)
        seen = {"inter/embedding": tokens}
        stage = network.encoder[0]
        y = tokens
        for place, block in enumerate(stage.blocks):
            y = block(y, time)
            seen[f"inter/block{place}_out"] = y
        seen["inter/stage0_out"] = stage(tokens, time)[0]
    wrong = {
        key: golden.relative_difference(seen[key].flatten(1, 2).numpy(), recorded)
        for key, recorded in a.arrays.items()
        if key.startswith("inter/")
    }
    assert wrong and max(wrong.values()) <= SAME, wrong


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_loss_is_reproduced(name: str) -> None:
    a = golden.load(name)
    output = torch.as_tensor(reference.from_reference(a.meta, a.state)(a.arrays))
    loss = reference.loss_of(a.meta)(output, torch.as_tensor(a.arrays["labels"]))
    assert golden.relative_difference(loss.numpy(), a.arrays["loss"]) <= SAME


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_gradients_are_reproduced(name: str) -> None:
    a = golden.load(name)
    network = reference.network_of(a.meta, a.state)
    x, time = arguments(a)
    network(x, time).square().mean().backward()
    norms = {
        official_key(key): float(p.grad.norm())
        for key, p in network.named_parameters()
        if p.grad is not None
    }
    recorded = a.meta["gradnorm_of_mean_out_squared"]
    assert set(norms) == set(recorded)
    wrong = {key: abs(norms[key] - value) / value for key, value in recorded.items()}
    assert max(wrong.values()) <= GRADIENT, {k: v for k, v in wrong.items() if v > GRADIENT}


@pytest.mark.parametrize("name", NETWORKS[:1])
def test_wrong_weights_are_named(name: str) -> None:
    a = golden.load(name)
    key = "encoder.layers.0.blocks.0.attention.self.logit_scale"
    less = {k: v for k, v in a.state.items() if k != key}
    with pytest.raises(ConfigError, match=r"missing .*blocks.0.attention.self.logit_scale"):
        reference.from_reference(a.meta, less)
    with pytest.raises(ConfigError, match=r"surplus \['nowhere'\]"):
        reference.from_reference(a.meta, {**a.state, "nowhere": np.zeros(3)})
    other = {**a.state, key: np.zeros((7, 1, 1), np.float32)}
    with pytest.raises(ConfigError, match=r"logit_scale has shape \(7, 1, 1\), expected"):
        reference.from_reference(a.meta, other)
