"""Thumbnail cache, and cached full-size views of images for browsers.

A view is the unchanged original file if browsers can display it, and a JPEG otherwise.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from customlabels_nb.images.decoding import TURNED, count_frames, decode, is_whole, opened, orientation, upright_rgb
from customlabels_nb.images.reading import read_content
from customlabels_nb.images.regions import Part, cut
from customlabels_nb.remote.content_cache import KEY, TAG_NAME, ContentCache, project_cache
from customlabels_nb.remote.remote_files import is_identity

#: Longest sides of thumbnails that pages request, in pixels. Keep in sync with ``widgets/static/shared/pages.js``.
THUMBNAIL_SIZES = (160, 320, 640)

#: Longest side of converted images, in pixels. Larger images are scaled down to this size.
LONGEST_CONVERTED = 4096

_LONGEST_UNCHANGED = 16_384  # pixels; browsers cannot display larger images
_MIME_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SHOWN_MODES = {
    "image/jpeg": frozenset({"L", "RGB"}),
    "image/png": frozenset({"1", "L", "LA", "P", "RGB", "RGBA"}),
    "image/webp": frozenset({"RGB", "RGBA"}),
}
_QUALITY = 92
_NOTE = re.compile(rb"view of (\d+) x (\d+) pixels")


class BrowserImage(NamedTuple):
    """An encoded image that browsers display upright. Multiply boxes by ``scale`` to draw them on it."""

    data: bytes
    mime: str
    width: int
    height: int
    scale: float = 1.0


def full_view(data: bytes, name: str, *, longest: int = LONGEST_CONVERTED) -> BrowserImage:
    """Convert an encoded image for display in a browser, if necessary.

    JPEG, WebP and 8-bit PNG images that need no rotation are returned unchanged. The page background shows through
    their transparent parts. All other images, and images with several frames, are converted to JPEG, with alpha blended
    over white, 16 bits scaled to 8, and the DICOM window applied.
    """
    with opened(data, name) as image:
        width, height = image.size
        turned = orientation(image, data)
        mime = _MIME_TYPES.get(image.format or "", "")
        if (
            image.mode in _SHOWN_MODES.get(mime, ())
            and turned == 1
            and max(width, height) <= _LONGEST_UNCHANGED
            and (mime == "image/jpeg" or count_frames(image) == 1)
            and is_whole(image.format or "", data)
        ):
            return BrowserImage(data, mime, width, height)
        if turned in TURNED:
            width, height = height, width
        decode(image, name)
        shown = upright_rgb(image, name)
    profile = shown.info.get("icc_profile")
    shown.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    note = f"view of {width} x {height} pixels"
    shown.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, icc_profile=profile, comment=note)
    return BrowserImage(buffer.getvalue(), "image/jpeg", *shown.size, scale=shown.width / width)


def kept_view(data: bytes) -> BrowserImage | None:
    """Restore a view from JPEG ``data`` that :func:`full_view` created, or return None for other data."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            note = _NOTE.fullmatch(image.info.get("comment", b""))
            return BrowserImage(data, "image/jpeg", *image.size, scale=image.width / int(note[1])) if note else None
    except OSError:
        return None


__all__ = [
    "TAG_NAME",
    "ContentCache",
    "full_view_of",
    "kept_thumbnail",
    "project_cache",
    "thumbnail_of",
    "thumbnails_of",
]


def thumbnail_of(image: str, *, root: Path | None, sha256: str | None, size: int, cache: ContentCache | None) -> bytes:
    """Return a JPEG thumbnail within ``size`` × ``size`` pixels, cached by the hash or remote identity ``sha256``."""
    part = Part(image, sha256)
    kept = kept_thumbnail(part, size=size, cache=cache)
    return thumbnails_of([part], root=root, size=size, cache=cache)[0] if kept is None else kept


def thumbnails_of(parts: Sequence[Part], *, root: Path | None, size: int, cache: ContentCache | None) -> list[bytes]:
    """Decode an image once, and return and cache JPEG thumbnails of its parts within ``size`` × ``size`` pixels."""
    image, content = parts[0][:2]
    data, read = read_content(image, root, content_id=content)
    thumbnails = cut(data, image, [part.region for part in parts], size)
    if cache is not None and read == content:  # the file may have changed since it was hashed
        for part, small in zip(parts, thumbnails, strict=True):
            if (key := _thumbnail_key(part, size)) is not None:
                cache.put(key, small)
    return thumbnails


def kept_thumbnail(part: Part, *, size: int, cache: ContentCache | None) -> bytes | None:
    """Return the thumbnail that :func:`thumbnails_of` has cached, or None if there is none."""
    key = _thumbnail_key(part, size)
    return cache.get(key) if key is not None and cache is not None else None


def full_view_of(
    image: str,
    *,
    root: Path | None,
    sha256: str | None,
    cache: ContentCache | None,
    longest: int = LONGEST_CONVERTED,
) -> BrowserImage:
    """Return the full image for a browser, converted if necessary, and then cached by ``sha256``."""
    key = _key(sha256, f"-view-{longest}.jpg")
    if key is not None and cache is not None and (kept := cache.get(key)) is not None:
        view = kept_view(kept)
        if view is not None:
            return view
    data, content = read_content(image, root, content_id=sha256)
    view = full_view(data, image, longest=longest)
    if key is not None and cache is not None and content == sha256 and view.data is not data:
        cache.put(key, view.data)
    return view


def _thumbnail_key(part: Part, size: int) -> str | None:
    return _key(part.content, "".join(f"-{number}" for number in (*(part.region or ()), size)) + ".jpg")


def _key(content: str | None, suffix: str) -> str | None:
    """Return the cache key for data derived from ``content``, or None if it is neither a hash nor an identity."""
    if not content:
        return None
    if is_identity(content):  # contains text sent by a server, which may be no valid key
        content = hashlib.sha256(content.encode()).hexdigest()
    key = content + suffix
    return key if KEY.fullmatch(key) else None
