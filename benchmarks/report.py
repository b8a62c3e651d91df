"""What all benchmarks share: interleaved timing, a table on the screen and a JSON file in
benchmarks/results.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from pdebench import heap

RESULTS = Path(__file__).parent / "results"


def interleaved(
    pieces: Mapping[str, Callable[[], Any]], rounds: int, warmup: int = 2
) -> dict[str, list[float]]:
    """Return seconds per round of every piece of work; in a round each runs once, in turn, so
    drifts hit all alike. Freed memory is kept, as in a run of the suite.
    """
    heap.keep_freed()
    for work in pieces.values():
        for _ in range(warmup):
            work()
    seconds: dict[str, list[float]] = {name: [] for name in pieces}
    for turn in range(rounds):
        names = list(pieces) if turn % 2 == 0 else list(reversed(pieces))
        for name in names:
            began = time.perf_counter()
            pieces[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio_interval(
    a: list[float], b: list[float], level: float = 0.95
) -> tuple[float, float, float]:
    """Return the median of a / b over rounds with its bootstrap interval (pairs of one round stay
    together).
    """
    pairs = np.asarray(a) / np.asarray(b)
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(pairs, (2000, len(pairs))), axis=1)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return float(np.median(pairs)), float(low), float(high)


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return installed versions."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def processor() -> str:
    """Return the processor's model name."""
    from pdebench.harness.environment import processor as model

    return model()


def write_result(
    name: str,
    seconds: Mapping[str, list[float]],
    baseline: str,
    facts: Mapping[str, Any],
    packages: tuple[str, ...] = ("torch",),
    elapsed: float | None = None,
) -> None:
    """Print medians and ratios against ``baseline``, and write benchmarks/results/<name>.json."""
    rows = {}
    for piece, values in seconds.items():
        ratio, low, high = ratio_interval(values, seconds[baseline])
        rows[piece] = {
            "median_s": float(np.median(values)),
            "ratio": ratio,
            "low": low,
            "high": high,
            "rounds": len(values),
        }
        sys.stdout.write(
            f"{piece:<28} {np.median(values):10.4g} s   {ratio:7.3f} x {baseline} [{low:.3f}, "
            f"{high:.3f}]\n"
        )
    store_result(
        name,
        {"baseline": baseline, "rows": rows, "facts": dict(facts), "elapsed_s": elapsed},
        packages,
    )


def store_result(
    name: str, content: Mapping[str, Any], packages: tuple[str, ...] = ("torch",)
) -> None:
    """Write benchmarks/results/<name>.json with the command, versions and machine."""
    result = {
        "command": f"python benchmarks/{name}.py {' '.join(sys.argv[1:])}".strip(),
        "versions": versions(packages),
        "machine": {"processor": processor(), "python": platform.python_version()},
        **content,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
