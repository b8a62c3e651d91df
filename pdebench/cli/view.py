"""A sweep as a table that keeps up with its journal: done, running, failed and why, time to go."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pdebench.harness.journal import Journal, State

_ROWS = 12  # running and failed runs shown; `pdebench sweep status --all` shows every one
_REFRESH = 0.5  # s


def spoken(seconds: float) -> str:
    """Return a duration as a person says it: 45 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _headline(state: State, now: float) -> Text:
    counts = Counter(e.status for e in state.ended.values())
    recalled = sum(e.recalled for e in state.ended.values())
    failed = len(state.failures)
    lost = len(state.lost)
    total = "?" if state.total is None else str(state.total)
    parts = [f"{len(state.ended)} of {total} done"]
    parts += [f"{recalled} recalled"] if recalled else []
    parts += [f"{counts['unsupported']} do not apply"] if counts["unsupported"] else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{len(state.running) - lost} running"] if state.over is None else []
    parts += [f"{lost} lost with their process"] if lost else []
    elapsed = (state.over or now) - state.began
    said = f"{state.name}: {', '.join(parts)}; {spoken(elapsed)} so far"
    if state.over is not None:
        return Text(f"{state.name}: {', '.join(parts)}; ended after {spoken(elapsed)}")
    left = state.remaining_seconds
    return Text(said + (f", about {spoken(left)} to go" if left else ""))


def _distinct(labels: list[str]) -> dict[str, Text]:
    """Return each label without the overrides that all runs share."""
    words = {label: label.split() for label in labels}
    shared = set.intersection(*map(set, words.values())) if len(labels) > 1 else set()
    return {
        label: Text(" ".join(w for w in own if w not in shared) or label)
        for label, own in words.items()
    }


def table(state: State, rows: int | None = _ROWS, now: float | None = None) -> RenderableType:
    """Return what a terminal shows of a sweep."""
    now = time.time() if now is None else now
    parts: list[RenderableType] = [_headline(state, now)]
    if state.total:
        parts.append(ProgressBar(total=state.total, completed=len(state.ended), width=60))
        parts.append(Text(""))
    lost = set(state.lost)
    short = _distinct([*state.ended, *state.running])
    going = [(label, place) for label, place in state.running.items() if label not in lost]
    if going and state.over is None:
        running = Table("running", "for", "where", box=None, pad_edge=False)
        for label, (host, process, since) in going[:rows]:
            running.add_row(short[label], spoken(now - since), f"{host} {process}")
        parts.append(running)
    if state.failures or lost:
        failed = Table("failed", "status", "reason", box=None, pad_edge=False)
        for ended in state.failures[:rows]:
            failed.add_row(short[ended.label], ended.status, Text(ended.reason or ""))
        for label in sorted(lost)[:rows]:
            failed.add_row(
                short[label], "lost", "its process is gone; the same command computes it"
            )
        hidden = len(state.failures) + len(lost) - (rows or len(state.failures) + len(lost))
        if hidden > 0:
            failed.add_row(f"and {hidden} more", "", "pdebench sweep status --all")
        parts.append(failed)
    return Group(*parts)


@contextlib.contextmanager
def watching(journal: Journal, console: Console) -> Iterator[None]:
    """Show the sweep on ``console`` while the block runs; nothing where it is no terminal."""
    if not console.is_terminal:
        yield
        return
    from rich.live import Live

    ended = threading.Event()
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def keep_up() -> None:
            while not ended.wait(_REFRESH):
                live.update(table(journal.state()), refresh=True)

        thread = threading.Thread(target=keep_up, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            live.update(table(journal.state()), refresh=True)
