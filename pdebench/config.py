"""Composition of configurations: Hydra with every plugin's ``conf`` on its search path, and early,
clear refusals.
"""

import inspect
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig

from pdebench import plugins
from pdebench.errors import ConfigError


class PdebenchSearchPath(SearchPathPlugin):
    """Adds the ``conf`` folder of every healthy plugin; registered by us, so other Hydra programs
    are untouched.

    Folders rather than ``pkg://`` names: Hydra then neither imports a plugin nor asks for an
    ``__init__.py`` among YAML.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for plugin in plugins.healthy()[1:]:
            if plugin.conf.is_dir():
                search_path.append(plugin.distribution, f"file://{plugin.conf}")


def root() -> str:
    """Return the folder of the suite's own configurations, absolute."""
    return str(plugins.core().conf.resolve())


def register() -> None:
    """Make Hydra know the search path of this program."""
    plugins.catalog()  # raises on collisions before Hydra resolves them silently
    known = Plugins.instance()
    if PdebenchSearchPath not in known.discover(SearchPathPlugin):
        known.register(PdebenchSearchPath)


def checked_overrides(overrides: Sequence[str]) -> list[str]:
    """Return Hydra overrides with ``experiment=`` spelt as Hydra wants it, after checking every
    choice's name.

    Raises ConfigError for an unknown solver, task, data set, track, metric, experiment or logger,
    with the nearest name.
    """
    done: list[str] = []
    for override in overrides:
        key, sign, value = override.partition("=")
        group = key.lstrip("+~")
        if sign and group in plugins.GROUPS and not key.startswith("~"):
            for name in alternatives(value):
                plugins.require(group, name)
        if group == "experiment" and sign and not key.startswith("+"):
            override = f"+{override}"
        done.append(override)
    return done


def alternatives(value: str) -> list[str]:
    """Split ``a,b,c`` of a sweep; leave functions such as choice(...) and null to Hydra."""
    if not value or value == "null" or any(mark in value for mark in "([{$"):
        return []
    return [name.strip().strip("'\"") for name in value.split(",")]


def check_types(config: Any, where: str) -> None:
    """Check the values of a configuration against the annotations of the constructors it names.

    Only plain annotations are checked (numbers, strings, booleans, literals, None, sequences of
    those); objects are checked where they are built. Raises ConfigError naming the key as typed,
    such as ``solver.width='abc'``.
    """
    if isinstance(config, list):
        for position, value in enumerate(config):
            check_types(value, f"{where}.{position}")
        return
    if not isinstance(config, dict):
        return
    target = config.get("_target_")
    if isinstance(target, str) and target != "hydra.utils.get_object":
        _check_call(target, config, where)
    for key, value in config.items():
        check_types(value, f"{where}.{key}")


def _check_call(target: str, config: dict[str, Any], where: str) -> None:
    from hydra.utils import get_object

    try:
        called = get_object(target)
    except Exception as error:  # whatever foreign code raises at import becomes one sentence
        raise ConfigError(f"{where}._target_={target!r} cannot be loaded: {error}") from error
    try:
        signature = inspect.signature(called)
        hints = typing.get_type_hints(called.__init__ if inspect.isclass(called) else called)
    except (ValueError, TypeError, NameError):
        return  # builtins without a signature: nothing to check early
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for key, value in config.items():
        if key.startswith("_"):
            continue
        if key not in signature.parameters and not open_ended:
            known = [name for name in signature.parameters if name != "self"]
            raise ConfigError(
                f"{where}.{key} is no argument of {target}{plugins.nearest(key, known)}"
            )
        if key in hints and not _fits(value, hints[key]):
            raise ConfigError(f"{where}.{key}={value!r}, expected {_spoken(hints[key])}")


_PLAIN = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "true or false",
    types.NoneType: "null",
}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value fits a plain annotation; annotations that are not plain accept
    everything.
    """
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin in (tuple, list, Sequence) and isinstance(value, list):
        inner = [part for part in get_args(hint) if part is not Ellipsis]
        return len(inner) != 1 or all(_fits(item, inner[0]) for item in value)
    if isinstance(value, dict):
        return hint not in _PLAIN
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in _PLAIN:
        return isinstance(value, hint)
    return not (origin in (tuple, list) and isinstance(value, str | int | float | bool))


def _spoken(hint: Any) -> str:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_spoken(part) for part in get_args(hint))
    if get_origin(hint) in (tuple, list):
        return f"a list like {hint}"
    return getattr(hint, "__name__", str(hint))


def composed(overrides: Sequence[str]) -> tuple[DictConfig, Any]:
    """Return the configuration of one run and Hydra's own node of it (choices, overrides).

    Raises ConfigError with Hydra's sentence where it does not compose.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    register()
    checked = checked_overrides(overrides)
    try:
        with hydra.initialize_config_dir(root(), version_base="1.3"):
            config = hydra.compose("config", checked, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error
    HydraConfig.instance().set_config(config)
    about = config.hydra
    with open_dict(config):
        del config["hydra"]
    return config, about


def compose(overrides: Sequence[str]) -> DictConfig:
    """Return the composed configuration of one run, as ``pdebench run`` would see it."""
    return composed(overrides)[0]
