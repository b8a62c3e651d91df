"""What makes two runs the same run: task, solver, seed, data and plugin, and nothing of the
machine.
"""

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """Return the canonical JSON text: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def sha256(text: str) -> str:
    """Return the SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def targets(config: Any) -> Iterator[str]:
    """Yield every ``_target_`` (and ``get_object`` path) in a configuration, in order."""
    if isinstance(config, dict):
        target = config.get("_target_")
        if isinstance(target, str):
            yield target
            if target == "hydra.utils.get_object" and isinstance(config.get("path"), str):
                yield config["path"]
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)


def _package_files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        return sorted(folder.rglob("*.py"))
    return [Path(spec.origin)] if spec.origin else []


def plugin_digest(config: Any) -> str:
    """Return the SHA-256 over the sources of the plugin packages that a solver's configuration
    names.

    The suite's own modules, torch and Hydra do not count: they are versions, recorded beside the
    id. A solver that the suite ships (``pdebench.baselines.*``) counts with its own module.
    """
    digest = hashlib.sha256()
    for package in sorted({_owner(target) for target in targets(config)} - {""}):
        for file in _package_files(package):
            digest.update(f"{package}:{file.name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _owner(target: str) -> str:
    top = target.partition(".")[0]
    if top == "pdebench":
        return "pdebench.baselines" if target.startswith("pdebench.baselines.") else ""
    return "" if top in {"torch", "hydra", "lightning", "numpy", "scipy", "builtins"} else top


def run_id(task: Any, solver: Any, seed: int, data_digest: str, code_digest: str) -> str:
    """Return the SHA-256 of the canonical JSON of {task, solver, seed, dataset digest, plugin
    digest}; where an imported file lies does not count, its digest does.
    """
    stored = task.get("dataset") if isinstance(task, dict) else None
    if isinstance(stored, dict) and "path" in stored:
        task = {**task, "dataset": {k: v for k, v in stored.items() if k != "path"}}
    return sha256(
        canonical(
            {
                "task": task,
                "solver": solver,
                "seed": seed,
                "dataset": data_digest,
                "plugin": code_digest,
            }
        )
    )


def with_content(solver: dict[str, Any]) -> dict[str, Any]:
    """Return a solver's configuration with the content of ``checkpoint`` in place of its path.

    The same weights elsewhere are the same run, other weights in the same place another one. A
    name that is no local file or folder (in a hub's cache) stays as it is.
    """
    named = solver.get("checkpoint")
    if not isinstance(named, str) or not Path(named).expanduser().exists():
        return solver
    place = Path(named).expanduser()
    digest = hashlib.sha256()
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        if file.is_file():
            digest.update(f"{file.name}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return solver | {"checkpoint": f"sha256:{digest.hexdigest()}"}


def data_key(dataset: Any) -> str:
    """Return the name of a data set's folder: 12 hexadecimal digits of its configuration's SHA-256.

    Keys that say how, not what (``workers``, ``progress``) do not count.
    """
    what = {key: value for key, value in dataset.items() if key not in {"workers", "progress"}}
    return sha256(canonical(what))[:12]
