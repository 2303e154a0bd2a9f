"""What a model says of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.text import one_line
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox
from customlabels_nb.inference import detection_drawing
from customlabels_nb.inference.inputs import load_encoded
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.responses import api_entries
from customlabels_nb.inference.thresholds import Threshold


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
        return detection_drawing.to_picture(self._drawing(), width)

    def __repr__(self) -> str:
        return detection_drawing.to_text(self._drawing())

    def _repr_html_(self) -> str:
        return detection_drawing.to_html(self._drawing())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        drawing = self._drawing()
        return {
            "text/plain": detection_drawing.to_text(drawing),
            "text/html": detection_drawing.to_html(drawing),
            # A JPEG: as a PNG the photo would be six times as large in each saved notebook.
            "image/jpeg": detection_drawing.to_jpeg(drawing),
        }

    def _drawing(self) -> detection_drawing.DetectionDrawing:
        labels = [one_line(label) for label in self.table["label"]]
        colours = [self.colours.get(label, "#888888") for label in self.table["label"]]
        confidences, boxes = self.table["confidence"].tolist(), self.table[list(BOX_COLUMNS)].to_numpy(np.float64)
        marks = [
            LabelledBox(tuple(box.tolist()), label, colour, f"{confidence:.2f}")
            for box, label, colour, confidence in zip(boxes, labels, colours, confidences, strict=True)
            if not np.isnan(box).any()
        ]
        chips = [detection_drawing.Chip(*found) for found in zip(labels, confidences, colours, strict=True)]
        sentence = one_line(self._sentence())
        if not (marks or self.from_detector):
            return detection_drawing.DetectionDrawing(self.image, one_line(self.name), chips, sentence)
        picture = BoxPicture(self.image, marks)
        return detection_drawing.DetectionDrawing(
            self.image, one_line(self.name), detection_drawing.by_label(chips), sentence, picture
        )

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
