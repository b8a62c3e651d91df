"""What work costs, measured the same for every solver: seconds, memory, operations, energy.

``once`` and ``repeat`` are the clock, ``compare`` times several pieces of work in interleaved
rounds, ``in_turns`` many of different length, ``sweep`` varies the batch, ``transfer`` and
``Loading`` are the costs beside the solver. ``conditions`` is the state of the machine, to be
recorded beside every figure.
"""

from pdebench.cost.clock import compare, once, ratio, repeat
from pdebench.cost.energy import Energy, measured_energy
from pdebench.cost.flops import Operations, count_flops, fft_flops
from pdebench.cost.machine import conditions
from pdebench.cost.memory import Peak, peak_in_child, peak_memory
from pdebench.cost.sweep import Loading, Point, Sweep, sweep, transfer
from pdebench.cost.timing import Timing
from pdebench.cost.turns import in_turns

__all__ = [
    "Energy",
    "Loading",
    "Operations",
    "Peak",
    "Point",
    "Sweep",
    "Timing",
    "compare",
    "conditions",
    "count_flops",
    "fft_flops",
    "in_turns",
    "measured_energy",
    "once",
    "peak_in_child",
    "peak_memory",
    "ratio",
    "repeat",
    "sweep",
    "transfer",
]
