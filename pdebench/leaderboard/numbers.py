"""Numbers as a reader wants them: three significant digits and a unit that fits."""

import math

_SECONDS = (
    (1e-6, "ns", 1e9),
    (1e-3, "µs", 1e6),
    (1.0, "ms", 1e3),
    (120.0, "s", 1.0),
    (7200.0, "min", 1 / 60),
)
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_COUNTS = ("", "k", "M", "G", "T")


def number(value: float | str | None) -> str:
    """Return three significant digits; an em dash for nothing."""
    if value is None:
        return "—"
    value = float(value)
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if value == 0:
        return "0"
    if 0.99 <= value < 1:  # a correlation: what is missing to 1 counts
        return f"{value:.{min(1 - math.floor(math.log10(1 - value)), 7)}f}"
    size = abs(value)
    if 1e-3 <= size < 1e4:
        digits = max(2 - math.floor(math.log10(size)), 0)
        return f"{value:.{digits}f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def interval(mean: float | str | None, low: float | None, high: float | None) -> str:
    """Return ``mean [low, high]``, or the mean alone."""
    if low is None or high is None:
        return number(mean)
    return f"{number(mean)} [{number(low)}, {number(high)}]"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that leaves at most a few digits before the point."""
    if value is None:
        return "—"
    if value == 0:
        return "0 s"
    for limit, unit, factor in _SECONDS:
        if value < limit:
            return f"{number(value * factor)} {unit}"
    return f"{number(value / 3600)} h"


def timed(value: float | None, low: float | None, high: float | None) -> str:
    """Return ``1.2 ms [1.1, 1.3]`` with the interval in the unit of the value."""
    if value is None or low is None or high is None or value == 0:
        return seconds(value)
    factor = next((f for limit, _, f in _SECONDS if value < limit), 1 / 3600)
    return f"{seconds(value)} [{number(low * factor)}, {number(high * factor)}]"


def memory(value: float | None) -> str:
    """Return bytes with a binary prefix."""
    if value is None:
        return "—"
    scaled, unit = float(value), _BYTES[0]
    for unit in _BYTES:
        if scaled < 1024 or unit == _BYTES[-1]:
            break
        scaled /= 1024
    return f"{number(scaled)} {unit}"


def count(value: float | None) -> str:
    """Return a count with a decimal prefix; an em dash for nothing."""
    if not value:
        return "—"
    scaled, prefix = float(value), ""
    for prefix in _COUNTS:
        if abs(scaled) < 1000 or prefix == _COUNTS[-1]:
            break
        scaled /= 1000
    return f"{number(scaled) if prefix else int(scaled)} {prefix}".strip()
