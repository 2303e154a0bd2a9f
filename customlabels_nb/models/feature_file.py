"""Store features of many images in one packed file that processes can share.

A file has a header and records of equal length: a key, a checksum and a row of float16 features. Processes append
records under a lock, and nothing that was written is ever changed. A record that a killed process or a power failure
left incomplete fails its checksum and is ignored. The rows of all records can be used as one memory-mapped array.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.files import replacing
from customlabels_nb.images.regions import FRAGMENT
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.transforms import TRANSFORM_VERSION
from customlabels_nb.remote.content_cache import caches_of, content_key, tag_cache
from customlabels_nb.user_settings import settings

#: Rows of float16.
Rows = npt.NDArray[np.float16]

SUFFIX = ".features"
Content = TypeVar("Content", str, str | None)

_HEADER_BYTES = 256
_BLOCK = 8192  # records that are checked or converted together
_KEY_BYTES = 16
_IMAGE_BYTES = 8  # at the beginning of a key, by which the regions of an image are found


def crop_content(content: Content, region: tuple[int, int, int, int] | None) -> Content:
    """Return the identity of a region of an image with this content hash or identity, or of all of it."""
    return content if region is None or content is None else f"{content}{FRAGMENT}{','.join(map(str, region))}"


def feature_key(content: str) -> bytes:
    """Return the key of the features of an image with this content hash or identity, or of a region of it.

    Keys of regions begin like the key of the image, see :meth:`FeatureFile.forget`.
    """
    image, crop, region = content.partition(FRAGMENT)
    return _digest(image)[:_IMAGE_BYTES] + _digest(region)[_IMAGE_BYTES:] if crop else _digest(image)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(f"{text}\n".encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()


class FeatureFile:
    """Packed features of one backbone, in the order in which they were added.

    A file with another ``name`` or ``width`` is replaced. At ``limit_bytes``, the older half is dropped.
    """

    def __init__(self, path: Path, name: str, width: int, limit_bytes: int) -> None:
        self.path, self.width, self.limit_bytes = path, width, limit_bytes
        self._record = np.dtype([("key", f"V{_KEY_BYTES}"), ("check", "<u4"), ("row", "<f2", (width,))])
        text = f"customlabels_nb features 1.0\n{hashlib.sha256(name.encode()).hexdigest()} {width}\n"
        self._header = text.encode().ljust(_HEADER_BYTES)
        self._lock = threading.Lock()
        self._forget()

    def lookup(self, keys: Sequence[bytes | None]) -> tuple[npt.NDArray[np.int64], Rows]:
        """Return the position of each key in the file, -1 where there are no valid features, and the mapped file.

        The array stays valid when features are added or the file is replaced. Nothing is copied.
        """
        with self._lock:
            self._refresh()
            return self._positions(keys), self._records["row"]

    def read(self, keys: Sequence[bytes | None], into: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Copy the features of the keys to ``into``, shape (keys, width), and return a mask of the rows that exist."""
        positions, rows = self.lookup(keys)
        stored = np.flatnonzero(positions >= 0)
        for start in range(0, len(stored), _BLOCK):
            part = stored[start : start + _BLOCK]
            into[part] = rows[positions[part]]
        return positions >= 0

    def add(self, keys: Sequence[bytes], rows: npt.NDArray[np.floating]) -> None:
        """Append new features that fit float16. A full disk or read-only folder is not an error."""
        with self._lock, np.errstate(over="ignore"):
            packed = np.zeros(len(keys), dtype=self._record)
            packed["key"] = np.frombuffer(b"".join(keys), dtype=f"V{_KEY_BYTES}")
            packed["row"] = rows
            packed["check"] = _checksums(packed)
            with contextlib.suppress(OSError):
                self._append(packed[np.isfinite(packed["row"]).all(axis=1)])

    def forget(self, keys: Iterable[bytes]) -> None:
        """Write the file again without these images and their regions.

        On Windows, which does not replace a mapped file, they stay.
        """
        with self._lock, contextlib.suppress(OSError):
            self._refresh()
            images = {key[:_IMAGE_BYTES] for key in keys}
            if os.name != "nt" and any(key[:_IMAGE_BYTES] in images for key in self._index):
                with _locked(self.path):
                    self._refresh()
                    kept = [key[:_IMAGE_BYTES] not in images for key in self._records["key"].tolist()]
                    self._replace(self._records[kept])

    def close(self) -> None:
        with self._lock:
            self._forget()

    # -- reading ------------------------------------------------------------------------------------
    def _forget(self) -> None:
        self._inode: tuple[int, int] | None = None
        self._records = np.empty(0, dtype=self._record)
        self._index: dict[bytes, int] = {}

    def _positions(self, keys: Sequence[bytes | None]) -> npt.NDArray[np.int64]:
        index = self._index
        return np.fromiter((-1 if key is None else index.get(key, -1) for key in keys), dtype=np.int64, count=len(keys))

    def _refresh(self) -> None:
        """Map records that were added since the last time, or all of them if the file was replaced."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                inode = status.st_dev, status.st_ino
                count = max(status.st_size - _HEADER_BYTES, 0) // self._record.itemsize
                if inode != self._inode or count < len(self._records):
                    self._forget()
                if count == len(self._records) or file.read(_HEADER_BYTES) != self._header:
                    return
                begin, self._inode = len(self._records), inode
                # an array on the mapping, because every access to a memmap object is slow
                mapped = np.memmap(file, dtype=self._record, mode="r", offset=_HEADER_BYTES, shape=(count,))
                self._records = np.asarray(mapped)
        except (OSError, ValueError):  # no file, or it was truncated just now
            self._forget()
            return
        for start in range(begin, count, _BLOCK):
            block = self._records[start : start + _BLOCK]
            sound = _checksums(block) == block["check"]
            keys = block["key"].tolist()
            places = np.flatnonzero(sound).tolist()
            self._index.update((keys[position], start + position) for position in places)

    # -- writing ------------------------------------------------------------------------------------
    def _append(self, packed: npt.NDArray[np.void]) -> None:
        if not len(packed):
            return
        self.path.parent.parent.mkdir(exist_ok=True)  # not above: the project may have been renamed or deleted
        self.path.parent.mkdir(exist_ok=True)
        tag_cache(self.path.parent)
        with _locked(self.path) as descriptor:
            self._refresh()
            fresh = packed[[key not in self._index for key in packed["key"].tolist()]]
            size = os.fstat(descriptor).st_size
            if size < _HEADER_BYTES:  # new, so nobody has mapped it. Windows does not replace a file that is open
                os.ftruncate(descriptor, 0)
                _write(descriptor, self._header)
                size = _HEADER_BYTES
            elif os.read(descriptor, _HEADER_BYTES) != self._header:
                self._replace(fresh)
                return
            if size + fresh.nbytes > self.limit_bytes and os.name != "nt":
                self._replace(np.concatenate([self._records[(len(self._records) + 1) // 2 :], fresh]))
            elif size + fresh.nbytes <= self.limit_bytes:
                whole = size - (size - _HEADER_BYTES) % self._record.itemsize
                if whole != size:  # a writer was killed: align the records that follow
                    os.ftruncate(descriptor, whole)
                try:
                    _write(descriptor, fresh.tobytes())
                except OSError:
                    os.ftruncate(descriptor, whole)
                    raise

    def _replace(self, packed: npt.NDArray[np.void]) -> None:
        """Write a new file. Processes that have mapped the old one keep it."""
        room = max(self.limit_bytes - _HEADER_BYTES, 0) // self._record.itemsize
        with replacing(self.path, durable=False) as file:
            file.write(self._header)
            file.write(packed[max(len(packed) - room, 0) :].tobytes())


class FeatureCache:
    """Feature files of a project, one for each backbone, of at most ``limit_bytes`` each."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._files: dict[str, FeatureFile] = {}

    def of(self, backbone: Backbone) -> FeatureFile:
        name = content_key(backbone.name, backbone.input_size, TRANSFORM_VERSION)
        if name not in self._files:
            path = self.folder / f"{name[:32]}{SUFFIX}"
            self._files[name] = FeatureFile(path, name, backbone.features, self.limit_bytes)
        return self._files[name]

    def has_any(self, network: str, input_size: int) -> bool:
        """Return True if features of a network were stored, without reading them or importing the network's library."""
        name = content_key(network, input_size, TRANSFORM_VERSION)
        return (self.folder / f"{name[:32]}{SUFFIX}").exists()

    def forget(self, contents: Iterable[str]) -> None:
        """Delete the features of images with these content hashes from all files."""
        keys = set(map(feature_key, contents))
        for path in self.folder.glob(f"*{SUFFIX}") if keys else ():
            file = next((file for file in self._files.values() if file.path == path), None) or self._opened(path)
            if file is not None:
                file.forget(keys)

    def _opened(self, path: Path) -> FeatureFile | None:
        """Open a file that another process has written, or return None if it has another format."""
        with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            found = FeatureFile(path, "", int(header.split()[-1]), self.limit_bytes)
            found._header = header
            return found
        return None

    def close(self) -> None:
        """Unmap all files, because Windows neither moves nor deletes mapped files."""
        for file in self._files.values():
            file.close()


def project_features(root: Path | None) -> FeatureCache:
    """Return the feature cache of the project at ``root``, or of the user if None."""
    return _cache(caches_of(root) / "features", int(settings.cache_gb * 2**30))


@lru_cache(maxsize=64)
def _cache(folder: Path, limit_bytes: int) -> FeatureCache:
    # one object per folder, because it keeps the index of its files
    return FeatureCache(folder, limit_bytes)


def _checksums(packed: npt.NDArray[np.void]) -> npt.NDArray[np.uint32]:
    """Return the checksum of each record: the sum of its keys and values as integers."""
    values = packed["row"].view("<u2").sum(axis=1, dtype=np.uint32)
    keys = np.ascontiguousarray(packed["key"]).view("<u2").reshape(-1, _KEY_BYTES // 2).sum(axis=1, dtype=np.uint32)
    # a record of zeros, as after a power failure, is not valid
    return np.asarray(values + np.uint32(65537) * keys + np.uint32(1), dtype=np.uint32)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file for appending, locked against other processes where the file system has locks."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                current = os.stat(path)
            except FileNotFoundError:
                continue
            if os.path.samestat(current, os.fstat(descriptor)):  # it was not replaced while waiting
                yield descriptor
                return
        finally:
            os.close(descriptor)
