"""Read and write Azure Custom Vision files: a JSON file with a list of ``files``, each with its ``tags``.

A tag is an image-level label or, with ``left``, ``top``, ``width`` and ``height`` as ratios of the image size, a
labelled box. The sizes are read from the images, unless an entry in ``files`` has ``width`` and ``height``, as in
files written by this package. Boxes in pixels are read and reported. Other keys are counted and not imported. An image
without tags is unlabelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_ratios, polygon_to_ltwh
from customlabels_nb.datasets.formats.account import NUMBER, TAKEN, Account, Record
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import listed_name, sizes_of_drawn
from customlabels_nb.datasets.formats.json_file import (
    Findings,
    as_boxes,
    file_in,
    find_image,
    label_or_none,
    load,
    outer_keys,
    shown,
    size_of,
    unusable,
    write_array,
)
from customlabels_nb.datasets.formats.verdicts import Verdict, fill_sizes, judge
from customlabels_nb.images.locations import to_uri

_FILE = "tagged-images.json"
_MOST = 1e9  # a box that is this many times as large as its image is invalid
_NO_BOX = [None] * 4
_SIZE = ["width", "height"]
_TAG = Record("a tag", dict.fromkeys(("tag", *t.BOX_COLUMNS), TAKEN))
_RECORD = Record(
    "the file",
    {"files": Record("an image", {"filename": TAKEN, "tags": _TAG, **dict.fromkeys(_SIZE, NUMBER)})},
)


@dataclass
class _Tags:
    """Tags in a file: the image number, label, location in the file and raw box values of each tag."""

    owners: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    boxes: list[list[Any] | None] = field(default_factory=list)


def _recognise(path: Path) -> bool:
    keys, head = outer_keys(file_in(path, _FILE))
    return keys.get("files") == "[" and ('"filename"' in head or set(keys) == {"files"})


def _read(path: Path, finder: ImageFinder) -> Contents:
    path = file_in(path, _FILE)
    data = load(path, dict)
    if not isinstance(data.get("files"), list):
        raise unusable(path, "it has no array 'files'")
    findings, others = Findings(to_uri(path)), Account()
    others.record(data, _RECORD, "")
    sizes, tags = _read_files(data["files"], _Places(path.parent, finder), findings)
    if not sizes:
        return Contents(issues=findings.issues + others.issues(to_uri(path)), taken={to_uri(path)})
    uris = list(sizes)
    owners = np.array(tags.owners, dtype=np.int64)
    ratios, bad = as_boxes(tags.boxes)
    bad |= (np.abs(ratios) > _MOST).any(axis=1)
    ratios[bad] = np.nan
    for number in np.flatnonzero(bad).tolist():
        file, tag = tags.places[number]
        why = f"left, top, width and height are not a valid box: {shown(tags.boxes[number])}."
        findings.unreadable(f"files[{file}].tags[{tag}]", why)
    boxed = ~np.isnan(ratios[:, 0])
    for uri, message in fill_sizes(sizes, (uris[owner] for owner in np.unique(owners[boxed]).tolist())).items():
        findings.not_found(uri, message)
    frame = t.normalise_images(
        pd.DataFrame([(uri, *(size or (None, None))) for uri, size in sizes.items()], columns=["image", *_SIZE])
    )
    of_images = frame[_SIZE].to_numpy(dtype=np.float64, na_value=np.nan)
    keep = ~bad & ~(boxed & np.isnan(of_images[owners, 0]))
    annotations = t.empty(t.ANNOTATION_COLUMNS)
    if keep.any():
        judged = judge(np.where(keep[:, None], ratios, np.nan), of_images[owners], unit="ratios", corners=True)
        for verdict, message, first in judged.findings():
            file, tag = tags.places[first]
            say = findings.unreadable if verdict == Verdict.UNREADABLE else findings.adjusted
            say(f"files[{file}].tags[{tag}]", message)
        keep &= judged.keep
        boxes = judged.boxes[keep]
        labels = np.array(tags.labels, dtype=object)[keep]
        names = frame["image"].array.take(owners[keep])
        columns = pd.DataFrame(boxes, columns=list(t.BOX_COLUMNS))
        annotations = t.normalise_annotations(columns.assign(image=names, label=labels))
    labels = t.labels_in_order(annotations)
    issues = findings.issues + others.issues(to_uri(path))
    return Contents(t.settle_statuses(frame, annotations), annotations, labels, issues, taken={to_uri(path)})


class _Places:
    """Image finder that also searches the folder ``images`` next to the file, as used in Custom Vision tutorials."""

    def __init__(self, folder: Path, finder: ImageFinder) -> None:
        self._finder = finder
        self._folder = to_uri(folder)
        inner = f"{self._folder}/images"
        self._inner = inner if os.path.isdir(inner) else None

    def find(self, name: str) -> str:
        uri = find_image(self._finder, name)
        if self._inner is not None and uri.startswith(f"{self._folder}/") and not os.path.isfile(uri):
            inner = self._inner + uri[len(self._folder) :]
            if os.path.isfile(inner):
                return inner
        return uri


def _read_files(
    entries: list[Any], places: _Places, findings: Findings
) -> tuple[dict[str, tuple[int, int] | None], _Tags]:
    """Return the images in file order, with their sizes (None if not given), and the tags."""
    sizes: dict[str, tuple[int, int] | None] = {}
    numbers: dict[str, int] = {}
    labels: dict[str, str] = {}
    tags = _Tags()
    for number, entry in enumerate(entries):
        where = f"files[{number}]"
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            findings.unreadable(where, f"It has no valid filename: {shown(entry)}.")
            continue
        try:
            uri = places.find(name)
        except ValueError as error:
            findings.unreadable(where, str(error))
            continue
        if uri in numbers:
            findings.adjusted(where, f"The file {name!r} is listed twice. Both entries were merged into one image.")
        else:
            numbers[uri] = len(numbers)
            sizes[uri] = size_of(entry.get("width"), entry.get("height"))
        tag_entries = entry.get("tags")
        if isinstance(tag_entries, list):
            _add_tags(tag_entries, number, numbers[uri], tags, labels, findings)
        elif tag_entries is not None:
            findings.unreadable(f"{where}.tags", f"It is {shown(tag_entries)}, not an array.")
    return sizes, tags


def _add_tags(
    entries: list[Any], file: int, owner: int, tags: _Tags, labels: dict[str, str], findings: Findings
) -> None:
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            findings.unreadable(f"files[{file}].tags[{number}]", f"It is {shown(entry)}, not an object.")
            continue
        name = entry.get("tag")
        label = labels.get(name) if isinstance(name, str) else None
        if label is None:
            label = label_or_none(name, findings, f"files[{file}].tags[{number}]")
            if label is None:
                continue
            labels[str(name)] = label
        box = [entry.get(side) for side in t.BOX_COLUMNS]
        tags.owners.append(owner)
        tags.labels.append(label)
        tags.places.append((file, number))
        tags.boxes.append(None if box == _NO_BOX else box)


def _write(contents: Contents, path: Path) -> list[Path]:
    path = file_in(path, _FILE)
    why = "The boxes of {uri!r} cannot be written as ratios, because the image size is unknown: {reason}"
    sizes = sizes_of_drawn(contents, why)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(b'{"files": ')
        write_array(file, _written(contents, sizes, path.parent))
        file.write(b"}\n")
    return [path]


def _written(contents: Contents, sizes: dict[str, tuple[int, int]], folder: Path) -> Iterator[dict[str, Any]]:
    tags: dict[str, list[dict[str, Any]]] = {}
    annotations = contents.annotations
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(copy=True)
    for number in np.flatnonzero(annotations["polygon"].notna() & annotations["left"].isna()).tolist():
        boxes[number] = polygon_to_ltwh(annotations["polygon"].iloc[number])
    owners = annotations["image"].tolist()
    ratios = ltwh_to_ratios(boxes, [sizes.get(image, (1, 1)) for image in owners] or (1, 1)).tolist()
    for image, label, box in zip(owners, annotations["label"].tolist(), ratios, strict=True):
        tag: dict[str, Any] = {"tag": label}
        if box[0] == box[0]:  # not NaN
            tag |= zip(t.BOX_COLUMNS, box, strict=True)
        tags.setdefault(image, []).append(tag)
    for uri in contents.images["image"].tolist():
        entry: dict[str, Any] = {"filename": listed_name(uri, folder)}
        if uri in sizes:
            entry["width"], entry["height"] = sizes[uri]
        yield entry | {"tags": tags.get(uri, [])}


FORMAT = Format(
    name="custom_vision",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=frozenset({"image_labels", "boxes", "unlabelled", "size"}),
    folder=lambda path: file_in(path, _FILE).parent,
    in_image=True,
)
