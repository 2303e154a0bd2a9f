"""Tests of the thumbnail cache: it keeps its size, never fails its caller, and contains complete entries only."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from customlabels_nb.errors import ImageNotFoundError
from customlabels_nb.images.reading import content_hash
from customlabels_nb.images.thumbnails import ContentCache, project_cache, thumbnail_of
from customlabels_nb.user_settings import settings
from tests.images.pictures import jpeg, tree, unreadable


def aged(cache: ContentCache, key: str, seconds: int) -> None:
    """Make a cache entry older."""
    path = next(cache.folder.glob(f"*/{key}"))
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_cache_is_shared_with_other_processes(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache", 1 << 20)
    assert cache.get("abcd") is None
    cache.put("abcd", b"one")
    cache.put("abcd", b"two")
    assert cache.get("abcd") == ContentCache(tmp_path / "cache", 1 << 20).get("abcd") == b"two"


def test_cache_folder_is_created_on_first_write(tmp_path: Path) -> None:
    ContentCache(tmp_path / "cache", 100).get("abcd")
    ContentCache(tmp_path / "cache", 100).trim()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("key", ["", "abc", "../../etc/passwd", "/etc/passwd", "ab/cd", ".hidden", "ab\0cd", "a" * 201])
def test_keys_cannot_leave_the_cache_folder(tmp_path: Path, key: str) -> None:
    cache = ContentCache(tmp_path / "cache", 100)
    with pytest.raises(ValueError, match="Invalid cache key"):
        cache.put(key, b"x")
    with pytest.raises(ValueError, match="Invalid cache key"):
        cache.get(key)


def test_least_recently_used_entries_are_evicted_first(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, 3000)
    for age, key in enumerate(["new-a", "old-b", "old-c", "old-d"]):
        cache.put(key, bytes(1000))
        aged(cache, key, 100 * age)
    assert cache.get("old-d") is not None  # used again, so it is not the oldest any more
    cache.trim()
    assert [key for key in ("new-a", "old-b", "old-c", "old-d") if cache.get(key)] == ["new-a", "old-b", "old-d"]


def test_the_cache_stays_near_its_limit_by_itself(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, 16_000)
    for number in range(100):
        cache.put(f"key-{number}", bytes(1000))
    assert sum(path.stat().st_size for path in tmp_path.rglob("key-*")) <= 17_000 + 1000
    assert cache.get("key-99") is not None


def test_oversized_entry_evicts_nothing(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, 1000)
    cache.put("small", bytes(900))
    cache.put("large", bytes(1001))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_project_cache_is_shared_in_a_process(tmp_path: Path) -> None:
    settings.cache_gb = 16_000 / 2**30
    for number in range(100):
        project_cache(tmp_path, "thumbnails").put(f"key-{number}", bytes(1000))
    assert sum(path.stat().st_size for path in tmp_path.rglob("key-*")) <= 18_000


def test_a_folder_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = ContentCache(tmp_path / "file" / "cache", 100)
    cache.put("abcd", b"x")
    assert cache.get("abcd") is None
    folder = tmp_path / "locked"
    folder.mkdir()
    with unreadable(folder):
        ContentCache(folder, 100).put("abcd", b"x")
        assert ContentCache(folder, 100).get("abcd") is None
    assert tree(folder) == {}


def test_readers_never_see_half_an_entry(tmp_path: Path) -> None:
    cache, seen = ContentCache(tmp_path, 1 << 30), set()
    contents = [bytes([number]) * 100_000 for number in range(4)]
    cache.put("shared", contents[0])

    def write(content: bytes) -> None:
        for _ in range(20):
            cache.put("shared", content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.add(cache.get("shared"))
    assert seen <= set(contents)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["CACHEDIR.TAG", "shared"]


def test_the_projects_cache_lies_in_its_folder_and_the_users_elsewhere(tmp_path: Path) -> None:
    settings.cache_gb = 0.001
    cache = project_cache(tmp_path, "thumbnails")
    assert cache.folder == tmp_path / "cache" / "thumbnails"
    assert cache.limit_bytes == int(0.001 * 2**30)
    assert project_cache(None, "thumbnails").folder == settings.cache_dir / "thumbnails"


def test_cache_does_not_recreate_a_deleted_project_folder(tmp_path: Path) -> None:
    cache = project_cache(tmp_path / "fruit", "thumbnails")
    cache.put("abcd", b"x")
    assert not (tmp_path / "fruit").exists()
    (tmp_path / "fruit").mkdir()
    cache.put("abcd", b"x")
    assert cache.get("abcd") == b"x"


def test_the_users_cache_is_created_with_the_folders_above_it(tmp_path: Path) -> None:
    settings.cache_dir = tmp_path / "home" / ".cache" / "customlabels_nb"
    project_cache(None, "thumbnails").put("abcd", b"x")
    assert project_cache(None, "thumbnails").get("abcd") == b"x"


def test_a_thumbnail_is_made_once_for_a_content(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.jpg", ContentCache(tmp_path / "cache", 1 << 20)
    path.write_bytes(jpeg(1, (400, 300)))
    sha256 = content_hash(path.read_bytes())
    first = thumbnail_of("a.jpg", root=tmp_path, sha256=sha256, size=100, cache=cache)
    with Image.open(io.BytesIO(first)) as small:
        assert small.size == (100, 75)
    path.unlink()
    assert thumbnail_of("a.jpg", root=tmp_path, sha256=sha256, size=100, cache=cache) == first
    with pytest.raises(ImageNotFoundError):
        thumbnail_of("a.jpg", root=tmp_path, sha256=sha256, size=50, cache=cache)


def test_a_thumbnail_is_never_kept_for_another_content(tmp_path: Path) -> None:
    old, new, cache = jpeg(1), jpeg(2), ContentCache(tmp_path / "cache", 1 << 20)
    (tmp_path / "a.jpg").write_bytes(new)  # it was the old one when its hash was computed
    (tmp_path / "b.jpg").write_bytes(old)
    of_a, of_b = (
        thumbnail_of(name, root=tmp_path, sha256=content_hash(old), size=40, cache=cache) for name in ("a.jpg", "b.jpg")
    )
    assert of_a == thumbnail_of("a.jpg", root=tmp_path, sha256=None, size=40, cache=None)
    assert of_b == thumbnail_of("b.jpg", root=tmp_path, sha256=None, size=40, cache=None)
    assert of_a != of_b


def test_cache_folder_has_a_cachedir_tag(tmp_path: Path) -> None:
    ContentCache(tmp_path / "cache", 1 << 20).put("abcd", b"x")
    tag = tmp_path / "cache" / "CACHEDIR.TAG"
    assert tag.read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    before = tag.stat().st_mtime_ns
    cache = ContentCache(tmp_path / "cache", 1)
    cache.put("efgh", b"y")
    cache.trim()
    assert tag.stat().st_mtime_ns == before


@pytest.mark.parametrize("sha256", [None, "", "../../outside", '"etag/1"', "x"])
def test_a_content_without_a_proper_hash_is_not_cached(tmp_path: Path, sha256: str | None) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    cache = ContentCache(tmp_path / "cache" / "deep", 1 << 20)
    assert thumbnail_of("a.jpg", root=tmp_path, sha256=sha256, size=40, cache=cache)
    assert all("outside" not in name for name in tree(tmp_path))
