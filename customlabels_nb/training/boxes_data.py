"""Training images with boxes for a detector, validated, decoded once and cached within a memory limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb.core.geometry import FloatArray, clip_ltwh, ltwh_to_xyxy, polygon_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.models.canvas import fitted, open_reduced
from customlabels_nb.training.image_data import DecodedImages
from customlabels_nb.training.scene_sources import TrainingScene

#: Longer side of the cached images in pixels: about twice a typical input size, so that they can be scaled up a little.
KEPT_SIDE = 640

BOX = ["left", "top", "width", "height"]


@dataclass(frozen=True)
class Example:
    """Image with its boxes ``left, top, width, height`` in pixels of the upright image.

    Labels are positions among the labels to train. ``ignored`` are regions with many objects that are not boxed
    individually ("crowd"). Training treats these regions neither as objects nor as background. ``polygons`` are empty
    if no masks are trained.
    """

    image: str
    sha256: str | None
    boxes: FloatArray
    labels: IntArray
    ignored: FloatArray = field(default_factory=lambda: np.empty((0, 4)))
    polygons: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for name in ("boxes", "ignored"):
            boxes = np.asarray(getattr(self, name), dtype=np.float64).reshape(-1, 4)
            object.__setattr__(self, name, boxes)
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64).reshape(-1))
        if len(self.polygons) not in (0, len(self.boxes)):
            raise InputError(f"Example {self.image!r} has {len(self.boxes)} boxes but {len(self.polygons)} polygons.")
        if len(self.labels) != len(self.boxes):
            raise InputError(f"Example {self.image!r} has {len(self.boxes)} boxes but {len(self.labels)} labels.")


def make_examples(
    images: pd.DataFrame, annotations: pd.DataFrame, labels: Sequence[str], *, masks: bool = False
) -> list[Example]:
    """Create one example per row of ``images``, in the order of the table.

    An image without boxes becomes a negative example, which shows none of the labels. A polygon counts as its bounding
    box. Rows without a box or polygon, or with other labels, are ignored.
    """
    position = {label: i for i, label in enumerate(labels)}
    rows = with_boxes(annotations)
    rows = rows[rows["label"].isin(position)]
    crowd = (
        rows["crowd"].astype("boolean").fillna(False).to_numpy(dtype=bool)
        if "crowd" in rows
        else np.zeros(len(rows), dtype=bool)
    )
    boxes = rows[BOX].to_numpy(dtype=np.float64)
    codes = rows["label"].map(position).to_numpy(dtype=np.int64)
    polygons = rows["polygon"].to_numpy(dtype=object) if masks else None
    of_image = rows.groupby("image", observed=True).indices
    nothing = np.empty(0, dtype=np.int64)
    examples = []
    for name, sha256 in zip(images["image"].astype(str), images["sha256"], strict=True):
        indices = np.asarray(of_image.get(name, nothing), dtype=np.int64)
        single, many = indices[~crowd[indices]], indices[crowd[indices]]
        outlined = () if polygons is None else polygons[single].tolist()
        sha256 = sha256 if isinstance(sha256, str) else None
        examples.append(Example(name, sha256, boxes[single], codes[single], boxes[many], outlined))
    return examples


def with_boxes(annotations: pd.DataFrame) -> pd.DataFrame:
    """Select the annotations that have a box or a polygon, with polygons replaced by their bounding boxes."""
    rows = annotations[annotations["left"].notna() | annotations["polygon"].notna()]
    bare = np.flatnonzero(rows["left"].isna().to_numpy())
    if len(bare):
        around = np.array([polygon_to_ltwh(rows["polygon"].iat[row]) for row in bare])
        rows = rows.copy()
        rows.iloc[bare, [rows.columns.get_loc(name) for name in BOX]] = around
    return rows


class Photos(DecodedImages[TrainingScene]):
    """Scene source of training images with boxes, decoded to at most ``side`` pixels, without unusable ones."""

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        root: Path | None = None,
        side: int = KEPT_SIDE,
        cache_bytes: int | None = None,
    ) -> None:
        super().__init__([example.image for example in examples], root=root, cache_bytes=cache_bytes)
        self.examples = list(examples)
        self.side = side

    @property
    def facts(self) -> dict[str, Any]:
        """See :class:`customlabels_nb.training.scene_sources.SceneSource`. Each process has its own memory limit."""
        return {"examples": self.examples, "root": self.root, "side": self.side}

    @property
    def most_boxes(self) -> int:
        return max((len(example.boxes) for example in self.examples), default=0)

    def labels_of(self, index: int) -> IntArray:
        """Return the labels of an example's boxes, without decoding the image."""
        return self.examples[index].labels

    def may_have_boxes(self) -> bool:
        """Return True if a decoded image has a box, or an image that has not been decoded yet may have one."""
        looked_at = self._kept.keys() | self._unusable
        return any(len(scene.boxes) for scene in self._kept.values()) or any(
            len(example.boxes) for index, example in enumerate(self.examples) if index not in looked_at
        )

    def _decode(self, index: int) -> tuple[TrainingScene | None, list[Issue]]:
        scene, dropped = _decode(self.examples[index], self.root, self.side)
        # if every box was dropped, the image may still show objects, so it is not a negative example either
        return (None if dropped and not len(scene.boxes) else scene), dropped

    def _bytes(self, decoded: TrainingScene) -> int:
        return decoded.pixels.nbytes


