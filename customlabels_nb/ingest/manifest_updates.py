"""Update the annotations of a dataset from manifest lines, like Rekognition's UpdateDatasetEntries operation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import issues_to_frame
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.ground_truth import contents_of
from customlabels_nb.datasets.formats.manifest_lines import LineSource, ManifestFile, ManifestLines
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.errors import ImageError, InputError, OutdatedError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import Location
from customlabels_nb.ingest.deduplication import Deduplication, Facts
from customlabels_nb.ingest.sources import ImportOptions, contents_of_tables
from customlabels_nb.store import Action, SqlStore

Entries: TypeAlias = str | os.PathLike[str] | Iterable[str | bytes | Mapping[str, Any]]


@dataclass(frozen=True)
class EntriesReport:
    """Result of updating entries: the numbers of images that were updated, were added, and are unchanged.

    ``issues`` is a table of the problems found.

    Examples
    --------
    >>> report = project.update_entries("train", [{"source-ref": "missing.jpg"}])
    >>> report.updated, report.added
    (0, 0)
    """

    updated: int
    added: int
    unchanged: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        look = f", {counted(len(self.issues), 'issue')}, see .issues" if len(self.issues) else ""
        return f"{counted(self.updated, 'image')} updated, {self.added:,} added, {self.unchanged:,} unchanged{look}."


def update_entries(
    store: SqlStore, root: Path, split: str, entries: Entries, action: Action, *, events: Events | None = None
) -> EntriesReport:
    """Implement :meth:`customlabels_nb.project.project.Project.update_entries`."""
    source = _lines(entries)
    reader = ManifestReader(source, LOCAL)
    reader.read()
    manifest = contents_of(reader)
    unread = [(source.name, number, raw) for number, raw in manifest.unread]
    facts: dict[str, Facts | ImageError] = {}
    while True:
        known_files, as_of = store.files()
        stored, old, _ = store.tables(split)
        names = _stored_names(manifest.images["image"].tolist(), set(stored["image"]))
        images, marks = _replaced(stored, manifest, names)
        known = forget_where_changed(images, marks, stored, old), marks
        images, marks = (frame[~frame["image"].isin(names)] for frame in (manifest.images, manifest.annotations))
        contents = contents_of_tables(images, marks, source.name, root=root, issues=manifest.issues, lines=unread)
        intake = Deduplication(known_files, ImportOptions(split), source.name, root).take_in(contents, facts, events)
        try:
            written = store.update_entries(
                split,
                known,
                (intake.images, intake.annotations),
                action,
                files=intake.files,
                issues=intake.issues,
                lines=contents.lines,
                as_of=as_of,
            )
            break
        except OutdatedError:  # someone else has imported since then: deduplicate again, without reading files
            continue
    added = len(intake.images)
    updated = written.count - added
    return EntriesReport(updated, added, len(known[0]) - updated, issues_to_frame(intake.issues))


def _lines(entries: Entries) -> LineSource:
    """Return the manifest lines of a file, of a string, or of a list of dicts and strings."""
    if isinstance(entries, str) and not entries.lstrip("\ufeff \t\r\n").startswith("{"):
        if not entries.strip():
            raise InputError("entries is empty. Pass manifest lines, dicts, or a path.")
        return ManifestFile(os.path.expanduser(entries))
    if isinstance(entries, os.PathLike):
        return ManifestFile(entries)
    if isinstance(entries, str):
        entries = entries.removeprefix("\ufeff").split("\n")
    if isinstance(entries, Mapping | bytes) or not isinstance(entries, Iterable):
        raise InputError(f"entries={entries!r} is not a list of manifest lines. Pass a string, a path, or a list.")
    lines = [line for entry in entries if (line := _line(entry)).strip()]
    if not lines:
        raise InputError("entries is empty. Pass manifest lines, dicts, or a path.")
    return ManifestLines("entries", lines)


def _line(entry: object) -> bytes:
    if isinstance(entry, bytes):
        return entry
    try:
        text = entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"Cannot convert an entry to JSON ({error}): {str(entry)[:80]!r}.") from error
    return text.encode("utf-8", "surrogatepass")


def _stored_names(images: Sequence[str], stored: set[str]) -> dict[str, str]:
    """Map the source-refs that are in the dataset to their names in it, as given or as an import would store them."""
    named = {image: image if image in stored else Location.of(image).uri for image in images}
    return {image: name for image, name in named.items() if name in stored}


def _replaced(stored: pd.DataFrame, manifest: Contents, names: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stored images that manifest lines refer to, with their annotations replaced by the manifest's."""
    images = stored[stored["image"].isin(names.values())].reset_index(drop=True)
    updated = manifest.annotations[manifest.annotations["image"].isin(names)]
    marks = updated.assign(image=updated["image"].map(names).astype(t.TEXT))
    image_names = manifest.images["image"].map(names).to_numpy()
    looked_at = set(image_names[(manifest.images["status"] == "labelled").to_numpy()])
    status = images["status"].where(~images["image"].isin(looked_at), "labelled")
    bare = ~images["image"].isin(looked_at) & (images["status"] == "labelled")
    images = images.assign(status=status.where(~bare, "unlabelled"))
    return t.settle_statuses(images, marks), marks
