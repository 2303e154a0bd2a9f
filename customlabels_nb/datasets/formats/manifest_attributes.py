"""The label attributes of a line of a manifest: what each check finds, and the labels that they give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.json_file import storable
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    IMAGE_LEVEL,
    METADATA,
    Label,
    LineFinding,
    box_of,
    confidence_of,
    finding,
    is_box,
    label_or_none,
    moment,
    size_of,
)

#: Boxes may stand out by what arithmetic with floats leaves.
TOLERANCE = 1e-6
#: The service shrinks longer images to this many pixels before it looks at the size of boxes.
SHRUNK_TO = 1280

Add: TypeAlias = Callable[[LineFinding], None]


class Stop(Exception):
    """Ends the checks of a line: the code, and the value for its message."""


class Attribute:
    """A label attribute and its metadata; ``kind`` is None for a type that isn't known."""

    def __init__(self, key: str, value: Any, metadata: Any, limits: Limits) -> None:
        self.key, self.value, self.metadata, self.limits = key, value, metadata, limits
        self.facts: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        found = self.facts.get("type")
        self.kind = found if found in (IMAGE_LEVEL, BOXES) and isinstance(found, str) else None
        self.unsure = self.kind is None and not isinstance(found, str)  # no type at all, so its metadata is malformed
        self.usable = self.kind is not None
        self.boxes: list[Any] = []
        self.size: tuple[int, int] | None = None
        self.confidences: list[float] = []
        self.classes: list[Any] = []
        self.labels: list[Label] = []

    # -- the checks of which the first that fails ends the line --------------------------------------------
    def check_value(self) -> None:
        """The format of the attribute itself."""
        strict, value = self.limits.service, self.value
        like_boxes = self.kind == BOXES or (self.unsure and strict and isinstance(value, dict))
        if like_boxes:
            boxes = value.get("annotations", []) if isinstance(value, dict) else None
            if not isinstance(boxes, list) or not all(map(is_box, boxes)):
                raise Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)
            self.boxes, self.size = boxes, size_of(value, strict=strict)
            if strict and boxes and self.size is None:
                raise Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)
        elif strict and (self.kind == IMAGE_LEVEL or self.unsure) and type(value) is not int:
            raise Stop("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", self.key)

    def check_metadata(self) -> None:
        """The format of its metadata."""
        if not self._metadata_is_sound():
            raise Stop("ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT")

    def _metadata_is_sound(self) -> bool:
        facts, strict = self.facts, self.limits.service
        if facts is not self.metadata or (strict and self.unsure):
            return False
        if self.kind is None:
            return True
        if strict and not (
            facts.get("human-annotated") in ("yes", "no")
            and moment(facts.get("creation-date")) is not None
            and isinstance(facts.get("job-name", ""), str)
        ):
            return False
        if self.kind == IMAGE_LEVEL:
            sure = confidence_of(facts, None if strict else 1.0)
            self.confidences = [] if sure is None else [sure]
            return sure is not None and isinstance(facts.get("class-name", None if strict else ""), str)
        objects, names = facts.get("objects", []), facts.get("class-map", {})
        if not isinstance(objects, list) or not isinstance(names, dict):
            return False
        if not all(isinstance(each, dict) and confidence_of(each, 1.0) is not None for each in objects):
            return False
        return all(isinstance(name, str) for name in names.values())

    @property
    def has_bad_date(self) -> bool:
        """Whether it gives a date that can't be read as one."""
        date = self.facts.get("creation-date")
        return bool(date) and moment(date) is None

    def pair(self) -> None:
        """A confidence for each box."""
        if self.kind != BOXES:
            return
        objects = self.facts.get("objects")
        if objects is None and not self.limits.service:
            sure = confidence_of(self.facts, 1.0)  # evaluation snapshots of the service give one for all boxes
            self.confidences = [1.0 if sure is None else sure] * len(self.boxes)
            return
        objects = objects or []
        if len(objects) != len(self.boxes) or (self.limits.service and any("confidence" not in o for o in objects)):
            raise Stop("ERROR_MISSING_BOUNDING_BOX_CONFIDENCE")
        self.confidences = [confidence_of(each, 1.0) or 0.0 for each in objects]

    def name_classes(self) -> None:
        """A label for each box."""
        if self.kind != BOXES:
            return
        names = self.facts.get("class-map", {})
        ids = [box.get("class_id") for box in self.boxes]
        if not all(type(number) in (int, str) and str(number) in names for number in ids):
            raise Stop("ERROR_MISSING_CLASS_MAP_ID")
        self.classes = [names[str(number)] for number in ids]

    # -- the others ---------------------------------------------------------------------------------------
    def check_labels(self, add: Add) -> None:
        """Labels that can't be; otherwise the rows that the attribute gives."""
        if self.kind is None:
            return
        given = self.classes if self.kind == BOXES else [self.facts.get("class-name", "")]
        names = {name: label_or_none(name, self.limits) for name in given}
        if None in names.values():
            self.usable = False
            add(finding("ERROR_INVALID_LABEL_NAME_LENGTH", place=(self.key + METADATA,)))
            return
        job = self.facts.get("job-name")
        origin = (
            job if isinstance(job, str) and job and storable(job) else None,
            moment(self.facts.get("creation-date")),
        )
        if self.kind == IMAGE_LEVEL:
            self.labels = [Label(str(names[given[0]]), self.confidences[0], *origin)]
            return
        self.labels = [
            Label(str(names[name]), sure, *origin, box_of(box))
            for name, sure, box in zip(given, self.confidences, self.boxes, strict=True)
        ]

    def check_boxes(self, add: Add, frame: tuple[int, int] | None) -> None:
        """Findings about boxes, of which the bad ones are taken out of ``labels``."""
        bad: set[int] = set()
        for number, box in enumerate(map(box_of, self.boxes)):
            for code in box_errors(box, frame, self.limits):
                bad.add(number)
                add(finding(code, place=(self.key, "annotations", number)))
        self.labels = [label for number, label in enumerate(self.labels) if number not in bad]


def box_errors(box: tuple[float, float, float, float], frame: tuple[int, int] | None, limits: Limits) -> Iterator[str]:
    """The codes of what is wrong with a box (left, top, width, height) in a ``frame`` (width, height)."""
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
