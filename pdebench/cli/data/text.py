"""Numbers as people read them."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(nbytes: float) -> str:
    """Return bytes with a decimal unit: 1.2 GB."""
    for unit in _UNITS:
        if nbytes < 1000 or unit == _UNITS[-1]:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return ""


def duration(seconds: float) -> str:
    """Return seconds as s, min or h."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
