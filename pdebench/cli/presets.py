"""What ``sweep=local | slurm | ray | optuna`` needs, and what a tuning ends with."""

import importlib.util
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from pdebench import config as composition
from pdebench import plugins
from pdebench.cli.sweeping import Job
from pdebench.errors import ConfigError
from pdebench.harness.journal import Journal

# preset -> what it imports, the distribution that has it, the extra that brings it
_NEEDS = {
    "local": ("hydra_plugins.hydra_joblib_launcher", "hydra-joblib-launcher", "local"),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "hydra-submitit-launcher", "slurm"),
    "ray": ("hydra_plugins.hydra_ray_launcher", "hydra-ray-launcher", "ray"),
    "optuna": ("hydra_plugins.hydra_optuna_sweeper", "hydra-optuna-sweeper", "optuna"),
}


def chosen(overrides: list[str]) -> str | None:
    """Return the preset that ``sweep=`` names, None for none.

    Raises ConfigError where its launcher is not installed, saying how to get it.
    """
    named = [o.partition("=")[2] for o in overrides if o.startswith("sweep=")]
    name = named[-1] if named else "none"
    if name not in _NEEDS:
        return None
    module, distribution, extra = _NEEDS[name]
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if found and name == "optuna":
        import optuna

        optuna.logging.set_verbosity(30)  # warnings: the harness prints its own lines
    if not found:
        raise ConfigError(
            f"sweep={name} needs {distribution}; pip install 'pdebench-suite[{extra}]'"
        )
    return name


def trials(overrides: list[str]) -> int:
    """Return the number of trials that a tuning is allowed."""
    said = {key: value for key, _, value in (o.partition("=") for o in overrides)}
    named = said.get("hydra.sweeper.n_trials")
    if named is None:
        preset = OmegaConf.load(plugins.require("sweep", "optuna").file)
        return int(OmegaConf.select(preset, "hydra.sweeper.n_trials"))
    if not named.isdigit() or int(named) < 1:
        raise ConfigError(f"hydra.sweeper.n_trials={named}, expected a positive integer")
    return int(named)


def report_best(folder: Path, overrides: list[str], journal: Journal) -> None:
    """Run the configuration that was best on ``valid`` as everybody's is run, its trials told."""
    found = OmegaConf.load(folder / "optimization_results.yaml")
    best = OmegaConf.select(found, "best_params")
    ended = list(journal.state().ended.values())
    if best is None or not any(e.status == "ok" for e in ended):
        raise ConfigError("no trial ended well; pdebench sweep status says why")
    fixed = [
        o.input_line or ""
        for o in OverridesParser.create().parse_overrides(overrides)
        if not o.is_sweep_override()
        and not o.key_or_group.startswith(("hydra", "sweep", "trials"))
        and o.key_or_group not in best
    ]
    tuned = [f"{key}={value}" for key, value in best.items()]
    settings, about = composition.composed([*fixed, *tuned, f"trials={len(ended)}"])
    Job(journal=journal)(settings, about.runtime.choices, tuple(about.overrides.task))
