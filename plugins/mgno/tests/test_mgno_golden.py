"""The authors' programs, reproduced from their weights."""

import numpy as np
import pytest
import torch
from pdebench_mgno import reference

from pdebench.errors import DataError
from pdebench.testing import golden

CASES = golden.archives("mgno_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_losses_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_gradients_and_inner_values(name: str) -> None:
    archive = golden.load(name)
    x = torch.from_numpy(archive.arrays["input"])
    network = reference.network_of(archive.meta, archive.state, tuple(x.shape[2:]))
    if "inter/conv_list.0" in archive.arrays:
        with torch.no_grad():
            inner = network.cycles[0](x).numpy()
        assert golden.relative_difference(inner, archive.arrays["inter/conv_list.0"]) < 1e-5
    network(x).square().mean().backward()
    recorded = archive.meta["grad_l2"]
    for key, parameter in network.named_parameters():
        official = reference.official_name(key, archive.state)
        assert parameter.grad is not None
        assert float(parameter.grad.norm()) == pytest.approx(recorded[official], rel=1e-4)


def test_missing_and_unknown_keys_are_named() -> None:
    archive = golden.load(NETWORKS[0])
    state = dict(archive.state)
    state["surplus.weight"] = state.pop("linear.weight")
    with pytest.raises(DataError, match=r"lack .*hold unknown .*surplus\.weight"):
        reference.from_reference(archive.meta, state)({"input": np.zeros((1, 1, 16, 16), "f4")})
