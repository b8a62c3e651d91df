"""A trip-wire around solver code: while it runs, opening a file below a sealed folder raises
AccessError.

Python's own ``open`` is watched by an audit hook, HDF5 files by the one low-level function through
which h5py (and with it xarray's h5netcdf) opens them. This makes reading the stored answers take
deliberate effort; it is no sandbox.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pdebench.dataset import closed
from pdebench.errors import AccessError

_sealed: ContextVar[tuple[str, ...]] = ContextVar("pdebench_sealed", default=())
_installed = False


def _refuse_below_seal(path: Any) -> None:
    folders = _sealed.get()
    if not folders or not isinstance(path, str | bytes | os.PathLike):
        return
    real = os.path.realpath(os.fsdecode(path))
    for folder in folders:
        # The folder itself may be listed: an import does so where a script lies beside its data.
        if real.startswith(folder + os.sep) or (real == folder and os.path.isfile(real)):
            raise AccessError(
                f"the solver opened '{real}' while it ran; stored data reach a solver only "
                "through what "
                "fit, prepare and solve are given"
            )


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and arguments:
        _refuse_below_seal(arguments[0])


def _install() -> None:
    """Install the hooks once per process (audit hooks cannot be removed; without a seal they return
    at once).
    """
    global _installed
    if _installed:
        return
    import h5py

    opened = h5py.h5f.open

    def guarded(name: Any, *arguments: Any, **options: Any) -> Any:
        _refuse_below_seal(name)
        return opened(name, *arguments, **options)

    h5py.h5f.open = guarded
    sys.addaudithook(_audit)
    _installed = True


@contextmanager
def sealed(*folders: Path | None) -> Iterator[None]:
    """Refuse to open anything below ``folders``, and to split a data set, inside the block, in this
    thread.
    """
    _install()
    token = _sealed.set(tuple(os.path.realpath(folder) for folder in folders if folder is not None))
    shut = closed.set(True)
    try:
        yield
    finally:
        closed.reset(shut)
        _sealed.reset(token)
