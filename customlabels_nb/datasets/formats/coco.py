"""Read and write COCO files: one JSON file of ``images``, ``annotations`` and ``categories``.

The format is documented on cocodataset.org under "Data format". Boxes, polygons, crowds, scores (as confidences) and
image-level labels are read and written. Image-level labels are annotations without ``bbox``, as in Azure Machine
Learning's labelling tool. COCO cannot distinguish an image without objects from one that was not reviewed, so an image
without annotations is unlabelled. Licences are stored in columns of the images table, ``info`` and supercategories in
its ``attrs``. The writer computes ``area`` from the polygon or box. The reader reports annotations whose area differs,
and boxes without area or that contradict their polygon. Other keys, such as keypoints, are counted and not imported.
COCO results, an array of predictions with scores, are read with the images and categories of the COCO file ``truth``.

Masks (run-length encodings, compressed or not) are read as polygons along the edges of their pixels. The writer stores
polygons with holes as masks, with their points in an additional key ``rings``, from which they are read again.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from os import PathLike
from pathlib import Path, PurePath
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import like_ratios
from customlabels_nb.core.geometry import polygon_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.masks import (
    MOST_EDGES,
    MOST_PIXELS,
    OutlineTooLongError,
    areas_of_masks,
    as_rle,
    parts_overlap,
    polygon_to_rle,
    rle_to_polygon,
    union,
)
from customlabels_nb.core.polygons import Polygon, Ring, area, polygon_of, ring_area, rings_of
from customlabels_nb.datasets.formats.account import NUMBER, TAKEN, TEXT, Account, Ignored, Record, Taken
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder, Notes
from customlabels_nb.datasets.formats.entries import MOMENT, finite, listed_name, moment_or_none
from customlabels_nb.datasets.formats.json_file import (
    Findings,
    as_boxes,
    as_list,
    as_rings,
    file_in,
    find_image,
    label_or_none,
    load,
    number_or_none,
    outer_keys,
    plain_polygons,
    shown,
    size_of,
    unusable,
    write_array,
)
from customlabels_nb.datasets.formats.verdicts import (
    APART,
    BOX_OF_POLYGON,
    POLYGON_IN_RATIOS,
    ROUNDING,
    Judged,
    Verdict,
    are_ratios,
    contradictions,
    far_polygons,
    fill_sizes,
    judge,
    scaled_polygon,
    without_zeros,
)
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import local_path, to_uri

#: Key and value in ``info`` that mark boxes as pixels, so that small boxes are not mistaken for ratios.
_UNIT, _PIXELS = "bbox_unit", "pixel"
#: Key of the file's ``info`` in the ``attrs`` of an images table.
_INFO = "coco_info"
#: Key of each label's supercategory in the same ``attrs``.
_SUPERCATEGORIES = "coco_supercategories"
#: Columns of the images table with the name and URL of the licence.
_LICENCE = ("license", "license_url")
_NAMES = ("file_name", "coco_url", "flickr_url")
_AN_ID = (int, str, float)
#: Key of the rings of an annotation that is written as a mask.
_RINGS = "rings"
#: Key of an annotation's date, written if it differs from the image's ``date_captured``.
_CREATED = "created"

_RECORD = Record(
    "the file",
    {
        "info": TAKEN,
        "type": Ignored("the task of files from before 2015"),
        "licenses": Record("a licence", {"id": TAKEN, "name": TEXT, "url": TEXT}),
        "categories": Record("a category", {"id": TAKEN, "name": TAKEN, "supercategory": TEXT}),
        "images": Record(
            "an image",
            {
                **dict.fromkeys(("id", "width", "height"), TAKEN),
                **dict.fromkeys(_NAMES, TEXT),
                "license": Taken(lambda value: isinstance(value, _AN_ID), "id"),
                "date_captured": Taken(lambda value: value == 0 or MOMENT.accepted(value), "date"),  # 0 by CVAT
                "extra": Ignored("names before an export"),
            },
        ),
        "annotations": Record(
            "an annotation",
            {
                **dict.fromkeys(("image_id", "category_id", "bbox", "segmentation", "iscrowd", "score", _RINGS), TAKEN),
                "area": NUMBER,
                _CREATED: MOMENT,
                "id": Ignored("nothing refers to annotations"),
                "num_keypoints": Ignored("the keypoints are counted"),
            },
        ),
    },
)
_MASK = Record("a mask", {"size": TAKEN, "counts": TAKEN})

#: Shapes that are not read, or only in part.
_FAULTS = {
    "lost": ("polygon has", "polygons have", "parts that are not polygons. They were left out."),
    "cut": (
        "polygon has",
        "polygons have",
        "parts that overlap and are too large to be united. Only the largest part was read.",
    ),
    "long": (
        "mask has",
        "masks have",
        f"an outline of more than {MOST_EDGES:,} pixel edges, {{such}}. Only the boxes were read.",
    ),
    "resized": (
        "mask has",
        "masks have",
        "another size than the image, {such}, and was left out. Convert the masks to the sizes of the images.",
    ),
    "broken": ("segmentation is", "segmentations are", "neither polygon nor mask. Only the boxes were read."),
}
_Licence: TypeAlias = tuple[str, str]
_Moments: TypeAlias = npt.NDArray[np.datetime64]
_FILE = "coco.json"
_MOST_INFO, _INFO_TEXT = 50, 1000
_MOST_NAMED = 100
_AREA_APART = 0.05  # relative difference: masks and their polygons differ slightly in area

_Floats: TypeAlias = npt.NDArray[np.float64]
_Bools: TypeAlias = npt.NDArray[np.bool_]
_Indices: TypeAlias = npt.NDArray[np.int64]
#: Reasons why entries cannot be read, each with a mask of the entries to which it applies.
_Faults: TypeAlias = dict[str, _Bools]


def _recognise(path: Path) -> bool:
    keys, head = outer_keys(file_in(path, _FILE))
    arrays = {key for key, value in keys.items() if value == "["}
    if '"caption"' in head and '"category_id"' not in head:
        return False
    if "images" in arrays:
        return bool(arrays & {"annotations", "categories"}) or any(f'"{key}"' in head for key in _NAMES)
    # the start of a large file may contain only its first array
    return ("annotations" in arrays and '"image_id"' in head) or ("categories" in arrays and '"name"' in head)


# -- reading ----------------------------------------------------------------------------------------


def _read(path: Path, finder: ImageFinder, *, truth: str | PathLike[str] | None = None) -> Contents:
    """Read a COCO file, or COCO results, whose images and categories are those of the COCO file ``truth``."""
    results, path = path, file_in(path if truth is None else local_path(truth, "truth"), _FILE)
    data = load(path, dict)
    if not isinstance(data.get("images"), list):
        raise unusable(path, "it has no array 'images'")
    if any("segments_info" in entry for entry in as_list(data.get("annotations"))[:1] if isinstance(entry, dict)):
        raise unusable(path, "it is of COCO's panoptic task, whose shapes are in PNG files. Read instances_*.json")
    if truth is not None:
        data = {**data, "annotations": _of_images(load(results, list), data["images"])}
    findings, others = Findings(to_uri(path if truth is None else results)), Account()
    label_of = _read_categories(_array(data, "categories", findings), findings)
    names = (
        entry["file_name"]
        for entry in data["images"]
        if isinstance(entry, dict) and isinstance(entry.get("file_name"), str)
    )
    finder.look_in(names, _image_folders(path) if truth is None else [path.parent, *_image_folders(path)])
    images = _read_images(data["images"], finder, _licences(data), findings)
    info = _info(data, others)
    known_pixels = info.pop(_UNIT, None) == _PIXELS
    entries = _array(data, "annotations", findings)
    _count_others(data, entries, others)
    annotations = _read_annotations(entries, images, label_of, findings, known_pixels=known_pixels)
    frame, issues = t.settle_statuses(_images_table(images), annotations), findings.issues
    if not known_pixels:
        frame, annotations, zeros = without_zeros(frame, annotations, to_uri(path))
        issues += zeros
    above = _supercategories(data, label_of)
    frame.attrs |= {key: Notes(notes) for key, notes in ((_INFO, info), (_SUPERCATEGORIES, above)) if notes}
    issues += others.issues(to_uri(path))
    return Contents(frame, annotations, list(dict.fromkeys(label_of.values())), issues, taken={to_uri(path)})


def _of_images(results: list[Any], images: list[Any]) -> list[Any]:
    """Return results with the ids of the images, for which Ultralytics writes their names without the extension."""
    entries = [entry for entry in images if isinstance(entry, dict) and isinstance(entry.get("id"), _AN_ID)]
    ids = {entry["id"] for entry in entries}
    id_of = {PurePath(name).stem: entry["id"] for entry in entries if isinstance(name := entry.get("file_name"), str)}
    return [
        {**result, "image_id": id_of[name]}
        if isinstance(result, dict) and isinstance(name := result.get("image_id"), str) and name in id_of.keys() - ids
        else result
        for result in results
    ]


def _count_others(data: dict[str, Any], entries: list[Any], others: Account) -> None:
    """Count what the file has and the reader does not import."""
    others.record(data, _RECORD, "")
    for entry in as_list(data.get("licenses")):
        if not isinstance(entry, dict):
            others.add("licence", "licenses", value=entry)
    shapes = [entry.get("segmentation") for entry in entries if isinstance(entry, dict)]
    masks = [shape for shape in shapes if isinstance(shape, dict)]
    others.records(masks, _MASK, ["annotations"] * len(masks))


def _info(data: dict[str, Any], others: Account) -> dict[str, Any]:
    """Return the numbers and strings in the file's ``info``, truncating long strings."""
    info = data.get("info")
    kept: dict[str, Any] = {}
    for key, value in info.items() if isinstance(info, dict) else ():
        usable = t.storable(value) if isinstance(value, str) else number_or_none(value) is not None
        if usable and t.storable(key) and len(kept) < _MOST_INFO:
            kept[key] = value[:_INFO_TEXT] if isinstance(value, str) else value
        elif value:
            others.add("value of the key 'info' of the file", f"info.{key[:_INFO_TEXT]}", value=value)
    return kept


