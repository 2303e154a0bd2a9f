"""Keys, values and findings of the lines of a SageMaker Ground Truth manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.account import NUMBER, TAKEN, TEXT, Account, Record
from customlabels_nb.datasets.formats.json_file import as_list, number_or_none, shown
from customlabels_nb.errors import LabelError

IMAGE_LEVEL = "groundtruth/image-classification"
MULTI_LABEL = "groundtruth/image-classification-multilabel"
BOXES = "groundtruth/object-detection"
METADATA = "-metadata"
SOURCE = "source-ref"
#: Keys that validation adds to a line and to its objects.
ADDED = frozenset({"errors", "warnings", "cl-errors", "cl-warnings", "cl-metadata"})
#: Key of the metadata of an attribute that a job made from an earlier attribute of the line, and corrected.
ADJUSTED = "adjustment-status"
#: Key that marks an image size as only the extent of the boxes, in evaluation snapshots with unknown image sizes.
ESTIMATED = "estimated"
#: Keys that the reader knows: of metadata, their objects, boxes of an image, their image size, and each box.
KNOWN_METADATA = ADDED | {
    "objects", "class-map", "type", "human-annotated", "creation-date", "job-name", "confidence", "class-name",
    "confidence-map", ADJUSTED,
}  # fmt: skip
KNOWN_OF_OBJECT = ADDED | {"confidence"}
KNOWN_OF_BOX = ADDED | {"class_id", *t.BOX_COLUMNS, "iscrowd", "deleted"}
KNOWN_OF_SIZE = ADDED | {"width", "height", "depth", ESTIMATED}
KNOWN_OF_BOXES = ADDED | {"image_size", "annotations"}
#: Codes that are only consequences of another finding, which is the one to fix.
CONSEQUENCES = frozenset({"ERROR_NO_VALID_LABEL_ATTRIBUTES", "ERROR_NO_VALID_ANNOTATIONS", "WARNING_NO_ANNOTATIONS"})
#: Attributes in which an evaluation stores the model's predictions. They are not ground truth.
PREDICTION = re.compile(r"rekognition-custom-labels-evaluation(-\d+)?(-metadata)?", re.ASCII)

_METADATA = Record(
    "a metadata object",
    {
        **dict.fromkeys(KNOWN_METADATA, TAKEN),
        "job-name": TEXT,
        "objects": Record("an object", dict.fromkeys(KNOWN_OF_OBJECT, TAKEN)),
    },
)
_BOXES = Record(
    "a label attribute",
    {
        "image_size": Record(
            "an image size",
            {**dict.fromkeys(KNOWN_OF_SIZE, TAKEN), **dict.fromkeys(("width", "height"), NUMBER)},
            whole=True,
        ),
        "annotations": Record("a box", dict.fromkeys(KNOWN_OF_BOX, TAKEN)),
    },
)
LARGEST_SIZE = 2**31 - 1
_S3 = re.compile(r"s3://([^/]+)/.+", re.DOTALL)

#: Location of a finding in a line's object: () is the line, ("box",) an attribute, ("box-metadata",) its metadata,
#: ("box", "annotations", 3) an annotation.
Place: TypeAlias = tuple[str | int, ...]
State: TypeAlias = Literal["valid", "invalid", "ignored"]


@dataclass(frozen=True, slots=True)
class LineFinding:
    """Error or warning about a line, with Rekognition's exact message. ``place`` is the path to the affected part."""

    code: str
    message: str
    place: Place = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """Result of checking an image: its upright size, and codes of what is wrong for all lines, or those with boxes."""

    size: tuple[int, int] | None = None
    unusable: str = ""
    wrong_size: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """Valid label of an image, or of the object in ``box``, with the job and annotator of :func:`origin_of`."""

    name: str
    confidence: float
    job: str | None
    created: int | None
    box: tuple[float, float, float, float] | None = None
    annotator: str | None = None
    crowd: bool = False


