"""Fields as small PNG images in one symmetric, colour-blind-safe palette; numpy and zlib only."""

import base64
import struct
import zlib
from typing import Any

import numpy as np

# Anchors of the palette at -1 ... 1 (sRGB): blue through near-white to red, equally dark at both
# ends.
_ANCHORS = (
    (9, 31, 92),
    (38, 93, 171),
    (112, 165, 215),
    (244, 243, 240),
    (226, 147, 106),
    (178, 62, 36),
    (90, 14, 16),
)
_MISSING = 255  # index of what is not finite or outside the domain: transparent
_MIDDLE = 127


def _palette() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return 256 colours (256, 3): 0 ... 254 from -1 to 1, zero at 127 exactly, and the missing
    one.
    """
    at = np.linspace(-1, 1, len(_ANCHORS))
    values = np.linspace(-1, 1, 2 * _MIDDLE + 1)
    colours = np.stack([np.interp(values, at, [a[c] for a in _ANCHORS]) for c in range(3)], axis=1)
    return np.vstack([colours, [[128, 128, 128]]]).round().astype(np.uint8)


_PALETTE = _palette().tobytes()
_OPACITY = bytes([255] * _MISSING + [0])


def image(field: np.ndarray[Any, Any], scale: float) -> str:
    """Return a data URI of the field (X, Y), coloured from -scale to scale; x runs right, y up."""
    safe = np.nan_to_num(
        np.asarray(field, dtype=float) / (scale or 1.0), nan=0.0, posinf=1.0, neginf=-1.0
    )
    index = np.round(np.clip(safe, -1, 1) * _MIDDLE).astype(np.int16) + _MIDDLE
    index[~np.isfinite(field)] = _MISSING
    return encoded(index.T[::-1].astype(np.uint8))


def encoded(index: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Return a data URI of an image of palette indices (rows, columns) as an 8-bit indexed PNG
    (ISO/IEC 15948).
    """
    height, width = index.shape
    lines = np.zeros((height, width + 1), dtype=np.uint8)  # filter type 0 leads each line
    lines[:, 1:] = index
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _PALETTE),
        (b"tRNS", _OPACITY),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    stream = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)
    return "data:image/png;base64," + base64.b64encode(stream).decode("ascii")


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def colour_bar() -> str:
    """Return a data URI of the palette from -1 to 1, left to right."""
    return encoded(np.arange(2 * _MIDDLE + 1, dtype=np.uint8)[None])
