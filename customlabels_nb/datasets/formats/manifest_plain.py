"""Well-formed lines of manifests, as arrays.

A line is *plain* if it evidently passes every check of :func:`.manifest_lines.parse_line`, and
so gives the rows that it would give. :func:`gather` turns many of them into arrays at once; a line about which it
has the least doubt is left to ``parse_line``, which alone says what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.manifest_attributes import SHRUNK_TO, TOLERANCE
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    IMAGE_LEVEL,
    LARGEST_SIZE,
    METADATA,
    PREDICTION,
    SOURCE,
    attributes_of,
    bucket_of,
    label_or_none,
    moment,
    size_of,
)

#: Number of a line, its bytes, and its JSON value.
Entry: TypeAlias = tuple[int, bytes, Any]
IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]

#: Stands for a date that isn't known.
NO_DATE = np.iinfo(np.int64).min
NO_JOB = -1
_MOST_CACHED = 20_000
_LONGEST_ID = 16
_FEWEST_TOGETHER = 8  # fewer are read one by one sooner than the odd one is looked for among them
_YES_OR_NO = ("yes", "no")
_NUMBERS = frozenset({int, float})
_BOX = itemgetter("class_id", "left", "top", "width", "height")
_CONFIDENCE = itemgetter("confidence")
# what a line that isn't plain does to code that takes it to be
_NOT_PLAIN = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


@dataclass(slots=True)
class AnnotationColumns:
    """Annotations, column by column: number of the line, codes of label and job, µs since 1970, box if there is one."""

    lines: IntArray
    labels: IntArray
    confidences: FloatArray
    jobs: IntArray
    created: IntArray
    boxes: FloatArray

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, positions: IntArray) -> AnnotationColumns:
        """Those rows, in that order."""
        return AnnotationColumns(*(getattr(self, name)[positions] for name in AnnotationColumns.__slots__))


@dataclass(slots=True)
class PlainLines:
    """Images, and :class:`AnnotationColumns` of labels of whole images and of boxes; ``sizes`` are 0 if not known."""

    numbers: IntArray
    sources: list[str]
    labelled: npt.NDArray[np.bool_]
    sizes: IntArray
    labels: AnnotationColumns
    boxes: AnnotationColumns


class Codes:
    """Labels and job names as numbers, and what else comes again line after line."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.labels: dict[str, int] = {}
        self.jobs: dict[str, int] = {}
        self.buckets: set[str] = set()
        self._names: dict[str, int | None] = {}
        self._moments: dict[str, int] = {}
        self._plans: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self._lookups: dict[tuple[tuple[str, str], ...], dict[int, int]] = {}
        self._classes: dict[tuple[str, str], tuple[int, int] | None] = {}
        self._plain_jobs: dict[str, int] = {}
        self._last_names: dict[str, str] | None = None
        self._last_lookup: dict[int, int] = {}
        self._start = " "  # of a source-ref with the bucket of the line before
        self._service = limits.service

    def label(self, name: str) -> int:
        """The code of a label that has been checked."""
        return self.labels.setdefault(name, len(self.labels))

    def job(self, name: str | None) -> int:
        """The code of a job that has been checked."""
        return NO_JOB if name is None else self.jobs.setdefault(name, len(self.jobs))

    def plain_label(self, name: str) -> int:
        """The code of a label as it stands in a line; ValueError if it can't be one."""
        if name not in self._names:
            if len(self._names) > _MOST_CACHED:
                self._names.clear()
            label = label_or_none(name, self.limits)
            self._names[name] = None if label is None else self.label(label)
        code = self._names[name]
        if code is None:
            raise ValueError(name)
        return code

    def plain_job(self, metadata: dict[str, Any]) -> int:
        """The code of the job that metadata name; ValueError if that isn't plain."""
        name = metadata.get("job-name", "")
        code = self._plain_jobs.get(name)
        if code is None:
            if type(name) is not str or "\0" in name:
                raise ValueError(name)
            code = self._plain_jobs[name] = self.job(name or None)
        return code

    def plain_moment(self, metadata: dict[str, Any]) -> int:
        """The date of metadata; ValueError if it is none, for the service also without one or who labelled."""
        text = metadata.get("creation-date", "")
        found = self._moments.get(text)
        if found is None:
            if len(self._moments) > _MOST_CACHED:
                self._moments.clear()
            when = moment(text)
            found = self._moments[text] = NO_DATE if when is None else when
        if (found == NO_DATE and (text or self._service)) or (
            self._service and metadata["human-annotated"] not in _YES_OR_NO
        ):
            raise ValueError(text)
        return found

    def lookup(self, names: dict[str, str]) -> dict[int, int]:
        """Class id → code of the label, of a class map; ids and labels that aren't plain are missing."""
        if names == self._last_names:
            return self._last_lookup
        key = tuple(names.items())
        found = self._lookups.get(key)
        if found is None:
            if len(self._lookups) > _MOST_CACHED:
                self._lookups.clear()
            if not all(type(name) is str for name in names.values()):
                raise ValueError(names)
            found = self._lookups[key] = dict(filter(None, map(self._class, key)))
        self._last_names, self._last_lookup = names, found
        return found

    def _class(self, pair: tuple[str, str]) -> tuple[int, int] | None:
        """Class id and code of the label of one entry of a class map, None if it isn't plain."""
        if pair not in self._classes:
            if len(self._classes) > _MOST_CACHED:
                self._classes.clear()
            number, label = pair[0], label_or_none(pair[1], self.limits)
            short = len(number) < _LONGEST_ID and number.isdecimal()
            plain = label is not None and short and str(int(number)) == number
            self._classes[pair] = (int(number), self.label(label)) if plain and label is not None else None
        return self._classes[pair]

    def plan(self, value: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        """The label attributes of a line, each with the key of its metadata; ValueError if that isn't plain."""
        keys = tuple(value)
        found = self._plans.get(keys)
        if found is None:
            if len(self._plans) > _MOST_CACHED:
                self._plans.clear()
            found = tuple((key, key + METADATA) for key in attributes_of(value))
            if (not found and (self._service or len(keys) > 1)) or any(map(PREDICTION.fullmatch, keys)):
                raise ValueError(keys)
            self._plans[keys] = found
        return found

    def check_source(self, source: Any) -> None:
        """ValueError unless it is plainly the name of an image."""
        if type(source) is not str or not source or "\0" in source:
            raise ValueError(source)
        if self._service and not (source.startswith(self._start) and len(source) > len(self._start)):
            bucket = bucket_of(source)
            if bucket is None:
                raise ValueError(source)
            self.buckets.add(bucket)
            self._start = f"s3://{bucket}/"


def gather(
    entries: list[Entry], codes: Codes, limits: Limits
) -> Iterator[tuple[PlainLines | None, list[tuple[int, bytes]]]]:
    """The plain lines among the entries, and the others; in several parts if some are not plain."""
    if not entries:
        return
    try:
        gathering = _Gathering(entries, codes, limits)
    except _NOT_PLAIN:
        if len(entries) <= _FEWEST_TOGETHER:
            yield None, [(number, raw) for number, raw, _ in entries]
            return
        middle = len(entries) // 2
        yield from gather(entries[:middle], codes, limits)
        yield from gather(entries[middle:], codes, limits)
        return
    bad = gathering.bad()
    if not bad:
        yield gathering.lines(), []
        return
    yield None, [(number, raw) for number, raw, _ in entries if number in bad]
    yield from gather([entry for entry in entries if entry[0] not in bad], codes, limits)


class _Gathering:
    """Plain lines on their way into arrays; raises one of ``_NOT_PLAIN`` if a line is not."""

    def __init__(self, entries: list[Entry], codes: Codes, limits: Limits) -> None:
        self._codes, self._limits = codes, limits
        self._numbers: list[int] = []
        self._sources: list[str] = []
        self._labelled: list[bool] = []
        self._sizes: list[tuple[int, int]] = []
        self._labels: list[tuple[int, int, float, int, int]] = []
        # of each attribute with boxes: line, job, date, width and height; number of boxes; class id → label
        self._attributes: list[tuple[int, int, int, int, int]] = []
        self._counts: list[int] = []
        self._lookups: list[dict[int, int]] = []
        self._boxes: list[Any] = []
        self._objects: list[Any] = []
        longest = limits.max_line_length or sys.maxsize
        for number, raw, value in entries:
            source, plan = value[SOURCE], codes.plan(value)
            codes.check_source(source)
            if len(raw) > longest:
                raise ValueError(number)
            if limits.max_labels_per_image is not None and len(plan) > limits.max_labels_per_image:
                raise ValueError(number)
            size = (0, 0)
            for key, metadata_key in plan:
                metadata = value[metadata_key]
                if metadata["type"] == BOXES:
                    found = self._take_boxes(number, value[key], metadata)
                    size = size if size[0] else found
                elif metadata["type"] == IMAGE_LEVEL:
                    self._take_label(number, value[key], metadata)
                else:
                    raise ValueError(number)
            self._numbers.append(number)
            self._sources.append(source)
            self._labelled.append(len(plan) > 0)
            self._sizes.append(size)
        self._finish_boxes()

    def _take_label(self, number: int, value: Any, metadata: dict[str, Any]) -> None:
        codes, service = self._codes, self._limits.service
        sure = metadata["confidence"] if service else metadata.get("confidence", 1)
        if type(sure) not in _NUMBERS or not 0 <= sure <= 1 or (service and type(value) is not int):
            raise ValueError(number)
        label = codes.plain_label(metadata["class-name"])
        self._labels.append((number, label, sure, codes.plain_job(metadata), codes.plain_moment(metadata)))

    def _take_boxes(self, number: int, value: Any, metadata: dict[str, Any]) -> tuple[int, int]:
        codes, limits = self._codes, self._limits
        boxes, objects = value["annotations"], metadata["objects"]
        count = len(boxes)
        if type(boxes) is not list or type(objects) is not list or len(objects) != count:
            raise ValueError(number)
        if limits.service:
            size = value["image_size"][0]
            width, height = size["width"], size["height"]
            if not count or not type(width) is type(height) is int:
                raise ValueError(number)
        else:
            width, height = size_of(value) or (0, 0)
        if limits.max_boxes_per_image is not None and count > limits.max_boxes_per_image:
            raise ValueError(number)
        self._lookups.append(codes.lookup(metadata["class-map"]))
        self._attributes.append((number, codes.plain_job(metadata), codes.plain_moment(metadata), width, height))
        self._counts.append(count)
        self._boxes += boxes
        self._objects += objects
        return width, height

    def _finish_boxes(self) -> None:
        flat = list(chain.from_iterable(map(_BOX, self._boxes)))
        ids = flat[::5]
        if self._limits.service:
            sure = list(map(_CONFIDENCE, self._objects))
        else:
            sure = [facts.get("confidence", 1) for facts in self._objects]
        if not {*map(type, flat), *map(type, sure)} <= _NUMBERS or not set(map(type, ids)) <= {int}:
            raise ValueError
        self._confidences = np.array(sure, dtype=np.float64)
        if not ((self._confidences >= 0) & (self._confidences <= 1)).all():
            raise ValueError
        self._numbers_of_boxes = np.array(flat, dtype=np.float64).reshape(-1, 5)[:, 1:]
        looked_up = map(dict.__getitem__, chain.from_iterable(map(repeat, self._lookups, self._counts)), ids)
        self._box_labels = np.fromiter(looked_up, dtype=np.int64, count=len(ids))
        self._of_attributes = np.array(self._attributes, dtype=np.int64).reshape(-1, 5)
        self._box_attributes = np.repeat(np.arange(len(self._counts)), self._counts)

    def bad(self) -> set[int]:
        """Numbers of lines with a box, or the size of an image, that can't be."""
        boxes, limits = self._numbers_of_boxes, self._limits
        wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
        attributes = self._of_attributes
        sizes = attributes[:, 3:]
        wrong_attributes = np.zeros(len(attributes), dtype=bool)
        if limits.service:
            largest = min(limits.max_side_pixels or LARGEST_SIZE, LARGEST_SIZE)
            wrong_attributes |= ((sizes < max(limits.min_side_pixels, 1)) | (sizes > largest)).any(axis=1)
            frames = sizes[self._box_attributes]
            wrong |= (boxes < -TOLERANCE).any(axis=1) | (boxes[:, :2] + boxes[:, 2:] > frames + TOLERANCE).any(axis=1)
            shrink = np.minimum(1.0, SHRUNK_TO / frames.max(axis=1, initial=1))
            wrong |= boxes[:, 2:].min(axis=1, initial=np.inf) * shrink <= 1
        wrong_attributes[self._box_attributes[wrong]] = True
        return set(attributes[wrong_attributes, 0].tolist())

    def lines(self) -> PlainLines:
        """All of it; only where nothing is :meth:`bad`."""
        number, label, sure, job, created = zip(*self._labels, strict=True) if self._labels else ((),) * 5
        labels = AnnotationColumns(
            np.array(number, dtype=np.int64),
            np.array(label, dtype=np.int64),
            np.array(sure, dtype=np.float64),
            np.array(job, dtype=np.int64),
            np.array(created, dtype=np.int64),
            np.full((len(number), 4), np.nan),
        )
        of = self._of_attributes[self._box_attributes]
        return PlainLines(
            np.array(self._numbers, dtype=np.int64),
            self._sources,
            np.array(self._labelled, dtype=bool),
            np.array(self._sizes, dtype=np.int64).reshape(-1, 2),
            labels,
            AnnotationColumns(
                of[:, 0], self._box_labels, self._confidences, of[:, 1], of[:, 2], self._numbers_of_boxes
            ),
        )
