"""Freed memory is used again without new page faults, and given back when asked."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from pdebench import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    return [np.ones(1 << 18) for _ in range(16)]  # 16 arrays of 2 MiB

if "keep" in sys.argv:
    heap.keep_freed()
step()
before = faults()
for _ in range(10):
    step()
again = faults() - before
heap.return_freed()
before = faults()
step()
print(again, faults() - before)
"""


def _faults(*arguments: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    again, after_return = map(int, done.stdout.split())
    return again, after_return


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a matter of glibc")
def test_a_step_faults_its_memory_in_once() -> None:
    pages = 16 * (2 << 20) // 4096
    kept, returned = _faults("keep")
    assert kept < 0.02 * 10 * pages
    assert returned > 0.5 * pages  # what was freed had gone back to the system
    assert _faults()[0] > 10 * kept + 100  # without it every round pays
