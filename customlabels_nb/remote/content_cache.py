"""Size-limited cache of bytes in files, keyed by content.

The cache stores thumbnails, fingerprints and remote files. Each entry is a file, written under a temporary name and
then renamed, so that a killed process leaves no incomplete entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from customlabels_nb._utils.files import replacing
from customlabels_nb.user_settings import settings

#: File that makes backup programs skip the cache folder (Cache Directory Tagging Specification, bford.info/cachedir).
TAG_NAME = "CACHEDIR.TAG"
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of customlabels_nb.\n"
#: Pattern of valid keys, which are also valid file names on all systems.
KEY = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z._-]{3,199}")


def content_key(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def tag_cache(folder: Path) -> None:
    """Create the file :data:`TAG_NAME` in an existing cache folder."""
    if not (folder / TAG_NAME).exists():
        with contextlib.suppress(FileExistsError), (folder / TAG_NAME).open("xb") as file:
            file.write(_TAG)


class ContentCache:
    """Least recently used cache of bytes in a folder, which may exceed its limit by a sixteenth."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._written = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # marks the entry as recently used
        return data

    def put(self, key: str, data: bytes) -> None:
        """Store ``data`` unless it exceeds the limit alone. A full disk or read-only folder is not an error."""
        path = self._path(key)
        if len(data) > self.limit_bytes:
            return
        try:
            if not path.parent.exists():
                # not above: the project may have been renamed or deleted
                for folder in (self.folder.parent, self.folder, path.parent):
                    folder.mkdir(exist_ok=True)
                tag_cache(self.folder)
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

    def forget(self, contents: Iterable[str]) -> None:
        """Delete the entries whose keys begin with one of these content hashes."""
        for content in contents:
            for path in self.folder.glob(f"{content[:2]}/{content}*") if KEY.fullmatch(content) else ():
                with contextlib.suppress(OSError):
                    path.unlink()

    def trim(self) -> None:
        """Delete the least recently used entries until the cache is within its limit."""
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
            raise ValueError(f"Invalid cache key {key!r}.")
        return self.folder / key[:2] / key


def project_cache(root: Path | None, kind: str) -> ContentCache:
    """Return the cache for ``kind``, such as "thumbnails", of the project at ``root``, or of the user if None."""
    return _cache(caches_of(root) / kind, int(settings.cache_gb * 2**30))


def caches_of(root: Path | None) -> Path:
    """Return the folder with the caches of the project at ``root``, or of the user if None, which is created."""
    if root is not None:
        return root / "cache"
    with contextlib.suppress(OSError):
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
    return settings.cache_dir


@lru_cache(maxsize=64)
def _cache(folder: Path, limit_bytes: int) -> ContentCache:
    # one object per folder, because it counts the bytes written to decide when to trim
    return ContentCache(folder, limit_bytes)
