"""A project: the facade over its datasets, labels, versions and history."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import escaped, one_line
from customlabels_nb.checks import CheckReport, check_datasets, find_near_duplicates
from customlabels_nb.checks.near_duplicates import SAME
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.dataset import Dataset, Groups
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.datasets.splitting import rare_labels
from customlabels_nb.errors import (
    InputError,
    ModelNotFoundError,
    NotAllowedError,
    NotEnoughDataError,
    StoreError,
)
from customlabels_nb.events import Events, Listener, progress_bars, say
from customlabels_nb.images.reading import is_remote, local_path
from customlabels_nb.ingest.importer import ImportReport, import_images
from customlabels_nb.ingest.manifest_updates import Entries, EntriesReport, update_entries
from customlabels_nb.ingest.refresh import refresh_dataset
from customlabels_nb.ingest.sources import ImportOptions, Source, found_in_tables, image_uri
from customlabels_nb.labeling import Query, ReviewQuery
from customlabels_nb.project import screens
from customlabels_nb.project.archive import Packed, pack
from customlabels_nb.project.labels import Labels
from customlabels_nb.project.lifecycle import delete_project, refuse_if_busy, rename_project
from customlabels_nb.project.location import ProjectLocation, check_tags, check_task, new_version_name
from customlabels_nb.project.model import Model, require_confirmation
from customlabels_nb.project.progress_display import watch
from customlabels_nb.project.snapshots import Snapshots
from customlabels_nb.remote.download_cache import CONNECTIONS, fetch_all
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, ProjectRecord, SqlStore, Statistics
from customlabels_nb.store.records import DESCRIPTION

if TYPE_CHECKING:
    from customlabels_nb.evaluation.comparison.comparing import Comparison
    from customlabels_nb.images.image_grid import ContactSheet
    from customlabels_nb.inference.detection import Detection

_UNFINISHED = ("TRAINING_IN_PROGRESS", "TRAINING_FAILED", "DELETING", "COPYING_IN_PROGRESS", "COPYING_FAILED")
_DATASET_COLUMNS = (
    "split", "status", "status_message", "created", "updated", "total_entries", "labelled_entries", "total_labels",
    "sources", "tags",
)  # fmt: skip
_VERSION_COLUMNS = ("name", "created", "kind", "f1", "status", "message", "description", "alias", "tags")


@dataclass(frozen=True)
class Distribution:
    """What :meth:`Project.distribute` did: counts of both sides, and findings as a table."""

    train: int
    test: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        notes = "".join(f"\n  {one_line(row.where)}: {one_line(row.message)}" for row in self.issues.itertuples())
        return f"{self.train:,} images to train on, {self.test:,} to test on.{notes}"


class Project:
    """Datasets, labels and model versions that belong together, in one folder.

    Made by :func:`create_project` and :func:`load_project`. Every change is one transaction with a line in
    ``history``.
    """

    def __init__(self, place: ProjectLocation) -> None:
        self._place = place
        self._models: dict[str, Model] = {}

    # -- what is known of it ------------------------------------------------------------------------
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
    def task(self) -> str | None:
        """What is labelled: "single-label", "multi-label", "boxes", "polygons", or None while nobody said."""
        return self.record.task

    @task.setter
    def task(self, task: str | None) -> None:
        self._store.set_project(self._action("set task"), task=check_task(task))

    @property
    def instructions(self) -> str:
        """What people who label are told; set it to change that, also from the gallery."""
        return self.record.instructions

    @instructions.setter
    def instructions(self, text: str) -> None:
        self._store.set_project(self._action("set instructions"), instructions=text)

    @property
    def labels(self) -> Labels:
        """The labels: add, rename, merge, remove, reorder, recolour; ``edit()`` does it all on a screen."""
        return Labels(self._place)

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
        return Snapshots(self._store)

    @property
    def train_set(self) -> Dataset:
        """The training dataset as it is now, a value."""
        return self._place.dataset(t.TRAIN, project=self)

    @property
    def test_set(self) -> Dataset:
        """The test dataset as it is now, a value."""
        return self._place.dataset(t.TEST, project=self)

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
        return pd.DataFrame(rows, columns=list(_DATASET_COLUMNS))

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
        rows = [
            (
                v.name, v.created, v.kind, v.metrics.get("f1"), v.status, v.status_message, v.description, v.alias,
                {key: value for key, value in v.tags.items() if key != DESCRIPTION},
            )
            for v in self._store.versions()
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(_VERSION_COLUMNS))

    # -- images and labels --------------------------------------------------------------------------
    def add_images(
        self,
        source: Source,
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
        options = ImportOptions(split, auto_label, label, copy, on_leak, duplicates, verify)
        with progress_bars(events or Events(), show=progress) as stream:
            return import_images(self._store, self.root, source, options, events=stream)

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
        options = ImportOptions(split, copy=copy, on_leak=on_leak, duplicates=duplicates, verify=verify)
        found = found_in_tables(
            dataset.images,
            dataset.annotations,
            dataset.name,
            root=dataset.root,
            issues=dataset.found,
            lines=dataset.unread,
        )
        with progress_bars(Events(), show=progress) as stream:
            return import_images(self._store, self.root, found, options, events=stream)

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
        InputError
            If ``value`` is neither a dataset nor a table.
        """
        t.check_split(split)
        if not isinstance(value, Dataset | pd.DataFrame):
            raise InputError(f"Give a Dataset or a DataFrame with image and label, not {type(value).__name__}.")
        action = self._action("update", note)
        dataset = value if isinstance(value, Dataset) else _edited(self._store, split, value, action.who)
        images, annotations = t.settle_statuses(dataset.images, dataset.annotations), dataset.annotations
        if dataset.origin is not None:  # it knows what it was when it was read: only what differs is an edit
            edited = _edits(dataset.origin, images, annotations)
            images = images[images["image"].isin(edited)].reset_index(drop=True)
            annotations = annotations[annotations["image"].isin(edited)].reset_index(drop=True)
            images = forget_where_changed(images, annotations, dataset.origin.images, dataset.origin.annotations)
        return self._store.update_images(split, images, annotations, action).count

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

        Raises
        ------
        InputError
            If ``frame`` is neither, or ``model`` has no name.
        """
        model = getattr(model, "name", model)
        image, table = getattr(frame, "name", None), getattr(frame, "table", None)
        of_one = isinstance(image, str) and isinstance(table, pd.DataFrame)
        if not isinstance(frame, pd.DataFrame) and not of_one:
            raise InputError(f"Give a DataFrame with image, label and confidence, not {type(frame).__name__}.")
        if not isinstance(model, str) or not model.strip():
            raise InputError(
                f"model={model!r} is no name; give a version of the project, or a name for these predictions."
            )
        rows: pd.DataFrame = _beside_others(self._store, str(image), table, model.strip()) if of_one else frame
        if "image" in rows.columns and rows["image"].notna().all():
            train = dict(zip(rows["image"], _stored_names(self._store, t.TRAIN, rows["image"]), strict=True))
            names = pd.Series(list(train.values()), dtype=object)
            test = dict(zip(names, _stored_names(self._store, t.TEST, names), strict=True))
            rows = rows.assign(image=[test[train[name]] for name in rows["image"]])
        predictions = t.normalise_annotations(rows).assign(model=model.strip())
        return self._store.replace_predictions(model.strip(), predictions, self._action("add predictions", note)).count

    def remove(self, split: str, images: Dataset | pd.DataFrame | list[str], *, note: str = "") -> int:
        """Remove images from a dataset with their annotations (never the files); returns how many.

        Raises
        ------
        StaleEditError
            If somebody else changed one of them since ``images`` was read. Nothing was removed.
        InputError
            If ``images`` is something else, or has an image that isn't in the dataset.
        """
        t.check_split(split)
        value = images.images if isinstance(images, Dataset) else images
        if isinstance(value, str) or not isinstance(value, pd.DataFrame | Sequence | pd.Series):
            raise InputError(f"Give a Dataset, a DataFrame or a list of images, not {value!r}.")
        rows = value if isinstance(value, pd.DataFrame) else pd.DataFrame({"image": list(value)})
        rows = rows[["image", *(["revision"] if "revision" in rows else [])]].drop_duplicates("image")
        if "revision" not in rows:
            known = self._store.tables(split, rows["image"].tolist())[0].set_index("image")["revision"]
            rows = rows.assign(revision=rows["image"].map(known))
        action = self._action("remove images", note)
        return self._store.remove_images(split, rows.reset_index(drop=True), action).count

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
        tested = self._store.statistics(t.TEST).total_entries
        if tested:
            raise NotAllowedError(
                f"The test set has {tested:,} images already; nothing is distributed onto it. "
                "project.delete_dataset('test') empties it."
            )
        train = self.train_set
        chosen = train.split_mask(test_fraction, groups=groups, random_state=random_state)
        if not chosen.any():
            raise NotEnoughDataError(
                f"No label has two images that could be told apart, so {len(train)} images can't be distributed. "
                "Label more images: project.label('train').",
                "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE",
            )
        moved = train.images.loc[chosen, "image"].tolist()
        self._store.move_images(moved, t.TRAIN, t.TEST, self._action("distribute", str(test_fraction)))
        rare = rare_labels(train.labels_of_images(), train.groups_of_images(groups))
        counts = train.label_counts
        issues = issues_to_frame(
            Issue(
                "LABEL_TOO_RARE_TO_SPLIT",
                "" if counts[label] == 1 else f"All its {counts[label]:,} images belong together: they stay in train.",
                where=label,
            )
            for label in rare
        )
        return Distribution(len(train) - len(moved), len(moved), issues)

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
        chosen = [self._place.dataset(name) for name in (t.SPLITS if split is None else [t.check_split(split)])]
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

    # -- labelling ----------------------------------------------------------------------------------
    def label(
        self,
        split: str = t.TRAIN,
        *,
        mode: str = "grid",
        page_size: int = 24,
        sort: str = "random",
        seed: int = 0,
        widget: Any = None,
    ) -> Any:
        """Label images in the notebook: pages of thumbnails, keys 1–9, every label stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        mode : {"grid", "single"}
            Pages of thumbnails, or one image at a time for the keyboard.
        page_size : {4, 6, 9, 24, 48, 100}
        sort : {"random", "name", "added", "uncertainty", "similarity"}
            Random order, the default, guards against bias.
        seed : int
            Of the random order.
        widget : class or widget, optional
            A labeller of ipyannotations in place of the gallery, such as ``ipyannotations.images.ClassLabeller``.

        Returns
        -------
        Gallery
            A widget that other cells can read and steer: ``selected``, ``set_filter(…)``, ``observe``.
        """
        query = Query(sort=sort, seed=seed)
        if widget is not None:
            return screens.plug_in(self._place, t.check_split(split), query, widget)
        return screens.open_gallery(self._place, t.check_split(split), query, page_size=page_size, mode=mode)

    def annotate(self, split: str = t.TRAIN, *, sort: str = "added", seed: int = 0) -> Any:
        """Draw boxes and polygons in the notebook; what is drawn is stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        sort : {"added", "name", "random", "uncertainty", "similarity"}
        seed : int
            Of the random order.

        Returns
        -------
        Annotator
            A widget that other cells can read and steer: ``data``, ``selected``, ``display(image)``, ``set_filter(…)``.
        """
        return screens.open_annotator(self._place, t.check_split(split), Query(sort=sort, seed=seed))

    def dashboard(self) -> Any:
        """How labelling is going: progress, labels, who works how quickly, what waits, what training would say, export.

        It follows what is done in other cells and by other people. A click on a bar opens a gallery below with exactly
        the images that it counts.

        Returns
        -------
        Dashboard
            A widget that other cells can read and steer: ``figures`` (tables), ``show_images("train", label="apple")``,
            ``gallery``.
        """
        return screens.open_dashboard(self._place, check=lambda events: self.check(progress=False, events=events))

    def history_panel(self) -> Any:
        """Who did what when, as a widget that takes actions back; ``project.history`` has it as a table."""
        return screens.open_history_panel(self._place)

    def review(
        self,
        split: str = t.TRAIN,
        *,
        label: str | None = None,
        show: str = "to_review",
        sort: str = "doubt",
        page_size: int = 24,
    ) -> Any:
        """Look through what was labelled: approve (Enter), correct (1–9) or reject (Delete), each stored at once.

        What is approved or corrected gets the tag "reviewed" and status "labelled"; whoever changes its labels later
        takes the tag away. What is rejected loses its labels and is unlabelled again; the history has them.

        Parameters
        ----------
        split : {"train", "test"}
        label : str, optional
            Only images with this label; "" for those that have none.
        show : {"to_review", "disagrees", "needs_review", "reviewed", "all"}
            "disagrees": what is to be reviewed and a model says another label for.
        sort : {"doubt", "name", "newest", "added", "random"}
            "doubt" puts first what a model is surest that it is labelled wrongly.
        page_size : {4, 6, 9, 24, 48, 100}

        Returns
        -------
        Review
            A widget that other cells can read and steer: ``selected``, ``progress``, ``set_filter(…)``, ``observe``,
            ``approve()``, ``correct(label)``, ``reject()``.
        """
        query = ReviewQuery(label=label, show=show, sort=sort)
        return screens.open_review(self._place, t.check_split(split), query, page_size=page_size)

    # -- models -------------------------------------------------------------------------------------
    def train(
        self,
        name: str | None = None,
        *,
        kind: str | None = None,
        budget: str | float | None = None,
        steps: int | None = None,
        base: str | None = None,
        backbone: str | None = None,
        detector: str | None = None,
        input_size: int | None = None,
        seed: int = 0,
        device: str | None = None,
        tags: dict[str, str] | None = None,
        progress: bool | str = True,
        events: Events | None = None,
        callbacks: Sequence[Listener] = (),
    ) -> Model:
        """Train a version on the training set and test it on the test set; distributes first if there is none.

        Parameters
        ----------
        name : str, optional
            ``<project>.<date>T<time>`` unless it is given.
        kind : {"single-label", "multi-label", "detection", "brands"}, optional
            What the project's task or its labels ask for, unless it is named; what was chosen, and why, is said.
        budget : str or float, optional
            Wall time from the call on: "90s", "2min", "best" or seconds. Predicting the test images counts, or is
            announced with its expected time. Detectors get two minutes unless it is given; classifiers take a second
            or two, and are only fine-tuned if there is a budget.
        steps : int, optional
            Instead of a budget, as many steps as a former training had: the same seed then repeats it on CPU.
        base : str, optional
            A version to begin from, "latest" for the newest, if that does better on held-out images.
        backbone : str, optional
            See :func:`customlabels_nb.backbones`; the packaged one unless it is given.
        detector : str, optional
            One of torchvision's detectors by name, where the network allows to fetch it; our own unless it is given.
        input_size : int, optional
            Longer side in pixels of what a detector sees; from the sizes of the boxes unless it is given.
        seed : int
            The same seed on the same images gives the same model on a CPU with the same number of threads, which
            ``settings.threads`` fixes; a trial chooses it otherwise.
        device : str, optional
            "cuda", "mps" or "cpu"; the first of these that is here unless it is given.
        tags : dict, optional
            Key → value, both text.
        progress : bool or "bars"
            Show how it is going: a live view in notebooks, bars elsewhere; "bars" for bars anywhere.
        events : Events, optional
            Gets the progress; ``events.cancel()`` from another thread stops the run.
        callbacks : sequence of callables
            Called with each event: see :mod:`customlabels_nb.events`.

        Raises
        ------
        NotEnoughDataError, InputError, WeightsUnavailableError
            Before anything is trained, with the reason.
        """
        started = time.perf_counter()
        version = new_version_name(self._place, name)
        model = Model(self._place, version)
        with model._stoppable():
            from customlabels_nb.training.options import options_from
            from customlabels_nb.training.plan import make_plan, set_aside
            from customlabels_nb.training.run import train_version

            options = options_from(
                kind=kind, budget=budget, steps=steps, backbone=backbone, detector=detector, input_size=input_size,
                base=None if base is None else self._version_named(base), seed=seed, device=device,
            )  # fmt: skip
            tags = check_tags(tags or {})
            if not self._store.statistics(t.TEST).total_entries:
                make_plan(*set_aside(self.train_set), kind=kind, task=self.task)
                say(f"There is no test set yet: {self.distribute()}")
            colours = self.labels.colours
            with watch(events, show=progress, title=version, colours=colours, callbacks=callbacks) as stream:
                datasets = self.train_set, self.test_set
                train_version(self._store, self.root, version, *datasets, options, stream, tags=tags, started=started)
            model = self._models.setdefault(version, model)
            model.write_results()
        return model

    def model(self, name: str = "latest") -> Model:
        """A version by its name, by the name it was published under, or the latest whose training is complete."""
        found = self._version_named(name)
        return self._models.setdefault(found, Model(self._place, found))

    def compare(self, before: str, after: str = "latest", *, common: bool = False) -> Comparison:
        """What changed from one version to another, on the same test images; from what they kept, no model is run.

        Parameters
        ----------
        before, after : str
            Versions, as :meth:`model` takes them.
        common : bool
            Compare the test images that both had, where there are others.

        Raises
        ------
        InputError
            If the two were tested on other images, or on other tasks.
        """
        return self.model(before).evaluate().compare(self.model(after).evaluate(), common=common)

    def _version_named(self, name: str) -> str:
        """The name of the version that ``name`` means: its own, the one it was published under, or "latest"."""
        versions = self._store.versions()
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

    # -- its life -----------------------------------------------------------------------------------
    def pack(
        self,
        path: str | os.PathLike[str],
        *,
        images: bool = True,
        versions: bool = True,
        progress: bool = True,
        events: Events | None = None,
    ) -> Packed:
        """Write all of it to a zip file, for ``cl.unpack_project`` elsewhere: a class, a colleague, an archive.

        Images that lie elsewhere are copied into it, remote ones stay URLs. Of a team's database the zip has a copy in
        a file, never its address.

        Parameters
        ----------
        path : path
            The file, which is replaced if it is there.
        images, versions : bool
            Take the pictures and the trained models along.
        """
        target = local_path(path, "path").absolute()
        with progress_bars(events or Events(), show=progress) as stream:
            return pack(self._place, target, images=images, versions=versions, events=stream)

    def rename(self, name: str) -> None:
        """Rename the project and its folder; its models go along. Refused while a version trains or runs."""
        rename_project(self._place, name, self._action("rename project"))

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the project with its datasets and versions, for ever; asks unless ``confirm=True``.

        Images are only deleted where they lie in the project's own folder (uploads and copies). Refused, with the
        reason, while a version trains or runs.
        """
        refuse_if_busy(self._store, "deleted")
        require_confirmation(
            f"Delete the project {self.name!r} with its {len(self._store.versions())} versions?", confirm
        )
        delete_project(self._place)

    def close(self) -> None:
        """Stop running models and give the database back."""
        for model in self._models.values():
            with suppress(ModelNotFoundError):  # deleted meanwhile
                model.stop()
        self._store.close()

    # -- display ------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        try:
            sizes = ", ".join(f"{split} {s.total_entries:,}" for split, s in self.statistics.items())
            versions = len(self._store.versions())
            return f"Project({self.name!r}: {sizes} images; {len(self.labels)} labels; {versions} versions)"
        except StoreError as error:
            return f"Project({str(self.root)!r}, gone: {error})"

    def _repr_html_(self) -> str:
        try:
            name, labels = self.name, len(self.labels)
            return render("project.html", name=name, labels=labels, statistics=self.statistics)
        except StoreError:
            return escaped(repr(self))

    def _action(self, what: str, note: str = "") -> Action:
        return Action(what, settings.user, note)

    def _show_batch(self, dataset: Dataset, **options: Any) -> ContactSheet:
        from customlabels_nb.training.batch_view import show_batch

        return show_batch(dataset, self.test_set, task=self.task, **options)


