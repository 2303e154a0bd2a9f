"""What is done with a project's images, annotations and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.checks import CheckReport, check_datasets, find_near_duplicates
from customlabels_nb.checks.near_duplicates import SAME
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import issues_to_frame
from customlabels_nb.datasets.dataset import Dataset, Groups
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events, progress_bars
from customlabels_nb.images.image_grid import ContactSheet
from customlabels_nb.images.reading import is_remote
from customlabels_nb.ingest.importer import ImportReport, import_images
from customlabels_nb.ingest.manifest_updates import Entries, EntriesReport, update_entries
from customlabels_nb.ingest.refresh import refresh_dataset
from customlabels_nb.ingest.sources import Source, SourceContents, found_in_tables
from customlabels_nb.labeling import change_signal
from customlabels_nb.project import screens
from customlabels_nb.project.dataset_changes import (
    Distribution,
    distribute,
    remove_images,
    write_difference,
    write_predictions,
)
from customlabels_nb.project.labels import Labels
from customlabels_nb.project.location import (
    check_tags,
    check_task,
)
from customlabels_nb.project.model import require_confirmation
from customlabels_nb.project.project_facts import ProjectFacts
from customlabels_nb.project.snapshots import Snapshots
from customlabels_nb.remote.download_cache import CONNECTIONS, fetch_all

if TYPE_CHECKING:
    from customlabels_nb.inference.detection import Detection


class ProjectData(ProjectFacts):
    """The part of a project that changes its data; see :class:`customlabels_nb.project.project.Project`."""

    # -- what is known of it ------------------------------------------------------------------------
    @property
    def task(self) -> str | None:
        """What is labelled: "single-label", "multi-label", "boxes", "polygons", or None while nobody said."""
        return self.record.task

    @task.setter
    def task(self, task: str | None) -> None:
        self._store.set_project(self._action("set task"), task=check_task(task))

    @property
    def labels(self) -> Labels:
        """The labels: add, rename, merge, remove, reorder, recolour; ``edit()`` does it all on a screen."""
        changed, edit = partial(change_signal.notify, self.root), partial(screens.open_label_manager, self._place)
        return Labels(self._store, self._action, changed=changed, edit=edit)

    @property
    def tags(self) -> dict[str, str]:
        """Key → value; set it to change them."""
        return self.record.tags

    @tags.setter
    def tags(self, tags: dict[str, str]) -> None:
        self._store.set_project(self._action("tag project"), tags=check_tags(tags))

    @property
    def snapshots(self) -> Snapshots:
        """What the datasets were at moments with a name: take, list, diff, restore, delete."""
        return Snapshots(self._store, self._action)

    # -- images and labels --------------------------------------------------------------------------
    def add_images(
        self,
        source: Source | SourceContents,
        *,
        split: str = t.TRAIN,
        auto_label: bool = False,
        label: str | None = None,
        copy: bool = False,
        on_leak: str = "report",
        duplicates: str = "skip",
        verify: bool = False,
        progress: bool = True,
        events: Events | None = None,
    ) -> ImportReport:
        """Add images: a folder, a pattern, a zip file, a file or URL, a list of these, or a DataFrame.

        Images that are there already are recognised; those of them that have no label yet get the one they come with,
        labels that exist are never touched. Folders may lie in a bucket, too (``s3://bucket/photos/``).

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
        verify : bool
            Fetch and check remote images now, as local ones always are. Otherwise a bucket is listed, URLs are asked
            for their size, tables and datasets taken as they are, and no image is fetched before it is used.

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
                verify=verify,
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
        verify: bool = False,
        progress: bool = True,
    ) -> ImportReport:
        """Add the images of a dataset with their annotations: from ``cl.read_dataset``, or of another project.

        The other arguments and the report are those of :meth:`add_images`; what was found when the dataset was read is
        in the report, too.
        """
        if not isinstance(dataset, Dataset):
            given = f"dataset={dataset!r}" if isinstance(dataset, str) else f"dataset, a {type(dataset).__name__},"
            raise InputError(f"{given} is no dataset; import_dataset(cl.read_dataset(…)) takes a file's.")
        images, marks = dataset.images, dataset.annotations
        said = dataset.found, dataset.unread
        found = found_in_tables(images, marks, dataset.name, root=dataset.root, issues=said[0], lines=said[1])
        options: dict[str, Any] = {"on_leak": on_leak, "duplicates": duplicates, "verify": verify}
        return self.add_images(found, split=split, copy=copy, progress=progress, **options)

    def refresh(
        self, split: str | None = None, *, progress: bool = True, events: Events | None = None
    ) -> RefreshReport:
        """Look at the sources of a dataset, or of both, again: add what is new there, tell what changed or vanished.

        Labels that exist are never touched; what vanished stays until it is removed, what was removed stays out.
        """
        splits = [name for name in t.SPLITS if self._store.dataset(name)] if split is None else [t.check_split(split)]
        with progress_bars(events or Events(), show=progress) as stream:
            reports = [refresh_dataset(self._store, self.root, name, events=stream) for name in splits]
        return sum(reports, RefreshReport())

    def fetch(self, split: str | None = None, *, workers: int = CONNECTIONS, progress: bool = True) -> pd.DataFrame:
        """Fetch remote images into the cache ahead of use, ``workers`` at a time; a table of those that can't be had.

        When it is stopped, the next call goes on where it stopped. ``settings.cache_gb`` says how much is kept.
        """
        images = self._store.images(split)
        remote = images[images["image"].map(is_remote).astype(bool)]
        known = [content if isinstance(content, str) else None for content in remote["sha256"]]
        with progress_bars(Events(), show=progress) as stream:
            issues = fetch_all(remote["image"].tolist(), known=known, workers=workers, events=stream)
        return issues_to_frame(issues)

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
        return write_difference(self._store, t.check_split(split), value, self._action("update", note))

    def update_entries(
        self, split: str, entries: Entries, *, note: str = "", progress: bool = True, events: Events | None = None
    ) -> EntriesReport:
        """Write lines of a manifest over the images that they name, as one action.

        An image of the dataset has the line's annotations afterwards instead of its own (none, if the line has none);
        one that isn't there yet is added as :meth:`add_images` would. Other images are left alone.

        Parameters
        ----------
        split : {"train", "test"}
        entries
            JSON Lines as a text, a path of a manifest, or a list of dicts, each with a ``source-ref``.
        note : str
            Kept in the history.

        Returns
        -------
        EntriesReport
            Counts, and ``.issues``: lines that can't be read and images that can't be used.
        """
        action = self._action("update entries", note)
        with progress_bars(events or Events(), show=progress) as stream:
            return update_entries(self._store, self.root, t.check_split(split), entries, action, events=stream)

    def add_predictions(self, frame: pd.DataFrame | Detection, *, model: Any, note: str = "") -> int:
        """Keep predictions beside the labels: gallery and annotator show them dashed, until they are accepted.

        Parameters
        ----------
        frame : DataFrame or Detection
            image, label, confidence (0–1), and for boxes their four columns, as ``model.detect_many`` gives them. They
            take the place of all that this model said before. What ``model.detect`` gives for an image of the project
            takes the place of what the model said of that image.
        model : Model, LoadedModel or str
            Whose they are: a version, whose name they are kept under, or any name.
        note : str
            Kept in the history.

        Returns
        -------
        int
            How many there are.
        """
        action = self._action("add predictions", note)
        return write_predictions(self._store, frame, getattr(model, "name", model), action)

    def remove(self, split: str, images: Dataset | pd.DataFrame | list[str], *, note: str = "") -> int:
        """Remove images from a dataset with their annotations (never the files); returns how many.

        Raises
        ------
        StaleEditError
            If somebody else changed one of them since ``images`` was read. Nothing was removed.
        """
        return remove_images(self._store, t.check_split(split), images, self._action("remove images", note))

    def distribute(
        self, test_fraction: float = 0.2, *, groups: Groups | None = None, random_state: int = 0
    ) -> Distribution:
        """Move a stratified share of the training images to the empty test set.

        Parameters
        ----------
        test_fraction : float
            The share, between 0 and 1; each label with two images or more keeps at least one on both sides.
        groups : str, list or DataFrame, optional
            A column of images, or one value per image, or pairs such as ``project.near_duplicates("train")``: images
            of one group stay on one side. Images with the same content always do.

        Raises
        ------
        NotAllowedError
            If the test set isn't empty.
        NotEnoughDataError
            If no label has two images.
        """
        action = self._action("distribute", str(test_fraction))
        return distribute(self._store, self.train_set, test_fraction, action, groups=groups, random_state=random_state)

    def check(
        self, *, near_duplicates: bool | None = None, progress: bool = True, events: Events | None = None
    ) -> CheckReport:
        """Say before training what will limit its result: labels, files, boxes, and copies on both sides.

        Parameters
        ----------
        near_duplicates : bool, optional
            Look for photos that were only encoded again, resized, brightened or cropped a little. Unless it is given,
            that is done if no more than 2,000 images must be read for it, and none fetched; what was read is kept.

        Returns
        -------
        CheckReport
            The worst first, with what to do; ``issues`` and ``table`` have it as tables, by finding and by image.
        """
        datasets, (files, _) = (self.train_set, self.test_set), self._store.files()
        with progress_bars(events or Events(), show=progress) as stream:
            return check_datasets(
                *datasets, task=self.task, files=files, near_duplicates=near_duplicates, events=stream
            )

    def near_duplicates(
        self, split: str | None = None, *, threshold: float = SAME, progress: bool = True, events: Events | None = None
    ) -> pd.DataFrame:
        """Pairs of images that show the same photo, encoded again, resized, brightened or cropped a little.

        The most similar first: image, other, similarity, split, other_split, labels, other_labels. ``similarity`` is
        the correlation of their outlines, ``threshold`` to 1. Equal content on one side counts as one image, on both
        sides as no pair. ``project.distribute(groups=project.near_duplicates("train"))`` keeps them on one side.
        """
        chosen = [self._dataset(name) for name in (t.SPLITS if split is None else [t.check_split(split)])]
        with progress_bars(events or Events(), show=progress) as stream:
            return find_near_duplicates(chosen, files=self._store.files()[0], threshold=threshold, events=stream)

    def delete_dataset(self, split: str, *, confirm: bool = False) -> int:
        """Delete the train or test dataset (never the files); asks unless ``confirm=True``. Returns how many images."""
        question = f"Delete the {split} set of {self.name!r} with its labels?"
        require_confirmation(question, confirm, "project.undo() brings it back.")
        return self._store.delete_dataset(split, self._action("delete dataset")).count

    def undo(self, action_id: int | None = None, *, note: str = "") -> int:
        """Take an action back, as a new action; returns how many images changed.

        Whatever changed images, annotations or labels can be taken back: edits, labelling, imports, removed images and
        datasets, moves, labels that were renamed, merged, removed, reordered or recoloured, and restored snapshots.
        Taking back what took something back redoes it.

        Parameters
        ----------
        action_id : int, optional
            Its ``id`` in ``project.history``; your latest that was not taken back, unless it is given.
        note : str
            Kept in the history.

        Raises
        ------
        StaleEditError
            If somebody changed one of its images since. Nothing was changed.
        NotAllowedError
            If it was taken back already, can't be, or its labels were changed since.
        """
        return self._store.undo(action_id, self._action("undo", note)).count

    def _dataset(self, split: str) -> Dataset:
        read = super()._dataset(split)
        read.refresher = partial(self.refresh, split)
        read.batch_maker = self._make_batch
        return read

    def _make_batch(self, dataset: Dataset, **options: Any) -> ContactSheet:
        from customlabels_nb.training.batch_view import show_batch

        return show_batch(dataset, self._dataset(t.TEST), task=self.task, **options)
