"""COCO: one JSON file of ``images``, ``annotations`` and ``categories`` (cocodataset.org, "Data format").

Written and read are boxes, polygons, crowds, scores as confidences, and labels of whole images as annotations without
``bbox``, as the labelling tool of Azure Machine Learning writes them. COCO can't tell an image on which nothing is from
one that nobody looked at: without annotations it is unlabelled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.formats.base import Contents, Format, ImageFinder
from customlabels_nb.formats.coco_writing import CREATED, INFO, PIXELS, UNIT, write_coco
from customlabels_nb.formats.json_file import (
    Findings,
    file_in,
    find_image,
    label_or_none,
    load_object,
    measured,
    number_or_none,
    outer_keys,
    pixel_size,
    shown,
    storable,
    unusable,
)
from customlabels_nb.formats.json_shapes import Polygon, as_boxes, as_polygon
from customlabels_nb.geometry import polygon_to_ltwh, ratios_to_ltwh
from customlabels_nb.images import to_uri

_FILE = "coco.json"
_NAMES = ("file_name", "coco_url", "flickr_url")
_RATIO_AT_MOST = 1 + 1e-6
_MOST_INFO, _INFO_TEXT = 50, 1000
_MOST_NAMED = 100

_Floats: TypeAlias = npt.NDArray[np.float64]
_Bools: TypeAlias = npt.NDArray[np.bool_]
_Indices: TypeAlias = npt.NDArray[np.int64]


@dataclass
class _Images:
    """The images in order, and the number of each in that order by its id in the file."""

    rows: dict[str, dict[str, Any]]
    number_of: dict[Any, int]
    moments: list[datetime | None]


def _recognise(path: Path) -> bool:
    keys, head = outer_keys(file_in(path, _FILE))
    arrays = {key for key, value in keys.items() if value == "["}
    if "images" in arrays:
        return bool(arrays & {"annotations", "categories"}) or any(f'"{key}"' in head for key in _NAMES)
    # a large file may show its first array only
    return ("annotations" in arrays and '"image_id"' in head) or ("categories" in arrays and '"name"' in head)


def _read(path: Path, finder: ImageFinder) -> Contents:
    path = file_in(path, _FILE)
    data = load_object(path)
    if not isinstance(data.get("images"), list):
        raise unusable(path, "it has no array 'images'")
    findings = Findings(to_uri(path))
    label_of = _read_categories(_array(data, "categories", findings), findings)
    images = _read_images(data["images"], finder, _licences(data), findings)
    info = _info(data)
    known_pixels = info.pop(UNIT, None) == PIXELS
    entries = _array(data, "annotations", findings)
    annotations = _read_annotations(entries, images, label_of, findings, known_pixels=known_pixels)
    frame = t.empty(t.IMAGE_COLUMNS)
    if images.rows:
        frame = t.normalise_images(pd.DataFrame(list(images.rows.values())))
    frame = t.settle_statuses(frame, annotations)
    if info:
        frame.attrs[INFO] = info
    return Contents(frame, annotations, list(dict.fromkeys(label_of.values())), findings.issues)


def _info(data: dict[str, Any]) -> dict[str, Any]:
    """What the file says of itself: texts, cut where they are very long, and numbers."""
    info = data.get("info")
    kept: dict[str, Any] = {}
    for key, value in info.items() if isinstance(info, dict) else ():
        usable = storable(value) if isinstance(value, str) else number_or_none(value) is not None
        if usable and storable(key) and len(kept) < _MOST_INFO:
            kept[key] = value[:_INFO_TEXT] if isinstance(value, str) else value
    return kept


def _array(data: dict[str, Any], key: str, findings: Findings) -> list[Any]:
    value = data.get(key)
    if isinstance(value, list):
        return value
    if value is not None:
        findings.unreadable(key, f"It is {shown(value)}, not an array.")
    return []


def _is_id(value: object) -> bool:
    return isinstance(value, int | str | float)


def _read_categories(entries: list[Any], findings: Findings) -> dict[Any, str]:
    label_of: dict[Any, str] = {}
    for number, entry in enumerate(entries):
        where = f"categories[{number}]"
        if not isinstance(entry, dict) or not _is_id(entry.get("id")):
            findings.unreadable(where, f"It has no id: {shown(entry)}.")
        elif entry["id"] in label_of:
            findings.unreadable(where, f"The id {shown(entry['id'])} is another category's already.")
        elif (label := label_or_none(entry.get("name"), findings, where)) is not None:
            if label in label_of.values():
                findings.adjusted(where, f"The name {label!r} is another category's, too; the two became one label.")
            label_of[entry["id"]] = label
    return label_of


def _licences(data: dict[str, Any]) -> dict[Any, dict[str, str]]:
    """Licence id → columns of the images that have it."""
    found = {}
    entries = data.get("licenses")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and _is_id(entry.get("id")):
            texts = {"license": entry.get("name"), "license_url": entry.get("url")}
            found[entry["id"]] = {k: v for k, v in texts.items() if isinstance(v, str) and v and storable(v)}
    return found


def _read_images(
    entries: list[Any], finder: ImageFinder, licences: dict[Any, dict[str, str]], findings: Findings
) -> _Images:
    result = _Images({}, {}, [])
    order: dict[str, int] = {}
    for number, entry in enumerate(entries):
        where = f"images[{number}]"
        if not isinstance(entry, dict) or not _is_id(identity := entry.get("id")):
            findings.unreadable(where, f"It has no id: {shown(entry)}.")
            continue
        if identity in result.number_of:
            findings.unreadable(where, f"The id {shown(identity)} is another image's already.")
            continue
        names = [name for key in _NAMES if isinstance(name := entry.get(key), str) and name]
        try:
            uri = find_image(finder, *names)
        except ValueError as error:
            findings.unreadable(where, str(error))
            continue
        if uri in order:
            findings.adjusted(where, f"The file {names[0]!r} is named twice; the two entries became one image.")
            result.number_of[identity] = order[uri]
            continue
        size = pixel_size(entry)
        if size is None and (entry.get("width") or entry.get("height")):
            given = f"{shown(entry.get('width'))} × {shown(entry.get('height'))}"
            findings.adjusted(where, f"Its size {given} is none and was left open.")
        width, height = size or (None, None)
        licence = licences.get(entry.get("license"), {}) if _is_id(entry.get("license")) else {}
        result.rows[uri] = {"image": uri, "width": width, "height": height, **licence}
        result.number_of[identity] = order[uri] = len(order)
        result.moments.append(_moment(entry.get("date_captured")))
    return result


def _read_annotations(
    entries: list[Any], images: _Images, label_of: dict[Any, str], findings: Findings, *, known_pixels: bool
) -> pd.DataFrame:
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            findings.unreadable(f"annotations[{number}]", f"It is {shown(entry)}, not an object.")
    places = [number for number, entry in enumerate(entries) if isinstance(entry, dict)]
    entries = entries if len(places) == len(entries) else [entries[number] for number in places]
    labels = list(dict.fromkeys(label_of.values()))
    position = {label: number for number, label in enumerate(labels)}
    category_of = {identity: position[label] for identity, label in label_of.items()}

    owners = _references(entries, "image_id", images.number_of, findings)
    categories = _references(entries, "category_id", category_of, findings)
    boxes, bad_boxes = as_boxes([entry.get("bbox") for entry in entries])
    scores = _scores(entries)
    polygons, masks, keep = _outlines(entries, findings)
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
    for number, polygon in polygons.items():
        if np.isnan(boxes[number, 0]):
            boxes[number] = polygon_to_ltwh(polygon)
    if not known_pixels:
        keep &= _pixels_of_ratios(boxes, polygons, owners, keep, images, findings)
    if not keep.any():
        return t.empty(t.ANNOTATION_COLUMNS)
    outlines = np.empty(len(entries), dtype=object)
    for number, polygon in polygons.items():
        outlines[number] = polygon
    names = pd.Series(list(images.rows), dtype="str").array
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
    found = np.fromiter(
        (known.get(value, -1) if isinstance(value := entry.get(key), int | str | float) else -1 for entry in entries),
        dtype=np.int64,
        count=len(entries),
    )
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
    if all(score is None for score in scores):
        return np.ones(len(entries))
    numbers = [1.0 if score is None else number_or_none(score) for score in scores]
    result = np.array([np.nan if number is None else number for number in numbers])
    result[(result < 0) | (result > 1)] = np.nan
    return result


def _outlines(entries: list[Any], findings: Findings) -> tuple[dict[int, Polygon], int, _Bools]:
    """Polygons by the number of their entry; how many entries have a mask; and which can be read.

    An entry that has a shape, but none that is read and no box, can't.
    """
    polygons: dict[int, Polygon] = {}
    masks = several = broken = 0
    readable = np.ones(len(entries), dtype=bool)
    for number, entry in enumerate(entries):
        given = entry.get("segmentation")
        if not given:
            continue
        if isinstance(given, dict):
            readable[number] = has_box = bool(entry.get("bbox"))
            masks += has_box
            continue
        polygon, parts = as_polygon(given)
        if polygon is not None:
            polygons[number] = polygon
            several += parts > 1
        elif parts:
            readable[number] = has_box = bool(entry.get("bbox"))
            broken += has_box
    if several:
        findings.adjusted("annotations", f"Of {several:,} outlines in several parts the largest part was read.")
    if broken:
        findings.adjusted("annotations", f"{broken:,} outlines are no polygons: the boxes alone were read.")
    return polygons, masks, readable


def _pixels_of_ratios(
    boxes: _Floats,
    polygons: dict[int, Polygon],
    owners: _Indices,
    keep: _Bools,
    images: _Images,
    findings: Findings,
) -> _Bools:
    """Turn boxes into pixels where all of the file are ratios of the image's size; which entries are usable then."""
    usable = np.ones(len(boxes), dtype=bool)
    boxed = np.flatnonzero(keep & ~np.isnan(boxes[:, 0]))
    values = boxes[boxed]
    if not len(boxed) or values.min() < 0 or not 0 < values.max() <= _RATIO_AT_MOST:
        return usable
    rows = list(images.rows.values())
    sizes = np.array([(row["width"] or np.nan, row["height"] or np.nan) for row in rows], dtype=np.float64)
    if (sizes[owners[boxed]] <= 1).any():
        return usable
    unknown = [number for number in np.unique(owners[boxed]).tolist() if np.isnan(sizes[number, 0])]
    for number, (uri, size) in zip(unknown, measured(rows[n]["image"] for n in unknown), strict=True):
        if isinstance(size, str):
            findings.not_found(uri, f"Its boxes are ratios of its size, which isn't known, and were not read: {size}")
        else:
            sizes[number] = rows[number]["width"], rows[number]["height"] = size
    boxes[boxed] = ratios_to_ltwh(values, sizes[owners[boxed]])
    usable[boxed] = ~np.isnan(boxes[boxed, 0])
    for number in set(boxed.tolist()) & polygons.keys():
        if usable[number] and max(map(max, polygons[number])) <= _RATIO_AT_MOST:
            width, height = sizes[owners[number]].tolist()
            polygons[number] = [[x * width, y * height] for x, y in polygons[number]]
    findings.adjusted("annotations", f"{len(boxed):,} boxes are ratios of the image's size; they became pixels.")
    return usable


def _moment(text: object) -> datetime | None:
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
    now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
    images = np.array([now if moment is None else moment for moment in of_images] or [now], dtype="datetime64[us]")
    moments = images[owners]
    for number, entry in enumerate(entries):
        if CREATED in entry and (moment := _moment(entry[CREATED])) is not None:
            moments[number] = moment
    return pd.DatetimeIndex(moments).tz_localize("UTC")


def _write(contents: Contents, path: Path) -> list[Path]:
    path = file_in(path, _FILE)
    write_coco(contents, path)
    return [path]


FORMAT = Format(
    name="coco",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=frozenset({
        "image_labels", "boxes", "polygons", "crowd", "confidence", "created", "unlabelled", "label_order", "size",
    }),
)  # fmt: skip
