"""Judge boxes and outlines against the size of their image, by one rule for all formats except manifests.

A verdict is the first one that applies, for boxes in pixels, ratios or percent of the image size:

========== =========================================================================================================
CORNERS    Some boxes extend beyond their image by more than a tenth of it, and all fit as two corners. Converted.
PIXELS     The box is far beyond its image as ratios or percent, and fits as pixels. It is converted.
UNREADABLE The box is far beyond its image (by more than half of its size), or outside it. It is left out and counted.
RATIOS     All boxes are numbers between 0 and 1, although pixels are expected. They are converted.
NO_RATIOS  The box extends beyond its image, and ratios are expected. Some of its numbers are not ratios. It is kept.
BEYOND     The box extends beyond its image, as objects at its edge do. It is kept.
FINE       The box is within its image, up to rounding, or the size of the image is unknown.
========== =========================================================================================================

A box slightly beyond its image is not clipped while reading, because labels must come back from CSV files and manifests
as they were drawn. Exports to formats whose programs refuse such boxes clip them (:mod:`.clipping`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import like_ratios
from customlabels_nb.core.geometry import (
    FloatArray,
    iou_of_pairs,
    ltwh_to_xyxy,
    polygon_to_ltwh,
    ratios_to_ltwh,
    xyxy_to_ltwh,
)
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import Polygon, polygon_of, readable_rings, rings_of
from customlabels_nb.datasets.formats.json_file import measured
from customlabels_nb.images.locations import is_remote

#: Pixels by which a box may differ from its polygon.
APART = 2
_ALIKE, _SAME = 0.5, 0.9  # IoU of a box with its polygon
#: What is read of a box and a polygon that contradict each other.
BOX_OF_POLYGON = "The box of the polygon was read."
POLYGON_IN_RATIOS = "It has ratios of the image size, which were converted to pixels."
BOTH = "Both were read. Correct one of them."

#: How far a box may extend beyond its image, as a share of its width and height: due to rounding, and still plausible.
ROUNDING, _PLAUSIBLE, _FAR = 0.01, 0.1, 0.5
_FEWEST_PIXELS = 2  # boxes of smaller numbers are ratios beyond the image
_RATIO_AT_MOST = 1 + 1e-6
_MOST_MEASURED = 1000  # images without a known size whose boxes are judged, those with the largest numbers
_SIZE = ["width", "height"]

Unit: TypeAlias = Literal["pixels", "ratios", "percent"]
_Bools: TypeAlias = npt.NDArray[np.bool_]
_Size: TypeAlias = tuple[int, int]


class Verdict(IntEnum):
    """Say what a box is, given the size of its image."""

    FINE = 0
    BEYOND = 1
    NO_RATIOS = 2
    RATIOS = 3
    PIXELS = 4
    CORNERS = 5
    UNREADABLE = 6


class VerdictMessage(NamedTuple):
    """Message about all rows with a verdict, and the first of them."""

    verdict: Verdict
    message: str
    first: int


@dataclass(frozen=True)
class Judged:
    """Boxes in pixels, shape (n, 4), with their verdicts, and how they were ``given`` in which ``unit``.

    ``scale`` has the pixels of one unit for each box, shape (n, 2).
    """

    boxes: FloatArray
    verdicts: npt.NDArray[np.int8]
    scale: FloatArray
    given: FloatArray
    sizes: FloatArray
    unit: Unit

    @property
    def keep(self) -> _Bools:
        """Mask of the readable boxes."""
        return np.asarray(self.verdicts != Verdict.UNREADABLE)

    def rows(self, verdict: Verdict) -> list[int]:
        """Return the numbers of the boxes with a verdict."""
        rows: list[int] = np.flatnonzero(self.verdicts == verdict).tolist()
        return rows

    def findings(self) -> Iterator[VerdictMessage]:
        """Yield a message with a count and an example for each verdict that changes or leaves out boxes."""
        for verdict, text in _TEXTS.items():
            if rows := self.rows(verdict):
                first, (width, height) = rows[0], self.sizes[rows[0]]
                image = f"an image of {width:g} × {height:g} pixels"
                given, box = text_of(self.given[first]), text_of(self.boxes[first])
                message = text.format(count=len(rows), given=given, box=box, image=image, unit=self.unit)
                yield VerdictMessage(verdict, message, first)


_TEXTS = {
    Verdict.RATIOS: "{count:,} × box in ratios of the image size was converted to pixels, such as {given}, which was "
    "read as {box}.",
    Verdict.PIXELS: "{count:,} × box or polygon in pixels instead of {unit} of the image size was read as such, for "
    "example {given} in {image}.",
    Verdict.CORNERS: "{count:,} × box was read as two corners, because all boxes fit their images only so, for "
    "example {given} in {image}, which was read as {box}. Correct the file if that is wrong.",
    Verdict.NO_RATIOS: "{count:,} × box or polygon with numbers beyond {unit} of the image size was read as beyond the "
    "image, for example {given}. Correct it in the file.",
    Verdict.UNREADABLE: "{count:,} × box or polygon far beyond its image was left out, for example {given} ({unit}) in "
    "{image}. Correct it in the file.",
}


def judge(
    boxes: FloatArray,
    sizes: FloatArray,
    *,
    unit: Unit = "pixels",
    numbers: FloatArray | None = None,
    corners: bool = False,
) -> Judged:
    """Judge boxes ``left, top, width, height``, shape (n, 4), in images of these sizes, shape (n, 2).

    Rows may be NaN: without a box, or of unknown size. ``numbers`` are those of the file, if it has another notation.
    With ``corners``, the file may have corners instead, if that notation would not be noticed otherwise.
    """
    ratios = unit == "pixels" and are_ratios(boxes)
    one = {"pixels": np.ones_like(sizes), "ratios": sizes, "percent": sizes / 100}["ratios" if ratios else unit]
    drawn, written = ~np.isnan(boxes[:, 0]), boxes if numbers is None else numbers
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        excess, outside = _excess(boxes * np.tile(one, 2), sizes)
        far = (excess > _FAR) | outside
        pixels = _are_pixels(boxes, written, sizes, far, unit)
        as_corners = xyxy_to_ltwh(written)
        only_corners = corners and (excess > _PLAUSIBLE).any() and not pixels.any()
        if only_corners:
            fitting = _fit(as_corners * np.tile(one, 2), sizes) & (as_corners[:, 2:] > 0).all(axis=1)
            only_corners = bool(fitting[drawn].all())
        no_ratios = (unit == "ratios") & ((written > 1 + ROUNDING) | (written < -ROUNDING)).any(axis=1)
        beyond = excess > ROUNDING
        scale = np.where(pixels[:, None], 1.0, one)
        converted = (as_corners if only_corners else boxes) * np.tile(scale, 2)
    rules = {
        Verdict.CORNERS: drawn & only_corners,
        Verdict.PIXELS: pixels,
        Verdict.UNREADABLE: far,
        Verdict.RATIOS: drawn & ratios,
        Verdict.NO_RATIOS: beyond & no_ratios,
        Verdict.BEYOND: beyond,
    }
    verdicts = np.select(list(rules.values()), list(rules), Verdict.FINE).astype(np.int8)
    return Judged(converted, verdicts, scale, boxes, sizes, unit)


def _are_pixels(boxes: FloatArray, written: FloatArray, sizes: FloatArray, far: _Bools, unit: Unit) -> _Bools:
    """Return a mask of boxes that are pixels instead of ratios or percent. Small numbers of percent may be both."""
    if unit == "pixels":
        return np.zeros(len(boxes), dtype=bool)
    if unit == "ratios":
        large = (written.max(axis=1) > _FEWEST_PIXELS) & (boxes[:, 2:] >= 1).all(axis=1)
        return np.asarray(far & large & _fit(boxes, sizes))
    drawn = ~np.isnan(boxes[:, 0])
    mostly = (_excess(boxes / 100, np.ones_like(sizes))[0][drawn] > _PLAUSIBLE).sum() * 2 > drawn.sum()
    return np.asarray(drawn & (mostly and _fit(boxes, sizes, _PLAUSIBLE)[drawn].all()))


def are_ratios(boxes: FloatArray) -> bool:
    """Check whether all boxes are between 0 and 1, and some are not whole numbers, so that they are not pixels."""
    if np.fmax.reduce(boxes, axis=None, initial=0) > _RATIO_AT_MOST:  # most files
        return False
    drawn = boxes[~np.isnan(boxes[:, 0])]
    return len(drawn) > 0 and drawn.min() >= 1 - _RATIO_AT_MOST and bool((drawn % 1 > 0).any())


def _excess(boxes: FloatArray, sizes: FloatArray) -> tuple[FloatArray, _Bools]:
    """Return how far boxes in pixels extend beyond their images as shares of these, and which are outside of them."""
    low = boxes[:, :2] / sizes
    high = low + boxes[:, 2:] / sizes
    over = np.maximum(-low, high - 1)
    outside = (low > 1 + ROUNDING) | (high < -ROUNDING)
    return np.maximum(over[:, 0], over[:, 1]), outside[:, 0] | outside[:, 1]


def _fit(boxes: FloatArray, sizes: FloatArray, share: float = ROUNDING) -> _Bools:
    fitting: _Bools = _excess(boxes, sizes)[0] <= share
    return fitting


def text_of(box: Iterable[float]) -> str:
    """Return a box as text for a message."""
    return "left {}, top {}, width {}, height {}".format(*(f"{side:g}" for side in box))


def settle(
    annotations: pd.DataFrame,
    sizes: dict[str, _Size | None],
    source: str,
    place: Callable[[int], dict[str, Any]],
    *,
    judged: bool = True,
) -> tuple[pd.DataFrame, _Bools, list[Issue]]:
    """Judge the boxes and polygons of a table, and convert or leave out what is not in pixels of the image.

    Returns the annotations, a mask of the rows that were kept, and issues, at the ``place`` of a row in the ``source``.
    ``sizes`` are those known, to which others that are needed are added. Without ``judged``, only ratios are converted.
    """
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64, copy=True)
    names, drawn, polygons = annotations["image"], ~np.isnan(boxes[:, 0]), annotations["polygon"].tolist()
    ratios = are_ratios(boxes)
    unknown = fill_sizes(sizes, names[drawn].unique()) if ratios else {}
    if judged and not ratios:
        _measure_some(sizes, names[drawn], ltwh_to_xyxy(boxes[drawn])[:, 2:].max(axis=1, initial=0))
    of_rows = np.array([sizes.get(name) or (np.nan, np.nan) for name in names], np.float64).reshape(-1, 2)
    plain = judged and bool(annotations["polygon"].isna().all())
    result = judge(boxes, of_rows, corners=plain)
    broken, about = _broken_polygons(polygons)
    if not judged:
        result.verdicts[result.verdicts != Verdict.RATIOS] = Verdict.FINE
        broken, about = np.zeros_like(broken), []
    findings = [*result.findings(), *about, *(() if ratios else _tiny_boxes(boxes))]
    if not findings:
        return annotations, np.ones(len(boxes), dtype=bool), []
    keep = (~drawn | ~np.isnan(result.boxes[:, 0])) & result.keep & ~broken
    table = annotations.assign(
        **{side: result.boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
        polygon=pd.Series(_scaled(polygons, result, keep), index=annotations.index, dtype=object),
    )
    issues = [Issue("IMAGE_NOT_LISTED", message, image, source) for image, message in unknown.items()]
    for verdict, message, first in findings:
        code = "ENTRY_UNREADABLE" if verdict == Verdict.UNREADABLE else "ENTRY_ADJUSTED"
        issues.append(Issue(code, message, **{"source": source, **place(first)}))
    return table[keep].reset_index(drop=True), keep, issues


def _broken_polygons(polygons: Sequence[Polygon | None]) -> tuple[_Bools, list[VerdictMessage]]:
    """Return a mask of the polygons with others than finite numbers, and messages about these and those without area.

    Polygons of fewer than three points are kept, because ``validate`` finds and mends them.
    """
    short, broken = (np.zeros(len(polygons), dtype=bool) for _ in range(2))
    for row, polygon in ((row, polygon) for row, polygon in enumerate(polygons) if polygon is not None):
        rings = rings_of(polygon)
        broken[row] = not all(np.isfinite(ring).all() for ring in rings)
        short[row] = not broken[row] and any(len(ring) < 3 for ring in rings)
    rules = (
        (Verdict.UNREADABLE, broken, "with others than finite numbers was left out"),
        (Verdict.FINE, short, "with fewer than three points was read"),
    )
    found = [(verdict, np.flatnonzero(mask).tolist(), words) for verdict, mask, words in rules if mask.any()]
    return broken, [
        VerdictMessage(verdict, f"{len(rows):,} × polygon {words}, such as {polygons[rows[0]]}."[:400], rows[0])
        for verdict, rows, words in found
    ]


def _tiny_boxes(boxes: FloatArray) -> Iterator[VerdictMessage]:
    """Yield a message about boxes that may be ratios, although others are pixels."""
    alike = np.flatnonzero(like_ratios(boxes) & (boxes % 1 > 0).any(axis=1)).tolist()
    if alike:
        message = (
            f"{len(alike):,} × box with values between 0 and 1, as if they were ratios of the image size, was read "
            "in pixels like the other boxes."
        )
        yield VerdictMessage(Verdict.FINE, message, alike[0])


def _scaled(polygons: list[Polygon | None], judged: Judged, keep: _Bools) -> list[Polygon | None]:
    """Return the polygons, in pixels where the boxes were ratios and the polygons are, too."""
    for row in judged.rows(Verdict.RATIOS):
        if keep[row] and polygons[row] is not None and max(ring.max() for ring in rings_of(polygons[row])) <= 1:
            polygons[row] = scaled_polygon(polygons[row], judged.scale[row])
    return polygons


def _measure_some(sizes: dict[str, _Size | None], names: pd.Series, ends: FloatArray) -> None:
    """Add the sizes of local images in which boxes end farthest."""
    order = names.iloc[np.argsort(-ends, kind="stable")].drop_duplicates()
    local = (name for name in order if sizes.get(name) is None and not is_remote(name))
    sizes.update((name, size) for name, size in measured(islice(local, _MOST_MEASURED)) if not isinstance(size, str))


def far_polygons(boxes: FloatArray, around: FloatArray, sizes: FloatArray) -> tuple[list[int], str]:
    """Return the rows of polygons far beyond their images, although their boxes are not, and a message about them.

    ``around`` are the boxes of the polygons. Only the given boxes are read in these rows.
    """
    rows: list[int] = np.flatnonzero(judge(boxes, sizes).keep & ~judge(around, sizes).keep).tolist()
    example = text_of(around[rows[0]]) if rows else ""
    return rows, (
        f"{len(rows):,} × polygon far beyond its image was left out, such as one with {example}. The box was read. "
        "Correct the polygon."
    )


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


def _boxes_around(polygons: list[Polygon | None]) -> FloatArray:
    """Return the bounding boxes of polygons, shape (n, 4), with NaN where there is none."""
    boxes = np.full((len(polygons), 4), np.nan)
    for row, polygon in enumerate(polygons):
        if polygon is not None and (rings := readable_rings(polygon)):
            boxes[row] = polygon_to_ltwh(rings)
    return boxes


def _reconcile(
    annotations: pd.DataFrame, around: FloatArray, sizes: dict[str, _Size | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return annotations whose boxes fit the boxes ``around`` their polygons, and messages with the first row.

    A polygon far beyond its image is left out if its box is not. Of the others, :func:`contradictions` decides what is
    read.
    """
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64, copy=True)
    with np.errstate(invalid="ignore", over="ignore"):
        rows = np.flatnonzero((np.abs(boxes - around) > APART).any(axis=1))
    if not len(rows):
        return annotations, {}
    given, names, messages = boxes[rows], annotations["image"].iloc[rows], dict[str, int]()
    fill_sizes(sizes, names.unique())
    of_rows = np.array([sizes.get(name) or (np.nan, np.nan) for name in names], np.float64)
    polygons = annotations["polygon"].tolist()
    of_polygons = around[rows]
    far, about_far = far_polygons(given, of_polygons, of_rows)
    for number in far:
        polygons[rows[number]], of_polygons[number] = None, np.nan
    if far:
        messages[about_far] = int(rows[far[0]])
    verdicts = contradictions(given, of_polygons, xyxy_to_ltwh(given), of_rows)
    for verdict, count in Counter(verdicts.values()).items():
        first = next(number for number, each in verdicts.items() if each == verdict)
        pair = f"{text_of(given[first])} for a polygon in {text_of(of_polygons[first])}"
        messages[f"{count:,} × box does not fit its polygon, for example {pair}. {verdict}"] = int(rows[first])
    for number, verdict in verdicts.items():
        row = rows[number]
        if verdict == BOX_OF_POLYGON:
            boxes[row] = of_polygons[number]
        elif verdict == POLYGON_IN_RATIOS:
            polygons[row] = scaled_polygon(polygons[row], of_rows[number])
    sides = {side: boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)}
    polygon = pd.Series(polygons, index=annotations.index, dtype=object)
    return annotations.assign(**sides, polygon=polygon), messages


