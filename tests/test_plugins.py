"""A broken plugin costs itself, never the suite; two plugins never share a name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEALTHY = "# Does nothing\n_target_: pdebench.baselines.mean.Mean\n"


def distribution(root: Path, name: str, package: str, init: str = "") -> Path:
    """Write a distribution as pip would leave it in site-packages."""
    info = root / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pdebench]\nx = {package}\n")
    (root / package / "conf" / "solver").mkdir(parents=True)
    (root / package / "__init__.py").write_text(init)
    return root / package


def listed(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pdebench", *arguments],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plugin_that_raises_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    distribution(tmp_path, "broken-plugin", "broken_plugin", "raise RuntimeError('no licence')")
    good = distribution(tmp_path, "good-plugin", "good_plugin")
    (good / "conf" / "solver" / "good.yaml").write_text(HEALTHY)
    done = listed(tmp_path, "list", "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["quarantined"] == {"broken-plugin": "RuntimeError: no licence"}
    assert any(c["name"] == "good" and c["plugin"] == "good-plugin" for c in content["choices"])
    text = listed(tmp_path, "list").stdout
    assert "quarantined plugins" in text and "no licence" in text


def test_a_missing_solver_mentions_the_quarantine(tmp_path: Path) -> None:
    distribution(tmp_path, "broken-plugin", "broken_plugin", "import not_installed_anywhere")
    done = listed(tmp_path, "run", "solver=broken")
    assert done.returncode == 2
    assert "Quarantined plugins: broken-plugin" in done.stderr
    assert "not_installed_anywhere" in done.stderr


def test_two_plugins_with_one_name_are_refused(tmp_path: Path) -> None:
    for number in ("one", "two"):
        package = distribution(tmp_path, f"plugin-{number}", f"plugin_{number}")
        (package / "conf" / "solver" / "same.yaml").write_text(HEALTHY)
    done = listed(tmp_path, "list")
    assert done.returncode == 2
    assert "'solver/same' is shipped by plugin_one.conf and plugin_two.conf" in done.stderr


def test_names_for_scripts() -> None:
    done = listed(Path(), "list", "solver", "--names")
    names = done.stdout.split()
    assert done.returncode == 0 and {"mean", "persistence", "spectral", "fno"} <= set(names)


@pytest.mark.parametrize("group", ["solver", "task", "dataset", "metric", "track"])
def test_every_choice_has_a_summary(group: str) -> None:
    choices = json.loads(listed(Path(), "list", group, "--json").stdout)["choices"]
    assert choices
    assert [c["name"] for c in choices if len(c["summary"].split()) < 3] == []