def _supercategories(data: dict[str, Any], label_of: dict[Any, str]) -> dict[str, str]:
    """Map labels to their supercategories, ignoring supercategories that are not valid strings."""
    return {
        label_of[entry["id"]]: above[:_INFO_TEXT]
        for entry in as_list(data.get("categories"))
        if isinstance(entry, dict) and isinstance(entry.get("id"), _AN_ID) and entry["id"] in label_of
        and isinstance(above := entry.get("supercategory"), str) and above and t.storable(above)
    }  # fmt: skip


def _array(data: dict[str, Any], key: str, findings: Findings) -> list[Any]:
    value = data.get(key)
    if isinstance(value, list):
        return value
    if value is not None:
        findings.unreadable(key, f"It is {shown(value)}, not an array.")
    return []


def _read_categories(entries: list[Any], findings: Findings) -> dict[Any, str]:
    label_of: dict[Any, str] = {}
    for number, entry in enumerate(entries):
        where = f"categories[{number}]"
        try:
            identity = _new_id(entry, label_of, "category")
        except ValueError as error:
            findings.unreadable(where, str(error))
            continue
        if type(name := entry.get("name")) in (int, float):
            findings.adjusted(where, f"The name {name!r} is a number. It was read as the label {str(name)!r}.")
            name = str(name)
        if (label := label_or_none(name, findings, where)) is not None:
            if label in label_of.values():
                findings.adjusted(
                    where, f"The name {label!r} is used by another category. Both were merged into one label."
                )
            label_of[identity] = label
    return label_of


