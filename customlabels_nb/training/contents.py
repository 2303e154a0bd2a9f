"""Notice image files whose content has changed since it was stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customlabels_nb.errors import ImageError
from customlabels_nb.images.locations import to_path
from customlabels_nb.images.reading import inspect, read_bytes
from customlabels_nb.store import SqlStore


def stored_files(store: SqlStore) -> dict[str, Any]:
    """Return the stored data of each image's file: sha256, bytes and mtime_ns, by name."""
    return {row.image: row for row in store.files()[0].itertuples(index=False)}


def content_now(image: str, root: Path | None, sha256: Any, stored: Mapping[str, Any]) -> Any:
    """Return the hash of a local file, ``sha256`` if it cannot be read.

    The file is only read if its size or modification time differs from the stored values.
    """
    row = stored.get(image)
    if row is not None and row.sha256 == sha256 and _is_untouched(image, root, row.bytes, row.mtime_ns):
        return sha256
    try:
        return inspect(read_bytes(image, root), image).sha256
    except ImageError:
        return sha256


def _is_untouched(image: str, root: Path | None, size: object, mtime_ns: object) -> bool:
    try:
        status = os.stat(to_path(image, root))
    except (OSError, ValueError):
        return True  # an unreadable file is reported later
    return (status.st_size, status.st_mtime_ns) == (size, mtime_ns)
