"""Numbers and times as people read them; the same rules as labextension/views/format.ts."""

from __future__ import annotations

import math
from itertools import pairwise

SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float | None) -> str:
    """Four significant digits, whole numbers as they are, exponents for what is tiny or huge."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value == int(value) and size < 1e7:
        text = str(int(value))
    elif size < 1e-3 or size >= 1e7:
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{_trim(mantissa)}e{int(exponent)}"
    else:
        text = f"{value:.1f}" if size >= 1000 else _trim(f"{value:.{_decimals(size)}f}")
    return text.replace("-", "−")


def json_number(value: float | None) -> float | str | None:
    """Return a float as JSON can carry it: what is not finite becomes its name."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def size(value: float) -> str:
    """Return bytes with three digits: 512 B, 12.3 kB, 1.21 GB."""
    power = min(4, max(0, math.floor(math.log10(max(1.0, value)) / 3)))
    return f"{number(float(f'{value / 1000**power:.3g}'))} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _decimals(size: float) -> int:
    return max(0, 3 - math.floor(math.log10(size)))


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def clock(seconds: float) -> str:
    """Return seconds as 0:07, 12:05, 1:02:03 or 2 d 03:04:05."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days} d {hours:02}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def took(seconds: float) -> str:
    """Return how long something took: tenths of a second where a clock would say too little."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 9.95 else clock(seconds)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return some `count` round numbers from `low` to `high`."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def tick_labels(values: list[float]) -> list[str]:
    """Return labels with as many digits as tell the ticks apart; k, M and G for large ones."""
    increment = min((b - a for a, b in pairwise(values)), default=1.0)
    largest = max((abs(v) for v in values), default=0.0)
    if largest and (increment < 1e-4 or largest >= 1e15):
        digits = min(6, max(0, math.floor(math.log10(largest)) - math.floor(math.log10(increment))))
        return [_exponent(value, digits) for value in values]
    unit, suffix = next((scale for scale in SCALES if largest >= 10 * scale[0]), (1.0, ""))
    digits, rest = 0, increment / unit
    while digits < 6 and abs(rest - round(rest)) > 1e-6:
        digits, rest = digits + 1, rest * 10
    return [f"{v / unit:.{digits}f}{suffix}".replace("-", "−") if v else "0" for v in values]


def _exponent(value: float, digits: int) -> str:
    if not value:
        return "0"
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")
