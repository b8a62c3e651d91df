"""``pdebench list``: what is installed, from the names of files alone; nothing heavy is
imported.
"""

import argparse
import json
import sys
import warnings

from pdebench import plugins
from pdebench.paths import default_data, default_store

_TITLES = {
    "solver": "solvers",
    "task": "tasks",
    "dataset": "data sets",
    "track": "tracks",
    "metric": "metrics",
    "experiment": "experiments",
    "logger": "loggers",
    "sweep": "ways to sweep",
}


def main(argv: list[str]) -> int:
    """Print every choice with the plugin that ships it, and what is quarantined."""
    parser = argparse.ArgumentParser(
        prog="pdebench list",
        description="What can be chosen on the command line, and which plugin ships it.",
    )
    parser.add_argument("group", nargs="?", choices=plugins.GROUPS, help="show only this group")
    parser.add_argument(
        "--paths", action="store_true", help="where records and data live by default"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--names", action="store_true", help="print names alone, one a line")
    options = parser.parse_args(argv)
    if options.paths:
        sys.stdout.write(f"store {default_store()}\ndata  {default_data()}\n")
        return 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quarantine is listed below, once
        found = plugins.catalog()
    chosen = [choice for choice in found.values() if options.group in (None, choice.group)]
    if options.names:
        sys.stdout.write("".join(f"{choice.name}\n" for choice in chosen))
        return 0
    ill = {plugin.distribution: plugin.error for plugin in plugins.discover() if plugin.error}
    sys.stdout.write(_as_json(chosen, ill) if options.json else _as_text(chosen, ill))
    return 0


def _as_json(chosen: list[plugins.Choice], ill: dict[str, str]) -> str:
    listed = [
        {"group": c.group, "name": c.name, "plugin": c.plugin.distribution, "summary": c.summary}
        for c in chosen
    ]
    return json.dumps({"choices": listed, "quarantined": ill}, indent=2) + "\n"


def _as_text(chosen: list[plugins.Choice], ill: dict[str, str]) -> str:
    lines: list[str] = []
    width = max((len(choice.name) for choice in chosen), default=0)
    origin = max((len(choice.plugin.distribution) for choice in chosen), default=0)
    for group, title in _TITLES.items():
        rows = sorted((c for c in chosen if c.group == group), key=lambda c: c.name)
        if not rows:
            continue
        lines.append(f"{title} ({group}=...)")
        lines += [
            f"  {c.name:<{width}}  {c.plugin.distribution:<{origin}}  {c.summary}".rstrip()
            for c in rows
        ]
        lines.append("")
    if ill:
        lines.append("quarantined plugins")
        lines += [f"  {name}: {reason}" for name, reason in ill.items()]
        lines.append("")
    return "\n".join(lines)
