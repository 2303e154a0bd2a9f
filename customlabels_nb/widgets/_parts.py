"""Files that a page sends in parts: a message of a page holds a few megabytes, a photo may have more."""

from __future__ import annotations

import threading

from customlabels_nb.errors import InputError

_MOST_AT_ONCE = 4


class Parts:
    """Files on their way from a page, in memory.

    Parameters
    ----------
    most_bytes : int
        A file with more is refused.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._files: dict[str, bytearray] = {}
        self._lock = threading.Lock()

    def add(self, key: str, data: bytes | memoryview, *, first: bool) -> None:
        """Append to the file that the page calls ``key``; ``first`` begins it. The oldest of many is dropped."""
        with self._lock:
            if first:
                self._files[key] = bytearray()
                for old in list(self._files)[:-_MOST_AT_ONCE]:
                    del self._files[old]
            elif key not in self._files:
                raise InputError("This file was not sent whole: send it again.")
            if len(self._files[key]) + len(data) > self.most_bytes:
                del self._files[key]
                raise InputError(f"The file has more than {self.most_bytes >> 20:,} MB.")
            self._files[key] += data

    def take(self, key: str) -> bytes:
        """The whole file, which is forgotten here."""
        with self._lock:
            try:
                return bytes(self._files.pop(key))
            except KeyError:
                raise InputError("This file was not sent whole: send it again.") from None
