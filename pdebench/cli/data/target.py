"""What ``NAME|PATH [key=value ...]`` means: a data set by its configuration, or a file."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from pdebench import plugins
from pdebench.errors import ConfigError, DataError
from pdebench.harness import data as prepared
from pdebench.paths import default_data

if TYPE_CHECKING:
    from pdebench.dataset import Dataset
    from pdebench.formats.contents import Contents


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments that all sub-commands share."""
    made = argparse.ArgumentParser(
        prog=f"pdebench data {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("target", metavar="NAME|PATH", help="a data set, or a file or folder")
    made.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="changes of the configuration, such as dataset.counts.train=8",
    )
    made.add_argument("--data", type=Path, default=None, help="folder of data sets")
    return made


@final
@dataclass(frozen=True)
class Target:
    """A data set and where it lies."""

    name: str
    config: dict[str, Any]
    root: Path

    @property
    def imported(self) -> bool:
        """Whether this is a file of the user's."""
        return "path" in self.config

    @property
    def folder(self) -> Path:
        """The data set's folder."""
        return prepared.folder_of(self.root, self.config)

    @cached_property
    def dataset(self) -> "Dataset":
        """The data set, not yet prepared."""
        from pdebench.harness.run import build

        return build(self.config, "dataset")

    def prepare(self) -> str:
        """Make what is missing and return the digest."""
        return prepared.prepare(self.root, self.config, self.dataset)

    def require_made(self) -> str:
        """Return the digest. Raises DataError where the data set has not been made."""
        if not self.imported and not list(self.folder.glob("*.h5")):
            raise DataError(
                f"{self.name} is not made in '{self.root}'; make it: pdebench data make {self.name}"
            )
        return self.prepare()

    def parts(self) -> "list[tuple[str, Contents]]":
        """Return (split, contents) of everything stored."""
        from pdebench.formats.detect import contents

        if self.imported:
            found = contents(self.config["path"], layout=self.config.get("layout"))
            return [(split, found) for split in found.splits]
        return [(split, contents(str(self.folder), split)) for split in self.dataset.card.splits]


def target(options: argparse.Namespace) -> Target:
    """Return what the arguments name. Raises ConfigError for what is neither a name nor a path."""
    root = options.data or default_data()
    name = str(options.target)
    if ("dataset", name) not in plugins.catalog() and (Path(name).exists() or "://" in name):
        name, config = _path(name, options.overrides)
    else:
        config = _named(name, options.overrides)
    return Target(name, config, root)


def _path(path: str, overrides: list[str]) -> tuple[str, dict[str, Any]]:
    import os

    where = path if "://" in path else os.path.abspath(path)
    return path, _named("imported", [*overrides, f"dataset.path={_quoted(where)}"])


def _quoted(path: str) -> str:
    """A path as Hydra's grammar wants it, whatever characters it has."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _named(name: str, overrides: list[str]) -> dict[str, Any]:
    from omegaconf import OmegaConf

    from pdebench.config import compose

    plugins.require("dataset", name)
    wrong = [o for o in overrides if "=" not in o or not o.lstrip("+~").startswith("dataset.")]
    if wrong:
        raise ConfigError(
            f"'{wrong[0]}' changes nothing of the data set, expected dataset.KEY=VALUE"
        )
    task = ["task=imported/evolve"] if name == "imported" else [f"dataset={name}"]
    config = OmegaConf.to_container(compose([*task, *overrides]).dataset, resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}
