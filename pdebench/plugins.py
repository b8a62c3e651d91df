"""Which distributions are plugins, what configurations they ship, and which of them are
quarantined.

A plugin is a distribution with an entry point of group ``pdebench`` whose value is its package.
``<package>/conf`` joins the configuration search path. Nothing here imports torch or a solver
module: a plugin package's ``__init__`` is light.
"""

import difflib
import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import final

import pluggy

from pdebench import hookspecs
from pdebench.errors import ConfigError, PluginError

GROUP = "pdebench"
GROUPS = ("solver", "dataset", "task", "track", "metric", "experiment", "logger", "sweep")


@final
@dataclass(frozen=True)
class Plugin:
    """One plugin: its ``package``, ``distribution`` and ``version``, its ``folder``, and why it is
    quarantined.
    """

    package: str
    distribution: str
    version: str
    folder: Path
    error: str | None = None

    @property
    def conf(self) -> Path:
        """The folder of configurations, which may be absent."""
        return self.folder / "conf"


@final
@dataclass(frozen=True)
class Choice:
    """One configuration: ``group`` and ``name`` as typed (``solver=fno``), its file and the plugin
    that ships it.
    """

    group: str
    name: str
    file: Path
    plugin: Plugin

    @property
    def summary(self) -> str:
        """The sentence in the file's first comment line (after Hydra's package line, if any)."""
        with self.file.open(encoding="utf-8") as stream:
            for line in stream:
                if not line.startswith("#"):
                    return ""
                if not line.startswith("# @package"):
                    return line.removeprefix("#").strip()
        return ""


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"no package named '{package}'")
    return Path(next(iter(spec.submodule_search_locations)))


def _load(entry: EntryPoint) -> Plugin:
    distribution = entry.dist.name if entry.dist else "?"
    version = entry.dist.version if entry.dist else "?"
    try:
        folder = _folder(entry.value)
        importlib.import_module(entry.value)
    except Exception as error:  # any failure of foreign code is quarantined, whatever its type
        reason = f"{type(error).__name__}: {error}"
        warnings.warn(f"plugin '{distribution}' is quarantined: {reason}", stacklevel=2)
        return Plugin(entry.value, distribution, version, Path(), reason)
    return Plugin(entry.value, distribution, version, folder)


@cache
def core() -> Plugin:
    """The suite itself: built-ins are a plugin too."""
    from pdebench import __version__

    folder = Path(__file__).parent
    conf = folder / "conf"
    # An editable install maps pdebench.conf to the conf folder at the root of the checkout.
    return Plugin(
        "pdebench", "pdebench-suite", __version__, folder if conf.is_dir() else folder.parent
    )


@cache
def discover() -> tuple[Plugin, ...]:
    """All plugins, the suite first, quarantined ones included (their ``error`` says why)."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.value)
    return (core(), *(_load(entry) for entry in found))


def healthy() -> tuple[Plugin, ...]:
    """The plugins that loaded."""
    return tuple(plugin for plugin in discover() if plugin.error is None)


def _choices(plugin: Plugin) -> Iterator[Choice]:
    for group in GROUPS:
        root = plugin.conf / group
        for file in sorted(root.rglob("*.yaml")):
            yield Choice(group, file.relative_to(root).with_suffix("").as_posix(), file, plugin)


@cache
def catalog() -> dict[tuple[str, str], Choice]:
    """All configurations by (group, name).

    Raises PluginError where two plugins ship the same name: Hydra would silently take one of them.
    """
    found: dict[tuple[str, str], Choice] = {}
    for plugin in healthy():
        for choice in _choices(plugin):
            other = found.setdefault((choice.group, choice.name), choice)
            if other is not choice:
                raise PluginError(
                    f"'{choice.group}/{choice.name}' is shipped by {other.plugin.package}.conf and "
                    f"{plugin.package}.conf; rename one of the two files"
                )
    return found


def names(group: str) -> list[str]:
    """Names that ``group=...`` accepts, sorted."""
    return sorted(name for kind, name in catalog() if kind == group)


def nearest(word: str, known: list[str]) -> str:
    """Return "; did you mean 'x'?" for the known name closest to ``word``, else "."."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else "."


def require(group: str, name: str) -> Choice:
    """Return the choice, or raise ConfigError naming the nearest valid one and any quarantined
    plugins.
    """
    choice = catalog().get((group, name))
    if choice is not None:
        return choice
    known = names(group)
    ill = [f"{p.distribution} ({p.error})" for p in discover() if p.error]
    raise ConfigError(
        f"{group}={name} is unknown{nearest(name, known)} Known: {', '.join(known) or 'none'}."
        + (f" Quarantined plugins: {'; '.join(ill)}." if ill else "")
    )


@cache
def manager() -> pluggy.PluginManager:
    """The pluggy manager with every healthy plugin's hooks registered."""
    made = pluggy.PluginManager(hookspecs.PROJECT)
    made.add_hookspecs(hookspecs)
    for plugin in healthy():
        made.register(importlib.import_module(plugin.package), name=plugin.package)
    return made
