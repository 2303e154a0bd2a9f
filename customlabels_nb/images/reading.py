"""Read images: resolve paths and URLs, open, apply the EXIF orientation, measure, hash and create thumbnails.

The EXIF orientation is applied in :func:`open_image` and in the size that :func:`inspect` returns, and nowhere else.
All other code works with upright images, and boxes refer to upright images.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import TypeVar

from PIL import Image

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.errors import ImageError, ImageNotFoundError, ImageTooLargeError, NotAnImageError
from customlabels_nb.images.decoding import READ_SUFFIXES as READ_SUFFIXES
from customlabels_nb.images.decoding import (
    TURNED,
    count_frames,
    decode,
    is_whole,
    opened,
    orientation,
    size_of_plain_jpeg,
    upright_rgb,
    upright_rgba,
)
from customlabels_nb.images.decoding import why_unread as why_unread
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.remote.download_cache import connections, fetch
from customlabels_nb.remote.memory_budget import Hold


@dataclass(frozen=True)
class ImageFacts:
    """Image metadata that needs no full decoding: oriented size in pixels, content hash, bytes, pages or frames."""

    width: int
    height: int
    sha256: str
    bytes: int
    frames: int = 1


@dataclass(frozen=True)
class ImageHeader:
    """Image metadata from the header: oriented size in pixels, Pillow's format name, bytes, EXIF orientation."""

    width: int
    height: int
    format: str
    bytes: int
    orientation: int = 1


def read_bytes(
    uri: str, root: Path | None = None, *, max_bytes: int | None = LOCAL.max_image_bytes, hold: Hold | None = None
) -> bytes:
    """Read a file of at most ``max_bytes``. Pipes are not images. Remote files are read with :func:`.fetch`."""
    if is_remote(uri):
        return fetch(uri, max_bytes=max_bytes, hold=hold)[0]
    with _regular_file(uri, root) as (file, size):
        if max_bytes is None:
            return file.read()
        # Python allocates as much memory as requested, which takes longer than reading an ordinary photo
        data = file.read(min(size, max_bytes) + 1)
        # some file systems do not report the size, and the file may have grown
        data = data if len(data) <= size else data + file.read(max_bytes + 1 - len(data))
    if len(data) > max_bytes:
        raise ImageTooLargeError(uri, f"the file has more than {max_bytes:,} bytes.")
    return data


def read_content(
    uri: str, root: Path | None = None, *, content_id: str | None = None, hold: Hold | None = None
) -> tuple[bytes, str]:
    """Return the data and content hash or remote identity of an image. A cached ``content_id`` needs no request."""
    if is_remote(uri):
        data, identity = fetch(uri, content_id=content_id, hold=hold)
        return data, identity or content_hash(data)
    data = read_bytes(uri, root)
    return data, content_hash(data)


def open_hashed(uri: str, root: Path | None = None, *, content_id: str | None = None) -> tuple[Image.Image, str]:
    """Open an image file and return it with its content hash or identity. See :func:`read_content`."""
    data, content = read_content(uri, root, content_id=content_id)
    return open_image(data, name=uri), content


@contextmanager
def _regular_file(uri: str, root: Path | None) -> Iterator[tuple[BufferedReader, int]]:
    """Open a local file, and return it with its size in bytes. Raise ImageError if it cannot be read."""
    try:
        # constructing a Path would take a tenth of the time of reading a photo
        path = uri if os.path.isabs(uri) else os.fspath(to_path(uri, root))
        status = os.stat(path)
        # opening a pipe blocks until it has a writer, and reading a device may never end
        if not stat.S_ISREG(status.st_mode):
            raise NotAnImageError(uri, "it is not a regular file but a folder, a device or a pipe.")
        with open(path, "rb") as file:
            yield file, status.st_size
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageNotFoundError(uri, f"cannot be read ({reason}). Check the path and its permissions.") from error


def measure(data: bytes, name: str) -> tuple[int, int]:
    """Return the oriented width and height of an encoded image, decoding it only if it may be incomplete.

    JPEG and WebP files with a proper end and PNG files with valid checksums are trusted. All others are decoded once.
    """
    return examine(data, name)[:2]


