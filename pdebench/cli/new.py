"""``pdebench new``: a plugin to start from, whose tests pass before it is edited."""

import argparse
import keyword
import re
import sys
from pathlib import Path

from pdebench.errors import ConfigError

_TEMPLATES = Path(__file__).parents[1] / "templates"
KINDS = ("solver", "dataset", "metric")


def main(argv: list[str]) -> int:
    """Write one distribution; return 0."""
    parser = argparse.ArgumentParser(
        prog="pdebench new",
        description="Write a plugin (Copier template, offline) that works as it is: install it, "
        "run its tests, then replace its body by your method.",
        epilog="example: pdebench new solver my_net && pip install -e my_net && pytest my_net",
    )
    parser.add_argument("kind", choices=KINDS, help="what the plugin brings")
    parser.add_argument("name", help="lower-case Python name, such as my_net")
    parser.add_argument("--into", default=".", help="folder in which to write (default: here)")
    options = parser.parse_args(argv)
    made = write(options.kind, options.name, Path(options.into))
    sys.stdout.write(
        f"{made}: pip install -e {made} && python -m pytest {made} && "
        f"pdebench check {options.kind}={_choice(options.kind, options.name)}\n"
    )
    return 0


def write(kind: str, name: str, into: Path) -> Path:
    """Write the plugin ``name`` of ``kind`` below ``into`` and return its folder.

    Raises ConfigError for a name that is no lower-case identifier and for a folder that exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(f"'{name}', expected a lower-case Python name such as my_net")
    target = into / name
    if target.exists():
        raise ConfigError(f"'{target}' exists; choose another name, or --into another folder")
    try:
        import copier
    except ModuleNotFoundError as error:
        raise ConfigError("pdebench new needs copier; pip install 'pdebench-suite[new]'") from error
    answers = {"name": name, "title": "".join(part.title() for part in name.split("_"))}
    copier.run_copy(str(_TEMPLATES / kind), str(target), data=answers, defaults=True, quiet=True)
    return target


def _choice(kind: str, name: str) -> str:
    return f"{name}/waves/tiny" if kind == "dataset" else name
