"""Writes COCO files; see :mod:`customlabels_nb.datasets.formats.coco`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.entries import listed_name
from customlabels_nb.datasets.formats.json_file import write_array
from customlabels_nb.datasets.formats.json_shapes import area
from customlabels_nb.errors import InputError

#: What ``info`` says of files in which a small box is no ratio.
UNIT, PIXELS = "bbox_unit", "pixel"
#: Where a table of images keeps what ``info`` said, in its ``attrs``.
INFO = "coco_info"
#: And the supercategory of each label that has one.
SUPERCATEGORIES = "coco_supercategories"
#: Columns of images that a file has as their licence.
LICENCE = ("license", "license_url")
#: When an annotation was made, where that is not its image's ``date_captured``.
CREATED = "created"

_Licence: TypeAlias = tuple[str, str]
_Moments: TypeAlias = npt.NDArray[np.datetime64]
_Indices: TypeAlias = npt.NDArray[np.int64]


def write_coco(contents: Contents, path: Path) -> None:
    """Write the contents to the file ``path``, whose folder is made if it isn't there.

    Raises
    ------
    InputError
        If an annotation's image isn't among the images, or a number is not finite.
    """
    labels = t.labels_in_order(contents.annotations, contents.labels)
    owners = pd.Index(contents.images["image"]).get_indexer(pd.Index(contents.annotations["image"])).astype(np.int64)
    if (owners < 0).any():
        stray = contents.annotations["image"].iloc[int(np.argmin(owners))]
        raise InputError(f"contents have an annotation of {stray!r}, which is not among their images.")
    created = contents.annotations["created"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    latest = np.full(len(contents.images), "NaT", dtype="datetime64[us]")
    np.fmax.at(latest, owners, created)
    licences = _licences(contents.images)
    arrays: dict[str, Iterator[dict[str, Any]]] = {
        "licenses": ({"id": number, "name": name, "url": url} for (name, url), number in licences.items()),
        "categories": _categories(labels, contents.images.attrs.get(SUPERCATEGORIES, {})),
        "images": _images(contents.images, path.parent, latest, licences),
        "annotations": _annotations(contents.annotations, labels, owners, created, latest),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        info = {**contents.images.attrs.get(INFO, {}), UNIT: PIXELS}
        file.write(b'{"info": ' + json.dumps(info, ensure_ascii=False).encode())
        for key, entries in arrays.items():
            file.write(f',\n"{key}": '.encode())
            write_array(file, entries)
        file.write(b"}\n")


def _categories(labels: list[str], above: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number, label in enumerate(labels, 1):
        yield {"id": number, "name": label} | ({"supercategory": above[label]} if label in above else {})


def _licences(images: pd.DataFrame) -> dict[_Licence, int]:
    found: dict[_Licence, int] = {}
    for licence in _licence_of(images):
        if any(licence):
            found.setdefault(licence, len(found) + 1)
    return found


def _licence_of(images: pd.DataFrame) -> Iterator[_Licence]:
    columns = [
        images[name].map(lambda value: value if isinstance(value, str) else "").tolist()
        if name in images.columns else [""] * len(images)
        for name in LICENCE
    ]  # fmt: skip
    return zip(*columns, strict=True)


def _images(
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


def _annotations(
    annotations: pd.DataFrame, labels: list[str], owners: _Indices, created: _Moments, latest: _Moments
) -> Iterator[dict[str, Any]]:
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
            if box[0] != box[0]:  # NaN: the polygon came without its box
                box = polygon_to_ltwh(polygon).tolist()
            outline = [side for point in polygon for side in point]
            entry |= {"bbox": box, "area": _finite(area(polygon)), "segmentation": [outline]}
        elif box[0] == box[0]:
            entry |= {"bbox": box, "area": _finite(box[2] * box[3]), "segmentation": []}
        if crowd or "bbox" in entry:
            entry["iscrowd"] = int(crowd)
        if confidence != 1:
            entry["score"] = confidence
        if number in dates:
            entry[CREATED] = dates[number] + "Z"
        yield entry


def _finite(square: float) -> float:
    """An area that JSON can spell, of a shape however large."""
    return square if math.isfinite(square) else sys.float_info.max


def _texts(moments: _Moments) -> list[str]:
    texts: list[str] = np.datetime_as_string(moments, unit="us").tolist()
    return texts
