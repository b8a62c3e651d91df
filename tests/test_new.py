"""A plugin written by ``pdebench new`` works before it is edited."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdebench.cli.new import KINDS, write
from pdebench.errors import ConfigError

pytest.importorskip("copier")


SLOW = [pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "solver"]


@pytest.mark.parametrize("kind", ["solver", *SLOW])
def test_a_new_plugin_installs_and_passes_its_tests(kind: str, tmp_path: Path) -> None:
    made = write(kind, "my_first", tmp_path)
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--no-build-isolation", "--target", str(site), str(made)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = os.environ | {"PYTHONPATH": str(site)}
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made)]
    done = subprocess.run(test, capture_output=True, text=True, cwd=made, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "{{" not in "".join(
        f.read_text() for f in made.rglob("*.*") if f.suffix in (".py", ".yaml")
    )
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        rules = ["--isolated", "--select", "E,F,I,B,UP,RUF", "--line-length", "100"]
        subprocess.run([str(ruff), "check", "--no-cache", *rules, str(made)], check=True)


@pytest.mark.parametrize("name", ["My", "a-b", "class", "../x", ""])
def test_names_that_are_no_package_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a lower-case Python name"):
        write("solver", name, tmp_path)


def test_an_existing_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="exists; choose another name"):
        write("solver", "mine", tmp_path)
