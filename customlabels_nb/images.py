"""Images: find, read, open, orient once, verify, measure, shrink.

EXIF orientation is applied in :func:`open_image` and in the size that :func:`inspect` returns, and nowhere
else: everything above sees upright images and boxes that refer to them.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from PIL import Image, UnidentifiedImageError

from customlabels_nb.errors import (
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
)
from customlabels_nb.limits import IMAGE_SUFFIXES, LOCAL, UNREAD_SUFFIXES
from customlabels_nb.settings import settings

try:
    from PIL.AvifImagePlugin import SUPPORTED as _AVIF
except ImportError:  # an older Pillow
    _AVIF = False

#: Endings of the images that are read here.
READ_SUFFIXES = IMAGE_SUFFIXES | ({".avif"} if _AVIF else frozenset())

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # where an orientation may stand
_LATER_FORMATS = ("AVIF",) if _AVIF else ()
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "DIB", "PPM", *_LATER_FORMATS)  # MPO comes as JPEG
_opening = threading.Lock()  # warnings.catch_warnings changes what all threads see


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
    if uri[:7].lower() == "file://":
        return Path(os.fsdecode(unquote_to_bytes(uri[7:].removeprefix("localhost"))))
    path = Path(uri)
    return path if root is None or path.is_absolute() else root / path


def why_unread(name: str) -> str | None:
    """What to do with a file that by its name is an image of a type that isn't read; None for all others."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in READ_SUFFIXES or suffix not in UNREAD_SUFFIXES:
        return None
    return f"Images of the type {suffix[1:].upper()} are not read; convert it to JPEG or PNG."


def read_bytes(uri: str, root: Path | None = None, *, max_bytes: int | None = LOCAL.max_image_bytes) -> bytes:
    """The bytes of a local file or of anything that fsspec reads.

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
        data = _read_remote(uri, max_bytes)
    else:
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


def _read_remote(uri: str, max_bytes: int | None) -> bytes:
    if not settings.network:
        raise ImageNotFoundError(uri, "is not fetched: settings.network is off.")
    try:
        import fsspec

        with fsspec.open(uri, "rb") as file:
            return bytes(file.read(-1 if max_bytes is None else max_bytes + 1))
    except ImportError as error:
        raise ImageError(uri, f"its protocol needs a package that isn't installed ({error}).") from error
    except Exception as error:  # each protocol raises what its client library does
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ImageNotFoundError(uri, f"can't be read ({reason}); check the URL and the access to it.") from error


def measure(data: bytes, name: str, *, max_pixels: int = LOCAL.max_pixels) -> tuple[int, int]:
    """Oriented width and height of an encoded image, reading its header only where the rest is evidently whole.

    JPEG and WebP that end as they should are trusted, so are PNG whose checksums are right; any other is decoded once.

    Raises
    ------
    ImageError
        One of its subclasses, naming ``name``.
    """
    with _opened(data, name, max_pixels) as image:
        if not _is_whole(image.format or "", data):
            _decode(image, name)
        width, height = image.size
        if _orientation(image, data) in _TURNED:
            width, height = height, width
    return width, height


def header_size(uri: str, root: Path | None = None, *, max_pixels: int = LOCAL.max_pixels) -> tuple[int, int]:
    """Oriented width and height of an image of which, if it is a local file, no more than the header is read.

    Whether the rest is whole isn't known; see :func:`measure`.

    Raises
    ------
    ImageError
        One of its subclasses, naming the image.
    """
    if is_remote(uri):
        return measure(read_bytes(uri), uri, max_pixels=max_pixels)
    try:
        path = to_path(uri, root)
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits for its writer
            raise NotAnImageError(uri, "it is no file (but a folder, a device or a pipe).")
        with path.open("rb") as file, _opened(file, uri, max_pixels) as image:
            # without its bytes Pillow would decode a PNG to find its EXIF
            data = path.read_bytes() if image.format == "PNG" else None
            width, height = image.size
            return (height, width) if _orientation(image, data) in _TURNED else (width, height)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageNotFoundError(uri, f"can't be read ({reason}); check the path and its permissions.") from error


def inspect(data: bytes, name: str, *, max_pixels: int = LOCAL.max_pixels) -> ImageFacts:
    """Size and content hash of an encoded image; see :func:`measure` for what is read and raised."""
    return hashed(data, measure(data, name, max_pixels=max_pixels))


def hashed(data: bytes, size: tuple[int, int]) -> ImageFacts:
    """What is known of an image whose ``size`` is."""
    return ImageFacts(*size, content_hash(data), len(data))


def content_hash(data: bytes) -> str:
    """What tells the content of a file from others: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


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
        _decode(source, name or "image")
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
def _opened(data: bytes | BinaryIO, name: str, max_pixels: int) -> Iterator[Image.Image]:
    if not data:
        raise NotAnImageError(name, "the file is empty (0 bytes).")
    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the check below is ours
            file = io.BytesIO(data) if isinstance(data, bytes) else data
            image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(name, f"too many pixels to decode safely ({error}).") from error
    except UnidentifiedImageError as error:
        reason = why_unread(name) or "This is not an image of a type that is read."
        raise NotAnImageError(name, reason[0].lower() + reason[1:]) from error
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


def _is_whole(format_: str, data: bytes) -> bool:
    if format_ in ("JPEG", "MPO"):
        return b"\xff\xd9" in data[-64:]
    if format_ == "PNG":
        return _png_is_whole(data)
    if format_ == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return False


def _png_is_whole(data: bytes) -> bool:
    """Whether the chunks follow each other up to the last one, each with the checksum that it should have."""
    view = memoryview(data)
    position = len(_PNG_START)
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(view[position : position + 4], "big")
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        if bytes(view[position + 4 : position + 8]) == b"IEND":
            return True
        position = end + 4
    return False


def _orientation(image: Image.Image, data: bytes | None = None) -> int:
    """The EXIF orientation, 1 to 8; one that can't be read is none.

    Pillow decodes a PNG to find its EXIF, which may stand at the end; ``data`` without any spares that.
    """
    if image.format == "TIFF":
        return 1  # Pillow turns these itself while it decodes them
    if image.format == "PNG" and data is not None and not any(key in data for key in _PNG_METADATA):
        return 1
    try:
        found = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block makes Pillow's parser raise anything
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _decode(image: Image.Image, name: str) -> None:
    try:
        image.load()
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError, …
        raise TruncatedImageError(name, f"it ends too early or is damaged ({error}).") from error


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    method = _UPRIGHT.get(_orientation(image))
    try:
        result = _to_rgb(image if method is None else image.transpose(method))
    except (OSError, ValueError) as error:
        raise ImageError(name, f"its colours can't be converted to RGB ({error}).") from error
    # without the EXIF block nobody turns it again; a profile of other colours than RGB means nothing any more
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    result.info = {"icc_profile": profile} if profile else {}
    return result


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or of floats, which don't say what white is, as 8 bits."""
    import numpy as np

    values: Any = np.nan_to_num(np.asarray(image).astype(np.float64))
    brightest = values.max(initial=0)
    if image.mode.startswith("I;16") or brightest > 255:
        white = 65535.0
    else:
        white = 1.0 if image.mode == "F" and brightest <= 1 else 255.0
    eight = (np.clip(values / white, 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(eight).convert("RGB")