def examine(data: bytes, name: str) -> tuple[int, int, int]:
    """Return the oriented width and height of an encoded image, like :func:`measure`, and the number of frames."""
    with opened(data, name) as image:
        frames = count_frames(image)
        if not is_whole(image.format or "", data):
            decode(image, name)
        width, height = image.size
        if orientation(image, data) in TURNED:
            width, height = height, width
    return width, height, frames


def header_size(uri: str, root: Path | None = None) -> tuple[int, int]:
    """Return the oriented width and height of an image, using :func:`read_header`."""
    header = read_header(uri, root)
    return header.width, header.height


def read_header(uri: str, root: Path | None = None) -> ImageHeader:
    """Read the metadata in the header of an image file.

    Only the header of a local file is read, or all of a PNG to find its EXIF data. Unlike :func:`measure`, this does
    not check that the file is complete. A remote file is downloaded and checked.
    """
    if is_remote(uri):
        data = read_bytes(uri)
        width, height = measure(data, uri)
        with opened(data, uri) as image:
            return ImageHeader(width, height, image.format or "", len(data), orientation(image, data))
    with _regular_file(uri, root) as (file, size):
        if plain := size_of_plain_jpeg(file.peek(1)):  # in a fifth of the time
            return ImageHeader(*plain, "JPEG", size)
        with opened(file, uri) as image:
            # with the bytes, a PNG need not be decoded to find its EXIF data
            turn = orientation(image, Path(file.name).read_bytes() if image.format == "PNG" else None)
            width, height = image.size[::-1] if turn in TURNED else image.size
            return ImageHeader(width, height, image.format or "", size, turn)


def inspect(data: bytes, name: str) -> ImageFacts:
    """Return the size and content hash of an encoded image, decoding it only if :func:`measure` does."""
    return hashed(data, examine(data, name))


def hashed(data: bytes, size: tuple[int, int, int], content: str | None = None) -> ImageFacts:
    """Combine the result of :func:`examine` with the content hash, which is computed if ``content`` is None."""
    width, height, frames = size
    return ImageFacts(width, height, content or content_hash(data), len(data), frames)


def content_hash(data: bytes) -> str:
    """Return the SHA-256 hash of the data in hexadecimal digits."""
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
    """Open an image from a path, URL, bytes or PIL image as upright RGB, the first one of several frames.

    Alpha is blended over white (unless ``keep_alpha``), CMYK converted and 16 bits scaled to 8. To save time, a JPEG
    may be decoded smaller, with its shorter side of no less than ``at_least`` pixels. Larger images than ``max_pixels``
    raise ImageTooLargeError before decoding.
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
    """Scale an image down to fit into ``size`` × ``size`` pixels and encode it as JPEG."""
    small = image.copy()
    # as sharp as bicubic interpolation where an image gets smaller, in two thirds of the time
    small.thumbnail((size, size), Image.Resampling.HAMMING, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


Prepared = TypeVar("Prepared")


def read_in_batches(
    images: Sequence[str],
    positions: Sequence[int],
    prepare: Callable[[bytes, str, int], Prepared],
    *,
    root: Path | None,
    content_ids: Sequence[str | None],
    threads: int,
    batch_size: int,
) -> Iterator[list[tuple[int, Prepared | Issue]]]:
    """Read images in threads and yield batches of the results of ``prepare``, in order, with issues for failures.

    ``prepare`` takes the data, their content hash or identity and the position, in a thread. ``threads`` read local
    images, more of them remote ones.
    """

    def read(index: int) -> tuple[int, Prepared | Issue]:
        name = images[index]
        try:
            data, content = read_content(name, root, content_id=content_ids[index])
            return index, prepare(data, content, index)
        except ImageError as error:
            return index, Issue(error.code, error.reason, where=name)

    workers = connections((images[index] for index in positions), threads)
    with closing(map_bounded(read, positions, workers=workers)) as answers:
        while batch := list(islice(answers, batch_size)):
            yield batch
