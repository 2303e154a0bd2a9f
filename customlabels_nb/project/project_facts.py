"""What is known of a project: its record, its datasets as values, and its tables."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ModelNotFoundError, StoreError
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, ProjectRecord, SqlStore, Statistics
from customlabels_nb.store.records import DESCRIPTION

_UNFINISHED = ("TRAINING_IN_PROGRESS", "TRAINING_FAILED", "DELETING", "COPYING_IN_PROGRESS", "COPYING_FAILED")
_DATASET_COLUMNS = (
    "split", "status", "status_message", "created", "updated", "total_entries", "labelled_entries", "total_labels",
    "sources", "tags",
)  # fmt: skip
_VERSION_COLUMNS = ("name", "created", "kind", "f1", "status", "message", "description", "alias", "tags")


class ProjectFacts:
    """The part of a project that only reads; see :class:`customlabels_nb.project.project.Project`."""

    def __init__(self, place: ProjectLocation) -> None:
        self._place = place

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._place.root

    @property
    def _store(self) -> SqlStore:
        return self._place.store

    @property
    def record(self) -> ProjectRecord:
        """Name, task, status, times and tags."""
        return self._store.project()

    @property
    def name(self) -> str:
        """The project's name, which is also its folder's."""
        return self.record.name

    @property
    def train_set(self) -> Dataset:
        """The training dataset as it is now, a value."""
        return self._dataset(t.TRAIN)

    @property
    def test_set(self) -> Dataset:
        """The test dataset as it is now, a value."""
        return self._dataset(t.TEST)

    @property
    def statistics(self) -> dict[str, Statistics]:
        """Entries, labelled entries and labels of both datasets."""
        return statistics(self._store)

    @property
    def datasets(self) -> pd.DataFrame:
        """One row a dataset that there is: split, status, message, times, counts, sources."""
        return datasets_table(self._store)

    @property
    def issues(self) -> pd.DataFrame:
        """What imports left out or found strange: split, code, message, where, source, line."""
        return self._store.issues()

    @property
    def import_lines(self) -> pd.DataFrame:
        """Lines of imported files that were not read: split, source, line, raw."""
        return self._store.import_lines()

    @property
    def history(self) -> pd.DataFrame:
        """Who did what when, newest first: id, created, who, what, note, split, count, before, after and more.

        ``undoable`` says which :meth:`undo` can take back, ``undone_by`` and ``undoes`` which did so.
        """
        return self._store.history()

    @property
    def versions(self) -> pd.DataFrame:
        """One row a version, oldest first: name, created, kind, f1, status, message, description, alias, tags."""
        return versions_table(self._store)

    def __repr__(self) -> str:
        try:
            return project_text(self._store)
        except StoreError as error:
            return f"Project({str(self.root)!r}, gone: {error})"

    def _repr_html_(self) -> str:
        try:
            return project_html(self._store)
        except StoreError:
            return html.escape(repr(self))

    def _dataset(self, split: str) -> Dataset:
        unread = partial(unread_lines, self._store, split)
        return Dataset.as_stored(*self._store.tables_later(split), name=split, root=self.root, unread=unread)

    def _action(self, what: str, note: str = "") -> Action:
        return Action(what, settings.user, note)


def unread_lines(store: SqlStore, split: str) -> list[tuple[str, int, str]]:
    """File, number and text of the lines of a dataset's manifests that were not read whole."""
    lines = store.import_lines()
    mine = lines.loc[lines["split"] == split, ["source", "line", "raw"]]
    return [(str(source), int(line), str(raw)) for source, line, raw in mine.itertuples(index=False)]


def statistics(store: SqlStore) -> dict[str, Statistics]:
    """Counts of both datasets."""
    return {split: store.statistics(split) for split in t.SPLITS}


def datasets_table(store: SqlStore) -> pd.DataFrame:
    """One row a dataset that there is."""
    rows = [
        {**vars(record), **vars(store.statistics(split))}
        for split in t.SPLITS
        if (record := store.dataset(split)) is not None
    ]
    return pd.DataFrame(rows, columns=list(_DATASET_COLUMNS))


def versions_table(store: SqlStore) -> pd.DataFrame:
    """One row a version, oldest first."""
    rows = [
        (
            v.name, v.created, v.kind, v.metrics.get("f1"), v.status, v.status_message, v.description, v.alias,
            {key: value for key, value in v.tags.items() if key != DESCRIPTION},
        )
        for v in store.versions()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(_VERSION_COLUMNS))


def find_version(store: SqlStore, name: str) -> str:
    """The name of the version that ``name`` means: its own, the one it was published under, or "latest"."""
    versions = store.versions()
    matches = [version.name for version in versions if name in (version.name, version.alias)]
    if name == "latest" and not matches:
        matches = [version.name for version in versions if not version.status.startswith(_UNFINISHED)][-1:]
    if not matches:
        known = ", ".join(f"{version.name!r} ({version.status})" for version in versions[-5:]) or "none"
        raise ModelNotFoundError(
            f"There is no version {name!r} that is ready; there are {known}. project.train() makes one, "
            "project.model(name).resume() goes on with one that was stopped."
        )
    return matches[0]


def project_text(store: SqlStore) -> str:
    """The project in a line."""
    sizes = ", ".join(f"{split} {s.total_entries:,}" for split, s in statistics(store).items())
    versions = len(store.versions())
    return f"Project({store.project().name!r}: {sizes} images; {len(store.labels())} labels; {versions} versions)"


def project_html(store: SqlStore) -> str:
    """The project with its counts for a notebook."""
    rows = "".join(
        f"<tr><td>{split}</td><td>{s.total_entries:,} images</td><td>{s.labelled_entries:,} labelled</td></tr>"
        for split, s in statistics(store).items()
    )
    name = html.escape(store.project().name)
    return f"<div><b>{name}</b> · {len(store.labels())} labels</div><table>{rows}</table>"
