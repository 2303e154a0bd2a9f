"""What a model says of one image, and how that looks: as HTML, as a picture, as text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import file_name, one_line
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.images.box_drawing import SIDE, BoxPicture, LabelledBox, plain_font
from customlabels_nb.images.reading import thumbnail
from customlabels_nb.inference.inputs import load_encoded
from customlabels_nb.inference.postprocess import Postprocessor, api_entries
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import Threshold

_SIDE = 480  # px on the screen
_DENSITY = 2  # image pixels for each of those
_MOST_CHIPS = 12


@dataclass(frozen=True, repr=False, eq=False)
class Detection:
    """The answer for one image. In a notebook it shows itself: the photo with its boxes, its labels beneath.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright, RGB.
    name : str
        Path or URL, or "image" where it had none.
    table : pandas.DataFrame
        ``label``, ``confidence`` (0..1), and ``left``, ``top``, ``width``, ``height`` in pixels (NaN from a
        classifier), the highest confidence first.
    colours : dict of str to str
        Of the labels, #rrggbb.
    nearest : tuple of (str, float, float), or None
        The label with the highest confidence of all, that confidence and the label's threshold; None if a detector
        found nothing at all.
    from_detector : bool
        Whether it is boxes that the model finds.
    """

    image: Image.Image
    name: str
    table: pd.DataFrame
    colours: dict[str, str]
    nearest: tuple[str, float, float] | None = None
    from_detector: bool = False

    @property
    def response(self) -> dict[str, list[dict[str, Any]]]:
        """The answer in the form of the service's API: confidences in percent, boxes as shares of the image."""
        boxes = self.table[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
        entries = api_entries(self.table["label"], self.table["confidence"], boxes, self.image.size)
        return {"CustomLabels": entries}

    def draw(self, width: int = 960) -> Image.Image:
        """The photo at most ``width`` pixels wide and high, with its boxes and its labels beneath, as a picture."""
        return self._drawing().to_picture(width)

    def __repr__(self) -> str:
        return self._drawing().to_text()

    def _repr_html_(self) -> str:
        return self._drawing().to_html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        drawing = self._drawing()
        return {
            "text/plain": drawing.to_text(),
            "text/html": drawing.to_html(),
            # A JPEG: as a PNG the photo would be six times as large in each saved notebook.
            "image/jpeg": drawing.to_jpeg(),
        }

    def _drawing(self) -> _Drawing:
        labels = [one_line(label) for label in self.table["label"]]
        colours = [self.colours.get(label, "#888888") for label in self.table["label"]]
        confidences, boxes = self.table["confidence"].tolist(), self.table[list(BOX_COLUMNS)].to_numpy(np.float64)
        marks = [
            LabelledBox(tuple(box.tolist()), label, colour, f"{confidence:.2f}")
            for box, label, colour, confidence in zip(boxes, labels, colours, confidences, strict=True)
            if not np.isnan(box).any()
        ]
        chips = [_Chip(*found) for found in zip(labels, confidences, colours, strict=True)]
        sentence = one_line(self._sentence())
        if not (marks or self.from_detector):
            return _Drawing(self.image, one_line(self.name), chips, sentence)
        picture = BoxPicture(self.image, marks)
        return _Drawing(self.image, one_line(self.name), _by_label(chips), sentence, picture)

    def _sentence(self) -> str:
        if self.nearest is None or self.nearest[1] >= self.nearest[2]:
            return "Nothing was found."
        label, confidence, threshold = self.nearest
        return (
            f"No label reaches its threshold. The nearest is {label} with {_below(confidence, threshold)}, "
            f"its threshold is {threshold:.3f}."
        )


def detect(
    predictor: Predictor,
    image: object,
    *,
    threshold: Threshold = None,
    max_results: int | None = None,
    root: Path | None = None,
) -> Detection:
    """Ask a running model about one image.

    Parameters
    ----------
    predictor : Predictor
        Running.
    image : object
        See :func:`customlabels_nb.inference.inputs.load_input`.
    threshold, max_results
        See :class:`customlabels_nb.inference.postprocess.Postprocessor`.
    root : Path, optional
        Folder under which relative paths lie.

    Raises
    ------
    InputError
        If the image or another argument can't be used.
    ModelError
        If the model isn't running.
    """
    postprocessor = Postprocessor(predictor, threshold, max_results)
    shown, data, name = load_encoded(image, root=root)
    answer = postprocessor.ask(
        [postprocessor.prepare_picture(shown) if data is None else postprocessor.prepare(data, name)]
    )[0]
    labels, nearest = postprocessor.config.labels, None
    if answer.highest is not None:
        best, confidence = answer.highest
        nearest = (labels[best], confidence, float(postprocessor.thresholds[best]))
    colours = dict(zip(labels, postprocessor.config.colours, strict=True))
    return Detection(shown, name, postprocessor.table([answer]), colours, nearest, postprocessor.is_detector)


def _below(confidence: float, threshold: float) -> str:
    """The confidence with as many decimals as it takes to look smaller than the threshold."""
    for decimals in range(3, 7):
        if round(confidence, decimals) < round(threshold, 3):
            return f"{confidence:.{decimals}f}"
    return f"just under {threshold:.3f}"


@dataclass(frozen=True)
class _Chip:
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


def _by_label(chips: list[_Chip]) -> list[_Chip]:
    """One chip for all boxes of a label, in the order in which the labels first come."""
    joined: dict[str, _Chip] = {}
    for chip in chips:
        so_far = joined.get(chip.label, replace(chip, count=0))
        joined[chip.label] = replace(so_far, count=so_far.count + 1, lowest=min(so_far.lowest, chip.confidence))
    return list(joined.values())


_Piece = tuple[float, float, str, str | None]  # left, right, text, colour of a chip


@dataclass(frozen=True)
class _Drawing:
    """What is shown of one image; ``sentence`` where there are no chips, ``boxes`` where the model gives them."""

    image: Image.Image
    name: str
    chips: list[_Chip]
    sentence: str
    boxes: BoxPicture | None = None

    @property
    def remark(self) -> str:
        """What pictures leave out, as a few words."""
        without = self.boxes.untagged if self.boxes is not None else 0
        if len(self.chips) > _MOST_CHIPS:
            return f"and {len(self.chips) - _MOST_CHIPS} more"
        return f"({without} without room for a name)" if without else ""

    def to_text(self) -> str:
        """One line: the image and its labels."""
        labels = ", ".join(f"{chip.label} {chip.value}" for chip in self.chips)
        return f"{file_name(self.name)}: {labels or self.sentence}"

    def to_html(self) -> str:
        """The photo (crisp on dense screens), its labels beneath, in the colours of JupyterLab's theme."""
        if self.boxes is None:
            width, height = _fitted(self.image.size, _SIDE)
            source = data_url(thumbnail(self.image, _SIDE * _DENSITY))
        else:
            (width, height), source = self.boxes.size, self.boxes.to_url()
        return render(
            "detection.html",
            name=self.name,
            short_name=file_name(self.name),
            alt=self.to_text(),
            source=source,
            width=width,
            height=height,
            chips=self.chips[:_MOST_CHIPS],
            sentence=self.sentence,
            remark=self.remark,
        )

    def to_jpeg(self) -> bytes:
        """For readers of a notebook that can't show HTML."""
        side, quality = (_SIDE, 85) if self.boxes is None else (SIDE, 75)  # names at boxes are small
        buffer = io.BytesIO()
        self.to_picture(side).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    def to_picture(self, side: int) -> Image.Image:
        """The photo, at most ``side`` pixels wide and high, with its labels on white beneath.

        It is never enlarged, but where it is small and has boxes, whose names need room.
        """
        if self.boxes is None:
            photo = self.image.resize(_fitted(self.image.size, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
            unit = max(side / _SIDE, 0.5)
        else:
            photo = self.boxes.to_picture(side / SIDE)
            unit = max(side / SIDE, 0.5)
        width = max(photo.width, round(_SIDE / 2 * unit))
        font = plain_font(round(13 * unit))
        rows = list(self._rows(width, unit, font))
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

    def _rows(self, width: int, unit: float, font: ImageFont.FreeTypeFont) -> Iterator[list[_Piece]]:
        """Chips and words broken into rows that are no wider than ``width``."""
        pieces: list[tuple[str, str | None]] = [
            (f"{chip.label}  {chip.value}", chip.colour) for chip in self.chips[:_MOST_CHIPS]
        ]
        if self.remark:
            pieces.append((self.remark, None))
        if not self.chips:
            pieces = [(word, None) for word in self.sentence.split()]
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
