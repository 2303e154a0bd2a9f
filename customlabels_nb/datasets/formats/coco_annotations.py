"""Reads the ``annotations`` of COCO files; see :mod:`customlabels_nb.datasets.formats.coco`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh, ratios_to_ltwh
from customlabels_nb.datasets.formats.coco_writing import CREATED
from customlabels_nb.datasets.formats.json_file import Findings, measured, number_or_none, shown
from customlabels_nb.datasets.formats.json_shapes import Polygon, area, as_boxes, as_polygon, plain_polygons

_RATIO_AT_MOST = 1 + 1e-6
_MOST_NAMED = 100
_AREA_APART = 0.05  # as a share: areas of masks differ a little from those of their outlines

_Floats: TypeAlias = npt.NDArray[np.float64]
_Bools: TypeAlias = npt.NDArray[np.bool_]
_Indices: TypeAlias = npt.NDArray[np.int64]


@dataclass
class Images:
    """The images in order: URI → size and licence; id in the file → number in that order; and when each was taken."""

    sizes: dict[str, tuple[int, int] | None]
    licences: dict[str, dict[str, str]]
    number_of: dict[Any, int]
    moments: list[datetime | None]


def read_annotations(
    entries: list[Any], images: Images, label_of: dict[Any, str], findings: Findings, *, known_pixels: bool
) -> pd.DataFrame:
    """The annotations table; what can't be read, or is read otherwise, becomes a finding.

    With ``known_pixels`` small boxes are no ratios.
    """
    places: Sequence[int] = range(len(entries))
    if not set(map(type, entries)) <= {dict}:
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                findings.unreadable(f"annotations[{number}]", f"It is {shown(entry)}, not an object.")
        places = [number for number, entry in enumerate(entries) if isinstance(entry, dict)]
        entries = [entries[number] for number in places]
    labels = list(dict.fromkeys(label_of.values()))
    position = {label: number for number, label in enumerate(labels)}
    category_of = {identity: position[label] for identity, label in label_of.items()}

    owners = _references(entries, "image_id", images.number_of, findings)
    categories = _references(entries, "category_id", category_of, findings)
    boxes, bad_boxes = as_boxes([entry.get("bbox") for entry in entries])
    scores = _scores(entries)
    polygons, squares, masks, keep = _outlines(entries, findings)
    for number in np.flatnonzero(bad_boxes | np.isnan(scores) | ~keep).tolist():
        what = "its only shape is a mask, or no polygon"
        if bad_boxes[number]:
            what = f"bbox is {shown(entries[number].get('bbox'))}"
        elif np.isnan(scores[number]):
            what = f"score is {shown(entries[number].get('score'))}, none from 0 to 1"
        findings.unreadable(f"annotations[{places[number]}]", f"It can't be read: {what}.")
    keep &= (owners >= 0) & (categories >= 0) & ~bad_boxes & ~np.isnan(scores)
    if masks:
        findings.adjusted("annotations", f"Masks are not held: {masks:,} annotations were read as their boxes.")
    for number in np.flatnonzero(np.isnan(boxes[:, 0])).tolist():
        if number in polygons:
            boxes[number] = polygon_to_ltwh(polygons[number])
    with np.errstate(over="ignore"):
        squares = np.where(np.isnan(squares), boxes[:, 2] * boxes[:, 3], squares)
    if known_pixels or not _are_ratios(boxes, owners, keep, images):
        _compare_areas(entries, squares, keep, findings)
    else:
        keep &= _pixels_of_ratios(boxes, polygons, owners, keep, images, findings)
    if not keep.any():
        return t.empty(t.ANNOTATION_COLUMNS)
    outlines = np.empty(len(entries), dtype=object)
    for number, polygon in polygons.items():
        outlines[number] = polygon
    names = pd.Series(list(images.sizes), dtype="str").array
    frame = pd.DataFrame({
        "image": names.take(owners[keep]),
        "label": pd.Series(labels, dtype="str").array.take(categories[keep]),
        **{side: boxes[keep, column] for column, side in enumerate(t.BOX_COLUMNS)},
        "polygon": pd.Series(outlines[keep], dtype=object),
        "crowd": np.array([entry.get("iscrowd") == 1 for entry in entries], dtype=bool)[keep],
        "confidence": scores[keep],
        "created": _moments(entries, owners, images.moments)[keep],
    })  # fmt: skip
    return t.normalise_annotations(frame)


def _references(entries: list[Any], key: str, known: dict[Any, int], findings: Findings) -> _Indices:
    """What each entry refers to, -1 where that isn't there: one finding for each id that is missing."""
    values = [entry.get(key) for entry in entries]
    if not set(map(type, values)) <= {int, str, float, bool, NoneType}:  # others can't be looked up
        values = [value if isinstance(value, int | str | float) else None for value in values]
    found = np.array([known.get(value, -1) for value in values], dtype=np.int64)
    what = key.removesuffix("_id")
    missing = Counter(shown(entries[number].get(key)) for number in np.flatnonzero(found < 0)).most_common()
    for value, count in missing[:_MOST_NAMED]:
        findings.unreadable("annotations", f"{count:,} of them have the {key} {value}, and no {what} of it was read.")
    if others := sum(count for _, count in missing[_MOST_NAMED:]):
        findings.unreadable("annotations", f"{others:,} more have other values of {key} of which no {what} was read.")
    return found


