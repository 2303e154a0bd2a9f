"""Import images into a dataset: read each file once, skip known images, and report unusable images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.import_reports import ImportReport
from customlabels_nb.errors import CustomLabelsError, ImageError, InputError, OutdatedError, StaleEditError, TableError
from customlabels_nb.events import Events
from customlabels_nb.ingest.deduplication import Deduplication, Facts, LabelsByImage, describe_labels, labels_by_image
from customlabels_nb.ingest.sources import ImportOptions, Source, SourceContents, find_images
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.store.writing import NewImages

__all__ = ["ImportReport", "import_images"]

_PART = 20_000  # images whose rows are in memory at the same time
_ATTEMPTS = 20  # attempts while someone else edits the same images, which are then left unchanged

_STATUS_WORDS = {
    "labelled": "is labelled as empty",
    "skipped": "was skipped during labelling",
    "needs_review": "needs to be reviewed",
}


class _NothingNewError(Exception):
    """Raised at the end of an import that has nothing to store, so that it leaves no entry in the history."""


class _FailedError(Exception):
    """Carries an error of the source through the store, which would take it for an error of the database."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def import_images(
    store: SqlStore,
    root: Path,
    source: Source | SourceContents,
    options: ImportOptions,
    *,
    events: Events | None = None,
) -> ImportReport:
    """Add the images of ``source`` to a dataset of the project at ``root``, in one transaction.

    Rows are made and stored in parts, of which only one is in memory. Files are read and copied before the transaction,
    for which other writers have to wait, except those that an iterator of tables names.
    """
    who, split, contents = settings.user, options.split, None
    source, tables = _tables_in(source)
    if tables is None:
        contents = source if isinstance(source, SourceContents) else find_images(
            source, options, project_folder=root, annotator=who
        )  # fmt: skip
    description: dict[str, Any] = (
        {"kind": "table", "name": "several tables"} if contents is None else contents.description
    )
    name = str(description["name"])
    size = _PART if contents is None or not options.copy else len(contents.images)
    at_once = contents is not None and len(contents.images) <= size
    facts: dict[str, Facts | ImageError] = {}
    vocabulary = () if contents is None else contents.labels
    while True:
        work = _Import(store, root, options, name, labelled=contents is None or len(contents.annotations) > 0)
        work.has_new_labels = not set(dict(vocabulary)) <= set(store.labels()["label"])
        if contents is None:
            assert tables is not None
            parts = _contents_of(tables, options, root, who)
        else:
            parts = contents.parts(size)
            if not at_once:
                work.deduplication.read(contents, facts, events)
        try:
            rows = work.rows(parts, facts, events)
            store.add_parts(
                split,
                list(rows) if at_once else rows,
                Action("import", who, name),
                issues=work.issues,
                lines=work.lines,
                labels=() if at_once or contents is None else contents.annotations["label"].unique(),
                vocabulary=vocabulary,
                source={**description, "copy": True} if options.copy else description,
                as_of=work.as_of,
            )
            break
        except OutdatedError:  # someone else has imported since then: deduplicate again, without reading files
            continue
        except TableError as error:  # the images of the dataset are left out, but not those of earlier tables
            if contents is not None:
                raise
            raise InputError(f"An image is in two tables: {error} Put all rows of an image into one table.") from None
        except _NothingNewError:
            break
        except _FailedError as failed:
            raise failed.reason from None
    for changed in work.changed:
        store.refresh_files(split, changed, Action("refresh files", who, name))
    bare = pd.concat(work.bare) if work.bare else t.empty(t.ANNOTATION_COLUMNS)
    labelled = label_known(store, split, bare, work.statuses, Action("label imported images", who, name))
    issues = issues_to_frame(work.issues)
    return ImportReport(split, len(work.added), work.known, work.ignored, issues, labelled, added_images=work.added)


