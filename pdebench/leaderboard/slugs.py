"""Names of tables and files that are safe in links and on every file system."""

import re
from collections import Counter
from collections.abc import Sequence

from pdebench.leaderboard.board import Key
from pdebench.leaderboard.identity import digest

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def safe(segment: str) -> str:
    """Return a segment of a path: letters, digits, ``_ . -``, never empty, never dots alone.

    A segment that had to be changed gets a hash of what it was, so that different names stay
    different.
    """
    clean = _UNSAFE.sub("_", segment)[:60].lstrip(".")
    return clean if clean == segment and clean else f"{clean or 'x'}-{digest(segment, 6)}"


def page(key: Key) -> str:
    """Return the path, without ending, of the files of a task and track:
    ``navier_stokes/evolve/tiny``.
    """
    segments = [safe(part) for part in key.task.split("/")]
    return "/".join([*segments, safe(key.track or "no-track")])


def slugs(keys: Sequence[Key]) -> list[str]:
    """Return a distinct name per table: page and device, then a number where that is not enough."""
    named = [f"{page(key)}/{safe(key.device)}" for key in keys]
    count, seen = Counter(named), Counter[str]()
    done: list[str] = []
    for name in named:
        seen[name] += 1
        done.append(f"{name}/{seen[name]}" if count[name] > 1 else name)
    return done
