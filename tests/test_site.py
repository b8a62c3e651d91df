"""The documentation builds without a warning, has its pages, and needs no network."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ("mkdocs", "material", "mkdocstrings_handlers")
missing = [name for name in NEEDED if find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"not installed: {', '.join(missing)}; 'make docs' installs the extra"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_every_family_and_data_set_has_its_page(site: Path) -> None:
    for readme in ROOT.glob("plugins/*/README.md"):
        text = (site / "families" / f"{readme.parent.name}.html").read_text()
        assert readme.read_text().splitlines()[0].removeprefix("# ") in text
        for config in readme.parent.glob("*/conf/solver/*.yaml"):
            assert f"solver={config.stem}</code>" in text
    for config in ROOT.glob("datasets/*/*/conf/dataset/**/tiny.yaml"):
        name = config.parent.as_posix().partition("/conf/dataset/")[2]
        text = (site / "data_sets" / f"{name}.html").read_text()
        assert f"dataset={name}/tiny</code>" in text and "Reference:" in text


def test_the_reference_comes_from_docstrings(site: Path) -> None:
    text = (site / "reference" / "solvers.html").read_text()
    assert 'id="pdebench.solver.Solver.solve"' in text
    assert "A method that answers problems." in text


def test_nothing_is_fetched_and_no_link_leads_nowhere(site: Path) -> None:
    lost = []
    for page in site.rglob("*.html"):
        if page.name == "404.html" or page == site / page.relative_to(site).parts[0] / "index.html":
            continue  # 404 has absolute links; boards have tests of their own
        text = re.sub(r"<pre>.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r'(?:src|srcset)="https?://', text), page
        assert not re.search(r"<link[^>]*href=\"https?://", text), page
        for target in re.findall(r'(?:href|src)="([^"#?]+)', text):
            if ":" not in target and not (page.parent / unquote(target)).exists():
                lost.append(f"{page.relative_to(site)}: {target}")
    assert lost == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_search_works_from_a_disk(site: Path, tmp_path: Path) -> None:
    page = (site / "data_sets" / "navier_stokes" / "forced.html").as_uri()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    command = ["chromium", *flags, "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"{page}?q=viscosity"], capture_output=True, text=True, check=True, timeout=120
    )
    assert "matching documents" in done.stdout
