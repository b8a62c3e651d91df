"""How the C library handles freed memory, which decides the speed of arrays of a few MiB.

glibc gives an array above a threshold pages of its own, and hands the top of the heap back above
another. Both begin low and rise with the largest array freed so far, so that the same step faults
its pages in anew every time or never, depending on what the process did before: a factor of up to
three for three-dimensional transforms. Elsewhere the functions do nothing.
"""

import ctypes
import sys

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of mallopt(3)
_LARGEST = 32 << 20  # the most that glibc raises the second to, bytes


def keep_freed() -> None:
    """Keep freed memory for the next array: the state that glibc itself reaches once an array of
    32 MiB was freed.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_MMAP, _LARGEST)
        mallopt(_TRIM, 2 * _LARGEST)


def return_freed() -> None:
    """Give freed memory back to the system, so that growth from here on is growth in use."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)  # not every C library has them
