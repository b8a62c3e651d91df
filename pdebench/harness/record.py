"""The result of one run, whatever its status; plain JSON, readable without torch."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, final

from pdebench.errors import StoreError

SCHEMA = 1
Status = Literal["ok", "unsupported", "diverged", "failed", "timeout", "out_of_memory"]


@final
@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        id: run id (SHA-256); the environment is not part of it.
        status: "ok" or what happened instead, said in ``reason``.
        task: name, version, track, dataset, digest, metrics (short name -> full name, unit,
            better), ladder.
        solver: name (as on the command line), family, plugin, version, note of overrides.
        seed: seeds fit and solve.
        uses: what the harness granted: subset of ["equation", "labels"].
        parameters: trainable real numbers.
        pretrained: where the weights came from that the fit started from: {"source", "digest",
            "task", "data", "samples", "seconds", "related"}, or None; ``related`` says whether they
            saw data of the task's family.
        scores: split -> metric -> {"values": per-sample list} or {"not_applicable": reason}.
        costs: phase -> {"seconds", "low", "high", "repeats", "peak_bytes", ...}.
        protocol: {"trials", "precision", "training_precision", "budget", "violations": [{"guard",
            "reason"}]}; empty where nothing was examined.
        curve: training curve, a list of {"epoch", "step", "seconds", "train_loss", "valid_loss"}.
        environment: device, threads, processor, memory, load.
        versions: package -> version.
        config: the resolved configuration.
        created: ISO 8601, UTC.
    """

    id: str
    status: Status
    task: dict[str, Any]
    solver: dict[str, Any]
    seed: int
    uses: list[str]
    reason: str | None = None
    parameters: int = 0
    pretrained: dict[str, Any] | None = None
    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    protocol: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    schema: int = SCHEMA

    @property
    def device(self) -> str:
        """What the run was computed on; records of different devices are never ranked together."""
        return str(self.environment.get("device", "cpu"))

    def mean(self, metric: str, split: str = "test") -> float | None:
        """Return the mean over samples of a metric (short name), or None where it has no value."""
        values = self.scores.get(split, {}).get(metric, {}).get("values")
        return sum(values) / len(values) if values else None

    def to_json(self) -> str:
        """Return one line of JSON; NaN and infinity as the strings "nan", "inf", "-inf"."""
        return json.dumps(_plain(asdict(self)), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read what ``to_json`` wrote. Raises StoreError for anything else."""
        try:
            content = json.loads(text)
            if content.get("schema") != SCHEMA:
                raise StoreError(
                    f"record has schema {content.get('schema')!r}, this version reads {SCHEMA}"
                )
            return cls(**_numbers(content))
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            raise StoreError(f"not a record: {error}") from error


_SPECIAL = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return str(value)
    return value


def _numbers(value: Any) -> Any:
    """Turn the three special strings back into floats, but only where numbers live: lists and cost
    figures.
    """
    if isinstance(value, dict):
        return {k: _numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_SPECIAL.get(v, v) if isinstance(v, str) else _numbers(v) for v in value]
    return value
