"""The authors' programs, reproduced from their weights."""

import pytest
from pdebench_fno import reference

from pdebench.testing import golden

CASES = golden.archives("fno_", "neuralop_", "ifno_")
NETWORKS = [n for n in CASES if golden.load(n).is_network]
FUNCTIONS = [n for n in CASES if not golden.load(n).is_network]


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_output_is_reproduced(name: str) -> None:
    golden.check_network(reference.from_reference, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_functions_are_reproduced(name: str) -> None:
    golden.check_functions(reference.evaluate, name)
