"""Every configuration of the plugin keeps the suite's rules; wrong options are named."""

import pytest
from pdebench_spectral.solver import Spectral

from pdebench import plugins
from pdebench.errors import ConfigError
from pdebench.testing import check_solver

NAMES = sorted(
    name
    for (group, name), choice in plugins.catalog().items()
    if group == "solver" and choice.plugin.package == "pdebench_spectral"
)


@pytest.mark.parametrize("name", NAMES)
def test_solver_keeps_the_rules(name: str) -> None:
    check_solver(name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grid": 2}, r"solver\.grid=2, expected at least 4 points"),
        ({"step": 0.0}, r"solver\.step=0\.0, expected a positive time"),
        ({"cfl": -1.0}, r"solver\.cfl=-1\.0, expected a positive number"),
        ({"dtype": "float16"}, r"solver\.dtype='float16', expected"),
    ],
)
def test_wrong_option_is_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Spectral(**options)
