"""Static image that a saved notebook shows in place of a widget."""

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
    """Image in the static HTML of a saved notebook: its URL and its alternative text."""

    source: str
    alt: str


def still_html(*parts: str | StillPicture | Sequence[tuple[str, str]]) -> str:
    """Return the static HTML that a saved notebook shows: sentences, images, and labels with their colors (#rrggbb)."""
    return render("still.html", parts=parts)


def static_picture(thumbnails: Sequence[bytes | Exception | None], captions: Sequence[str], words: str) -> str:
    """Return HTML of a :func:`contact_sheet` with a caption below it, always less than 100 KB."""
    return still_html(*([contact_sheet(thumbnails, captions)] if thumbnails else []), words)


def contact_sheet(thumbnails: Sequence[bytes | Exception | None], captions: Sequence[str]) -> StillPicture:
    """Combine thumbnails into one image of at most 60 KB. Those that are not bytes leave an empty tile."""
    return StillPicture(_sheet(tuple(thumbnails)), ", ".join(captions[:24]))


@lru_cache(maxsize=8)  # returns a data URI: captions change, the images do not
def _sheet(thumbnails: tuple[bytes | Exception | None, ...]) -> str:
    columns = min(_COLUMNS, len(thumbnails)) or 1
    rows = -(-len(thumbnails) // columns)
    step = _TILE + _GAP
    sheet = Image.new("RGBA", (columns * step - _GAP, max(1, rows * step - _GAP)))  # transparent: shows the theme
    for index, data in enumerate(thumbnails):
        if not isinstance(data, bytes):
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


def redraw(still: Any, markup: Callable[[], str]) -> None:
    """Replace static HTML, if some is displayed. Errors are ignored: a stale image must not make an edit fail."""
    from IPython.display import HTML

    if still is not None:
        with suppress(Exception):
            still.update(HTML(markup()))


def display_with_fallback(widget: Any, markup: str) -> Any:
    """Display the widget and static HTML for the saved notebook, which the live widget hides. Return its handle."""
    from IPython.display import HTML, display

    still = display(HTML(markup), display_id=True)
    if not hasattr(widget, "_repr_mimebundle_"):  # a box of ipywidgets 7
        display(widget)
    elif (bundle := widget._repr_mimebundle_()) is not None:
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        display(data, metadata=metadata, raw=True)
    return still
