"""Synthetic records for the leaderboard's tests: drawn from known distributions, computed by no
solver.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pdebench.harness.record import Record

Factory = Callable[..., Record]

METRICS = {
    "relative_l2": {"name": "pdebench.relative_l2@1", "unit": "1", "better": "lower"},
    "vrmse": {"name": "pdebench.vrmse@1", "unit": "1", "better": "lower"},
    "correlation": {"name": "pdebench.correlation@1", "unit": "1", "better": "higher"},
}
CARD = {
    "name": "navier_stokes/forced",
    "version": "1",
    "summary": "Two-dimensional forced turbulence on the torus at viscosity 1e-3.",
    "equation": "dw/dt + u . grad(w) = nu lap(w) + f,  lap(psi) = -w",
    "units": {"w": "1/s"},
    "how": "pseudo-spectral, IF-RK4",
    "reference": "Li et al. 2021",
    "splits": {"train": 100, "test": 40},
    "shifts": {"test_fine": "four times the resolution", "ood": "smaller viscosity"},
    "reference_error": {"test": 2e-4},
}


def make_record(
    solver: str = "fno",
    *,
    seed: int = 0,
    error: float | None = 0.1,
    spread: float = 0.3,
    status: str = "ok",
    reason: str | None = None,
    overrides: tuple[str, ...] = (),
    solver_config: dict[str, Any] | None = None,
    plugin: str | None = None,
    version: str = "0.1.0",
    task: str = "navier_stokes/evolve",
    track: str = "tiny",
    device: str = "cpu",
    environment: dict[str, Any] | None = None,
    uses: tuple[str, ...] = ("labels",),
    samples: int = 40,
    solve: float = 1e-3,
    fit: float = 60.0,
    evaluate: tuple[str, ...] = ("test",),
    metrics: dict[str, dict[str, str]] | None = None,
    scores: dict[str, Any] | None = None,
    ladder: tuple[str, ...] = (),
    card: dict[str, Any] | None = None,
    curve: int = 0,
    created: str = "2026-05-01T12:00:00+00:00",
    task_config: dict[str, Any] | None = None,
    parameters: int = 123_456,
) -> Record:
    """Return a record whose per-sample errors are lognormal with mean ``error``, the same
    difficulty for every solver.
    """
    metrics = metrics or METRICS
    config = {
        "seed": seed,
        "threads": None,
        "solver": solver_config
        or {"_target_": f"pdebench_{solver}.solver.Solver", "overrides": list(overrides)},
        "task": {
            "_target_": "pdebench.task.Task",
            "budget": {"epochs": 30},
            "question": {"history": 10},
        }
        | (task_config or {}),
    }
    if scores is None and error is not None:
        scores = {
            split: _scores(error * (1 + position), spread, seed, solver, samples, metrics)
            for position, split in enumerate(evaluate)
        }
    costs = {} if error is None else {
        "fit": {"seconds": fit, "peak_bytes": 3 << 28, "repeats": 1},
        "prepare": {"seconds": solve / 3, "repeats": 1},
        "solve": {"seconds": 16 * solve, "low": 15 * solve, "high": 18 * solve, "repeats": 9, "first": 20 * solve, "batch": 16, "peak_bytes": 1 << 26},
    }  # fmt: skip
    losses = [0.5 * 0.95**k + 0.01 for k in range(curve)]
    identity = [
        solver,
        seed,
        task,
        track,
        overrides,
        solver_config,
        version,
        created,
        device,
        task_config,
    ]
    return Record(
        id=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        status=status,  # type: ignore[arg-type]
        reason=reason,
        task={"name": task, "version": "1", "track": track, "digest": "d" * 64, "dataset": card or CARD, "metrics": metrics,
              "headline": next(iter(metrics)), "evaluate": list(evaluate), "ladder": list(ladder)},
        solver={"name": solver, "target": f"pdebench_{solver}.solver.Solver", "plugin": plugin or f"pdebench-{solver}",
                "version": version, "overrides": list(overrides)},
        seed=seed,
        uses=list(uses),
        parameters=parameters,
        scores=scores or {},
        costs=costs,
        curve=[{"epoch": k + 1, "step": 7 * k, "seconds": 1.5 * k, "train_loss": v, "valid_loss": 1.2 * v} for k, v in enumerate(losses)],
        environment={"device": device, "processor": "Model 7", "threads": 2, "load": 0.1 * seed, "python": "3.11"} | (environment or {}),
        versions={"pdebench-suite": "0.1.0", "torch": "2.13.0"},
        config=config,
        created=created,
    )  # fmt: skip


def _scores(
    error: float, spread: float, seed: int, solver: str, samples: int, metrics: dict[str, Any]
) -> dict[str, Any]:
    difficulty = np.random.default_rng(7).normal(
        0, spread, samples
    )  # shared: some samples are hard for everybody
    own = np.random.default_rng((seed, *solver.encode())).normal(0, spread / 4, samples)
    values = error * np.exp(difficulty + own - spread**2 * (1 + 1 / 16) / 2)
    known = {"relative_l2": values, "vrmse": 1.1 * values, "correlation": 1 - values**2}
    return {name: {"values": known.get(name, values).tolist()} for name in metrics}


@pytest.fixture
def record() -> Factory:
    return make_record


def make_arrays(
    record: Record, size: int = 24, frames: int = 10
) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays as the harness stores them for an evolution in two dimensions."""
    values = np.array(record.scores.get("test", {}).get("relative_l2", {}).get("values", [0.1]))
    growth = np.linspace(0.3, 1.7, frames)
    x = np.linspace(0, 2 * np.pi, size, endpoint=False)
    fields = np.stack([np.sin((k + 1) * x)[:, None] * np.cos(x)[None, :] for k in range(2)])
    reference = np.broadcast_to(fields[None, :, None], (2, 2, 1, size, size))
    noise = np.random.default_rng((record.seed, *record.solver["name"].encode())).normal(
        0, 1, reference.shape
    )
    return {
        "test/relative_l2": (values[:, None] * growth).astype(np.float32),
        "example/prediction": (reference + values.mean() * noise).astype(np.float32),
        "example/reference": reference.astype(np.float32),
        "example/times": np.linspace(1, 10, frames),
    }


