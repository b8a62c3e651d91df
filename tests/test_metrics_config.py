"""Every metric can be named in a configuration."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate

from pdebench.metric import Metric

FILES = sorted((Path(__file__).parents[1] / "conf" / "metric").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_file_describes_and_builds_its_metric(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    built = instantiate(yaml.safe_load(text))
    assert isinstance(built, Metric) and built.short.startswith(path.stem)


def test_all_families_are_there():
    assert len(FILES) >= 60
