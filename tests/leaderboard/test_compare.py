"""``pdebench compare``: numbers against hand calculation, what differs, wrong names."""

import json
from pathlib import Path

import numpy as np
import pytest

from pdebench.errors import ConfigError
from pdebench.harness.store import Store
from pdebench.leaderboard.compare import main, sides
from pdebench.leaderboard.select import select


@pytest.fixture
def records(record):
    return [
        record("fno", (0.1, 0.2, 0.3), seed=0, fit=60.0),
        record("fno", (0.1, 0.2, 0.36), seed=1, fit=80.0),
        record("tfno", (0.2, 0.3, 0.4), seed=0, fit=30.0),
        record("mean", status="failed", reason="it broke"),
    ]


def test_numbers_are_those_of_a_hand_calculation(records) -> None:
    found = sides(select("fno", records), select("tfno", records))
    entry = found["errors"]["relative_l2"]
    a = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.36]]).mean()
    assert entry["a"] == pytest.approx(a)
    assert entry["b"] == pytest.approx(0.3)
    assert entry["difference"]["value"] == pytest.approx(a - 0.3)
    assert entry["difference"]["low"] < a - 0.3 < entry["difference"]["high"]
    assert found["costs"]["fit"] == {"a": 70.0, "b": 30.0, "ratio": pytest.approx(70 / 30)}
    assert found["a"]["seeds"] == [0, 1]
    assert found["cautions"] == []


def test_what_differs_is_listed_and_what_does_not_is_not(record) -> None:
    one, other = record("fno", seed=0), record("fno", seed=0, overrides=("solver.width=8",))
    object.__setattr__(one, "config", {"solver": {"width": 4, "layers": 2}, "seed": 0})
    object.__setattr__(other, "config", {"solver": {"width": 8, "layers": 2}, "seed": 1})
    object.__setattr__(other, "versions", {**one.versions, "torch": "9"})
    found = sides(select(one.id[:8], [one, other]), select(other.id[:8], [one, other]))
    assert found["differs"]["config"] == {"solver.width": ["4", "8"]}
    assert "torch" in found["differs"]["versions"]


def test_rows_of_other_data_are_not_paired(record) -> None:
    one, other = record("fno"), record("tfno")
    other.task["digest"] = "e" * 64
    found = sides(select("fno", [one, other]), select("tfno", [one, other]))
    assert "difference" not in found["errors"]["relative_l2"]
    assert any("different data" in caution for caution in found["cautions"])


def test_devices_are_not_compared_in_time(record) -> None:
    rows = [record("fno"), record("tfno", device="cuda")]
    found = sides(select("fno", rows), select("tfno", rows))
    assert "ratio" not in found["costs"]["fit"]
    assert any("different devices" in caution for caution in found["cautions"])


def test_wrong_names_say_what_there_is(records, record) -> None:
    with pytest.raises(ConfigError, match=r"'fmo' is neither .* did you mean 'fno'"):
        select("fmo", records)
    with pytest.raises(ConfigError, match="has no scores: failed, it broke"):
        select(records[3].id[:10], records)
    several = [*records, record("fno", task="other/task")]
    with pytest.raises(ConfigError, match=r"'fno' has 2 rows .*--task"):
        select("fno", several)
    first = records[0]
    twin = record("fno", created="2027-01-01T00:00:00+00:00")
    object.__setattr__(twin, "id", first.id[:10] + "0" * 54)
    with pytest.raises(ConfigError, match=r"begins 2 run ids: .*give more digits"):
        select(first.id[:10], [first, twin])


def test_command_prints_tables_and_json(records, tmp_path: Path, capsys) -> None:
    store = Store(tmp_path)
    for one in records:
        store.put(one, "cpu")
    assert main(["fno", "tfno", "--store", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["errors"]["relative_l2"]["b"] == pytest.approx(0.3)
    assert main(["fno", "tfno", "--store", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "relative_l2" in shown and "parameters" in shown


def test_seeds_set_on_the_command_line_are_one_row(record) -> None:
    rows = [record("fno", seed=s, overrides=("solver.width=8", f"seed={s}")) for s in (0, 1)]
    for row in rows:
        object.__setattr__(row, "config", {"solver": {"width": 8}})
    chosen = select("fno", rows)
    assert [r.seed for r in chosen.records] == [0, 1]
    assert chosen.label.startswith("fno solver.width=8 on ")
