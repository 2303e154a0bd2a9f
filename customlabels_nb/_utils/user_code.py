"""Find the line of the user's code that a warning is about."""

from __future__ import annotations

import sys


def users_level() -> int:
    """Return the ``stacklevel`` of a warning about the user's code, the nearest caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("customlabels_nb", "contextlib"):
        level, frame = level + 1, frame.f_back
    return level
