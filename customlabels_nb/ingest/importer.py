"""Import images into a dataset: read each file once, decide what each image is to the project, and store it.

The three steps are :meth:`.FactsReader.read`, :meth:`.Identification.decide` and :meth:`.SqlStore.add_parts`.
Everything after the second one reads the table of fates.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import scratch_for, write_errors
from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.core import tables as t
from customlabels_nb.core.image_files import FILE, with_files, without_expected
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.formats.base import ROUNDING
from customlabels_nb.datasets.import_reports import ImportReport
from customlabels_nb.errors import InputError, OutdatedError, StoreError, TableError
from customlabels_nb.events import Events
from customlabels_nb.ingest.copies import copy_image, name_of_copy
from customlabels_nb.ingest.image_facts import FactsReader, pixel_column
from customlabels_nb.ingest.image_identity import Decision, Identification
from customlabels_nb.ingest.merging import Merge
from customlabels_nb.ingest.sources import ImportOptions, Source, SourceContents, find_images
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.store.writing import ImportPart
from customlabels_nb.user_settings import settings

__all__ = ["ImportReport", "import_images"]

MOST_IN_PART = 20_000  # images whose rows are in memory at the same time
_NO_IMAGES = ImportPart(t.empty(t.IMAGE_COLUMNS), t.empty(t.ANNOTATION_COLUMNS))


def import_images(
    store: SqlStore,
    root: Path,
    source: Source | SourceContents,
    options: ImportOptions,
    *,
    action: Action | None = None,
    after: int | None = None,
    events: Events | None = None,
) -> ImportReport:
    """Add the images of ``source`` to a dataset of the project at ``root``, in one transaction.

    Undoing the import also undoes the action ``after``, the part of the same import for the other dataset.
    Rows are made and stored in parts, of which only one is in memory. Files are read and copied before the transaction,
    for which other writers have to wait, except those that an iterator of tables names.
    """
    with ExitStack() as stack:
        if not (options.copy or options.check_images):  # reading local files creates no reference cycles
            stack.enter_context(collection_paused())
        tables = _Tables.of(source, options, root)
        if tables.streamed:  # but an iterator of the user may
            stack.close()
        options = replace(options, label=None)  # the tables have it
        reader = FactsReader(root, events, check_images=options.check_images, copy=options.copy)
        via = root
        if options.copy or options.copies:
            with write_errors(f"copy=True: {str(root / 'images')!r}"):
                via = stack.enter_context(scratch_for(root / "images"))
        while True:
            work = _Import(store, root, options, tables, reader, via)
            try:
                work.store(action or Action("import", settings.user, work.name), after)
                break
            except OutdatedError:  # someone else has imported since then: decide again, without reading files
                continue
    if options.follow and work.elsewhere is not None:
        other = t.TEST if options.split == t.TRAIN else t.TRAIN
        there = replace(options, split=other, follow=False)
        report = work.report()
        return report + import_images(store, root, work.elsewhere, there, after=report.action, events=events)
    return work.report()


@dataclass
class _Tables:
    """Source of an import: one listing, or an iterator of tables that are listed one after another."""

    description: dict[str, Any]
    labels: Sequence[tuple[str, str | None]]
    listings: Iterable[SourceContents]
    rounding: float
    streamed: bool
    failure: Exception | None = None  # of the iterator, which the store would take for damaged data

    @classmethod
    def of(cls, source: Source | SourceContents, options: ImportOptions, root: Path) -> _Tables:
        find = partial(find_images, options=options, project_folder=root, annotator=settings.user)
        source, frames = _frames_in(source)
        if frames is not None:
            several = cls({"kind": "table", "name": "several tables"}, (), (), ROUNDING, True)
            several.listings = (find(frame) for frame in several._checked(frames) if len(frame))
            return several
        contents = source if isinstance(source, SourceContents) else find(source)
        return cls(contents.description, contents.labels, [contents], contents.rounding, False)

    def _checked(self, frames: Iterator[object]) -> Iterator[pd.DataFrame]:
        try:
            for frame in frames:
                if not isinstance(frame, pd.DataFrame):
                    raise InputError(f"{frame!r} is not a DataFrame, but the source is a sequence of DataFrames.")
                yield frame
        except Exception as error:
            self.failure = error
            raise


def _frames_in(source: Any) -> tuple[Any, Iterator[Any] | None]:
    """Return the source, and an iterator if it consists of several tables."""
    if isinstance(source, str | os.PathLike | pd.DataFrame | SourceContents) or not isinstance(source, Iterable):
        return source, None
    items = iter(source)
    first = list(islice(items, 1))
    if first and isinstance(first[0], pd.DataFrame):
        return source, chain(first, items)
    return ([*first, *items] if items is source else source), None


@dataclass
class _Totals:
    """Collect the totals of an import, for its report."""

    added: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    lines: list[tuple[str, int, str]] = field(default_factory=list)
    changed: list[pd.DataFrame] = field(default_factory=list)
    known: int = 0
    ignored: int = 0


class _Import:
    """One attempt of an import."""

    def __init__(
        self, store: SqlStore, root: Path, options: ImportOptions, source: _Tables, reader: FactsReader, via: Path
    ) -> None:
        self._via = via  # folder for copies that are being written
        self._store, self._root, self._options, self._source, self._reader = store, root, options, source, reader
        self.name = str(source.description["name"])
        files, self._as_of = store.files()
        self._identification = Identification(files, options, self.name, root)
        self._labels: dict[str, tuple[str, ...]] | None = None
        self.elsewhere: SourceContents | None = None
        self._totals = _Totals()
        self._action: int | None = None
        self._merge = Merge(
            options.on_known, source.rounding, self.name, self._totals.issues, options.exact, options.lacks
        )

    def store(self, action: Action, after: int | None = None) -> None:
        """Store the new images and the annotations of known ones as one action, then the data of changed files."""
        options, source, totals = self._options, self._source, self._totals
        parts: Iterable[ImportPart] = (part for listing in source.listings for part in self._parts(listing))
        labels: Iterable[str] = ()
        described = {**source.description, "copy": True} if options.copy else source.description
        if not source.streamed:
            listing = next(iter(source.listings))
            labels = listing.annotations["label"].unique()
            decided = self._identification.decide(listing.incoming, self._reader)  # before the transaction
            parts = self._parts(listing, decided)
            if options.copy or len(listing.images) <= MOST_IN_PART:
                parts = list(parts)
        try:
            stored = self._store.add_parts(
                options.split,
                parts,
                action,
                issues=totals.issues,
                lines=totals.lines,
                labels=labels,
                vocabulary=source.labels,
                source=described if options.records else None,
                as_of=self._as_of,
                after=after,
            )
            self._action = stored.action
        except StoreError:
            if source.failure is not None:
                raise source.failure from None
            raise
        except TableError as error:  # the images of the dataset are left out, but not those of earlier tables
            if not source.streamed:
                raise
            raise InputError(f"An image is in two tables: {error} Put all rows of an image into one table.") from None
        for changed in totals.changed:
            self._store.refresh_files(options.split, changed, replace(action, what="refresh files"))

    def report(self) -> ImportReport:
        totals, merge = self._totals, self._merge
        return ImportReport(
            self._options.split,
            len(totals.added),
            totals.known,
            totals.ignored,
            issues_to_frame(totals.issues),
            len(merge.filled),
            added_images=totals.added,
            labelled_images=merge.filled,
            replaced=len(merge.replaced),
            kept=len(merge.kept),
            changed_cells=merge.changed_cells,
            action=self._action,
        )

    def _parts(self, contents: SourceContents, decided: Decision | None = None) -> Iterator[ImportPart]:
        """Yield what to store of a listing, and collect everything else that the report contains."""
        decided = decided or self._identification.decide(contents.incoming, self._reader)
        fates = decided.fates
        if (fates["fate"] == "duplicate").any():
            contents = _with_labels_of_duplicates(contents, fates)
        is_known, adding = fates["fate"].isin(["known", "changed"]).to_numpy(), fates["stays"].to_numpy(bool)
        self._note(contents, decided, is_known)
        is_edited = self._options.on_known != "skip" and is_known.any()
        known = _known_once(fates[is_known]) if is_edited else {}
        compared = self._to_compare(contents, known) if known else {}
        own = self._own_columns(contents, known) if known else None
        for start in range(0, max(len(fates), 1), MOST_IN_PART):
            rows = range(start, min(start + MOST_IN_PART, len(fates)))
            added = [row for row in rows if adding[row]]
            new = self._new(contents, decided, added) if added else _NO_IMAGES
            here = contents.images["image"].iloc[rows].tolist() if compared or own is not None else ()
            edit = self._edit_of_known(contents, _among(compared, here), own, _among(known, here)) if here else {}
            yield replace(new, **edit) if edit else new

    def _note(self, contents: SourceContents, decided: Decision, is_known: np.ndarray[Any, Any]) -> None:
        """Collect what the report contains about a listing, and the images that are known in the other split."""
        fates, totals = decided.fates, self._totals
        if self._options.only_known and not is_known.all():
            first, count = fates["image"].tolist()[int(np.argmin(is_known))], int((~is_known).sum())
            raise InputError(
                f"{counted(count, 'image')} {'is' if count == 1 else 'are'} not in the {self._options.split} set, for "
                f"example {first!r}. To add new images and replace the annotations of known ones, use "
                "project.import_dataset with on_known='replace'."
            )
        totals.known += int((is_known | ((fates["fate"] == "unreadable") & fates["known_as"].notna())).sum())
        totals.ignored += contents.ignored
        totals.lines += contents.lines
        totals.issues += [*contents.issues, *self._reasons(decided)]
        self._note_changes(contents.stats, decided)
        leaks = ((fates["fate"] == "leak") & ~fates["stays"].astype(bool)).to_numpy()
        self.elsewhere = contents.part(np.flatnonzero(leaks).tolist()) if leaks.any() else None

    def _reasons(self, decided: Decision) -> Iterator[Issue]:
        """Yield the issues of the fates, and those about the read files."""
        fates = decided.fates
        yield from fates.loc[fates["reason"].notna(), "reason"]
        images, known_as, what = (fates[name].tolist() for name in ("image", "known_as", "fate"))
        for index, fact in decided.facts.items():
            if fact.frames > 1:
                message = f"The file has {fact.frames:,} pages or frames. The first one is used."
                yield Issue("IMAGE_HAS_FRAMES", message, images[index], self.name)
            leak = self._identification.leak_of(known_as[index], fact.sha256) if what[index] == "changed" else None
            if leak:
                yield leak

    def _note_changes(self, stats: Sequence[tuple[int, int] | None], decided: Decision) -> None:
        """Collect the data of known files that were read again, and replace the copies of changed ones."""
        rows = []
        images, names, fates = (decided.fates[name].tolist() for name in ("image", "known_as", "fate"))
        for index, fact in decided.facts.items():
            image, known_as, fate = images[index], names[index], fates[index]
            if fate == "changed" and image in self._options.copies:
                copy_image(image, known_as, self._root, via=self._via, replace=True)
            if fate in ("known", "changed") and self._identification.is_named(image):
                stat = stats[index]
                rows.append((known_as, fact.width, fact.height, fact.sha256, fact.bytes, stat[1] if stat else None))
        whole = dict.fromkeys(["width", "height", "bytes", "mtime_ns"], "Int64")
        table = pd.DataFrame(rows, columns=["image", "width", "height", "sha256", "bytes", "mtime_ns"]).astype(whole)
        self._totals.changed += [table] if rows else []

    def _new(self, contents: SourceContents, decided: Decision, rows: Sequence[int]) -> ImportPart:
        """Return the images to add, with the metadata of their files, after copying them if they are to be copied."""
        facts, new = [decided.facts[row] for row in rows], contents.part(rows)
        sizes = [(fact.width, fact.height) for fact in facts]
        if {"width", "height"} <= set(new.images.columns):
            self._totals.issues += _other_sizes(new, sizes, self.name)
        images = new.images.assign(
            split=self._options.split,
            width=pd.array([width for width, _ in sizes], dtype="Int64"),
            height=pd.array([height for _, height in sizes], dtype="Int64"),
            sha256=[fact.sha256 for fact in facts],
            source=self.name,
        )
        files = pd.DataFrame(
            {
                "image": images["image"],
                "bytes": pd.array([fact.bytes for fact in facts], dtype="Int64"),
                "mtime_ns": pd.array([stat[1] if stat else None for stat in new.stats], dtype="Int64"),
            }
        )
        tables = images, files, new.annotations
        if self._options.copy:
            pairs = zip(images["image"], images["sha256"], strict=True)
            copies = {
                image: copy_image(image, name_of_copy(image, sha), self._root, via=self._via) for image, sha in pairs
            }
            tables = tuple(table.assign(image=table["image"].map(copies)) for table in tables)
        images, files, annotations = tables
        images = t.settle_statuses(t.normalise_images(images), annotations)
        self._totals.added += images["image"].tolist()
        return ImportPart(images, annotations, files)

    def _to_compare(self, contents: SourceContents, names: dict[str, str]) -> dict[str, str]:
        """Leave out known images for which the source has no answer, or only the labels that they have.

        They are most images of a folder that is imported again, and nothing else of them is read.
        """
        if self._options.exact:
            return names
        labels, images = _labels_by_image(contents.annotations), contents.images
        rows = zip(images["image"].tolist(), images["status"].tolist(), strict=True) if "status" in images else ()
        stated = {image: status for image, status in rows if status != "unlabelled"}
        if self._options.on_known != "replace" or not labels:  # else the report counts those without an answer
            names = {image: name for image, name in names.items() if image in labels or image in stated}
        if not names or contents.annotations["left"].notna().any():
            return names
        if self._labels is None:
            self._labels = _labels_by_image(self._store.labels_of_images(self._options.split))
        return _with_other_labels(names, labels, stated, self._labels)

    def _own_columns(self, contents: SourceContents, known: Mapping[str, str]) -> pd.DataFrame | None:
        """Return the user's own columns of a table for known images, by stored name, or None if there are none."""
        columns = [name for name in contents.images.columns if name not in t.IMAGE_COLUMNS]
        if not columns or contents.description["kind"] != "table":
            return None
        rows = contents.images[contents.images["image"].isin(known)]
        own = rows[columns].astype(object).set_axis(rows["image"].map(known).tolist())
        if FILE in own:
            stored = self._store.images(self._options.split).set_index("image").loc[own.index].rename_axis("image")
            shown = with_files(stored.drop(columns=FILE, errors="ignore").reset_index(), self._store.longer_files())
            own = without_expected(own, shown[FILE].tolist())
        return None if own.columns.empty else own

    def _edit_of_known(
        self,
        contents: SourceContents,
        names: Mapping[str, str],
        own: pd.DataFrame | None,
        known: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return the known images whose annotations or ``own`` columns may change, and what changes them."""
        if own is not None:
            own = own.loc[list(known.values())]
        elif not names:
            return {}
        images = contents.images[["image"]].assign(status=contents.images.get("status", "unlabelled"))
        images, annotations = (table[table["image"].isin(names)] for table in (images, contents.annotations))
        images, annotations = (
            table.assign(image=table["image"].map(names).astype(t.TEXT)).reset_index(drop=True)
            for table in (images, annotations)
        )
        chosen = images["image"].tolist() if own is None else list(known.values())
        return {"known": chosen, "edit": partial(self._edit, images, annotations, own)}

    def _edit(
        self,
        images: pd.DataFrame,
        annotations: pd.DataFrame,
        own: pd.DataFrame | None,
        stored: pd.DataFrame,
        stored_annotations: pd.DataFrame,
        leased: Mapping[str, str],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        if own is None:
            return self._merge.edit(images, annotations, stored, stored_annotations, leased)
        tables = stored, stored_annotations
        mine, marks = (table[table["image"].isin(images["image"])].reset_index(drop=True) for table in tables)
        return self._merge.edit_columns(own, *self._merge.edit(images, annotations, mine, marks, leased), *tables)


def _with_other_labels(
    names: Mapping[str, str],
    labels: Mapping[str, tuple[str, ...]],
    stated: Mapping[str, str],
    stored: Mapping[str, tuple[str, ...]],
) -> dict[str, str]:
    """Return the images whose labels in the source are not the stored ones, or that have another status there."""
    others = {image for image, status in stated.items() if status != "labelled" or image not in labels}
    pairs = ((image, name, labels.get(image, ()), stored.get(name, ())) for image, name in names.items())
    return {
        image: name
        for image, name, theirs, mine in pairs
        if image in others or (theirs != mine and set(theirs) != set(mine))  # in the same order mostly
    }


def _among(names: Mapping[str, str], images: Sequence[str]) -> dict[str, str]:
    return {image: names[image] for image in images if image in names}


def _known_once(fates: pd.DataFrame) -> dict[str, str]:
    """Map images to the known ones that they are. If two are the same, the one with its name or the first counts."""
    incoming: dict[str, str] = {}
    for image, known_as in zip(fates["image"].tolist(), fates["known_as"].tolist(), strict=True):
        if known_as not in incoming or image == known_as:
            incoming[known_as] = image
    return {image: known_as for known_as, image in incoming.items()}


def _with_labels_of_duplicates(contents: SourceContents, fates: pd.DataFrame) -> SourceContents:
    """Give the annotations of skipped duplicates to the image that they repeat, or say in ``fates`` what differs."""
    annotations, labels = contents.annotations, _labels_by_image(contents.annotations)
    heirs: dict[str, str] = {}
    for row in fates[fates["fate"] == "duplicate"].itertuples():
        mine, theirs = labels.get(row.image, ()), labels.get(row.known_as, ())
        if mine and theirs and mine != theirs:
            differing = (
                f"in the dataset (labelled {quoted(theirs, len(theirs))} there and {quoted(mine, len(mine))} here)."
            )
            text = row.reason.message.replace("in the dataset.", differing)
            fates.at[row.Index, "reason"] = replace(row.reason, message=text)
        elif mine and not theirs and not row.stays:
            heirs[row.image], labels[row.known_as] = row.known_as, mine
    inherited = annotations[annotations["image"].isin(heirs)]
    inherited = inherited.assign(image=inherited["image"].map(heirs).astype(t.TEXT))
    return replace(contents, annotations=pd.concat([annotations, inherited], ignore_index=True)) if heirs else contents


def _other_sizes(new: SourceContents, sizes: Sequence[tuple[int | None, int | None]], source: str) -> Iterator[Issue]:
    """Yield an issue for each image with boxes whose size in the table differs from its actual size in ``sizes``."""
    stated = zip(pixel_column(new.images["width"]), pixel_column(new.images["height"]), strict=True)
    pairs = zip(new.images["image"].tolist(), stated, sizes, strict=True)
    different = [(image, old, now) for image, old, now in pairs if old != now and None not in (*old, *now)]
    boxed = set(new.annotations.loc[new.annotations["left"].notna(), "image"]) if different else ()
    for image, old, now in different:
        if image in boxed:
            message = f"The size is given as {old[0]} × {old[1]}, but it is {now[0]} × {now[1]} pixels. "
            if old[::-1] == now:
                message += "The boxes seem to be drawn before the image was turned. "
            message += "Check its boxes, which were not changed."
            yield Issue("IMAGE_SIZE_DIFFERS", message, image, source)


def _labels_by_image(annotations: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the distinct labels of each annotated image, in the order of the table."""
    # most images have one label, so images with the same label share a tuple
    alone = {label: (label,) for label in annotations["label"].unique()}
    labels: dict[str, tuple[str, ...]] = {}
    for image, label in zip(annotations["image"].tolist(), annotations["label"].tolist(), strict=True):
        image_labels = labels.get(image)
        if image_labels is None:
            labels[image] = alone[label]
        elif label not in image_labels:
            labels[image] = (*image_labels, label)
    return labels