def _new_id(entry: Any, known: Mapping[Any, object], what: str) -> Any:
    """Return the id of an entry, or raise ValueError if it has none or an earlier entry has the same."""
    if not isinstance(entry, dict) or not isinstance(identity := entry.get("id"), _AN_ID):
        raise ValueError(f"It has no id: {shown(entry)}.")
    if identity in known:
        raise ValueError(f"The id {shown(identity)} is already used by another {what}.")
    return identity


def _licences(data: dict[str, Any]) -> dict[Any, dict[str, str]]:
    """Map each licence id to the values of the licence columns."""
    licences = {}
    for entry in as_list(data.get("licenses")):
        if isinstance(entry, dict) and isinstance(entry.get("id"), _AN_ID):
            texts = {"license": entry.get("name"), "license_url": entry.get("url")}
            licences[entry["id"]] = {k: v for k, v in texts.items() if isinstance(v, str) and v and t.storable(v)}
    return licences


def _images_table(images: _Images) -> pd.DataFrame:
    if not images.sizes:
        return t.empty(t.IMAGE_COLUMNS)
    sides = list(zip(*(size or (None, None) for size in images.sizes.values()), strict=True))
    frame = pd.DataFrame({"image": list(images.sizes), "width": pd.array(sides[0], "Int64")})
    frame["height"] = pd.array(sides[1], "Int64")
    for name in _LICENCE:
        if any(name in licence for licence in images.licences.values()):
            frame[name] = [images.licences.get(uri, {}).get(name) for uri in images.sizes]
    return t.normalise_images(frame)


def _image_folders(path: Path) -> list[Path]:
    """Return the folders in which programs put the images of an annotation file, if not beside it."""
    stem = path.stem.removeprefix("instances_")
    tops = [path.parent, path.parent.parent] if path.parent.name.lower() == "annotations" else [path.parent]
    names = ("images", "data", stem, path.stem, f"images/{stem}")
    return [top / name for top in tops for name in names] + tops[1:]


def _read_images(
    entries: list[Any], finder: ImageFinder, licences: dict[Any, dict[str, str]], findings: Findings
) -> _Images:
    result = _Images({}, {}, {}, [])
    order: dict[str, int] = {}
    for number, entry in enumerate(entries):
        where = f"images[{number}]"
        try:
            identity = _new_id(entry, result.number_of, "image")
            names = [name for key in _NAMES if isinstance(name := entry.get(key), str) and name]
            uri = find_image(finder, *names)
        except ValueError as error:
            findings.unreadable(where, str(error))
            continue
        if uri in order:
            findings.adjusted(where, f"The file {names[0]!r} is listed twice. Both entries were merged into one image.")
            result.number_of[identity] = order[uri]
            continue
        result.sizes[uri] = size = size_of(width := entry.get("width"), height := entry.get("height"))
        if size is None and (width or height):
            findings.adjusted(where, f"Its size {shown(width)} × {shown(height)} is invalid and was ignored.")
        if isinstance(licence := entry.get("license"), _AN_ID) and licence in licences:
            result.licences[uri] = licences[licence]
        result.number_of[identity] = order[uri] = len(order)
        result.moments.append(moment_or_none(entry.get("date_captured")))
    return result


