"""Whether the clock is right: known durations, and the coverage of its intervals.

    python benchmarks/clock.py [--quick]

Durations: a busy loop of 5 ms, whose median must be within 2 %; a sleep of 5 ms is shown, too, but
must only not be shorter: the operating system wakes it late, by 0.1 ms on virtual machines.

Coverage: simulated work whose true median is known, timed by the same code through a simulated
clock; the 95 % interval of the median must hold it in 90 to 99 % of the timings. Noise: each call
costs a log-normal jitter of 2 % or 10 %, one call in 20 is interrupted for 10 to 100 % of its time,
and the machine's speed drifts as an autoregression.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from report import store_result

from pdebench import cost

CPU = torch.device("cpu")
DURATION = 5e-3


@dataclass
class Machine:
    """A simulated machine: ``run`` advances its clock by one noisy call.

    Args:
        random: source of the noise.
        jitter: standard deviation of the logarithm of a call's seconds.
        interrupted: probability of an interruption.
        drift: standard deviation of the slow part of that logarithm.
        memory: correlation of the slow part between two calls.
    """

    random: np.random.Generator
    jitter: float = 0.02
    interrupted: float = 0.05
    drift: float = 0.0
    memory: float = 0.7
    now: float = 0.0
    slow: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Make one call."""
        fresh = self.random.standard_normal() * math.sqrt(1 - self.memory**2)
        self.slow = self.memory * self.slow + self.drift * fresh
        seconds = DURATION * math.exp(self.slow + self.jitter * self.random.standard_normal())
        if self.random.random() < self.interrupted:
            seconds *= 1 + self.random.uniform(0.1, 1.0)
        self.now += seconds

    def read(self) -> int:
        """Return the simulated clock, ns."""
        return round(self.now * 1e9)


NOISES = {
    "jitter 2 %": {"jitter": 0.02, "interrupted": 0.0},
    "jitter 2 %, interruptions": {"jitter": 0.02},
    "jitter 10 %, interruptions": {"jitter": 0.10},
    "jitter 5 %, interruptions, drift 3 %": {"jitter": 0.05, "drift": 0.03},
}


def true_median(noise: dict[str, float]) -> float:
    """Return the median of one call's stationary distribution, by 2 million draws."""
    random = np.random.default_rng(0)
    num = 2_000_000
    width = math.hypot(noise["jitter"], noise.get("drift", 0.0))
    seconds = DURATION * np.exp(width * random.standard_normal(num))
    hit = random.random(num) < noise.get("interrupted", 0.05)
    return float(np.median(seconds * (1 + hit * random.uniform(0.1, 1.0, num))))


def coverage(
    noise: dict[str, float], num_timings: int, precision: float = 0.01
) -> dict[str, float]:
    """Return the fraction of timings whose interval, and whose bootstrap interval, holds the true
    median, and the mean number of repeats.
    """
    expected, held, drawn, repeats = true_median(noise), 0, 0, 0
    for seed in range(num_timings):
        machine = Machine(np.random.default_rng((1, seed)), **noise)
        timing = cost.repeat(machine.run, CPU, precision=precision, seconds=0.6, clock=machine.read)
        low, high = timing.interval()
        held += low <= expected <= high
        low, high = timing.bootstrap(resamples=200)
        drawn += low <= expected <= high
        repeats += len(timing.samples)
    return {
        "coverage": held / num_timings,
        "bootstrap_coverage": drawn / num_timings,
        "mean_repeats": repeats / num_timings,
    }


def busy() -> None:
    """Occupy the processor for 5 ms."""
    until = time.perf_counter_ns() + round(DURATION * 1e9)
    while time.perf_counter_ns() < until:
        pass


def known(work: Callable[[], object]) -> dict[str, object]:
    """Return the timing of work of known duration."""
    timing = cost.repeat(work, CPU, precision=0.005)
    return timing.to_json() | {"off_by": timing.median / DURATION - 1}


def main() -> int:
    """Run, print and store; return 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer simulated timings")
    num_timings = 200 if parser.parse_args().quick else 2000
    durations = {"busy": known(busy), "sleep": known(lambda: time.sleep(DURATION))}
    found = {name: coverage(noise, num_timings) for name, noise in NOISES.items()}
    for name, row in durations.items():
        sys.stdout.write(f"{name:<40} median off by {row['off_by']:+.3%}\n")
    for name, row in found.items():
        sys.stdout.write(f"{name:<40} {row}\n")
    right = abs(float(str(durations["busy"]["off_by"]))) <= 0.02
    right &= float(str(durations["sleep"]["off_by"])) >= 0.0
    right &= all(0.90 <= row["coverage"] <= 0.99 for row in found.values())
    content = {"durations": durations, "coverage": found, "timings": num_timings, "met": right}
    store_result("clock", content | {"machine_state": cost.conditions(CPU)}, ("torch", "numpy"))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
