"""Decode images: supported formats, header checks, EXIF orientation and conversion to upright RGB."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError, features

from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.limits import (
    AVIF_SUFFIXES,
    DICOM_SUFFIXES,
    HEIF_SUFFIXES,
    IMAGE_SUFFIXES,
    JPEG_2000_SUFFIXES,
    LOCAL,
    UNREAD_SUFFIXES,
)
from customlabels_nb.errors import ImageError, ImageTooLargeError, NotAnImageError, TruncatedImageError
from customlabels_nb.images.dicom import RefusedError, how_to_read, is_dicom, is_readable, open_dicom

_AVIF = features.check_module("avif")
_JPEG_2000 = features.check_codec("jpg_2000")
_HEIF = find_spec("pillow_heif") is not None
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})

#: What must be installed to read some images: whether it is, their file extensions, and how to install it.
_NEEDED: tuple[tuple[bool, frozenset[str], Callable[[], str]], ...] = (
    (is_readable(), DICOM_SUFFIXES, how_to_read),
    (_HEIF, HEIF_SUFFIXES, lambda: f"HEIC photos need the package pillow-heif. {_install('heic')}"),
    (_AVIF, AVIF_SUFFIXES, lambda: "AVIF images need Pillow 11.3 or later with its AVIF decoder."),
    (_JPEG_2000, JPEG_2000_SUFFIXES, lambda: "JPEG 2000 images need a Pillow that was built with OpenJPEG."),
)

#: File extensions of images that can be read here.
READ_SUFFIXES = IMAGE_SUFFIXES - {suffix for here, suffixes, _ in _NEEDED if not here for suffix in suffixes}

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
_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION = 258, 262, 284  # tags of TIFF 6.0
_WHITE_IS_ZERO = 0
_UNREAD_TIFF = "this kind of TIFF is not supported. Convert it to 8 bits per channel, or to PNG."
_SEGMENT = struct.Struct(">xBHBHHB")  # marker, length and, of a segment with the size, bits, height, width and channels
_START_OF_SCAN, _SIZES_OF_JPEG = 0xDA, (0xC0, 0xC1, 0xC2)
# tables, application data without APP1 (EXIF and XMP), and comments
_PLAIN_SEGMENTS = frozenset({0xC4, 0xDB, 0xDD, 0xE0, *range(0xE2, 0xF0), 0xFE})
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # chunks that may contain an orientation
_TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_LATER_FORMATS = tuple(name for name, here in (("AVIF", _AVIF), ("JPEG2000", _JPEG_2000)) if here)
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "DIB", "PPM", *_LATER_FORMATS)  # MPO opens as JPEG
_READ = ", ".join(sorted({*_FORMATS, *(("HEIF",) if _HEIF else ())} - {"DIB"}))
_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "TIFF": ".tif",
    "DIB": ".bmp",
    "DICOM": ".dcm",
    "JPEG2000": ".jp2",
}  # otherwise the format name
_opening = threading.Lock()  # warnings.catch_warnings is not thread-safe


def why_unread(name: str) -> str | None:
    """Return advice for an image file whose name has an unsupported extension, or None for all other files."""
    suffix = os.path.splitext(name)[1].lower()
    for here, suffixes, how in _NEEDED:
        if suffix in suffixes and not here:
            return how()
    if suffix in READ_SUFFIXES or suffix not in UNREAD_SUFFIXES:
        return None
    return f"Images of type {suffix[1:].upper()} are not supported. Convert the image to JPEG or PNG."


@contextmanager
def opened(data: bytes | BinaryIO, name: str, max_pixels: int = LOCAL.max_pixels) -> Iterator[Image.Image]:
    """Open an encoded image (a file at its start) and read its header. ImageError names ``name``."""
    if not data:
        raise NotAnImageError(name, "the file is empty (0 bytes).")
    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's decompression bomb warning is replaced by the check below
            file = io.BytesIO(data) if isinstance(data, bytes) else data
            image = open_dicom(file, name) if is_dicom(file) else _open(file, name)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(
            name, f"the image has too many pixels to decode safely ({error}). Scale it down."
        ) from error
    except UnidentifiedImageError as error:
        raise NotAnImageError(name, _why_not_identified(data, name)) from error
    except Exception as error:  # Pillow's parsers may raise anything on a damaged header
        raise TruncatedImageError(name, f"the header is damaged ({error}).") from error
    with image:
        pixels = image.width * image.height
        if pixels == 0:
            raise NotAnImageError(name, "the image has no pixels.")
        if pixels > max_pixels:
            raise ImageTooLargeError(
                name,
                f"{image.width:,} × {image.height:,} pixels exceed the limit of {max_pixels:,} pixels. Scale the image "
                "down.",
            )
        if image.format == "TIFF" and _mixes_up_planes(image):
            raise NotAnImageError(name, _UNREAD_TIFF)
        yield image


def size_of_plain_jpeg(head: bytes) -> tuple[int, int] | None:
    """Return width and height from the first bytes of a JPEG without EXIF data or further images, else None.

    For other files, and for headers that are longer than these bytes or damaged, Pillow has to read the header.
    """
    size, position, last = None, 2, len(head) - _SEGMENT.size
    while head.startswith(b"\xff\xd8\xff") and position <= last and head[position] == 0xFF:
        marker, length, bits, height, width, channels = _SEGMENT.unpack_from(head, position)
        if marker == _START_OF_SCAN:
            return size
        if marker in _SIZES_OF_JPEG and size is None and bits == 8 and channels in (1, 3):
            size = (width, height) if 0 < width * height <= LOCAL.max_pixels else None
        elif marker not in _PLAIN_SEGMENTS or head.startswith(b"MPF\0", position + 4):
            return None
        position += 2 + length
    return None


def _open(file: BinaryIO, name: str) -> Image.Image:
    head = file.read(12)
    file.seek(0)
    if head[4:8] == b"ftyp" and head[8:] in _HEIF_BRANDS:
        if not _HEIF:
            raise NotAnImageError(name, why_unread("photo.heic") or "")
        _register_heif()
        return Image.open(file, formats=("HEIF",))
    try:
        return Image.open(file, formats=_FORMATS)
    except ValueError:  # Pillow refuses long texts, which are not needed
        if not head.startswith(_PNG_START):
            raise
        file.seek(0)
        return Image.open(io.BytesIO(_without_texts(file.read())), formats=_FORMATS)


@cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def _without_texts(data: bytes) -> bytes:
    """Return a PNG without its chunks of text."""
    kept, position = [_PNG_START], len(_PNG_START)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] not in _TEXT_CHUNKS:
            kept.append(data[position:end])
        position = end
    return b"".join(kept)


def _install(extra: str) -> str:
    return f"Install it with: {extra_command(extra)}"


def _mixes_up_planes(image: Any) -> bool:
    """Check whether a TIFF has over 8 bits per channel in separate planes, which Pillow would decode wrongly."""
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))
    return image.tag_v2.get(_PLANAR_CONFIGURATION) == 2 and len(bits) > 1 and max(bits) > 8


def _why_not_identified(data: bytes | BinaryIO, name: str) -> str:
    if isinstance(data, bytes) and data[:4] in _TIFF_STARTS:
        return _UNREAD_TIFF
    if os.path.splitext(name)[1].lower() in DICOM_SUFFIXES & READ_SUFFIXES:
        return "this is not a DICOM file (the prefix DICM is missing)."
    reason = why_unread(name) or f"This is not an image in a supported format: {_READ}."
    return reason if reason.split(" ")[0].isupper() else reason[0].lower() + reason[1:]


def file_suffix(data: bytes, name: str) -> str:
    """Return the usual file extension for an encoded image, such as ".jpg", or raise ImageError if it is not one."""
    with opened(data, name) as image:
        return usual_suffix(image)


def usual_suffix(image: Image.Image) -> str:
    return _SUFFIXES.get(image.format or "", f".{(image.format or 'image').lower()}")


def count_frames(image: Image.Image) -> int:
    """Count the pages or frames of an image file that is opened but not decoded yet.

    In a JPEG file with several images, only images of the same size as the first are counted, because cameras append
    previews and depth or brightness maps to a photo.
    """
    try:
        frames = int(getattr(image, "n_frames", 1))
        if image.format != "MPO" or frames == 1:
            return frames
        size, same = image.size, 1
        for number in range(1, frames):
            image.seek(number)
            same += image.size == size
        image.seek(0)
        return same
    except Exception:  # the data after the first frame is damaged, but not used
        with contextlib.suppress(Exception):
            image.seek(0)
        return 1


def is_whole(format_: str, data: bytes) -> bool:
    """Check whether an image with a valid header is certainly complete. If False, decode it to find out."""
    if format_ in ("JPEG", "MPO"):
        return b"\xff\xd9" in data[-64:]
    if format_ == "PNG":
        return _png_is_whole(data)
    if format_ == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return False


def _png_is_whole(data: bytes) -> bool:
    """Check that the chunks are contiguous up to the last one and that their checksums are valid."""
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


def orientation(image: Image.Image, data: bytes | None = None) -> int:
    """Return the EXIF orientation from 1 to 8, or 1 if it cannot be read.

    Pillow decodes an entire PNG to find EXIF data at its end, unless ``data`` is given and contains none.
    """
    if image.format == "TIFF":
        return 1  # Pillow applies the orientation of a TIFF while decoding it
    if image.format == "PNG" and data is not None and not any(key in data for key in _PNG_METADATA):
        return 1
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # Pillow's parser may raise anything on a damaged EXIF block
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def decode(image: Image.Image, name: str) -> None:
    """Decode the pixels. Raise TruncatedImageError if this fails, or NotAnImageError if the file is not supported."""
    try:
        image.load()
    except (MemoryError, KeyboardInterrupt):
        raise
    except RefusedError as error:
        raise NotAnImageError(name, str(error)) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError, …
        raise TruncatedImageError(name, f"the file is truncated or damaged ({error}).") from error


def upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """Apply the EXIF orientation and convert to 8-bit RGB on white, or raise ImageError if that fails."""
    method = _UPRIGHT.get(orientation(image))
    try:
        result = _to_rgb(image if method is None else image.transpose(method))
    except (OSError, ValueError) as error:
        raise ImageError(name, f"cannot convert the colors to RGB ({error}).") from error
    # drop the EXIF block, so that nothing rotates the image again, and color profiles that do not apply to RGB
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    result.info = {"icc_profile": profile} if profile else {}
    return result


def upright_rgba(image: Image.Image, name: str) -> Image.Image:
    """Apply the EXIF orientation and convert to RGBA, keeping transparent pixels and their colors."""
    key_color = "transparency" in image.info and image.mode in ("1", "L", "P", "RGB")
    if image.mode not in _WITH_ALPHA and not key_color:
        return upright_rgb(image, name).convert("RGBA")
    method = _UPRIGHT.get(orientation(image))
    try:
        turned = image if method is None else image.transpose(method)
        result = (turned.convert("LA") if turned.mode == "La" else turned).convert("RGBA")
    except (OSError, ValueError) as error:
        raise ImageError(name, f"cannot convert the colors to RGBA ({error}).") from error
    result.info = {}
    return result


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey_to_rgb(image)
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Convert 16-bit, 32-bit or float greyscale to 8 bits.

    The value of white is not stated, so it is that of the bits that are used: cameras store 10 to 14 bits in 16.
    """
    import numpy as np

    values: Any = np.nan_to_num(np.asarray(image).astype(np.float64))
    brightest = float(values.max(initial=0))
    if brightest < 256:  # a dark image of 16 bits, or 8 bits in a longer number
        white = 65535.0 if image.mode.startswith("I;16") else 1.0 if image.mode == "F" and brightest <= 1 else 255.0
    else:
        white = 2.0 ** next((n for n in (10, 12, 14, 16) if brightest < 2**n), int(brightest).bit_length()) - 1
    eight = (np.clip(values / white, 0, 1) * 255).round().astype(np.uint8)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        eight = 255 - eight  # Pillow inverts up to 8 bits only
    return Image.fromarray(eight).convert("RGB")
