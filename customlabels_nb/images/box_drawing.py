"""Draw bounding boxes with labels on images, as SVG (sharp at any size) or as pixels."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import one_line
from customlabels_nb.core.colors import COLOR
from customlabels_nb.core.geometry import FloatArray, clip_ltwh, ltwh_to_xyxy, shared_areas
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.images.reading import thumbnail

#: Longest side on the screen in pixels, and longest side to which small images are enlarged to make room for text.
SIDE, LEAST_SIDE = 640, 320
#: Maximum image pixels in an SVG per screen pixel.
DENSITY = 1.5

_MOST_ENLARGED = 4.0
_LINE, _RIM = 2.0, 4.0  # a dark outline keeps light colors visible on light images
_RIM_OPACITY, _MASK_OPACITY = 0.45, 0.2
_LEAST_BOX = 4.0  # minimum side of a drawn box, because smaller ones are invisible
_FONT_SIZE, _PADDING, _TAG_HEIGHT = 11, 4.0, 16.0
_FONTS = "DejaVu Sans,Verdana,Geneva,sans-serif"  # of nearly equal width
_LONGEST_LABEL = 24  # characters
_OWN_BOX, _OTHER_BOX, _NEXT_PLACE = 0.6, 0.25, 0.02  # costs of fully covering a box, and of each later candidate


@dataclass(frozen=True)
class LabelledBox:
    """Box or ``polygon`` to draw, in pixels of the image, with label, color (#rrggbb) and value."""

    box: tuple[float, float, float, float]
    label: str
    color: str
    value: str = ""
    polygon: Any = None


@dataclass(frozen=True)
class Tag:
    """Text next to a box, on a background in the color of the box, with position and width in screen pixels."""

    label: str
    value: str
    color: str
    left: float
    top: float
    width: float


class BoxPicture:
    """An image with labelled boxes, laid out for display at a given size.

    Text is placed where it covers no other text and little of the boxes. If there is no room for both label and value,
    only the value is drawn, or no text at all. Earlier boxes have priority.
    """

    def __init__(self, image: Image.Image, marks: Sequence[LabelledBox], *, side: int = SIDE) -> None:
        self.image = image
        self.marks = list(marks)
        longest = max(image.size)
        scale = min(side / longest, max(1.0, min(_MOST_ENLARGED, min(side, LEAST_SIDE) / longest)))
        self.size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))

    @cached_property
    def corners(self) -> FloatArray:
        """Screen coordinates ``x0, y0, x1, y1`` of the boxes, shape (n, 4), so that outlines stay in the image."""
        boxes = np.array([mark.box for mark in self.marks], dtype=np.float64).reshape(-1, 4)
        shown = ltwh_to_xyxy(clip_ltwh(boxes, self.image.size)) * np.tile(np.divide(self.size, self.image.size), 2)
        missing = np.clip(_LEAST_BOX - (shown[:, 2:] - shown[:, :2]), 0, None) / 2
        shown += np.hstack([-missing, missing])
        ends = np.tile(np.asarray(self.size, dtype=np.float64), 2)
        inset = np.minimum(_LINE / 2, ends / 2)
        return np.asarray(np.clip(shown, inset, ends - inset), dtype=np.float64)

    @cached_property
    def rings(self) -> list[list[FloatArray]]:
        """Screen coordinates of the rings of each mark's polygon, an empty list if it has none."""
        scale = np.divide(self.size, self.image.size)
        return [[ring * scale for ring in rings_of(mark.polygon)] for mark in self.marks]

    @cached_property
    def tags(self) -> list[Tag | None]:
        return list(_arranged(self.marks, self.corners, self.size))

    @property
    def untagged(self) -> int:
        return sum(tag is None and bool(mark.label) for tag, mark in zip(self.tags, self.marks, strict=True))

    def to_svg(self) -> str:
        """Render an SVG with the image embedded."""
        rings = [[ring.tolist() for ring in polygon] for polygon in self.rings[::-1]]
        colors = [_checked(mark.color) for mark in self.marks[::-1]]
        boxes = zip(self.corners[::-1].tolist(), rings, colors, strict=True)
        return render(
            "boxes.svg",
            size=self.size,
            photo=data_url(thumbnail(self.image, round(DENSITY * max(self.size)))),
            boxes=list(boxes),
            tags=[(tag, _checked(tag.color), ink_on(tag.color)) for tag in self.tags if tag is not None],
            line=_LINE,
            rim=_RIM,
            rim_opacity=_RIM_OPACITY,
            mask_opacity=_MASK_OPACITY,
            fonts=_FONTS,
            font_size=_FONT_SIZE,
            padding=_PADDING,
            tag_height=_TAG_HEIGHT,
        )

    def to_url(self) -> str:
        """Return the SVG as a data URL for an HTML image, in which scripts in a name cannot run."""
        return "data:image/svg+xml," + quote(self.to_svg(), safe=" !$()*+,-./:;=?@_~")

    def to_picture(self, scale: float = 1.0) -> Image.Image:
        """Draw the image with ``scale`` pixels per screen pixel."""
        width, height = (max(1, round(side * scale)) for side in self.size)
        page = self.image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        pen = ImageDraw.Draw(page, "RGBA")
        for mark, corners, rings in zip(self.marks[::-1], self.corners[::-1] * scale, self.rings[::-1], strict=True):
            if rings:
                _mask(page, [ring * scale for ring in rings], scale, _checked(mark.color))
                continue
            _rectangle(pen, corners, _RIM * scale, (0, 0, 0, round(255 * _RIM_OPACITY)), page.size)
            _rectangle(pen, corners, _LINE * scale, _checked(mark.color), page.size)
        font = plain_font(max(1, round(_FONT_SIZE * scale)))
        for tag in self.tags:
            if tag is None:
                continue
            left, top, right = tag.left * scale, tag.top * scale, (tag.left + tag.width) * scale
            pen.rectangle((left, top, right - 1, top + _TAG_HEIGHT * scale - 1), fill=_checked(tag.color))
            words, ink = f"{tag.label} {tag.value}".strip(), ink_on(tag.color)
            position = (left + _PADDING * scale, top + _TAG_HEIGHT * scale / 2)
            pen.text(position, words, fill=ink, font=font, anchor="lm")
        return page