class _Import:
    """One attempt of an import. Its totals are complete when all :meth:`rows` have been made."""

    def __init__(self, store: SqlStore, root: Path, options: ImportOptions, name: str, *, labelled: bool) -> None:
        self.issues: list[Issue] = []
        self.lines: list[tuple[str, int, str]] = []
        self.added: list[str] = []
        self.known = self.ignored = 0
        self.has_new_labels = False
        self.changed: list[pd.DataFrame] = []
        self.bare: list[pd.DataFrame] = []
        self.statuses: dict[str, str] = {}
        self._store, self._split, self._name = store, options.split, name
        self._exists = store.dataset(options.split) is not None
        files, self.as_of = store.files()
        self._labels = labels_by_image(store.labels_of_images(options.split)) if labelled else {}
        self._stored_statuses: dict[str, str] | None = None
        self.deduplication = Deduplication(files, options, name, root, self._labels)

    def rows(
        self, parts: Iterable[SourceContents], facts: dict[str, Facts | ImageError], events: Events | None
    ) -> Iterator[NewImages]:
        """Yield the images to add, part by part, and collect everything else that the report contains."""
        try:
            for contents in parts:
                yield self._take_in(contents, facts, events)
        except CustomLabelsError:
            raise
        except Exception as error:
            raise _FailedError(error) from error
        if self._exists and not (self.added or self.issues or self.lines or self.has_new_labels):
            raise _NothingNewError

    def _take_in(
        self, contents: SourceContents, facts: dict[str, Facts | ImageError], events: Events | None
    ) -> NewImages:
        intake = self.deduplication.take_in(contents, facts, events)
        wanted = contents.annotations[contents.annotations["image"].isin(intake.known)]
        wanted = wanted.assign(image=wanted["image"].map(intake.known).astype(t.TEXT))
        pairs = zip(wanted["image"].tolist(), wanted["label"].tolist(), strict=True)
        new = np.array([label not in self._labels.get(image, ()) for image, label in pairs], dtype=bool)
        wanted = wanted[new]
        bare = wanted[~wanted["image"].isin(self._labels)]
        rows = contents.images.reindex(columns=["image", "status"]).itertuples(index=False, name=None)
        given = {intake.known[image]: str(status) for image, status in rows if image in intake.known}
        given = {i: status for i, status in given.items() if status in _STATUS_WORDS and i not in self._labels}
        if (given or len(bare)) and self._stored_statuses is None:
            self._stored_statuses = self._store.images(self._split).set_index("image")["status"].to_dict()
        stored = self._stored_statuses or {}
        self.statuses |= {image: status for image, status in given.items() if stored.get(image) == "unlabelled"}
        self.issues += [*intake.issues, *kept_labels(wanted, self._labels, stored, self._name)]
        self.lines += contents.lines
        self.added += intake.images["image"].tolist()
        self.known += len(intake.known)
        self.ignored += contents.ignored
        self.changed += [intake.changed] if len(intake.changed) else []
        self.bare += [bare] if len(bare) else []
        return intake.images, intake.annotations, intake.files


def _tables_in(source: Any) -> tuple[Any, Iterator[pd.DataFrame] | None]:
    """Return the source, and an iterator if it consists of several tables."""
    if isinstance(source, str | os.PathLike | pd.DataFrame | SourceContents) or not isinstance(source, Iterable):
        return source, None
    items = iter(source)
    first = list(islice(items, 1))
    if first and isinstance(first[0], pd.DataFrame):
        return source, chain(first, items)
    return ([*first, *items] if items is source else source), None


def _contents_of(
    tables: Iterator[pd.DataFrame], options: ImportOptions, root: Path, who: str
) -> Iterator[SourceContents]:
    for table in tables:
        if not isinstance(table, pd.DataFrame):
            raise InputError(f"{table!r} is not a DataFrame, but the source is a sequence of DataFrames.")
        if len(table):
            yield from find_images(table, options, project_folder=root, annotator=who).parts(_PART)


def kept_labels(wanted: pd.DataFrame, stored: LabelsByImage, statuses: Mapping[str, str], source: str) -> list[Issue]:
    """Return an issue for each known image with a new label in the import that is not applied."""
    issues = []
    for image, labels in labels_by_image(wanted).items():
        stored_labels = stored.get(image, ())
        other = [label for label in labels if label not in stored_labels]
        if not other or (not stored_labels and statuses.get(image) == "unlabelled"):
            continue
        is_now = (
            f"is already {describe_labels(stored, image)}"
            if stored_labels
            else _STATUS_WORDS.get(statuses.get(image, ""), "is known")
        )
        was = "was" if len(other) == 1 else "were"
        message = f"The image {is_now}, so {' and '.join(map(repr, other))} {was} not applied."
        issues.append(Issue("LABEL_KEPT", message, where=image, source=source))
    return issues


def label_known(store: SqlStore, split: str, wanted: pd.DataFrame, statuses: Mapping[str, str], action: Action) -> int:
    """Set the labels and statuses of the images that are still unlabelled, and return the number of these images."""
    names = list(dict.fromkeys([*wanted["image"], *statuses]))
    for _ in range(_ATTEMPTS if names else 0):
        images, annotations, _labels = store.tables(split, names)
        chosen = images[(images["status"] == "unlabelled") & ~images["image"].isin(annotations["image"])]
        if chosen.empty:
            return 0
        chosen = chosen.assign(status=[statuses.get(image, "unlabelled") for image in chosen["image"]])
        given = wanted[wanted["image"].isin(chosen["image"])]
        try:
            return store.update_images(split, t.settle_statuses(chosen, given), given, action).count
        except StaleEditError:
            continue
    return 0
