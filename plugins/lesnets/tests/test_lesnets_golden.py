"""The authors' programs, reproduced from their weights and inputs."""

import numpy as np
import pytest
import torch
from pdebench_lesnets import reference
from pdebench_lesnets.weights import network_of

from pdebench.errors import DataError
from pdebench.testing import golden

CASES = golden.archives("lesnets_", "pino_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]
ROLLOUTS = [n for n in NETWORKS if "rollout_output" in golden.load(n).arrays]


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_functions_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", ROLLOUTS)
def test_recorded_rollout_is_reproduced(name: str) -> None:
    archive = golden.load(name)
    frames, blocks = archive.arrays["output"].shape[-1], archive.meta["rollout_steps"]
    got = reference.roll_out(archive.meta, archive.state, archive.arrays["u0"], frames, blocks)
    assert golden.relative_difference(got, archive.arrays["rollout_output"]) < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_gradients(name: str) -> None:
    """Norms of the gradient of mean(output^2); those of the Fourier blocks by their places."""
    archive = golden.load(name)
    network = network_of(archive.meta, archive.state)
    place = -2 if "modes4" in archive.meta["kwargs"] else -1
    x = torch.from_numpy(archive.arrays["input"]).movedim(place, 1)
    network(x).square().mean().backward()
    wanted = archive.meta["gradnorm_of_mean_out_squared"]
    found = dict(network.named_parameters())
    implicit = "spectral.weight" in found
    heads = sorted({key.split(".")[0] for key in wanted if key[:2] == "fc"} - {"fc0"})
    names = {"fc0": "lift", **{theirs: f"head.{n}" for n, theirs in enumerate(heads)}}
    layers = 1 if implicit else len(network.spectral)
    for index in range(layers):
        names[f"ws.{index}"] = "local" if implicit else f"local.{index}"
    for theirs, ours in names.items():
        for part in ("weight", "bias"):
            norm = float(found[f"{ours}.{part}"].grad.norm())
            assert norm == pytest.approx(wanted[f"{theirs}.{part}"], rel=1e-4), theirs
    for index in range(layers):
        blocks = [v for k, v in wanted.items() if k.startswith(f"sp_convs.{index}.")]
        ours = "spectral.weight" if implicit else f"spectral.{index}.weight"
        norm = float(found[ours].grad.norm())
        assert norm == pytest.approx(np.linalg.norm(blocks), rel=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_exchanged_blocks_are_noticed(name: str) -> None:
    """The bands of the last two weights that a layer has, exchanged: the output must move."""
    archive = golden.load(name)
    last = sum(k.startswith("sp_convs.0.weights") for k in archive.state)
    a, b = (f"sp_convs.0.weights{n}" for n in ((5, 6) if last == 8 else (last - 1, last)))
    state = {**archive.state, a: archive.state[b], b: archive.state[a]}
    got = reference.from_reference(archive.meta, state)(archive.arrays)
    assert golden.relative_difference(got, archive.arrays["output"]) > 1e-5


def test_missing_keys_are_named() -> None:
    archive = golden.load("lesnets_fno_a")
    state = {**archive.state, "surplus": np.zeros(2, "f4")}
    del state["fc1.bias"]
    with pytest.raises(DataError, match=r"lack \['fc1.bias'\].*unknown \['surplus'\]"):
        reference.from_reference(archive.meta, state)
