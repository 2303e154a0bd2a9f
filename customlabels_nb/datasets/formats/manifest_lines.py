"""Read and check the lines of a SageMaker Ground Truth manifest, one at a time.

Both the reader and the validator use :func:`parse_line`, which runs every check in order and returns the usable labels.
``formats/manifest_tables.py`` has a fast path for well-formed lines and passes all other lines to ``parse_line``.
"""

from __future__ import annotations

import codecs
import io
import math
import os
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from customlabels_nb.core.issues import CODES, LINE_ERRORS
from customlabels_nb.core.limits import Limits
from customlabels_nb.core.tables import storable
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    IMAGE_LEVEL,
    METADATA,
    MULTI_LABEL,
    PREDICTION,
    SOURCE,
    ImageVerdict,
    Label,
    LineFinding,
    ParsedLine,
    State,
    attributes_of,
    box_of,
    bucket_of,
    confidence_of,
    expand_multi_label,
    finding,
    is_box,
    is_crowd,
    is_deleted,
    is_ignored,
    label_or_none,
    moment,
    origin_of,
    originals_of,
    others_of,
    parsed,
    size_of,
)
from customlabels_nb.errors import ImageError, ManifestError
from customlabels_nb.images.locations import is_remote, to_path, to_uri
from customlabels_nb.images.reading import read_bytes

#: Longest line in bytes. Longer lines are cut off, so that a file without line breaks cannot exhaust the memory.
LONGEST_LINE = 2**27
_BLOCK = 2**20
UNUSABLE = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
REFUSED = "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET"


class LineSource(Protocol):
    """Protocol for iterables of lines that can be read repeatedly and have a name for findings."""

    @property
    def name(self) -> str:
        """Path, URL or other name of the source."""

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class ManifestLines:
    """Lines of a manifest in memory, without line breaks, with its name in findings."""

    name: str
    lines: Sequence[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.lines)


class ManifestFile:
    r"""Lines of a manifest file, without line breaks and byte order mark. Pipes and devices are rejected."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._bytes = b""
        try:
            if is_remote(self.path):
                self.name = self.path
                self._bytes = read_bytes(self.path)
                self.size = len(self._bytes)
                return
            self.name = to_uri(to_path(self.path))
            if not os.path.isfile(to_path(self.path)):
                raise OSError("there is no such file" if not os.path.exists(to_path(self.path)) else "it is not a file")
            with self._open():
                self.size = os.path.getsize(to_path(self.path))
        except (OSError, ValueError) as error:
            raise _error(self.path, error) from error

    def __iter__(self) -> Iterator[bytes]:
        with self._open() as file:
            if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                file.seek(0)
            parts: list[bytes] = []  # of a line that continues in the next block
            while block := file.read(_BLOCK):
                *lines, rest = block.split(b"\n")
                if lines:
                    yield b"".join([*parts, lines[0]])
                    yield from lines[1:]
                    parts.clear()
                parts.append(rest)
                if sum(map(len, parts)) > LONGEST_LINE:
                    yield b"".join(parts)
                    parts.clear()
                    _skip_line(file)
            if line := b"".join(parts):
                yield line

    def _open(self) -> BinaryIO:
        return io.BytesIO(self._bytes) if is_remote(self.path) else open(to_path(self.path), "rb")


def _skip_line(file: BinaryIO) -> None:
    while block := file.read(_BLOCK):
        if (end := block.find(b"\n")) >= 0:
            file.seek(end + 1 - len(block), os.SEEK_CUR)
            return


def _error(path: str, error: Exception) -> ManifestError:
    refused = isinstance(error, ImageError) and isinstance(error.__cause__, PermissionError)
    code = REFUSED if refused and path.startswith("s3://") else UNUSABLE
    why = error.reason if isinstance(error, ImageError) else error
    return ManifestError(f"{path!r}: {CODES[code]} ({why})", code)


def lines_numbered(source: LineSource, numbers: Container[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of ``source`` with these ``numbers`` (from 1)."""
    for number, raw in enumerate(source, 1):
        if number in numbers:
            yield number, raw


