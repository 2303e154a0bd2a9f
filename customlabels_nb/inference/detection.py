"""Run a model on one image and show the predictions as HTML, an image or text."""

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
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.images.box_drawing import SIDE, BoxPicture, LabelledBox, plain_font
from customlabels_nb.images.reading import thumbnail
from customlabels_nb.inference.inputs import load_encoded
from customlabels_nb.inference.postprocess import Postprocessor, api_entries
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import Threshold

_SIDE = 480  # CSS pixels
_DENSITY = 2  # image pixels per CSS pixel
_MOST_CHIPS = 12


@dataclass(frozen=True, repr=False, eq=False)
class Detection(NameHints):
    """Predictions for one image, displayed in a notebook as the image with its boxes and labels.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright RGB image.
    name : str
        Path or URL of the image, or "image" if it has neither.
    table : pandas.DataFrame
        Columns ``label``, ``confidence`` (between 0 and 1), and ``left``, ``top``, ``width``, ``height`` in pixels (NaN
        for a classifier), sorted by decreasing confidence. A model with masks adds ``polygon``: one ring of points
        ``[x, y]`` in pixels, or a list of rings for an object with several parts or holes.
    colors : dict of str to str
        Color of each label as #rrggbb.
    nearest : tuple of (str, float, float), or None
        Label with the highest confidence, whether or not it reaches its threshold, with this confidence and threshold.
        None if a detector predicted no box at all.
    from_detector : bool
        True if the model is a detector, which predicts boxes.
    """

    image: Image.Image
    name: str
    table: pd.DataFrame
    colors: dict[str, str]
    nearest: tuple[str, float, float] | None = None
    from_detector: bool = False

    @property
    def response(self) -> dict[str, list[dict[str, Any]]]:
        """Predictions in the format of the Rekognition API, with confidences in percent, and boxes as fractions.

        ``Geometry`` of a mask has the points of its ``Polygon`` beside the box, also as fractions.
        """
        boxes = self.table[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
        entries = api_entries(
            self.table["label"], self.table["confidence"], boxes, self.image.size, self.table.get("polygon")
        )
        return {"CustomLabels": entries}

    def draw(self, width: int = 960) -> Image.Image:
        """Draw the image with its boxes and labels, scaled to fit ``width`` pixels in both directions.

        Examples
        --------
        >>> model = project.model().start()
        >>> found = model.detect(photo)
        >>> found.draw(width=320).mode
        'RGB'
        """
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
            # JPEG, because a PNG of a photo would make the saved notebook about six times as large
            "image/jpeg": drawing.to_jpeg(),
        }

    def _drawing(self) -> _Drawing:
        labels = [one_line(label) for label in self.table["label"]]
        colors = [self.colors.get(label, "#888888") for label in self.table["label"]]
        confidences, boxes = self.table["confidence"].tolist(), self.table[list(BOX_COLUMNS)].to_numpy(np.float64)
        polygons = self.table.get("polygon", [None] * len(labels))
        drawn = [
            LabelledBox(tuple(box.tolist()), label, color, f"{confidence:.2f}", polygon)
            for box, label, color, confidence, polygon in zip(boxes, labels, colors, confidences, polygons, strict=True)
            if not np.isnan(box).any()
        ]
        chips = [_Chip(*values) for values in zip(labels, confidences, colors, strict=True)]
        sentence = one_line(self._sentence())
        if not (drawn or self.from_detector):
            return _Drawing(self.image, one_line(self.name), chips, sentence)
        picture = BoxPicture(self.image, drawn)
        return _Drawing(self.image, one_line(self.name), _by_label(chips), sentence, picture)

    def _sentence(self) -> str:
        if self.nearest is None or self.nearest[1] >= self.nearest[2]:
            return "Nothing was found."
        label, confidence, threshold = self.nearest
        return (
            f"No label reaches its threshold. The closest is {label} with {_below(confidence, threshold)} "
            f"(threshold {threshold:.3f})."
        )


def detect(
    predictor: Predictor,
    image: object,
    *,
    threshold: Threshold = None,
    max_results: int | None = None,
    root: Path | None = None,
) -> Detection:
    """Run a started model on one image."""
    postprocessor = Postprocessor(predictor, threshold, max_results)
    shown, data, name = load_encoded(image, root=root)
    answer = postprocessor.ask(
        [postprocessor.prepare_picture(shown) if data is None else postprocessor.prepare(data, name)]
    )[0]
    labels, nearest = postprocessor.config.labels, None
    if answer.highest is not None:
        best, confidence = answer.highest
        thresholds = postprocessor.thresholds
        nearest = (labels[best], confidence, 0.0 if thresholds is None else float(thresholds[best]))
    colors = dict(zip(labels, postprocessor.config.colors, strict=True))
    return Detection(shown, name, postprocessor.table([answer]), colors, nearest, postprocessor.is_detector)


