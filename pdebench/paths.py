"""Where records and data live by default: the user's data folder, never the installed package."""

import os
from pathlib import Path


def default_store() -> Path:
    """Where records live unless ``store=`` or PDEBENCH_STORE say otherwise."""
    return _chosen("PDEBENCH_STORE", "store")


def default_data() -> Path:
    """Where data sets live unless ``data=`` or PDEBENCH_DATA say otherwise."""
    return _chosen("PDEBENCH_DATA", "data")


def _chosen(variable: str, name: str) -> Path:
    named = os.environ.get(variable)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "pdebench" / name
