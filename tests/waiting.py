"""Wait for states instead of times."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def is_soon(condition: Callable[[], object], seconds: float = 5) -> bool:
    """Check whether a condition becomes true within some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a condition is true, or fail."""
    assert is_soon(condition, seconds), "It did not come about."


def is_gone(pid: int) -> bool:
    """Check whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
