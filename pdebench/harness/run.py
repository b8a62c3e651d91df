"""One configured run: resolve, prepare data, identify, recall or compute, record."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pdebench import heap, plugins
from pdebench.atomic import write_atomically
from pdebench.config import check_types
from pdebench.errors import ConfigError, DataError, PdebenchError, SolverError, StoreError
from pdebench.harness import data, identity, isolation
from pdebench.harness.environment import device_kind
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.paths import default_data, default_store

if TYPE_CHECKING:
    from pdebench.solver import Solver
    from pdebench.task import Task


_RETRIED = ("failed", "diverged", "timeout", "out_of_memory")


@final
@dataclass(frozen=True)
class Choices:
    """Names of the configurations that were chosen, as typed: ``solver=fno`` gives solver "fno"."""

    solver: str
    task: str
    track: str
    overrides: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Run:
    """A resolved run: plain configuration, choices, store and data folders."""

    config: dict[str, Any]
    choices: Choices
    store: Store
    data: Path
    device: str


def resolve(config: DictConfig, choices: Choices) -> Run:
    """Return the run a composed configuration describes. Raises ConfigError naming the key as
    typed.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"the configuration cannot be resolved: {error}") from error
    if not isinstance(plain, dict):
        raise ConfigError("the configuration is no mapping; start from conf/config.yaml")
    settings = {str(key): value for key, value in plain.items()}
    seed, threads = settings.get("seed"), settings.get("threads")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ConfigError(f"seed={seed!r}, expected a non-negative integer")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigError(f"threads={threads!r}, expected a positive integer or null")
    trials = settings.get("trials")
    if trials is not None and (not isinstance(trials, int) or trials < 1):
        raise ConfigError(f"trials={trials!r}, expected a positive integer or null")
    device = settings.get("device")
    if not isinstance(device, str) or device.partition(":")[0] not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device={device!r}, expected auto, cpu or cuda")
    _check_limits(settings)
    for group in ("solver", "task"):
        if not isinstance(settings.get(group), dict) or "_target_" not in settings[group]:
            raise ConfigError(
                f"{group} has no _target_; choose one of {', '.join(plugins.names(group))}"
            )
    store = Path(settings["store"]).expanduser() if settings.get("store") else default_store()
    root = Path(settings["data"]).expanduser() if settings.get("data") else default_data()
    return Run(settings, choices, Store(store), root, device_kind(device))


def _check_limits(settings: dict[str, Any]) -> None:
    for name, value in (settings.get("limit") or {}).items():
        if value is not None and (not isinstance(value, int | float) or value <= 0):
            raise ConfigError(f"limit.{name}={value!r}, expected a positive number or null")
    asked = settings.get("retry") or False
    for status in [] if isinstance(asked, bool) else [asked] if isinstance(asked, str) else asked:
        if status not in _RETRIED:
            raise ConfigError(
                f"retry={status!r}, expected true, false or one of {', '.join(_RETRIED)}"
            )


def _identity(run: Run, digest: str) -> str:
    config = run.config
    code = identity.plugin_digest(config["solver"])
    solver = identity.with_content(config["solver"])
    return identity.run_id(config["task"], solver, config["seed"], digest, code)


def recall(run: Run) -> Record | None:
    """Return the stored record of this run, or None; imports neither torch nor any plugin's
    solver.
    """
    digest = data.known_digest(run.data, run.config["task"]["dataset"])
    return None if digest is None else run.store.get(_identity(run, digest), run.device)


def execute(run: Run, progress: bool) -> tuple[Record, bool]:
    """Return the run's record and whether it was recalled; computes and stores it where it is not
    there yet.

    Two processes asked for the same run compute it once: the second waits and recalls.
    """
    found = recall(run)
    if found is not None and not _again(run, found):
        return found, True
    alone = bool(run.config.get("isolate", True))
    digest = data.known_digest(run.data, run.config["task"]["dataset"])
    if digest is None:
        digest = isolation.call(_prepared, run) if alone else _prepared(run, lambda _: None)
    run_id = _identity(run, digest)
    with run.store.claim(run_id, run.device) as lock:
        found = run.store.get(run_id, run.device)
        if found is not None and not _again(run, found):
            return found, True
        if alone:
            _compute_alone(run, found, run_id, digest, progress, lock)
        else:
            _compute(run, run_id, digest, progress, lambda _: None)
    return _stored(run, run_id), False


def _again(run: Run, found: Record) -> bool:
    """Whether a stored record is computed again: ``retry=true`` asks it for whatever did not end
    well, ``retry=timeout`` for one status.
    """
    asked = run.config.get("retry")
    if found.status in ("ok", "unsupported") or not asked:
        return False
    return asked is True or found.status in ([asked] if isinstance(asked, str) else asked)


def _prepared(run: Run, announce: Callable[[Any], None]) -> str:
    """Check the values and make the data; return their digest."""
    return _task(run)[1]


