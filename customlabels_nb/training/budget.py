"""How long to train: what people say, and what becomes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from customlabels_nb.durations import read_seconds
from customlabels_nb.errors import InputError

#: "as good as it gets": until held-out images say that more doesn't help.
BEST = "best"

_HOW = 'give seconds, or a text like "90s", "2min", "1h 30min" or "best"'
_MOST_SECONDS = 30 * 24 * 3600.0
_MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Budget:
    """Seconds of training, or a number of steps; neither for "best"."""

    seconds: float | None = None
    steps: int | None = None

    def __str__(self) -> str:
        if self.steps is not None:
            return f"{self.steps:,} steps"
        return BEST if self.seconds is None else f"{self.seconds:g} s"


def parse_budget(budget: str | float | None = None, steps: int | None = None, *, default: str = "2min") -> Budget:
    """What a person asked for.

    Parameters
    ----------
    budget : str or float, optional
        Wall time of training: seconds, or a text like "90s", "2min", "1h 30min"; or "best".
    steps : int, optional
        Instead, exactly so many steps, as a former training tells them: it is repeated.
    default : str
        The budget if neither is given.

    Raises
    ------
    InputError
        If both are given, or one can't be understood.
    """
    if steps is not None:
        if budget is not None:
            raise InputError(f"budget={budget!r} and steps={steps!r}: give one of them.")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
            raise InputError(f"steps={steps!r} must be a whole number from 1 to {_MOST_STEPS:,}.")
        return Budget(steps=steps)
    given = default if budget is None else budget
    if isinstance(given, str):
        return Budget() if given.strip().lower() == BEST else Budget(seconds=_checked(_seconds(given), given))
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError(f"budget={given!r} can't be understood; {_HOW}.")
    return Budget(seconds=_checked(float(given), given))


def _seconds(text: str) -> float:
    seconds = read_seconds(text)
    if seconds is None:
        raise InputError(f"budget={text!r} can't be understood; {_HOW}.")
    return seconds


def _checked(seconds: float, given: object) -> float:
    if not math.isfinite(seconds) or not 1 <= seconds <= _MOST_SECONDS:
        raise InputError(f"budget={given!r} must be from 1 second to 30 days.")
    return seconds
