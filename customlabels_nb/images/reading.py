"""Images: find, read, open, orient once, verify, measure, shrink.

EXIF orientation is applied in :func:`open_image` and in the size that :func:`inspect` returns, and nowhere
else: everything above sees upright images and boxes that refer to them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from PIL import Image

from customlabels_nb._utils.files import expand_home
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.errors import ImageError, ImageNotFoundError, ImageTooLargeError, InputError, NotAnImageError
from customlabels_nb.events import Events
from customlabels_nb.images.decoding import READ_SUFFIXES as READ_SUFFIXES
from customlabels_nb.images.decoding import (
    TURNED,
    count_frames,
    decode,
    is_whole,
    opened,
    orientation,
    upright_rgb,
    upright_rgba,
)
from customlabels_nb.images.decoding import why_unread as why_unread
from customlabels_nb.remote.download_cache import connections, fetch

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+)://")


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image without decoding all of it: oriented size in pixels, content, pages or frames."""

    width: int
    height: int
    sha256: str
    bytes: int
    frames: int = 1


@dataclass(frozen=True)
class ImageHeader:
    """What a header tells of an image: oriented size in pixels, Pillow's name of the format, EXIF orientation."""

    width: int
    height: int
    format: str
    bytes: int
    orientation: int = 1


def to_uri(path: str | os.PathLike[str]) -> str:
    """How a local path is written in the tables: the absolute path, as a ``file:`` URL if it isn't UTF-8.

    Raises
    ------
    InputError
        If no file can have that name.
    """
    text = os.path.abspath(os.fspath(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(_encodable(text)))
    return text


def _encodable(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise InputError(f"{path!r} can't be a path: it holds half of a surrogate pair.") from error
    return path


def is_remote(uri: str) -> bool:
    """Whether ``uri`` names something that fsspec fetches, rather than a file here."""
    found = _PROTOCOL.match(uri)
    return found is not None and found[1].lower() not in ("file", "local")


def to_path(uri: str, root: Path | None = None) -> Path:
    """The local file of ``uri``; relative ones lie under ``root`` (the project's folder)."""
    if uri[:7].lower() == "file://":
        return Path(os.fsdecode(unquote_to_bytes(uri[7:].removeprefix("localhost"))))
    path = Path(uri)
    return path if root is None or path.is_absolute() else root / path


def local_path(path: str | os.PathLike[str], argument: str) -> Path:
    """The file or folder of this machine that somebody means: a path, with ``~`` for home, or a ``file:`` URL.

    Raises
    ------
    InputError
        If it is another URL, empty, or no path at all; the message names the ``argument``.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{argument}={path!r} is no path.")
    text = _encodable(os.fsdecode(path))
    if not text or "\0" in text:
        raise InputError(f"{argument}={text!r} names nothing; give a path.")
    if is_remote(text):
        raise InputError(f"{argument}={text!r} is a URL; give a path on this machine.")
    return to_path(text) if isinstance(path, str) and text[:7].lower() == "file://" else Path(expand_home(text))


def read_bytes(uri: str, root: Path | None = None, *, max_bytes: int | None = LOCAL.max_image_bytes) -> bytes:
    """The bytes of a local file, or of anything that fsspec reads, through the cache of remote files.

    Raises
    ------
    ImageNotFoundError
        If it isn't there or may not be read.
    NotAnImageError
        If it is a folder, a device or a pipe.
    ImageTooLargeError
        If it has more than ``max_bytes``; no more than that is read.
    """
    if is_remote(uri):
        return fetch(uri, max_bytes=max_bytes)[0]
    try:
        # a Path would take a tenth of the time that reading a photo does
        data = _read_file(uri if os.path.isabs(uri) else os.fspath(to_path(uri, root)), uri, max_bytes)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageNotFoundError(uri, f"can't be read ({reason}); check the path and its permissions.") from error
    if max_bytes is not None and len(data) > max_bytes:
        raise ImageTooLargeError(uri, f"the file has more than {max_bytes:,} bytes.")
    return data


def read_content(uri: str, root: Path | None = None, *, known: str | None = None) -> tuple[bytes, str]:
    """The bytes of an image, and what tells them from others: their hash, or a remote file's identity.

    Parameters
    ----------
    known : str, optional
        What the images table says of its content: a remote file that is in the cache as such is not asked for.

    Raises
    ------
    ImageError
        As :func:`read_bytes`.
    """
    if is_remote(uri):
        data, identity = fetch(uri, known=known)
        return data, identity or content_hash(data)
    data = read_bytes(uri, root)
    return data, content_hash(data)


def _read_file(path: str, uri: str, max_bytes: int | None) -> bytes:
    # opening a pipe waits for its writer, and reading a device may never end
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotAnImageError(uri, "it is no file (but a folder, a device or a pipe).")
    with open(path, "rb") as file:
        if max_bytes is None:
            return file.read()
        # Python sets aside as much memory as is asked for, which takes longer than reading an ordinary photo
        data = file.read(min(status.st_size, max_bytes) + 1)
        # some file systems don't know the size, and a file may have grown
        return data if len(data) <= status.st_size else data + file.read(max_bytes + 1 - len(data))


def measure(data: bytes, name: str) -> tuple[int, int]:
    """Oriented width and height of an encoded image, reading its header only where the rest is evidently whole.

    JPEG and WebP that end as they should are trusted, so are PNG whose checksums are right; any other is decoded once.

    Raises
    ------
    ImageError
        One of its subclasses, naming ``name``.
    """
    return examine(data, name)[:2]


def examine(data: bytes, name: str) -> tuple[int, int, int]:
    """As :func:`measure`, and how many pages or frames there are, of which the first is used."""
    with opened(data, name) as image:
        frames = count_frames(image)
        if not is_whole(image.format or "", data):
            decode(image, name)
        width, height = image.size
        if orientation(image, data) in TURNED:
            width, height = height, width
    return width, height, frames


def header_size(uri: str, root: Path | None = None) -> tuple[int, int]:
    """Oriented width and height of an image; see :func:`read_header` for what is read and raised."""
    header = read_header(uri, root)
    return header.width, header.height


def read_header(uri: str, root: Path | None = None) -> ImageHeader:
    """What the header of an image says; of a local file no more than that is read.

    Whether the rest is whole isn't known; see :func:`measure`.

    Raises
    ------
    ImageError
        One of its subclasses, naming the image.
    """
    if is_remote(uri):
        data = read_bytes(uri)
        width, height = measure(data, uri)
        with opened(data, uri) as image:
            return ImageHeader(width, height, image.format or "", len(data), orientation(image, data))
    try:
        # here, too, a Path would take a tenth of the time
        path = uri if os.path.isabs(uri) else os.fspath(to_path(uri, root))
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe waits for its writer
            raise NotAnImageError(uri, "it is no file (but a folder, a device or a pipe).")
        with open(path, "rb") as file, opened(file, uri) as image:
            # without its bytes Pillow would decode a PNG to find its EXIF
            turn = orientation(image, Path(path).read_bytes() if image.format == "PNG" else None)
            width, height = image.size[::-1] if turn in TURNED else image.size
            return ImageHeader(width, height, image.format or "", status.st_size, turn)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageNotFoundError(uri, f"can't be read ({reason}); check the path and its permissions.") from error


def inspect(data: bytes, name: str) -> ImageFacts:
    """Size and content hash of an encoded image; see :func:`measure` for what is read and raised."""
    return hashed(data, examine(data, name))


def hashed(data: bytes, size: tuple[int, int, int], content: str | None = None) -> ImageFacts:
    """What is known of an image of which :func:`examine` said width, height and frames, and perhaps its content."""
    width, height, frames = size
    return ImageFacts(width, height, content or content_hash(data), len(data), frames)


def content_hash(data: bytes) -> str:
    """What tells the content of a file from others: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def open_image(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    root: Path | None = None,
    name: str | None = None,
    at_least: int | None = None,
    keep_alpha: bool = False,
    max_pixels: int = LOCAL.max_pixels,
) -> Image.Image:
    """An upright RGB image from a path, URL, bytes or PIL image.

    Parameters
    ----------
    root : Path, optional
        Folder under which relative paths lie.
    name : str, optional
        How errors call it; the path by default.
    at_least : int, optional
        Size in pixels that the smaller side may shrink to while decoding (JPEG does that nearly for free).
    keep_alpha : bool
        Return mode RGBA, with what is transparent as it is.
    max_pixels : int
        More than these are refused before they are decoded.

    Returns
    -------
    PIL.Image.Image
        Mode RGB: alpha over white, CMYK converted, 16 bit scaled to 8; the first frame of several.

    Raises
    ------
    ImageError
        One of its subclasses, naming the image.
    """
    upright = upright_rgba if keep_alpha else upright_rgb
    if isinstance(source, Image.Image):
        decode(source, name or "image")
        return upright(source, name or "image")
    if isinstance(source, bytes):
        data, called = source, name or "image"
    else:
        called = name or os.fspath(source)
        data = read_bytes(os.fspath(source), root)
    with opened(data, called, max_pixels) as image:
        if at_least is not None and image.format in ("JPEG", "MPO"):
            image.draft("RGB", (at_least, at_least))
        decode(image, called)
        return upright(image, called)


def thumbnail(image: Image.Image, size: int) -> bytes:
    """JPEG of the image scaled to fit ``size`` × ``size`` pixels, never enlarged."""
    small = image.copy()
    small.thumbnail((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


Prepared = TypeVar("Prepared")


def read_in_batches(
    images: Sequence[str],
    positions: Sequence[int],
    prepare: Callable[[Image.Image, str], Prepared],
    *,
    root: Path | None,
    known: Sequence[str | None],
    at_least: int,
    threads: int,
    batch_size: int,
    events: Events | None,
    phase: str,
) -> Iterator[list[tuple[int, Prepared | Issue]]]:
    """Yield what ``prepare`` returns for the images at ``positions``, in that order; an issue where one can't be read.

    Parameters
    ----------
    prepare : callable
        Called on a thread, with the upright picture and what tells its content from others.
    known : sequence of (str or None)
        What each of ``images`` is known by; see :func:`customlabels_nb.images.reading.read_content`.
    at_least : int
        Smaller side, in pixels, to which a JPEG may shrink while it is decoded.
    threads : int
        Threads for local images; remote ones get more.
    events : Events, optional
        Gets the progress as ``phase`` after each batch; the images at other positions count as done.

    Raises
    ------
    Cancelled
        If ``events`` were asked to stop.
    """

    def read(index: int) -> tuple[int, Prepared | Issue]:
        name = images[index]
        try:
            data, content = read_content(name, root, known=known[index])
            return index, prepare(open_image(data, name=name, at_least=at_least), content)
        except ImageError as error:
            return index, Issue(error.code, error.reason, where=name)

    done = len(images) - len(positions)
    workers = connections((images[index] for index in positions), threads)
    with closing(map_bounded(read, positions, workers=workers)) as answers:
        while batch := list(islice(answers, batch_size)):
            yield batch
            done += len(batch)
            if events is not None:
                events.progress(phase, done, len(images))