@dataclass(slots=True)
class ParsedLine:
    """Result of parsing a line.

    The date ``created`` of a label is in microseconds since 1970 (UTC), or None if there is no valid date.
    ``predictions`` counts the attributes with model predictions, ``bad_dates`` those with an invalid date. ``others``
    are what the line has but the reader does not import.
    """

    source_ref: str | None = None
    state: State = "valid"
    findings: list[LineFinding] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    size: tuple[int, int] | None = None
    looked_at: bool = False
    predictions: int = 0
    bad_dates: int = 0
    repeated: bool = False
    others: list[str] = field(default_factory=list)


def finding(code: str, *values: str, place: Place = (), detail: str = "") -> LineFinding:
    """Create a finding with the message for the code, replacing ``{}`` in it with the first value."""
    message = CODES[code].replace("{}", values[0]) if values else CODES[code]
    return LineFinding(code, message, place, detail)


def parsed(raw: bytes) -> dict[str, Any] | None:
    """Parse the JSON object of a line, or return None."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def bucket_of(source_ref: str) -> str | None:
    """Return the bucket in an ``s3://bucket/key`` URI, or None for anything else."""
    match = _S3.fullmatch(source_ref)
    return match[1] if match else None


def attributes_of(value: dict[str, Any]) -> list[str]:
    """List the label attributes: keys with metadata, except predictions and keys added by validation."""
    return [key for key in value if key != SOURCE and key + METADATA in value and not is_ignored(key)]


def is_ignored(key: str) -> bool:
    """Check whether a key was added by validation or holds model predictions, so that it is not a label attribute."""
    return key in ADDED or PREDICTION.fullmatch(key) is not None


def originals_of(value: dict[str, Any]) -> set[str]:
    """Return the label attributes of a line that have an adjusted copy.

    A job that adjusts labels adds an attribute of the same type with an ``adjustment-status``, and keeps the original.
    If there are several attributes before it, the original is the one whose name it continues, or else the last one.
    """
    earlier: list[tuple[str, Any]] = []
    originals: set[str] = set()
    for key in attributes_of(value):
        facts = value[key + METADATA] if isinstance(value[key + METADATA], dict) else {}
        if ADJUSTED in facts:
            alike = [name for name, kind in earlier if kind == facts.get("type") and name not in originals]
            originals.update(([name for name in alike if key.startswith(name)] or alike)[-1:])
        earlier.append((key, facts.get("type")))
    return originals


def others_of(value: dict[str, Any]) -> list[str]:
    """List what a line has beyond its labels: unknown keys and values, and annotations that are marked as deleted."""
    pairs = attributes_of(value)
    others = [f"value of the key {shown(key)} of a line" for key in unpaired_of(value) if value[key] is not None]
    for key in pairs:
        account = Account()
        facts, boxes = value[key + METADATA], value[key]
        account.record(facts, _METADATA, "")
        account.record(boxes, _BOXES, "")
        others += account.kinds()
        if isinstance(facts, dict) and t.as_boolean(human := facts.get("human-annotated", "yes")) is None:
            others.append(f"human-annotated that is {shown(human)}, not 'yes' or 'no', and was read as 'yes'")
        annotations = boxes.get("annotations") if isinstance(boxes, dict) else None
        others += ["box that is marked as deleted"] * sum(is_deleted(box) for box in as_list(annotations))
    return others


def unpaired_of(value: Iterable[str]) -> list[str]:
    """List the keys of a line that belong to no label attribute, and are neither predictions nor of a validation."""
    keys = dict.fromkeys(value)
    pairs = [key for key in keys if key + METADATA in keys]
    paired = {SOURCE, *pairs, *(key + METADATA for key in pairs)}
    return [key for key in keys if key not in paired and not is_ignored(key)]


def expand_multi_label(value: dict[str, Any]) -> dict[str, Any]:
    """Replace a multi-label attribute with one image-level attribute per class: ``<job>0``, ``<job>1``, ….

    An empty list of classes means that the image shows no objects, and becomes a box attribute without boxes. Invalid
    attributes stay unchanged. If there is no multi-label attribute, the same object is returned.
    """
    instead: dict[str, dict[str, Any]] = {}
    for key in attributes_of(value):
        metadata = value[key + METADATA]
        if isinstance(metadata, dict) and metadata.get("type") == MULTI_LABEL:
            single = list(_single_labels(value[key], metadata))
            if None not in single:
                instead[key] = _numbered(key, single, value) if single else _nothing(key, metadata)
                instead[key + METADATA] = {}
    if not instead:
        return value
    result: dict[str, Any] = {}
    for key, part in value.items():
        result |= instead.get(key, {key: part})
    return result


