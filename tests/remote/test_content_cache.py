"""Tests of the cache of bytes in files."""

from __future__ import annotations

import os
from pathlib import Path

from customlabels_nb.remote.content_cache import ContentCache


def test_the_least_recently_used_entries_are_evicted(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache", limit_bytes=320)
    for number in range(8):
        cache.put(f"key{number}", bytes(40))
        os.utime(tmp_path / "cache" / "ke" / f"key{number}", (number, number))
    assert cache.get("key0") is not None  # it is now the last used
    cache.put("key8", bytes(40))
    assert [number for number in range(9) if cache.get(f"key{number}") is None] == [1]
