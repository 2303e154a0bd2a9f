"""Images as browsers show them, whole: unchanged where they can, as JPEG otherwise. The original stays untouched."""

from __future__ import annotations

import io
import re
from typing import NamedTuple

from PIL import Image

from customlabels_nb.images.decoding import TURNED, count_frames, decode, is_whole, opened, orientation, upright_rgb

#: Longest side in pixels of what is converted; larger images are scaled down to it.
LONGEST_CONVERTED = 4096

_LONGEST_UNCHANGED = 16_384  # browsers fail on more
_MIME_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SHOWN_MODES = {
    "image/jpeg": frozenset({"L", "RGB"}),
    "image/png": frozenset({"1", "L", "LA", "P", "RGB", "RGBA"}),
    "image/webp": frozenset({"RGB", "RGBA"}),
}
_QUALITY = 92
_NOTE = re.compile(rb"view of (\d+) x (\d+) pixels")


class BrowserImage(NamedTuple):
    """An encoded image that a browser shows upright, and what it is.

    Attributes
    ----------
    data : bytes
    mime : str
        "image/jpeg", "image/png" or "image/webp".
    width, height : int
        Pixels of the view.
    scale : float
        Pixels of the view for one of the upright image: 1, or less if it was scaled down. Boxes are multiplied by it.
    """

    data: bytes
    mime: str
    width: int
    height: int
    scale: float = 1.0


def full_view(data: bytes, name: str, *, longest: int = LONGEST_CONVERTED) -> BrowserImage:
    """The view of an encoded image.

    JPEG, PNG with 8 bits a channel and WebP that need not be turned are their own view, byte by byte; what is
    transparent in them shows the page's ground. All others, and those of several frames, become JPEG: alpha over white,
    16 bits scaled to 8, the window of DICOM applied.

    Parameters
    ----------
    longest : int
        Longest side in pixels that a conversion has.

    Raises
    ------
    ImageError
        One of its subclasses, naming ``name``.
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
    """The view whose ``data`` :func:`full_view` converted some time ago; None if these bytes aren't such."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            said = _NOTE.fullmatch(image.info.get("comment", b""))
            return BrowserImage(data, "image/jpeg", *image.size, scale=image.width / int(said[1])) if said else None
    except OSError:
        return None
