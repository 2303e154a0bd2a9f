"""Settle boxes against the image size and their polygons: those in ratios, and those that contradict a polygon."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import like_ratios
from customlabels_nb.core.geometry import FloatArray, iou_of_pairs, ratios_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.datasets.formats.json_file import measured

#: Pixels by which a box may differ from its polygon.
APART = 2
_ALIKE, _SAME = 0.5, 0.9  # IoU of a box with its polygon
#: What is read of a box and a polygon that contradict each other.
BOX_OF_POLYGON = "The box of the polygon was read."
POLYGON_IN_RATIOS = "It has ratios of the image size, which were converted to pixels."
BOTH = "Both were read. Correct one of them."
_SIZE = ["width", "height"]


def contradictions(
    boxes: FloatArray,
    around: FloatArray,
    others: FloatArray,
    sizes: FloatArray,
    fitting: npt.NDArray[np.bool_] | bool = False,
) -> dict[int, str]:
    """Return what to read of boxes that contradict the boxes ``around`` their polygons, as messages by row.

    The box of the polygon is read if the given one has no area, or fits as ratios of the image size or in the notation
    of ``others``, or hardly overlaps a polygon that is ``fitting``. A polygon is converted if it fits as ratios.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        shared = iou_of_pairs(boxes, around)
        wrong = ~(boxes[:, 2:] > 0).all(axis=1) & (around[:, 2:] > 0).all(axis=1)
        wrong |= iou_of_pairs(others, around) > _SAME
        wrong |= iou_of_pairs(ratios_to_ltwh(boxes, sizes), around) > _SAME
        scaled = ~wrong & (iou_of_pairs(ratios_to_ltwh(around, sizes), boxes) > _SAME)
        wrong |= ~scaled & fitting & (shared < _ALIKE)
        apart = (np.abs(boxes - around) > APART).any(axis=1)
    apart &= (shared < _ALIKE) | ((shared < _SAME) & (wrong | scaled))
    return {
        row: BOX_OF_POLYGON if wrong[row] else POLYGON_IN_RATIOS if scaled[row] else BOTH
        for row in np.flatnonzero(apart).tolist()
    }


def scaled_polygon(polygon: Polygon | None, size: tuple[int, int] | FloatArray) -> Polygon | None:
    """Convert a polygon from ratios of the image size to pixels."""
    return polygon_of(ring * size for ring in rings_of(polygon))


def fill_sizes(sizes: dict[str, tuple[int, int] | None], needed: Iterable[str]) -> dict[str, str]:
    """Measure the ``needed`` images without a size, and return the message for each one of unknown size."""
    unknown = {}
    for uri, size in measured(uri for uri in needed if sizes.get(uri) is None):
        if isinstance(size, str):
            unknown[uri] = f"Its boxes were not read, because they are ratios of an unknown image size: {size}"
        else:
            sizes[uri] = size
    return unknown


def without_area(annotations: pd.DataFrame, source: str) -> list[Issue]:
    """Return an issue if boxes have no area."""
    names = annotations.loc[~(annotations[["width", "height"]] > 0).all(axis=1) & annotations["left"].notna(), "image"]
    message = f"{len(names):,} × box without area. Draw it again, or remove it."
    return [Issue("ENTRY_ADJUSTED", message, names.iloc[0], source)] if len(names) else []


def in_pixels(images: pd.DataFrame, annotations: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[Issue]]:
    """Return the annotations with boxes in pixels, and issues.

    Boxes are ratios if all of them are between 0 and 1, and not only these two numbers. The size is in the images
    table, or is read from the images. Boxes of an image of unknown size are left out. If only some boxes look like
    ratios, they are reported.
    """
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64, copy=True)
    drawn, alike = ~np.isnan(boxes[:, 0]), like_ratios(boxes) & (boxes % 1 > 0).any(axis=1)
    if not alike.any():
        return annotations, []
    names = annotations["image"]
    if not like_ratios(boxes)[drawn].all():
        message = (
            f"{alike.sum():,} × box with values between 0 and 1, as if they were ratios of the image size, was read "
            "in pixels like the other boxes."
        )
        return annotations, [Issue("ENTRY_ADJUSTED", message, names[alike].iloc[0], source)]
    with_size = images.reindex(columns=["image", *_SIZE]).dropna()
    sizes: dict[str, tuple[int, int] | None] = {image: (*size,) for image, *size in with_size.itertuples(index=False)}
    unknown = fill_sizes(sizes, names[drawn].unique())
    issues = [Issue("IMAGE_NOT_LISTED", message, image, source) for image, message in unknown.items()]
    kept = ~drawn | names.isin(sizes).to_numpy()
    of_rows = np.array([sizes.get(name) or (1, 1) for name in names], dtype=np.float64)
    boxes = ratios_to_ltwh(boxes, of_rows)
    outlines = annotations["polygon"].tolist()
    polygons = [
        scaled_polygon(polygon, size) if rings and max(ring.max() for ring in rings) <= 1 else polygon
        for polygon, rings, size in zip(outlines, map(rings_of, outlines), of_rows, strict=True)
    ]
    converted = annotations.assign(
        **{side: boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
        polygon=pd.Series(polygons, index=annotations.index, dtype=object),
    )
    have = counted(int(drawn.sum()), "box has", "boxes have")
    message = f"{have} ratios of the image size, which were converted to pixels."
    return converted[kept].reset_index(drop=True), [*issues, Issue("ENTRY_ADJUSTED", message, source=source)]
