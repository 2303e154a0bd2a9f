"""What the lines of Ground Truth manifests are made of: keys, values and what may be wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.json_file import number_or_none
from customlabels_nb.errors import LabelError

IMAGE_LEVEL = "groundtruth/image-classification"
MULTI_LABEL = "groundtruth/image-classification-multilabel"
BOXES = "groundtruth/object-detection"
METADATA = "-metadata"
SOURCE = "source-ref"
#: What validation adds to a line, and to the objects in it.
ADDED = frozenset({"errors", "warnings", "cl-errors", "cl-warnings", "cl-metadata"})
#: Codes that a line only gets because of another one, which is what there is to mend.
CONSEQUENCES = frozenset({"ERROR_NO_VALID_LABEL_ATTRIBUTES", "ERROR_NO_VALID_ANNOTATIONS", "WARNING_NO_ANNOTATIONS"})
#: Attributes in which an evaluation keeps what the model said; they are no truth.
PREDICTION = re.compile(r"rekognition-custom-labels-evaluation(-\d+)?(-metadata)?", re.ASCII)

#: Marks a size that is no more than the extent of the boxes, in evaluation snapshots of images that aren't known.
ESTIMATED = "estimated"

LARGEST_SIZE = 2**31 - 1
_S3 = re.compile(r"s3://([^/]+)/.+", re.DOTALL)

#: Where in a line's object a finding belongs: () the line, ("box",) an attribute, ("box-metadata",) its metadata,
#: ("box", "annotations", 3) an annotation.
Place: TypeAlias = tuple[str | int, ...]
State: TypeAlias = Literal["valid", "invalid", "ignored"]


@dataclass(frozen=True, slots=True)
class LineFinding:
    """One thing that is wrong, or at least worth a warning.

    Attributes
    ----------
    code : str
        A key of :data:`customlabels_nb.core.issues.CODES`.
    message : str
        The code's message, word for word as the service has it.
    place : tuple
        The way to the part of the line's object that it belongs to; () is the line, or the manifest.
    detail : str
        What the message doesn't say, for a person; often empty.
    """

    code: str
    message: str
    place: Place = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """What looking at the image of a line told: its upright size, and whether it can be used.

    ``unusable`` holds for all lines; ``wrong_size`` has a code of its own on lines with boxes.
    """

    size: tuple[int, int] | None = None
    unusable: str = ""
    wrong_size: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A usable label of the whole image, or with ``box`` (left, top, width, height in pixels) of a part of it."""

    name: str
    confidence: float
    job: str | None
    created: int | None
    box: tuple[float, float, float, float] | None = None


@dataclass(slots=True)
class ParsedLine:
    """What a line says. ``created`` of labels is in microseconds since 1970 (UTC), None if there is no such date.

    ``predictions`` and ``bad_dates`` are how many attributes hold what a model said, and a date that is none.
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


def finding(code: str, *values: str, place: Place = (), detail: str = "") -> LineFinding:
    """The finding with the code's message, ``{}`` in it replaced."""
    message = CODES[code].replace("{}", values[0]) if values else CODES[code]
    return LineFinding(code, message, place, detail)


def loads(raw: bytes) -> Any:
    """The JSON value of a line; ValueError if it has none."""
    try:
        return json.loads(raw.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def bucket_of(source_ref: str) -> str | None:
    """The bucket of an ``s3://bucket/key``; None of anything else."""
    match = _S3.fullmatch(source_ref)
    return match[1] if match else None


def attributes_of(value: dict[str, Any]) -> list[str]:
    """The keys that are label attributes: those with metadata, but for predictions and what validation added."""
    return [key for key in value if key != SOURCE and key + METADATA in value and not is_ignored(key)]


def is_ignored(key: str) -> bool:
    """Whether an attribute is none: it is what validation added, or what a model said."""
    return key in ADDED or PREDICTION.fullmatch(key) is not None


def expand_multi_label(value: dict[str, Any]) -> dict[str, Any]:
    """A line's object with an image-level attribute for each class of a multi-label job: ``<job>0``, ``<job>1``, ….

    Without classes, the image was looked at and shows nothing: so says an attribute without boxes. What can't be
    understood stays as it is; the same object comes back where there is no such job.
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
    """The metadata of each class by itself; None for one that can't be understood."""
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
    """Microseconds since 1970 of a date with or without fraction, zone, and ``T``; None where there is none."""
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


def label_or_none(name: object, limits: Limits) -> str | None:
    """``name`` as a label; None if it can't be one."""
    try:
        return t.check_label(name, max_length=limits.max_label_length)
    except LabelError:
        return None


def is_box(box: Any) -> bool:
    """Whether an annotation has the four numbers of a box."""
    return isinstance(box, dict) and all(number_or_none(box.get(side)) is not None for side in t.BOX_COLUMNS)


def box_of(box: dict[str, Any]) -> tuple[float, float, float, float]:
    """The numbers of an annotation that has been checked."""
    return float(box["left"]), float(box["top"]), float(box["width"]), float(box["height"])


def size_of(value: Any, *, strict: bool = False) -> tuple[int, int] | None:
    """Width and height that an attribute gives in ``image_size``, if they can be those of an image.

    ``strict`` takes nothing but whole numbers for them. Otherwise a size that is marked as estimated is none: boxes
    would be fitted by it.
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
    """The confidence, 0 to 1, that an object gives; None if that is none, ``default`` if there is none."""
    if "confidence" not in facts:
        return default
    value = facts["confidence"]
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if good else None
