"""Parse durations such as "90s", "2min", "1h 30min", "1d" or "250ms"."""

from __future__ import annotations

import re

from customlabels_nb._utils.arguments import is_number

_UNITS = {
    "": 1.0, "ms": 0.001,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def read_seconds(duration: object) -> float | None:
    """Convert a number of seconds, or a text with one or more parts, into seconds, or return None if it is invalid."""
    if is_number(duration):
        return float(duration)
    if not isinstance(duration, str):
        return None
    total, end = 0.0, 0
    lower = duration.strip().lower()
    while end < len(lower):
        part = _PART.match(lower, end)
        is_alone = part is not None and part.span() == (0, len(lower))
        if part is None or part[2] not in _UNITS or not (part[2] or is_alone):  # 1h30 may mean minutes or seconds
            return None
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    return total if lower else None
