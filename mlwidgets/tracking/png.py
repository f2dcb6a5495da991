"""PNG files from arrays, with nothing but zlib."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
LEVEL = 4


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of shape (height, width, 1, 2, 3 or 4 channels) as a PNG file."""
    import numpy as np

    height, width, channels = pixels.shape
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0], rows[:, 1:] = _filtered(pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(pixels: NDArray[np.uint8]) -> tuple[int, NDArray[np.uint8]]:
    """Return the filter (0: none, 1: less the pixel on the left, 2: less the one above) that leaves least."""
    import numpy as np

    left, above = pixels.copy(), pixels.copy()
    left[:, 1:] -= pixels[:, :-1]
    above[1:] -= pixels[:-1]
    candidates = [np.ascontiguousarray(one).reshape(len(pixels), -1) for one in (pixels, left, above)]
    best = min(range(3), key=lambda kind: int(np.abs(candidates[kind].view(np.int8).astype(np.int16)).sum()))
    return best, candidates[best]


def shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return pixels no higher and no wider than `side`: each the mean of a square of the original's."""
    import numpy as np

    height, width, channels = pixels.shape
    factor = -(-max(height, width) // side)
    if factor <= 1:
        return pixels
    padded = np.pad(pixels, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor, channels)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means.round().astype(np.uint8)
