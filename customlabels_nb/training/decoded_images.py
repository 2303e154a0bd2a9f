"""In-memory cache for images that training reads repeatedly: each is decoded once, within a memory limit."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
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
    """Return the memory limit for decoded images on this machine: a quarter of the free memory, at most 2 GB."""
    return min(2 * _GIGABYTE, int(psutil.virtual_memory().available) // 4) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))


class DecodedImages(ABC, Generic[Decoded]):
    """Thread-safe cache of decoded images. Images that exceed the memory limit are decoded again each time."""

    def __init__(self, images: Sequence[str], *, root: Path | None = None, cache_bytes: int | None = None) -> None:
        self.images = list(images)
        self.root = root
        self.cache_bytes = default_cache_bytes() if cache_bytes is None else cache_bytes
        self.cached_bytes = 0
        self._issues: dict[int, dict[Issue, None]] = {}  # those of each image, in the order in which they were found
        self._kept: dict[int, Decoded] = {}
        self._unusable: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def issues(self) -> list[Issue]:
        """Problems with images found so far, in the order of the images and without duplicates."""
        with self._lock:
            return list(dict.fromkeys(issue for index in sorted(self._issues) for issue in self._issues[index]))

    def load(self, index: int, epoch: int = 0) -> Decoded | None:
        """Return the decoded image, the same in every epoch, or None with an issue."""
        with self._lock:
            if index in self._kept or index in self._unusable:
                return self._kept.get(index)
        try:
            decoded, issues = self._decode(index)
        except ImageError as error:
            decoded, issues = None, [Issue(error.code, error.reason, where=self.images[index])]
        with self._lock:
            if issues:  # decoding an image again repeats its issues
                self._issues.setdefault(index, {}).update(dict.fromkeys(issues))
            if decoded is None:
                self._unusable.add(index)
            elif self._fits(decoded) and index not in self._kept:
                self._kept[index] = decoded
                self.cached_bytes += self._bytes(decoded)
        return decoded

    def preload(self, events: Events) -> None:
        """Decode images in threads until the cache is full or all images are decoded."""
        workers = connections(self.images, settings.threads)
        events.progress("images", 0, len(self))
        with closing(map_bounded(self.load, range(len(self)), workers=workers)) as loaded:
            for done, decoded in enumerate(loaded, start=1):
                events.progress("images", done, len(self))
                if decoded is not None and not self._fits(decoded):
                    events.progress("images", len(self), len(self))
                    return

    @abstractmethod
    def _decode(self, index: int) -> tuple[Decoded | None, list[Issue]]:
        """Decode an image, and return it (or None if it is unusable) and its issues. May raise ImageError."""

    @abstractmethod
    def _bytes(self, decoded: Decoded) -> int: ...

    def _fits(self, decoded: Decoded) -> bool:
        return self.cached_bytes + self._bytes(decoded) <= self.cache_bytes
