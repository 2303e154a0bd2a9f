"""Parse Ground Truth manifests into tables, with a fast path for well-formed lines.

A line is *plain* if it is certain to pass every check of :func:`.manifest_lines.parse_line` and to give the same rows.
:func:`gather` converts many plain lines to arrays together. Every other line is passed to ``parse_line``, the only
function that reports errors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.json_file import shown
from customlabels_nb.datasets.formats.manifest_lines import (
    ENDS_A_LINE,
    SHRUNK_TO,
    TOLERANCE,
    LineSource,
    lines_numbered,
    parse_line,
    without_end,
)
from customlabels_nb.datasets.formats.manifest_values import (
    ADJUSTED,
    BOXES,
    ESTIMATED,
    IMAGE_LEVEL,
    KNOWN_METADATA,
    KNOWN_OF_BOX,
    KNOWN_OF_BOXES,
    KNOWN_OF_OBJECT,
    KNOWN_OF_SIZE,
    LARGEST_SIZE,
    METADATA,
    PREDICTION,
    SOURCE,
    ImageVerdict,
    ParsedLine,
    State,
    attributes_of,
    bucket_of,
    finding,
    is_crowd,
    label_or_none,
    moment,
    origin_of,
    size_of,
    unpaired_of,
)

#: Number of a line, its bytes, and its JSON value.
_Entry: TypeAlias = tuple[int, bytes, Any]
_IntArray: TypeAlias = npt.NDArray[np.int64]
_FloatArray: TypeAlias = npt.NDArray[np.float64]
#: Job and annotator of annotations, see :func:`.manifest_values.origin_of`.
Origin: TypeAlias = tuple[str | None, str | None]

#: Placeholder for an unknown date.
NO_DATE = np.iinfo(np.int64).min
_MOST_CACHED = 20_000
_LONGEST_ID = 16
_FEWEST_TOGETHER = 8  # smaller batches are parsed line by line, which is faster than searching for the bad line
_YES_OR_NO = ("yes", "no")
_NUMBERS = frozenset({int, float})
_PLAIN_METADATA = KNOWN_METADATA - {ADJUSTED}
_PLAIN_BOX = KNOWN_OF_BOX - {"deleted"}
_BOX = itemgetter("class_id", "left", "top", "width", "height")
_CONFIDENCE = itemgetter("confidence")
# errors raised by the fast path when a line is not plain
_NOT_PLAIN = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)

_BATCH = 100  # a batch should fit into the processor's cache


class Note(NamedTuple):
    """Line with findings. ``raw`` has no line break."""

    number: int
    raw: bytes
    parsed: ParsedLine


class Line(NamedTuple):
    """Line whose image can be checked. ``size`` is the size given in the line."""

    number: int
    source_ref: str
    size: tuple[int, int] | None


@dataclass(slots=True)
class ManifestTable:
    """Images and annotations of a manifest. ``rows`` is grouped by line.

    ``sizes`` are 0 if unknown. Codes in ``rows`` refer to ``labels`` and ``origins`` (job, and annotator or None).
    """

    numbers: _IntArray
    sources: npt.NDArray[np.object_]
    labelled: npt.NDArray[np.bool_]
    sizes: _IntArray
    rows: _AnnotationColumns
    labels: list[str]
    origins: list[Origin]

    def of_kind(self, boxed: bool | None) -> npt.NDArray[np.bool_]:
        """Return a mask of the rows that are boxes (True), image-level labels (False) or either (None)."""
        whole = np.isnan(self.rows.boxes[:, 0])
        wanted: npt.NDArray[np.bool_] = np.ones_like(whole) if boxed is None else ~whole if boxed else whole
        return wanted

    def images_per_label(self, *, boxed: bool | None = None) -> dict[str, int]:
        """Count the images with each label, in boxes (True), image-level labels (False) or either (None)."""
        chosen, many = self.of_kind(boxed), max(len(self.labels), 1)
        pairs = _distinct(self.rows.lines[chosen] * many + self.rows.labels[chosen])
        counts = np.bincount(pairs % many, minlength=len(self.labels)).tolist()
        return {name: count for name, count in sorted(zip(self.labels, counts, strict=False)) if count}

    def labelled_images(self, *, boxed: bool) -> int:
        """Count the images with boxes (True) or image-level labels (False)."""
        return len(_distinct(self.rows.lines[self.of_kind(boxed)]))

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the normalised images table and annotations table."""
        images = pd.DataFrame(
            {
                "image": pd.array(self.sources, dtype=t.TEXT),
                "status": pd.array(["unlabelled", "labelled"], dtype=t.TEXT).take(self.labelled.astype(np.int64)),
                "width": _sides(self.sizes[:, 0]),
                "height": _sides(self.sizes[:, 1]),
            }
        )
        rows = self.rows
        if not len(rows):
            return t.normalise_images(images), t.empty(t.ANNOTATION_COLUMNS)
        now = np.datetime64(pd.Timestamp.now(tz="UTC").tz_localize(None), "us")
        created = np.where(rows.created == NO_DATE, now, rows.created.view("datetime64[us]"))
        annotations = pd.DataFrame(
            {
                "image": images["image"].array.take(np.searchsorted(self.numbers, rows.lines)),
                "label": pd.array(self.labels, dtype=t.TEXT).take(rows.labels),
                **{side: rows.boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
                "crowd": rows.crowds,
                "confidence": rows.confidences,
                "annotator": pd.array([annotator for _, annotator in self.origins], dtype=t.TEXT).take(rows.origins),
                "job": pd.array([job for job, _ in self.origins], dtype=t.TEXT).take(rows.origins),
                "created": pd.Series(created).dt.tz_localize("UTC"),
            }
        )
        return t.normalise_images(images), t.normalise_annotations(annotations)


class ManifestReader:
    """Reader of manifest lines that stores the parsed result of each line, and counts lines by kind."""

    def __init__(self, source: LineSource, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.total = self.blank = self.filled = self.objects = 0
        self._codes = Codes(limits)
        self._plain: list[_PlainLines] = []
        self._exact: dict[int, tuple[bytes, ParsedLine]] = {}
        self._replaced: set[int] = set()  # plain lines that were moved to _exact later

    # -- reading ------------------------------------------------------------------------------------
    def read(self, max_lines: int | None = None) -> None:
        """Read the lines, or only the first ``max_lines``, and reject lines that repeat an image."""
        lines = islice(self.source, max_lines)
        with collection_paused():
            while batch := list(islice(lines, _BATCH)):
                self._take(batch, self.total + 1)
                self.total += len(batch)
            self._refuse_repeated()

    def again(self, verdicts: Mapping[int, ImageVerdict]) -> None:
        """Parse lines again, using the results of checking their images by line number."""
        for number, raw in lines_numbered(self.source, verdicts):
            if number in self._exact and self._exact[number][1].repeated:
                continue
            self._put(number, raw, parse_line(raw, self.limits, verdicts[number]))

    def _take(self, batch: list[bytes], first: int) -> None:
        entries: list[_Entry] = []
        service = self.limits.service
        # skip blank lines before parsing, because raising parse errors is slow
        filled = [(number, raw) for number, raw in enumerate(batch, first) if raw.strip() or service]
        self.blank += len(batch) - len(filled)
        for number, raw in filled:
            try:
                entries.append((number, raw, orjson.loads(raw)))
            except orjson.JSONDecodeError:
                self._parse(number, raw)
        for plain, doubtful in gather(entries, self._codes, self.limits):
            if plain is not None:
                self._plain.append(plain)
                self.objects += len(plain.numbers)
                self.filled += len(plain.numbers)
            for number, raw in doubtful:
                self._parse(number, raw)

    def _parse(self, number: int, raw: bytes) -> None:
        self.filled += bool(raw.strip())
        self.objects += raw.lstrip().startswith(b"{")
        parsed = parse_line(raw, self.limits)
        self._exact[number] = (without_end(raw) if parsed.findings else b"", parsed)

    def _put(self, number: int, raw: bytes, parsed: ParsedLine) -> None:
        if number not in self._exact:
            self._replaced.add(number)
        self._exact[number] = (without_end(raw) if parsed.findings else b"", parsed)

    def _refuse_repeated(self) -> None:
        """Reject lines that repeat the image of an earlier line, with Rekognition's rules also of an invalid line."""
        others = [
            (number, parsed.source_ref)
            for number, (_, parsed) in self._exact.items()
            if parsed.source_ref is not None and (self.limits.service or parsed.state != "invalid")
        ]
        sources = {source for plain in self._plain for source in plain.sources}
        sources.update(source for _, source in others)
        if len(sources) == len(others) + sum(len(plain.sources) for plain in self._plain):
            return
        seen = [(n, s) for plain in self._plain for n, s in zip(plain.numbers.tolist(), plain.sources, strict=True)]
        seen += others
        first: dict[str, int] = {}
        repeated = {number: source for number, source in sorted(seen) if first.setdefault(source, number) != number}
        for number, raw in lines_numbered(self.source, repeated):
            source = repeated[number]
            duplicate = finding(
                "ERROR_INVALID_SOURCE_REF_FORMAT", detail=f"line {first[source]:,} already has this image"
            )
            self._put(number, raw, ParsedLine(source, "invalid", [duplicate], repeated=True))

    # -- results ------------------------------------------------------------------------------------
    def notes(self) -> list[Note]:
        return [Note(number, raw, parsed) for number, (raw, parsed) in sorted(self._exact.items()) if parsed.findings]

    def count(self, state: State) -> int:
        """Count the lines in this state."""
        count = sum(parsed.state == state for _, parsed in self._exact.values())
        if state == "valid":
            count += sum(len(plain.numbers) for plain in self._plain) - len(self._replaced)
        return count + (self.blank if state == "ignored" else 0)

    def predictions(self) -> int:
        """Count the attributes that were ignored because they contain model predictions."""
        return sum(parsed.predictions for _, parsed in self._exact.values())

    def account(self) -> Account:
        """Count what valid lines have that is not imported."""
        counter = Account()
        others = [
            (number, [f"value of the key {shown(key)} of a line" for key in keys])
            for plain in self._plain
            for number, keys in plain.others
            if number not in self._replaced
        ]
        others += [(number, parsed.others) for number, (_, parsed) in self._exact.items() if parsed.state != "invalid"]
        for number, kinds in sorted(others):
            for what in kinds:
                counter.add(what, f"line {number}")
        return counter

    def bad_dates(self) -> list[int]:
        """List the numbers of valid lines with a date that cannot be parsed."""
        return sorted(
            number for number, (_, parsed) in self._exact.items() if parsed.bad_dates and parsed.state != "invalid"
        )

    def buckets(self) -> set[str]:
        buckets = {bucket_of(parsed.source_ref) for _, parsed in self._exact.values() if parsed.source_ref}
        return self._codes.buckets | {bucket for bucket in buckets if bucket is not None}

    def lines_with_images(self) -> list[Line]:
        """List the lines that name an image, except lines that were rejected because of their format."""
        lines = [
            Line(number, source, (width, height) if width else None)
            for plain in self._plain
            for number, source, (width, height) in zip(
                plain.numbers.tolist(), plain.sources, plain.sizes.tolist(), strict=True
            )
            if number not in self._replaced
        ]
        for number, (_, parsed) in self._exact.items():
            stopped = parsed.findings and parsed.findings[0].code in ENDS_A_LINE
            idle = self.limits.service and not parsed.looked_at
            if parsed.source_ref is not None and not stopped and not idle:
                lines.append(Line(number, parsed.source_ref, parsed.size))
        return sorted(lines)

    def table(self) -> ManifestTable:
        """Build the table of images and annotations from all lines that are not invalid."""
        exact = [(number, parsed) for number, (_, parsed) in sorted(self._exact.items()) if parsed.state != "invalid"]
        plain = self._plain
        numbers = np.concatenate([*(p.numbers for p in plain), _ints(number for number, _ in exact)])
        sources = np.empty(len(numbers), dtype=object)
        sources[:] = [*chain.from_iterable(p.sources for p in plain), *(parsed.source_ref for _, parsed in exact)]
        labelled = np.concatenate([*(p.labelled for p in plain), np.array([p.looked_at for _, p in exact], dtype=bool)])
        exact_sizes = _ints(side for _, parsed in exact for side in parsed.size or (0, 0)).reshape(-1, 2)
        sizes = np.concatenate([*(p.sizes for p in plain), exact_sizes])
        order = self._order(numbers, len(exact))
        labels, boxes = self._rows(exact, boxed=False), self._rows(exact, boxed=True)
        # a stable sort keeps image-level labels first within a line
        rows = _joined([*(p.labels for p in plain), *(p.boxes for p in plain), labels, boxes])
        return ManifestTable(
            numbers[order],
            sources[order],
            labelled[order],
            sizes[order],
            rows.take(self._order(rows.lines, len(labels) + len(boxes))),
            list(self._codes.labels),
            list(self._codes.origins),
        )

    def _order(self, numbers: _IntArray, exact: int) -> _IntArray:
        """Return the positions in ``numbers`` sorted by line number, without replaced plain lines.

        The last ``exact`` numbers belong to lines that are not plain.
        """
        kept = np.arange(len(numbers))
        if self._replaced:
            gone = np.isin(numbers, _ints(self._replaced))
            gone[len(numbers) - exact :] = False
            kept = kept[~gone]
        in_order: _IntArray = kept[np.argsort(numbers[kept], kind="stable")]
        return in_order

    def _rows(self, exact: list[tuple[int, ParsedLine]], *, boxed: bool) -> _AnnotationColumns:
        pairs = [(n, label) for n, parsed in exact for label in parsed.labels if (label.box is not None) is boxed]
        codes, nowhere = self._codes, (np.nan,) * 4
        return _AnnotationColumns(
            _ints(number for number, _ in pairs),
            _ints(codes.label(label.name) for _, label in pairs),
            np.array([label.confidence for _, label in pairs], dtype=np.float64),
            _ints(codes.origin((label.job, label.annotator)) for _, label in pairs),
            _ints(NO_DATE if label.created is None else label.created for _, label in pairs),
            np.array([label.box or nowhere for _, label in pairs], dtype=np.float64).reshape(-1, 4),
            np.array([label.crowd for _, label in pairs], dtype=bool),
        )


def _distinct(values: _IntArray) -> _IntArray:
    # np.sort is much faster than np.unique, because the values are nearly sorted
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) > 0]