@pytest.fixture
def arrays() -> Callable[..., dict[str, np.ndarray[Any, Any]]]:
    return make_arrays


def make_many(count: int = 2000) -> list[Record]:
    """Return ``count`` records: 5 tasks, settings of 12 solvers, 3 seeds, every status, two
    devices.
    """
    made: list[Record] = []
    families = [
        "fno",
        "tfno",
        "lsm",
        "mgno",
        "t1",
        "gp",
        "deepcg",
        "ifactformer",
        "poseidon",
        "lesnets",
        "sinenet",
        "mean",
    ]
    tasks = [
        "navier_stokes/evolve",
        "navier_stokes/streamfunction",
        "turbulence/hit_les",
        "elasticity/stress",
        "elliptic/darcy",
    ]
    random = np.random.default_rng(0)
    bad = {7: ("diverged", "NaN at t=3.5"), 19: ("failed", "ValueError: shapes (solver.py:12)"), 23: ("timeout", "longer than 60 s"),
           29: ("out_of_memory", "out of memory: 3.1 GiB"), 31: ("unsupported", "needs a periodic grid")}  # fmt: skip
    common = {"evaluate": ("test", "test_fine", "ood"), "ladder": ("spectral",), "samples": 100}
    setting = 0
    while len(made) < count:
        task = tasks[setting % len(tasks)]
        name = families[(setting // len(tasks)) % len(families)]
        width = 8 * (1 + setting // (len(tasks) * len(families)))
        error, solve = 10 ** random.uniform(-3, 0), 10 ** random.uniform(-5, -1)
        for seed in range(3):
            status, reason = bad.get(setting % 37, ("ok", None))
            made.append(
                make_record(name, seed=seed, task=task, overrides=(f"solver.width={width}",), error=error if status == "ok" else None,
                            solve=solve, status=status, reason=reason, device="cuda" if setting % 11 == 0 else "cpu", curve=40,
                            uses=("equation",) if name in ("gp", "deepcg", "lesnets") else ("labels",), **common)
            )  # fmt: skip
        setting += 1
    return made[:count]


@pytest.fixture(scope="session")
def many() -> list[Record]:
    return make_many()