def ink_on(color: str) -> str:
    """Choose black or white as the text color on a background color #rrggbb, for a contrast of at least 4.5 to 1."""
    channels = [int(_checked(color)[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in channels)
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#fff"


@cache
def plain_font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans from matplotlib's files without importing it, for its glyphs, or else Pillow's font."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    default = ImageFont.load_default(size)
    assert isinstance(default, ImageFont.FreeTypeFont)
    return default


def _arranged(boxes: Sequence[LabelledBox], corners: FloatArray, size: tuple[int, int]) -> Iterator[Tag | None]:
    taken = np.empty((0, 4))
    for position, mark in enumerate(boxes):
        tag = None
        for label in (_shortened(one_line(mark.label)), ""):
            if not (label or mark.value):
                continue
            width = _text_width(f"{label} {mark.value}".strip()) + 2 * _PADDING
            spot = _free_place(corners, position, width, size, taken)
            if spot is not None:
                tag = Tag(label, mark.value, mark.color, *spot, width)
                taken = np.vstack([taken, [*spot, spot[0] + width, spot[1] + _TAG_HEIGHT]])
                break
        yield tag


def _free_place(
    corners: FloatArray, position: int, width: float, size: tuple[int, int], taken: FloatArray
) -> tuple[float, float] | None:
    """Find the left and top of a box's text so that it covers no other text and little of the boxes, or return None."""
    if width > size[0]:
        return None
    left, top, right, bottom = corners[position] + np.array([-1, -1, 1, 1]) * _LINE / 2
    above, low = top - _TAG_HEIGHT, bottom - _TAG_HEIGHT
    places = np.array(
        [
            (left, above), (left, top), (right - width, above), (left, bottom), (right - width, bottom),
            (right - width, top), (left, low), (right - width, low), (right, top), (left - width, top),
            (right, low), (left - width, low),
        ]
    )  # fmt: skip
    places[:, 0] = np.clip(places[:, 0], 0, size[0] - width)
    places = places[(places[:, 1] >= 0) & (places[:, 1] + _TAG_HEIGHT <= size[1])]
    rectangles = np.hstack([places, places + np.array([width, _TAG_HEIGHT])])
    free = (shared_areas(rectangles, taken) <= 0).all(axis=1)
    if not free.any():
        return None
    area = np.maximum((corners[:, 2:] - corners[:, :2]).prod(axis=1), 1.0)
    covered = shared_areas(rectangles, corners) / area
    own_cover = covered[:, position].copy()
    covered[:, position] = 0
    costs = _OWN_BOX * own_cover + _OTHER_BOX * covered.sum(axis=1) + _NEXT_PLACE * np.arange(len(places))
    best = int(np.where(free, costs, np.inf).argmin())
    return float(places[best, 0]), float(places[best, 1])


def _text_width(text: str) -> float:
    """Estimate the rendered width of a string in a browser font, counting wide (East Asian) characters as square."""
    width = 0.0
    for sign in text:
        category = unicodedata.category(sign)
        if category in ("Mn", "Me", "Cf") or "\U0001f3fb" <= sign <= "\U0001f3ff":  # modifies the previous character
            continue
        is_wide = unicodedata.east_asian_width(sign) in "WF"
        width += _FONT_SIZE if is_wide else _sign_width(sign)
    return width


@cache
def _sign_width(sign: str) -> float:
    return plain_font(10 * _FONT_SIZE).getlength(sign) / 10


def _shortened(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _rectangle(
    pen: ImageDraw.ImageDraw,
    corners: FloatArray,
    line: float,
    color: str | tuple[int, int, int, int],
    size: tuple[int, int],
) -> None:
    half, width = line / 2, max(1, round(line))
    x0, y0 = (max(0, round(float(value) - half)) for value in corners[:2])
    ends = zip(corners[2:], (x0, y0), size, strict=True)
    x1, y1 = (min(end, max(low + 1, round(float(value) + half))) for value, low, end in ends)
    if x1 > x0 and y1 > y0:
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=color, width=min(width, x1 - x0, y1 - y0))


def _mask(page: Image.Image, rings: list[FloatArray], scale: float, color: str) -> None:
    """Draw the rings of a mask, and fill it (even-odd rule) so that the image remains visible."""
    inside = Image.new("1", page.size)
    for ring in rings:
        part = Image.new("1", page.size)
        ImageDraw.Draw(part).polygon(ring.ravel().tolist(), fill=1)
        inside = ImageChops.logical_xor(inside, part)
    page.paste(color, mask=inside.convert("L").point(lambda value: round(value * _MASK_OPACITY)))
    pen = ImageDraw.Draw(page, "RGBA")
    for width, ink in ((_RIM, (0, 0, 0, round(255 * _RIM_OPACITY))), (_LINE, color)):
        for ring in rings:
            closed = [*ring.ravel().tolist(), *ring[0].tolist()]
            pen.line(closed, fill=ink, width=max(1, round(width * scale)), joint="curve")


def _checked(color: str) -> str:
    return color if COLOR.fullmatch(color) else "#888888"
