"""Validate and repair a manifest file or the tables of a dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import LOCAL, Limits
from customlabels_nb.core.polygons import polygon_of, rings_of
from customlabels_nb.datasets.formats.base import Contents, ImageFinder
from customlabels_nb.datasets.formats.ground_truth import manifest_lines
from customlabels_nb.datasets.formats.manifest_lines import ManifestLines, parse_line
from customlabels_nb.datasets.formats.manifest_sizes import can_be_fitted, headers
from customlabels_nb.datasets.formats.manifest_values import SOURCE, bucket_of, finding, parsed
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest
from customlabels_nb.datasets.validation.repairs import (
    DROP,
    MEND,
    Box,
    RepairChange,
    Size,
    polygon_findings,
    repair_line,
    repair_polygons,
)
from customlabels_nb.datasets.validation.rules import check_manifests
from customlabels_nb.datasets.validation.written_files import paired_lines
from customlabels_nb.errors import ImageError
from customlabels_nb.images.locations import absolute_uri, is_remote
from customlabels_nb.images.reading import ImageHeader, read_header

Fixed = TypeVar("Fixed")
Repaired = tuple[Contents, list[RepairChange]]

#: Key prefix in the bucket that images not on S3 are assumed to be uploaded to.
_UPLOADED = "uploaded"
_ANY_SIDE = 1024
UPLOAD_NOTE = "Images that are not on S3 were checked as if they were uploaded to one bucket."


class ManifestOnDisk(Generic[Fixed]):
    """Manifest file that can be validated and repaired. ``build`` creates a dataset from tables."""

    def __init__(
        self,
        build: Callable[[Contents], Fixed],
        *,
        images: str | os.PathLike[str] | None = None,
        relocate: Mapping[str, str] | None = None,
    ) -> None:
        self.build = build
        self.notes: list[str] = []
        self._images = images
        self._relocate = relocate

    def repaired(self, manifest: CheckedManifest, names: frozenset[str], limits: Limits) -> Repaired:
        """Repair the lines, and return their tables and the changes, with the original line numbers."""
        changes: list[RepairChange] = []
        numbers: list[int] = []
        lines: list[bytes] = []
        sources = (_source(raw) for _, raw in manifest.raw_lines())
        keep = _main_bucket(sources) if "keep_one_bucket" in names else None
        finder = ImageFinder(Path(), images=self._images, relocate=self._relocate)

        def real_size(source_ref: str, drawn_size: Size) -> tuple[Size | None, bool]:
            path = finder.relocated(source_ref)
            if (header := _header(path)) is None:
                return None, False
            return (header.width, header.height), not is_remote(path) and can_be_fitted(drawn_size, header)

        for number, raw, line in paired_lines(manifest):
            mended, changed = (raw, []) if line is None else repair_line(line, names, limits, real_size)
            if keep is not None and mended is not None and (moved := _elsewhere(number, _source(mended), keep)):
                mended, changed = None, [*changed, moved]
            changes += changed
            if mended is not None:
                numbers.append(number)
                lines.append(mended)
        left = ManifestLines(manifest.source, lines)
        checked = check_manifests(left, limits=LOCAL, images=self._images, relocate=self._relocate, check_images=False)
        contents = checked.train.contents or Contents()  # with the numbers of the lines that are left
        issues = [
            issue if issue.line is None else replace(issue, line=numbers[issue.line - 1]) for issue in contents.issues
        ]
        unread = [(numbers[number - 1], raw) for number, raw in contents.unread]
        return replace(contents, issues=issues, unread=unread), changes


class DatasetTables(Generic[Fixed]):
    """Dataset in memory, checked as if it were written to a manifest, followed by ``unread`` lines."""

    def __init__(
        self,
        contents: Contents,
        build: Callable[[Contents], Fixed],
        *,
        name: str,
        root: Path | None = None,
        unread: Sequence[tuple[str, int, str]] = (),
    ) -> None:
        self.build = build
        self.name = name
        self.notes: list[str] = []
        self._contents = contents
        self._images = contents.images
        self._names: list[str] = contents.images["image"].tolist()
        self._unread = _missing_lines(unread, set(self._names))
        self.places = [absolute_uri(name, root) for name in self._names]

    def lines(self, bucket: str | None) -> ManifestLines:
        """Return the manifest to check. With ``bucket``, images that are not on S3 are treated as uploaded to it."""
        places = self.places
        if bucket is not None:
            places = [_uploaded(location, bucket) for location in places]
            self._images = _with_sizes(self._contents, self.places)
            self.notes = [UPLOAD_NOTE] if places != self.places else []
        return ManifestLines(self.name, list(self._lines(places)))

    def check_polygons(self, manifest: CheckedManifest) -> None:
        """Add findings about polygons, which manifests cannot store. The lines stay usable."""
        by_number = {line.number: line for line in manifest.lines}
        for number, findings in polygon_findings(self._contents.images, self._contents.annotations).items():
            if number not in by_number:
                manifest.lines.append(CheckedLine(number, b"", None, "valid"))
            by_number.get(number, manifest.lines[-1]).findings.extend(findings)

    def name_images(self, manifest: CheckedManifest) -> None:
        """Replace image URIs in the findings with the names in the dataset, and add the source of unread lines."""
        manifest.open_lines = lambda: self._lines(self.places)
        by_number = {line.number: line for line in manifest.lines}
        for number, raw in enumerate(self._lines(self.places), 1) if by_number else ():
            if number not in by_number:
                continue
            line = by_number[number]
            line.raw = raw
            if number <= len(self._names):
                line.source_ref = self._names[number - 1]
        for number, (source, line_number, text) in enumerate(self._unread, len(self._names) + 1):
            unread = by_number.get(number)
            if unread is None:  # the image is already in the dataset, perhaps under another name
                errors = [finding("ERROR_INVALID_SOURCE_REF_FORMAT")]
                unread = CheckedLine(number, text.encode(), _source(text.encode()), "invalid", errors)
                manifest.lines.append(unread)
                manifest.valid, manifest.invalid = manifest.valid - 1, manifest.invalid + 1
            detail = f"line {line_number:,} of {source}"
            unread.findings = [replace(error, detail=detail) for error in unread.findings]
        manifest.lines.sort(key=lambda line: line.number)

    def repaired(self, manifest: CheckedManifest, names: frozenset[str], limits: Limits) -> Repaired:
        """Return the tables with the repairs applied, and the changes."""
        changes: list[RepairChange] = []
        places = dict(zip(self._names, self.places, strict=True))

        def real_size(name: str, _: Size) -> tuple[Size | None, bool]:
            header = _header(places[name])
            return (header.width, header.height) if header else None, False

        for line in manifest.lines:
            if line.number <= len(self._names):
                changes += repair_line(line, names, limits, real_size)[1]
        if "keep_one_bucket" in names:
            keep = _main_bucket(self.places)
            numbered = enumerate(self.places, 1)
            changes += [moved for number, location in numbered if (moved := _elsewhere(number, location, keep))]
        contents = _changed_tables(self._contents, changes, self._names)
        if names & {MEND, DROP}:
            contents.annotations, mended = repair_polygons(contents.images, contents.annotations, names)
            places_of = {name: number for number, name in enumerate(self._names, 1)}
            changes += [replace(change, line=places_of[str(change.image)]) for change in mended]
        return contents, changes

    def _lines(self, places: Iterable[str]) -> Iterator[bytes]:
        named = dict(zip(self._names, places, strict=True))
        annotations = self._contents.annotations
        lines = manifest_lines(
            self._images.assign(image=list(named.values())),
            annotations.assign(image=annotations["image"].map(named)),
        )
        yield from (line.encode() for line in lines)
        yield from (raw.encode() for _, _, raw in self._unread)


def _missing_lines(unread: Sequence[tuple[str, int, str]], images: set[str]) -> list[tuple[str, int, str]]:
    """Select the unread lines of manifests that are still missing from the tables and have not been corrected."""
    missing = []
    for source, number, raw in unread:
        if source.lower().endswith(".csv"):
            continue
        line = parse_line(raw.encode(), LOCAL)
        repeated = not line.findings  # the line is valid, so it was rejected because its image was a duplicate
        if repeated or (line.state == "invalid" and line.source_ref not in images):
            missing.append((source, number, raw))
    return missing


def upload_bucket(subjects: Iterable[DatasetTables[Fixed]]) -> str:
    """Return the bucket to assume for images that are not on S3, the first bucket used by other images if any."""
    places = (location for subject in subjects for location in subject.places)
    return next(filter(None, map(bucket_of, places)), "bucket")


def relocation(bucket: str | None) -> dict[str, str]:
    """Map the bucket URIs assumed for images that are not on S3 back to the actual paths."""
    return {} if bucket is None else {f"s3://{bucket}/{_UPLOADED}/": ""}


def _uploaded(location: str, bucket: str) -> str:
    # a name that is not UTF-8 cannot be a key of a bucket, so it stays unchanged and is reported
    return location if location.startswith(("s3://", "file://")) else f"s3://{bucket}/{_UPLOADED}/{location}"


def _with_sizes(contents: Contents, places: list[str]) -> pd.DataFrame:
    """Read the missing sizes of images with boxes from the image headers."""
    images = contents.images.copy()
    boxes = contents.annotations[contents.annotations["left"].notna()]
    needed = (images["width"].isna() & images["image"].isin(boxes["image"])).to_numpy()
    rows = np.flatnonzero(needed).tolist()
    seen = list(headers([places[row] for row in rows]))
    for side in ("width", "height"):
        # any size will do for an unreadable image, so that only the image is reported
        images.loc[needed, side] = [getattr(header, side, _ANY_SIDE) for header in seen]
    return images


def _header(location: str) -> ImageHeader | None:
    try:
        return read_header(location)
    except ImageError:
        return None


def _source(raw: bytes) -> str:
    source = (parsed(raw) or {}).get(SOURCE)
    return source if isinstance(source, str) else ""


def _main_bucket(places: Iterable[str]) -> str | None:
    counts = Counter(filter(None, map(bucket_of, places)))
    return max(counts, key=lambda bucket: counts[bucket], default=None)


def _elsewhere(number: int, location: str, keep: str | None) -> RepairChange | None:
    bucket = bucket_of(location)
    if bucket in (None, keep):
        return None
    return RepairChange(
        "keep_one_bucket", number, location, "line", f"the line was dropped because its image is in {bucket!r}"
    )


def _changed_tables(contents: Contents, changes: list[RepairChange], names: list[str]) -> Contents:
    annotations = contents.annotations.copy()
    touched = {names[change.line - 1] for change in changes if change.kind == "box"}
    rows: dict[tuple[str, str | None, Box], list[int]] = {}
    mine = annotations[annotations["image"].isin(touched) & annotations["left"].notna()]
    for row, image, label, *box in mine[["image", "label", *t.BOX_COLUMNS]].itertuples(name=None):
        rows.setdefault((image, label, tuple(box)), []).append(row)
    gone: list[int] = []
    for change in changes:
        if change.kind != "box" or change.before is None:
            continue
        image = names[change.line - 1]
        row = rows[image, change.label, change.before].pop()
        if change.after is None:
            gone.append(row)
            continue
        rows.setdefault((image, change.label, change.after), []).append(row)
        annotations.loc[row, list(t.BOX_COLUMNS)] = change.after
        polygon = annotations.at[row, "polygon"]
        if polygon is not None:
            left, top, width, height = change.after
            low, high = (left, top), (left + width, top + height)
            annotations.at[row, "polygon"] = polygon_of(np.clip(ring, low, high) for ring in rings_of(polygon))
    annotations = annotations.drop(index=gone)
    images = t.settle_statuses(contents.images, annotations, changed=pd.Series(sorted(touched), dtype=t.TEXT))
    dropped = {names[change.line - 1] for change in changes if change.kind == "line"}
    return replace(
        contents,
        images=images[~images["image"].isin(dropped)],
        annotations=annotations[~annotations["image"].isin(dropped)],
        issues=list(contents.issues),
    )
