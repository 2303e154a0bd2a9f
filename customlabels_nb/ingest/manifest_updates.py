"""Update the annotations of a dataset from manifest lines, like Rekognition's UpdateDatasetEntries operation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.formats.ground_truth import contents_of
from customlabels_nb.datasets.formats.manifest_lines import LineSource, ManifestFile, ManifestLines
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, contents_of_tables
from customlabels_nb.store import Action, SqlStore

Entries: TypeAlias = str | os.PathLike[str] | Iterable[str | bytes | Mapping[str, Any]]


@dataclass(frozen=True)
class EntriesReport(ShownWithTable):
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
    store: SqlStore,
    root: Path,
    split: str,
    entries: Entries,
    action: Action,
    *,
    on_known: str = "replace",
    events: Events | None = None,
) -> EntriesReport:
    """Implement :meth:`customlabels_nb.project.project.Project.update_entries`."""
    source = _lines(entries)
    reader = ManifestReader(source, LOCAL)
    reader.read()
    manifest = contents_of(reader)
    unread = [(source.name, number, raw) for number, raw in manifest.unread]
    contents = contents_of_tables(
        manifest.images, manifest.annotations, source.name, root=root, issues=manifest.issues, lines=unread
    )
    options = ImportOptions(split, on_known=on_known, exact=on_known == "replace")
    report = import_images(store, root, contents, options, action=action, events=events)
    updated = report.labelled + report.replaced
    return EntriesReport(updated, report.added, report.known - updated, report.issues)


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
