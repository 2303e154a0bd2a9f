"""COCO: one JSON file of ``images``, ``annotations`` and ``categories`` (cocodataset.org, "Data format").

Written and read are boxes, polygons, crowds, scores as confidences, and labels of whole images as annotations without
``bbox``, as the labelling tool of Azure Machine Learning writes them. COCO can't tell an image on which nothing is from
one that nobody looked at: without annotations it is unlabelled. Licences are columns of the images; what the file says
of itself, and supercategories, are in the ``attrs`` of their table. The ``area`` is that of the outline or box; where
the file has another, that is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder, Notes
from customlabels_nb.datasets.formats.coco_annotations import Images, moment_or_none, read_annotations
from customlabels_nb.datasets.formats.coco_writing import INFO, LICENCE, PIXELS, SUPERCATEGORIES, UNIT, write_coco
from customlabels_nb.datasets.formats.json_file import (
    Findings,
    file_in,
    find_image,
    label_or_none,
    load_object,
    number_or_none,
    outer_keys,
    pixel_size,
    shown,
    storable,
    unusable,
)
from customlabels_nb.images.reading import to_uri

_FILE = "coco.json"
_NAMES = ("file_name", "coco_url", "flickr_url")
_RATIO_AT_MOST = 1 + 1e-6
_MOST_INFO, _INFO_TEXT = 50, 1000
_AN_ID = (int, str, float)
_MOST_NAMED = 100
_AREA_APART = 0.05  # as a share: areas of masks differ a little from those of their outlines

_Floats: TypeAlias = npt.NDArray[np.float64]
_Bools: TypeAlias = npt.NDArray[np.bool_]
_Indices: TypeAlias = npt.NDArray[np.int64]


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
    annotations = read_annotations(entries, images, label_of, findings, known_pixels=known_pixels)
    frame = t.settle_statuses(_images_table(images), annotations)
    above = _supercategories(data, label_of)
    frame.attrs |= {key: Notes(notes) for key, notes in ((INFO, info), (SUPERCATEGORIES, above)) if notes}
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


def _supercategories(data: dict[str, Any], label_of: dict[Any, str]) -> dict[str, str]:
    """Label → supercategory, as far as there are such that can be kept."""
    entries = data.get("categories")
    return {
        label_of[entry["id"]]: above[:_INFO_TEXT]
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and _is_id(entry.get("id")) and entry["id"] in label_of
        and isinstance(above := entry.get("supercategory"), str) and above and storable(above)
    }  # fmt: skip


def _array(data: dict[str, Any], key: str, findings: Findings) -> list[Any]:
    value = data.get(key)
    if isinstance(value, list):
        return value
    if value is not None:
        findings.unreadable(key, f"It is {shown(value)}, not an array.")
    return []


def _is_id(value: object) -> bool:
    return isinstance(value, _AN_ID)


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


def _images_table(images: Images) -> pd.DataFrame:
    if not images.sizes:
        return t.empty(t.IMAGE_COLUMNS)
    sides = list(zip(*(size or (None, None) for size in images.sizes.values()), strict=True))
    frame = pd.DataFrame({"image": list(images.sizes), "width": pd.array(sides[0], "Int64")})
    frame["height"] = pd.array(sides[1], "Int64")
    for name in LICENCE:
        if any(name in licence for licence in images.licences.values()):
            frame[name] = [images.licences.get(uri, {}).get(name) for uri in images.sizes]
    return t.normalise_images(frame)


def _read_images(
    entries: list[Any], finder: ImageFinder, licences: dict[Any, dict[str, str]], findings: Findings
) -> Images:
    result = Images({}, {}, {}, [])
    order: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not _is_id(identity := entry.get("id")):
            findings.unreadable(f"images[{number}]", f"It has no id: {shown(entry)}.")
            continue
        if identity in result.number_of:
            findings.unreadable(f"images[{number}]", f"The id {shown(identity)} is another image's already.")
            continue
        names = [name for key in _NAMES if isinstance(name := entry.get(key), str) and name]
        try:
            uri = find_image(finder, *names)
        except ValueError as error:
            findings.unreadable(f"images[{number}]", str(error))
            continue
        if uri in order:
            findings.adjusted(
                f"images[{number}]", f"The file {names[0]!r} is named twice; the two entries became one image."
            )
            result.number_of[identity] = order[uri]
            continue
        size = pixel_size(entry)
        if size is None and (entry.get("width") or entry.get("height")):
            given = f"{shown(entry.get('width'))} × {shown(entry.get('height'))}"
            findings.adjusted(f"images[{number}]", f"Its size {given} is none and was left open.")
        if licences and _is_id(entry.get("license")) and entry["license"] in licences:
            result.licences[uri] = licences[entry["license"]]
        result.sizes[uri] = size
        result.number_of[identity] = order[uri] = len(order)
        result.moments.append(moment_or_none(entry.get("date_captured")))
    return result


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
        "image_labels", "boxes", "polygons", "crowd", "confidence", "created", "unlabelled", "labels", "label_order",
        "size",
    }),
    columns=frozenset(LICENCE),
    notes=frozenset({INFO, SUPERCATEGORIES}),
    folder=lambda path: file_in(path, _FILE).parent,
)  # fmt: skip
