"""Images made small, for where the whole would make a notebook heavy."""

from __future__ import annotations

import base64
import io
from pathlib import Path

SIDES = (192, 128, 96, 64, 48, 32, 16)
"""Pixels of the longer side, tried in this order."""
QUALITY = 60
LARGEST = 40_000_000
"""Pixels of an image that is opened for this."""


def thumbnail(path: Path, limit: int) -> str | None:
    """Return an image as a data URL of at most `limit` characters, None where that cannot be."""
    try:
        from PIL import Image

        with Image.open(path) as image:
            if image.width * image.height > LARGEST:
                return None
            small = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
        for side in SIDES:
            if max(small.size) < side and side != SIDES[-1]:
                continue
            small.thumbnail((side, side))
            buffer = io.BytesIO()
            small.save(buffer, "webp", quality=QUALITY)
            url = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
            if len(url) <= limit:
                return url
    except Exception:  # what the user logged may be no image that can be read, or too large a one
        return None
    return None
