"""A progress bar with remaining time over anything that takes longer than a moment."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 2.0  # s before a bar appears


def steps(
    items: Iterable[T], what: str, shown: bool | None = None, total: int | None = None
) -> Iterator[T]:
    """Yield the items; a bar appears on terminals when it takes longer than two seconds.

    ``total`` is how many there are, where the items do not know.
    """
    num = len(items) if isinstance(items, Sized) else total
    if not (sys.stderr.isatty() if shown is None else shown) or (num is not None and num < 2):
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task, began = bar.add_task(what, total=num), time.monotonic()
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not bar.live.is_started and time.monotonic() - began > _PATIENCE:
                bar.start()
    finally:
        bar.stop()