def _ints(values: Iterable[int]) -> _IntArray:
    return np.fromiter(values, dtype=np.int64)


def _joined(parts: list[_AnnotationColumns]) -> _AnnotationColumns:
    return _AnnotationColumns(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _AnnotationColumns.__slots__)
    )


def _sides(sizes: _IntArray) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(sizes.copy(), sizes == 0)


# -- plain lines ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _AnnotationColumns:
    """Annotation columns: line, label and origin code, confidence, time in µs since 1970, box (or NaN), crowd flag."""

    lines: _IntArray
    labels: _IntArray
    confidences: _FloatArray
    origins: _IntArray
    created: _IntArray
    boxes: _FloatArray
    crowds: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, positions: _IntArray) -> _AnnotationColumns:
        return _AnnotationColumns(*(getattr(self, name)[positions] for name in _AnnotationColumns.__slots__))


@dataclass(slots=True)
class _PlainLines:
    """Images on plain lines, with their image-level labels and boxes. Unknown ``sizes`` are 0."""

    numbers: _IntArray
    sources: list[str]
    labelled: npt.NDArray[np.bool_]
    sizes: _IntArray
    labels: _AnnotationColumns
    boxes: _AnnotationColumns
    others: list[tuple[int, tuple[str, ...]]]  # lines with keys that belong to no label


