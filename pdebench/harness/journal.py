"""The journal of a sweep: what began, ended and failed, appended by every worker.

One JSON line per event in ``<store>/sweeps/<name>.jsonl``. A line is written by one ``write`` to a
file opened for appending, so that workers on one machine never mix theirs; a torn last line (a
worker that died writing) is skipped. Nothing depends on a journal: records alone are results.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final


@final
@dataclass(frozen=True)
class Ended:
    """A finished run: its ``label`` (overrides), status, reason, whether it was recalled, wall
    seconds, and the id of its record ("" where it was refused).
    """

    label: str
    status: str
    reason: str | None
    recalled: bool
    seconds: float
    record: str


@final
@dataclass
class State:
    """What a journal says.

    Attributes:
        name: of the sweep; its file's.
        command: as typed.
        total: number of runs, None where the journal does not say.
        began, seen, over: times of the first and last event and of the end, s since the epoch.
        running: label -> (host, process, since).
        ended: label -> outcome.
    """

    name: str
    command: str = ""
    total: int | None = None
    began: float = 0.0
    seen: float = 0.0
    over: float | None = None
    host: str = ""
    process: int = 0
    running: dict[str, tuple[str, int, float]] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)

    @property
    def failures(self) -> list[Ended]:
        """The runs that neither ended well nor were skipped with a reason."""
        return [e for e in self.ended.values() if e.status not in ("ok", "unsupported")]

    @property
    def lost(self) -> list[str]:
        """Runs whose process is gone without a word (of this machine; others cannot be asked)."""
        here = socket.gethostname()
        return [
            label
            for label, (host, process, _) in self.running.items()
            if host == here and not alive(process)
        ]

    @property
    def remaining_seconds(self) -> float | None:
        """Time to go: runs left times elapsed time over runs computed so far; None: unknown."""
        computed = sum(not e.recalled for e in self.ended.values())
        if self.total is None or not computed:
            return None
        left = max(self.total - len(self.ended), 0)
        return left * (self.seen - self.began) / computed


@final
@dataclass(frozen=True)
class Journal:
    """Appends to and reads one journal file; can be pickled into workers."""

    file: Path

    def append(self, event: str, **facts: Any) -> None:
        """Add one event with the time, this host and this process."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "event": event,
            "time": time.time(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            **facts,
        }
        with self.file.open("ab", buffering=0) as stream:
            stream.write(json.dumps(line).encode() + b"\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """All whole lines, in order."""
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and "event" in found:
                yield found

    def state(self) -> State:
        """Return what all events together say."""
        state = State(self.file.stem)
        for event in self.events():
            _fold(state, event)
        return state


def _fold(state: State, event: dict[str, Any]) -> None:
    state.seen = max(state.seen, float(event["time"]))
    kind, label = event["event"], str(event.get("run", ""))
    if kind == "begin":
        state.command, state.total = str(event["command"]), event["total"]
        state.began, state.host = float(event["time"]), str(event["host"])
        state.process = int(event["process"])
    elif kind == "running":
        state.running[label] = (str(event["host"]), int(event["process"]), float(event["time"]))
    elif kind == "end":
        state.over = float(event["time"])
    elif kind == "done":
        state.running.pop(label, None)
        state.ended[label] = Ended(
            label,
            str(event["status"]),
            event.get("reason"),
            bool(event.get("recalled")),
            float(event.get("seconds", 0.0)),
            str(event.get("record", "")),
        )


def alive(process: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def begin(store: Path, command: str, total: int | None) -> Journal:
    """Start the journal of a new sweep."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    journal = Journal(store / "sweeps" / f"{name}.jsonl")
    journal.append("begin", command=command, total=total)
    return journal


def journals(store: Path) -> list[Journal]:
    """The journals of a store, oldest first."""
    return [Journal(file) for file in sorted((store / "sweeps").glob("*.jsonl"))]
