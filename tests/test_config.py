"""Configurations compose, and wrong ones are refused with the key as typed."""

import pytest

from pdebench import plugins
from pdebench.config import alternatives, check_types, checked_overrides, compose
from pdebench.errors import ConfigError

WRONG_CHOICES = [
    (["solver=persistance"], r"solver=persistance is unknown; did you mean 'persistence'\?"),
    (["task=navier_stokes/evolv"], r"did you mean 'navier_stokes/evolve'\?"),
    (["track=tny"], r"did you mean 'tiny'\?"),
    (["solver=mean,spectrl"], r"did you mean 'spectral'\?"),
    (["logger=csvs"], r"did you mean 'csv'\?"),
]


@pytest.mark.parametrize(("overrides", "said"), WRONG_CHOICES)
def test_unknown_choice_names_the_nearest(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked_overrides(overrides)


def test_sweeps_and_functions_are_left_to_hydra() -> None:
    assert alternatives("a, 'b' ,c") == ["a", "b", "c"]
    assert alternatives("choice(a,b)") == alternatives("null") == alternatives("") == []


def test_experiment_needs_no_plus() -> None:
    assert checked_overrides(["experiment=fno/navier_stokes"]) == ["+experiment=fno/navier_stokes"]


@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_track_chooses_data_and_budget(track: str) -> None:
    config = compose([f"track={track}", "task=navier_stokes/evolve_1e-4"])
    assert config.task.dataset.viscosity == 1e-4
    assert config.task.budget.epochs == config.track.budget.epochs


@pytest.mark.parametrize("name", [n for g, n in plugins.catalog() if g == "solver"])
def test_every_solver_composes(name: str) -> None:
    assert "_target_" in compose([f"solver={name}"]).solver


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"unroll": "abc"}, r"solver\.unroll='abc', expected an integer or null"),
        ({"unroll": 1.5}, r"solver\.unroll=1\.5, expected"),
        ({"increment": 1}, r"solver\.increment=1, expected true or false"),
        ({"unrol": 3}, r"solver\.unrol is no argument of .*did you mean 'unroll'"),
    ],
)
def test_wrong_type_names_the_key(config: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_types({"_target_": "pdebench.learning.Rollout"} | config, "solver")


def test_wrong_target_is_named() -> None:
    with pytest.raises(ConfigError, match=r"solver\._target_='nowhere\.Net' cannot be loaded"):
        check_types({"_target_": "nowhere.Net"}, "solver")
