"""Events that plugins may listen to; a hook exists only where a plugin that ships with the suite
uses it.
"""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pdebench.harness.record import Record

PROJECT = "pdebench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def run_started(config: dict[str, Any], run_id: str) -> None:
    """A run that was not found in the store begins; ``config`` is the resolved configuration."""


@hookspec
def run_finished(config: dict[str, Any], record: "Record") -> None:
    """A run has its record (whatever its status), which is already in the store."""
