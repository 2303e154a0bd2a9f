"""Resolve the paths and URLs of images.

A user passes a path, a URL or a pattern, which :meth:`Location.of` reads once. Tables have absolute paths, URLs, and
paths below the project folder. Paths in tables have ``/`` between their parts on every system.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from customlabels_nb._utils.files import expand_home
from customlabels_nb._utils.text import plain_url
from customlabels_nb.errors import InputError
from customlabels_nb.remote.remote_files import RemoteFile, is_web

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+)://")
_DRIVE = re.compile(r"/[A-Za-z]:")
_UNRESERVED = "/!$&'()*+,;=:@~"  # besides letters and digits, what the path of a URL may contain as it is


@dataclass(frozen=True, slots=True)
class Location:
    """Place that a user has passed: a file, folder or pattern. ``path`` is None for a URL, ``name`` has no password.

    ``listed`` is the metadata of a remote file that was found in a listing.
    """

    name: str
    path: Path | None
    listed: RemoteFile | None = None

    @classmethod
    def of(cls, item: object) -> Location:
        if not isinstance(item, str | os.PathLike) or not os.fspath(item):
            raise InputError(f"{item!r} is not a path or URL.")
        text = plain_url(expand_home(os.fsdecode(item)))
        if is_remote(text):
            return cls(text, None)
        return cls(text if text.isascii() or _is_utf8(text) else to_uri(text), to_path(text))

    @property
    def uri(self) -> str:
        """Name of the place in tables."""
        return self.name if self.path is None else to_uri(self.path)

    @property
    def is_folder(self) -> bool:
        return self.path is not None and os.path.isdir(self.path)

    @property
    def is_pattern(self) -> bool:
        """True for a glob pattern.

        A local path is one with ``*`` or ``?`` that does not exist, a URL one with ``*`` that is not an HTTP URL.
        """
        if self.path is None:
            return "*" in self.name and not self.name.startswith(("http:", "https:"))
        text = os.fspath(self.path)
        return ("*" in text or "?" in text) and not os.path.lexists(self.path)

    def below(self, root: Path | None) -> Location:
        """Return the place below ``root`` if a relative path exists only there, otherwise this place."""
        if root is None or self.path is None or self.path.is_absolute() or os.path.lexists(self.path):
            return self
        path = root / self.path
        return Location(os.fspath(path), path) if os.path.lexists(path) else self


def to_uri(path: str | os.PathLike[str]) -> str:
    """Convert a local path to the form used in tables: the absolute path, or a ``file:`` URL if it is not UTF-8."""
    text = os.path.abspath(os.fspath(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        return Path(_encodable(text)).as_uri()
    return text.replace(os.sep, "/")


def relative_name(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """Return a path relative to a folder on the same disk, in the form used in tables."""
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _encodable(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise InputError(f"{path!r} is not a valid path: it contains a lone surrogate.") from error
    return path


def is_remote(uri: str) -> bool:
    """Check whether ``uri`` refers to a remote file, which is read through fsspec, rather than to a local file."""
    match = _PROTOCOL.match(uri)
    return match is not None and match[1].lower() not in ("file", "local")


def to_path(uri: str, root: Path | None = None) -> Path:
    """Return the local path of ``uri``, resolving a relative path against ``root`` (the project folder)."""
    path = Path(without_scheme(uri))
    return path if root is None or path.is_absolute() else root / path


def located(name: str, root: Path | None) -> str:
    """Resolve the image ``name`` of a user or a table with :meth:`Location.below`."""
    return name if root is None or is_remote(name) else Location(name, to_path(name)).below(root).name


def url_below(folder: str, name: str) -> str:
    """Return the URL of a file by its path relative to a folder, whose URL ends with ``/``.

    The paths of web servers are percent-encoded. Names in buckets and other file systems are literal.
    """
    return folder + (quote(name, safe=_UNRESERVED) if is_web(folder) else name)


def without_scheme(uri: str) -> str:
    """Return the decoded path in a ``file:`` URL, or any other path or URL unchanged."""
    if uri[:7].lower() != "file://":
        return uri
    path = os.fsdecode(unquote_to_bytes(uri[7:].removeprefix("localhost")))
    return path[1:] if os.name == "nt" and _DRIVE.match(path) else path  # file:///C:/photos


def local_path(path: str | os.PathLike[str], argument: str) -> Path:
    """Convert an argument to a local path: a path, with ``~`` for the home folder, or a ``file:`` URL."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{argument}={path!r} is not a path.")
    text = _encodable(os.fsdecode(path))
    if not text or "\0" in text:
        raise InputError(f"{argument}={text!r} is not a valid path.")
    if is_remote(text):
        raise InputError(f"{argument}={text!r} is a URL. Pass a path on this machine.")
    place = to_path(text) if isinstance(path, str) and text[:7].lower() == "file://" else Path(expand_home(text))
    try:
        os.lstat(place)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{argument}={text[:100]!r}… is too long for a path.") from error
    return place


def absolute_uri(name: str, root: Path | None = None) -> str:
    """Return ``name`` if it is a URL, otherwise its absolute path as in tables, resolved against ``root``."""
    return name if is_remote(name) else to_uri(to_path(name, root))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
