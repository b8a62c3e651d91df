"""Every configuration of the plugin keeps the suite's rules; wrong options are named."""

import pytest
from pdebench_spectral.large_eddy import LargeEddy
from pdebench_spectral.solver import Spectral
from pdebench_turbulence.isotropic import Isotropic

from pdebench import plugins
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver

NAMES = sorted(
    name
    for (group, name), choice in plugins.catalog().items()
    if group == "solver" and choice.plugin.package == "pdebench_spectral"
)
VELOCITY = [name for name in NAMES if name.startswith(("les_", "coarse_dns"))]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Task:
    counts = {"train": 1, "valid": 1, "test": 5}
    data = Isotropic(0.1, 22, 8, 2, 0.05, 0.0, counts, LargeEddy(), workers=1)
    data.prepare(tmp_path_factory.mktemp("isotropic"))
    return Task("box", data, (relative_l2,))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in VELOCITY])
def test_solver_keeps_the_rules(name: str) -> None:
    check_solver(name)


@pytest.mark.parametrize("name", VELOCITY)
def test_velocity_solver_keeps_the_rules(name: str, box: Task) -> None:
    check_solver(name, tasks=(box,))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grid": 2}, r"solver\.grid=2, expected at least 4 points"),
        ({"cells": 0.5}, r"solver\.cells=0\.5: a filter narrower than the grid"),
        ({"cfl": 2.0}, r"solver\.cfl=2\.0"),
        ({"dtype": "float16"}, r"solver\.dtype='float16', expected"),
    ],
)
def test_wrong_option_of_the_velocity_solver_is_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        LargeEddy(**options)


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
