"""The authors' program, reproduced from recorded arguments."""

import numpy as np
import pytest
from pdebench_gp import reference

from pdebench.testing import golden

CASES = golden.archives("gp_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]
PROBLEMS = [n for n in FUNCTIONS if n.startswith("gp_problems")]
ZERO = "advection-sin/source"  # zero but for the round-off of whoever differentiates


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_prediction_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in PROBLEMS])
def test_recorded_functions_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)


@pytest.mark.parametrize("name", PROBLEMS)
def test_published_problems_are_reproduced(name: str) -> None:
    archive = golden.load(name)
    got = reference.evaluate(archive.meta, archive.inputs)
    for key, expected in archive.results.items():
        if key == ZERO:
            assert float(np.abs(got[key]).max()) < 1e-9
        else:
            assert golden.relative_difference(got[key], expected) <= archive.meta["tolerance"], key