def _edits(origin: Dataset, images: pd.DataFrame, annotations: pd.DataFrame) -> set[str]:
    """The images whose row or annotations differ from what they were in ``origin``, and those it doesn't have."""
    from customlabels_nb.store.frames import annotation_keys, row_keys

    rows, old_rows = row_keys(images), row_keys(origin.images)
    marks, old_marks = annotation_keys(annotations), annotation_keys(origin.annotations)
    return {name for name in rows if rows[name] != old_rows.get(name) or marks.get(name) != old_marks.get(name)}


def _beside_others(store: SqlStore, image: str, table: pd.DataFrame, model: str) -> pd.DataFrame:
    """What the model has said of other images, and the table of this one."""
    said, columns = store.predictions(model=model), ["image", *table.columns]
    names = {image, image_uri(image)}
    return pd.concat([said.loc[~said["image"].isin(names), columns], table.assign(image=image)[columns]])


def _edited(store: SqlStore, split: str, frame: pd.DataFrame, annotator: str) -> Dataset:
    """The stored images that a table of annotations speaks of, with these annotations."""
    if "image" in frame.columns and frame["image"].notna().all():
        frame = frame.assign(image=_stored_names(store, split, frame["image"]))
    annotations = t.normalise_annotations(frame, annotator=annotator)
    images, old, labels = store.tables(split, frame["image"].unique().tolist())
    missing = set(frame["image"]) - set(images["image"])
    if missing:
        raise InputError(f"{len(missing)} images are not in the {split} set, such as {sorted(missing)[0]!r}.")
    if "revision" in frame.columns:
        images = images.assign(revision=images["image"].map(frame.groupby("image")["revision"].first()))
    before, images = images, t.settle_statuses(images, annotations, changed=old["image"])
    images = forget_where_changed(images, annotations, before, old)
    return Dataset(images, annotations, labels, name=split)


def _stored_names(store: SqlStore, split: str, images: pd.Series) -> list[str]:
    """The names that the dataset has for these images: as given, or else as an import would write them."""

    def stored(names: Iterable[object]) -> set[str]:
        wanted = [name for name in names if isinstance(name, str)]
        return set(store.tables(split, wanted)[0]["image"])

    given = images.unique().tolist()
    as_given = stored(given)
    names = {name: image_uri(name) for name in given if name not in as_given}
    as_written = stored(names.values()) if names else set()
    found = {name: uri if (uri := names.get(name, name)) in as_written else str(name) for name in given}
    return [found[name] for name in images]
