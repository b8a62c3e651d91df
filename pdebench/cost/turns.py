"""Many pieces of work of very different length timed in turns, each until it is sure.

`compare` gives every piece the same number of calls, one a round, for ratios of rounds. A table of
fifty rows from a microsecond to a minute wants each piece's own number instead.
"""

import time
from collections.abc import Callable, Mapping

import torch

from pdebench.cost.clock import CHECKED, Clock, Work, once, warm
from pdebench.cost.timing import LEAST, Timing

_CALLS = 10  # calls of one turn at most: more would sample one moment of the machine


def in_turns(
    pieces: Mapping[str, Work],
    device: torch.device,
    *,
    precision: float = 0.05,
    seconds: float = 2.0,
    most: int = 200,
    clock: Clock = time.perf_counter_ns,
    watch: Callable[[float], None] | None = None,
) -> dict[str, Timing]:
    """Time ``pieces`` in turns, forwards and backwards, so that drifts of the machine hit all.

    A turn is one call of slow work, or up to ten calls within a twentieth of ``seconds``. A piece
    leaves after five turns at least, when the 95 % interval of its median is within +-
    ``precision`` or its ``seconds`` are spent; work whose single call takes longer than ``seconds``
    leaves after one.
    ``watch`` is told the finished fraction of the pieces after every turn.
    """
    first: dict[str, float] = {}
    warmups: dict[str, int] = {}
    for name, work in pieces.items():
        first[name], _ = once(work, device, clock=clock)
        limit = seconds / 4 if first[name] < seconds else 0.0
        warmups[name] = warm(work, device, precision, limit, clock)
    samples: dict[str, list[float]] = {name: [] for name in pieces}
    spent = dict.fromkeys(pieces, 0.0)
    left, turns = list(pieces), 0
    while left:
        turns += 1
        for name in left if turns % 2 else left[::-1]:
            turn = _turn(pieces[name], device, seconds / 20, clock)
            samples[name] += turn
            spent[name] += sum(turn)
        for name in list(left):
            timing = Timing(tuple(samples[name]), first[name], precision, warmups[name])
            if _sure(timing, turns, spent[name], seconds) or len(timing.samples) >= most:
                left.remove(name)
        if watch is not None:
            watch(1 - len(left) / len(pieces))
    return {n: Timing(tuple(t), first[n], precision, warmups[n]) for n, t in samples.items()}


def _turn(work: Work, device: torch.device, limit: float, clock: Clock) -> list[float]:
    times = [once(work, device, clock=clock)[0]]
    while sum(times) < limit and len(times) < _CALLS:
        times.append(once(work, device, clock=clock)[0])
    return times


def _sure(timing: Timing, turns: int, spent: float, seconds: float) -> bool:
    if spent >= turns * seconds:  # even one call is too long
        return True
    enough = len(timing.samples) >= CHECKED and not timing.noisy
    return turns >= LEAST and (enough or spent >= seconds)
