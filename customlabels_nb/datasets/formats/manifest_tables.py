"""Manifests as tables: plain lines many at a time, all others one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.json_file import no_garbage_collection
from customlabels_nb.datasets.formats.manifest_files import LineSource, lines_numbered, without_end
from customlabels_nb.datasets.formats.manifest_lines import ENDS_A_LINE, parse_line
from customlabels_nb.datasets.formats.manifest_plain import (
    NO_DATE,
    AnnotationColumns,
    Codes,
    Entry,
    IntArray,
    PlainLines,
    gather,
)
from customlabels_nb.datasets.formats.manifest_values import ImageVerdict, ParsedLine, State, bucket_of, finding

_BATCH = 100  # what is parsed and gathered at a time should fit into the processor's cache


class Note(NamedTuple):
    """A line with findings; ``raw`` has no line end."""

    number: int
    raw: bytes
    parsed: ParsedLine


class Line(NamedTuple):
    """A line whose image may be looked at; ``size`` is what it says itself."""

    number: int
    source_ref: str
    size: tuple[int, int] | None


@dataclass(slots=True)
class ManifestTable:
    """Images and annotations of a manifest, by line.

    Attributes
    ----------
    numbers : ndarray of int
        Of the lines, one an image.
    sources : ndarray of str
        The images as the lines name them.
    labelled : ndarray of bool
        Whether somebody looked at the image.
    sizes : ndarray of shape (images, 2)
        Width and height in pixels, 0 where they aren't known.
    rows : AnnotationColumns
        The annotations, those of a line together.
    labels, jobs : list of str
        What the codes of the rows mean.
    """

    numbers: IntArray
    sources: npt.NDArray[np.object_]
    labelled: npt.NDArray[np.bool_]
    sizes: IntArray
    rows: AnnotationColumns
    labels: list[str]
    jobs: list[str]

    def of_kind(self, boxed: bool | None) -> npt.NDArray[np.bool_]:
        """Which rows are boxes (True), labels of whole images (False) or anything (None)."""
        whole = np.isnan(self.rows.boxes[:, 0])
        wanted: npt.NDArray[np.bool_] = np.ones_like(whole) if boxed is None else ~whole if boxed else whole
        return wanted

    def images_per_label(self, *, boxed: bool | None = None) -> dict[str, int]:
        """How many images have each of the labels as boxes (True), as a whole (False), or at all (None)."""
        chosen, many = self.of_kind(boxed), max(len(self.labels), 1)
        pairs = _distinct(self.rows.lines[chosen] * many + self.rows.labels[chosen])
        counts = np.bincount(pairs % many, minlength=len(self.labels)).tolist()
        return {name: count for name, count in sorted(zip(self.labels, counts, strict=False)) if count}

    def labelled_images(self, *, boxed: bool) -> int:
        """How many images have boxes (True) or labels as a whole (False)."""
        return len(_distinct(self.rows.lines[self.of_kind(boxed)]))

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The normalised tables of images and annotations."""
        images = pd.DataFrame(
            {
                "image": pd.array(self.sources, dtype="str"),
                "status": pd.array(["unlabelled", "labelled"], dtype="str").take(self.labelled.astype(np.int64)),
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
                "label": pd.array(self.labels, dtype="str").take(rows.labels),
                **{side: rows.boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
                "confidence": rows.confidences,
                "job": pd.array(np.array([*self.jobs, None], dtype=object), dtype="str").take(rows.jobs),
                "created": pd.Series(created).dt.tz_localize("UTC"),
            }
        )
        return t.normalise_images(images), t.normalise_annotations(annotations)


class ManifestReader:
    """Reads the lines of a manifest and knows what became of each.

    Parameters
    ----------
    source : LineSource
    limits : Limits
        ``limits.service`` asks for all that the hosted service does.

    Attributes
    ----------
    total : int
        Lines that were read.
    blank : int
        Lines that hold nothing, where nothing is to be said about them.
    filled, objects : int
        Lines that hold anything, and those of them that at least begin as JSON objects do.
    """

    def __init__(self, source: LineSource, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.total = self.blank = self.filled = self.objects = 0
        self._codes = Codes(limits)
        self._plain: list[PlainLines] = []
        self._exact: dict[int, tuple[bytes, ParsedLine]] = {}
        self._replaced: set[int] = set()  # plain lines that are among the exact ones meanwhile

    # -- reading ------------------------------------------------------------------------------------
    def read(self, max_lines: int | None = None) -> None:
        """Read the lines, no more than ``max_lines`` of them, and refuse those whose image an earlier one has."""
        lines = islice(self.source, max_lines)
        with no_garbage_collection():
            while batch := list(islice(lines, _BATCH)):
                self._take(batch, self.total + 1)
                self.total += len(batch)
            self._refuse_repeated()

    def again(self, verdicts: Mapping[int, ImageVerdict]) -> None:
        """Judge the lines of these numbers anew, with what looking at their images told."""
        for number, raw in lines_numbered(self.source, verdicts):
            if number in self._exact and self._exact[number][1].repeated:
                continue
            self._put(number, raw, parse_line(raw, self.limits, verdicts[number]))

    def _take(self, batch: list[bytes], first: int) -> None:
        entries: list[Entry] = []
        service = self.limits.service
        # blank lines go before the parser sees them, whose errors take their time
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
        """Under the service's rules a line counts as the earlier one even if it is bad."""
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
            said = finding("ERROR_INVALID_SOURCE_REF_FORMAT", detail=f"line {first[source]:,} has this image already")
            self._put(number, raw, ParsedLine(source, "invalid", [said], repeated=True))

    # -- what was read ------------------------------------------------------------------------------
    def notes(self) -> list[Note]:
        """The lines with findings, by number."""
        return [Note(number, raw, parsed) for number, (raw, parsed) in sorted(self._exact.items()) if parsed.findings]

    def count(self, state: State) -> int:
        """How many lines are in that state."""
        found = sum(parsed.state == state for _, parsed in self._exact.values())
        if state == "valid":
            found += sum(len(plain.numbers) for plain in self._plain) - len(self._replaced)
        return found + (self.blank if state == "ignored" else 0)

    def predictions(self) -> int:
        """How many attributes were passed over because they hold what a model said."""
        return sum(parsed.predictions for _, parsed in self._exact.values())

    def bad_dates(self) -> list[int]:
        """The numbers of the lines that are used and give a date that can't be read as one."""
        return sorted(
            number for number, (_, parsed) in self._exact.items() if parsed.bad_dates and parsed.state != "invalid"
        )

    def buckets(self) -> set[str]:
        """The S3 buckets that images lie in."""
        found = {bucket_of(parsed.source_ref) for _, parsed in self._exact.values() if parsed.source_ref}
        return self._codes.buckets | {bucket for bucket in found if bucket is not None}

    def lines_with_images(self) -> list[Line]:
        """The lines that tell which image they mean and are used, or refused for other reasons than their format."""
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
        """Images and annotations of all lines but the invalid ones."""
        exact = [(number, parsed) for number, (_, parsed) in sorted(self._exact.items()) if parsed.state != "invalid"]
        plain = self._plain
        numbers = np.concatenate([*(p.numbers for p in plain), _ints(number for number, _ in exact)])
        sources = np.empty(len(numbers), dtype=object)
        sources[:] = [*chain.from_iterable(p.sources for p in plain), *(parsed.source_ref for _, parsed in exact)]
        labelled = np.concatenate([*(p.labelled for p in plain), np.array([p.looked_at for _, p in exact], dtype=bool)])
        known = _ints(side for _, parsed in exact for side in parsed.size or (0, 0)).reshape(-1, 2)
        sizes = np.concatenate([*(p.sizes for p in plain), known])
        order = self._order(numbers, len(exact))
        labels, boxes = self._rows(exact, boxed=False), self._rows(exact, boxed=True)
        # labels of whole images come first within a line, for sorting keeps the order of equals
        rows = _joined([*(p.labels for p in plain), *(p.boxes for p in plain), labels, boxes])
        return ManifestTable(
            numbers[order],
            sources[order],
            labelled[order],
            sizes[order],
            rows.take(self._order(rows.lines, len(labels) + len(boxes))),
            list(self._codes.labels),
            list(self._codes.jobs),
        )

    def _order(self, numbers: IntArray, exact: int) -> IntArray:
        """Positions by line; all but the last ``exact`` are of plain lines, of which those replaced are left out."""
        kept = np.arange(len(numbers))
        if self._replaced:
            gone = np.isin(numbers, _ints(self._replaced))
            gone[len(numbers) - exact :] = False
            kept = kept[~gone]
        in_order: IntArray = kept[np.argsort(numbers[kept], kind="stable")]
        return in_order

    def _rows(self, exact: list[tuple[int, ParsedLine]], *, boxed: bool) -> AnnotationColumns:
        found = [(n, label) for n, parsed in exact for label in parsed.labels if (label.box is not None) is boxed]
        codes, nowhere = self._codes, (np.nan,) * 4
        return AnnotationColumns(
            _ints(number for number, _ in found),
            _ints(codes.label(label.name) for _, label in found),
            np.array([label.confidence for _, label in found], dtype=np.float64),
            _ints(codes.job(label.job) for _, label in found),
            _ints(NO_DATE if label.created is None else label.created for _, label in found),
            np.array([label.box or nowhere for _, label in found], dtype=np.float64).reshape(-1, 4),
        )


def _distinct(values: IntArray) -> IntArray:
    # nearly in order as they are, they are sorted in a fraction of the time that np.unique takes
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) > 0]


def _ints(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)


def _joined(parts: list[AnnotationColumns]) -> AnnotationColumns:
    return AnnotationColumns(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in AnnotationColumns.__slots__)
    )


def _sides(sizes: IntArray) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(sizes.copy(), sizes == 0)
