"""A project: the facade over its datasets, labels, versions and history."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.changes import Distribution, distribute, remove_images, write_difference
from customlabels_nb.dataset import Dataset
from customlabels_nb.errors import (
    Cancelled,
    ModelNotFoundError,
    NotAllowedError,
    ProjectError,
    ProjectExistsError,
    StoreError,
)
from customlabels_nb.events import Events, progress_bars, say
from customlabels_nb.importing import ImportReport, import_images
from customlabels_nb.labels import Labels
from customlabels_nb.locations import (
    POINTER,
    Place,
    check_name,
    check_tags,
    check_task,
    new_version_name,
    open_project_store,
)
from customlabels_nb.model import Model, require_confirmation
from customlabels_nb.settings import settings
from customlabels_nb.sources import Found, Source, found_in_tables
from customlabels_nb.store import Action, ProjectRecord, Statistics, Store

_UNFINISHED = ("TRAINING_IN_PROGRESS", "TRAINING_FAILED", "DELETING")
_BUSY = ("TRAINING_IN_PROGRESS", "STARTING", "RUNNING", "STOPPING", "COPYING_IN_PROGRESS")


class Project:
    """Datasets, labels and model versions that belong together, in one folder.

    Made by :func:`create_project` and :func:`load_project`. Every change is one transaction with a line in
    ``history``.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._models: dict[str, Model] = {}

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._place.root

    @property
    def _store(self) -> Store:
        return self._place.store

    # -- what is known of it ------------------------------------------------------------------------
    @property
    def record(self) -> ProjectRecord:
        """Name, task, status, times and tags."""
        return self._store.project()

    @property
    def name(self) -> str:
        """The project's name, which is also its folder's."""
        return self.record.name

    @property
    def task(self) -> str | None:
        """What is labelled: "single-label", "multi-label", "boxes", "polygons", or None while nobody said."""
        return self.record.task

    @task.setter
    def task(self, task: str | None) -> None:
        self._store.set_project(self._action("set task"), task=check_task(task))

    @property
    def train_set(self) -> Dataset:
        """The training dataset as it is now, a value."""
        return self._dataset(t.TRAIN)

    @property
    def test_set(self) -> Dataset:
        """The test dataset as it is now, a value."""
        return self._dataset(t.TEST)

    @property
    def labels(self) -> Labels:
        """The labels: add, rename, merge, remove, reorder, recolour."""
        return Labels(self._store, self._action)

    @property
    def statistics(self) -> dict[str, Statistics]:
        """Entries, labelled entries and labels of both datasets."""
        return {split: self._store.statistics(split) for split in t.SPLITS}

    @property
    def datasets(self) -> pd.DataFrame:
        """One row a dataset that there is: split, status, message, times, counts, sources."""
        rows = [
            {**vars(record), **vars(self._store.statistics(split))}
            for split in t.SPLITS
            if (record := self._store.dataset(split)) is not None
        ]
        columns = ["split", "status", "status_message", "created", "updated", "total_entries", "labelled_entries",
                   "total_labels", "sources", "tags"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    @property
    def tags(self) -> dict[str, str]:
        """Key → value; set it to change them."""
        return self.record.tags

    @tags.setter
    def tags(self, tags: dict[str, str]) -> None:
        self._store.set_project(self._action("tag project"), tags=check_tags(tags))

    @property
    def issues(self) -> pd.DataFrame:
        """What imports left out or found strange: split, code, message, where, source, line."""
        return self._store.issues()

    @property
    def history(self) -> pd.DataFrame:
        """Who did what when, newest first."""
        return self._store.history()

    @property
    def versions(self) -> pd.DataFrame:
        """One row a version: name, created, f1, status, message, alias, tags; oldest first."""
        rows = [
            (v.name, v.created, v.metrics.get("f1"), v.status, v.status_message, v.alias, v.tags)
            for v in self._store.versions()
        ]
        return pd.DataFrame(rows, columns=["name", "created", "f1", "status", "message", "alias", "tags"])

    # -- images and labels --------------------------------------------------------------------------
    def add_images(
        self,
        source: Source | Found,
        *,
        split: str = t.TRAIN,
        auto_label: bool = False,
        label: str | None = None,
        copy: bool = False,
        on_leak: str = "report",
        duplicates: str = "skip",
        progress: bool = True,
        events: Events | None = None,
    ) -> ImportReport:
        """Add images: a folder, a pattern, a zip file, a file or URL, a list of these, or a DataFrame.

        Images that are there already are recognised; those of them that have no label yet get the one they come with,
        labels that exist are never touched.

        Parameters
        ----------
        source
            Images are referenced where they lie. A zip is unpacked below the project's folder. A DataFrame needs a
            column ``image``, and may have ``label``, box columns and any others, which are kept.
        split : {"train", "test"}
            The dataset they go to.
        auto_label : bool
            Label each image with the name of the folder directly below ``source`` in which it lies.
        label : str, optional
            One label for all of them.
        copy : bool
            Copy the files to ``images/`` in the project's folder.
        on_leak : {"report", "keep"}
            An image whose content is on the other side (train or test) is reported and left out, or kept.
        duplicates : {"skip", "keep"}
            An image whose content is in this dataset under another name is reported and left out, or kept.

        Returns
        -------
        ImportReport
            How many were added, were known or got labels, and a table of those that could not be used.
        """
        with progress_bars(events or Events(), show=progress) as stream:
            return import_images(
                self._store,
                self.root,
                source,
                split=split,
                auto_label=auto_label,
                label=label,
                copy=copy,
                on_leak=on_leak,
                duplicates=duplicates,
                events=stream,
            )

    def import_dataset(
        self,
        dataset: Dataset,
        *,
        split: str = t.TRAIN,
        copy: bool = False,
        on_leak: str = "report",
        duplicates: str = "skip",
        progress: bool = True,
    ) -> ImportReport:
        """Add the images of a dataset with their annotations: from ``cl.read_dataset``, or of another project.

        The other arguments and the report are those of :meth:`add_images`; what was found when the dataset was read is
        in the report, too.
        """
        images, marks = dataset.images, dataset.annotations
        found = found_in_tables(images, marks, dataset.name, root=dataset.root, issues=dataset.found)
        return self.add_images(found, split=split, copy=copy, on_leak=on_leak, duplicates=duplicates, progress=progress)

    def update(self, split: str, value: Dataset | pd.DataFrame, *, note: str = "") -> int:
        """Write what was edited as one action; returns how many images changed. Other images are left alone.

        Parameters
        ----------
        split : {"train", "test"}
        value : Dataset or DataFrame
            A dataset made from ``train_set`` or ``test_set``; or a table ``image, label`` (and box columns): these
            images then have exactly these annotations, a null label meaning none.
        note : str
            Kept in the history.

        Raises
        ------
        StaleEditError
            If somebody else changed an image that you edited since the dataset was read. Nothing was written. (A plain
            table says nothing about when it was read, unless it has a column ``revision``.)
        """
        stored = self._dataset(t.check_split(split))
        return write_difference(self._store, stored, value, self._action("update", note))

    def remove(self, split: str, images: Dataset | pd.DataFrame | list[str], *, note: str = "") -> int:
        """Remove images from a dataset with their annotations (never the files); returns how many.

        Raises
        ------
        StaleEditError
            If somebody else changed one of them since ``images`` was read. Nothing was removed.
        """
        stored = self._dataset(t.check_split(split))
        return remove_images(self._store, stored, images, self._action("remove images", note))

    def distribute(
        self, test_fraction: float = 0.2, *, groups: str | list[object] | None = None, random_state: int = 0
    ) -> Distribution:
        """Move a stratified share of the training images to the empty test set.

        Parameters
        ----------
        test_fraction : float
            The share, between 0 and 1; each label with two images or more keeps at least one on both sides.
        groups : str or list, optional
            A column of images, or one value per image: images of one group stay on one side. Images with the same
            content always do.

        Raises
        ------
        NotAllowedError
            If the test set isn't empty.
        NotEnoughDataError
            If no label has two images.
        """
        action = self._action("distribute", str(test_fraction))
        return distribute(self._store, self.train_set, test_fraction, action, groups=groups, random_state=random_state)

    def delete_dataset(self, split: str, *, confirm: bool = False) -> int:
        """Delete the train or test dataset (never the files); asks unless ``confirm=True``. Returns how many images."""
        require_confirmation(f"Delete the {split} set of {self.name!r} with its labels?", confirm)
        return self._store.delete_dataset(split, self._action("delete dataset"))

    # -- models -------------------------------------------------------------------------------------
    def train(
        self,
        name: str | None = None,
        *,
        seed: int = 0,
        device: str | None = None,
        tags: dict[str, str] | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> Model:
        """Train a version on the training set and test it on the test set; distributes first if there is none.

        Parameters
        ----------
        name : str, optional
            ``<project>.<date>T<time>`` unless it is given.
        seed : int
            The same seed on the same images gives the same model on CPU.
        device : str, optional
            "cuda", "mps" or "cpu"; the first of these that is here unless it is given.
        tags : dict, optional
            Key → value, both text.
        progress : bool
            Show bars.
        events : Events, optional
            Gets the progress; ``events.cancel()`` from another thread stops the run.

        Raises
        ------
        NotEnoughDataError, NotAllowedError
            Before anything is trained, with the reason.
        """
        from customlabels_nb.training.plan import check_task_can_be_trained, plan_classification, set_aside
        from customlabels_nb.training.run import TrainingOptions, train_version

        options, version = TrainingOptions(seed=seed, device=device), new_version_name(self._place, name)
        check_task_can_be_trained(self.task)
        tags = check_tags(tags or {})
        if not self._store.statistics(t.TEST).total_entries:
            plan_classification(*set_aside(self.train_set))
            say(f"There is no test set yet: {self.distribute()}")
        try:
            with progress_bars(events or Events(), show=progress) as stream:
                datasets = self.train_set, self.test_set
                train_version(self._store, self.root, version, *datasets, options, stream, tags=tags)
        except (KeyboardInterrupt, Cancelled):
            say(f"Stopped: project.model({version!r}).resume() goes on.")
            raise
        model = self._models.setdefault(version, Model(self._place, version))
        model.evaluate().to(model.folder / "evaluation")
        return model

    def model(self, name: str = "latest") -> Model:
        """A version by its name, by the name it was published under, or the latest whose training is complete."""
        versions = self._store.versions()
        matches = [version.name for version in versions if name in (version.name, version.alias)]
        if name == "latest" and not matches:
            usable = [version.name for version in versions if not version.status.startswith(_UNFINISHED)]
            matches = usable[-1:]
        if not matches:
            known = {version.name: version.status for version in versions[-5:]}
            raise ModelNotFoundError(
                f"There is no version {name!r} that is ready; there are {known!r}. project.train() makes one, "
                "project.model(name).resume() goes on with one that was stopped."
            )
        return self._models.setdefault(matches[0], Model(self._place, matches[0]))

    # -- its life -----------------------------------------------------------------------------------
    def rename(self, name: str) -> None:
        """Rename the project and its folder; its models go along. Refused while a version trains or runs."""
        target = self.root.parent / check_name(name)
        self._refuse_if_busy("renamed")
        if target.exists():
            raise ProjectExistsError(f"There is something called {str(target)!r} already; nothing was renamed.")
        self._store.close()
        try:
            self.root.rename(target)
            self._place.root = target
        except OSError as error:
            raise ProjectError(f"The folder {str(self.root)!r} can't be renamed: {error.strerror}.") from error
        finally:
            self._place.store = open_project_store(self.root)
        self._store.set_project(self._action("rename project"), name=name)

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the project with its datasets and versions, for ever; asks unless ``confirm=True``.

        Images are only deleted where they lie in the project's own folder (uploads and copies). Refused, with the
        reason, while a version trains or runs.
        """
        self._refuse_if_busy("deleted")
        require_confirmation(
            f"Delete the project {self.name!r} with its {len(self._store.versions())} versions?", confirm
        )
        self._store.destroy()
        for part in ("versions", "cache", "images"):
            if (self.root / part).is_symlink():
                (self.root / part).unlink()
            shutil.rmtree(self.root / part, ignore_errors=True)
        (self.root / POINTER).unlink(missing_ok=True)
        if self.root.is_dir() and not any(self.root.iterdir()):
            self.root.rmdir()

    def close(self) -> None:
        """Stop running models and give the database back."""
        for model in self._models.values():
            model.stop()
        self._store.close()

    def __repr__(self) -> str:
        try:
            return self._described()
        except StoreError as error:
            return f"Project({str(self.root)!r}, gone: {error})"

    def _described(self) -> str:
        sizes = ", ".join(f"{split} {s.total_entries:,}" for split, s in self.statistics.items())
        return (
            f"Project({self.name!r}: {sizes} images; {len(self.labels)} labels; {len(self._store.versions())} versions)"
        )

    def _repr_html_(self) -> str:
        try:
            return self._described_html()
        except StoreError:
            return html.escape(repr(self))

    def _described_html(self) -> str:
        rows = "".join(
            f"<tr><td>{split}</td><td>{s.total_entries:,} images</td><td>{s.labelled_entries:,} labelled</td></tr>"
            for split, s in self.statistics.items()
        )
        return f"<div><b>{html.escape(self.name)}</b> · {len(self.labels)} labels</div><table>{rows}</table>"

    def _dataset(self, split: str) -> Dataset:
        read = Dataset(*self._store.tables(split), name=split, root=self.root)
        read.origin = read
        return read

    def _refuse_if_busy(self, verb: str) -> None:
        busy = [version for version in self._store.versions() if version.status in _BUSY]
        if busy:
            raise NotAllowedError(
                f"{self.name!r} can't be {verb}: its version {busy[0].name!r} is {busy[0].status}. Stop it first."
            )

    def _action(self, what: str, note: str = "") -> Action:
        return Action(what, settings.user, note)