@dataclass
class _Images:
    """Images in file order: sizes and licences by URI, positions by id in the file, and dates."""

    sizes: dict[str, tuple[int, int] | None]
    licences: dict[str, dict[str, str]]
    number_of: dict[Any, int]
    moments: list[datetime | None]


def _read_annotations(
    entries: list[Any], images: _Images, label_of: dict[Any, str], findings: Findings, *, known_pixels: bool
) -> pd.DataFrame:
    """Build the annotations table and findings. With ``known_pixels``, small boxes are not mistaken for ratios."""
    entries, places = _objects(entries, findings)
    labels = list(dict.fromkeys(label_of.values()))
    position = {label: number for number, label in enumerate(labels)}
    category_of = {identity: position[label] for identity, label in label_of.items()}

    owners = _references(entries, "image_id", images.number_of, findings)
    categories = _references(entries, "category_id", category_of, findings)
    boxes, bad_boxes = as_boxes([entry.get("bbox") for entry in entries])
    scores = _scores(entries)
    sizes = [*images.sizes.values(), None]  # the last one is of owners that are not there
    polygons, squares, bounds, readable = _outlines(entries, lambda number: sizes[owners[number]], findings)
    if not known_pixels:
        drawn = np.flatnonzero((owners >= 0) & ~np.isnan(boxes[:, 0]) & ~np.isnan(bounds[:, 0]))
        far, about_far = far_polygons(boxes[drawn], bounds[drawn], _sizes(images)[owners[drawn]])
        for number in drawn[far].tolist():
            del polygons[number]
            squares[number] = bounds[number] = np.nan
        if far:
            findings.adjusted(f"annotations[{places[drawn[far[0]]]}]", about_far)
    faults: _Faults = {  # the first one is reported
        "bbox is {bbox}": bad_boxes,
        "score is {score}, which is not between 0 and 1": np.isnan(scores),
        "its only shape is an invalid polygon or mask": ~readable,
    }
    keep = (owners >= 0) & (categories >= 0) & ~_faulty(entries, places, faults, findings)
    boxes = np.where(np.isnan(boxes), bounds, boxes)
    doubts = _Doubts(entries, places, boxes, findings)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.flatnonzero(keep & (np.abs(boxes - bounds).max(axis=1) > APART))
    doubts.compare(apart, bounds, squares, polygons, _sizes(images)[owners[apart]])
    with np.errstate(over="ignore"):
        squares = np.where(np.isnan(squares), boxes[:, 2] * boxes[:, 3], squares)
    if not keep.any():
        return t.empty(t.ANNOTATION_COLUMNS)
    as_given = keep
    if not known_pixels:
        judged = _judge(np.where(keep[:, None], boxes, np.nan), polygons, owners, images, findings)
        for verdict, message, first in judged.findings():
            say = findings.unreadable if verdict == Verdict.UNREADABLE else findings.adjusted
            say(f"annotations[{places[first]}]", message)
        as_given = keep & (judged.verdicts <= Verdict.BEYOND)
        doubts.report(as_given)
        keep &= judged.keep & (np.isnan(boxes[:, 0]) | ~np.isnan(judged.boxes[:, 0]))
        boxes = judged.boxes
    _compare_areas(entries, squares, as_given, findings)
    names = pd.Series(list(images.sizes), dtype=t.TEXT).array
    frame = pd.DataFrame({
        "image": names.take(owners[keep]),
        "label": pd.Series(labels, dtype=t.TEXT).array.take(categories[keep]),
        **{side: boxes[keep, column] for column, side in enumerate(t.BOX_COLUMNS)},
        "polygon": pd.Series([polygons.get(number) for number in np.flatnonzero(keep).tolist()], dtype=object),
        "crowd": _crowds(entries, places, findings)[keep],
        "confidence": scores[keep],
        "created": _moments(entries, owners, images.moments)[keep],
    })  # fmt: skip
    return t.normalise_annotations(frame)


def _objects(entries: list[Any], findings: Findings) -> tuple[list[dict[str, Any]], Sequence[int]]:
    """Return the entries that are objects, and their places in the file, after reporting the others."""
    if set(map(type, entries)) <= {dict}:
        return entries, range(len(entries))
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            findings.unreadable(f"annotations[{number}]", f"It is {shown(entry)}, not an object.")
    places = [number for number, entry in enumerate(entries) if isinstance(entry, dict)]
    return [entries[number] for number in places], places


