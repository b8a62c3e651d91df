"""The authors' program, reproduced from its weights."""

import numpy as np
import pytest
import torch
from pdebench_deepcg import reference

from pdebench.errors import DataError
from pdebench.testing import golden

CASES = golden.archives("deepcg_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_gradients(name: str) -> None:
    archive = golden.load(name)
    network = reference.network_of(archive.state)
    x = torch.from_numpy(archive.arrays["input"]).movedim(-1, 1)
    network(x).square().mean().backward()
    layers = [network.enter, *network.convs]
    for key, norm in archive.meta["gradnorm_of_mean_out_squared"].items():
        name, part = key.split("/")
        layer = network.out if name == "dense" else layers[int(name.split("_")[1])]
        grad = (layer.weight if part == "kernel" else layer.bias).grad
        assert float(grad.norm()) == pytest.approx(norm, rel=1e-4), key


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_functions_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


def test_missing_keys_are_named() -> None:
    archive = golden.load(NETWORKS[0])
    state = {**archive.state, "surplus/kernel": np.zeros(2, "f4")}
    del state["dense/bias"]
    with pytest.raises(DataError, match=r"lack \['dense/bias'\].*unknown \['surplus/kernel'\]"):
        reference.from_reference(archive.meta, state)
