"""The still picture that a saved notebook shows in place of a widget."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image

from customlabels_nb._utils.rendering import data_url, render

_TILE, _GAP, _COLUMNS = 112, 6, 8
_QUALITIES = (70, 50, 30)
_MOST_BYTES = 60_000


@dataclass(frozen=True)
class StillPicture:
    """A picture in what a saved notebook shows: its URL, and the text in place of it."""

    source: str
    alt: str


def still_html(*parts: str | StillPicture | Sequence[tuple[str, str]]) -> str:
    """Return HTML of what a saved notebook shows in place of a widget.

    Parameters
    ----------
    *parts : str, StillPicture or sequence of (str, str)
        Sentences, pictures, and labels with their colours (#rrggbb), in order.
    """
    return render("still.html", parts=parts)


def static_picture(thumbnails: Sequence[bytes | Exception], captions: Sequence[str], words: str) -> str:
    """Return HTML of a contact sheet with one sentence below it; less than 100 KB whatever the images.

    See :func:`contact_sheet` for the parameters.
    """
    return still_html(*([contact_sheet(thumbnails, captions)] if thumbnails else []), words)


def contact_sheet(thumbnails: Sequence[bytes | Exception], captions: Sequence[str]) -> StillPicture:
    """Return all thumbnails as one picture of at most 60 KB.

    Parameters
    ----------
    thumbnails : sequence of bytes
        Encoded images; those that are errors stay empty.
    captions : sequence of str
        What the image's alternative text says of each.
    """
    return StillPicture(_sheet(tuple(thumbnails)), ", ".join(captions[:24]))


@lru_cache(maxsize=8)  # a data URI; while words change, the pictures don't
def _sheet(thumbnails: tuple[bytes | Exception, ...]) -> str:
    columns = min(_COLUMNS, len(thumbnails)) or 1
    rows = -(-len(thumbnails) // columns)
    step = _TILE + _GAP
    sheet = Image.new("RGBA", (columns * step - _GAP, max(1, rows * step - _GAP)))  # the theme's ground shows through
    for index, data in enumerate(thumbnails):
        if isinstance(data, Exception):
            continue
        with Image.open(io.BytesIO(data)) as image:
            small = image.convert("RGBA")
        small.thumbnail((_TILE, _TILE))
        left, top = (index % columns) * step, (index // columns) * step
        sheet.paste(small, (left + (_TILE - small.width) // 2, top + (_TILE - small.height) // 2))
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality)
        if buffer.tell() <= _MOST_BYTES:
            break
    return data_url(buffer.getvalue(), "image/webp")


class StaticFallback:
    """A still picture that was displayed, and can be drawn anew."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def draw(self, markup: Callable[[], str]) -> None:
        """Put another picture in its place; what was done is worth more than its picture, so failing is no error."""
        from IPython.display import HTML

        with suppress(Exception):
            self._handle.update(HTML(markup()))


def display_with_fallback(widget: Any, markup: str) -> StaticFallback:
    """Display a still picture for the saved notebook, and the widget, which hides it."""
    from IPython.display import HTML, display

    still = StaticFallback(display(HTML(markup), display_id=True))
    bundle = widget._repr_mimebundle_()
    if bundle is not None:
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        display(data, metadata=metadata, raw=True)
    return still
