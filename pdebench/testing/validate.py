"""Run the validations of a checkout and assemble their page.

    python -m pdebench.testing.validate [WORD ...] [--list] [--assemble] [--root .]

Modules are found by their place (see `pdebench.testing.validation`); words choose those whose name,
such as ``turbulence/taylor_green``, holds one of them. Each leaves docs/validation/<name>.json and
pictures at once, so that a run that is stopped keeps what is done; docs/validation.md is assembled
from all that are there.
"""

import argparse
import importlib.util
import json
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from pdebench.atomic import write_atomically
from pdebench.testing.drawing import draw
from pdebench.testing.validation import Section

_HEAD = """# Validation of the reference data

Our solvers beside exact solutions, laws and published figures. Made by `make validate`; one subject
alone: `make validate ONLY=turbulence/taylor_green`.
"""


def found(root: Path) -> dict[str, Path]:
    """Return name -> file of every validation module of a checkout."""
    files = sorted(root.glob("plugins/*/validation/*.py"))
    files += sorted(root.glob("datasets/*/validation/*.py"))
    return {f"{file.parents[1].name}/{file.stem}": file for file in files}


def run(name: str, file: Path) -> tuple[Section, float]:
    """Return what a module's ``validate()`` found, and its seconds."""
    spec = importlib.util.spec_from_file_location(f"validation_{name.replace('/', '_')}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    began = time.perf_counter()
    section = module.validate()
    return section, time.perf_counter() - began


def store(name: str, section: Section, seconds: float, folder: Path) -> None:
    """Write the section's figures and pictures."""
    stem = name.replace("/", "_")
    for picture in section.pictures:
        write_atomically(folder / f"{stem}_{picture.name}.svg", draw(picture))
    content = {"name": name, "seconds": round(seconds, 1), **section.to_json()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_atomically(folder / f"{stem}.json", text.encode())


def page(folder: Path, names: Iterable[str]) -> str:
    """Return docs/validation.md from the stored sections of the modules that there are."""
    files = [folder / f"{name.replace('/', '_')}.json" for name in sorted(names)]
    stored = [json.loads(f.read_text(encoding="utf-8")) for f in files if f.exists()]
    rows = [row for section in stored for row in section["rows"]]
    agreeing = sum(row["agrees"] for row in rows)
    parts = [_HEAD, f"{agreeing} of {len(rows)} figures are where they are expected.\n"]
    return "\n".join(parts + [_section(section, folder.name) for section in stored])


def _section(section: dict[str, Any], folder: str) -> str:
    stem = section["name"].replace("/", "_")
    lines = [
        f"## {section['title']}\n",
        section["summary"] + "\n",
        "| quantity | ours | expected | verdict | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in section["rows"]:
        verdict = "agrees" if row["agrees"] else "**differs**"
        cells = (row["quantity"], f"{row['ours']:.5g}", row["expected"], verdict, row["source"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines.append("")
    for picture in section["pictures"]:
        lines.append(f"![{picture['title']}]({folder}/{stem}_{picture['name']}.svg)\n")
    if section["remarks"]:
        lines.append(section["remarks"] + "\n")
    lines.append(f"`make validate ONLY={section['name']}`, {section['seconds']:.0f} s.\n")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run, store, assemble; return 1 where a figure differs or a module failed."""
    parser = argparse.ArgumentParser(description="Validate the reference data of this checkout.")
    parser.add_argument("words", nargs="*", help="run what holds one of these; all by default")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout")
    parser.add_argument("--list", action="store_true", help="list the validations and stop")
    parser.add_argument("--assemble", action="store_true", help="only write the page")
    given = parser.parse_args(arguments)
    folder, console = given.root / "docs" / "validation", Console(stderr=True)
    modules = found(given.root)
    chosen = {
        name: file
        for name, file in modules.items()
        if not given.words or any(word in name for word in given.words)
    }
    if not chosen:
        console.print(f"no validation holds {given.words}; there are {', '.join(modules)}")
        return 2
    if given.list:
        console.print("\n".join(chosen))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    good = True
    for name, file in {} if given.assemble else chosen.items():
        good = _one(name, file, folder, console) and good
    write_atomically(folder.with_suffix(".md"), page(folder, modules).encode())
    return 0 if good else 1


def _one(name: str, file: Path, folder: Path, console: Console) -> bool:
    with console.status(f"{name} ..."):
        try:
            section, seconds = run(name, file)
        except Exception:
            console.print(f"{name}: failed\n{traceback.format_exc()}", highlight=False)
            return False
    store(name, section, seconds, folder)
    agreeing = sum(row.agrees for row in section.rows)
    console.print(f"{name}: {agreeing} of {len(section.rows)} agree, {seconds:.0f} s")
    return section.agrees


if __name__ == "__main__":
    sys.exit(main())