def scaled_polygon(polygon: Polygon | None, size: tuple[int, int] | FloatArray) -> Polygon | None:
    """Convert a polygon from ratios of the image size to pixels."""
    return polygon_of(ring * size for ring in rings_of(polygon))


def fill_sizes(sizes: dict[str, _Size | None], needed: Iterable[str]) -> dict[str, str]:
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


def without_zeros(
    images: pd.DataFrame, annotations: pd.DataFrame, source: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return the tables without boxes of only zeros, as DeepForest writes them for images without objects, and issues.

    These images are labelled as empty, unless they have other annotations.
    """
    zero = (annotations[list(t.BOX_COLUMNS)] == 0).all(axis=1) & annotations["polygon"].isna()
    if not zero.any():
        return images, annotations, []
    names = annotations.loc[zero, "image"]
    message = f"{len(names):,} × box of only zeros was read as an image that is labelled without boxes."
    statuses = images["status"] if "status" in images else pd.Series(None, index=images.index, dtype=t.TEXT)
    images = images.assign(status=statuses.mask(t.is_among(images["image"], names), "labelled").fillna("unlabelled"))
    issues = [Issue("ENTRY_ADJUSTED", message, names.iloc[0], source)]
    return images, annotations[~zero].reset_index(drop=True), issues


def in_pixels(
    images: pd.DataFrame, annotations: pd.DataFrame, source: str, *, judged: bool = True
) -> tuple[pd.DataFrame, list[Issue]]:
    """Return the annotations with boxes in pixels, as :func:`settle` does, and issues.

    The sizes are in the images table, or are read from the images. If ``judged``, polygons are judged, too, and boxes
    that contradict theirs are settled. An image that loses all its annotations has an issue IMAGE_NOT_LISTED, because
    it is not empty.
    """
    with_size = images.reindex(columns=["image", *_SIZE]).dropna()
    sizes: dict[str, _Size | None] = {image: (*size,) for image, *size in with_size.itertuples(index=False)}
    names, messages = annotations["image"], dict[str, int]()
    if judged and annotations["polygon"].notna().any():
        annotations, messages = _reconcile(annotations, _boxes_around(annotations["polygon"].tolist()), sizes)

    def where(row: int) -> dict[str, Any]:
        return {"where": names.iloc[row]}

    table, keep, issues = settle(annotations, sizes, source, where, judged=judged)
    unknown = [issue.where for issue in issues if issue.code == "IMAGE_NOT_LISTED"]
    gone = names[~keep & ~t.is_among(names, [*table["image"], *unknown])].unique()
    return table, [
        *(Issue("ENTRY_ADJUSTED", message, names.iloc[row], source) for message, row in messages.items()),
        *issues,
        *(Issue("IMAGE_NOT_LISTED", "None of its boxes can be read.", name, source) for name in gone),
    ]
