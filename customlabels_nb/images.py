"""Images: find, read, open, orient once, verify, measure, shrink.

EXIF orientation is applied in :func:`open_image` and in the size that :func:`inspect` returns, and nowhere
else: everything above sees upright images and boxes that refer to them.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from PIL import Image, ImageOps, UnidentifiedImageError

from customlabels_nb.errors import (
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
)
from customlabels_nb.limits import LOCAL

_EXIF_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_FORMATS = ("JPEG", "MPO", "PNG", "BMP", "TIFF", "WEBP", "GIF", "DIB", "PPM")


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image without decoding all of it: oriented size in pixels and content."""

    width: int
    height: int
    sha256: str
    bytes: int


def to_uri(path: str | os.PathLike[str]) -> str:
    """How a local path is written in the tables: the absolute path, as a ``file:`` URL if it isn't UTF-8."""
    text = os.path.abspath(os.fspath(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(text))
    return text


def is_remote(uri: str) -> bool:
    """Whether ``uri`` names something that fsspec fetches, rather than a file here."""
    scheme = urlsplit(uri).scheme if "://" in uri[:32] else ""
    return len(scheme) > 1 and scheme not in ("file", "local")


def to_path(uri: str, root: Path | None = None) -> Path:
    """The local file of ``uri``; relative ones lie under ``root`` (the project's folder)."""
    if uri.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(uri[len("file://") :])))
    path = Path(uri)
    return path if root is None or path.is_absolute() else root / path


def read_bytes(uri: str, root: Path | None = None) -> bytes:
    """The bytes of a local file or of anything that fsspec reads.

    Raises
    ------
    ImageNotFoundError
        If it isn't there or may not be read.
    """
    try:
        if is_remote(uri):
            import fsspec

            with fsspec.open(uri, "rb") as file:
                return bytes(file.read())
        return to_path(uri, root).read_bytes()
    except ImportError as error:
        raise ImageError(uri, f"its protocol needs a package that isn't installed ({error}).") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ImageNotFoundError(uri, f"can't be read ({reason}); check the path and its permissions.") from error


def inspect(data: bytes, name: str, *, max_pixels: int = LOCAL.max_pixels) -> ImageFacts:
    """Size and content hash of an encoded image, reading its header only where the rest is evidently whole.

    JPEG, PNG and WebP that end as they should are trusted; any other is decoded once.

    Raises
    ------
    ImageError
        One of its subclasses, naming ``name``.
    """
    with _opened(data, name, max_pixels) as image:
        width, height = image.size
        if image.getexif().get(_EXIF_ORIENTATION) in _TURNED:
            width, height = height, width
        if not _ends_well(image.format or "", data):
            _decode(image, name)
    return ImageFacts(width, height, hashlib.sha256(data).hexdigest(), len(data))


def open_image(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    root: Path | None = None,
    name: str | None = None,
    at_least: int | None = None,
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
    if isinstance(source, Image.Image):
        return _upright_rgb(source, name or "image")
    if isinstance(source, bytes):
        data, called = source, name or "image"
    else:
        called = name or os.fspath(source)
        data = read_bytes(os.fspath(source), root)
    with _opened(data, called, max_pixels) as image:
        if at_least is not None and image.format in ("JPEG", "MPO"):
            image.draft("RGB", (at_least, at_least))
        _decode(image, called)
        return _upright_rgb(image, called)


def thumbnail(image: Image.Image, size: int) -> bytes:
    """JPEG of the image scaled to fit ``size`` × ``size`` pixels, never enlarged."""
    small = image.copy()
    small.thumbnail((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


@contextmanager
def _opened(data: bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    if not data:
        raise NotAnImageError(name, "the file is empty (0 bytes).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the check below is ours
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(name, f"too many pixels to decode safely ({error}).") from error
    except UnidentifiedImageError as error:
        raise NotAnImageError(name, "this is not an image of a type that is read.") from error
    except Exception as error:  # Pillow's parsers raise whatever a damaged header makes them
        raise TruncatedImageError(name, f"its header is damaged ({error}).") from error
    with image:
        pixels = image.width * image.height
        if pixels == 0:
            raise NotAnImageError(name, "the image has no pixels.")
        if pixels > max_pixels:
            raise ImageTooLargeError(
                name, f"{image.width:,} × {image.height:,} pixels are more than the limit of {max_pixels:,}."
            )
        yield image


def _ends_well(format_: str, data: bytes) -> bool:
    if format_ in ("JPEG", "MPO"):
        return b"\xff\xd9" in data[-64:]
    if format_ == "PNG":
        return b"IEND" in data[-64:]
    if format_ == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return False


def _decode(image: Image.Image, name: str) -> None:
    try:
        image.load()
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError, …
        raise TruncatedImageError(name, f"it ends too early or is damaged ({error}).") from error


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # an orientation that can't be read is no orientation
        upright = image
    return _to_rgb(upright)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image.copy()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _sixteen_bit_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _sixteen_bit_to_rgb(image: Image.Image) -> Image.Image:
    import numpy as np

    values: Any = np.asarray(image).astype(np.float64)
    top = 65535.0 if values.max(initial=0) > 255 else 255.0
    eight = (np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(eight).convert("RGB")
