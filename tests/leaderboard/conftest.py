"""Synthetic records for the leaderboard's tests: given numbers, computed by no solver."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pdebench.harness.record import Record

Factory = Callable[..., Record]
RELATIVE = {"relative_l2": {"name": "pdebench.relative_l2@1", "unit": "1", "better": "lower"}}


def make_record(
    solver: str = "fno",
    values: Sequence[float] = (0.1, 0.2),
    *,
    seed: int = 0,
    seconds: float = 1e-3,
    fit: float = 60.0,
    status: str = "ok",
    reason: str | None = None,
    device: str = "cpu",
    precision: str | None = None,
    ladder: Sequence[str] = (),
    overrides: Sequence[str] = (),
    plugin: str | None = None,
    shifted: Sequence[float] = (),
    metrics: dict[str, dict[str, str]] | None = None,
    card: dict[str, Any] | None = None,
    task: str = "flow/evolve",
    created: str = "2026-05-01T12:00:00+00:00",
) -> Record:
    """Return a record with these per-sample errors and ``seconds`` per sample (batch of 4)."""
    metrics = metrics or RELATIVE
    splits = {"test": list(values)} | ({"ood": list(shifted)} if shifted else {})
    ok = status == "ok"
    identity = json.dumps([solver, seed, status, device, precision, task, created, *overrides])
    return Record(
        id=hashlib.sha256(identity.encode()).hexdigest(),
        status=status,  # type: ignore[arg-type]
        reason=reason,
        task={
            "name": task,
            "version": "1",
            "track": "tiny",
            "digest": "d" * 64,
            "dataset": card or {"name": "flow", "summary": "A flow."},
            "metrics": metrics,
            "headline": next(iter(metrics)),
            "evaluate": list(splits),
            "ladder": list(ladder),
        },
        solver={
            "name": solver,
            "target": "package.Solver",
            "plugin": plugin or f"pdebench-{solver}",
            "version": "0.1.0",
            "overrides": list(overrides),
        },
        seed=seed,
        uses=["labels"],
        parameters=1234,
        scores={s: {next(iter(metrics)): {"values": v}} for s, v in splits.items()} if ok else {},
        costs={
            "fit": {"seconds": fit, "repeats": 1, "peak_bytes": 1 << 20},
            "prepare": {"seconds": 0.01, "repeats": 1},
            "solve": {"seconds": 4 * seconds, "low": 3.9 * seconds, "high": 4.1 * seconds}
            | {"repeats": 9, "first": 1.0, "batch": 4},
        }
        if ok
        else {},
        environment={"device": device, "processor": "Model 7", "threads": 2}
        | ({"precision": precision} if precision else {}),
        versions={"torch": "2.13.0"},
        config={"solver": {"overrides": list(overrides)}, "task": {"batch": 4}, "seed": seed},
        created=created,
    )


@pytest.fixture(scope="session")
def record() -> Factory:
    return make_record
