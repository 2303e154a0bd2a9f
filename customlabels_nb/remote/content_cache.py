"""A size-limited cache of bytes in files, found by content.

Thumbnails, features and remote files go through it. Each entry is one file, written beside its place and
renamed into it, so that a killed process leaves whole entries only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from functools import lru_cache
from pathlib import Path

from customlabels_nb._utils.files import replacing
from customlabels_nb.settings import settings

#: Tells programs that walk over folders to leave one out (Cache Directory Tagging Specification, bford.info/cachedir).
TAG_NAME = "CACHEDIR.TAG"
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of customlabels_nb.\n"
#: What can be a key: also the name of a file, anywhere.
KEY = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z._-]{3,199}")


def content_key(*parts: object) -> str:
    """Return the key of what is found by all of these texts and numbers together."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


class ContentCache:
    """Bytes by key under ``folder``; past ``limit_bytes`` the entries longest unused go first.

    Parameters
    ----------
    folder : Path
        Made on the first write.
    limit_bytes : int
        Checked after each 16th of it was written; the cache may be that much larger for a while.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._written = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """The bytes of ``key``, or None if they aren't here (any more)."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the least recently used go first
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``, unless it alone is more than the cache may hold.

        A full disk or a read-only folder is no error: the cache just stays without.
        """
        path = self._path(key)
        if len(data) > self.limit_bytes:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._tag()
            with replacing(path, durable=False) as file:
                file.write(data)
        except OSError:
            return
        with self._lock:
            self._written += len(data)
            due = self._written > self.limit_bytes // 16
            if due:
                self._written = 0
        if due:
            self.trim()

    def _tag(self) -> None:
        if not (self.folder / TAG_NAME).exists():
            with contextlib.suppress(FileExistsError), (self.folder / TAG_NAME).open("xb") as file:
                file.write(_TAG)

    def trim(self) -> None:
        """Delete the entries longest unused until the cache is within its limit."""
        entries = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"Not a cache key: {key!r}.")
        return self.folder / key[:2] / key


def project_cache(root: Path | None, kind: str) -> ContentCache:
    """The cache for ``kind`` ("thumbnails", "features", "remote") of the project at ``root``, or the user's."""
    base = settings.cache_dir if root is None else root / "cache"
    return _cache(base / kind, int(settings.cache_gb * 2**30))


@lru_cache(maxsize=64)
def _cache(folder: Path, limit_bytes: int) -> ContentCache:
    # one object for all who write: it counts what was written, to know when it is time to trim
    return ContentCache(folder, limit_bytes)
