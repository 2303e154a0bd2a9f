"""Download cache for remote images, with concurrent requests and validation of cached files.

An entry is keyed by its URL and by the identity that the server reports for its content (:mod:`.remote_files`). A
caller that knows the identity, for example from the images table, gets the cached file without a request. Otherwise,
one request is made to look it up. An interrupted run leaves no incomplete entries, and the next run downloads the
missing files.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import closing

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.errors import ImageError, ImageNotFoundError, ImageTooLargeError
from customlabels_nb.events import Events
from customlabels_nb.remote.content_cache import ContentCache, content_key, project_cache
from customlabels_nb.remote.memory_budget import Hold, image_memory
from customlabels_nb.remote.remote_files import (
    RemoteFile,
    identity_matches,
    is_identity,
    is_web,
    look_up,
    read,
    size_in,
)
from customlabels_nb.user_settings import settings

#: Number of concurrent requests. Threads that wait for the network use no processor.
CONNECTIONS = 16

_TRUSTED_SECONDS = 300.0  # time for which identities from object stores are trusted; those from web servers never are
_MOST_REMEMBERED = 1_000_000
_MOST_CHANGES = 3  # attempts to read a file that changes while it is being read


class _ReportedIdentities:
    """Identities that servers have recently reported to this process, by URL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reported: dict[str, tuple[str, float]] = {}

    def get(self, url: str) -> str | None:
        identity, since = self._reported.get(url, ("", 0.0))
        return identity if identity and time.monotonic() - since < _TRUSTED_SECONDS else None

    def __contains__(self, url: str) -> bool:
        return url in self._reported

    def note(self, url: str, identity: str | None) -> None:
        with self._lock:
            if len(self._reported) >= _MOST_REMEMBERED:
                self._reported.clear()
            if identity is None or is_web(url):
                self._reported.pop(url, None)
            else:
                self._reported[url] = (identity, time.monotonic())


_seen = _ReportedIdentities()


def forget_answers() -> None:
    """Forget the identities that servers have reported, so that each file is asked for again before it is read."""
    global _seen
    _seen = _ReportedIdentities()  # a new lock, too: another thread may have held it when the process forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_answers)


def was_looked_up(url: str) -> bool:
    """Check whether an object store has reported the identity of a file to this process, however long ago."""
    return url in _seen


def fetch(
    url: str, *, content_id: str | None = None, max_bytes: int | None = LOCAL.max_image_bytes, hold: Hold | None = None
) -> tuple[bytes, str | None]:
    """Return the bytes of a remote file, from the cache if possible, and the identity of its content.

    If ``content_id`` is in the cache, no request is made. A value that is not an identity is ignored. Larger
    files than ``max_bytes`` raise ImageTooLargeError without being read. If the server reports no identity, the file is
    not cached. ``hold`` reserves memory for the bytes (:mod:`.memory_budget`).
    """
    cache = project_cache(None, "remote")
    remembered = _seen.get(url) if settings.network else None
    for identity in (content_id, remembered):
        if identity is not None and (data := _kept(cache, url, identity, max_bytes, hold)) is not None:
            return data, identity
    identity = remembered or (content_id if is_identity(content_id) else None)
    just_asked = identity is None
    if just_asked:
        identity = _look_up(url).identity
        if identity is not None and (data := _kept(cache, url, identity, max_bytes, hold)) is not None:
            return data, identity
    return _read(cache, url, identity, max_bytes, hold, just_asked=just_asked)


def has_content(url: str, identity: str, data: bytes) -> bool:
    """Check whether a remote file has this content, as far as its identity or the cache says. No request is made."""
    matches = identity_matches(identity, data) if size_in(identity) == len(data) else False
    return matches if matches is not None else project_cache(None, "remote").get(content_key(url, identity)) == data


