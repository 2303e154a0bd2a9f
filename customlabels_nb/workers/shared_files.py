"""Choose files by which workers on other machines show that they can read what the driver reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.locations import is_remote, located, to_path
from customlabels_nb.images.reading import content_hash, read_bytes

_MOST_PROBES = 8
_MOST_TRIES = 8  # of each bucket, because an image can be missing


def readable_everywhere(
    names: Sequence[str], root: Path | None, *, shared_filesystem: bool, output: Path | None = None
) -> list[list[str]]:
    """Return files that each worker must be able to read: a local one, ``output``, and one of each bucket."""
    from customlabels_nb.remote.remote_files import is_web, path_in_bucket

    local = next((name for name in names if _is_local(name)), None)
    if not shared_filesystem and (local is not None or output is not None):
        argument = f"The image {local!r}" if output is None or local is not None else f"to={str(output.parent)!r}"
        raise InputError(
            f"{argument} is a path on this machine, which workers on other machines may not have. Use a URL, such as "
            "'s3://bucket/folder/', or pass shared_filesystem=True if all machines have the same files at this path."
        )
    probes: list[list[str]] = []
    if local is not None:
        with suppress(ImageError, FileNotFoundError):  # it is reported as an unreadable image
            path = str(path_in_bucket(local) or os.path.abspath(to_path(located(local, root))))
            probes.append([path, content_hash(read_bytes(path, max_bytes=None))])
    if output is not None:
        probes.append([str(output), content_hash(read_bytes(str(output), max_bytes=None))])
    places: dict[str, list[str]] = {}
    for name in names:
        if not _is_local(name):
            path = urlsplit(name)._replace(path="", query="", fragment="").geturl()
            if path in places or len(places) < _MOST_PROBES:
                places.setdefault(path, []).append(name)
    for path, there in places.items():
        usable, reason = _readable(there[:_MOST_TRIES])
        if usable is not None:
            probes.append([usable, ""])
        elif not is_web(path):  # a web server needs no credentials
            raise InputError(f"None of the first images can be read: {reason}") from reason
    return probes


def _is_local(name: str) -> bool:
    """Check whether a name is a path on this machine, or of a bucket that is a folder on it."""
    from customlabels_nb.remote.remote_files import path_in_bucket

    try:
        return not is_remote(name) or path_in_bucket(name) is not None
    except FileNotFoundError:  # the name leads out of the bucket's folder
        return True


def _readable(names: Sequence[str]) -> tuple[str | None, ImageError | None]:
    """Return the first name of a file that this process can read, and the first error."""
    from customlabels_nb.remote.remote_files import look_up

    reason: ImageError | None = None
    for name in names:
        try:
            look_up(name)
            return name, reason
        except ImageError as error:
            reason = reason or error
    return None, reason
