"""The authors' programs, reproduced from their weights."""

import numpy as np
import pytest
import torch
from pdebench_t1 import reference
from pdebench_t1.transform import dct, idct

from pdebench.errors import DataError
from pdebench.testing import golden

CASES = golden.archives("t1_", "t1u_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]
T1S = [n for n in NETWORKS if golden.load(n).meta["cls"] == "T1_2d"]
T1US = [n for n in NETWORKS if golden.load(n).meta["cls"] == "T1U_2d"]
SAME = 1e-5  # golden/README.md


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_transforms_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", T1S)
def test_recorded_losses_and_fields(name: str) -> None:
    archive = golden.load(name)
    y = torch.from_numpy(reference.from_reference(archive.meta, archive.state)(archive.arrays))
    target = torch.from_numpy(archive.arrays["loss_target"])
    field, coefficients = idct(y, dims=(-2, -1)), dct(target, dims=(-2, -1))
    assert golden.relative_difference(field.numpy(), archive.arrays["output_physical"]) < SAME

    def relative(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ((a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).mean()

    got = {
        "loss_rel_l2_dct": relative(y, coefficients),
        "loss_rel_l2_physical": relative(field, target),
        "loss_mse_dct": (y - coefficients).square().mean(),
    }
    for key, value in got.items():
        assert float(value) == pytest.approx(float(archive.arrays[key]), rel=SAME), key


@pytest.mark.parametrize("name", T1S)
def test_recorded_gradients(name: str) -> None:
    archive = golden.load(name)
    network = reference.t1_network(archive.meta, archive.state)
    x = torch.from_numpy(archive.arrays["input"])[:, None]
    high = archive.meta["kwargs"]["keep_high"]
    reference.t1_coefficients(network, x, high).square().mean().backward()
    recorded = archive.meta["gradnorm_of_mean_out_squared"]
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None
        official = reference.official_name(key)
        assert float(parameter.grad.norm()) == pytest.approx(recorded[official], rel=1e-4)


@pytest.mark.parametrize("name", T1US)
def test_recorded_output_in_training_mode(name: str) -> None:
    archive = golden.load(name)
    network = reference.t1u_network(archive.meta, archive.state).train()
    x = torch.from_numpy(archive.arrays["input"])[:, None]
    with torch.no_grad():
        z = network.coefficients(x).squeeze(1)
    recorded = archive.arrays["output_train_mode"]
    m = z.shape[-1]
    assert golden.relative_difference(z.numpy(), recorded[:, :m, :m]) < SAME
    assert not np.any(recorded[:, m:]) and not np.any(recorded[:, :, m:])


def test_missing_and_unknown_keys_are_named() -> None:
    archive = golden.load(T1S[0])
    state = dict(archive.state)
    state["surplus"] = state.pop("fc0.bias")
    with pytest.raises(DataError, match=r"lack \['fc0\.bias'\] and hold unknown \['surplus'\]"):
        reference.from_reference(archive.meta, state)
