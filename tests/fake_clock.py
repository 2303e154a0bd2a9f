"""A clock for code that takes ``clock=``."""

from __future__ import annotations


class FakeClock:
    """Clock whose time, in seconds, passes only by :meth:`advance`."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
