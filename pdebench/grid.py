"""The combinations of a sweep, composed once per choice of configuration files.

Hydra composes every combination from its files, a quarter of a second each. A value such as
``seed=3`` is applied after the files are merged and before anything is interpolated, so
combinations that differ in values alone share what the files say.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pdebench.config import composed
from pdebench.errors import ConfigError
from pdebench.plugins import GROUPS


def expanded(overrides: Sequence[str]) -> Iterator[tuple[DictConfig, Any, tuple[str, ...]]]:
    """Yield (configuration, Hydra's choices, overrides) of every combination, the last override
    fastest.

    Raises ConfigError where a combination does not compose.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    values = [[(o, text) for text in _spellings(o)] for o in parsed]
    compose = lru_cache(maxsize=64)(composed)
    for combination in itertools.product(*values):
        files = tuple(text for o, text in combination if not _is_value(o))
        base, about = compose(files)
        config = base.copy()
        for override, text in combination:
            if _is_value(override):
                _assign(config, text)
        own = tuple(text for o, text in combination if not o.key_or_group.startswith("hydra"))
        yield config, about.runtime.choices, own


def _spellings(override: Override) -> list[str]:
    """The overrides without a sweep that this one stands for."""
    if not override.is_sweep_override():
        return [override.input_line or ""]
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _is_value(override: Override) -> bool:
    """Whether an override changes one value, not which files are merged."""
    key = override.key_or_group
    plain = "@" not in key and "/" not in key and not key.startswith("hydra")
    return plain and key not in GROUPS and not (override.is_add() or override.is_delete())


def _assign(config: DictConfig, text: str) -> None:
    override = OverridesParser.create().parse_override(text)
    try:
        if OmegaConf.select(config, override.key_or_group, throw_on_missing=False) is None:
            _known(config, override.key_or_group)
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    except (OmegaConfBaseException, HydraException) as error:
        raise ConfigError(f"{text}: {' '.join(str(error).split())}") from error


def _known(config: DictConfig, key: str) -> None:
    """Refuse a key that the files do not have (one that is null they have)."""
    above, _, last = key.rpartition(".")
    node = OmegaConf.select(config, above) if above else config
    if not OmegaConf.is_dict(node) or last not in node:
        raise ConfigError(
            f"'{key}' is no key of the configuration; to add it anyway, write +{key}=..."
        )
