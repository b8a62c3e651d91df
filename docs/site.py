"""MkDocs hook: pages made at build time from texts that stand elsewhere in the repository.

READMEs become the pages of families, of data sets and of the home; cards and configurations their
lower halves; boards are copied whole; the reference is made of docstrings. Nothing is
written twice. Links between those texts become links between pages; one to a file that is no page
becomes the file's name.
"""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from omegaconf import OmegaConf

from pdebench.config import compose
from pdebench.dataset import Dataset

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
API = {
    "Solvers": ["solver", "learning", "wrap"],
    "Problems": ["problem", "domain", "equation", "equations", "samples"],
    "Data sets": ["dataset", "generated", "formats"],
    "Tasks and metrics": ["task", "metric", "metrics", "statistics"],
    "Running": ["notebook", "harness", "cost"],
    "Spectral tools": ["spectral", "chebyshev"],
}
GROUPS = ("task", "metric", "track", "sweep", "logger")


def sources() -> dict[str, Path]:
    """Return page -> file of the repository for every page that is a file."""
    found = {"index.md": ROOT / "README.md", "contributing.md": ROOT / "CONTRIBUTING.md"}
    found |= {f.relative_to(ROOT / "docs").as_posix(): f for f in (ROOT / "docs").rglob("*.*")}
    for kind, place in (("plugins", "families"), ("datasets", "data_sets")):
        found |= {f"{place}/{f.parent.name}.md": f for f in ROOT.glob(f"{kind}/*/README.md")}
    for file in sorted((ROOT / "leaderboards").rglob("*")):
        if file.suffix in (".md", ".svg", ".html", ".png"):
            page = file.relative_to(ROOT).as_posix()
            found[page.replace("/README.md", "/study.md")] = file
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the generated pages to the navigation."""
    # brackets in formulas of docstrings are no references; those that are meant are links
    logging.getLogger("mkdocs.plugins.mkdocs_autorefs").setLevel(logging.ERROR)
    pages, nav = sources(), config.nav
    assert nav is not None
    boards = ["leaderboards/index.md", {"Claims": "leaderboards/claims.md"}]
    for page in pages:
        if page.startswith("leaderboards/") and page.endswith(".md") and "claims" not in page:
            boards.append({page[len("leaderboards/") : -len(".md")]: page})
    nav.append({"Boards": boards})
    nav.append({"Families": [p for p in sorted(pages) if p.startswith("families/")]})
    sets: list[Any] = []
    for page in (p for p in sorted(pages) if p.startswith("data_sets/")):
        family = Path(page).stem
        sets.append({family: [page, *(f"data_sets/{name}.md" for name in cards_of(family))]})
    nav.append({"Data sets": sets})
    classes = [{title: f"reference/{_slug(title)}.md"} for title in API]
    options = [{f"{group}=": f"reference/{group}_options.md"} for group in GROUPS]
    nav.append({"Reference": [*classes, *options]})
    nav.append({"Contributing": "contributing.md"})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages and the boards."""
    docs = ROOT / "docs"
    for page, file in sources().items():
        if docs in file.parents:
            continue
        if file.suffix != ".md":
            files.append(File.generated(config, page, content=file.read_bytes()))
            continue
        text = file.read_text(encoding="utf-8")
        if page.startswith("families/"):
            text += "\n" + family_options(file.parent)
        files.append(File.generated(config, page, content=text))
    for page, text in generated():
        files.append(File.generated(config, page, content=text))
    return files


def generated() -> Iterator[tuple[str, str]]:
    """Yield page and text of what has no Markdown of its own."""
    yield "leaderboards/index.md", boards()
    for folder in sorted(ROOT.glob("datasets/*/")):
        for name, files in cards_of(folder.name).items():
            yield f"data_sets/{name}.md", card(name, files)
    for title, modules in API.items():
        yield f"reference/{_slug(title)}.md", api(title, modules)
    for group in GROUPS:
        yield f"reference/{group}_options.md", group_options(group)


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Turn links of the repository into links of the site."""
    known = sources()
    source = known.get(page.file.src_uri)
    if source is None:
        return markdown
    pages = {file: name for name, file in known.items()}
    here = os.path.dirname(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or not path or target.startswith("mailto:"):
            return match.group()
        found = pages.get((source.parent / path).resolve())
        if found is None:
            return text
        return f"{mark}[{text}]({os.path.relpath(found, here or '.')}{hash_}{anchor})"

    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Give formulas such as [u](y), which Markdown takes for links, their look again."""
    return re.sub(r'<a href="(\w+)">(.*?)</a>', r"[\2](\1)", html)


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """Put our script in place of the one that the theme would fetch from elsewhere."""
    ours = f'<script src="{"../" * page.url.count("/")}worker.js"></script>'
    return re.sub(r'<script src="https?://[^"]*"></script>', ours, output)


