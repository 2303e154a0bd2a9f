"""Ground Truth manifests: JSON Lines, one image a line.

Written is what the hosted service's documentation describes for image-level labels
(``groundtruth/image-classification``) and boxes (``groundtruth/object-detection``). Read are those and lines
with only a ``source-ref``; a line that can't be read is returned whole, with the code of what is wrong. An image that
was looked at and shows nothing is a line with a box attribute without boxes.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import LabelError, ManifestError
from customlabels_nb.files import replacing
from customlabels_nb.formats.base import Contents, Format, ImageFinder
from customlabels_nb.images import to_uri
from customlabels_nb.issues import CODES, Issue

IMAGE_LEVEL = "groundtruth/image-classification"
BOXES = "groundtruth/object-detection"
BOX_ATTRIBUTE = "bounding-box"
_METADATA = "-metadata"
_SOURCE = "source-ref"
_OURS = frozenset({"errors", "warnings", "cl-errors", "cl-warnings", "cl-metadata"})  # what validation adds to a line
_LARGEST_SIZE = 2**31 - 1


@dataclass
class Manifest:
    """What a manifest says. ``unread`` has the number (from 1) and the raw text of lines with an issue."""

    images: pd.DataFrame
    annotations: pd.DataFrame
    issues: list[Issue] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)


class _LineError(Exception):
    """Carries the code, and the value for its message."""


def manifest_lines(images: pd.DataFrame, annotations: pd.DataFrame) -> Iterator[str]:
    """The lines of a manifest, without line ends, in the order of ``images``.

    Images without annotations become lines with only a ``source-ref``, unless their status is "labelled"; polygons are
    written as their boxes, and boxes of several jobs as so many attributes.
    """
    attributes = attribute_names(sorted(annotations["label"].unique()))
    latest = _date(annotations["created"].max() if len(annotations) else pd.Timestamp(0, tz="UTC"))
    own: dict[str, list[Any]] = {}
    for row in annotations.itertuples(index=False):
        own.setdefault(row.image, []).append(row)
    for image in images.itertuples(index=False):
        line: dict[str, Any] = {_SOURCE: image.image}
        rows = own.get(image.image, [])
        for row in (r for r in rows if pd.isna(r.left)):
            name = attributes[row.label]
            line[name] = 1
            line[name + _METADATA] = {
                "confidence": row.confidence,
                "job-name": _text(row.job) or f"labeling-job/{row.label}",
                "class-name": row.label,
                "human-annotated": "yes",
                "creation-date": _date(row.created),
                "type": IMAGE_LEVEL,
            }
        for number, boxes in enumerate(_by_origin(r for r in rows if not pd.isna(r.left)), 1):
            name = BOX_ATTRIBUTE if number == 1 else f"{BOX_ATTRIBUTE}-{number}"
            line |= _box_attribute(name, image, boxes, _date(max(row.created for row in boxes)))
        if not rows and image.status == "labelled":
            line |= _box_attribute(BOX_ATTRIBUTE, image, [], latest)
        yield json.dumps(line, ensure_ascii=False)


def _by_origin(rows: Iterable[Any]) -> list[list[Any]]:
    """The rows by job and time, for an attribute has one of each; those of no job, drawn one by one, stay together."""
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        job = _text(row.job)
        groups.setdefault((job, row.created) if job else None, []).append(row)
    return list(groups.values())


def attribute_names(labels: list[str]) -> dict[str, str]:
    """Label → the name of its attribute: safe, unique, and never one that has a meaning of its own."""
    result: dict[str, str] = {}
    taken = {_SOURCE, *_OURS}
    for label in labels:
        safe = re.sub(r"[^A-Za-z0-9-]+", "-", label).strip("-")[:100] or "label"
        while safe.lower().endswith(_METADATA):
            safe = safe[: -len(_METADATA)].rstrip("-") or "label"
        if safe.lower().startswith((BOX_ATTRIBUTE, "rekognition-custom-labels")):
            safe = f"label-{safe}"
        name, number = safe, 2
        while name.lower() in taken:
            name, number = f"{safe}-{number}", number + 1
        taken.add(name.lower())
        result[label] = name
    return result


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest file.

    Raises
    ------
    ManifestError
        If the file can't be read, is empty or has no line that can be read.
    """
    name = os.fspath(path)
    unusable = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    try:
        if not os.path.isfile(name):
            raise OSError("there is no such file")
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise ManifestError(f"{name!r}: {CODES[unusable]} ({error})", unusable) from error
    images: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    result = Manifest(t.empty(t.IMAGE_COLUMNS), t.empty(t.ANNOTATION_COLUMNS))
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            image, found = _parse(raw)
            if image["image"] in images:
                raise _LineError("ERROR_INVALID_SOURCE_REF_FORMAT")
        except _LineError as error:
            code, *values = error.args
            message = CODES[code].replace("{}", str(values[0])) if values else CODES[code]
            result.issues.append(Issue(code, message, source=to_uri(name), line=number))
            result.unread.append((number, raw.decode("utf-8", "replace").rstrip("\r")))
            continue
        images[image["image"]] = image
        rows += found
    if not images:
        code = unusable if result.unread else "ERROR_MANIFEST_IS_EMPTY"
        raise ManifestError(f"{name!r}: {CODES[code]}", code)
    result.images = t.normalise_images(pd.DataFrame(list(images.values())))
    if rows:
        result.annotations = t.normalise_annotations(pd.DataFrame(rows))
    return result