def _faulty(entries: list[dict[str, Any]], places: Sequence[int], faults: _Faults, findings: Findings) -> _Bools:
    """Return a mask of the entries with a fault, after reporting the first fault of each."""
    faulty: _Bools = np.logical_or.reduce(list(faults.values()))
    for number in np.flatnonzero(faulty).tolist():
        fault = next(fault for fault, entries_with in faults.items() if entries_with[number])
        what = fault.format_map({key: shown(entries[number].get(key)) for key in ("bbox", "score")})
        findings.unreadable(f"annotations[{places[number]}]", f"It cannot be read: {what}.")
    return faulty


def _references(entries: list[Any], key: str, indices_by_id: dict[Any, int], findings: Findings) -> _Indices:
    """Look up the index of the item that each entry refers to, or -1, adding a finding for each unknown id."""
    values = [entry.get(key) for entry in entries]
    if not set(map(type, values)) <= {int, str, float, bool, NoneType}:  # other types may not be hashable
        values = [value if isinstance(value, int | str | float) else None for value in values]
    indices = np.array([indices_by_id.get(value, -1) for value in values], dtype=np.int64)
    what = key.removesuffix("_id")
    _match_other_forms(values, indices, indices_by_id, key, findings)
    missing = Counter(shown(entries[number].get(key)) for number in np.flatnonzero(indices < 0)).most_common()
    for value, count in missing[:_MOST_NAMED]:
        findings.unreadable(
            "annotations",
            f"{counted(count, 'annotation has', 'annotations have')} the {key} {value}, but no such {what} was read.",
        )
    if others := sum(count for _, count in missing[_MOST_NAMED:]):
        have = counted(others, "more annotation has", "more annotations have")
        findings.unreadable("annotations", f"{have} a {key} without a matching {what}.")
    return indices


def _match_other_forms(
    values: list[Any], indices: _Indices, indices_by_id: dict[Any, int], key: str, findings: Findings
) -> None:
    """Match ids that are texts in one place and numbers in the other, in place, with a finding."""
    rows = np.flatnonzero(indices < 0).tolist()
    by_form = defaultdict[Any, list[Any]](list)
    for identity in indices_by_id if rows else ():
        by_form[_whole(identity)].append(identity)
    forms = {row: by_form[form] for row in rows if (form := _whole(values[row])) in by_form}
    matched = {row: identities[0] for row, identities in forms.items() if len(identities) == 1}
    for row, identity in matched.items():
        indices[row] = indices_by_id[identity]
    if matched:
        row, identity = next(iter(matched.items()))
        have = counted(len(matched), "annotation has", "annotations have")
        message = f"{have} {key} in another form, such as {shown(values[row])} for {shown(identity)}."
        findings.adjusted("annotations", message)


def _whole(identity: Any) -> Any:
    """Return an id such as "07" or "7.0" as a whole number, or unchanged if it is not a number."""
    text = str(identity).strip()
    if text.isascii() and text.isdecimal():
        return int(text)
    number = finite(text)
    return int(number) if number is not None and number.is_integer() else identity


def _scores(entries: list[Any]) -> _Floats:
    """Return the confidence of each entry: its score, 1 if there is none, or NaN if it is not between 0 and 1."""
    scores = [entry.get("score") for entry in entries]
    if scores.count(None) == len(scores):
        return np.ones(len(entries))
    numbers = [1.0 if score is None else number_or_none(score) for score in scores]
    result = np.array([np.nan if number is None else number for number in numbers])
    result[(result < 0) | (result > 1)] = np.nan
    return result


def _crowds(entries: list[Any], places: Sequence[int], findings: Findings) -> _Bools:
    """Return whether each entry is a crowd: ``iscrowd`` is 1 or another word for true."""
    values = [entry.get("iscrowd") for entry in entries]
    if set(map(type, values)) <= {int, bool, NoneType} and set(values) <= {0, 1, None}:
        return np.array([value == 1 for value in values], dtype=bool)
    crowds = [False if value is None else t.as_boolean(value) for value in values]
    for number in [number for number, crowd in enumerate(crowds) if crowd is None][:_MOST_NAMED]:
        message = f"iscrowd is {shown(values[number])}, not 0 or 1. It was read as 0."
        findings.adjusted(f"annotations[{places[number]}]", message)
    return np.array([crowd or False for crowd in crowds], dtype=bool)