def first_sentence(file: Path) -> str:
    """Return the comment that opens a configuration, which the lists print."""
    lines = (
        line for line in file.read_text(encoding="utf-8").splitlines() if "@package" not in line
    )
    return next(lines).removeprefix("#").strip()


def yaml(file: Path, heading: str) -> str:
    """Return a configuration as a section, its opening sentence as text."""
    text = file.read_text(encoding="utf-8")
    return f"{heading}\n\n{first_sentence(file)}\n\n```yaml\n{text.rstrip()}\n```\n"


def family_options(folder: Path) -> str:
    """Return the sections on every solver and experiment that a plugin ships."""
    parts = []
    for kind, title in (
        ("solver", "Options"),
        ("experiment", "Experiments"),
        ("logger", "Options"),
    ):
        (place,) = folder.glob("*/conf")
        found = sorted((place / kind).rglob("*.yaml"))
        parts += [f"## {title}\n"] * bool(found)
        for file in found:
            name = file.relative_to(place / kind).with_suffix("").as_posix()
            parts.append(yaml(file, f"### `{kind}={name}`"))
    return "\n".join(parts)


def cards_of(family: str) -> dict[str, list[Path]]:
    """Return data set -> its configurations by track, of one distribution."""
    found: dict[str, list[Path]] = defaultdict(list)
    for place in ROOT.glob(f"datasets/{family}/*/conf/dataset"):
        for file in sorted(
            place.rglob("*.yaml"), key=lambda f: ("tiny small paper".find(f.stem), f)
        ):
            found[file.parent.relative_to(place).as_posix()].append(file)
    return dict(sorted(found.items()))


def loaded(name: str, file: Path) -> Dataset:
    """Return a data set; those made of others need Hydra."""
    config = OmegaConf.load(file)
    if "defaults" in config:
        config = compose([f"dataset={name}/{file.stem}"]).dataset
    return instantiate(config, _convert_="all")


def card(name: str, files: list[Path]) -> str:
    """Return the page of a data set: its card, sizes by track, its configurations."""
    made = {file.stem: loaded(name, file).card for file in files}
    first = next(iter(made.values()))
    lines = [f"# {name}", "", f"{first.summary}.", "", f"    {first.equation}", ""]
    lines += [f"Reference: {first.reference}.", "", f"How: {first.how}.", ""]
    lines += ["| field | unit |", "| --- | --- |"]
    lines += [f"| {field} | {unit} |" for field, unit in first.units.items()]
    lines += ["", f"| split | {' | '.join(made)} | what changes |"]
    lines += [f"| --- |{' ---: |' * len(made)} --- |"]
    for split in dict.fromkeys(s for c in made.values() for s in c.splits):
        counts = " | ".join(str(c.splits.get(split, "")) for c in made.values())
        lines.append(f"| {split} | {counts} | {first.shifts.get(split, '')} |")
    lines += ["", f"    pdebench data make {name}/tiny", f"    pdebench data info {name}/tiny", ""]
    return "\n".join([*lines, *(yaml(file, f"## `dataset={name}/{file.stem}`") for file in files)])


def boards() -> str:
    """Return the list of the committed boards."""
    lines = ["# Boards", "", "Made by `pdebench board`; each page opens without a network.", ""]
    for file in sorted((ROOT / "leaderboards").glob("*/index.html")):
        title = re.search(r"<title>(.*?)</title>", file.read_text(encoding="utf-8"))
        name = title.group(1) if title else file.parent.name
        lines.append(f"- [{name}]({file.parent.name}/index.html)")
    return "\n".join([*lines, "", "[The ledger of claims](claims.md) reads them.", ""])


def api(title: str, modules: list[str]) -> str:
    """Return a page of classes and functions; packages give one section a module."""
    lines = [f"# {title}", ""]
    for module in modules:
        folder = ROOT / "pdebench" / module
        names = [module]
        if folder.is_dir():
            names = [f"{module}.{f.stem}" for f in sorted(folder.glob("*.py")) if f.stem[0] != "_"]
        for name in names:
            lines += [f"## pdebench.{name}", "", f"::: pdebench.{name}", "    options:"]
            lines += ["      heading_level: 3", ""]
    return "\n".join(lines)


def group_options(group: str) -> str:
    """Return the table of one configuration group over all distributions, with every file."""
    found: Mapping[str, Path] = {
        file.relative_to(place).with_suffix("").as_posix(): file
        for place in (ROOT / "conf" / group, *ROOT.glob(f"*/*/*/conf/{group}"))
        for file in sorted(place.rglob("*.yaml"))
    }
    lines = [f"# {group}=", "", "| name | |", "| --- | --- |"]
    lines += [f"| `{n}` | {first_sentence(f)} |".replace("||", "\\|") for n, f in found.items()]
    if group in ("task", "track", "sweep"):
        lines += ["", *(yaml(file, f"## `{group}={name}`") for name, file in found.items())]
    return "\n".join(lines)


def _slug(title: str) -> str:
    return title.lower().replace(" ", "_")
