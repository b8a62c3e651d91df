"""Where a run happens, and what accumulates while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from pdebench.harness.answer import BLOCK_BYTES


@final
@dataclass
class Surroundings:
    """Where and how a run happens, none of which is part of its identity.

    Attributes:
        device: "cpu" or "cuda".
        data: folder of the data set, where findings about its splits are kept; None for none.
        sealed: folders that solver code must not open.
        workspace: where a fit keeps its resume point and its weights; None for neither.
        logger: returns a Lightning logger for a folder; None for none.
        progress: whether to draw progress bars.
        timing_seconds: how long the online phase is repeated for its interval.
        block_bytes: how much of a trajectory is held at once, of answer and reference each.
    """

    device: str = "cpu"
    data: Path | None = None
    sealed: tuple[Path, ...] = ()
    workspace: Path | None = None
    logger: Callable[[Path | None], Any] | None = None
    progress: bool = False
    timing_seconds: float = 2.0
    block_bytes: int = BLOCK_BYTES


@final
@dataclass
class Outcome:
    """What accumulates while a run goes on, so that a failure keeps all that came before it."""

    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    parameters: int = 0
    pretrained: dict[str, Any] | None = None
    protocol: dict[str, Any] = field(default_factory=dict)
    alone: float | None = None
    precision: str | None = None