@dataclass
class _Doubts:
    """Boxes that need a look: they contradict their polygon, have no area, or may be ratios of the image size."""

    entries: list[Any]
    places: Sequence[int]
    boxes: _Floats
    findings: Findings
    _added: int = 0

    def compare(
        self, numbers: _Indices, bounds: _Floats, areas: _Floats, polygons: dict[int, Polygon], sizes: _Floats
    ) -> None:
        """Settle and report entries whose box contradicts their polygon, which is right if the area is that of it."""
        boxes, around = self.boxes[numbers], bounds[numbers]
        stated = [number_or_none(self.entries[number].get("area")) for number in numbers]
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.abs(np.array(stated, dtype=np.float64) - areas[numbers])
            fitting = difference <= _AREA_APART * areas[numbers]
        verdicts = contradictions(boxes, around, xyxy_to_ltwh(boxes), sizes, fitting)
        for row, verdict in verdicts.items():
            number, box, outline = int(numbers[row]), boxes[row].tolist(), around[row].tolist()
            self._add(number, f"bbox is {shown(box)}, but its polygon spans {shown(outline)}. {verdict}")
            if verdict == BOX_OF_POLYGON:
                self.boxes[number] = around[row]
            elif verdict == POLYGON_IN_RATIOS:
                polygons[number] = scaled_polygon(polygons[number], sizes[row]) or []
                areas[number] *= sizes[row].prod()
        self._summarise(len(verdicts), "boxes contradict their polygons")

    def report(self, keep: _Bools) -> None:
        """Report boxes without area, and those that may be ratios although others are pixels."""
        empty = np.flatnonzero(keep & self.boxes.any(axis=1) & (self.boxes[:, 2:] == 0).any(axis=1)).tolist()
        for number in empty:
            self._add(number, f"bbox is {shown(self.boxes[number].tolist())}, which has no area. Correct or remove it.")
        self._summarise(len(empty), "boxes have no area")
        small = np.flatnonzero(keep & like_ratios(self.boxes) & (self.boxes % 1 > 0).any(axis=1)).tolist()
        for number in small:
            what = f"bbox is {shown(self.boxes[number].tolist())}, as if it were ratios of the image size."
            self._add(number, f"{what} It was read in pixels, like the other boxes.")
        self._summarise(len(small), "boxes may be ratios of the image size")

    def _add(self, number: int, message: str) -> None:
        self._added += 1
        if self._added <= _MOST_NAMED:
            self.findings.adjusted(f"annotations[{self.places[number]}]", message)

    def _summarise(self, count: int, what: str) -> None:
        if count > _MOST_NAMED:
            self.findings.adjusted("annotations", f"{count:,} {what}. The first {_MOST_NAMED} are listed.")
        self._added = 0


def _outlines(
    entries: list[Any], size_of_image: Callable[[int], tuple[int, int] | None], findings: Findings
) -> tuple[dict[int, Polygon], _Floats, _Floats, _Bools]:
    """Return the polygons by entry number, their areas and boxes (or NaN), and a flag for readable entries.

    An entry is unreadable if it has a segmentation, but neither a readable polygon or mask nor a box. A mask of
    another size than its image is none.
    """
    shapes = {number: shape for number, entry in enumerate(entries) if (shape := entry.get("segmentation"))}
    plain, outlines, around = plain_polygons(shapes)
    polygons: dict[int, Polygon] = dict(plain)
    squares, bounds = np.full(len(entries), np.nan), np.full((len(entries), 4), np.nan)
    squares[list(plain)], bounds[list(plain)] = outlines, around
    faults = defaultdict[str, list[int]](list)
    readable = np.ones(len(entries), dtype=bool)
    for number in sorted(shapes.keys() - plain.keys()):
        entry, shape = entries[number], shapes[number]
        parts = 1
        if isinstance(shape, dict):
            polygon, squares[number], fault = _of_mask(shape, entry.get(_RINGS), size_of_image(number))
        else:
            rings, parts = as_rings(shape)
            polygon, whole = _of_parts(rings)
            squares[number] = np.nan if polygon is None else area(polygon)
            fault = "" if whole else "cut"
            if 0 < len(rings) < parts:
                faults["lost"].append(number)
        if polygon is not None:
            polygons[number] = polygon
            bounds[number] = polygon_to_ltwh(polygon)
        elif parts:
            readable[number] = bool(entry.get("bbox"))
            fault = fault or ("broken" if readable[number] else "")
        faults[fault].append(number)
    for fault, (one, many, what) in _FAULTS.items():
        if found := faults[fault]:
            such = f"such as that of annotation {shown(entries[found[0]].get('id'))}"
            findings.adjusted("annotations", f"{counted(len(found), one, many)} {what.format(such=such)}")
    return polygons, squares, bounds, readable


def _of_parts(rings: list[Ring]) -> tuple[Polygon | None, bool]:
    """Return the parts of an object as a polygon, and whether it has all of them.

    Parts that overlap are united, because in COCO no part is a hole. If they are too large, the largest part is kept.
    """
    if len(rings) < 2 or not parts_overlap(rings):
        return polygon_of(rings), True
    points = np.array(list(chain(*rings)))
    low = np.floor(points.min(axis=0))
    width, height = (np.ceil(points.max(axis=0) - low).astype(int) + 1).tolist()
    if width * height <= MOST_PIXELS:
        with suppress(OutlineTooLongError):
            united = union([np.array(ring) - low for ring in rings], (width, height))
            return polygon_of(ring + low for ring in rings_of(united)), True
    return max(rings, key=lambda ring: ring_area(np.array(ring))), False


