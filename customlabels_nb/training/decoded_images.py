"""Images that are decoded once and kept within a limit of memory: what training reads again and again."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Generic, TypeVar

import psutil

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.settings import settings

Decoded = TypeVar("Decoded")

_GIGABYTE = 2**30


def default_cache_bytes() -> int:
    """Return how many bytes decoded images may take by default: a quarter of the free memory, at most 2 GB."""
    return min(2 * _GIGABYTE, int(psutil.virtual_memory().available) // 4)


class DecodedImages(ABC, Generic[Decoded]):
    """Images kept in memory until ``cache_bytes`` are full; the others are decoded again each time.

    Safe to use from several threads.

    Parameters
    ----------
    images : sequence of str
        Paths or URLs.
    root : Path, optional
        Folder under which relative paths lie.
    cache_bytes : int, optional
        See :func:`default_cache_bytes`.

    Attributes
    ----------
    issues : list of Issue
        What was left out so far, each finding once.
    cached_bytes : int
        What the cache holds.
    """

    def __init__(self, images: Sequence[str], *, root: Path | None = None, cache_bytes: int | None = None) -> None:
        self.images = list(images)
        self.root = root
        self.cache_bytes = default_cache_bytes() if cache_bytes is None else cache_bytes
        self.cached_bytes = 0
        self.issues: list[Issue] = []
        self._kept: dict[int, Decoded] = {}
        self._unusable: set[int] = set()
        self._noted: set[Issue] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many images there are, the unusable ones included."""
        return len(self.images)

    def load(self, index: int, epoch: int = 0) -> Decoded | None:
        """Return the decoded image, the same in every epoch; None, and an issue, if it can't be used."""
        with self._lock:
            if index in self._kept or index in self._unusable:
                return self._kept.get(index)
        try:
            found, issues = self._decode(index)
        except ImageError as error:
            found, issues = None, [Issue(error.code, error.reason, where=self.images[index])]
        with self._lock:
            self._note(issues)
            if found is None:
                self._unusable.add(index)
            elif self._fits(found) and index not in self._kept:
                self._kept[index] = found
                self.cached_bytes += self._bytes(found)
        return found

    def preload(self, events: Events) -> None:
        """Decode images on threads until the cache is full, or all are there.

        Raises
        ------
        Cancelled
            If ``events`` were asked to stop.
        """
        workers = connections(self.images, settings.threads)
        events.progress("images", 0, len(self))
        with closing(map_bounded(self.load, range(len(self)), workers=workers)) as loaded:
            for done, found in enumerate(loaded, start=1):
                events.progress("images", done, len(self))
                if found is not None and not self._fits(found):
                    events.progress("images", len(self), len(self))
                    return

    @abstractmethod
    def _decode(self, index: int) -> tuple[Decoded | None, list[Issue]]:
        """Return the decoded image, None if it can't be used, and what is wrong with it; may raise ImageError."""

    @abstractmethod
    def _bytes(self, decoded: Decoded) -> int: ...

    def _fits(self, decoded: Decoded) -> bool:
        return self.cached_bytes + self._bytes(decoded) <= self.cache_bytes

    def _note(self, issues: Iterable[Issue]) -> None:
        for issue in issues:  # an image that is decoded again has the same issues again
            if issue not in self._noted:
                self._noted.add(issue)
                self.issues.append(issue)