def _parse(raw: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        line = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _LineError("ERROR_INVALID_JSON_LINE") from error
    if not isinstance(line, dict):
        raise _LineError("ERROR_INVALID_JSON_LINE")
    if _SOURCE not in line:
        raise _LineError("ERROR_MISSING_SOURCE_REF")
    source = line.pop(_SOURCE)
    if not isinstance(source, str) or not source or not _storable(source):
        raise _LineError("ERROR_INVALID_SOURCE_REF_FORMAT")
    keys = [key for key in line if key not in _OURS]
    attributes = [key for key in keys if key + _METADATA in line]
    if keys and not attributes:
        raise _LineError("ERROR_NO_LABEL_ATTRIBUTES")
    image: dict[str, Any] = {"image": source, "status": "labelled" if attributes else "unlabelled"}
    rows: list[dict[str, Any]] = []
    for key in attributes:
        metadata = line[key + _METADATA]
        if not isinstance(metadata, dict):
            raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")
        kind = metadata.get("type")
        if kind == IMAGE_LEVEL:
            rows.append(_image_level(source, metadata))
        elif kind == BOXES:
            image |= _size(line[key])
            rows += _boxes(source, key, line[key], metadata)
        else:
            raise _LineError("ERROR_UNSUPPORTED_USE_CASE_TYPE", key + _METADATA)
    return image, rows


def _image_level(image: str, metadata: dict[str, Any]) -> dict[str, Any]:
    label = _label(metadata.get("class-name"))
    return {"image": image, "label": label, "confidence": _confidence(metadata), **_origin(metadata)}


def _boxes(image: str, key: str, value: Any, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(value, dict) or not isinstance(value.get("annotations"), list):
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", key)
    objects, names = metadata.get("objects", []), metadata.get("class-map", {})
    if not isinstance(objects, list) or not isinstance(names, dict):
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")
    if len(objects) != len(value["annotations"]):
        raise _LineError("ERROR_MISSING_BOUNDING_BOX_CONFIDENCE")
    rows = []
    for box, facts in zip(value["annotations"], objects, strict=True):
        if not isinstance(box, dict):
            raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", key)
        label = names.get(str(box.get("class_id")))
        if label is None:
            raise _LineError("ERROR_MISSING_CLASS_MAP_ID")
        box_of = {side: _coordinate(box.get(side), key) for side in t.BOX_COLUMNS}
        if box_of["width"] < 0 or box_of["height"] < 0:
            raise _LineError("ERROR_INVALID_BOUNDING_BOX")
        confidence = _confidence(facts)
        rows.append({"image": image, "label": _label(label), **box_of, "confidence": confidence, **_origin(metadata)})
    return rows


def _label(value: object) -> str:
    try:
        return t.check_label(value)
    except LabelError as error:
        raise _LineError("ERROR_INVALID_LABEL_NAME_LENGTH") from error


def _coordinate(value: object, key: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", key)
    return number


def _size(value: Any) -> dict[str, int]:
    try:
        size = value["image_size"][0]
        width, height = int(size["width"]), int(size["height"])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return {}
    return {"width": width, "height": height} if 0 < min(width, height) <= max(width, height) <= _LARGEST_SIZE else {}


def _confidence(facts: Any) -> float:
    value = facts.get("confidence", 1) if isinstance(facts, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")
    return float(value)


def _origin(metadata: dict[str, Any]) -> dict[str, Any]:
    job = _text(metadata.get("job-name"))
    return {"job": job if job and _storable(job) else None, "created": _moment(metadata.get("creation-date"))}


def _moment(text: object) -> datetime:
    """A date with or without fraction, zone, and ``T``; now, where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(text.strip()) if isinstance(text, str) else datetime.now(UTC)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        return False
    return "\0" not in text


def _box_attribute(name: str, image: Any, boxes: list[Any], date: str) -> dict[str, Any]:
    names = sorted({row.label for row in boxes})
    ids = {label: number for number, label in enumerate(names)}
    size = {} if pd.isna(image.width) else {"width": int(image.width), "height": int(image.height), "depth": 3}
    return {
        name: {
            "image_size": [size],
            "annotations": [
                {"class_id": ids[row.label], **{side: getattr(row, side) for side in t.BOX_COLUMNS}} for row in boxes
            ],
        },
        name + _METADATA: {
            "objects": [{"confidence": row.confidence} for row in boxes],
            "class-map": {str(number): label for label, number in ids.items()},
            "type": BOXES,
            "human-annotated": "yes",
            "creation-date": date,
            "job-name": (_text(boxes[0].job) if boxes else None) or f"labeling-job/{BOX_ATTRIBUTE}",
        },
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _date(moment: pd.Timestamp) -> str:
    return str(moment.tz_convert("UTC").tz_localize(None).isoformat())


def _recognise(path: Path) -> bool:
    """By the first line that isn't blank: an object with a ``source-ref``, under any extension."""
    try:
        with path.open("rb") as file:
            for raw in itertools.islice(file, 100):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    value = json.loads(line)
                    return isinstance(value, dict) and _SOURCE in value
    except (OSError, ValueError, RecursionError):
        return False
    return False


def _read(path: Path, finder: ImageFinder) -> Contents:
    manifest = read_manifest(path)
    places = {image: finder.relocated(image) for image in manifest.images["image"]}
    images = manifest.images.assign(image=manifest.images["image"].map(places))
    annotations = manifest.annotations.assign(image=manifest.annotations["image"].map(places))
    labels = t.labels_in_order(annotations)
    return Contents(images, annotations, labels, manifest.issues, manifest.unread)


def _write(contents: Contents, path: Path) -> list[Path]:
    with replacing(path) as file:
        for line in manifest_lines(contents.images, contents.annotations):
            file.write(f"{line}\n".encode())
    return [path]


FORMAT = Format(
    "ground_truth",
    _recognise,
    _read,
    _write,
    frozenset({"image_labels", "boxes", "confidence", "job", "created", "empty", "unlabelled", "size"}),
)