def fetch_all(
    urls: Sequence[str],
    *,
    content_ids: Sequence[str | None] | None = None,
    workers: int = CONNECTIONS,
    events: Events | None = None,
) -> list[Issue]:
    """Download remote images to the cache, ``workers`` at a time, and return issues for failures."""
    identities = [None] * len(urls) if content_ids is None else content_ids
    wanted = sum(size_in(identity) for identity in identities if identity is not None and is_identity(identity))
    if events is not None and wanted > project_cache(None, "remote").limit_bytes:
        events.message(
            f"The images take {wanted / 2**30:.1f} GB, but the cache is limited to {settings.cache_gb:g} GB, so the "
            "first ones will be evicted. Increase settings.cache_gb to keep all images."
        )

    def bring(item: tuple[str, str | None]) -> Issue | None:
        try:
            with image_memory.share() as hold:
                fetch(item[0], content_id=item[1], hold=hold)
        except ImageError as error:
            return Issue(error.code, error.reason, where=item[0])
        return None

    issues = []
    with closing(map_bounded(bring, zip(urls, identities, strict=True), workers=workers)) as brought:
        for done, issue in enumerate(brought, 1):
            if issue is not None:
                issues.append(issue)
            if events is not None:
                events.progress("fetching images", done, len(urls))
    return issues


def connections(images: Iterable[str], threads: int) -> int:
    """Return the number of threads for reading images: ``threads``, or more if any image is remote."""
    return max(threads, CONNECTIONS) if any("://" in image for image in images) else threads


def look_up_all(
    urls: Iterable[str], *, events: Events | None = None, phase: str = "checking remote files"
) -> dict[str, RemoteFile | ImageError]:
    """Request the metadata of remote files concurrently, without downloading them, and return errors as values."""
    wanted = list(dict.fromkeys(urls))

    def ask(url: str) -> RemoteFile | ImageError:
        try:
            return _look_up(url)
        except ImageError as error:
            return error

    entries: dict[str, RemoteFile | ImageError] = {}
    with closing(map_bounded(ask, wanted, workers=CONNECTIONS)) as answers:
        for url, answer in zip(wanted, answers, strict=True):
            entries[url] = answer
            if events is not None:
                events.progress(phase, len(entries), len(wanted))
    return entries


def _look_up(url: str) -> RemoteFile:
    try:
        file = look_up(url)
    except ImageError:
        _seen.note(url, None)
        raise
    _seen.note(url, file.identity)
    return file


def _kept(cache: ContentCache, url: str, identity: str, max_bytes: int | None, hold: Hold | None) -> bytes | None:
    if not is_identity(identity):
        return None
    if hold is not None:
        hold(size_in(identity))
    data = cache.get(content_key(url, identity))
    if data is None or len(data) != size_in(identity):
        if hold is not None:
            hold(0)
        return None
    if max_bytes is not None and len(data) > max_bytes:
        raise ImageTooLargeError(url, f"the file has more than {max_bytes:,} bytes.")
    return data


def _read(
    cache: ContentCache, url: str, identity: str | None, max_bytes: int | None, hold: Hold | None, *, just_asked: bool
) -> tuple[bytes, str | None]:
    """Read a remote file, again if necessary, until its content is known to match its identity."""
    for _ in range(_MOST_CHANGES):
        try:
            data = read(url, identity, max_bytes, hold=hold)
        except ImageTooLargeError:
            if just_asked or identity is None or max_bytes is None or size_in(identity) <= max_bytes:
                raise
            data = b""  # the known identity may be outdated
        if identity is None:
            return data, None
        is_current = identity_matches(identity, data)
        if is_current is None and just_asked:
            is_current = True
        if not is_current:
            now = _look_up(url).identity
            is_current = is_current is None and now == identity
            if not is_current:
                identity, just_asked = now, True
                continue
        cache.put(content_key(url, identity), data)
        _seen.note(url, identity)
        return data, identity
    raise ImageNotFoundError(url, "the file changes while it is being read. Try again later.")
