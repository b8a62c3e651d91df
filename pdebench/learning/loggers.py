"""Loggers of a fit: functions from the fit's folder to a Lightning logger (or False for none)."""

from pathlib import Path
from typing import Any


def csv(folder: Path | None) -> Any:
    """Return Lightning's CSV logger below the fit's folder."""
    from lightning.pytorch.loggers import CSVLogger

    return CSVLogger(folder, name="log", version="") if folder is not None else False


def none(folder: Path | None) -> Any:
    """Return no logger."""
    return False
