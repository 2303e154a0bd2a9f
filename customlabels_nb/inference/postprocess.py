"""Preprocess images for a model and filter its predictions by threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb.core.geometry import FloatArray, ltwh_to_ratios
from customlabels_nb.core.polygons import to_one_ring
from customlabels_nb.core.tables import BOX_COLUMNS, DRAWN_TASKS, POLYGONS, TEXT
from customlabels_nb.images.reading import open_image
from customlabels_nb.inference.exporting.detect import polygon_of
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import (
    IntArray,
    Threshold,
    check_max_results,
    choose,
    decision_of,
    resolve_thresholds,
)
from customlabels_nb.models.canvas import Canvas, open_canvas, to_canvas
from customlabels_nb.models.transforms import Pixels, to_pixels

if TYPE_CHECKING:
    from customlabels_nb.models.detector import DetectedMasks

DETECTION_COLUMNS = ("label", "confidence", *BOX_COLUMNS)
ObjectArray: TypeAlias = npt.NDArray[np.object_]

#: Preprocessed image: a square for a classifier, a canvas for a detector.
Prepared: TypeAlias = Pixels | Canvas


@dataclass(frozen=True)
class ImagePrediction:
    """Predictions of a model for one image that are its answers, by decreasing confidence.

    ``labels`` are indices. Boxes have shape (n, 4): ``left, top, width, height`` in pixels of the upright image, NaN
    for a classifier. Polygons are None unless the model predicts masks. ``highest`` is the index and confidence of the
    label with the highest confidence, even if that is below its threshold, or None without predictions.
    """

    labels: IntArray
    confidences: FloatArray
    boxes: FloatArray
    highest: tuple[int, float] | None
    polygons: ObjectArray | None = None


def columns_of(task: str) -> tuple[str, ...]:
    """Return the columns of the predictions of a model, after the image, by its task."""
    if task not in DRAWN_TASKS:
        return DETECTION_COLUMNS[:2]
    return (*DETECTION_COLUMNS, "polygon") if task == POLYGONS else DETECTION_COLUMNS


def joined(answers: Sequence[ImagePrediction]) -> ImagePrediction:
    """Concatenate the predictions for several images, which saves memory."""
    return ImagePrediction(
        np.concatenate([np.empty(0, dtype=np.int64), *(answer.labels for answer in answers)]),
        np.concatenate([np.empty(0), *(answer.confidences for answer in answers)]),
        np.concatenate([np.empty((0, len(BOX_COLUMNS))), *(answer.boxes for answer in answers)]),
        None,
        objects(polygon for answer in answers for polygon in objects(answer.polygons)),
    )


def objects(values: Iterable[Any] | None) -> ObjectArray:
    """Return values such as polygons as an array of objects, shape (n,). It is empty for None."""
    listed = [] if values is None else list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def polygons_of(masks: DetectedMasks, rows: IntArray) -> ObjectArray:
    """Convert the masks of some detections to polygons, accurate to half a pixel of the network's input."""
    size, tolerance = masks.size, 0.5 * masks.pixel
    return objects(polygon_of(masks.inside[row], masks.regions[row], size, tolerance) for row in rows.tolist())


class Postprocessor:
    """Inference with one decision, which returns the ``max_results`` most confident answers for an image.

    ``thresholds`` are None, and ``decision`` is "most confident" instead of thresholds by label, if each image's most
    confident label is the answer.
    """

    def __init__(self, predictor: Predictor, threshold: Threshold = None, max_results: int | None = None) -> None:
        self.predictor = predictor
        self.config = predictor.config
        self.thresholds = resolve_thresholds(self.config, threshold, predictor.views)
        self.decision = decision_of(self.config, self.thresholds)
        check_max_results(max_results)
        self.max_results = max_results
        self.is_detector = self.config.is_detector
        self.columns = ["image", *columns_of(self.config.task)]

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Decode and preprocess an encoded image at no larger size than the model needs."""
        size = self.config.input_size
        if self.is_detector:
            return open_canvas(data, name, size, self.config.fill, larger=self.predictor.larger_size)
        return to_pixels(open_image(data, name=name, at_least=size), size)

    def prepare_picture(self, image: Image.Image) -> Prepared:
        size = self.config.input_size
        if self.is_detector:
            return to_canvas(image, size, self.config.fill, larger=self.predictor.larger_size)
        return to_pixels(image, size)

    def ask(self, images: Sequence[Prepared], *, at_once: int | None = None) -> list[ImagePrediction]:
        """Return the predictions for each image, computed in batches of ``at_once`` or the device's default size."""
        if self.is_detector:
            canvases = cast(Sequence[Canvas], images)
            detected = self.predictor.boxes(canvases, at_once=at_once, thresholds=self.thresholds)
            return [self._answer(boxes.labels, boxes.confidences, boxes.boxes, boxes.masks) for boxes in detected]
        labels = np.arange(len(self.config.labels))
        none = np.full((len(labels), len(BOX_COLUMNS)), np.nan)
        rows = self.predictor.probabilities(cast(Sequence[Pixels], images), at_once=at_once)
        return [self._answer(labels, row, none) for row in rows]

    def table(self, answers: Sequence[ImagePrediction]) -> pd.DataFrame:
        """Convert predictions to a table with the columns of :data:`DETECTION_COLUMNS`, and ``polygon`` for masks."""
        every, names = joined(answers), np.asarray(self.config.labels, dtype=object)
        table = pd.DataFrame(every.boxes, columns=list(BOX_COLUMNS))
        table.insert(0, "label", pd.Series(names[every.labels], dtype=TEXT))
        table.insert(1, "confidence", every.confidences)
        if self.config.task == POLYGONS:
            table["polygon"] = every.polygons
        table.attrs["decision"] = self.decision
        return table

    def _answer(
        self, labels: IntArray, confidences: FloatArray, boxes: FloatArray, masks: DetectedMasks | None = None
    ) -> ImagePrediction:
        kept = choose(labels, confidences, self.thresholds, self.max_results)
        best = int(confidences.argmax()) if len(confidences) else None
        highest = None if best is None else (int(labels[best]), float(confidences[best]))
        polygons = None if masks is None else polygons_of(masks, kept)
        return ImagePrediction(labels[kept], confidences[kept], boxes[kept], highest, polygons)


def api_entries(
    labels: Iterable[str],
    confidences: Iterable[float],
    boxes: FloatArray,
    size: tuple[int, int] | None,
    polygons: Iterable[Any] | None = None,
) -> list[dict[str, Any]]:
    """Build the API's ``CustomLabels`` list, with confidences in percent and boxes as fractions of the image size.

    Confidences are given between 0 and 1, and boxes as ``left, top, width, height`` in pixels of the upright image, NaN
    for an image-level label. ``size`` may be None only if no label has a box. The API has one ring for each object, so
    the rings of an object with several parts or holes are joined to one ring around the same area.
    """
    ratios = boxes if size is None else ltwh_to_ratios(boxes, size)
    entries = []
    for label, confidence, box, polygon in zip(
        labels, confidences, ratios, repeat(None) if polygons is None else polygons, strict=False
    ):
        entry: dict[str, Any] = {"Name": label, "Confidence": float(confidence) * 100}
        if not np.isnan(box).any():
            left, top, width, height = box.tolist()
            entry["Geometry"] = {"BoundingBox": {"Width": width, "Height": height, "Left": left, "Top": top}}
        if polygon is not None and size is not None:
            points = [{"X": x / size[0], "Y": y / size[1]} for x, y in to_one_ring(polygon)]
            entry["Geometry"]["Polygon"] = points
        entries.append(entry)
    return entries