def _of_mask(mask: dict[str, Any], rings: object, size: tuple[int, int] | None) -> tuple[Polygon | None, float, str]:
    """Return the outline of a mask in an image of this size, its area, and what is wrong with it.

    The outline is in the key "rings" if this package wrote the file.
    """
    try:
        rle = as_rle(mask)
        if size is not None and [*rle["size"]] != [*reversed(size)]:
            return None, np.nan, "resized"
        outline, parts = as_rings(rings)
        if outline and len(outline) == parts:
            height, width = rle["size"]
            if polygon_to_rle(outline, (width, height))["counts"] == rle["counts"]:  # it has not been edited since
                return outline, float(areas_of_masks([rle])[0]), ""
        polygon = rle_to_polygon(rle)
    except OutlineTooLongError:
        return None, np.nan, "long"
    except ValueError:
        return None, np.nan, ""
    return polygon, np.nan if polygon is None else float(areas_of_masks([rle])[0]), ""


def _sizes(images: _Images) -> _Floats:
    sizes = [size or (np.nan, np.nan) for size in images.sizes.values()]
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _judge(
    boxes: _Floats,
    polygons: dict[int, Polygon],
    owners: _Indices,
    images: _Images,
    findings: Findings,
) -> Judged:
    """Judge boxes, and convert polygons in ratios of the image size in place."""
    if are_ratios(boxes):
        names, drawn = list(images.sizes), np.unique(owners[~np.isnan(boxes[:, 0])])
        for uri, message in fill_sizes(images.sizes, (names[number] for number in drawn.tolist())).items():
            findings.not_found(uri, message)
    sizes = _sizes(images)[owners]
    judged = judge(boxes, sizes, corners=not polygons)
    for number in polygons.keys() & set(judged.rows(Verdict.RATIOS)):
        if max(ring.max() for ring in rings_of(polygons[number])) <= 1 + ROUNDING:
            polygons[number] = scaled_polygon(polygons[number], judged.scale[number]) or []
    return judged


def _compare_areas(entries: list[Any], areas: _Floats, keep: _Bools, findings: Findings) -> None:
    """Add a finding if the ``area`` of annotations differs from the area of their shapes, for example of masks."""
    values = [entry.get("area") for entry in entries]
    if not set(map(type, values)) <= {float, NoneType}:
        values = [number_or_none(value) for value in values]
    stated = np.array(values, dtype=np.float64)  # NaN for None
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(stated - areas) > np.maximum(_AREA_APART * areas, 1)
    if count := int((apart & keep).sum()):
        have = counted(count, "annotation has", "annotations have")
        findings.adjusted("annotations", f"{have} an area that differs from that of the polygon or box.")


def _moments(entries: list[Any], owners: _Indices, of_images: list[datetime | None]) -> pd.DatetimeIndex:
    """Return the date of each annotation: its own, else its image's, else now."""
    now = datetime.now(UTC).replace(tzinfo=None)
    images = pd.DatetimeIndex([now if moment is None else moment for moment in of_images] or [now])
    moments = images.to_numpy(dtype="datetime64[us]")[owners]
    for number in [number for number, entry in enumerate(entries) if _CREATED in entry]:
        if (moment := moment_or_none(entries[number][_CREATED])) is not None:
            moments[number] = moment
    return pd.DatetimeIndex(moments).tz_localize("UTC")


# -- writing ----------------------------------------------------------------------------------------