def without_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")


#: Number of pixels by which boxes may extend beyond the image, because of floating-point rounding.
TOLERANCE = 1e-6
#: Rekognition shrinks images with a longer side than this (in pixels) before it checks the size of boxes.
SHRUNK_TO = 1280

#: Codes of the first eight checks. If one of these fails, the line is not checked further.
ENDS_A_LINE = frozenset(list(LINE_ERRORS)[:8])


def parse_line(raw: bytes, limits: Limits, image: ImageVerdict | None = None) -> ParsedLine:
    """Check a line and collect its valid labels. Errors are returned as findings and never raised.

    ``limits.service`` enables all rules of Rekognition. Otherwise, everything that can be parsed is accepted. Without
    ``image``, the image size in the line is used.
    """
    line = ParsedLine()
    try:
        value = _object(raw, limits)
        originals = originals_of(value)
        line.others = ["label attribute that has an adjusted copy"] * len(originals) + others_of(value)
        if not limits.service:
            hidden = {*originals, *(key + METADATA for key in originals)}
            value = expand_multi_label({key: part for key, part in value.items() if key not in hidden})
        line.source_ref = _source(value, limits)
        line.predictions = sum(key.endswith(METADATA) for key in value if PREDICTION.fullmatch(key))
        attributes = _checked_attributes(value, originals, limits)
    except _Stop as stop:
        line.findings = [finding(*stop.args)]
        line.state = "invalid"
        return line
    line.looked_at = bool(attributes)
    dates = (attribute.facts.get("creation-date") for attribute in attributes)
    line.bad_dates = sum(bool(date) and moment(date) is None for date in dates)
    _judge(line, attributes, limits, image)
    return line