def _scores(entries: list[Any]) -> _Floats:
    """Confidences: 1 where there is no score, NaN where it is none from 0 to 1."""
    scores = [entry.get("score") for entry in entries]
    if scores.count(None) == len(scores):
        return np.ones(len(entries))
    numbers = [1.0 if score is None else number_or_none(score) for score in scores]
    result = np.array([np.nan if number is None else number for number in numbers])
    result[(result < 0) | (result > 1)] = np.nan
    return result


def _outlines(entries: list[Any], findings: Findings) -> tuple[dict[int, Polygon], _Floats, int, _Bools]:
    """Polygons by the number of their entry; areas, NaN without one; how many have a mask; and which can be read.

    An entry that has a shape, but none that is read and no box, can't.
    """
    shapes = {number: given for number, entry in enumerate(entries) if (given := entry.get("segmentation"))}
    polygons, found = plain_polygons(shapes)
    squares = np.full(len(entries), np.nan)
    squares[list(polygons)] = found
    masks = several = broken = 0
    readable = np.ones(len(entries), dtype=bool)
    for number in shapes.keys() - polygons.keys():
        entry, given = entries[number], shapes[number]
        if isinstance(given, dict):
            readable[number] = has_box = bool(entry.get("bbox"))
            masks += has_box
            continue
        polygon, parts = as_polygon(given)
        if polygon is not None:
            polygons[number] = polygon
            squares[number] = area(polygon)
            several += parts > 1
        elif parts:
            readable[number] = has_box = bool(entry.get("bbox"))
            broken += has_box
    if several:
        findings.adjusted("annotations", f"Of {several:,} outlines in several parts the largest part was read.")
    if broken:
        findings.adjusted("annotations", f"{broken:,} outlines are no polygons: the boxes alone were read.")
    return polygons, squares, masks, readable


def _sizes(images: Images) -> _Floats:
    """Width and height of each image, NaN where they aren't known."""
    sizes = [size or (np.nan, np.nan) for size in images.sizes.values()]
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _are_ratios(boxes: _Floats, owners: _Indices, keep: _Bools, images: Images) -> bool:
    """Whether all boxes of the file are ratios of the image's size, as some exporters write them."""
    boxed = np.flatnonzero(keep & ~np.isnan(boxes[:, 0]))
    values = boxes[boxed]
    if not len(boxed) or values.min() < 0 or not 0 < values.max() <= _RATIO_AT_MOST:
        return False
    return not bool((_sizes(images)[owners[boxed]] <= 1).any())


def _pixels_of_ratios(
    boxes: _Floats,
    polygons: dict[int, Polygon],
    owners: _Indices,
    keep: _Bools,
    images: Images,
    findings: Findings,
) -> _Bools:
    """Turn boxes that are ratios into pixels; which entries are usable then."""
    usable = np.ones(len(boxes), dtype=bool)
    boxed = np.flatnonzero(keep & ~np.isnan(boxes[:, 0]))
    values = boxes[boxed]
    names, sizes = list(images.sizes), _sizes(images)
    unknown = [number for number in np.unique(owners[boxed]).tolist() if np.isnan(sizes[number, 0])]
    for number, (uri, size) in zip(unknown, measured(names[n] for n in unknown), strict=True):
        if isinstance(size, str):
            findings.not_found(uri, f"Its boxes are ratios of its size, which isn't known, and were not read: {size}")
        else:
            sizes[number] = images.sizes[uri] = size
    boxes[boxed] = ratios_to_ltwh(values, sizes[owners[boxed]])
    usable[boxed] = ~np.isnan(boxes[boxed, 0])
    for number in set(boxed.tolist()) & polygons.keys():
        if usable[number] and max(map(max, polygons[number])) <= _RATIO_AT_MOST:
            width, height = sizes[owners[number]].tolist()
            polygons[number] = [[x * width, y * height] for x, y in polygons[number]]
    findings.adjusted("annotations", f"{len(boxed):,} boxes are ratios of the image's size; they became pixels.")
    return usable


def _compare_areas(entries: list[Any], found: _Floats, keep: _Bools, findings: Findings) -> None:
    """Say where the file has another area than the shape that was read: that of a mask, say, or of several parts."""
    values = [entry.get("area") for entry in entries]
    if not set(map(type, values)) <= {float, NoneType}:
        values = [number_or_none(value) for value in values]
    given = np.array(values, dtype=np.float64)  # NaN for None
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(given - found) > np.maximum(_AREA_APART * found, 1)
    if count := int((apart & keep).sum()):
        findings.adjusted("annotations", f"{count:,} of them have an area that is not that of their outline or box.")


def moment_or_none(text: object) -> datetime | None:
    """A date in UTC without zone, with any of the separators that are seen; None where there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace("/", "-"))
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _moments(entries: list[Any], owners: _Indices, of_images: list[datetime | None]) -> pd.DatetimeIndex:
    """When each was made: its own date, else its image's, else now."""
    now = datetime.now(UTC).replace(tzinfo=None)
    images = pd.DatetimeIndex([now if moment is None else moment for moment in of_images] or [now])
    moments = images.to_numpy(dtype="datetime64[us]")[owners]
    for number in [number for number, entry in enumerate(entries) if CREATED in entry]:
        if (moment := moment_or_none(entries[number][CREATED])) is not None:
            moments[number] = moment
    return pd.DatetimeIndex(moments).tz_localize("UTC")
