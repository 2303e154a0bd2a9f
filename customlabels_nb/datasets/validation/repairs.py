"""Repair manifest lines with findings, using named repairs.

A repair only changes what a finding refers to. The repairs requested in one call run in the order of :data:`REPAIRS`,
regardless of the order of their names, so that a line is dropped only if no other repair fixes it. A changed line is
checked again, and further findings are repaired as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.core.geometry import clip_ltwh, polygon_to_ltwh
from customlabels_nb.core.limits import Limits
from customlabels_nb.core.polygons import OFF_FRAME, problems, readable_rings, repaired
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
    finding,
    label_or_none,
    size_of,
)
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine
from customlabels_nb.datasets.validation.written_files import dumped, without_findings
from customlabels_nb.errors import InputError

#: Name → description, for ``report.fix``.
REPAIRS: dict[str, str] = {
    "drop_bad_attributes": "attributes that cannot be read are dropped",
    "drop_unsupported": "attributes of an unsupported type are dropped",
    "assume_confidence": "boxes without a confidence get 1",
    "drop_unnamed_boxes": "boxes whose class id has no name are dropped",
    "shorten_labels": "labels that are too long are shortened, empty labels are dropped",
    "clip_boxes": "boxes are clipped to the image, and dropped if too little is left of them",
    "drop_off_frame_boxes": "boxes that are partly or fully outside the image are dropped",
    "drop_small_boxes": "boxes that are too small are dropped",
    "drop_excess_boxes": "if there are too many boxes, those with the highest confidence are kept",
    "mend_polygons": "polygons are clipped to the image and split where their edges cross",
    "drop_bad_polygons": "polygons that cannot be masks are replaced by their boxes",
    "keep_one_bucket": "images outside the bucket of most images are dropped",
    "drop_bad_images": "images that cannot be used are dropped",
    "drop_unannotated": "images without annotations are dropped",
    "drop_lines": "lines that are still invalid are dropped",
}

# names of the repairs of polygons
MEND, DROP = "mend_polygons", "drop_bad_polygons"
_SAME_BOX = 0.5  # pixels: smaller differences come from rounding
_BAD_IMAGE = frozenset({"ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE_DIMENSION"})
_ROUNDS = 8  # a malformed line shows only its first error, so each error needs a round

Box: TypeAlias = tuple[float, float, float, float]
Kind: TypeAlias = Literal["line", "attribute", "box", "polygon"]
Size: TypeAlias = tuple[int, int]
RealSize: TypeAlias = Callable[[str, Size], tuple[Size | None, bool]]


@dataclass(frozen=True, slots=True)
class RepairChange:
    """Change made by a repair. A box or polygon that was dropped has no ``after``."""

    repair: str
    line: int
    image: str | None
    kind: Kind
    what: str
    label: str | None = None
    before: Box | None = None
    after: Box | None = None


def check_names(names: Collection[str]) -> frozenset[str]:
    """Check that all names are repairs, or raise InputError."""
    for name in names:
        if name not in REPAIRS:
            raise InputError(f"Unknown repair {name!r} in fix(). Choose one or more of {list(REPAIRS)!r}.")
    if not names:
        raise InputError(f"fix() needs the name of a repair. Choose one or more of {list(REPAIRS)!r}.")
    return frozenset(names)


def repair_line(
    line: CheckedLine, names: Collection[str], limits: Limits, real_size: RealSize
) -> tuple[bytes | None, list[RepairChange]]:
    """Repair a line, and return the new line (None if it is dropped) and the changes.

    ``real_size`` is called only if a box is outside the actual image, but inside the size given in the line. It takes
    the image name and that size, and returns the actual size (None if unknown), and True if boxes are fitted to it when
    the line is read.
    """
    work = _Line(line, frozenset(names), limits, real_size)
    for _ in range(_ROUNDS):
        if not work.repair():
            break
    raw = dumped(work.value) if work.changes else line.raw
    return None if work.is_dropped() else raw, work.changes


class _Line:
    def __init__(self, line: CheckedLine, names: frozenset[str], limits: Limits, real_size: RealSize) -> None:
        self.line = line
        self.names = names
        self.limits = limits
        self.value = _object(line)
        self.findings = line.findings
        self.state: State = line.state
        self.of_image = [error for error in line.findings if error.code in _BAD_IMAGE]
        self.gone: dict[str, set[int]] = {}
        self.changes: list[RepairChange] = []
        self.real_size: Size | None = None
        if line.source_ref is not None and {"clip_boxes", "drop_off_frame_boxes"} & names:
            self._compare_sizes(line.source_ref, real_size)

    def _compare_sizes(self, source_ref: str, real_size: RealSize) -> None:
        """Handle boxes that are inside the size given in the line, but outside the actual image."""
        declared = parse_line(dumped(self.value), self.limits) if self._off_frame(self.findings) else None
        size = next(filter(None, (size_of(self.value[key]) for key in attributes_of(self.value))), None)
        if declared is None or size is None or self._off_frame(declared.findings) == self._off_frame(self.findings):
            return
        self.real_size, fitted = real_size(source_ref, size)
        if fitted and self.real_size:
            repair = "clip_boxes" if "clip_boxes" in self.names else "drop_off_frame_boxes"
            drawn, real = (f"{width:,} × {height:,}" for width, height in (size, self.real_size))
            self._change(repair, "attribute", f"boxes drawn on {drawn} pixels were fitted to the image's {real} pixels")
            self.findings = [*declared.findings, *self.of_image]
            self.state = "invalid" if self.of_image else declared.state
            self.real_size = None

    def repair(self) -> bool:
        """Repair the current findings, check the line again if it changed, and return True in that case."""
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
        """Check whether the line must be dropped, and add this to the changes."""
        reasons = {
            "drop_bad_images": bool(self.of_image),
            "drop_unannotated": self.state == "ignored",
            "drop_lines": self.state == "invalid",
        }
        for repair, holds in reasons.items():
            if holds and repair in self.names:
                codes = ", ".join(dict.fromkeys(error.code for error in self.findings))
                self._change(repair, "line", f"the line was dropped ({codes})")
                return True
        return False

    # -- attributes ---------------------------------------------------------------------------------
    def _repair_attributes(self) -> None:
        drop, all_keys, named_in, with_code = self._drop_attribute, self._all_keys, self._named_in, self._with_code
        for repair, code, list_attributes, change in (
            ("drop_bad_attributes", "ERROR_NO_LABEL_ATTRIBUTES", all_keys, drop),
            ("drop_bad_attributes", "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT", with_code, drop),
            ("drop_bad_attributes", "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT", with_code, drop),
            ("drop_unsupported", "ERROR_UNSUPPORTED_USE_CASE_TYPE", named_in, drop),
            ("assume_confidence", "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE", with_code, self._assume_confidence),
            ("drop_unnamed_boxes", "ERROR_MISSING_CLASS_MAP_ID", with_code, self._drop_unnamed_boxes),
            ("shorten_labels", "ERROR_INVALID_LABEL_NAME_LENGTH", named_in, self._shorten_labels),
        ):
            if findings := self._findings_to_repair(repair, code):
                for attribute in list_attributes(findings):
                    change(repair, attribute)

    def _all_keys(self, findings: list[LineFinding]) -> list[str]:
        return [key for key in self.value if key != SOURCE]

    def _named_in(self, findings: list[LineFinding]) -> list[str]:
        return [str(error.place[0]).removesuffix(METADATA) for error in findings]

    def _with_code(self, findings: list[LineFinding]) -> list[str]:
        """List the attributes with this code by checking each separately, because a line reports only the first."""
        code = findings[0].code
        alone = {
            key: {SOURCE: self.value[SOURCE], key: self.value[key], key + METADATA: self.value[key + METADATA]}
            for key in attributes_of(self.value)
        }
        return [key for key, value in alone.items() if any(f.code == code for f in self._parsed(value).findings)]

    def _assume_confidence(self, repair: str, attribute: str) -> None:
        boxes, metadata = self._boxes(attribute), self._metadata(attribute)
        objects = [*metadata.get("objects", []), *([{}] * len(boxes))][: len(boxes)]
        missing = sum(confidence_of(facts, None) is None for facts in objects)
        metadata["objects"] = [{"confidence": 1, **facts} for facts in objects]
        self._change(repair, "attribute", f"{attribute}: {missing} of {len(boxes)} boxes were given the confidence 1")

    def _drop_unnamed_boxes(self, repair: str, attribute: str) -> None:
        self._drop_boxes(repair, attribute, lambda label: label is None, "had no name")

    def _drop_attribute(self, repair: str, attribute: str) -> None:
        metadata = self._metadata(attribute)
        if attribute in self.value or attribute + METADATA in self.value:
            self.value.pop(attribute, None)
            self.value.pop(attribute + METADATA, None)
            label = metadata.get("class-name")
            self._change(repair, "attribute", f"{attribute} was dropped", label if isinstance(label, str) else None)

    def _shorten_labels(self, repair: str, attribute: str) -> None:
        metadata = self._metadata(attribute)
        if "class-map" not in metadata:
            short = self._shortened(attribute, metadata.get("class-name"))
            if short is None:
                self._drop_attribute(repair, attribute)
            else:
                metadata["class-name"] = short
            return
        names = metadata["class-map"]
        for number, label in names.items():
            names[number] = self._shortened(attribute, label) or ""
        self._drop_boxes(repair, attribute, lambda label: not label, "had an empty label")

    def _shortened(self, attribute: str, label: object) -> str | None:
        """Return a valid label unchanged, shorten a long one, or return None for an empty one."""
        text = label.strip() if isinstance(label, str) else ""
        good = label_or_none(text, self.limits)
        # a hash keeps labels with the same beginning distinct
        mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
        short = good or label_or_none(f"{text[: self.limits.max_label_length - len(mark) - 1]}-{mark}", self.limits)
        if not text or short is None:
            return None
        if good is None:
            what = f"{attribute}: a label of {len(text):,} characters was shortened to {short!r}"
            self._change("shorten_labels", "attribute", what, text)
        return short

    # -- boxes --------------------------------------------------------------------------------------
    def _repair_boxes(self) -> None:
        for error in self._findings_to_repair("clip_boxes", "ERROR_INVALID_BOUNDING_BOX"):
            self._clip(*_annotation(error))
        if "clip_boxes" not in self.names:
            for error in self._findings_to_repair("drop_off_frame_boxes", "ERROR_INVALID_BOUNDING_BOX"):
                self._drop_box("drop_off_frame_boxes", *_annotation(error), "was outside the image")
        for error in self._findings_to_repair("drop_small_boxes", "ERROR_BOUNDING_BOX_TOO_SMALL"):
            self._drop_box("drop_small_boxes", *_annotation(error), "was too small")
        for error in self._findings_to_repair("drop_excess_boxes", "ERROR_TOO_MANY_BOUNDING_BOXES"):
            self._drop_excess(str(error.place[0]))

    def _clip(self, attribute: str, index: int) -> None:
        annotation, frame = self._boxes(attribute)[index], self.real_size or size_of(self.value[attribute])
        before = box_of(annotation)
        left, top, width, height = (float(side) for side in clip_ltwh([before], frame)[0]) if frame else (0.0,) * 4
        after = (left, top, width, height)
        if any(box_errors(after, frame, self.limits)) or min(width, height) <= 0:
            self._drop_box("clip_boxes", attribute, index, "had too little left inside the image")
            return
        if self.real_size:
            self.value[attribute]["image_size"][0] |= dict(zip(("width", "height"), self.real_size, strict=True))
        whole = all(isinstance(annotation[side], int) for side in BOX_COLUMNS)
        annotation |= dict(zip(BOX_COLUMNS, map(int, after) if whole else after, strict=True))
        label, what = self._label(attribute, index), f"{attribute}: box {index + 1} was clipped to the image"
        self._change("clip_boxes", "box", what, label, before, after)

    def _drop_excess(self, attribute: str) -> None:
        allowed, gone = self.limits.max_boxes_per_image, self.gone.get(attribute, set())
        remaining = [index for index in range(len(self._boxes(attribute))) if index not in gone]
        objects = self._metadata(attribute)["objects"]
        remaining.sort(key=lambda index: confidence_of(objects[index], 1.0) or 0.0, reverse=True)
        for index in sorted(remaining[allowed:]):
            self._drop_box("drop_excess_boxes", attribute, index, f"exceeded the limit of {allowed}")

    def _drop_boxes(self, repair: str, attribute: str, which: Callable[[str | None], bool], why: str) -> None:
        for index in range(len(self._boxes(attribute))):
            if which(self._label(attribute, index)):
                self._drop_box(repair, attribute, index, why)

    def _drop_box(self, repair: str, attribute: str, index: int, why: str) -> None:
        gone = self.gone.setdefault(attribute, set())
        if index not in gone:
            gone.add(index)
            label, before = self._label(attribute, index), box_of(self._boxes(attribute)[index])
            self._change(repair, "box", f"{attribute}: box {index + 1} {why} and was dropped", label, before)

    def _take_boxes_out(self) -> None:
        """Remove dropped boxes, and attributes left without boxes, because nobody labelled the images as empty."""
        for attribute, gone in self.gone.items():
            boxes, metadata = self._boxes(attribute), self._metadata(attribute)
            kept = [index for index in range(len(boxes)) if index not in gone]
            if isinstance(metadata.get("objects"), list):
                metadata["objects"] = [metadata["objects"][index] for index in kept]
            self.value[attribute]["annotations"] = [boxes[index] for index in kept]
            if not kept:
                del self.value[attribute], self.value[attribute + METADATA]
        self.gone = {}

    # -- access to parts of the line ----------------------------------------------------------------
    @staticmethod
    def _off_frame(findings: Iterable[LineFinding]) -> set[Place]:
        return {error.place for error in findings if error.code == "ERROR_INVALID_BOUNDING_BOX"}

    def _findings_to_repair(self, repair: str, code: str) -> list[LineFinding]:
        return [error for error in self.findings if error.code == code] if repair in self.names else []

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

    def _change(self, repair: str, kind: Kind, what: str, label: str | None = None, *boxes: Box | None) -> None:
        """Add a change. ``boxes`` are those before and after it."""
        self.changes.append(RepairChange(repair, self.line.number, self.line.source_ref, kind, what, label, *boxes))


def _object(line: CheckedLine) -> dict[str, Any]:
    """Return the line's object without earlier validation results, or an empty object if it cannot be serialised."""
    value = line.value or {}
    without_findings(value)
    try:
        dumped(value)
    except RecursionError:
        return {}
    return value


