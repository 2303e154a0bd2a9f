"""One line of a Ground Truth manifest, to the letter: every check in its order, and what of the line can be used.

Reader and validator both stand on :func:`parse_line`. ``formats/manifest_tables.py`` takes well-formed lines many at a
time and leaves all others to it.
"""

from __future__ import annotations

import math
from typing import Any

from customlabels_nb.core.issues import LINE_ERRORS
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.json_file import storable
from customlabels_nb.datasets.formats.manifest_attributes import Add, Attribute, Stop
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    METADATA,
    PREDICTION,
    SOURCE,
    ImageVerdict,
    ParsedLine,
    attributes_of,
    bucket_of,
    expand_multi_label,
    finding,
    is_ignored,
    loads,
)

#: The first eight checks: what fails one of them is not checked further.
ENDS_A_LINE = frozenset(list(LINE_ERRORS)[:8])


def parse_line(raw: bytes, limits: Limits, image: ImageVerdict | None = None) -> ParsedLine:
    """Check a line and gather what can be used of it; never raises.

    Parameters
    ----------
    raw : bytes
        The line, with or without its end.
    limits : Limits
        ``limits.service`` asks for all that the hosted service does; otherwise what can be understood is read.
    image : ImageVerdict, optional
        What is known of the image; the size that the line gives counts where there is none.
    """
    line = ParsedLine()
    try:
        value = _object(raw, limits)
        if not limits.service:
            value = expand_multi_label(value)
        pairs = attributes_of(value)
        line.source_ref = _source(value, limits)
        line.predictions = sum(key.endswith(METADATA) for key in value if PREDICTION.fullmatch(key))
        if not pairs and any(key != SOURCE and not is_ignored(key) for key in value):
            raise Stop("ERROR_NO_LABEL_ATTRIBUTES")
        attributes = [Attribute(key, value[key], value[key + METADATA], limits) for key in pairs]
        for check in (Attribute.check_value, Attribute.check_metadata, Attribute.pair, Attribute.name_classes):
            for attribute in attributes:
                check(attribute)
    except Stop as stop:
        line.findings = [finding(*stop.args)]
        line.state = "invalid"
        return line
    line.looked_at = bool(attributes)
    line.bad_dates = sum(attribute.has_bad_date for attribute in attributes)
    _judge(line, attributes, limits, image)
    return line


def _judge(line: ParsedLine, attributes: list[Attribute], limits: Limits, image: ImageVerdict | None) -> None:
    """All checks that don't end each other; what passes goes to ``line.labels``."""
    add = line.findings.append
    for a in attributes:
        if a.kind is None:
            add(finding("ERROR_UNSUPPORTED_USE_CASE_TYPE", a.key + METADATA, place=(a.key + METADATA,)))
    for a in attributes:
        a.check_labels(add)
    if attributes and all(a.kind is None for a in attributes):
        add(finding("ERROR_NO_VALID_LABEL_ATTRIBUTES"))
    boxed = [a for a in attributes if a.kind == BOXES]
    declared = next((a.size for a in boxed if a.size), None)
    seen = image.size if image else None
    if attributes or not limits.service:
        _judge_image(add, limits, image, declared, bool(boxed))
    for a in boxed:
        a.check_boxes(add, seen or a.size)
    for a in boxed:
        if limits.max_boxes_per_image is not None and len(a.boxes) > limits.max_boxes_per_image:
            a.usable = False
            add(finding("ERROR_TOO_MANY_BOUNDING_BOXES", place=(a.key,), detail=f"{len(a.boxes):,} boxes"))
    line.labels = sorted(
        (label for a in attributes if a.usable for label in a.labels), key=lambda label: label.box is not None
    )
    whole, most = {label.name for label in line.labels if label.box is None}, limits.max_labels_per_image
    if most is not None and len(whole) > most:
        add(finding("ERROR_TOO_MANY_LABELS", detail=f"{len(whole):,} of at most {most:,} labels"))
    bad_boxes = any(found.place[1:2] == ("annotations",) for found in line.findings)
    if bad_boxes and not line.labels:
        add(finding("ERROR_NO_VALID_ANNOTATIONS"))
    line.size = seen or declared
    errors = bool(line.findings)
    if limits.service:
        empty = [a for a in boxed if not a.boxes]
        for a in empty:
            add(finding("WARNING_NO_ATTRIBUTE_ANNOTATIONS", place=(a.key,)))
        if empty and not line.labels:
            add(finding("WARNING_NO_ANNOTATIONS"))
        elif not attributes:
            add(finding("WARNING_UNANNOTATED_RECORD"))
    nothing_there = not limits.service and any(a.usable and not a.boxes for a in boxed)
    if any(found.place == () and found.code.startswith("ERROR_") for found in line.findings):
        line.state = "invalid"
    elif line.findings and not line.labels and not nothing_there:
        line.state = "invalid" if errors else "ignored"
    if line.state == "invalid":
        line.labels = []


def _judge_image(
    add: Add, limits: Limits, image: ImageVerdict | None, declared: tuple[int, int] | None, boxed: bool
) -> None:
    if image is None:
        image = ImageVerdict(wrong_size=wrong_size(declared, limits) if declared else "")
    if image.unusable or (image.wrong_size and not boxed):
        add(finding("ERROR_INVALID_IMAGE", detail=image.unusable or image.wrong_size))
    if image.wrong_size and boxed:
        add(finding("ERROR_INVALID_IMAGE_DIMENSION", detail=image.wrong_size))


def _object(raw: bytes, limits: Limits) -> dict[str, Any]:
    longest = limits.max_line_length
    if longest is not None and len(raw) > longest and len(raw.decode("utf-8", "replace").rstrip("\r\n")) > longest:
        raise Stop("ERROR_INVALID_JSON_LINE")
    try:
        value = loads(raw)
    except ValueError as error:
        raise Stop("ERROR_INVALID_JSON_LINE") from error
    if not isinstance(value, dict):
        raise Stop("ERROR_INVALID_JSON_LINE")
    return value


def _source(value: dict[str, Any], limits: Limits) -> str:
    if SOURCE not in value:
        raise Stop("ERROR_MISSING_SOURCE_REF")
    source = value[SOURCE]
    if not isinstance(source, str) or not source or not storable(source):
        raise Stop("ERROR_INVALID_SOURCE_REF_FORMAT")
    if limits.service and bucket_of(source) is None:
        raise Stop("ERROR_INVALID_SOURCE_REF_FORMAT")
    return source


def wrong_size(size: tuple[int, int], limits: Limits) -> str:
    """What is wrong with the sides of an image of ``size`` (width, height) pixels; empty if nothing is."""
    largest = math.inf if limits.max_side_pixels is None else limits.max_side_pixels
    if limits.min_side_pixels <= min(size) <= max(size) <= largest:
        return ""
    return f"{size[0]:,} × {size[1]:,} pixels; each side may have {limits.min_side_pixels} to {largest:,}"
