"""Remote images through one cache of the user's: fetched once, validated cheaply, several at a time.

An entry is found by its URL and the identity that the server gives the content (:mod:`.remote_files`).
Whoever knows that identity, from the images table say, gets what is kept without asking the server; otherwise it is
asked once. A run that is killed leaves whole entries only, and the next one fetches what is missing.
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
from customlabels_nb.remote.remote_files import RemoteFile, is_identity, is_web, look_up, read, size_in, tells
from customlabels_nb.settings import settings

#: How many requests are under way at once: what waits for the network needs no processor.
CONNECTIONS = 16

_TRUSTED_SECONDS = 300.0  # so long what an object store said is not asked again; a web server is asked each time
_MOST_REMEMBERED = 1_000_000
_ATTEMPTS = 3


class _Seen:
    """What servers said lately in this process: identities by URL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}

    def get(self, url: str) -> str | None:
        identity, since = self._known.get(url, ("", 0.0))
        return identity if identity and time.monotonic() - since < _TRUSTED_SECONDS else None

    def note(self, url: str, identity: str | None) -> None:
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            if identity is None or is_web(url):
                self._known.pop(url, None)
            else:
                self._known[url] = (identity, time.monotonic())


_seen = _Seen()


def _start_anew() -> None:
    global _seen
    _seen = _Seen()  # another thread may have held the lock when the process was forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


def fetch(
    url: str, *, known: str | None = None, max_bytes: int | None = LOCAL.max_image_bytes
) -> tuple[bytes, str | None]:
    """The bytes of a remote file, from the cache where they are there, and the identity of what was read.

    Parameters
    ----------
    known : str, optional
        The identity that it is known by: if the cache has that, the server isn't asked. What is not an identity is as
        good as none.
    max_bytes : int, optional
        More are refused and not read.

    Returns
    -------
    data : bytes
    identity : str or None
        None if the server says nothing by which the content could be recognised; nothing is kept then.

    Raises
    ------
    ImageError
        One of its subclasses, naming the URL.
    """
    cache = project_cache(None, "remote")
    remembered = _seen.get(url) if settings.network else None
    for identity in (known, remembered):
        if identity is not None and (data := _kept(cache, url, identity, max_bytes)) is not None:
            return data, identity
    identity = remembered or (known if is_identity(known) else None)
    just_asked = identity is None
    if just_asked:
        identity = _look_up(url).identity
        if identity is not None and (data := _kept(cache, url, identity, max_bytes)) is not None:
            return data, identity
    return _read(cache, url, identity, max_bytes, just_asked=just_asked)


def fetch_all(
    urls: Sequence[str],
    *,
    known: Sequence[str | None] | None = None,
    workers: int = CONNECTIONS,
    events: Events | None = None,
) -> list[Issue]:
    """Bring remote images into the cache, ``workers`` at a time; those that are there aren't fetched again.

    Returns
    -------
    list of Issue
        Why not, one for each image that can't be had.

    Raises
    ------
    Cancelled
        If ``events`` were asked to stop. What was fetched stays.
    """
    identities = [None] * len(urls) if known is None else known
    wanted = sum(size_in(identity) for identity in identities if identity is not None and is_identity(identity))
    if events is not None and wanted > project_cache(None, "remote").limit_bytes:
        events.message(
            f"These images have {wanted / 2**30:.1f} GB, the cache keeps {settings.cache_gb:g} GB of them: what was "
            "fetched first is dropped again. settings.cache_gb makes it larger."
        )

    def bring(item: tuple[str, str | None]) -> Issue | None:
        try:
            fetch(item[0], known=item[1])
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
    """How many threads read these images: ``threads``, or more if one of them comes over the network."""
    return max(threads, CONNECTIONS) if any("://" in image for image in images) else threads


def look_up_all(
    urls: Iterable[str], *, events: Events | None = None, phase: str = "asking for images"
) -> dict[str, RemoteFile | ImageError]:
    """What the servers tell of each file, several at a time, or why that can't be had; nothing is fetched."""
    wanted = list(dict.fromkeys(urls))

    def ask(url: str) -> RemoteFile | ImageError:
        try:
            return _look_up(url)
        except ImageError as error:
            return error

    found: dict[str, RemoteFile | ImageError] = {}
    with closing(map_bounded(ask, wanted, workers=CONNECTIONS)) as answers:
        for url, answer in zip(wanted, answers, strict=True):
            found[url] = answer
            if events is not None:
                events.progress(phase, len(found), len(wanted))
    return found


def _look_up(url: str) -> RemoteFile:
    try:
        file = look_up(url)
    except ImageError:
        _seen.note(url, None)
        raise
    _seen.note(url, file.identity)
    return file


def _kept(cache: ContentCache, url: str, identity: str, max_bytes: int | None) -> bytes | None:
    if not is_identity(identity):
        return None
    data = cache.get(content_key(url, identity))
    if data is None or len(data) != size_in(identity):
        return None
    if max_bytes is not None and len(data) > max_bytes:
        raise ImageTooLargeError(url, f"the file has more than {max_bytes:,} bytes.")
    return data


def _read(
    cache: ContentCache, url: str, identity: str | None, max_bytes: int | None, *, just_asked: bool
) -> tuple[bytes, str | None]:
    """Read the file until what was read is certainly what its identity speaks of."""
    for _ in range(_ATTEMPTS):
        try:
            data = read(url, identity, max_bytes)
        except ImageTooLargeError:
            if just_asked or identity is None or max_bytes is None or size_in(identity) <= max_bytes:
                raise
            data = b""  # what it is known by may be out of date
        if identity is None:
            return data, None
        told = tells(identity, data)
        if told is None and just_asked:
            told = True
        if not told:
            now = _look_up(url).identity
            told = told is None and now == identity
            if not told:
                identity, just_asked = now, True
                continue
        cache.put(content_key(url, identity), data)
        _seen.note(url, identity)
        return data, identity
    raise ImageNotFoundError(url, "it changes while it is being read; try again later.")
