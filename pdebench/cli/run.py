"""``pdebench run``: Hydra composes, the harness recalls or computes, one line per run says what
came out.
"""

import math
import os
import shlex
import sys
from collections.abc import Sequence

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pdebench import config as composition
from pdebench import grid, plugins
from pdebench.cli import presets
from pdebench.cli.sweeping import Job, store_folder
from pdebench.cli.view import watching
from pdebench.errors import ConfigError
from pdebench.harness import isolation
from pdebench.harness.journal import begin

_SWEEPING = {"-m", "--multirun"}
_HELP = """usage: pdebench run [-m] [sweep=PRESET] [--retry STATUS] [solver=..] [task=..] [key=..]

  -m                 every combination of comma-separated values, one after the other
  sweep=local        the same on several processes (joblib); hydra.launcher.n_jobs=4
  sweep=slurm        each run a Slurm job (submitit); hydra.launcher.partition=gpu ..
  sweep=ray          each run a Ray task
  sweep=optuna       tune on the validation split: solver.x=interval(1,2) hydra.sweeper.n_trials=20
  --retry failed     compute again what did not end well (or one status: timeout, out_of_memory ..)
  limit.seconds=600  a run beyond it becomes a record with status timeout
  limit.bytes=8e9    a run beyond it becomes a record with status out_of_memory

pdebench sweep status shows a sweep from another terminal. What follows is Hydra's own help.

"""
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
    if os.getcwd() not in sys.path:  # solver._target_=my_model.Net beside the working folder
        sys.path.append(os.getcwd())
    if {"-h", "--help"} & set(flags):
        sys.stdout.write(_HELP)
    composition.register()
    overrides = composition.checked_overrides(overrides)
    _check_keys(overrides)
    preset = presets.chosen(overrides)
    if preset and not _SWEEPING & set(flags):
        flags.append("--multirun")
    isolation.warm(learned=bool(flags))
    if not flags:  # Hydra's own main composes twice, which a recall would notice
        job = Job(bars=sys.stderr.isatty())
        settings, about = composition.composed(overrides)
        job(settings, about.runtime.choices, tuple(about.overrides.task))
        return 1 if job.refused else 0
    if not _SWEEPING & set(flags):
        _through_hydra(Job(), [*flags, *overrides])
        return 0
    return _sweep(argv, flags, overrides, preset)


def _sweep(argv: list[str], flags: list[str], overrides: list[str], preset: str | None) -> int:
    """Run a sweep under its journal; return 1 where a run was refused."""
    total = presets.trials(overrides) if preset == "optuna" else _count(overrides)
    store = store_folder(overrides)
    journal = begin(store, shlex.join(["pdebench", "run", *argv]), total)
    console = Console(stderr=True)
    job = Job(total=total, journal=journal, tuning=preset == "optuna")
    plain = set(flags) <= _SWEEPING and not any(o.startswith("hydra/") for o in overrides)
    with watching(journal, console):
        if plain and not preset:
            for settings, chosen, own in grid.expanded(overrides):
                job(settings, chosen, own)
        else:
            folder = journal.file.with_suffix("")
            _through_hydra(job, [*flags, f"hydra.sweep.dir={folder}", *_per_job(overrides)])
            if preset == "optuna":
                presets.report_best(folder, overrides, journal)
        journal.append("end")
    ended = journal.state().ended.values()
    return 1 if any(e.status == "refused" for e in ended) else 0


def _per_job(overrides: list[str]) -> list[str]:
    """Let ``solver=a,b solver.x=1`` set ``x`` of a and b: Hydra applies what does not vary before a
    job chooses its files, to the files of the default choice, so such a value becomes a choice of
    one.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    varied = {o.key_or_group for o in parsed if o.is_sweep_override()}
    return [
        f"{o.get_key_element()}=choice({o.input_line.partition('=')[2]})"
        if o.input_line
        and "." in o.key_or_group
        and o.key_or_group.partition(".")[0] in varied
        and not (o.is_sweep_override() or o.is_delete())
        else text
        for text, o in zip(overrides, parsed, strict=True)
    ]


def _through_hydra(job: Job, arguments: list[str]) -> None:
    @hydra.main(config_path=composition.root(), config_name="config", version_base="1.3")
    def run(settings: DictConfig) -> float | None:
        about = HydraConfig.get()
        return job(settings, about.runtime.choices, tuple(about.overrides.task))

    before = sys.argv
    sys.argv = ["pdebench run", *arguments]
    try:
        run()
    finally:
        sys.argv = before


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate Hydra's flags (with their values) from overrides."""
    flags: list[str] = []
    overrides: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--retry":
            overrides.append(f"retry={_retried(next(words, ''))}")
        elif word in _FLAGS_WITH_VALUE:
            flags += [word, next(words, "")]
        elif word.startswith("-"):
            flags.append(word)
        else:
            overrides.append(word)
    return flags, overrides


def _retried(asked: str) -> str:
    """``--retry failed`` means whatever did not end well; else a status."""
    if asked == "":
        raise ConfigError("--retry needs a status: failed, timeout, out_of_memory, diverged")
    return "true" if asked == "failed" else asked


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
