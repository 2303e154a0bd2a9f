"""Ground Truth manifests: JSON Lines, one image a line.

Written is what the hosted service's documentation describes for image-level labels
(``groundtruth/image-classification``) and boxes (``groundtruth/object-detection``). Read are those and lines
with only a ``source-ref``; a line that can't be read is returned whole, with the code of what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import ManifestError
from customlabels_nb.issues import CODES, Issue

IMAGE_LEVEL = "groundtruth/image-classification"
BOXES = "groundtruth/object-detection"
BOX_ATTRIBUTE = "bounding-box"
_METADATA = "-metadata"
_RESERVED = frozenset({"source-ref", BOX_ATTRIBUTE, "errors", "warnings", "cl-errors", "cl-warnings", "cl-metadata"})


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

    Images without annotations become lines with only a ``source-ref``; polygons are written as their boxes.
    """
    attributes = attribute_names(sorted(annotations["label"].unique()))
    own: dict[str, list[Any]] = {}
    for row in annotations.itertuples(index=False):
        own.setdefault(row.image, []).append(row)
    for image in images.itertuples(index=False):
        line: dict[str, Any] = {"source-ref": image.image}
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
        boxes = [r for r in rows if not pd.isna(r.left)]
        if boxes:
            line.update(_box_attribute(image, boxes))
        yield json.dumps(line, ensure_ascii=False)


def attribute_names(labels: list[str]) -> dict[str, str]:
    """Label → the name of its attribute: safe, unique, and never one that has a meaning of its own."""
    result: dict[str, str] = {}
    taken = set(_RESERVED)
    for label in labels:
        safe = re.sub(r"[^A-Za-z0-9-]+", "-", label).strip("-")[:100] or "label"
        if safe.endswith(_METADATA) or safe.startswith("rekognition-custom-labels"):
            safe = f"label-{safe}"[: 100 + 6].removesuffix(_METADATA)
        name, number = safe, 2
        while name.lower() in taken or name in taken:
            name, number = f"{safe}-{number}", number + 1
        taken |= {name, name.lower()}
        result[label] = name
    return result


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file.

    Raises
    ------
    ManifestError
        If the file can't be read, is empty or has no line that can be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        code = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
        raise ManifestError(f"{str(path)!r}: {CODES[code]} ({error})", code) from error
    images: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    result = Manifest(t.empty(t.IMAGE_COLUMNS), t.empty(t.ANNOTATION_COLUMNS))
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            image, found, status = _parse(raw)
            if image["image"] in images:
                raise _LineError("ERROR_INVALID_SOURCE_REF_FORMAT")
        except _LineError as error:
            code, *values = error.args
            message = CODES[code].replace("{}", str(values[0])) if values else CODES[code]
            result.issues.append(Issue(code, message, source=str(path), line=number))
            result.unread.append((number, raw))
            continue
        images[image["image"]] = {**image, "status": status}
        rows += found
    if not images:
        code = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT" if result.unread else "ERROR_MANIFEST_IS_EMPTY"
        raise ManifestError(f"{str(path)!r}: {CODES[code]}", code)
    result.images = t.normalise_images(pd.DataFrame(list(images.values())))
    if rows:
        result.annotations = t.normalise_annotations(pd.DataFrame(rows))
    return result


def _parse(raw: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _LineError("ERROR_INVALID_JSON_LINE") from error
    if not isinstance(line, dict):
        raise _LineError("ERROR_INVALID_JSON_LINE")
    if "source-ref" not in line:
        raise _LineError("ERROR_MISSING_SOURCE_REF")
    if not isinstance(line["source-ref"], str) or not line["source-ref"]:
        raise _LineError("ERROR_INVALID_SOURCE_REF_FORMAT")
    image: dict[str, Any] = {"image": line["source-ref"]}
    rows: list[dict[str, Any]] = []
    attributes = [key for key in line if key + _METADATA in line]
    for key in attributes:
        metadata = line[key + _METADATA]
        if not isinstance(metadata, dict):
            raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")
        kind = metadata.get("type")
        if kind == IMAGE_LEVEL:
            rows.append(_image_level(image["image"], metadata))
        elif kind == BOXES:
            image |= _size(line[key])
            rows += _boxes(image["image"], key, line[key], metadata)
        else:
            raise _LineError("ERROR_UNSUPPORTED_USE_CASE_TYPE", key + _METADATA)
    return image, rows, "labelled" if attributes else "unlabelled"


def _image_level(image: str, metadata: dict[str, Any]) -> dict[str, Any]:
    label = metadata.get("class-name")
    if not isinstance(label, str) or not 1 <= len(label.strip()) <= 256:
        raise _LineError("ERROR_INVALID_LABEL_NAME_LENGTH")
    return {"image": image, "label": label, "confidence": _confidence(metadata), **_origin(metadata)}


def _boxes(image: str, key: str, value: Any, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(value, dict) or not isinstance(value.get("annotations"), list):
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", key)
    objects, names = metadata.get("objects", []), metadata.get("class-map", {})
    if len(objects) != len(value["annotations"]):
        raise _LineError("ERROR_MISSING_BOUNDING_BOX_CONFIDENCE")
    rows = []
    for box, facts in zip(value["annotations"], objects, strict=True):
        label = names.get(str(box.get("class_id")))
        if label is None:
            raise _LineError("ERROR_MISSING_CLASS_MAP_ID")
        try:
            corners = {side: float(box[side]) for side in t.BOX_COLUMNS}
        except (KeyError, TypeError, ValueError) as error:
            raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", key) from error
        rows.append({"image": image, "label": label, **corners, "confidence": _confidence(facts), **_origin(metadata)})
    return rows


def _size(value: Any) -> dict[str, int]:
    try:
        size = value["image_size"][0]
        return {"width": int(size["width"]), "height": int(size["height"])}
    except (KeyError, IndexError, TypeError, ValueError):
        return {}


def _confidence(facts: dict[str, Any]) -> float:
    value = facts.get("confidence", 1)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _LineError("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")
    return float(value)


def _origin(metadata: dict[str, Any]) -> dict[str, Any]:
    created = pd.to_datetime(metadata.get("creation-date"), utc=True, errors="coerce", format="ISO8601")
    return {"job": metadata.get("job-name"), "created": pd.Timestamp.now(tz="UTC") if pd.isna(created) else created}


def _box_attribute(image: Any, boxes: list[Any]) -> dict[str, Any]:
    names = sorted({row.label for row in boxes})
    ids = {name: number for number, name in enumerate(names)}
    size = {} if pd.isna(image.width) else {"width": int(image.width), "height": int(image.height), "depth": 3}
    return {
        BOX_ATTRIBUTE: {
            "image_size": [size],
            "annotations": [
                {"class_id": ids[row.label], **{side: getattr(row, side) for side in t.BOX_COLUMNS}} for row in boxes
            ],
        },
        BOX_ATTRIBUTE + _METADATA: {
            "objects": [{"confidence": row.confidence} for row in boxes],
            "class-map": {str(number): name for name, number in ids.items()},
            "type": BOXES,
            "human-annotated": "yes",
            "creation-date": _date(max(row.created for row in boxes)),
            "job-name": _text(boxes[0].job) or f"labeling-job/{BOX_ATTRIBUTE}",
        },
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _date(moment: pd.Timestamp) -> str:
    return str(moment.tz_convert("UTC").tz_localize(None).isoformat())
