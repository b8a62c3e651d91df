"""Two runs are the same run exactly when task, solver, seed, data and plugin are."""

import json
from pathlib import Path

import pytest

from pdebench.harness import identity

TASK = {"name": "t", "dataset": {"_target_": "d.D", "n": 3}}
SOLVER = {"_target_": "pdebench.baselines.mean.Mean"}


def test_run_id_follows_every_part_and_nothing_else() -> None:
    base = identity.run_id(TASK, SOLVER, 0, "data", "code")
    assert base == identity.run_id(dict(reversed(TASK.items())), SOLVER, 0, "data", "code")
    others = {
        identity.run_id({**TASK, "name": "u"}, SOLVER, 0, "data", "code"),
        identity.run_id(TASK, {**SOLVER, "x": 1}, 0, "data", "code"),
        identity.run_id(TASK, SOLVER, 1, "data", "code"),
        identity.run_id(TASK, SOLVER, 0, "other", "code"),
        identity.run_id(TASK, SOLVER, 0, "data", "other"),
    }
    assert len(others | {base}) == 6


def test_canonical_text_is_plain_json() -> None:
    text = identity.canonical({"b": [1, 2.5, None, True], "a": "µ"})
    assert text == '{"a":"\\u00b5","b":[1,2.5,null,true]}'
    assert json.loads(text)["a"] == "µ"
    with pytest.raises(ValueError, match="JSON compliant"):
        identity.canonical(float("nan"))


def test_targets_are_found_at_every_depth() -> None:
    config = {
        "_target_": "a.A",
        "x": [{"_target_": "b.B"}, {"_target_": "hydra.utils.get_object", "path": "c.f"}],
    }
    assert list(identity.targets(config)) == ["a.A", "b.B", "hydra.utils.get_object", "c.f"]


def test_editing_a_plugin_changes_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_plugin_xyz"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    config = {"_target_": "some_plugin_xyz.Solver"}
    before = identity.plugin_digest(config)
    (package / "net.py").write_text("width = 3\n")
    after = identity.plugin_digest(config)
    assert before != after
    (package / "net.py").write_text("width = 4\n")
    assert identity.plugin_digest(config) not in (before, after)
    assert identity.plugin_digest({"_target_": "torch.nn.Linear"}) == identity.plugin_digest({})


def test_how_data_are_made_is_not_what_they_are() -> None:
    data = {"_target_": "d.D", "n": 3, "workers": None, "progress": True}
    assert identity.data_key(data) == identity.data_key({**data, "workers": 8, "progress": False})
    assert identity.data_key(data) != identity.data_key({**data, "n": 4})
