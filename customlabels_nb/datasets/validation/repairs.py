"""Repairs of manifest lines, by name: what each of them changes in a line that has findings.

A repair only touches what a finding points at. Those of one call are done in the order of :data:`REPAIRS`, whatever the
order in which they are named, so that lines are left out last: only those that nothing else mended. A line that was
changed is checked again, and what shows then is repaired as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from customlabels_nb.core.geometry import clip_ltwh
from customlabels_nb.core.limits import Limits
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.datasets.formats.manifest_lines import box_errors, parse_line
from customlabels_nb.datasets.formats.manifest_values import (
    METADATA,
    SOURCE,
    ImageVerdict,
    LineFinding,
    ParsedLine,
    Place,
    State,
    attributes_of,
    box_of,
    confidence_of,
    label_or_none,
    size_of,
)
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine
from customlabels_nb.datasets.validation.written_files import dumped, without_findings
from customlabels_nb.errors import InputError

#: Name → what it does, for ``report.fix``.
REPAIRS: dict[str, str] = {
    "drop_bad_attributes": "attributes that can't be read are left out",
    "drop_unsupported": "attributes of a type that isn't trained on are left out",
    "assume_confidence": "boxes without a confidence get 1",
    "drop_unnamed_boxes": "boxes whose class id has no name are left out",
    "shorten_labels": "label names that are too long are cut, labels without a name are left out",
    "clip_boxes": "boxes are cut off at the frame; those of which too little is left are left out",
    "drop_off_frame_boxes": "boxes that lie off the frame, wholly or in part, are left out",
    "drop_small_boxes": "boxes that are too small are left out",
    "drop_excess_boxes": "of too many boxes the most confident are kept",
    "keep_one_bucket": "images outside of the bucket that most of them lie in are left out",
    "drop_bad_images": "images that can't be used are left out",
    "drop_unannotated": "images without annotations are left out",
    "drop_lines": "lines that are still invalid are left out",
}

_BAD_IMAGE = frozenset({"ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE_DIMENSION"})
_ROUNDS = 8  # a line shows only the first thing that is wrong with how it is written: one round for each

Box: TypeAlias = tuple[float, float, float, float]
Kind: TypeAlias = Literal["line", "attribute", "box"]
Size: TypeAlias = tuple[int, int]
RealSize: TypeAlias = Callable[[str, Size], tuple[Size | None, bool]]


@dataclass(frozen=True, slots=True)
class RepairChange:
    """What a repair changed.

    Attributes
    ----------
    repair : str
    line : int
        From 1.
    image : str, optional
        As the line names it.
    kind : {"line", "attribute", "box"}
        A line or attribute that was left out or changed; a box that was (``after`` None: left out).
    what : str
        For a person.
    label : str, optional
        Of the box or image-level attribute.
    before, after : tuple of float, optional
        Boxes ``left, top, width, height`` in pixels.
    """

    repair: str
    line: int
    image: str | None
    kind: Kind
    what: str
    label: str | None = None
    before: Box | None = None
    after: Box | None = None


def check_names(names: Collection[str]) -> frozenset[str]:
    """The names, if there are repairs of all of them; InputError otherwise."""
    for name in names:
        if name not in REPAIRS:
            raise InputError(f"fix({name!r}) is not known; use one or more of {list(REPAIRS)!r}.")
    if not names:
        raise InputError(f"fix() needs the name of a repair: one or more of {list(REPAIRS)!r}.")
    return frozenset(names)


def repair_line(
    line: CheckedLine, names: Collection[str], limits: Limits, real_size: RealSize
) -> tuple[bytes | None, list[RepairChange]]:
    """The line after these repairs, None if it is left out; and what was changed.

    Parameters
    ----------
    names : collection of str
        Keys of :data:`REPAIRS`.
    limits : Limits
        Those that the line was checked by.
    real_size : callable
        Gives, of the image that a line names and the size (width, height) that it gives, the real size, None if it
        isn't known, and whether reading the line fits the boxes to that. Asked only if a box lies off the frame of the
        real image, but not off that which the line gives.
    """
    work = _Line(line, frozenset(names), limits, real_size)
    for _ in range(_ROUNDS):
        if not work.repair():
            break
    changed = bool(work.changes)
    if work.is_dropped():
        return None, work.changes
    return dumped(work.value) if changed else line.raw, work.changes


class _Line:
    """One line under repair."""

    def __init__(self, line: CheckedLine, names: frozenset[str], limits: Limits, real_size: RealSize) -> None:
        self.line = line
        self.names = names
        self.limits = limits
        self.value = _object(line)
        self.findings = line.findings
        self.state: State = line.state
        self.of_image = [found for found in line.findings if found.code in _BAD_IMAGE]
        self.gone: dict[str, set[int]] = {}
        self.changes: list[RepairChange] = []
        self.real_size: Size | None = None
        if line.source_ref is not None and {"clip_boxes", "drop_off_frame_boxes"} & names:
            self._compare_sizes(line.source_ref, real_size)

    def _compare_sizes(self, source_ref: str, real_size: RealSize) -> None:
        """Find out about boxes that lie in the frame that the line gives, but off that of the image."""
        declared = parse_line(dumped(self.value), self.limits) if self._off_frame(self.findings) else None
        size = next(filter(None, (size_of(self.value[key]) for key in attributes_of(self.value))), None)
        if declared is None or size is None or self._off_frame(declared.findings) == self._off_frame(self.findings):
            return
        self.real_size, fitted = real_size(source_ref, size)
        if fitted and self.real_size:
            repair = "clip_boxes" if "clip_boxes" in self.names else "drop_off_frame_boxes"
            drawn, real = (f"{width:,} × {height:,}" for width, height in (size, self.real_size))
            self._change(repair, "attribute", f"boxes drawn on {drawn} pixels are fitted to the {real} of the image")
            self.findings = [*declared.findings, *self.of_image]
            self.state = "invalid" if self.of_image else declared.state
            self.real_size = None

    def repair(self) -> bool:
        """Do what is asked for about the findings, and look for more of them; whether anything was done."""
        before = len(self.changes)
        if not self.value:
            return False
        self._repair_attributes()
        self._repair_boxes()
        self._take_boxes_out()
        if len(self.changes) == before:
            return False
        again = self._parsed(self.value)
        self.findings = [*again.findings, *self.of_image]
        self.state = "invalid" if self.of_image else again.state
        return True

    def is_dropped(self) -> bool:
        """Whether the line is left out, which is then among the changes."""
        reasons = {
            "drop_bad_images": bool(self.of_image),
            "drop_unannotated": self.state == "ignored",
            "drop_lines": self.state == "invalid",
        }
        for repair, holds in reasons.items():
            if holds and repair in self.names:
                codes = ", ".join(dict.fromkeys(found.code for found in self.findings))
                self._change(repair, "line", f"the line was left out ({codes})")
                return True
        return False

    # -- attributes ---------------------------------------------------------------------------------
    def _repair_attributes(self) -> None:
        if self._asked("drop_bad_attributes", "ERROR_NO_LABEL_ATTRIBUTES"):
            for key in [key for key in self.value if key != SOURCE]:
                self._drop_attribute("drop_bad_attributes", key)
        for code in ("ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"):
            if self._asked("drop_bad_attributes", code):
                for attribute in self._attributes_with(code):
                    self._drop_attribute("drop_bad_attributes", attribute)
        for found in self._asked("drop_unsupported", "ERROR_UNSUPPORTED_USE_CASE_TYPE"):
            self._drop_attribute("drop_unsupported", str(found.place[0]).removesuffix(METADATA))
        if self._asked("assume_confidence", "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"):
            for attribute in self._attributes_with("ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"):
                self._assume_confidence(attribute)
        if self._asked("drop_unnamed_boxes", "ERROR_MISSING_CLASS_MAP_ID"):
            for attribute in self._attributes_with("ERROR_MISSING_CLASS_MAP_ID"):
                self._drop_boxes("drop_unnamed_boxes", attribute, lambda label: label is None, "has no name")
        for found in self._asked("shorten_labels", "ERROR_INVALID_LABEL_NAME_LENGTH"):
            self._shorten_labels(str(found.place[0]).removesuffix(METADATA))

    def _attributes_with(self, code: str) -> list[str]:
        """The attributes that show this code when they stand alone: the message of a line doesn't tell all of them."""
        alone = {
            key: {SOURCE: self.value[SOURCE], key: self.value[key], key + METADATA: self.value[key + METADATA]}
            for key in attributes_of(self.value)
        }
        return [key for key, value in alone.items() if any(f.code == code for f in self._parsed(value).findings)]

    def _drop_attribute(self, repair: str, attribute: str) -> None:
        metadata = self._metadata(attribute)
        if attribute in self.value or attribute + METADATA in self.value:
            self.value.pop(attribute, None)
            self.value.pop(attribute + METADATA, None)
            label = metadata.get("class-name")
            self._change(repair, "attribute", f"{attribute} was left out", label if isinstance(label, str) else None)

    def _assume_confidence(self, attribute: str) -> None:
        boxes, metadata = self._boxes(attribute), self._metadata(attribute)
        objects = [*metadata.get("objects", []), *([{}] * len(boxes))][: len(boxes)]
        missing = sum(confidence_of(facts, None) is None for facts in objects)
        metadata["objects"] = [{"confidence": 1, **facts} for facts in objects]
        what = f"{attribute}: {missing} of {len(boxes)} boxes got the confidence 1"
        self._change("assume_confidence", "attribute", what)

    def _shorten_labels(self, attribute: str) -> None:
        metadata = self._metadata(attribute)
        if "class-map" not in metadata:
            short = self._shortened(attribute, metadata.get("class-name"))
            if short is None:
                self._drop_attribute("shorten_labels", attribute)
            else:
                metadata["class-name"] = short
            return
        names = metadata["class-map"]
        for number, label in names.items():
            names[number] = self._shortened(attribute, label) or ""
        self._drop_boxes("shorten_labels", attribute, lambda label: not label, "has a label without a name")

    def _shortened(self, attribute: str, label: object) -> str | None:
        """The label itself if it can be one, else its beginning; None if it has no name."""
        text = label.strip() if isinstance(label, str) else ""
        good = label_or_none(text, self.limits)
        # names that begin alike stay apart
        mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
        short = good or label_or_none(f"{text[: self.limits.max_label_length - len(mark) - 1]}-{mark}", self.limits)
        if not text or short is None:
            return None
        if good is None:
            what = f"{attribute}: a label of {len(text):,} characters became {short!r}"
            self._change("shorten_labels", "attribute", what, text)
        return short

    # -- boxes --------------------------------------------------------------------------------------
    def _repair_boxes(self) -> None:
        for found in self._asked("clip_boxes", "ERROR_INVALID_BOUNDING_BOX"):
            self._clip(*_annotation(found))
        if "clip_boxes" not in self.names:
            for found in self._asked("drop_off_frame_boxes", "ERROR_INVALID_BOUNDING_BOX"):
                self._drop_box("drop_off_frame_boxes", *_annotation(found), "lay off the frame")
        for found in self._asked("drop_small_boxes", "ERROR_BOUNDING_BOX_TOO_SMALL"):
            self._drop_box("drop_small_boxes", *_annotation(found), "was too small")
        for found in self._asked("drop_excess_boxes", "ERROR_TOO_MANY_BOUNDING_BOXES"):
            self._drop_excess(str(found.place[0]))

    def _clip(self, attribute: str, index: int) -> None:
        annotation, frame = self._boxes(attribute)[index], self.real_size or size_of(self.value[attribute])
        before = box_of(annotation)
        left, top, width, height = (float(side) for side in clip_ltwh([before], frame)[0]) if frame else (0.0,) * 4
        after = (left, top, width, height)
        if any(box_errors(after, frame, self.limits)) or min(width, height) <= 0:
            self._drop_box("clip_boxes", attribute, index, "had too little inside of the frame")
            return
        if self.real_size:
            self.value[attribute]["image_size"][0] |= dict(zip(("width", "height"), self.real_size, strict=True))
        whole = all(isinstance(annotation[side], int) for side in BOX_COLUMNS)
        annotation |= dict(zip(BOX_COLUMNS, map(int, after) if whole else after, strict=True))
        label, what = self._label(attribute, index), f"{attribute}: box {index + 1} was cut off at the frame"
        self._change("clip_boxes", "box", what, label, before, after)

    def _drop_excess(self, attribute: str) -> None:
        allowed, gone = self.limits.max_boxes_per_image, self.gone.get(attribute, set())
        left = [index for index in range(len(self._boxes(attribute))) if index not in gone]
        objects = self._metadata(attribute)["objects"]
        left.sort(key=lambda index: confidence_of(objects[index], 1.0) or 0.0, reverse=True)
        for index in sorted(left[allowed:]):
            self._drop_box("drop_excess_boxes", attribute, index, f"was beyond the {allowed} that are allowed")

    def _drop_boxes(self, repair: str, attribute: str, which: Callable[[str | None], bool], why: str) -> None:
        for index in range(len(self._boxes(attribute))):
            if which(self._label(attribute, index)):
                self._drop_box(repair, attribute, index, why)

    def _drop_box(self, repair: str, attribute: str, index: int, why: str) -> None:
        gone = self.gone.setdefault(attribute, set())
        if index not in gone:
            gone.add(index)
            label, before = self._label(attribute, index), box_of(self._boxes(attribute)[index])
            self._change(repair, "box", f"{attribute}: box {index + 1} {why} and was left out", label, before)

    def _take_boxes_out(self) -> None:
        """Also of attributes that have none left then: nobody said that there is nothing on the image."""
        for attribute, gone in self.gone.items():
            boxes, metadata = self._boxes(attribute), self._metadata(attribute)
            kept = [index for index in range(len(boxes)) if index not in gone]
            if isinstance(metadata.get("objects"), list):
                metadata["objects"] = [metadata["objects"][index] for index in kept]
            self.value[attribute]["annotations"] = [boxes[index] for index in kept]
            if not kept:
                del self.value[attribute], self.value[attribute + METADATA]
        self.gone = {}

    # -- what stands where --------------------------------------------------------------------------
    @staticmethod
    def _off_frame(findings: Iterable[LineFinding]) -> set[Place]:
        return {found.place for found in findings if found.code == "ERROR_INVALID_BOUNDING_BOX"}

    def _asked(self, repair: str, code: str) -> list[LineFinding]:
        """The findings of this code, if the repair is asked for that cures them."""
        return [found for found in self.findings if found.code == code] if repair in self.names else []

    def _parsed(self, value: dict[str, Any]) -> ParsedLine:
        return parse_line(dumped(value), self.limits, ImageVerdict(self.real_size) if self.real_size else None)

    def _metadata(self, attribute: str) -> dict[str, Any]:
        metadata = self.value.get(attribute + METADATA)
        return metadata if isinstance(metadata, dict) else {}

    def _boxes(self, attribute: str) -> list[dict[str, Any]]:
        part = self.value.get(attribute)
        boxes = part.get("annotations") if isinstance(part, dict) else None
        return boxes if isinstance(boxes, list) else []

    def _label(self, attribute: str, index: int) -> str | None:
        names = self._metadata(attribute).get("class-map", {})
        name = names.get(str(self._boxes(attribute)[index].get("class_id")))
        return name if isinstance(name, str) else None

    def _change(
        self,
        repair: str,
        kind: Kind,
        what: str,
        label: str | None = None,
        before: Box | None = None,
        after: Box | None = None,
    ) -> None:
        line = self.line
        self.changes.append(RepairChange(repair, line.number, line.source_ref, kind, what, label, before, after))


def _object(line: CheckedLine) -> dict[str, Any]:
    """The line's object without what an earlier validation added; empty if it can't be written again."""
    value = line.value or {}
    without_findings(value)
    try:
        dumped(value)
    except RecursionError:
        return {}
    return value


def _annotation(found: LineFinding) -> tuple[str, int]:
    return str(found.place[0]), int(found.place[2])
