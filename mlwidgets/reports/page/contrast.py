"""Colours of text that can be read on the page, light and dark."""

from __future__ import annotations

GROUNDS = ("#ffffff", "#14171c")
LEAST = 5.2
"""More than the 4.5 that WCAG asks for: the grounds of errors and of code are not quite those of the page."""


def on_both(colour: str) -> str:
    """Return a colour like ``#1f2328`` as a CSS colour that can be read on the page's grounds."""
    light, dark = (readable(colour, ground) for ground in GROUNDS)
    return f"light-dark({light}, {dark})"


def readable(colour: str, ground: str) -> str:
    """Return a colour that can be read on a ground: mixed with black or white as far as needed.

    Contrast is that of WCAG 2.2, success criterion 1.4.3.
    """
    target = 0 if luminance(ground) > 0.5 else 255
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    mixed = colour
    for step in range(21):
        mixed = "#" + "".join(f"{round(one + (target - one) * step / 20):02x}" for one in channels)
        if contrast(mixed, ground) >= LEAST:
            break
    return mixed


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour like ``#1f2328`` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
