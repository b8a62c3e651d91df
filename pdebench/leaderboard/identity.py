"""Which records are compared in one table, and which are pooled into one row."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any

from pdebench.harness.record import Record
from pdebench.leaderboard.board import Key

# parts of a task's configuration that other fields of the key stand for, or that change no number
_ELSEWHERE = {
    "_target_",
    "name",
    "version",
    "dataset",
    "metrics",
    "evaluate",
    "ladder",
    "published",
}
_SPELT_OUT = {
    "solver",
    "task",
    "track",
    "seed",
    "device",
    "threads",
    "trials",
    "rung",
    "store",
    "data",
    "logger",
    "retry",
    "sweep",
    "isolate",
}


def canonical(value: Any) -> str:
    """Return JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest(value: Any, length: int) -> str:
    """Return the first hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def hardware(environment: Mapping[str, Any]) -> str:
    """Return the model of the device a record was computed on, with the thread count of a
    processor.
    """
    if environment.get("device") == "cuda":
        return str(environment.get("device_name") or "unknown GPU")
    threads = environment.get("threads")
    model = str(environment.get("processor") or "unknown processor")
    return model if threads is None else f"{model}, {threads} thread{'s' if threads != 1 else ''}"


def key_of(record: Record) -> Key:
    """Return the table a record belongs to."""
    task, config = record.task, record.config
    headline = str(task.get("headline", ""))
    fixed = config.get("task") or {}
    return Key(
        task=str(task.get("name", "")),
        track=str(task.get("track") or ""),
        device=record.device,
        hardware=hardware(record.environment),
        precision=str(
            record.environment.get("precision")
            or config.get("precision")
            or record.protocol.get("precision")
            or "float32"  # of the stored data, where an older record does not say
        ),
        version=str(task.get("version", "")),
        dataset=str(task.get("digest") or digest(task.get("dataset") or {}, 64)),
        headline=str((task.get("metrics") or {}).get(headline, {}).get("name", headline)),
        protocol=canonical({k: v for k, v in fixed.items() if k not in _ELSEWHERE}),
    )


def setting_of(record: Record) -> tuple[str, str, str, str]:
    """Return what records must share to be seeds of one row: name, plugin, version, hash of the
    configuration.

    Without a configuration (runs from a notebook) the overrides stand for it.
    """
    solver = record.solver
    config = record.config.get("solver")
    return (
        str(solver.get("name", "")),
        str(solver.get("plugin") or ""),
        str(solver.get("version") or ""),
        digest(config if config is not None else list(solver.get("overrides") or ()), 8),
    )


def family_of(record: Record) -> str:
    """Return the solver's family: its plugin's name without prefix, "baseline" for what the suite
    ships.
    """
    solver = record.solver
    named = solver.get("family")
    if named:
        return str(named)
    package = str(solver.get("target") or "").partition(".")[0].replace("_", "-")
    plugin = str(solver.get("plugin") or package)
    return (
        "baseline" if plugin in ("pdebench", "pdebench-suite") else plugin.removeprefix("pdebench-")
    )


def command_of(record: Record) -> str:
    """Return the command line that computes a record again, quoted for a shell."""
    solver, task, config = record.solver, record.task, record.config
    overrides = [str(o) for o in solver.get("overrides") or ()]
    if any(o.startswith("solver._target_=") for o in overrides):  # its name is no configuration
        words = [o for o in overrides if o.startswith("solver=")]
    else:
        words = [f"solver={solver.get('name', '')}"]
    words.append(f"task={task.get('name', '')}")
    if task.get("track"):
        words.append(f"track={task['track']}")
    words += [f"seed={record.seed}", f"device={record.device}"]
    if config.get("threads") is not None:
        words.append(f"threads={config['threads']}")
    if config.get("trials") is not None:
        words.append(f"trials={config['trials']}")
    if config.get("rung"):
        words.append("rung=true")
    words += [o for o in overrides if o.partition("=")[0] not in _SPELT_OUT]
    return "pdebench run " + shlex.join(words)
