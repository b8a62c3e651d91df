"""The authors' programs, reproduced from their weights."""

import numpy as np
import pytest
import torch
from pdebench_lsm import reference

from pdebench.errors import DataError
from pdebench.testing import golden

CASES = golden.archives("lsm_")


@pytest.mark.parametrize("name", CASES)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", CASES)
def test_recorded_gradients(name: str) -> None:
    """Norms per released weight; a complex weight is recorded in two halves."""
    archive = golden.load(name)
    kind = reference._kind(archive.meta)
    network = reference.network_of(archive.meta, archive.state)
    reference.call(network, kind, archive.meta, archive.arrays).square().mean().backward()
    recorded = archive.meta["grad_l2"]
    squares: dict[str, float] = {}
    for key, norm in recorded.items():
        ours = reference.our_name(key, kind)
        squares[ours] = squares.get(ours, 0.0) + (norm or 0.0) ** 2
    largest = max(squares.values()) ** 0.5
    for key, parameter in network.named_parameters():
        grad = 0.0 if parameter.grad is None else float(parameter.grad.norm())
        if key in squares:
            assert grad == pytest.approx(squares[key] ** 0.5, rel=1e-3, abs=1e-6 * largest), key


def test_batch_statistics_in_training_mode() -> None:
    """In double precision: in single, the small variances of one batch amplify round-off, so that
    the order of the sums (the number of threads) alone moves the answer by 1e-5.
    """
    archive = golden.load("lsm_2d_a")
    network = reference.network_of(archive.meta, archive.state).train().double()
    wide = {k: v.astype("f8") if v.dtype == np.float32 else v for k, v in archive.arrays.items()}
    with torch.no_grad():
        y = reference.call(network, "grid", archive.meta, wide).numpy()
    assert golden.relative_difference(y, archive.arrays["output_train"]) < 1e-5


def test_deformation_and_projection_of_a_cloud() -> None:
    archive = golden.load("lsm_irregular_a")
    network = reference.network_of(archive.meta, archive.state)
    x, code = (torch.from_numpy(archive.arrays[n]) for n in ("input", "code"))
    with torch.no_grad():
        xi = network.deformation(x, code)
        grid = network.enter.to_grid(network.lift(x), xi, network.latent)
    wanted = archive.arrays
    assert golden.relative_difference(xi.numpy(), wanted["inter/iphi_of_input"]) < 1e-5
    assert golden.relative_difference(grid.numpy(), wanted["inter/fftproject_in"]) < 1e-5


def test_missing_and_unknown_keys_are_named() -> None:
    archive = golden.load("lsm_block_a")
    state = {**archive.state, "surplus": np.zeros(2, "f4")}
    del state["latent"]
    with pytest.raises(DataError, match=r"lack \['latent'\].*unknown .*surplus"):
        reference.from_reference(archive.meta, state)
