"""``pdebench run``: Hydra composes, the harness recalls or computes, one line per run says what
came out.
"""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from pdebench import config as composition
from pdebench import plugins
from pdebench.errors import ConfigError, PdebenchError
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, execute, resolve

_FLAGS_WITH_VALUE = {
    "--cfg",
    "-c",
    "--package",
    "-p",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
    "--config-dir",
    "-cd",
    "--info",
    "-i",
}


def main(argv: list[str]) -> int:
    """Run what the overrides describe; return 0, or 1 where a run could not be done (failed solvers
    are results).
    """
    flags, overrides = _split(argv)
    composition.register()
    overrides = composition.checked_overrides(overrides)
    _check_keys(overrides)
    sweep = _Sweep(_count(overrides) if {"-m", "--multirun"} & set(flags) else 1)
    if flags:
        _through_hydra(sweep, [*flags, *overrides])
    else:  # Hydra's own main composes twice, which a recall would notice
        sweep.run(*composition.composed(overrides))
    return 1 if sweep.refused else 0


def _through_hydra(sweep: "_Sweep", arguments: list[str]) -> None:
    @hydra.main(config_path=composition.root(), config_name="config", version_base="1.3")
    def job(settings: DictConfig) -> None:
        sweep.run(settings, HydraConfig.get())

    before = sys.argv
    sys.argv = ["pdebench run", *arguments]
    try:
        job()
    finally:
        sys.argv = before


class _Sweep:
    """Progress over the runs of one command."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.refused = total, 0, 0
        self._computed_seconds: list[float] = []

    def run(self, settings: DictConfig, about: Any) -> None:
        """Run one composed configuration; ``about`` is Hydra's own node of it."""
        chosen, overrides = about.runtime.choices, tuple(about.overrides.task)
        choices = Choices(
            str(chosen["solver"]), str(chosen["task"]), str(chosen["track"]), overrides
        )
        began = time.perf_counter()
        try:
            run = resolve(settings, choices)
            record, recalled = execute(run, progress=sys.stderr.isatty())
        except PdebenchError as error:
            self.refused += 1
            self.done += 1
            sys.stderr.write(f"pdebench run: {error}\n")
            return
        self.done += 1
        if not recalled:
            self._computed_seconds.append(time.perf_counter() - began)
        sys.stdout.write(self._line(record, recalled) + "\n")
        sys.stdout.flush()

    def _line(self, record: Record, recalled: bool) -> str:
        place = f"[{self.done}/{self.total}] " if self.total > 1 else ""
        outcome = (
            _headline(record) if record.status == "ok" else f"{record.status}: {record.reason}"
        )
        origin = "recalled" if recalled else "computed"
        return (
            f"{place}{record.task['name']} {record.task.get('track', '')} {record.solver['name']} "
            f"seed={record.seed} {outcome} ({origin} {record.id[:12]}){self._remaining()}"
        )

    def _remaining(self) -> str:
        left = self.total - self.done
        if not left or not self._computed_seconds:
            return ""
        return f", about {math.ceil(left * sum(self._computed_seconds) / self.done)} s to go"


def _headline(record: Record) -> str:
    name = record.task["headline"]
    split = record.task["evaluate"][0]
    value = record.mean(name, split)
    error = "not applicable" if value is None else f"{value:.4g}"
    solve = record.costs.get("solve", {})
    online = f" solve={solve['seconds'] / solve['batch']:.2e} s/sample" if solve else ""
    return f"{name}={error}{online} fit={record.costs['fit']['seconds']:.3g} s"


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate Hydra's flags (with their values) from overrides."""
    flags: list[str] = []
    overrides: list[str] = []
    words = iter(argv)
    for word in words:
        if word in _FLAGS_WITH_VALUE:
            flags += [word, next(words, "")]
        elif word.startswith("-"):
            flags.append(word)
        else:
            overrides.append(word)
    return flags, overrides


def _check_keys(overrides: list[str]) -> None:
    """Refuse an unknown top-level key with the nearest valid one; deeper keys are Hydra's to
    check.
    """
    root = (plugins.core().conf / "config.yaml").read_text(encoding="utf-8")
    known = [line.partition(":")[0] for line in root.splitlines() if line[:1].isalpha()]
    known += plugins.GROUPS
    for override in overrides:
        key, sign, _ = override.partition("=")
        top = key.lstrip("+~").partition(".")[0].partition("@")[0].partition("/")[0]
        if not sign and not key.startswith("~"):
            raise ConfigError(
                f"'{override}' is no override, expected key=value, such as solver=fno"
            )
        if top not in known and not key.startswith("+"):
            raise ConfigError(
                f"'{top}' is no key of the configuration{plugins.nearest(top, known)}"
            )
    _check_solver_keys(overrides)


def _check_solver_keys(overrides: list[str]) -> None:
    """Refuse ``solver.widht=3`` with the nearest key of the chosen solvers' files."""
    assigned = {key: value for key, _, value in (o.partition("=") for o in overrides)}
    chosen = composition.alternatives(assigned.get("solver", ""))
    for name in chosen:
        content = OmegaConf.load(plugins.require("solver", name).file)
        for key in assigned:
            path = key.split(".")
            if path[0] != "solver" or len(path) < 2 or key.startswith("+"):
                continue
            keys = [str(k) for k in content] if OmegaConf.is_dict(content) else []
            if path[1] not in keys:
                raise ConfigError(
                    f"'{key}' is no key of solver={name}{plugins.nearest(path[1], keys)}"
                )


def _count(overrides: list[str]) -> int:
    """Number of runs of a sweep: the product over comma lists, ranges and globs."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return math.prod(len(list(o.sweep_string_iterator())) for o in parsed if o.is_sweep_override())