def _annotation(error: LineFinding) -> tuple[str, int]:
    return str(error.place[0]), int(error.place[2])


# -- polygons of a dataset ---------------------------------------------------------------------------


def polygon_findings(images: pd.DataFrame, annotations: pd.DataFrame) -> dict[int, list[LineFinding]]:
    """Return the findings about polygons by line, that is the position of the image in ``images`` from 1."""
    result: dict[int, list[LineFinding]] = {}
    for _, line, detail, _, codes in _bad_polygons(images, annotations):
        result.setdefault(line, []).extend(finding(code, detail=detail) for code in codes)
    return result


def repair_polygons(
    images: pd.DataFrame, annotations: pd.DataFrame, names: Collection[str]
) -> tuple[pd.DataFrame, list[RepairChange]]:
    """Apply the repairs "mend_polygons" and "drop_bad_polygons", and return the new annotations and the changes.

    A mended polygon gets its own bounding box. If nothing is left of a polygon, the annotation's box replaces it.
    """
    result, changes = annotations.copy(), []
    for row, line, detail, size, codes in list(_bad_polygons(images, annotations)):
        polygon = annotations.at[row, "polygon"]
        mended = repaired(polygon, size if OFF_FRAME in codes else None) if MEND in names else None
        unboxed = pd.isna(annotations.at[row, "left"])
        if mended is None and unboxed and not readable_rings(polygon):
            continue
        replaced = ""
        if mended is not None or unboxed:
            box = polygon_to_ltwh(polygon if mended is None else mended)
            if not np.isfinite(box).all():
                continue
            given_box = annotations.loc[row, list(BOX_COLUMNS)].to_numpy(np.float64, na_value=np.nan)
            if not unboxed and np.abs(given_box - box).max() > _SAME_BOX:
                replaced = ", and its box was replaced by the polygon's bounding box"
            result.loc[row, list(BOX_COLUMNS)] = box
        result.at[row, "polygon"] = mended
        dropped = DROP if DROP in names else MEND
        repair, what = (MEND, f"was mended{replaced}") if mended is not None else (dropped, "became a box")
        image, label = annotations.at[row, "image"], annotations.at[row, "label"]
        changes.append(RepairChange(repair, line, image, "polygon", f"{detail} {what}", label))
    return result, changes


def _bad_polygons(
    images: pd.DataFrame, annotations: pd.DataFrame
) -> Iterator[tuple[int, int, str, tuple[float, float] | None, list[str]]]:
    """Yield the row, line, description, image size and codes of each polygon with problems."""
    line = {image: number for number, image in enumerate(images["image"], 1)}
    sizes = images[["width", "height"]].to_numpy(np.float64, na_value=np.nan).tolist()
    number = annotations.groupby("image").cumcount() + 1
    for row, image, label, polygon in annotations.loc[
        annotations["polygon"].notna(), ["image", "label", "polygon"]
    ].itertuples(name=None):
        width, height = sizes[line[image] - 1] if image in line else (np.nan, np.nan)
        size = None if np.isnan(width + height) else (width, height)
        if image in line and (codes := problems(polygon, size)):
            yield row, line[image], f"annotation {number[row]} of the image ({label})", size, codes