def _numbered(key: str, single: list[dict[str, Any] | None], value: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, metadata in enumerate(single):
        name = f"{key}{number}"
        while name in value or name + METADATA in value:
            name += "-"
        result |= {name: 1, name + METADATA: metadata}
    return result


def _nothing(key: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: {"annotations": []}, key + METADATA: {**metadata, "type": BOXES, "class-map": {}, "objects": []}}


def _single_labels(classes: Any, metadata: dict[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Yield the metadata of each class, or None for an invalid class."""
    names, sure = metadata.get("class-map"), metadata.get("confidence-map", {})
    if not isinstance(classes, list) or not isinstance(names, dict) or not isinstance(sure, dict):
        yield None
        return
    rest = {key: part for key, part in metadata.items() if key not in ("class-map", "confidence-map", *ADDED)}
    for number in classes:
        name = names.get(str(number)) if type(number) is int else None
        confidence = sure.get(str(number), 1)
        yield None if name is None else {**rest, "confidence": confidence, "class-name": name, "type": IMAGE_LEVEL}


_EPOCH = datetime(1970, 1, 1)


def moment(text: object) -> int | None:
    """Convert an ISO date to microseconds since 1970 (UTC), or return None if it is invalid."""
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text.strip())
        if when.tzinfo is not None:
            when = when.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def origin_of(job: str | None, human_annotated: object) -> tuple[str | None, str | None]:
    """Return the job and the annotator of an attribute, given its ``job-name`` and ``human-annotated``.

    The annotator is None unless ``human-annotated`` is "no" or "false". A model's name is written as the ``job-name``,
    see :func:`job_name_of`. The output of other tools names a job there, from which the annotator is derived.
    """
    if t.as_boolean(human_annotated) is not False:
        return job, None
    if job is None:
        return None, f"{t.MACHINE}unknown"
    return (None, job) if job.startswith(t.MACHINE) else (job, t.MACHINE + job)


def job_name_of(job: str | None, annotator: str | None) -> tuple[str | None, bool]:
    """Return the ``job-name`` of an annotation, or None for the default, and whether a model assigned it."""
    if annotator is None or not annotator.startswith(t.MACHINE):
        return job, False
    return job or annotator, True


def label_or_none(name: object, limits: Limits) -> str | None:
    """Return ``name`` as a label, or None if it is invalid."""
    try:
        return t.check_label(name, max_length=limits.max_label_length)
    except LabelError:
        return None


def is_box(box: Any) -> bool:
    """Check whether an annotation has the four numbers of a box."""
    return isinstance(box, dict) and all(number_or_none(box.get(side)) is not None for side in t.BOX_COLUMNS)


def box_of(box: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return the left, top, width and height of a valid annotation."""
    return float(box["left"]), float(box["top"]), float(box["width"]), float(box["height"])


def is_deleted(box: Any) -> bool:
    """Check whether an annotation is marked as deleted."""
    return isinstance(box, dict) and t.as_boolean(box.get("deleted")) is True


def is_crowd(box: dict[str, Any]) -> bool:
    """Check whether an annotation is marked as a crowd, as in COCO and in evaluation snapshots."""
    return box.get("iscrowd") == 1


def size_of(value: Any, *, strict: bool = False) -> tuple[int, int] | None:
    """Return the width and height in an attribute's ``image_size``, or None if they are not a valid image size.

    With ``strict``, only integers are accepted. Otherwise an estimated size is ignored, so that no box is fitted.
    """
    try:
        size = value["image_size"][0]
        if not strict and ESTIMATED in size:
            return None
        width, height = size["width"], size["height"]
        if strict and not type(width) is type(height) is int:
            return None
        width, height = int(width), int(height)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < min(width, height) <= max(width, height) <= LARGEST_SIZE else None


def confidence_of(facts: dict[str, Any], default: float | None) -> float | None:
    """Return the confidence of an object, ``default`` if it is missing, or None if it is not between 0 and 1."""
    if "confidence" not in facts:
        return default
    value = facts["confidence"]
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if good else None
