"""What a project's store promises, whatever database is behind it.

Every method that writes is one transaction: either all of it is there afterwards, with its line in the
history, or nothing is. Writers of one project take turns; readers see whole transactions only. Each image
has a revision that grows with every change of it or of its annotations; :meth:`Store.update_images` refuses
to write over a newer one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb.core.issues import Issue
from customlabels_nb.store.overview import Overview
from customlabels_nb.store.records import (
    VERSION_STATUSES,
    Action,
    DatasetRecord,
    ProjectRecord,
    Statistics,
    VersionRecord,
)

__all__ = [
    "VERSION_STATUSES",
    "Action",
    "DatasetRecord",
    "ProjectRecord",
    "Statistics",
    "Store",
    "VersionRecord",
]


#: Images and their annotations.
Tables: TypeAlias = tuple[pd.DataFrame, pd.DataFrame]


class Store(Overview, ABC):
    """The contract. Frames have the columns and dtypes of :mod:`customlabels_nb.core.tables`."""

    # -- life ---------------------------------------------------------------------------------------
    @property
    @abstractmethod
    def read_only(self) -> bool:
        """Whether nothing can be written, because the folder or the file may not be."""

    @abstractmethod
    def close(self) -> None:
        """Give connections back. The store may not be used afterwards."""

    @abstractmethod
    def destroy(self) -> None:
        """Delete everything this store holds, for ever, and close it."""

    @abstractmethod
    def copy_to(self, path: str) -> None:
        """Write all of it, as it is at one moment, to a new SQLite file that :func:`open_store` opens."""

    @abstractmethod
    def rename_images(self, names: Mapping[str, str]) -> int:
        """Call images otherwise wherever the store speaks of them, history and snapshots included.

        This is for a copy that moves to another place: no action, and revisions stay. Returns how many images.
        """

    # -- project ------------------------------------------------------------------------------------
    @abstractmethod
    def project(self) -> ProjectRecord:
        """The project's record."""

    @abstractmethod
    def set_project(self, action: Action, **changes: Any) -> None:
        """Change fields of the project's record: name, task, status, status_message, tags, instructions."""

    # -- datasets: read -----------------------------------------------------------------------------
    @abstractmethod
    def dataset(self, split: str) -> DatasetRecord | None:
        """The record of the train or test dataset, None if there is none."""

    @abstractmethod
    def statistics(self, split: str) -> Statistics:
        """Counts of the dataset, zeros if there is none."""

    @abstractmethod
    def images(self, split: str | None = None) -> pd.DataFrame:
        """The images table, in the order of import."""

    @abstractmethod
    def annotations(self, split: str | None = None) -> pd.DataFrame:
        """The annotations table, image by image in the order of import."""

    @abstractmethod
    def tables(
        self, split: str, images: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Images and annotations of the dataset, and all labels, as they were at one moment.

        With ``images`` only what the dataset has of these, and no labels: the cost is theirs, however large all is.
        """

    @abstractmethod
    def tables_later(self, split: str) -> tuple[pd.DataFrame, Callable[[], pd.DataFrame], pd.DataFrame]:
        """As :meth:`tables` without waiting for the annotations, which a call gives; all of them are of one moment."""

    @abstractmethod
    def label_counts(self, split: str) -> pd.DataFrame:
        """How many images of the dataset have each label: label, images (int64), in the order of labels."""

    @abstractmethod
    def labels_of_images(self, split: str) -> pd.DataFrame:
        """The columns ``image`` and ``label`` of the dataset's annotations, each pair once."""

    @abstractmethod
    def files(self) -> tuple[pd.DataFrame, int]:
        """What is known of the files: image, split, sha256 (str), bytes, mtime_ns (Int64); and as of when.

        The number grows whenever images come, go, change sides or content.
        """

    @abstractmethod
    def issues(self) -> pd.DataFrame:
        """Findings of imports and validation, oldest first."""

    @abstractmethod
    def import_lines(self) -> pd.DataFrame:
        """Lines of imported manifests that weren't read whole: split, source, line, raw."""

    @abstractmethod
    def history(self, limit: int | None = None) -> pd.DataFrame:
        """Actions, newest first: id, created, who, what, note, split, count, before, after (parsed JSON).

        ``undoes`` is the action that this one took back, ``undone_by`` the one that took this one back, if that
        stands, and ``undoable`` whether :meth:`undo` can still take it back, unless somebody changed the same since.
        """

    @abstractmethod
    def last_action(self) -> int:
        """The id of the newest action, 0 if there is none. It grows with every change: cheap enough to ask often."""

    @abstractmethod
    def actions_since(self, history_id: int, limit: int | None = 100) -> pd.DataFrame:
        """What was done after the action of that id, oldest first, at most ``limit`` actions.

        The columns are id, created, who, what, note, split, count, and images, a list of those that the action touched.
        """

    @abstractmethod
    def undo(self, action_id: int | None, action: Action) -> int:
        """Take an action back; returns how many images changed.

        That is an action itself and can be taken back like any other, which redoes what was undone. Changes of images,
        annotations and labels can be taken back, in any order, as long as what stands was not done to the same images
        or labels later.

        Parameters
        ----------
        action_id : int, optional
            Its id in the history; the latest of ``action.who`` that can be taken back and was not, unless it is given.

        Raises
        ------
        StaleEditError
            If one of its images was changed since. Nothing was written.
        NotAllowedError
            If it was taken back already, is of a kind that can't be, or its labels were changed since.
        """

    # -- datasets: write ----------------------------------------------------------------------------
    @abstractmethod
    def add_images(
        self,
        split: str,
        images: pd.DataFrame,
        annotations: pd.DataFrame,
        action: Action,
        *,
        files: pd.DataFrame | None = None,
        issues: Iterable[Issue] = (),
        lines: Sequence[tuple[str, int, str]] = (),
        source: Mapping[str, Any] | None = None,
        as_of: int | None = None,
    ) -> int:
        """Add images with their annotations; create the dataset and labels that aren't there yet.

        Parameters
        ----------
        images, annotations : DataFrame
            Normalised tables.
        files : DataFrame, optional
            image, bytes, mtime_ns of local files, so that a later import can skip what didn't change.
        issues, lines, source
            Findings, unread manifest lines and the origin, kept with the dataset even if no image is new.
        as_of : int, optional
            What :meth:`files` gave; refuse if that isn't the latest any more.

        Returns
        -------
        int
            Number of images added.

        Raises
        ------
        TableError
            If an image is in the dataset already.
        OutdatedError
            If ``as_of`` is.
        """

    @abstractmethod
    def update_images(
        self, split: str, images: pd.DataFrame, annotations: pd.DataFrame, action: Action, stored: Tables | None = None
    ) -> int:
        """Write what differs from the stored state of these images; returns how many images changed.

        ``images.revision`` is the revision that the edit is based on. Other images of the dataset are left alone.
        ``stored`` is what :meth:`tables` just gave of these images: then they aren't read again, unless somebody
        changed them meanwhile.

        Raises
        ------
        StaleEditError
            If a changed image has another revision by now. Nothing was written.
        TableError
            If an image isn't in the dataset.
        """

    @abstractmethod
    def update_entries(
        self,
        split: str,
        known: tuple[pd.DataFrame, pd.DataFrame],
        new: tuple[pd.DataFrame, pd.DataFrame],
        action: Action,
        *,
        files: pd.DataFrame | None = None,
        issues: Iterable[Issue] = (),
        lines: Sequence[tuple[str, int, str]] = (),
        as_of: int | None = None,
    ) -> tuple[int, int]:
        """Change images and add others, as one action; returns how many changed and how many were added.

        ``known`` are images and annotations as :meth:`update_images` takes them, ``new`` and the rest as
        :meth:`add_images` does. It raises what these two do.
        """

    @abstractmethod
    def remove_images(self, split: str, images: pd.DataFrame, action: Action) -> int:
        """Remove images (image, revision) with their annotations, never files; returns how many.

        Raises
        ------
        StaleEditError
            If one of them has another revision by now. Nothing was removed.
        TableError
            If an image isn't in the dataset.
        """

    @abstractmethod
    def refresh_files(self, split: str, facts: pd.DataFrame, action: Action) -> int:
        """Write new facts of files: image, width, height, sha256, bytes, mtime_ns; returns how many changed content.

        A file that was only touched is no action, and its image keeps its revision.
        """

    @abstractmethod
    def move_images(self, images: Sequence[str], origin: str, target: str, action: Action) -> int:
        """Move images with their annotations to the other dataset; returns how many."""

    @abstractmethod
    def delete_dataset(self, split: str, action: Action) -> int:
        """Remove the dataset with its images and annotations (never files); returns how many images it had."""

    # -- snapshots ----------------------------------------------------------------------------------
    @abstractmethod
    def take_snapshot(self, name: str, split: str | None, action: Action) -> int:
        """Keep what a dataset, or with None what both are now, under a free name; returns how many images."""

    @abstractmethod
    def snapshots(self) -> pd.DataFrame:
        """The snapshots, oldest first: name, created, who, split (null: both), images, annotations (counts)."""

    @abstractmethod
    def compare_snapshots(self, before: str, after: str | None) -> pd.DataFrame:
        """What changed from one snapshot to another, or to now: image, split, change, before, after.

        ``change`` is "added", "removed", "moved", "status", "relabelled", "redrawn" (the labels stayed) or "details"
        (source, tags and own columns). An image that both moved and got another label stands in two rows.
        """

    @abstractmethod
    def restore_snapshot(self, name: str, action: Action) -> int:
        """Make the datasets what they were in the snapshot, as one action; returns how many images changed.

        The sides of which the snapshot doesn't speak stay as they are, except that its images come back from there.
        Labels that are gone come back where they are used; others stay. Sizes and content of files are never restored.
        """

    @abstractmethod
    def delete_snapshot(self, name: str, action: Action) -> None:
        """Forget a snapshot. InputError if there is none of that name."""

    # -- labels -------------------------------------------------------------------------------------
    @abstractmethod
    def labels(self) -> pd.DataFrame:
        """The labels table, in order."""

    @abstractmethod
    def label_uses(self, label: str | None = None) -> pd.DataFrame:
        """How often each label, or this one, is used: label, train, test (images), annotations (int64), in order."""

    @abstractmethod
    def add_label(self, label: str, colour: str | None, action: Action) -> None:
        """Add a label at the end. LabelError if it exists."""

    @abstractmethod
    def add_labels(self, labels: Sequence[tuple[str, str | None]], action: Action, *, review: bool = False) -> int:
        """Add labels (name, colour) at the end as one action; with ``review``, images that are labelled need it then.

        Returns how many images need review because of that. LabelError if a label exists; then nothing is added.
        """

    @abstractmethod
    def rename_label(self, label: str, new: str, action: Action) -> int:
        """Rename; annotations and predictions follow. Returns how many annotations. LabelError if ``new`` exists."""

    @abstractmethod
    def merge_labels(self, label: str, into: str, action: Action) -> int:
        """Make ``label`` into ``into`` and remove it; an image never has the same image-level label twice."""

    @abstractmethod
    def remove_label(self, label: str, action: Action, *, with_annotations: bool = False) -> int:
        """Remove a label. LabelError, with the count, if it is used and ``with_annotations`` isn't set."""

    @abstractmethod
    def reorder_labels(self, labels: Sequence[str], action: Action) -> None:
        """Put the labels in this order; those not named follow in their old order."""

    @abstractmethod
    def recolour_label(self, label: str, colour: str, action: Action) -> None:
        """Give the label the colour ``#rrggbb``."""

    # -- versions and predictions -------------------------------------------------------------------
    @abstractmethod
    def versions(self) -> list[VersionRecord]:
        """All versions, oldest first."""

    @abstractmethod
    def add_version(self, version: VersionRecord, action: Action) -> None:
        """Keep a new version. NotAllowedError if one of that name exists."""

    @abstractmethod
    def update_version(self, name: str, action: Action | None = None, **changes: Any) -> None:
        """Change fields of a version; without an action (heartbeats) the history isn't touched."""

    @abstractmethod
    def delete_version(self, name: str, action: Action) -> None:
        """Remove a version and its predictions."""

    @abstractmethod
    def predictions(self, split: str | None = None, model: str | None = None) -> pd.DataFrame:
        """The predictions table."""

    @abstractmethod
    def replace_predictions(self, model: str, predictions: pd.DataFrame, action: Action) -> int:
        """Put these in place of all predictions of that model; images must be in the project."""