def _write(contents: Contents, path: Path) -> list[Path]:
    """Write the contents to ``path``. Unlisted images, and numbers that are not finite, are an InputError."""
    path = file_in(path, _FILE)
    labels = t.labels_in_order(contents.annotations, contents.labels)
    owners = pd.Index(contents.images["image"]).get_indexer(pd.Index(contents.annotations["image"])).astype(np.int64)
    if (owners < 0).any():
        stray = contents.annotations["image"].iloc[int(np.argmin(owners))]
        raise InputError(f"contents has an annotation for {stray!r}, which is not in its images table.")
    created = contents.annotations["created"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    latest = np.full(len(contents.images), "NaT", dtype="datetime64[us]")
    np.fmax.at(latest, owners, created)
    licences = {licence: n for n, licence in enumerate(filter(any, dict.fromkeys(_licence_of(contents.images))), 1)}
    above: dict[str, str] = contents.images.attrs.get(_SUPERCATEGORIES, {})
    arrays: dict[str, Iterator[dict[str, Any]]] = {
        "licenses": ({"id": number, "name": name, "url": url} for (name, url), number in licences.items()),
        "categories": (
            {"id": number, "name": label} | ({"supercategory": above[label]} if label in above else {})
            for number, label in enumerate(labels, 1)
        ),
        "images": _image_entries(contents.images, path.parent, latest, licences),
        "annotations": _annotation_entries(contents, labels, owners, created, latest),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        info = {**contents.images.attrs.get(_INFO, {}), _UNIT: _PIXELS}
        file.write(b'{"info": ' + json.dumps(info, ensure_ascii=False).encode())
        for key, entries in arrays.items():
            file.write(f',\n"{key}": '.encode())
            write_array(file, entries)
        file.write(b"}\n")
    return [path]


def _licence_of(images: pd.DataFrame) -> Iterator[_Licence]:
    columns = [
        images[name].map(lambda value: value if isinstance(value, str) else "").tolist()
        if name in images.columns else [""] * len(images)
        for name in _LICENCE
    ]  # fmt: skip
    return zip(*columns, strict=True)


def _image_entries(
    images: pd.DataFrame, folder: Path, latest: _Moments, licences: Mapping[_Licence, int]
) -> Iterator[dict[str, Any]]:
    dates = _texts(latest)
    columns = (images["image"], images["width"].astype(object), images["height"].astype(object))
    rows = zip(*(column.tolist() for column in columns), _licence_of(images), strict=True)
    for number, (uri, width, height, licence) in enumerate(rows):
        entry: dict[str, Any] = {"id": number + 1, "file_name": listed_name(uri, folder)}
        if not (pd.isna(width) or pd.isna(height)):
            entry |= {"width": width, "height": height}
        if licence in licences:
            entry["license"] = licences[licence]
        if dates[number] != "NaT":
            entry["date_captured"] = dates[number] + "Z"
        yield entry


def _annotation_entries(
    contents: Contents, labels: list[str], owners: _Indices, created: _Moments, latest: _Moments
) -> Iterator[dict[str, Any]]:
    annotations = contents.annotations
    sizes = contents.images[["width", "height"]].to_numpy(np.float64, na_value=np.nan)
    category_of = {label: number for number, label in enumerate(labels, 1)}
    apart = np.flatnonzero(created != latest[owners])
    dates = dict(zip(apart.tolist(), _texts(created[apart]), strict=True))
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy().tolist()
    columns = (annotations[name].tolist() for name in ("label", "polygon", "crowd", "confidence"))
    for number, (owner, box, label, polygon, crowd, confidence) in enumerate(
        zip(owners.tolist(), boxes, *columns, strict=True)
    ):
        entry: dict[str, Any] = {"id": number + 1, "image_id": owner + 1, "category_id": category_of[label]}
        if polygon is not None:
            rings = rings_of(polygon)
            if box[0] != box[0]:  # NaN: the polygon has no box yet
                box = polygon_to_ltwh(polygon).tolist()
            entry |= {"bbox": box, **_segmentation(rings, sizes[owner])}
        elif box[0] == box[0]:
            entry |= {"bbox": box, "area": _finite(box[2] * box[3]), "segmentation": []}
        if crowd or "bbox" in entry:
            entry["iscrowd"] = int(crowd)
        if confidence != 1:
            entry["score"] = confidence
        if number in dates:
            entry[_CREATED] = dates[number] + "Z"
        yield entry


def _segmentation(polygon: list[_Floats], size: _Floats) -> dict[str, Any]:
    """Return the area and parts of a polygon, or its mask and rings if they overlap: COCO polygons have no holes."""
    rings = [ring.ravel().tolist() for ring in polygon]
    parts = {"area": _finite(area(polygon)), "segmentation": rings}
    if len(rings) < 2 or not parts_overlap(polygon):
        return parts
    if np.isnan(size).any():
        left, top, width, height = polygon_to_ltwh(polygon)
        size = np.ceil([left + width, top + height])
    if size.prod() > MOST_PIXELS:
        return parts
    mask = polygon_to_rle(polygon, (int(size[0]), int(size[1])))
    square = float(areas_of_masks([mask])[0])  # also of rings that cross each other
    return {"area": square, "segmentation": {**mask, "counts": mask["counts"].decode()}, _RINGS: rings}


def _finite(square: float) -> float:
    """Limit an area to the largest finite float, because JSON cannot store infinity."""
    return square if math.isfinite(square) else sys.float_info.max


def _texts(moments: _Moments) -> list[str]:
    texts: list[str] = np.datetime_as_string(moments, unit="us").tolist()
    return texts


FORMAT = Format(
    name="coco",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=frozenset({
        "image_labels", "boxes", "polygons", "crowd", "confidence", "created", "unlabelled", "labels", "label_order",
        "size",
    }),
    columns=frozenset(_LICENCE),
    notes=frozenset({_INFO, _SUPERCATEGORIES}),
    options=frozenset({"truth"}),
    folder=lambda path: file_in(path, _FILE).parent,
    in_image=True,
    need_copies="supervision",
    holes="a mask",
)  # fmt: skip
