"""How an answer looks: as HTML, as a picture, as text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import file_name
from customlabels_nb.images.box_drawing import SIDE, BoxPicture, plain_font
from customlabels_nb.images.reading import thumbnail

_SIDE = 480  # px on the screen
_DENSITY = 2  # image pixels for each of those
_MOST_CHIPS = 12


@dataclass(frozen=True)
class Chip:
    """One label with its confidence (0..1) and colour (#rrggbb), or several boxes of it and their lowest confidence."""

    label: str
    confidence: float
    colour: str
    count: int = 1
    lowest: float = 1.0

    @property
    def value(self) -> str:
        """The confidence as it is shown, of several boxes how many, and from which to which."""
        if self.count == 1:
            return f"{self.confidence:.2f}"
        low, high = f"{self.lowest:.2f}", f"{self.confidence:.2f}"
        return f"×{self.count} {high if low == high else f'{low}–{high}'}"


def by_label(chips: list[Chip]) -> list[Chip]:
    """One chip for all boxes of a label, in the order in which the labels first come."""
    joined: dict[str, Chip] = {}
    for chip in chips:
        so_far = joined.get(chip.label, replace(chip, count=0))
        joined[chip.label] = replace(so_far, count=so_far.count + 1, lowest=min(so_far.lowest, chip.confidence))
    return list(joined.values())


@dataclass(frozen=True)
class DetectionDrawing:
    """What is shown of one image; ``sentence`` where there are no chips, ``boxes`` where the model gives them."""

    image: Image.Image
    name: str
    chips: list[Chip]
    sentence: str
    boxes: BoxPicture | None = None

    @property
    def remark(self) -> str:
        """What pictures leave out, as a few words."""
        without = self.boxes.untagged if self.boxes is not None else 0
        if self.hidden:
            return f"and {self.hidden} more"
        return f"({without} without room for a name)" if without else ""

    @property
    def hidden(self) -> int:
        """How many labels are left out of pictures."""
        return max(0, len(self.chips) - _MOST_CHIPS)


def to_text(drawing: DetectionDrawing) -> str:
    """One line: the image and its labels."""
    labels = ", ".join(f"{chip.label} {chip.value}" for chip in drawing.chips)
    return f"{file_name(drawing.name)}: {labels or drawing.sentence}"


def to_html(drawing: DetectionDrawing) -> str:
    """The photo (crisp on dense screens), its labels beneath, in the colours of JupyterLab's theme."""
    if drawing.boxes is None:
        width, height = _fitted(drawing.image.size, _SIDE)
        source = data_url(thumbnail(drawing.image, _SIDE * _DENSITY))
    else:
        (width, height), source = drawing.boxes.size, drawing.boxes.to_url()
    return render(
        "detection.html",
        name=drawing.name,
        short_name=file_name(drawing.name),
        alt=to_text(drawing),
        source=source,
        width=width,
        height=height,
        chips=drawing.chips[:_MOST_CHIPS],
        sentence=drawing.sentence,
        remark=drawing.remark,
    )


def to_jpeg(drawing: DetectionDrawing) -> bytes:
    """For readers of a notebook that can't show HTML."""
    side, quality = (_SIDE, 85) if drawing.boxes is None else (SIDE, 75)  # names at boxes are small
    buffer = io.BytesIO()
    to_picture(drawing, side).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def to_picture(drawing: DetectionDrawing, side: int) -> Image.Image:
    """The photo, at most ``side`` pixels wide and high, with its labels on white beneath.

    It is never enlarged, but where it is small and has boxes, whose names need room.
    """
    if drawing.boxes is None:
        photo = drawing.image.resize(_fitted(drawing.image.size, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
        unit = max(side / _SIDE, 0.5)
    else:
        photo = drawing.boxes.to_picture(side / SIDE)
        unit = max(side / SIDE, 0.5)
    width = max(photo.width, round(_SIDE / 2 * unit))
    font = plain_font(round(13 * unit))
    rows = list(_rows(drawing, width, unit, font))
    height = round(22 * unit)
    gap = round(6 * unit)
    page = Image.new("RGB", (width, photo.height + gap + len(rows) * (height + gap)), "white")
    page.paste(photo, (0, 0))
    pen = ImageDraw.Draw(page)
    for i, row in enumerate(rows):
        top = photo.height + gap + i * (height + gap)
        for left, right, text, colour in row:
            middle = top + height / 2
            if colour is None:
                pen.text((left, middle), text, fill="#5f6368", font=font, anchor="lm")
                continue
            pen.rounded_rectangle(
                (left, top, right - 1, top + height - 1), height / 2, outline=colour, width=max(1, round(unit))
            )
            dot = 4 * unit
            x = left + 12 * unit
            pen.ellipse((x - dot, middle - dot, x + dot, middle + dot), fill=colour)
            pen.text((left + 21 * unit, middle), text, fill="#1f2328", font=font, anchor="lm")
    return page


_Piece = tuple[float, float, str, str | None]  # left, right, text, colour of a chip


def _rows(drawing: DetectionDrawing, width: int, unit: float, font: ImageFont.FreeTypeFont) -> Iterator[list[_Piece]]:
    """Chips and words broken into rows that are no wider than ``width``."""
    pieces: list[tuple[str, str | None]] = [
        (f"{chip.label}  {chip.value}", chip.colour) for chip in drawing.chips[:_MOST_CHIPS]
    ]
    if drawing.remark:
        pieces.append((drawing.remark, None))
    if not drawing.chips:
        pieces = [(word, None) for word in drawing.sentence.split()]
    row: list[_Piece] = []
    left = 0.0
    for text, colour in pieces:
        extra = 30 * unit if colour else 0.0
        text = _shortened(text, width - extra, font)
        right = left + extra + font.getlength(text)
        if row and right > width:
            yield row
            row, right, left = [], right - left, 0.0
        row.append((left, right, text, colour))
        left = right + (6 * unit if colour else font.getlength(" "))
    if row:
        yield row


def _shortened(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    label, _, value = text.rpartition(" ")
    while label and font.getlength(f"{label}… {value}") > width:
        label = label[:-1]
    return f"{label}… {value}"


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
