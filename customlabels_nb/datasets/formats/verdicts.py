"""Judge boxes and outlines against the size of their image, by one rule for all formats except manifests.

A verdict is the first one that applies, for boxes in pixels, ratios or percent of the image size:

========== =========================================================================================================
RATIOS     All boxes are numbers between 0 and 1, although pixels are expected. They are converted.
CORNERS    Some boxes extend beyond their image by more than a tenth of it, and all fit as two corners. Converted.
PIXELS     The box is far beyond its image as ratios or percent, and fits as pixels. It is converted.
UNREADABLE The box is far beyond its image (by more than half of its size), or outside it. It is left out and counted.
BEYOND     The box extends beyond its image. It is kept.
FINE       The box is within its image, up to rounding, or the size of the image is unknown.
========== =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import like_ratios
from customlabels_nb.core.geometry import FloatArray, iou_of_pairs, ltwh_to_xyxy, ratios_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
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
    """What a box is, given the size of its image."""

    FINE = 0
    BEYOND = 1
    RATIOS = 2
    PIXELS = 3
    CORNERS = 4
    UNREADABLE = 5


class VerdictMessage(NamedTuple):
    """Message about all rows with a verdict, and the first of them."""

    verdict: Verdict
    message: str
    first: int


@dataclass(frozen=True)
class Judged:
    """Boxes in pixels, shape (n, 4), with their verdicts, and how they were ``given`` in which ``unit``.

    ``scale`` has the pixels of one unit for each box, shape (n, 2), and ``odd`` marks numbers that are no such unit.
    """

    boxes: FloatArray
    verdicts: npt.NDArray[np.int8]
    scale: FloatArray
    given: FloatArray
    sizes: FloatArray
    unit: Unit
    odd: _Bools

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
            rows = self.rows(verdict)
            if verdict == Verdict.BEYOND:  # an object at the edge of its image is ordinary
                rows = [row for row in rows if self.odd[row]]
            if rows:
                width, height = self.sizes[rows[0]]
                words = {
                    "given": text_of(self.given[rows[0]]),
                    "box": text_of(self.boxes[rows[0]]),
                    "image": f"an image of {width:g} × {height:g} pixels",
                    "unit": self.unit,
                    "in_unit": "" if self.unit == "pixels" else f" ({self.unit})",
                }
                yield VerdictMessage(verdict, text.format(count=len(rows), **words), rows[0])


_TEXTS = {
    Verdict.RATIOS: "{count:,} × box in ratios of the image size was converted to pixels, such as {given}, which was "
    "read as {box}.",
    Verdict.PIXELS: "{count:,} × box or polygon in pixels instead of {unit} of the image size was read as such, for "
    "example {given} in {image}.",
    Verdict.CORNERS: "{count:,} × box was read as two corners, because all boxes fit their images only so, for "
    "example {given} in {image}, which was read as {box}. Correct the file if that is wrong.",
    Verdict.BEYOND: "{count:,} × box or polygon with numbers beyond {unit} of the image size was read as beyond the "
    "image, for example {given}. Correct it in the file.",
    Verdict.UNREADABLE: "{count:,} × box or polygon far beyond its image was left out, for example {given}{in_unit} in "
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
    verdicts, given = np.where(drawn & ratios, Verdict.RATIOS, Verdict.FINE).astype(np.int8), boxes
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        excess, outside = _excess(boxes if unit == "pixels" and not ratios else boxes * np.tile(one, 2), sizes)
        verdicts[(excess > ROUNDING) & (verdicts == Verdict.FINE)] = Verdict.BEYOND
        verdicts[far := (excess > _FAR) | outside] = Verdict.UNREADABLE
        if unit != "pixels":
            verdicts[_are_pixels(boxes, written, sizes, far, unit)] = Verdict.PIXELS
        if corners and (excess > _PLAUSIBLE).any() and not (verdicts == Verdict.PIXELS).any():
            as_corners = xyxy_to_ltwh(written)
            if (_fit(as_corners * np.tile(one, 2), sizes) & (as_corners[:, 2:] > 0).all(axis=1))[drawn].all():
                boxes, verdicts = as_corners, np.where(drawn, np.int8(Verdict.CORNERS), verdicts)
        odd = (written > 1 + ROUNDING).any(axis=1) | (written < -ROUNDING).any(axis=1) if unit == "ratios" else outside
        if unit == "pixels" and not ratios:
            return Judged(boxes, verdicts, one, given, sizes, unit, np.asarray(odd))
        scale = np.where((verdicts == Verdict.PIXELS)[:, None], 1.0, one)
        return Judged(boxes * np.tile(scale, 2), verdicts, scale, given, sizes, unit, np.asarray(odd))


def _are_pixels(boxes: FloatArray, written: FloatArray, sizes: FloatArray, far: _Bools, unit: Unit) -> _Bools:
    """Return a mask of boxes that are pixels instead of ratios or percent. Small numbers of percent may be both."""
    if unit == "ratios":
        large = (written.max(axis=1) > _FEWEST_PIXELS) & (boxes[:, 2:] >= 1).all(axis=1)
        return np.asarray(far & large & _fit(boxes, sizes))
    drawn = ~np.isnan(boxes[:, 0])
    mostly = (_excess(boxes / 100, np.ones_like(sizes))[0][drawn] > _PLAUSIBLE).sum() * 2 > drawn.sum()
    return np.asarray(drawn & (mostly and _fit(boxes, sizes, _PLAUSIBLE)[drawn].all()))


def are_ratios(boxes: FloatArray) -> bool:
    """Check whether all boxes are between 0 and 1, and some are not whole numbers, so that they are no pixels."""
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


@dataclass(frozen=True)
class Settled:
    """Annotations in pixels, which rows were kept, images of unknown size with the reason, and what is to be said."""

    annotations: pd.DataFrame
    keep: _Bools
    unknown: dict[str, str]
    findings: list[VerdictMessage]


def settle(annotations: pd.DataFrame, sizes: dict[str, _Size | None], *, judged: bool = True) -> Settled:
    """Judge the boxes and polygons of a table, and convert or leave out what is not in pixels of the image.

    ``sizes`` are those known, to which others that are needed are added. Without ``judged``, only ratios are converted.
    """
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64, copy=True)
    names, drawn, polygons = annotations["image"], ~np.isnan(boxes[:, 0]), annotations["polygon"].tolist()
    ratios = are_ratios(boxes)
    unknown = fill_sizes(sizes, names[drawn].unique()) if ratios else {}
    if judged and not ratios:
        _measure_some(sizes, names[drawn], ltwh_to_xyxy(boxes[drawn])[:, 2:].max(axis=1, initial=0))
    of_rows = np.array([sizes.get(name) or (np.nan, np.nan) for name in names], np.float64).reshape(-1, 2)
    plain = all(polygon is None for polygon in polygons)
    result = judge(boxes, of_rows, corners=plain and judged)
    broken, about = _broken_polygons(polygons)
    findings = [each for each in (*result.findings(), *about) if judged or each.verdict == Verdict.RATIOS]
    if not ratios:
        findings += _tiny_boxes(boxes)
    if not findings:
        return Settled(annotations, np.ones(len(boxes), dtype=bool), {}, [])
    keep = ~drawn | ~np.isnan(result.boxes[:, 0])
    if judged:
        keep &= result.keep & ~broken
    table = annotations.assign(
        **{side: result.boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
        polygon=pd.Series(_scaled(polygons, result, keep), index=annotations.index, dtype=object),
    )
    return Settled(table[keep].reset_index(drop=True), keep, unknown, findings)


def _broken_polygons(polygons: Sequence[Polygon | None]) -> tuple[_Bools, list[VerdictMessage]]:
    """Return a mask of the polygons with rings of fewer than three points or others than numbers, and a message."""
    broken: _Bools = np.zeros(len(polygons), dtype=bool)
    for row, polygon in enumerate(polygons):
        broken[row] = any(len(ring) < 3 or not np.isfinite(ring).all() for ring in rings_of(polygon))
    if not broken.any():
        return broken, []
    first = int(broken.argmax())
    message = f"{broken.sum():,} × polygon without three finite points was left out, such as {polygons[first]}."
    return broken, [VerdictMessage(Verdict.UNREADABLE, message[:400], first)]


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


def in_pixels(
    images: pd.DataFrame, annotations: pd.DataFrame, source: str, *, judged: bool = True
) -> tuple[pd.DataFrame, list[Issue]]:
    """Return the annotations with boxes in pixels, as :func:`settle` does, and issues.

    The sizes are in the images table, or are read from the images. An image that loses all its annotations has an issue
    IMAGE_NOT_LISTED, because it is not empty.
    """
    with_size = images.reindex(columns=["image", *_SIZE]).dropna()
    sizes: dict[str, _Size | None] = {image: (*size,) for image, *size in with_size.itertuples(index=False)}
    result = settle(annotations, sizes, judged=judged)
    names = annotations["image"]
    issues = [Issue("IMAGE_NOT_LISTED", message, image, source) for image, message in result.unknown.items()]
    gone = names[~result.keep & ~t.is_among(names, [*result.annotations["image"], *result.unknown])].unique()
    issues += [Issue("IMAGE_NOT_LISTED", "None of its boxes can be read.", image, source) for image in gone]
    for verdict, message, first in result.findings:
        code = "ENTRY_UNREADABLE" if verdict == Verdict.UNREADABLE else "ENTRY_ADJUSTED"
        issues.append(Issue(code, message, names.iloc[first], source))
    return result.annotations, issues