def _checked_attributes(value: dict[str, Any], originals: set[str], limits: Limits) -> list[_Attribute]:
    """Return the label attributes of a line after the checks that end it. Each check is made on all of them."""
    attributes = [_Attribute(key, value, limits, is_shown=key not in originals) for key in attributes_of(value)]
    if not attributes and any(key != SOURCE and not is_ignored(key) for key in value):
        raise _Stop("ERROR_NO_LABEL_ATTRIBUTES")
    for check in (_Attribute.check_value, _Attribute.check_metadata, _Attribute.pair, _Attribute.name_classes):
        for attribute in attributes:
            check(attribute)
    return attributes


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Facts that decide which errors a line has. ``boxed`` are the attributes with boxes."""

    attributes: list[_Attribute]
    boxed: list[_Attribute]
    limits: Limits
    image: ImageVerdict

    @property
    def labels(self) -> list[Label]:
        """Labels that no rule has excluded so far, those of the image first."""
        labels = (label for a in self.attributes if a.usable and a.is_shown for label in a.labels)
        return sorted(labels, key=lambda label: label.box is not None)


def _judge(line: ParsedLine, attributes: list[_Attribute], limits: Limits, image: ImageVerdict | None) -> None:
    """Apply the rules that can find several errors in a line, and store the valid labels in ``line.labels``."""
    boxed = [a for a in attributes if a.kind == BOXES]
    declared = next((a.size for a in boxed if a.size), None)
    image = image or ImageVerdict(wrong_size=wrong_size(declared, limits) if declared else "")
    evidence = _Evidence(attributes, boxed, limits, image)
    errors = [error for rule in _ERROR_RULES for error in rule(evidence)]
    line.size, labels = image.size or declared, evidence.labels
    line.findings = errors + (_warnings(evidence, labels) if limits.service else [])
    line.state = _state(evidence, labels, errors, line.findings)
    line.labels = [] if line.state == "invalid" else labels


def _attribute_errors(evidence: _Evidence) -> Iterator[LineFinding]:
    for a in evidence.attributes:
        if a.kind is None:
            what = "it must be a list of class numbers, each with a name in class-map"
            detail = what if a.facts.get("type") == MULTI_LABEL else ""
            yield finding("ERROR_UNSUPPORTED_USE_CASE_TYPE", a.key + METADATA, place=(a.key + METADATA,), detail=detail)
    for a in evidence.attributes:
        yield from a.check_labels()
    if evidence.attributes and not any(a.kind for a in evidence.attributes):
        yield finding("ERROR_NO_VALID_LABEL_ATTRIBUTES")


def _image_errors(evidence: _Evidence) -> Iterator[LineFinding]:
    image, boxed = evidence.image, evidence.boxed
    if evidence.limits.service and not evidence.attributes:
        return
    if image.unusable or (image.wrong_size and not boxed):
        yield finding("ERROR_INVALID_IMAGE", detail=image.unusable or image.wrong_size)
    if image.wrong_size and boxed:
        yield finding("ERROR_INVALID_IMAGE_DIMENSION", detail=image.wrong_size)


def _box_errors(evidence: _Evidence) -> Iterator[LineFinding]:
    most = evidence.limits.max_boxes_per_image
    for a in evidence.boxed:
        yield from a.check_boxes(evidence.image.size or a.size)
    for a in evidence.boxed:
        if most is not None and len(a.boxes) > most:
            a.usable = False
            yield finding("ERROR_TOO_MANY_BOUNDING_BOXES", place=(a.key,), detail=f"{len(a.boxes):,} boxes")


def _label_errors(evidence: _Evidence) -> Iterator[LineFinding]:
    labels, most = evidence.labels, evidence.limits.max_labels_per_image
    whole = {label.name for label in labels if label.box is None}
    if most is not None and len(whole) > most:
        yield finding("ERROR_TOO_MANY_LABELS", detail=f"{len(whole):,} labels, but at most {most:,} are allowed")
    if not labels and any(a.has_invalid_boxes for a in evidence.boxed):
        yield finding("ERROR_NO_VALID_ANNOTATIONS")


#: Rules that can find several errors in a line, in the order of Rekognition's checks. Each leaves out what is invalid,
#: and the next ones see what is left.
_ERROR_RULES: tuple[Callable[[_Evidence], Iterator[LineFinding]], ...] = (
    _attribute_errors,  # an attribute needs a known type, and labels that can be created
    _image_errors,  # a wrong size has its own code if there are boxes, and images without attributes are not opened
    _box_errors,  # an invalid box leaves the others of its attribute, too many boxes leave none
    _label_errors,  # counts what is left
)


def _warnings(evidence: _Evidence, labels: list[Label]) -> list[LineFinding]:
    if not evidence.attributes:
        return [finding("WARNING_UNANNOTATED_RECORD")]
    warnings = [finding("WARNING_NO_ATTRIBUTE_ANNOTATIONS", place=(a.key,)) for a in evidence.boxed if not a.boxes]
    return warnings if labels or not warnings else [*warnings, finding("WARNING_NO_ANNOTATIONS")]


def _state(evidence: _Evidence, labels: list[Label], errors: list[LineFinding], findings: list[LineFinding]) -> State:
    if any(not error.place for error in errors):
        return "invalid"  # an error of the whole line
    shows_nothing = not evidence.limits.service and any(a.usable and not a.boxes for a in evidence.boxed)
    if not findings or labels or shows_nothing:
        return "valid"  # something is left: labels, or the fact that the image has none
    return "invalid" if errors else "ignored"


def _object(raw: bytes, limits: Limits) -> dict[str, Any]:
    longest = math.inf if limits.max_line_length is None else limits.max_line_length
    too_long = len(raw) > longest and len(raw.decode("utf-8", "replace").rstrip("\r\n")) > longest
    if too_long or (value := parsed(raw)) is None:
        raise _Stop("ERROR_INVALID_JSON_LINE")
    return value


def _source(value: dict[str, Any], limits: Limits) -> str:
    if SOURCE not in value:
        raise _Stop("ERROR_MISSING_SOURCE_REF")
    source = value[SOURCE]
    if isinstance(source, str) and source and storable(source) and not (limits.service and bucket_of(source) is None):
        return source
    raise _Stop("ERROR_INVALID_SOURCE_REF_FORMAT")


def wrong_size(size: tuple[int, int], limits: Limits) -> str:
    """Describe what is wrong with an image of ``size`` (width, height) pixels, or return an empty string."""
    largest = math.inf if limits.max_side_pixels is None else limits.max_side_pixels
    if limits.min_side_pixels <= min(size) <= max(size) <= largest:
        return ""
    return f"{size[0]:,} × {size[1]:,} pixels, but each side must be {limits.min_side_pixels} to {largest:,}"


# -- label attributes -------------------------------------------------------------------------------


class _Stop(Exception):
    """Error that ends the checks of a line, with the error code and the value for its message."""


class _Attribute:
    """Label attribute and its metadata. ``kind`` is None for an unknown type."""

    def __init__(self, key: str, line: dict[str, Any], limits: Limits, *, is_shown: bool) -> None:
        self.key, self.value, self.metadata, self.limits = key, line[key], line[key + METADATA], limits
        self.facts: dict[str, Any] = self.metadata if isinstance(self.metadata, dict) else {}
        declared = self.facts.get("type")
        self.kind = declared if declared in (IMAGE_LEVEL, BOXES) and isinstance(declared, str) else None
        self.unsure = self.kind is None and not isinstance(declared, str)  # without a type, the metadata is malformed
        self.usable = self.kind is not None
        self.is_shown, self.has_invalid_boxes = is_shown, False
        self.boxes: list[Any] = []
        self.size: tuple[int, int] | None = None
        self.confidences: list[float] = []
        self.classes: list[Any] = []
        self.labels: list[Label] = []

    # -- checks that end the line when they fail ---------------------------------------------------------
    def check_value(self) -> None:
        strict, value = self.limits.service, self.value
        like_boxes = self.kind == BOXES or (self.unsure and strict and isinstance(value, dict))
        if like_boxes:
            boxes = value.get("annotations", []) if isinstance(value, dict) else None
            if not isinstance(boxes, list) or not all(map(is_box, boxes)):
                raise _Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)
            self.boxes, self.size = boxes, size_of(value, strict=strict)
            if strict and boxes and self.size is None:
                raise _Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)
        elif strict and (self.kind == IMAGE_LEVEL or self.unsure) and type(value) is not int:
            raise _Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)

    def check_metadata(self) -> None:
        strict = self.limits.service
        sound = (
            self.facts is self.metadata  # an object
            and not (strict and self.unsure)
            and (not strict or self.kind is None or self._has_origin())
            and (self.kind != IMAGE_LEVEL or self._has_class())
            and (self.kind != BOXES or self._has_objects())
        )
        if not sound:
            raise _Stop("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")

    def _has_origin(self) -> bool:
        """Check whether the metadata states how and when the labels were made, and a job if any."""
        people, date = self.facts.get("human-annotated"), moment(self.facts.get("creation-date"))
        return people in ("yes", "no") and date is not None and isinstance(self.facts.get("job-name", ""), str)

    def _has_class(self) -> bool:
        """Check whether the metadata has a label and a confidence, which may be missing unless Rekognition reads it."""
        complete = not self.limits.service or {"confidence", "class-name"} <= self.facts.keys()
        named = isinstance(self.facts.get("class-name", ""), str)
        return complete and named and confidence_of(self.facts, 1.0) is not None

    def _has_objects(self) -> bool:
        """Check whether the metadata has a list of confidences and a map of class names, which may be missing."""
        objects, names = self.facts.get("objects", []), self.facts.get("class-map", {})
        if not isinstance(objects, list) or not isinstance(names, dict):
            return False
        sure = all(isinstance(each, dict) and confidence_of(each, 1.0) is not None for each in objects)
        return sure and all(isinstance(name, str) for name in names.values())

    def pair(self) -> None:
        """Assign a confidence to each box."""
        if self.kind != BOXES:
            return
        objects = self.facts.get("objects")
        if objects is None and not self.limits.service:
            sure = confidence_of(self.facts, 1.0)  # Rekognition's evaluation snapshots have one for all boxes
            self.confidences = [1.0 if sure is None else sure] * len(self.boxes)
            return
        objects = objects or []
        if len(objects) != len(self.boxes) or (self.limits.service and any("confidence" not in o for o in objects)):
            raise _Stop("ERROR_MISSING_BOUNDING_BOX_CONFIDENCE")
        self.confidences = [confidence_of(each, 1.0) or 0.0 for each in objects]

    def name_classes(self) -> None:
        """Look up the label of each box."""
        if self.kind != BOXES:
            return
        names = self.facts.get("class-map", {})
        ids = [box.get("class_id") for box in self.boxes]
        if not all(type(number) in (int, str) and str(number) in names for number in ids):
            raise _Stop("ERROR_MISSING_CLASS_MAP_ID")
        self.classes = [names[str(number)] for number in ids]

    # -- other checks -------------------------------------------------------------------------------------
    def check_labels(self) -> Iterator[LineFinding]:
        """Yield invalid labels, or collect the attribute's labels if all are valid."""
        if self.kind is None:
            return
        class_names = self.classes if self.kind == BOXES else [self.facts.get("class-name", "")]
        names = {name: label_or_none(name, self.limits) for name in class_names}
        if None in names.values():
            self.usable = False
            yield finding("ERROR_INVALID_LABEL_NAME_LENGTH", place=(self.key + METADATA,))
            return
        name = self.facts.get("job-name")
        named = name if isinstance(name, str) and name and storable(name) else None
        job, annotator = origin_of(named, self.facts.get("human-annotated"))
        created = moment(self.facts.get("creation-date"))
        if self.kind == IMAGE_LEVEL:
            sure = confidence_of(self.facts, 1.0) or 0.0
            self.labels = [Label(str(names[class_names[0]]), sure, job, created, annotator=annotator)]
            return
        self.labels = [
            Label(str(names[name]), sure, job, created, box_of(box), annotator, is_crowd(box))
            for name, sure, box in zip(class_names, self.confidences, self.boxes, strict=True)
        ]

    def check_boxes(self, frame: tuple[int, int] | None) -> Iterator[LineFinding]:
        """Yield errors of invalid boxes, and remove them, and boxes that are marked as deleted, from ``labels``."""
        bad = {number for number, box in enumerate(self.boxes) if is_deleted(box)}
        for number, box in enumerate(self.boxes):
            for code in box_errors(box_of(box), frame, self.limits):
                self.has_invalid_boxes = True
                bad.add(number)
                yield finding(code, place=(self.key, "annotations", number))
        self.labels = [label for number, label in enumerate(self.labels) if number not in bad]


def box_errors(box: tuple[float, float, float, float], frame: tuple[int, int] | None, limits: Limits) -> Iterator[str]:
    """Yield the error codes for a box (left, top, width, height) in an image of size ``frame`` (width, height)."""
    left, top, width, height = box
    if not limits.service:
        if width < 0 or height < 0:
            yield "ERROR_INVALID_BOUNDING_BOX"
        return
    right, bottom = frame or (math.inf, math.inf)
    if min(box) < -TOLERANCE or left + width > right + TOLERANCE or top + height > bottom + TOLERANCE:
        yield "ERROR_INVALID_BOUNDING_BOX"
    shrink = min(1.0, SHRUNK_TO / max(frame)) if frame else 1.0
    if min(width, height) >= 0 and min(width, height) * shrink <= 1:
        yield "ERROR_BOUNDING_BOX_TOO_SMALL"
