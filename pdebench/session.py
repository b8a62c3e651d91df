"""What surrounds a ``fit``: where it may keep checkpoints, who listens, and which seed orders the
batches.

The harness opens a session; outside one (a notebook) fits run without checkpoints and loggers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final


@final
@dataclass(frozen=True)
class Session:
    """Surroundings of one fit.

    Attributes:
        seed: orders the batches.
        folder: where a killed fit finds its last checkpoint again; None for no checkpoints.
        logger: returns a Lightning logger for this fit; None for none.
        label: what a progress bar calls the fit.
        progress: whether to draw a progress bar.
        device: "cpu" or "cuda".
    """

    seed: int = 0
    folder: Path | None = None
    logger: Callable[[Path | None], Any] | None = None
    label: str = "fit"
    progress: bool = field(default=False)
    device: str = "cpu"


_current: ContextVar[Session] = ContextVar("pdebench_session")


def current() -> Session:
    """Return the open session, or one without surroundings."""
    return _current.get(Session())


@contextmanager
def opened(session: Session) -> Iterator[Session]:
    """Make ``session`` the current one inside the block."""
    token = _current.set(session)
    try:
        yield session
    finally:
        _current.reset(token)
