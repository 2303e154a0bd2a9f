"""Notice image files whose content has changed since it was stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.errors import ImageError
from customlabels_nb.images.locations import to_path
from customlabels_nb.images.reading import inspect, read_bytes
from customlabels_nb.store import SqlStore


def stored_files(store: SqlStore) -> dict[str, Any]:
    """Return the stored data of each image's file: sha256, bytes and mtime_ns, by name."""
    return {row.image: row for row in store.files()[0].itertuples(index=False)}


def contents_by_name(images: pd.DataFrame) -> dict[str, str | None]:
    """Return the content hash of each image in a table, None if it is unknown."""
    contents = images["sha256"].astype(object).where(images["sha256"].notna(), None)
    return dict(zip(images["image"].tolist(), contents, strict=True))


def content_now(image: str, root: Path | None, sha256: Any, stored: Mapping[str, Any]) -> Any:
    """Return the hash of a local file, ``sha256`` if it cannot be read.

    The file is only read if its size or modification time differs from the stored values.
    """
    row, path = stored.get(image), to_path(image, root)
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return sha256  # an unreadable file is reported later
    times = status.st_size, status.st_mtime_ns
    if row is not None and row.sha256 == sha256 and times == (row.bytes, row.mtime_ns):
        return sha256
    if (path, *times) not in _HASHES:
        try:
            _HASHES[path, *times] = inspect(read_bytes(image, root), image).sha256
        except ImageError:
            return sha256
    return _HASHES[path, *times]


#: Hashes of files whose stored time is another one, as after a project was copied, by path, size and time.
_HASHES: dict[tuple[Path, int, int], str] = {}