def _decode(example: Example, root: Path | None, side: int) -> tuple[TrainingScene, list[Issue]]:
    image, size = open_reduced(read_bytes(example.image, root), example.image, side)
    if max(image.size) > side:
        image = image.resize(fitted(image.size, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    kept, clipped, issues = _usable(example, size)
    boxes, labels, scale = clipped[kept], example.labels[kept], np.tile(np.divide(image.size, size), 2)
    outlines = [
        None if polygon is None else [ring * scale[:2] for ring in rings_of(polygon)]
        for polygon, keeps in zip(example.polygons, kept.tolist() if example.polygons else (), strict=True)
        if keeps
    ]
    pixels = np.asarray(image)
    if len(example.ignored):
        pixels = _without(pixels, clip_ltwh(example.ignored, size) * scale, boxes * scale)
    pixels.flags.writeable = False
    return TrainingScene(pixels, boxes * scale, labels, outlines), issues


def usable_boxes(example: Example, size: tuple[int, int]) -> tuple[FloatArray, IntArray, list[Issue]]:
    """Clip the boxes of an example to the image of ``size`` (width, height), and drop unusable boxes.

    A usable box has finite coordinates and a positive width and height, and at least half of it is inside the image.
    Returns the usable boxes, their labels, and an issue for each dropped box.
    """
    good, boxes, issues = _usable(example, size)
    return boxes[good], example.labels[good], issues


def _usable(example: Example, size: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], FloatArray, list[Issue]]:
    """Return which boxes are usable, all boxes clipped to the image, and an issue for each unusable box."""
    finite: npt.NDArray[np.bool_] = np.asarray(np.isfinite(example.boxes).all(axis=1))
    boxes = clip_ltwh(np.where(finite[:, None], example.boxes, 0.0), size)
    area = np.where(finite, example.boxes[:, 2] * example.boxes[:, 3], 0.0)
    inside = boxes[:, 2] * boxes[:, 3]
    good: npt.NDArray[np.bool_] = finite & (example.boxes[:, 2:] > 0).all(axis=1) & (inside > 0)
    good &= inside >= 0.5 * area
    issues = []
    for box in example.boxes[~good]:
        empty = not (np.isfinite(box).all() and (box[2:] > 0).all())
        words = ", ".join(f"{value:g}" for value in box)
        what = "has no width, no height or no position" if empty else "is outside the image"
        issues.append(
            Issue(
                "BOX_EMPTY" if empty else "BOX_OFF_FRAME",
                f"The box ({words}) {what} and was excluded from training.",
                where=example.image,
            )
        )
    return good, boxes, issues


def _without(pixels: npt.NDArray[np.uint8], regions: FloatArray, boxes: FloatArray) -> npt.NDArray[np.uint8]:
    """Fill each region with its mean color, except where a box covers it."""
    painted = pixels.copy()
    for left, top, right, bottom in np.round(ltwh_to_xyxy(regions)).astype(int):
        region = painted[top:bottom, left:right]
        if region.size:
            region[:] = region.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for left, top, right, bottom in np.round(ltwh_to_xyxy(boxes)).astype(int):
        painted[top:bottom, left:right] = pixels[top:bottom, left:right]
    return painted
