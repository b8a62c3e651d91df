"""Scores recorded from PDEBench's and The Well's own programs, and the laws behind their
adapter.
"""

import numpy as np
import pytest
import torch

from pdebench.errors import DataError
from pdebench.metrics.published import pdebench
from pdebench.metrics.reference import evaluate
from pdebench.testing import golden

NAMES = golden.archives("metrics_")


@pytest.mark.parametrize("name", NAMES)
def test_recorded_scores_are_reproduced(name: str):
    golden.check_functions(evaluate, name)


def fields(*shape: int, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = generator.standard_normal(shape)
    return {"a/target": target, "a/pred": target + 0.1 * generator.standard_normal(shape)}


@pytest.mark.parametrize("space", [(33,), (18, 24), (9, 8, 11)])
def test_pdebench_band_means_follow_the_plain_sum(space: tuple[int, ...]):
    """Odd and unequal sizes: every mode of the octant by hand, as the definition says."""
    inputs = fields(3, *space, 4, 2)
    options = {"initial_step": 1, "iLow": 1, "iHigh": 3, "Lx": 2.0, "Ly": 0.5, "Lz": 3.0}
    meta = {"source": "pdebench", "cases": {"a": {"kwargs": options}}}
    got = evaluate(meta, inputs)["a/fRMSE"]
    error = (inputs["a/pred"] - inputs["a/target"])[..., 1:, :]
    axes = tuple(range(1, 1 + len(space)))
    power = (np.abs(np.fft.fftn(error, axes=axes)) ** 2).mean(0)
    last = space[0] // 2 + 1 if len(space) == 1 else min(n // 2 for n in space)
    sums = np.zeros((last, 3, 2))
    half = [range(last)] if len(space) == 1 else [range(n // 2) for n in space]
    for index in np.ndindex(*(len(r) for r in half)):
        shell = int(np.sqrt(sum(i * i for i in index)))
        if shell < last:
            sums[shell] += power[index]
    extent = np.prod([2.0, 0.5, 3.0][: len(space)])
    amplitude = np.sqrt(sums) / np.prod(space) * extent
    bands = [amplitude[:1].mean(0), amplitude[1:3].mean(0), amplitude[3:].mean(0)]
    expected = np.stack(bands).transpose(2, 0, 1)
    # the same float64 sums in another order
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("space", [(33,), (18, 24), (9, 8, 11)])
def test_pdebench_scores_together_are_those_apart(space: tuple[int, ...]):
    generator = torch.Generator().manual_seed(0)
    last = torch.randn(5, *space, 4, 2, dtype=torch.float64, generator=generator)
    target = last.movedim((-2, -1), (1, 2))  # a view, as of an array with time and channel last
    error = 0.1 * torch.randn(target.shape, dtype=torch.float64, generator=generator)
    found = pdebench.scores(target + error, target, low=1, high=3)
    apart = {
        "rmse": pdebench.rmse(error),
        "nrmse": pdebench.nrmse(error, target),
        "crmse": pdebench.crmse(error),
        "max": pdebench.maximum(error),
        "brmse": pdebench.brmse(error),
        "frmse": pdebench.frmse(error, low=1, high=3),
    }
    assert found.keys() == apart.keys()
    for name, value in apart.items():
        # (target + error) - target loses digits of the error
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-14)


def test_pdebench_default_options_are_those_of_the_program():
    inputs = fields(2, 40, 4, 1)
    plain = evaluate({"source": "pdebench", "cases": {}}, inputs)
    options = {"initial_step": 1, "Lx": 1.0, "iLow": 4, "iHigh": 12, "if_mean": True}
    named = evaluate({"source": "PDEBench", "cases": {"a": {"kwargs": options}}}, inputs)
    assert plain.keys() == named.keys()
    assert all(np.array_equal(plain[k], named[k]) for k in plain)


def test_the_wells_spectral_errors_add_up_to_the_mean_square():
    inputs = fields(2, 3, 16, 12, 2)
    got = evaluate({"source": "the_well"}, inputs)
    total = sum(got[f"a/spectral_error_mse_per_bin_{k}"] for k in range(3))
    # Plancherel in float64
    np.testing.assert_allclose(total, got["a/MSE"], rtol=1e-12)


def test_unknown_programs_options_and_lonely_predictions_are_refused():
    inputs = fields(2, 8, 3, 1)
    with pytest.raises(DataError, match="someone"):
        evaluate({"source": "someone"}, inputs)
    with pytest.raises(DataError, match="iMiddle"):
        evaluate({"source": "pdebench", "cases": {"a": {"kwargs": {"iMiddle": 3}}}}, inputs)
    with pytest.raises(DataError, match="a/target"):
        evaluate({"source": "pdebench"}, {"a/pred": inputs["a/pred"]})