class Codes:
    """Integer codes for labels and origins, and caches of other values that recur on many lines."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.labels: dict[str, int] = {}
        self.origins: dict[Origin, int] = {}
        self.buckets: set[str] = set()
        self._names: dict[str, int | None] = {}
        self._moments: dict[str, int] = {}
        self._plans: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self.others: dict[tuple[str, ...], tuple[str, ...]] = {}  # keys of a line, and those that belong to no label
        self._lookups: dict[tuple[tuple[str, str], ...], dict[int, int]] = {}
        self._classes: dict[tuple[str, str], tuple[int, int] | None] = {}
        self._plain_origins: dict[tuple[str, bool], int] = {}
        self._last_names: dict[str, str] | None = None
        self._last_lookup: dict[int, int] = {}
        self._start = " "  # of a source-ref with the bucket of the previous line
        self._service = limits.service

    def label(self, name: str) -> int:
        return self.labels.setdefault(name, len(self.labels))

    def origin(self, origin: Origin) -> int:
        return self.origins.setdefault(origin, len(self.origins))

    def plain_label(self, name: str) -> int:
        """Return the code of a label as given in a line, or raise ValueError if it is invalid."""
        if name not in self._names:
            if len(self._names) > _MOST_CACHED:
                self._names.clear()
            label = label_or_none(name, self.limits)
            self._names[name] = None if label is None else self.label(label)
        code = self._names[name]
        if code is None:
            raise ValueError(name)
        return code

    def plain_origin(self, metadata: dict[str, Any]) -> int:
        """Return the code of the job and annotator in the metadata, or raise ValueError if they are not plain."""
        name, human = metadata.get("job-name", ""), metadata.get("human-annotated", "yes")
        code = self._plain_origins.get((name, human))
        if code is None:
            if type(name) is not str or "\0" in name or human not in _YES_OR_NO:
                raise ValueError(name)
            code = self._plain_origins[name, human] = self.origin(origin_of(name or None, human))
        return code

    def plain_moment(self, metadata: dict[str, Any]) -> int:
        """Return the date in the metadata in µs since 1970, or raise ValueError if it is invalid.

        The rules of Rekognition also require a date and ``human-annotated``.
        """
        text = metadata.get("creation-date", "")
        cached = self._moments.get(text)
        if cached is None:
            if len(self._moments) > _MOST_CACHED:
                self._moments.clear()
            when = moment(text)
            cached = self._moments[text] = NO_DATE if when is None else when
        if (cached == NO_DATE and (text or self._service)) or (
            self._service and metadata["human-annotated"] not in _YES_OR_NO
        ):
            raise ValueError(text)
        return cached

    def lookup(self, names: dict[str, str]) -> dict[int, int]:
        """Map the class ids in a class map to label codes, ignoring ids and labels that are not plain."""
        if names == self._last_names:
            return self._last_lookup
        key = tuple(names.items())
        codes = self._lookups.get(key)
        if codes is None:
            if len(self._lookups) > _MOST_CACHED:
                self._lookups.clear()
            if not all(type(name) is str for name in names.values()):
                raise ValueError(names)
            codes = self._lookups[key] = dict(filter(None, map(self._class, key)))
        self._last_names, self._last_lookup = names, codes
        return codes

    def _class(self, pair: tuple[str, str]) -> tuple[int, int] | None:
        """Return the class id and label code for an entry of a class map, or None if the entry is not plain."""
        if pair not in self._classes:
            if len(self._classes) > _MOST_CACHED:
                self._classes.clear()
            number, label = pair[0], label_or_none(pair[1], self.limits)
            short = len(number) < _LONGEST_ID and number.isdecimal()
            plain = label is not None and short and str(int(number)) == number
            self._classes[pair] = (int(number), self.label(label)) if plain and label is not None else None
        return self._classes[pair]

    def plan(self, value: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        """Return the label attributes of a line with their metadata keys, or raise ValueError if they are not plain."""
        keys = tuple(value)
        plan = self._plans.get(keys)
        if plan is None:
            if len(self._plans) > _MOST_CACHED:
                self._plans.clear()
                self.others.clear()
            plan = tuple((key, key + METADATA) for key in attributes_of(value))
            if (not plan and (self._service or len(keys) > 1)) or any(map(PREDICTION.fullmatch, keys)):
                raise ValueError(keys)
            self._plans[keys] = plan
            if others := unpaired_of(keys):
                self.others[keys] = tuple(others)
        return plan

    def check_source(self, source: Any) -> None:
        """Raise ValueError unless the value is certain to be a valid image name."""
        if type(source) is not str or not source or "\0" in source:
            raise ValueError(source)
        if self._service and not (source.startswith(self._start) and len(source) > len(self._start)):
            bucket = bucket_of(source)
            if bucket is None:
                raise ValueError(source)
            self.buckets.add(bucket)
            self._start = f"s3://{bucket}/"


def _is_read_whole(value: dict[str, Any]) -> bool:
    """Check that boxes and their image size have no other keys than those that are read, and a size is one."""
    sizes = value.get("image_size", ())
    known = value.keys() <= KNOWN_OF_BOXES and all(size.keys() <= KNOWN_OF_SIZE for size in sizes)
    return known and (not sizes or ESTIMATED in sizes[0] or size_of(value) is not None)


def _have_only(entries: list[Any], fewest: int, read_keys: frozenset[str]) -> bool:
    """Check that dicts have no other keys than ``read_keys``. Only those with more than ``fewest`` can have."""
    return set(map(len, entries)) <= {*range(fewest + 1)} or set().union(*entries) <= read_keys


def gather(
    entries: list[_Entry], codes: Codes, limits: Limits
) -> Iterator[tuple[_PlainLines | None, list[tuple[int, bytes]]]]:
    """Yield the plain lines among the entries as arrays, and the other lines unchanged, in one or more parts."""
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
    """Builder of arrays from plain lines. It raises one of ``_NOT_PLAIN`` if a line is not plain."""

    def __init__(self, entries: list[_Entry], codes: Codes, limits: Limits) -> None:
        self._codes, self._limits = codes, limits
        self._numbers: list[int] = []
        self._sources: list[str] = []
        self._labelled: list[bool] = []
        self._sizes: list[tuple[int, int]] = []
        self._labels: list[tuple[int, int, float, int, int]] = []
        # for each attribute with boxes: line, origin, date, width and height; number of boxes; class id → label
        self._attributes: list[tuple[int, int, int, int, int]] = []
        self._counts: list[int] = []
        self._lookups: list[dict[int, int]] = []
        self._boxes: list[Any] = []
        self._objects: list[Any] = []
        self._others: list[tuple[int, tuple[str, ...]]] = []
        longest = limits.max_line_length or sys.maxsize
        for number, raw, value in entries:
            source, plan = value[SOURCE], codes.plan(value)
            codes.check_source(source)
            if len(raw) > longest:
                raise ValueError(number)
            if limits.max_labels_per_image is not None and len(plan) > limits.max_labels_per_image:
                raise ValueError(number)
            if codes.others and (others := codes.others.get(tuple(value))):
                self._others.append((number, tuple(key for key in others if value[key] is not None)))
            size = (0, 0)
            for key, metadata_key in plan:
                metadata = value[metadata_key]
                if not metadata.keys() <= _PLAIN_METADATA:
                    raise ValueError(number)
                if metadata["type"] == BOXES:
                    taken = self._take_boxes(number, value[key], metadata)
                    size = size if size[0] else taken
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
        self._labels.append((number, label, sure, codes.plain_origin(metadata), codes.plain_moment(metadata)))

    def _take_boxes(self, number: int, value: Any, metadata: dict[str, Any]) -> tuple[int, int]:
        codes, limits = self._codes, self._limits
        boxes, objects = value["annotations"], metadata["objects"]
        count = len(boxes)
        if type(boxes) is not list or type(objects) is not list or len(objects) != count:
            raise ValueError(number)
        if not _is_read_whole(value):
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
        self._attributes.append((number, codes.plain_origin(metadata), codes.plain_moment(metadata), width, height))
        self._counts.append(count)
        self._boxes += boxes
        self._objects += objects
        return width, height

    def _finish_boxes(self) -> None:
        if not (_have_only(self._boxes, 5, _PLAIN_BOX) and _have_only(self._objects, 1, KNOWN_OF_OBJECT)):
            raise ValueError
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
        """Return the numbers of the lines with an invalid box or image size."""
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

    def lines(self) -> _PlainLines:
        """Return the arrays of all lines, provided that there are no :meth:`bad` lines."""
        number, label, sure, origin, created = zip(*self._labels, strict=True) if self._labels else ((),) * 5
        labels = _AnnotationColumns(
            np.array(number, dtype=np.int64),
            np.array(label, dtype=np.int64),
            np.array(sure, dtype=np.float64),
            np.array(origin, dtype=np.int64),
            np.array(created, dtype=np.int64),
            np.full((len(number), 4), np.nan),
            np.zeros(len(number), dtype=bool),
        )
        of = self._of_attributes[self._box_attributes]
        return _PlainLines(
            np.array(self._numbers, dtype=np.int64),
            self._sources,
            np.array(self._labelled, dtype=bool),
            np.array(self._sizes, dtype=np.int64).reshape(-1, 2),
            labels,
            _AnnotationColumns(
                of[:, 0],
                self._box_labels,
                self._confidences,
                of[:, 1],
                of[:, 2],
                self._numbers_of_boxes,
                np.fromiter(map(is_crowd, self._boxes), dtype=bool, count=len(self._boxes)),
            ),
            self._others,
        )