def _below(confidence: float, threshold: float) -> str:
    """Format the confidence with enough decimals to show that it is below the threshold."""
    for decimals in range(3, 7):
        if round(confidence, decimals) < round(threshold, 3):
            return f"{confidence:.{decimals}f}"
    return f"just under {threshold:.3f}"


@dataclass(frozen=True)
class _Chip:
    """Label with its color (#rrggbb), highest and lowest confidence (between 0 and 1), and number of boxes."""

    label: str
    confidence: float
    color: str
    count: int = 1
    lowest: float = 1.0

    @property
    def value(self) -> str:
        """Formatted confidence, or for several boxes, their number and range of confidences."""
        if self.count == 1:
            return f"{self.confidence:.2f}"
        low, high = f"{self.lowest:.2f}", f"{self.confidence:.2f}"
        return f"×{self.count} {high if low == high else f'{low}–{high}'}"


def _by_label(chips: list[_Chip]) -> list[_Chip]:
    """Merge the chips of each label into one, ordered by first appearance."""
    joined: dict[str, _Chip] = {}
    for chip in chips:
        so_far = joined.get(chip.label, replace(chip, count=0))
        joined[chip.label] = replace(so_far, count=so_far.count + 1, lowest=min(so_far.lowest, chip.confidence))
    return list(joined.values())


_Piece = tuple[float, float, str, str | None]  # left, right, text, color of a chip


@dataclass(frozen=True)
class _Drawing:
    """Rendering of one image, with ``sentence`` shown if there are no chips, and ``boxes`` set for a detector."""

    image: Image.Image
    name: str
    chips: list[_Chip]
    sentence: str
    boxes: BoxPicture | None = None

    @property
    def remark(self) -> str:
        without = self.boxes.untagged if self.boxes is not None else 0
        if len(self.chips) > _MOST_CHIPS:
            return f"and {len(self.chips) - _MOST_CHIPS} more"
        return f"({without} without space for a label)" if without else ""

    def to_text(self) -> str:
        labels = ", ".join(f"{chip.label} {chip.value}" for chip in self.chips)
        return f"{file_name(self.name)}: {labels or self.sentence}"

    def to_html(self) -> str:
        """Render the image and the labels below it in the colors of the JupyterLab theme."""
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
        """Encode the image as JPEG for notebook viewers without HTML."""
        side, quality = (_SIDE, 85) if self.boxes is None else (SIDE, 75)  # text next to boxes is small
        buffer = io.BytesIO()
        self.to_picture(side).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    def to_picture(self, side: int) -> Image.Image:
        """Draw the image within ``side`` pixels with the labels below. Only small images with boxes are enlarged."""
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
            for left, right, text, color in row:
                middle = top + height / 2
                if color is None:
                    pen.text((left, middle), text, fill="#5f6368", font=font, anchor="lm")
                    continue
                pen.rounded_rectangle(
                    (left, top, right - 1, top + height - 1), height / 2, outline=color, width=max(1, round(unit))
                )
                dot = 4 * unit
                x = left + 12 * unit
                pen.ellipse((x - dot, middle - dot, x + dot, middle + dot), fill=color)
                pen.text((left + 21 * unit, middle), text, fill="#1f2328", font=font, anchor="lm")
        return page

    def _rows(self, width: int, unit: float, font: ImageFont.FreeTypeFont) -> Iterator[list[_Piece]]:
        """Arrange the chips and words in rows that are at most ``width`` pixels wide."""
        pieces: list[tuple[str, str | None]] = [
            (f"{chip.label}  {chip.value}", chip.color) for chip in self.chips[:_MOST_CHIPS]
        ]
        if self.remark:
            pieces.append((self.remark, None))
        if not self.chips:
            pieces = [(word, None) for word in self.sentence.split()]
        row: list[_Piece] = []
        left = 0.0
        for text, color in pieces:
            extra = 30 * unit if color else 0.0
            text = _shortened(text, width - extra, font)
            right = left + extra + font.getlength(text)
            if row and right > width:
                yield row
                row, right, left = [], right - left, 0.0
            row.append((left, right, text, color))
            left = right + (6 * unit if color else font.getlength(" "))
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
