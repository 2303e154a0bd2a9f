"""Limit on the memory that images from URLs take, shared by all threads of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

#: Function that waits until a number of bytes can be reserved, instead of those that were reserved before.
Hold: TypeAlias = Callable[[int], None]


class MemoryBudget:
    """Number of bytes that may be in memory at a time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        self.used = 0
        self._turn, self._released = threading.Lock(), threading.Condition()

    @contextmanager
    def share(self) -> Iterator[Hold]:
        """Yield a function to reserve bytes, which are released when the block ends.

        It releases what it has reserved before it waits, so two shares cannot wait for each other. A thread that holds
        bytes must not wait for another share. More bytes than the limit can be reserved if no others are.
        """
        reserved = 0

        def hold(size: int) -> None:
            nonlocal reserved
            with self._released:
                self.used -= reserved
                reserved = 0
                self._released.notify()
            if size:
                # only one waits for bytes, and the others for their turn, so small files do not overtake a large one
                with self._turn, self._released:
                    self._released.wait_for(lambda: not self.used or self.used + size <= self.limit)
                    self.used += size
                    reserved = size

        try:
            yield hold
        finally:
            hold(0)


image_memory = MemoryBudget(256 * 2**20)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=image_memory.clear)  # another thread may have held the lock
