"""Cold caches: overwrite as much memory as the last-level cache holds."""

from pathlib import Path
from typing import final

import torch

_UNKNOWN = 1 << 26  # bytes where the size cannot be read: larger than most processors' share


def cache_bytes(device: torch.device) -> int:
    """Return the size of the last-level cache in bytes (L2 on a GPU), or a large guess."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return int(getattr(properties, "L2_cache_size", 0)) or _UNKNOWN
    found = 0
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = index.read_text(encoding="ascii").strip()
            unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
            found = max(found, int(text.rstrip("KM")) * unit)
        except (OSError, ValueError):
            continue  # a size that cannot be read is no size
    return found or _UNKNOWN


@final
class Flush:
    """Empty the caches of a device by writing a buffer of twice their size, 1 GB at most."""

    def __init__(self, device: torch.device) -> None:
        size = min(2 * cache_bytes(device), 1 << 30)
        self._buffer = torch.empty(size, dtype=torch.uint8, device=device)

    def __call__(self) -> None:
        """Overwrite the buffer; returns when it is done."""
        self._buffer.add_(1)
        if self._buffer.device.type == "cuda":
            torch.cuda.synchronize(self._buffer.device)