def _task(run: Run) -> tuple["Task", str]:
    """Return the task with its data prepared, and their digest."""
    check_types(run.config["task"], "task")
    check_types(run.config["solver"], "solver")
    task: Task = build(run.config["task"], "task")
    return task, data.prepare(run.data, run.config["task"]["dataset"], task.dataset)


def _compute_alone(
    run: Run, before: Record | None, run_id: str, digest: str, progress: bool, lock: int | None
) -> None:
    """Compute in a process of its own; one that dies leaves the record of its death."""
    limits = isolation.Limits(**(run.config.get("limit") or {}))
    try:
        isolation.call(_compute, run, run_id, digest, progress, limits=limits, held=lock)
    except isolation.Died as end:
        if not isinstance(end.said, Record):
            raise SolverError(f"{end.reason}, before the task was built") from end
        now = run.store.get(run_id, run.device)
        if now is not None and (before is None or now.to_json() != before.to_json()):
            return  # it had written its record and died on the way out
        died = replace(end.said, status=end.status, reason=end.reason)
        run.store.put(died, run.device)
        plugins.manager().hook.run_finished(config=run.config, record=died)


def _stored(run: Run, run_id: str) -> Record:
    record = run.store.get(run_id, run.device)
    if record is None:
        raise StoreError(f"the record of run {run_id} vanished from '{run.store.root}'")
    return record


def _compute(
    run: Run, run_id: str, digest: str, progress: bool, announce: Callable[[Any], None]
) -> None:
    import torch

    from pdebench.harness.draft import draft
    from pdebench.harness.evaluate import evaluate, seed_everything
    from pdebench.harness.outcome import Surroundings

    hooks = plugins.manager().hook
    config = run.config
    task, found = _task(run)
    if found != digest:
        raise DataError(f"the data of task={task.name} changed while the run began; start it again")
    if config.get("threads"):
        torch.set_num_threads(config["threads"])
    heap.keep_freed()
    facts = _facts(run, digest)
    announce(draft(task, facts, config, run_id, run.device))
    seed_everything(config["seed"])
    solver = _solver(config["solver"])
    hooks.run_started(config=config, run_id=run_id)
    around = Surroundings(
        device=run.device,
        data=data.folder_of(run.data, config["task"]["dataset"]),
        sealed=(run.data, run.store.root / "records", *task.dataset.files),
        workspace=run.store.workspace(run_id),
        logger=build(config["logger"], "logger") if config.get("logger") else None,
        progress=progress,
    )
    record, arrays = evaluate(
        solver,
        task,
        seed=config["seed"],
        run_id=run_id,
        described=facts,
        config=config,
        surroundings=around,
    )
    seconds = data.making_seconds(run.data, run.config["task"]["dataset"])
    if seconds is not None:
        record.costs["data"] = {"seconds": seconds, "repeats": 1}
    _save(run, record, arrays)
    hooks.run_finished(config=config, record=record)


def _solver(config: dict[str, Any]) -> "Solver":
    """Build the solver; a ``_target_`` that is a plain network class is trained as one."""
    from hydra.utils import get_object
    from torch import nn

    from pdebench.wrap import Network

    target = get_object(config["_target_"])
    if isinstance(target, type) and issubclass(target, nn.Module):
        given = build({k: v for k, v in config.items() if k != "_target_"}, "solver")
        return Network(target, **given)
    return build(config, "solver")


def _facts(run: Run, digest: str) -> dict[str, Any]:
    """What the command line and the plugins say of a run, for its record."""
    choice = plugins.catalog().get(("solver", run.choices.solver))
    plugin = choice.plugin if choice else plugins.core()
    target = str(run.config["solver"]["_target_"])
    if choice and any(o.startswith("solver._target_=") for o in run.choices.overrides):
        return {  # a class without a plugin: it has its own name, and no distribution
            "name": target.rpartition(".")[2].lower(),
            "overrides": list(run.choices.overrides),
            "plugin": target.partition(".")[0],
            "version": "",
            "task": {"track": run.choices.track, "digest": digest},
        }
    return {
        "name": run.choices.solver,
        "overrides": list(run.choices.overrides),
        "trials": run.config.get("trials"),
        "rung": bool(run.config.get("rung")),
        "plugin": plugin.distribution,
        "version": plugin.version,
        "task": {"track": run.choices.track, "digest": digest},
    }


def _save(run: Run, record: Record, arrays: dict[str, Any]) -> None:
    """Write the arrays first: a record that exists is complete."""
    import io

    import numpy as np

    if arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(run.store.arrays(record.id, run.device), buffer.getvalue())
    run.store.put(record, run.device)


def build(config: Any, where: str) -> Any:
    """Instantiate a configuration; whatever its constructor refuses becomes a ConfigError naming
    ``where``.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(config, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, PdebenchError):
            raise cause from error
        said = f"{type(cause).__name__}: {cause}" if cause else str(error)
        raise ConfigError(f"{where} cannot be built: {said}") from error
