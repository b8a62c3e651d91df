"""Every solver of the plugin keeps the suite's rules; one that does not apply says why."""

import pytest
from hydra.utils import instantiate

from pdebench.config import compose
from pdebench.errors import ConfigError
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = ("solver.architecture.width=6", "solver.architecture.layers=2")


def test_mgno_keeps_the_rules() -> None:
    check_solver("mgno", *SMALL)


def test_the_published_flow_variant_says_why_it_does_not_apply() -> None:
    """Its residual needs one frame in and one out; a history of ten is refused by number."""
    solver = instantiate(compose(["solver=mgno_ns", *SMALL]).solver, _convert_="all")
    with pytest.raises(ConfigError, match="as many channels out as in, got 10 and 1"):
        solver.build(conformance_tasks()[0].samples("train"))
