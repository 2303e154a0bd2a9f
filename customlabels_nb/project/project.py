"""Main class of the package: a project with its datasets, labels, model versions and history."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from customlabels_nb._utils.arguments import check_fraction, check_integer
from customlabels_nb._utils.progress_bars import progress_bars, say
from customlabels_nb._utils.rendering import facts_html
from customlabels_nb._utils.text import counted, escaped, one_line
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb._utils.user_code import users_level
from customlabels_nb._utils.whole_texts import WholeTexts
from customlabels_nb.assist.assistant import Assist
from customlabels_nb.assist.stored_results import forget_results
from customlabels_nb.checks import CheckReport, check_datasets, find_near_duplicates
from customlabels_nb.checks.near_duplicates import SIMILARITY_THRESHOLD
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.core.table_columns import (
    Kind,
    completed_names,
    full_names,
    how_to_convert,
    read_frame,
    with_lists_of_labels,
)
from customlabels_nb.core.version_status import READY, RESUMABLE
from customlabels_nb.datasets.dataset import Dataset, Groups
from customlabels_nb.datasets.formats.given_tables import BESIDE_ANNOTATIONS, not_imported, settle_boxes, without_label
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.datasets.reviewed import forget_where_changed, had_prelabel
from customlabels_nb.datasets.splitting import rare_labels
from customlabels_nb.errors import (
    InputError,
    ModelNotFoundError,
    NotAllowedError,
    NotEnoughDataError,
    StoreError,
    TableError,
)
from customlabels_nb.events import Events, Listener
from customlabels_nb.images.locations import Location, is_remote, local_path
from customlabels_nb.images.missing import missing_files
from customlabels_nb.ingest.image_identity import StoredNames
from customlabels_nb.ingest.importer import ImportReport, import_images
from customlabels_nb.ingest.manifest_updates import Entries, EntriesReport, update_entries
from customlabels_nb.ingest.missing_images import (
    find_missing_images,
    refuse_missing_sources,
    remove_missing_images,
)
from customlabels_nb.ingest.sources import (
    ImportOptions,
    OnDuplicate,
    OnKnown,
    OnLeak,
    Source,
    contents_of_tables,
    lacking,
)
from customlabels_nb.labeling.crops import CropQuery
from customlabels_nb.labeling.next_step import find_next_step
from customlabels_nb.labeling.review import ReviewQuery
from customlabels_nb.labeling.view import Query
from customlabels_nb.models.backbone import FEATURES, PACKAGED
from customlabels_nb.project import screens
from customlabels_nb.project.archive import PackReport, pack
from customlabels_nb.project.auto_refresh import interval, refresh_sources, set_interval
from customlabels_nb.project.labels import Labels
from customlabels_nb.project.lifecycle import delete_project, refuse_if_busy, rename_project
from customlabels_nb.project.location import ProjectLocation, check_task, new_version_name
from customlabels_nb.project.model import Model, require_confirmation
from customlabels_nb.project.moved_images import relocate_images
from customlabels_nb.project.progress_display import watch
from customlabels_nb.project.snapshots import Snapshots
from customlabels_nb.project.tags import Tags
from customlabels_nb.remote.download_cache import CONNECTIONS, fetch_all
from customlabels_nb.store import Action, ProjectRecord, SqlStore, Statistics, VersionRecord
from customlabels_nb.store.records import DESCRIPTION
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from customlabels_nb.core.tables import Task  # as a type of a property, a Literal breaks completion with Tab
    from customlabels_nb.evaluation.comparison.comparing import Comparison
    from customlabels_nb.evaluation.comparison.several import VersionsComparison
    from customlabels_nb.images.image_grid import ContactSheet
    from customlabels_nb.images.listing import LabelsFrom
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.result_writing import WrittenDetections
    from customlabels_nb.jobs.job_list import LabellingJobs
    from customlabels_nb.labeling.box_outlines import BoxOutlines
    from customlabels_nb.labeling.crops import CropSort
    from customlabels_nb.labeling.review import ReviewQueue, ReviewShow, ReviewSort
    from customlabels_nb.labeling.view import Mode, Queue, Sort
    from customlabels_nb.project.runnable import LoadedModel
    from customlabels_nb.training.tasks import Recipe
    from customlabels_nb.widgets.annotator import Annotator
    from customlabels_nb.widgets.dashboard import Dashboard
    from customlabels_nb.widgets.gallery import Gallery
    from customlabels_nb.widgets.history import HistoryPanel
    from customlabels_nb.widgets.map import ProjectMap
    from customlabels_nb.widgets.review import Review
    from customlabels_nb.widgets.verify import Verify
    from customlabels_nb.workers.spreading import Backend

_DATASET_COLUMNS = (
    "split", "status", "status_message", "created", "updated", "total_entries", "labelled_entries", "total_labels",
    "sources", "tags",
)  # fmt: skip
_VERSION_COLUMNS = (
    "name", "created", "task", "f1", "f1_as_trained", "decision", "status", "message", "description", "alias", "tags",
)  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """Result of :meth:`Project.distribute`: image counts of both splits and a table of issues."""

    train: int
    test: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        notes = "".join(f"\n  {one_line(row.where)}: {one_line(row.message)}" for row in self.issues.itertuples())
        return f"{counted(self.train, 'training image')}, {counted(self.test, 'test image')}.{notes}"


class Project(NameHints):
    """Datasets, labels and model versions of one task, stored in one folder.

    What people do with a project, in the usual order::

        project.add_images("photos", labels_from="folders")     # add images, with labels if they have some
        project.dashboard()                                     # look at the datasets, and do the next step
        project.label()                                         # label images (project.annotate() draws boxes)
        project.check()                                         # find what to correct before training
        model = project.train("v1", budget="10 min")            # train a version and evaluate it
        report = model.evaluate()                               # evaluate it on the test set
        report.show()                                           # look at its mistakes
        model.detect("new.jpg").draw()                          # use it on an image
        model.detect_many("new photos", to="results")           # use it on many images
        project.undo()                                          # revert the latest change

    Create a project with :func:`create_project` or open it with :func:`load_project`. Every change is one transaction
    and adds a row to ``history``.

    Examples
    --------
    >>> project = cl.create_project("kitchens", task="single-label")
    >>> project.add_images(photos, labels_from="folders", progress=False).added
    9
    >>> list(project.labels)
    ['bathroom', 'bedroom', 'garden']
    """

    def __init__(self, location: ProjectLocation) -> None:
        self._location = location
        self._models: dict[str, Model] = {}
        self._assist: Assist | None = None

    # -- properties ---------------------------------------------------------------------------------
    @property
    def root(self) -> Path:
        """Folder of the project."""
        return self._location.root

    @property
    def _store(self) -> SqlStore:
        return self._location.store

    @property
    def _record(self) -> ProjectRecord:
        """Stored record of the project: name, task, status, times and tags."""
        return self._store.project()

    @property
    def name(self) -> str:
        """Name of the project and of its folder."""
        return self._record.name

    @property
    def task(self) -> Task | None:
        """Task: "single-label", "multi-label", "boxes" or "polygons", or None if not chosen yet. Can be set."""
        return self._record.task

    @task.setter
    def task(self, task: t.Task | None) -> None:
        self._store.set_project(self._action("set task"), task=check_task(task))

    @property
    def instructions(self) -> str:
        """Instructions for annotators, shown in the gallery and editable there. Can be set.

        A line such as ``![ripe](https://example.org/ripe.jpg)`` shows a picture: a URL, or a path, relative to the
        project folder.
        """
        return self._record.instructions

    @instructions.setter
    def instructions(self, text: str) -> None:
        if not isinstance(text, str):
            raise InputError(f"instructions={text!r} must be text.")
        self._store.set_project(self._action("set instructions"), instructions=text)

    @property
    def labels(self) -> Labels:
        """Ordered labels of the project. They can be added, renamed, merged, removed, reordered and recolored.

        ``project.labels.edit()`` opens the label manager.
        """
        return Labels(self._location)

    @property
    def tags(self) -> Tags:
        """Tags of the project, a mapping of str to str. Changes are stored at once."""
        return Tags(lambda: self._record.tags, partial(self._store.change_tags, self._action("tag project")))

    @property
    def assist(self) -> Assist:
        """Help with labelling by models that are trained in the background. Nothing runs until ``assist.start()``."""
        if self._assist is None:
            self._assist = Assist(self._location, self.train)
        return self._assist

    @property
    def jobs(self) -> LabellingJobs:
        """Labelling jobs, in which several people label the same images independently of each other."""
        from customlabels_nb.jobs.job_list import LabellingJobs

        return LabellingJobs(self._location, partial(screens.open_job, self._location))

    @property
    def snapshots(self) -> Snapshots:
        """Named snapshots of the datasets, to take, list, compare, restore and delete."""
        return Snapshots(self._store)

    @property
    def train_set(self) -> Dataset:
        """Current training set, as an immutable dataset."""
        return self._location.dataset(t.TRAIN, project=self)

    @property
    def test_set(self) -> Dataset:
        """Current test set, as an immutable dataset."""
        return self._location.dataset(t.TEST, project=self)

    @property
    def statistics(self) -> dict[str, Statistics]:
        """Numbers of images, labelled images, labels in use and boxes (with polygons) of the datasets, by split.

        Their names are those of Rekognition: ``total_entries``, ``labelled_entries``, ``total_labels`` and
        ``total_boxes``.
        """
        return {split: self._store.statistics(split) for split in t.SPLITS}

    @property
    def datasets(self) -> pd.DataFrame:
        """Table with one row per dataset: split, status, message, times, counts, sources and tags."""
        rows = [
            {**vars(record), **vars(self._store.statistics(split))}
            for split in t.SPLITS
            if (record := self._store.dataset(split)) is not None
        ]
        return pd.DataFrame(rows, columns=list(_DATASET_COLUMNS))

    @property
    def issues(self) -> pd.DataFrame:
        """Table of images and entries that imports skipped or flagged: split, code, message, where, source, line."""
        return self._store.issues()

    @property
    def history(self) -> pd.DataFrame:
        """Log of all actions, newest first: id, created, who, what, note, split, count, before, after and more.

        ``undoable`` marks the actions that :meth:`undo` can revert. ``undone_by`` and ``undoes`` link an action to its
        undo.
        """
        return self._store.history()

    @property
    def versions(self) -> pd.DataFrame:
        """Table of model versions, oldest first.

        The columns are name, created, task, f1, f1_as_trained, decision, status, message, description, alias and tags.
        ``f1`` is that of the stored predictions on the test set as it is now, and ``f1_as_trained`` that of the
        training. ``decision`` is the rule that ``f1`` is computed by: "most confident" or "assumed" (thresholds).
        """
        rows = [
            (
                v.name, v.created, v.task, *(now := self._f1_now(v))[:1], v.metrics.get("f1"),
                now[1], v.status, v.status_message,
                v.description, v.alias, {key: value for key, value in v.tags.items() if key != DESCRIPTION},
            )
            for v in self._store.versions()
        ]  # fmt: skip
        return WholeTexts(rows, columns=list(_VERSION_COLUMNS))

    def _f1_now(self, version: VersionRecord) -> tuple[float | None, str | None]:
        from customlabels_nb.training.evaluation_now import f1_now  # loads SciPy

        return f1_now(self._store, self.root, version)

    # -- images and labels --------------------------------------------------------------------------
    def add_images(
        self,
        source: Source,
        *,
        split: t.Split = t.TRAIN,
        labels_from: LabelsFrom | None = None,
        label: str | None = None,
        copy: bool = False,
        on_leak: OnLeak = "report",
        on_duplicate: OnDuplicate = "skip",
        check_images: bool = False,
        on_known: OnKnown = "fill",
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> ImportReport:
        """Add images from a folder, glob pattern, file, zip file, URL, a list of these, or one or several DataFrames.

        Images that are already in the dataset are recognised by their name, in any spelling, and by their content.
        ``on_known`` decides what happens to their labels. Folders in cloud storage buckets (``s3://bucket/photos/``)
        and on web servers that list their files (``https://server/photos/``) work as well.

        Parameters
        ----------
        source
            Images to add. Local images are referenced by path unless ``copy`` is true. A zip file is unpacked into the
            project's folder. A DataFrame needs a column ``image``, and may have a column ``label``, box columns
            (``left, top, width, height``, ``xmin, ymin, xmax, ymax`` or ``bbox``) and any other columns, which are
            stored too. Boxes that are all between 0 and 1 are ratios of the image size. An iterator of DataFrames is
            stored as one action with only one of them in memory. All rows of an image must be in the same DataFrame.
            Cells of other columns that are not empty are updated in images that are already in the dataset.
            Other writers of the project wait until the import has ended.
        split : {"train", "test"}
            Dataset to add the images to.
        labels_from : {"folders"}, optional
            Label each image with the name of the top-level subfolder of ``source`` that contains it.
        label : str, optional
            Label to assign to all images.
        copy : bool
            Copy the files to ``images/`` in the project's folder.
        on_leak : {"report", "keep"}
            Report and skip an image whose content is already in the other split (train or test), or keep it.
        on_duplicate : {"skip", "keep"}
            Report and skip an image with the same content as another one of the source, or keep it. With "keep",
            images with the content of a stored image are added, too.
        check_images : bool
            Download and check remote images now. (Local images are always checked.) Otherwise, remote images are not
            downloaded until they are used: buckets are only listed, only the size of URLs is requested, and tables and
            datasets are not checked.
        on_known : {"fill", "replace", "skip"}
            What to do with the annotations of images that are already in the dataset. "fill" gives them to images
            without labels, and reports each image whose labels differ. "replace" replaces the labels of the images that
            are labelled in the source, also as empty. Equal annotations keep their author, time and outline, and images
            that somebody is labelling in a job are not changed. "skip" only adds new images.

        Returns
        -------
        ImportReport
            Numbers of images that were added, already known or newly labelled, and a table of images that cannot be
            used or have other labels.

        Examples
        --------
        >>> project = cl.create_project("kitchens", task="single-label")
        >>> imported = project.add_images(photos, labels_from="folders", progress=False)
        >>> imported.added, len(imported.issues)
        (9, 0)
        >>> project.train_set.label_counts.to_dict()
        {'bathroom': 3, 'bedroom': 3, 'garden': 3}
        """
        options = ImportOptions(split, labels_from, label, copy, on_leak, on_duplicate, check_images, on_known)
        with progress_bars(events, show=progress) as stream:
            return import_images(self._store, self.root, source, options, events=stream)

    def import_dataset(
        self,
        dataset: Dataset,
        *,
        split: t.Split | None = None,
        copy: bool = False,
        on_leak: OnLeak = "report",
        on_duplicate: OnDuplicate = "skip",
        check_images: bool = False,
        on_known: OnKnown = "fill",
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> ImportReport:
        """Import the images and annotations of a dataset from ``cl.read_dataset`` or from another project.

        The training and test images of the dataset are added to the train and the test set, or all of them to
        ``split``. If the dataset has no test images, images of the project's test set stay there. To bring back labels
        that were corrected in another program, pass ``on_known="replace"``. All labels of the dataset that are new to
        the project are added in their order, with their colors. The other arguments and the report are described in
        :meth:`add_images`. The report also contains issues found while reading the dataset.

        Examples
        --------
        >>> project = cl.create_project("kitchens", task="single-label")
        >>> dataset = cl.read_dataset(photos)
        >>> project.import_dataset(dataset, split="test", progress=False).added
        9
        """
        if not isinstance(dataset, Dataset):
            passed = f"dataset={dataset!r}" if isinstance(dataset, str) else f"dataset of type {type(dataset).__name__}"
            raise InputError(f"{passed} is not a Dataset. Read a file first: import_dataset(cl.read_dataset(…)).")
        images, annotations, reports = dataset.image_table, dataset.annotations, list[ImportReport]()
        own = [name for name in t.SPLITS if (images["split"] == name).any()] or [t.TRAIN]
        options = ImportOptions(
            copy=copy, on_leak=on_leak, on_duplicate=on_duplicate, check_images=check_images, on_known=on_known,
            lacks=lacking(annotations),
        )  # fmt: skip
        if split is None and own == [t.TRAIN]:
            options = replace(options, follow=True)
        with progress_bars(events, show=progress) as stream:
            for name in own if split is None else [split]:
                chosen = images if split is not None else images[images["split"] == name]
                contents = contents_of_tables(
                    chosen,
                    annotations[annotations["image"].isin(chosen["image"])],
                    dataset.name,
                    root=dataset.root,
                    issues=() if reports else dataset.found,
                    lines=() if reports else dataset.unread,
                    labels=dataset.labels.itertuples(index=False, name=None),
                    rounding=dataset.rounding,
                )
                to = replace(options, split=name)
                after = reports[0].action if reports else None
                reports.append(import_images(self._store, self.root, contents, to, after=after, events=stream))
        return reports[0] if len(reports) == 1 else reports[0] + reports[1]

    def refresh(
        self, split: t.Split | None = None, *, progress: bool = True, events: Events | Listener | None = None
    ) -> RefreshReport:
        """Scan the sources of one or both datasets again, add new images and report changed or missing ones.

        Images that never had labels get those of the source. Existing labels are never changed, and a difference is
        reported once. Missing images stay in the dataset until they are removed. Removed images are not added again. An
        image that was added with ``copy=True`` is copied again if its source has changed. :meth:`auto_refresh` does
        this when a screen opens.

        Examples
        --------
        >>> refreshed = project.refresh("train", progress=False)
        >>> refreshed.images.columns.tolist()
        ['split', 'image', 'what']
        """
        splits = [name for name in t.SPLITS if self._store.dataset(name)] if split is None else [t.check_split(split)]
        with progress_bars(events, show=progress) as stream:
            return refresh_sources(self._location, splits, events=stream)

    def auto_refresh(self, every: str | float | EllipsisType | None = ...) -> float | None:
        """Refresh the sources when a labelling screen opens and the last refresh is older than ``every``.

        This applies to the gallery, the annotator, the review and the screens of labelling jobs, for everybody who
        opens the project. A screen waits for at most two seconds. Then the refresh continues in the background. If a
        source cannot be reached, the screen says so and opens. Running labelling jobs get the new images of the
        dataset or query that they were created with.

        Parameters
        ----------
        every : str, float or None, optional
            Duration such as "1d" or "2h", or seconds. None switches it off. By default, nothing is changed.

        Returns
        -------
        float or None
            The duration in seconds, None if it is switched off.

        Raises
        ------
        InputError
            If ``every`` is not a duration.

        Examples
        --------
        >>> project.auto_refresh("1d")
        86400.0
        >>> gallery = project.label("train")
        >>> project.auto_refresh(None)
        """
        if every is not ...:
            set_interval(self._store, every)
        return interval(self._store)

    def fetch(
        self,
        split: t.Split | None = None,
        *,
        workers: int = CONNECTIONS,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame:
        """Download remote images into the cache with ``workers`` connections and return a table of failed downloads.

        If interrupted, the next call continues where this one stopped. ``settings.cache_gb`` limits the size of the
        cache.

        Examples
        --------
        >>> failed = project.fetch(progress=False)
        >>> len(failed)
        0
        """
        workers = check_integer("workers", workers, 1)
        images = self._store.images(split)
        remote = images[images["image"].map(is_remote).astype(bool)]
        hashes = [content if isinstance(content, str) else None for content in remote["sha256"]]
        with progress_bars(events, show=progress) as stream:
            issues = fetch_all(remote["image"].tolist(), content_ids=hashes, workers=workers, events=stream)
        return issues_to_frame(issues)

    def update(self, split: t.Split, data: Dataset | pd.DataFrame, *, note: str = "") -> int:
        """Store edited annotations as one action and return the number of changed images. Other images are not changed.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to update.
        data : Dataset or DataFrame
            A dataset derived from ``train_set`` or ``test_set``, a dataset from ``cl.read_dataset`` whose images the
            project has, or a table ``image, label`` (and box columns). Afterwards, the images in a table have exactly
            the annotations in that table. A missing label means no annotations. A dataset from a file replaces
            annotations as :meth:`import_dataset` does with ``on_known="replace"``.
        note : str
            Note for the history.

        Raises
        ------
        StaleEditError
            If someone else has changed an image that you edited since the dataset was read. Nothing is written. (A
            plain table does not record when it was read, unless it has a column ``revision``.)
        InputError
            If ``data`` is neither a dataset nor a table.

        Examples
        --------
        >>> images = project.train_set.images["image"].head(2)
        >>> project.update("train", pd.DataFrame({"image": images, "label": ["garden", "bedroom"]}), note="relabel")
        2
        >>> project.undo()
        2
        """
        t.check_split(split)
        if not isinstance(data, Dataset | pd.DataFrame):
            raise InputError(
                f"data must be a Dataset or a DataFrame with columns image and label, not {type(data).__name__}. "
                f"{how_to_convert(data)}".strip()
            )
        action = self._action("update", note)
        if isinstance(data, Dataset) and data.origin is None and not data.image_table["revision"].any():
            return self._update_from_file(split, data, action)
        dataset = data if isinstance(data, Dataset) else _edited(self._store, self.root, split, data, action.who)
        images, annotations = t.settle_statuses(dataset.image_table, dataset.annotations), dataset.annotations
        if dataset.origin is not None:  # compare with the state when it was read, and store only the differences
            edited = _edits(dataset.origin, images, annotations)
            images = images[images["image"].isin(edited)].reset_index(drop=True)
            annotations = annotations[annotations["image"].isin(edited)].reset_index(drop=True)
            images = forget_where_changed(images, annotations, dataset.origin.image_table, dataset.origin.annotations)
        return self._store.update_images(split, images, annotations, action).count

    def _update_from_file(self, split: str, dataset: Dataset, action: Action) -> int:
        """Replace annotations by those of a dataset that was not read from a project, so that no edit is stale."""
        contents = contents_of_tables(
            dataset.image_table, dataset.annotations, dataset.name, root=dataset.root, rounding=dataset.rounding
        )
        options = ImportOptions(split, on_known="replace", only_known=True, lacks=lacking(dataset.annotations))
        report = import_images(self._store, self.root, contents, options, action=action)
        return report.labelled + report.replaced

    def update_entries(
        self,
        split: t.Split,
        entries: Entries,
        *,
        on_known: OnKnown = "replace",
        note: str = "",
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> EntriesReport:
        """Replace the annotations of the images that manifest lines refer to, as one action.

        For an image in the dataset, the annotations in its manifest line replace the stored ones, even if the line has
        none. An image that is not in the dataset yet is added as by :meth:`add_images`. Other images are not changed.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to update.
        entries
            JSON Lines as a string, the path of a manifest, or a list of dicts, each with a ``source-ref``.
        on_known : {"replace", "fill", "skip"}
            What to do with images in the dataset: replace their annotations, even by none, or "fill" or "skip" as in
            :meth:`add_images`.
        note : str
            Note for the history.

        Returns
        -------
        EntriesReport
            Counts, and ``.issues``, a table of lines that cannot be read and images that cannot be used.

        Examples
        --------
        >>> entry = {
        ...     "source-ref": project.train_set.images["image"].iloc[0],
        ...     "room": 0,
        ...     "room-metadata": {
        ...         "class-name": "garden", "confidence": 1, "human-annotated": "yes",
        ...         "creation-date": "2026-01-01T00:00:00", "type": "groundtruth/image-classification",
        ...     },
        ... }
        >>> project.update_entries("train", [entry], progress=False).updated
        1
        """
        action = self._action("update entries", note)
        with progress_bars(events, show=progress) as stream:
            return update_entries(
                self._store, self.root, t.check_split(split), entries, action, on_known=on_known, events=stream
            )

    def add_predictions(
        self, predictions: pd.DataFrame | Detection, *, model: Model | LoadedModel | str, note: str = ""
    ) -> int:
        """Store predictions alongside the labels. The gallery and annotator draw them dashed until they are accepted.

        Unlabelled test images show none, unless :meth:`.Assist.start` was called with ``test=True``.

        Parameters
        ----------
        predictions : DataFrame or Detection
            Table with columns image, label and confidence (between 0 and 1), and for boxes the four box columns, as
            returned by ``model.detect_many``. It replaces all earlier predictions of this model. A ``model.detect``
            result for an image of the project replaces the model's predictions for that image only.
        model : Model, LoadedModel or str
            Source of the predictions: a model version, whose name they are stored under, or any name.
        note : str
            Note for the history.

        Returns
        -------
        int
            Number of predictions stored for the model.

        Raises
        ------
        InputError
            If ``predictions`` is neither a table nor a detection, or ``model`` has no name.

        Examples
        --------
        >>> images = project.train_set.images["image"].head(2)
        >>> predictions = pd.DataFrame({"image": images, "label": "bedroom", "confidence": [0.9, 0.6]})
        >>> project.add_predictions(predictions, model="my-model")
        2
        """
        model = getattr(model, "name", model)
        image, table = getattr(predictions, "name", None), getattr(predictions, "table", None)
        replaced: set[str] | None = None
        if isinstance(predictions, pd.DataFrame):
            rows = predictions
        elif isinstance(image, str) and isinstance(table, pd.DataFrame):
            rows, replaced = table.assign(image=image), {image, Location.of(image).uri}
        else:
            raise InputError(
                "predictions must be a DataFrame with columns image, label and confidence, not "
                f"{type(predictions).__name__}. {how_to_convert(predictions)}".strip()
            )
        if not isinstance(model, str) or not model.strip():
            raise InputError(
                f"model={model!r} is not a name. Pass a model version of the project, or a name for these predictions."
            )
        rows = _read_frame(rows, "predictions", self.labels.to_frame()["label"].tolist())
        rows = rows.assign(image=_stored_names(self._store, self.root, t.SPLITS, rows["image"]))
        annotations = t.normalise_annotations(rows)
        if isinstance(predictions, pd.DataFrame):
            _, annotations, _ = _settled(self._store.images(), annotations, rows)
        annotations = annotations.assign(model=model.strip())
        action = self._action("add predictions", note)
        return self._store.replace_predictions(model.strip(), annotations, action, images=replaced).count

    def remove(self, split: t.Split, images: Dataset | pd.DataFrame | list[str] | str, *, note: str = "") -> int:
        """Remove images and their annotations from a dataset and return the number of images removed.

        Image files are never deleted. ``images`` may be one image.

        Raises
        ------
        StaleEditError
            If someone else has changed one of the images since ``images`` was read. Nothing is removed.
        InputError
            If ``images`` has an unsupported type, or contains an image that is not in the dataset.

        Examples
        --------
        >>> blurred = project.train_set.images["image"].head(2).tolist()
        >>> project.remove("train", blurred, note="blurred")
        2
        >>> len(project.train_set)
        10
        """
        t.check_split(split)
        value = images.image_table if isinstance(images, Dataset) else images
        if isinstance(value, str | os.PathLike):
            value = [value]
        if not isinstance(value, Iterable):
            raise InputError(f"images must be a Dataset, a DataFrame or a list of images, not {value!r}.")
        rows = value if isinstance(value, pd.DataFrame) else pd.DataFrame({"image": list(value)}, dtype=object)
        if "image" not in rows:
            raise InputError(f"images has no column 'image', but {list(rows.columns)}.")
        if "revision" in rows:
            rows = rows[["image", "revision"]].drop_duplicates("image")
        else:
            names = _stored_names(self._store, self.root, [split], rows["image"])
            rows = pd.DataFrame({"image": list(dict.fromkeys(names))})
            revisions = self._store.tables(split, rows["image"].tolist())[0].set_index("image")["revision"]
            rows = rows.assign(revision=rows["image"].map(revisions))
        action = self._action("remove images", note)
        return self._store.remove_images(split, rows.reset_index(drop=True), action).count

    def distribute(
        self,
        test_fraction: float = 0.2,
        *,
        groups: Groups | None = None,
        random_state: int = 0,
        exist_ok: bool = False,
    ) -> Distribution:
        """Move a stratified random part of the training images to the empty test set.

        Images that models labelled, or helped to label, stay in the training set.

        Parameters
        ----------
        test_fraction : float
            Fraction to move, between 0 and 1. Each label with two or more images has at least one in each split.
        groups : str, list, dict or DataFrame, optional
            Column of the image table, one value per image (also as a dict by image), or pairs of images such as
            ``project.near_duplicates("train")``. Images of a group stay in the same split. So do images with the same
            content, even without groups.
        exist_ok : bool
            Move nothing if the test set is not empty, so that a notebook can be run again from its first cell.

        Raises
        ------
        NotAllowedError
            If the test set is not empty, without ``exist_ok``.
        InputError
            If ``test_fraction`` is not between 0 and 1.
        NotEnoughDataError
            If no label has two images.

        Examples
        --------
        >>> project = cl.create_project("kitchens", task="single-label")
        >>> imported = project.add_images(photos, labels_from="folders", progress=False)
        >>> project.distribute(test_fraction=0.3)
        6 training images, 3 test images.
        """
        test_fraction = check_fraction("test_fraction", test_fraction, exclude=(0, 1))
        tested = self._store.statistics(t.TEST).total_entries
        if tested and exist_ok:
            return Distribution(len(self.train_set), tested, issues_to_frame([]))
        if tested:
            raise NotAllowedError(
                f"The test set already has {counted(tested, 'image')}. Keep it with exist_ok=True, or empty it first "
                "with project.delete_dataset('test')."
            )
        train = self.train_set
        chosen = train.split_mask(test_fraction, groups=groups, random_state=random_state)
        by_machine = train.annotations.loc[t.by_machine(train.annotations), "image"]
        chosen &= ~(train.image_table["image"].isin(by_machine) | had_prelabel(train.image_table)).to_numpy()
        if not chosen.any():
            raise NotEnoughDataError(
                f"Cannot split {counted(len(train), 'training image')}: no label has two different images. "
                "Label more images with project.label('train').",
                "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE",
            )
        moved = train.image_table.loc[chosen, "image"].tolist()
        action = self._action("distribute", str(test_fraction))
        if self._store.move_images(moved, t.TRAIN, t.TEST, action, into_empty=True).action is None:
            # another kernel has distributed the images meanwhile
            return self.distribute(test_fraction, groups=groups, random_state=random_state, exist_ok=exist_ok)
        rare = rare_labels(train.labels_of_images(), train.groups_of_images(groups))
        counts = train.label_counts
        issues = issues_to_frame(
            Issue(
                "LABEL_TOO_RARE_TO_SPLIT",
                "" if counts[label] == 1 else f"All {counts[label]:,} images belong to one group and stay in train.",
                where=label,
            )
            for label in rare
        )
        return Distribution(len(train) - len(moved), len(moved), issues)

    def check(
        self, *, near_duplicates: bool | None = None, progress: bool = True, events: Events | Listener | None = None
    ) -> CheckReport:
        """Check the datasets for problems that limit training: labels, files, boxes and leaks between train and test.

        Parameters
        ----------
        near_duplicates : bool, optional
            Search for copies of a photo that were re-encoded, resized, brightened or slightly cropped. By default, this
            is done if at most 2,000 images have to be read and none downloaded. The image fingerprints are cached.

        Returns
        -------
        CheckReport
            Findings with advice, most severe first. ``issues`` and ``table`` list them by finding and by image.

        Examples
        --------
        >>> checked = project.check(near_duplicates=False, progress=False)
        >>> checked.ok
        True
        """
        datasets, (files, _) = (self.train_set, self.test_set), self._store.files()
        with progress_bars(events, show=progress) as stream:
            return check_datasets(
                *datasets, task=self.task, files=files, near_duplicates=near_duplicates, events=stream
            )

    def near_duplicates(
        self,
        split: t.Split | None = None,
        *,
        threshold: float = SIMILARITY_THRESHOLD,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame:
        """Find pairs of images that show the same photo, re-encoded, resized, brightened or slightly cropped.

        The table is sorted by similarity: image, other, similarity, split, other_split, labels, other_labels.
        ``similarity`` is the correlation of the two image fingerprints, from ``threshold`` to 1. Images with identical
        content count as one image within a split, and identical images in both splits are not listed. Use
        ``project.distribute(groups=project.near_duplicates("train"))`` to keep near-duplicates in one split.

        Examples
        --------
        >>> pairs = project.near_duplicates("train", progress=False)
        >>> pairs.columns.tolist()
        ['image', 'other', 'similarity', 'split', 'other_split', 'labels', 'other_labels']
        """
        chosen = [self._location.dataset(name) for name in (t.SPLITS if split is None else [t.check_split(split)])]
        with progress_bars(events, show=progress) as stream:
            return find_near_duplicates(chosen, files=self._store.files()[0], threshold=threshold, events=stream)

    def relocate(self, folder: str | os.PathLike[str], *, note: str = "") -> int:
        """Find the images whose files were moved or renamed in ``folder``, and return their number.

        Files are recognised by their content, also in subfolders and under other names. The images keep their labels,
        history and predictions, also in versions, and a folder that was moved as a whole is refreshed at its new place.
        The results of :attr:`assist` are computed by its next training. This cannot be undone with :meth:`undo`. With
        PostgreSQL, the new names hold for everybody: the photos need the same path on all computers.

        Raises
        ------
        InputError
            If ``folder`` has none of the missing images.
        NotAllowedError
            If a version is being trained.

        Examples
        --------
        >>> project.relocate(photos)  # no file is missing
        0
        """
        place = local_path(folder, "folder")
        if not place.is_dir():
            raise InputError(f"folder={os.fspath(folder)!r} is not a folder.")
        found = relocate_images(self._store, self.root, place, self._action("relocate images", note))
        if found:
            forget_results(self.root)
        return found

    def remove_missing(self, *, confirm: bool = False, note: str = "") -> int:
        """Remove the images whose files were deleted, with their labels, and return their number.

        Training, evaluation, features and maps leave such images out. Asks for confirmation unless ``confirm=True``.
        The images of both datasets are removed as one action, which :meth:`undo` takes back, and their features and
        thumbnails are deleted. Images at URLs stay, and so do those of a folder that does not exist any more, because
        its disk may not be mounted. Snapshots and versions are unchanged.

        Examples
        --------
        >>> project.remove_missing(confirm=True)
        0
        """
        missing = find_missing_images(self._store, self.root)
        if missing.empty:
            return 0
        question = f"Remove {counted(len(missing), 'image')} without a file, for example {missing['image'].iat[0]!r}?"
        require_confirmation(question, confirm, "project.undo() restores their labels.")
        action = self._action("remove missing images", note)
        return remove_missing_images(self._store, self.root, missing, action).count

    def delete_dataset(self, split: t.Split, *, confirm: bool = False) -> int:
        """Delete the training or test set, but not its image files, and return the number of images.

        Asks for confirmation unless ``confirm=True``.

        Examples
        --------
        >>> project.delete_dataset("test", confirm=True)
        6
        >>> project.undo()
        6
        """
        question = f"Delete the {split} set of {self.name!r} with its labels?"
        require_confirmation(question, confirm, "project.undo() restores it.")
        return self._store.delete_dataset(split, self._action("delete dataset")).count

    def undo(self, action_id: int | None = None, *, note: str = "") -> int:
        """Undo an action, as a new action, and return the number of changed images.

        Every action that changed images, annotations or labels can be undone: edits, labelling, imports, removal of
        images and datasets, moves, renaming, merging, removing, reordering and recoloring of labels, and restored
        snapshots. Undoing an undo redoes the action.

        Parameters
        ----------
        action_id : int, optional
            ``id`` of the action in ``project.history``. By default, your latest action that has not been undone.
        note : str
            Note for the history.

        Raises
        ------
        StaleEditError
            If someone has changed one of the action's images since then. Nothing is changed.
        NotAllowedError
            If the action has already been undone or cannot be undone, or if its labels have been changed since then.

        Examples
        --------
        >>> project.remove("train", project.train_set.images["image"].head(3).tolist())
        3
        >>> project.undo()
        3
        >>> project.history["what"].head(2).tolist()
        ['undo remove images', 'remove images']
        """
        return self._store.undo(action_id, self._action("undo", note)).count

    # -- labelling ----------------------------------------------------------------------------------
    @overload
    def label(
        self,
        split: t.Split = t.TRAIN,
        *,
        mode: Mode = "grid",
        page_size: int = 24,
        sort: Sort = "random",
        random_state: int = 0,
        queue: Queue | None = None,
        search: str | None = None,
        widget: None = None,
    ) -> Gallery: ...

    @overload
    def label(
        self,
        split: t.Split = t.TRAIN,
        *,
        mode: Mode = "grid",
        page_size: int = 24,
        sort: Sort = "random",
        random_state: int = 0,
        queue: Queue | None = None,
        search: str | None = None,
        widget: object,
    ) -> Any: ...

    def label(
        self,
        split: t.Split = t.TRAIN,
        *,
        mode: Mode = "grid",
        page_size: int = 24,
        sort: Sort = "random",
        random_state: int = 0,
        queue: Queue | None = None,
        search: str | None = None,
        widget: Any = None,
    ) -> Any:
        """Open the gallery to label pages of thumbnails, by mouse or with keys 1–9. Each label is stored immediately.

        Running the same call again keeps the sort order, the page size and the page.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to label.
        mode : {"grid", "single"}
            Pages of thumbnails, or one image at a time for labelling by keyboard.
        page_size : {4, 6, 9, 24, 48, 100}
            Number of thumbnails per page.
        sort : {"random", "name", "added", "uncertainty", "similarity"}
            Order of the images. Random order, the default, guards against bias.
        random_state : int
            Seed of the random order.
        queue : {"assist", "manual", "clustered", "prelabelled"}, optional
            Only unlabelled training images, in an order of :attr:`assist`. "clustered" shows similar images together
            and selected, so that one key labels the page. "prelabelled" has those whose predictions can be trusted:
            Enter accepts the page, a number corrects, Delete rejects.
        search : str, optional
            Description of images, such as "a red screw", which come first. See :meth:`search`.
        widget : class or widget, optional
            ipyannotations labeller to use instead of the gallery, such as ``ipyannotations.images.ClassLabeller``.

        Returns
        -------
        Gallery
            Widget that other cells can read and control with ``selected``, ``set_filter(…)`` and ``observe``.

        Examples
        --------
        >>> gallery = project.label("train", page_size=48)
        >>> gallery.set_filter(label="bedroom")
        >>> len(gallery.selected)
        0
        """
        query, location = _query(sort, random_state, queue, search), self._location
        if widget is not None:
            return screens.plug_in(location, t.check_split(split), query, widget, assist=self.assist)
        return screens.open_gallery(
            location, t.check_split(split), query, page_size=page_size, mode=mode, assist=self.assist
        )

    def crops(
        self,
        split: t.Split = t.TRAIN,
        *,
        annotations: pd.DataFrame | None = None,
        page_size: int = 48,
        sort: CropSort = "doubt",
        random_state: int = 0,
    ) -> Gallery:
        """Open the gallery with a picture of each box or polygon, to find and correct wrong ones.

        A digit gives the selected boxes another label, Delete removes them, Enter confirms the page, and E opens the
        annotator on the image. Predictions are dashed until they are accepted, except on the test set, where none are
        shown. Boxes are sorted by doubt or similarity as soon as their features have been computed.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset whose boxes are shown.
        annotations : DataFrame, optional
            Show only these boxes, with the columns ``image``, ``label``, ``left``, ``top``, ``width`` and ``height``,
            and optionally ``polygon`` and ``confidence``. Boxes that are not in the dataset are shown as predictions,
            except those with a time in ``created``: they have been removed or moved, and are left out.
        page_size : {4, 6, 9, 24, 48, 100}
            Number of boxes per page.
        sort : {"doubt", "similarity", "uncertainty", "size", "aspect", "name", "added", "random"}
            Order of the boxes. "doubt" starts with labels that are probably wrong.
        random_state : int
            Seed of the random order.

        Returns
        -------
        Gallery
            Widget whose ``selected`` is a table of the selected boxes.

        Raises
        ------
        InputError
            If ``annotations`` lacks a column.

        Examples
        --------
        >>> crops = boxes.crops("train", sort="size")
        >>> crops.select(crops.session.images_at([(0, 1)]))
        >>> len(crops.selected)
        2
        """
        t.check_split(split)
        given = annotations
        if given is not None:
            if missing := {"image", "label", *t.BOX_COLUMNS} - {*given.columns}:
                raise InputError(f"annotations has no column {min(missing)!r}. Pass a table of boxes.")
            names = _stored_names(self._store, self.root, [split], given["image"])
            named = given.assign(image=pd.Series(names, index=given.index, dtype=t.TEXT))
            given = screens.given_boxes(self._location, named, split)
        query = CropQuery(sort=sort, random_state=random_state)
        return screens.open_gallery(self._location, split, query, page_size=page_size, assist=self.assist, given=given)

    def map(self, split: t.Split = t.TRAIN, *, crops: bool = False, random_state: int = 0) -> ProjectMap:
        """Open a map on which similar images are close to each other. Select points with the lasso and label them.

        Missing features of the packaged network are computed first, in the background. For another
        :attr:`embedding_model`, call :meth:`embed` before. Until the layout has been computed, the map shows the first
        two principal components. See :meth:`map_layout`.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to show first. Test images are never colored by predictions.
        crops : bool
            Show a point for each box and polygon instead of each image. The features of their crops are computed in
            the background, and stored.
        random_state : int
            Seed of the layout.

        Returns
        -------
        ProjectMap
            Widget whose selection other cells can read and control with ``selected``, ``select`` and ``set_filter``.

        Examples
        --------
        >>> unread = project.embed("train", progress=False)
        >>> image_map = project.map("train")
        >>> len(image_map.selected)
        0
        """
        return screens.open_map(
            self._location, t.check_split(split), crops=crops, random_state=random_state, assist=self.assist
        )

    def annotate(
        self,
        split: t.Split = t.TRAIN,
        *,
        sort: Sort = "added",
        random_state: int = 0,
        queue: Queue | None = None,
        search: str | None = None,
    ) -> Annotator:
        """Open the annotator to draw boxes and polygons, at the first unlabelled image.

        Each annotation is stored immediately.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to annotate.
        sort : {"added", "name", "random", "uncertainty", "similarity"}
            Order of the images.
        random_state : int
            Seed of the random order.
        queue : {"assist", "manual", "clustered", "prelabelled"}, optional
            As in :meth:`label`. In "prelabelled", Enter accepts the dashed boxes and goes on.
        search : str, optional
            As in :meth:`label`.

        Returns
        -------
        Annotator
            Widget that other cells can read and control with ``data``, ``selected``, ``display(image)`` and
            ``set_filter(…)``.

        Examples
        --------
        >>> annotator = boxes.annotate("train", sort="name")
        >>> annotator.display(boxes.train_set.images["image"].iloc[2])
        """
        query = _query(sort, random_state, queue, search)
        return screens.open_annotator(self._location, t.check_split(split), query, assist=self.assist)

    def boxes_to_polygons(
        self, split: t.Split = t.TRAIN, *, progress: bool = True, events: Events | Listener | None = None
    ) -> BoxOutlines:
        """Turn the boxes of a dataset into polygons with SAM 2, as one action that can be undone.

        The model is that of ``settings.outline_engine``, or SAM 2 if that is "auto", which is downloaded if it is not
        on this machine. The polygons have ``annotator`` "model:<name>". Training leaves them out unless
        ``machine_labels=True``, or a person approves them in ``project.review()``. If interrupted, the next call
        continues where this one stopped.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset whose boxes are turned.

        Returns
        -------
        BoxOutlines
            ``.failed`` lists the boxes that are still boxes, with the reason.

        Raises
        ------
        MissingDependencyError
            If transformers is not installed.
        WeightsUnavailableError
            If the model is neither on this machine nor can be downloaded.

        Examples
        --------
        >>> boxes.boxes_to_polygons()  # doctest: +SKIP
        212 boxes in 80 images became polygons. Train with project.train(task="polygons", machine_labels=True).
        """
        from customlabels_nb.inference.segmenters import get_segmenter
        from customlabels_nb.labeling.box_outlines import outline_boxes

        t.check_split(split)
        with progress_bars(events, show=progress) as stream:
            return outline_boxes(self._store, self.root, split, partial(get_segmenter, stream.message), stream)

    def dashboard(self) -> Dashboard:
        """Show the dashboard of labelling progress: label counts, annotator speed, open work, training checks, export.

        The dashboard follows changes made in other cells and by other people. Clicking a bar opens a gallery below it
        with exactly the images that the bar counts.

        Returns
        -------
        Dashboard
            Widget that other cells can read and control with ``totals`` (tables), ``show_images("train",
            label="apple")`` and ``gallery``.

        Examples
        --------
        >>> dashboard = project.dashboard()
        >>> gallery = dashboard.show_images("train", label="bedroom")
        """
        return screens.open_dashboard(
            self._location, check=lambda events: self.check(progress=False, events=events), assist=self.assist
        )

    def history_panel(self) -> HistoryPanel:
        """Show the project's history as a widget in which actions can be undone.

        ``project.history`` contains the same actions as a table.

        Examples
        --------
        >>> panel = project.history_panel()
        """
        return screens.open_history_panel(self._location)

    def review(
        self,
        split: t.Split = t.TRAIN,
        *,
        label: str | None = None,
        show: ReviewShow = "to_review",
        sort: ReviewSort = "doubt",
        page_size: int = 24,
        queue: ReviewQueue | None = None,
    ) -> Review:
        """Review labelled images: approve (Enter), correct (1–9) or reject (Delete). Decisions are stored immediately.

        Tiles and previews show boxes and polygons. H hides them. Approved and corrected images get the tag "reviewed"
        and the status "labelled". Changing their labels later removes the tag. Rejected images
        become unlabelled again, and their labels and boxes are suggestions to the next person.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to review.
        label : str, optional
            Only images with this label, or "" for images without labels.
        show : {"to_review", "disagrees", "needs_review", "reviewed", "all"}
            Images to show. "disagrees": images to review for which a model predicts a different label.
        sort : {"doubt", "name", "newest", "added", "random"}
            Order of the images. "doubt" starts with the images on which a model disagrees with the label most
            confidently. After a classifier was trained, training images are judged by models of its cross-validation
            that were not trained on them.
        page_size : {4, 6, 9, 24, 48, 100}
            Number of thumbnails per page.
        queue : {"suspect"}, optional
            Only images whose labels are probably wrong, as found by :attr:`assist`. ``+`` takes its suggestion, Enter
            keeps the label.

        Returns
        -------
        Review
            Widget that other cells can read and control with ``selected``, ``progress``, ``set_filter(…)``,
            ``observe``, ``approve()``, ``correct(label)`` and ``reject()``.

        Examples
        --------
        >>> review = project.review("train", label="bedroom", sort="name")
        """
        query = ReviewQuery(label=label, show=show, sort=sort, queue=queue)
        return screens.open_review(self._location, t.check_split(split), query, page_size=page_size, assist=self.assist)

    def verify(
        self,
        predictions: Source | WrittenDetections,
        *,
        model: Model | str | None = None,
        sample: int = 200,
        test_fraction: float = 0.0,
        random_state: int = 0,
        page_size: int = 24,
    ) -> Verify:
        """Judge a model's predictions for new images: right, wrong or another label. They become training data.

        Half of the sample is drawn uniformly at random, and measures the precision in the field. The other half are the
        least certain of the other images, from which a model learns most. Enter judges the page or the selected images
        as right, Delete as wrong, and 1–9 give another label. Boxes can be corrected, and missed boxes can be drawn.
        Each verdict is stored immediately in the folder ``feedback`` of the project. The same call continues with them.

        ``submit()`` adds the judged images to train with their confirmed or corrected labels. As in the Predictions tab
        of other services, an image whose predictions are wrong is added as well, but without a label and with the
        status "needs_review": it is not used for training before somebody has labelled it.

        Parameters
        ----------
        predictions : DataFrame, WrittenDetections, path, or source of images
            Result of ``detect_many``, the JSON Lines file that it wrote, or a folder or other source of images, which
            requires ``model``. Pass predictions with the threshold that is used in the field.
        model : Model or str, optional
            Model that made the predictions, or that runs on the images of a folder, or the name of a version.
        sample : int
            Number of images to judge. Images that the project already has are left out.
        test_fraction : float
            Share (0 to 1) of the randomly drawn images that is submitted to test.
        random_state : int
            Seed of the sample.
        page_size : {4, 6, 9, 24, 48, 100}
            Number of thumbnails per page.

        Returns
        -------
        Verify
            Widget that other cells can read and control with ``submit()``, ``precision``, ``sentence``, ``progress``
            and ``notes``.

        Raises
        ------
        InputError
            If an argument is invalid, or ``predictions`` is a folder but there is no ``model``.
        LabelError
            If a predicted label is not a label of the project.
        NotAllowedError
            If the project is read-only.
        NotEnoughDataError
            If no image can be verified: the project has them all, none can be read, or ``predictions`` is empty.

        Examples
        --------
        >>> new = cl.examples.write_photos("rooms", "new", random_state=1, train=10, test=0, size=(160, 120))
        >>> with model.started("cpu", engine="torch"):
        ...     found = model.detect_many(new.train, progress=False)
        >>> verify = project.verify(found, model=model, sample=2)
        >>> verify.progress
        {'judged': 0, 'wrong': 0, 'left': 2}
        """
        version = self.model(model) if isinstance(model, str) else model
        tested = version._test_precision if isinstance(version, Model) else lambda: None
        return screens.open_verification(
            self._location, predictions, version, sample=sample, test_fraction=test_fraction, random_state=random_state,
            page_size=page_size, test_precision=tested,
        )  # fmt: skip

    # -- models -------------------------------------------------------------------------------------
    def train(
        self,
        name: str | None = None,
        *,
        task: t.Task | None = None,
        recipe: Recipe | None = None,
        budget: str | float | None = None,
        steps: int | None = None,
        base: str | Model | None = None,
        backbone: str | None = None,
        detector: str | None = None,
        input_size: int | None = None,
        max_boxes: int | None = None,
        random_state: int = 0,
        device: str | None = None,
        machine_labels: bool = False,
        workers: int | None = None,
        backend: Backend | None = None,
        shared_filesystem: bool = False,
        progress: bool | str = True,
        events: Events | Listener | None = None,
    ) -> Model:
        """Train a model version on the training set and evaluate it on the test set.

        If there is no test set yet, some of the training images are moved to it, see :meth:`distribute`.

        Parameters
        ----------
        name : str, optional
            Name of the version. By default ``<project>.<date>T<time>``.
        task : {"single-label", "multi-label", "boxes", "polygons"}, optional
            Task of the model. By default, it is chosen from the project's task or its labels. The choice and the reason
            for it are printed. "polygons" is a detector that also predicts the outline of each object. It is the
            default if the project's task is "polygons".
        recipe : {"brands"}, optional
            "brands" trains a detector from images that each show nothing but the logo of one brand, by pasting the
            logos into scenes. By default, it is chosen if the training images have no boxes, but all of their labels
            have boxes in the test images.
        budget : str or float, optional
            Wall-clock time limit, counted from this call: "90s", "2min", "best" or seconds. Predicting the test images
            counts as well, unless it would take too much of the budget. In that case, a message gives the expected
            time. A network is always trained for at least one step, which takes up to several seconds after the images
            are loaded. Notes say if the budget is too short to learn much. By default, detectors get two minutes.
            Classifiers take a second or two, and are only fine-tuned if a budget is given.
        steps : int, optional
            Number of steps, instead of a budget. The same steps and seed as in an earlier training run reproduce that
            run on CPU.
        base : str or Model, optional
            Version to start from, or "latest" for the newest. A classifier uses it only if this gives better results on
            held-out images. A detector uses it if the version has one of the labels, unless its results on held-out
            images are poor. Detectors hold out images only if there are at least 300 training images.
        backbone : str, optional
            Backbone, see :func:`customlabels_nb.backbones`: a name, or a size: "small", "base" or "large". "auto" is
            the largest size that suits the device and the budget, or the packaged backbone if no weights can be
            downloaded. By default the packaged one.
        detector : str, optional
            Detector, see :func:`customlabels_nb.detectors`: a name such as "dfine-small" or "rfdetr-nano", whose
            weights are downloaded if the network allows it, a folder with such a model, or
            ``"hf://user/name@revision"``. "auto" is the most accurate that suits the device and the budget, or the
            packaged one if no weights are available. By default the packaged one.
        input_size : int, optional
            Longer side of the detector's input in pixels. By default, chosen from the box sizes.
        max_boxes : int, optional
            Most boxes that the detector finds in an image, from 1 to 1,000. By default, twice as many as the training
            image with the most boxes has, but at least 100 and at most 1,000. Prediction takes longer with more boxes.
            Detectors such as "dfine-small" find at most 300.
        random_state : int
            Random seed. The same seed and images give the same model on a CPU with the same number of threads. Set
            ``settings.threads`` to fix that number, which is otherwise chosen by a short benchmark.
        device : str, optional
            Device to train on: "cuda", "mps" or "cpu". By default the first of these that is available.
        machine_labels : bool
            Also train on labels that models gave, such as those of ``project.assist.auto_label()``. By default, images
            with such labels are left out. Test images with such labels are always left out.
        workers : int, optional
            Number of processes, including this one, that share the images of each training step. The size of a step
            stays the same: 8 images for a detector, so up to 8 processes can share it. For a classifier, only
            fine-tuning is shared, up to 16 processes. With ``device="cuda"``, each process uses one device. Processes
            that end are replaced. In a program that ``torchrun`` starts, pass the number of its processes, and set the
            environment variable ``CUSTOMLABELS_NB_RANKS_KEY`` to the same 32 or more random characters for all of them.
        backend : {"ray"}, optional
            Start the other processes on the Ray cluster of the environment variable ``RAY_ADDRESS``. By default, they
            run on this machine.
        shared_filesystem : bool
            With ``backend``, whether all machines have the same files at the same paths. Otherwise, images must be
            URLs.
        progress : bool or "bars"
            Show progress: a live view in notebooks and progress bars elsewhere. "bars" shows progress bars everywhere.
        events : Events or function, optional
            Stream that receives the progress, see :mod:`customlabels_nb.events`, or a function to call with each event,
            such as ``cl.MLflowListener()``. ``events.cancel()`` from another thread stops the run.

        Raises
        ------
        NotEnoughDataError, InputError, WeightsUnavailableError
            If there are too few images or labels, an argument is invalid, or pretrained weights are not available. All
            of these are raised before training starts.
        Cancelled, KeyboardInterrupt
            If you stop the training. The message names the call that continues it.

        Examples
        --------
        >>> model = project.train(budget="2min")  # doctest: +SKIP
        >>> model.evaluate().summary  # doctest: +SKIP
        """
        from customlabels_nb.workers.ranks import follow, launched_rank, ranks

        if launched_rank(workers):
            return self.model(follow())
        started = time.perf_counter()
        refuse_missing_sources(self._store, self.root, self._store.images().query("status == 'labelled'"))
        version = new_version_name(self._location, name)
        model = Model(self._location, version)
        with model._stoppable():
            from customlabels_nb.training.options import options_from
            from customlabels_nb.training.plan import make_plan, set_aside, without_machine_labels

            if base is not None:
                base = self._version_named(base.name if isinstance(base, Model) else base)
                self.model(base)._require_ready()
            options = options_from(
                task=task, recipe=recipe, budget=budget, steps=steps, backbone=backbone, detector=detector,
                input_size=input_size, max_boxes=max_boxes, base=base, random_state=random_state, device=device,
                workers=workers, backend=backend, shared_filesystem=shared_filesystem, machine_labels=machine_labels,
            )  # fmt: skip
            if not self._store.statistics(t.TEST).total_entries:
                parts = set_aside(without_machine_labels(self.train_set))
                make_plan(*parts, task=task, recipe=recipe, project_task=self.task)
                say(f"The project has no test set yet. Images were split: {self.distribute(exist_ok=True)}")
            colors = self.labels.colors
            with watch(events, show=progress, title=version, colors=colors) as stream:
                from customlabels_nb.training.run import train_version  # loads torch, which takes seconds

                train, test = self.train_set, self.test_set
                datasets = (train if machine_labels else without_machine_labels(train)), without_machine_labels(test)
                for whole, used, advice in (
                    (train, datasets[0], "Use them with machine_labels=True."),
                    (test, datasets[1], "Approve them in project.review('test') to test on them."),
                ):
                    omitted = int((whole.image_table["status"] != used.image_table["status"]).sum())
                    if omitted:
                        say(f"{counted(omitted, f'{whole.name} image')} with labels by models left out. {advice}")
                with ranks(options.workers, options.backend, options.shared_filesystem, version=version) as group:
                    result = train_version(
                        self._store, self.root, version, *datasets, options, stream, started=started, ranks=group
                    )
                model = self._models.setdefault(version, model)
                model._finish(result, stream)
        return model

    def cross_validate(
        self,
        folds: int | None = 5,
        *,
        groups: Groups | None = None,
        repeats: int = 1,
        task: t.Task | None = None,
        recipe: Recipe | None = None,
        budget: str | float | None = None,
        steps: int | None = None,
        backbone: str | None = None,
        detector: str | None = None,
        input_size: int | None = None,
        max_boxes: int | None = None,
        random_state: int = 0,
        device: str | None = None,
        workers: int | None = None,
        backend: Backend | None = None,
        shared_filesystem: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame:
        """Train on all folds of the training set but one, test on that one, and return the metrics of each fold.

        The models are not kept. The training runs are independent, so they can be shared between ``workers``.

        Parameters
        ----------
        folds : int, optional
            Number of folds. Each label keeps its proportion. None trains on the whole training set and tests on the
            test set, ``repeats`` times.
        groups : str, list, dict or DataFrame, optional
            Images that stay in the same fold, as in :meth:`distribute`: a column of the image table such as "camera",
            one value per image of the training set, or pairs of images such as ``project.near_duplicates("train")``.
            Images with the same content stay together even without groups.
        repeats : int
            Number of models for each fold, with the seeds ``random_state``, ``random_state + 1``, …
        task, recipe, budget, steps, backbone, detector, input_size, max_boxes, random_state, device
            As in :meth:`train`, for each model.
        workers : int, optional
            Number of processes on this machine that train at the same time. By default one.
        backend : {"ray"}, optional
            Train on the Ray cluster at ``RAY_ADDRESS``, by default with as many workers as it has CPUs.
        shared_filesystem : bool
            With ``backend="ray"``: allow local images, because all machines have the same files at the same paths.

        Returns
        -------
        DataFrame
            One row per model: fold, random_state, training_images, test_images and its metrics. ``.attrs["errors"]``
            lists models that could not be trained.

        Raises
        ------
        InputError
            If there are fewer groups with labels than ``folds``, or ``groups`` are passed with ``folds=None``.
        HelperError
            If no model can be trained, for example because a label has too few images in each fold.

        Examples
        --------
        >>> scores = project.cross_validate(folds=5, workers=2)  # doctest: +SKIP
        >>> scores["f1"].agg(["mean", "std"])  # doctest: +SKIP
        >>> project.cross_validate(groups="camera")  # doctest: +SKIP
        """
        from customlabels_nb.training.options import options_from
        from customlabels_nb.training.plan import without_machine_labels
        from customlabels_nb.training.trials import deal_folds, run_trials
        from customlabels_nb.workers.spreading import check_workers

        check_workers(workers, backend)
        refuse_missing_sources(self._store, self.root, self._store.images(t.TRAIN).query("status == 'labelled'"))
        repeats = check_integer("repeats", repeats, 1)
        options = options_from(
            task=task, recipe=recipe, budget=budget, steps=steps, backbone=backbone, detector=detector,
            input_size=input_size, max_boxes=max_boxes, random_state=random_state, device=device,
        )  # fmt: skip
        train, test = without_machine_labels(self.train_set), without_machine_labels(self.test_set)
        if folds is None and groups is not None:
            raise InputError("groups need folds, but folds=None tests on the test set. Use distribute(groups=).")
        dealt = None if folds is None else deal_folds(train, folds, groups=groups, random_state=options.random_state)
        parts = [{}] if folds is None else [{"fold": fold} for fold in range(folds)]
        seeds = [(options.random_state + number) % 2**32 for number in range(repeats)]
        trials = [{**part, "random_state": seed} for part in parts for seed in seeds]
        with progress_bars(events, show=progress) as stream:
            return run_trials(
                train, test, options, trials, folds=dealt, task=self.task, root=self.root, workers=workers,
                backend=backend, shared_filesystem=shared_filesystem, events=stream,
            )  # fmt: skip

    def embed(
        self,
        split: t.Split | None = None,
        *,
        model: str | None = None,
        workers: int | None = None,
        backend: Backend | None = None,
        shared_filesystem: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame:
        """Compute the features of all images that have none yet, and return a table of images that cannot be read.

        Sorting by similarity, ``project.assist`` and training then start at once. If interrupted, the next call
        continues where this one stopped.

        Parameters
        ----------
        split : {"train", "test"}, optional
            Dataset. By default both.
        model : str, optional
            Network that computes them. By default :attr:`embedding_model`. "siglip2" makes the images searchable, see
            :meth:`search`. It is downloaded if it is not on this machine.
        workers : int, optional
            Number of processes that share the work. By default this process does it.
        backend : {"ray"}, optional
            Use the Ray cluster at ``RAY_ADDRESS``, by default with as many workers as it has CPUs.
        shared_filesystem : bool
            With ``backend="ray"``: allow local images, because all machines have the same files at the same paths.

        Examples
        --------
        >>> unread = project.embed("train", progress=False)
        >>> len(unread)
        0
        """
        from customlabels_nb.models.embeddings import get_features
        from customlabels_nb.workers.embedding import embed_with
        from customlabels_nb.workers.spreading import check_workers

        check_workers(workers, backend)
        images = self._store.images(split)
        refuse_missing_sources(self._store, self.root, images)
        keys = [content if isinstance(content, str) else None for content in images["sha256"]]
        name = self.embedding_model if model is None else get_features(model)
        shares: dict[str, Any] = {"workers": workers, "backend": backend, "shared_filesystem": shared_filesystem}
        with progress_bars(events, show=progress) as stream:
            return issues_to_frame(
                embed_with(images["image"].tolist(), keys, self.root, model=name, **shares, events=stream)
            )

    @property
    def embedding_model(self) -> str:
        """Network whose features assist and similarity use, "efficientnet_lite0" by default. Can be set.

        It may be "siglip2", the folder of a SigLIP model, ``"hf://user/name"``, or a backbone such as
        "timm/resnet18.a1_in1k". Missing weights are downloaded.
        """
        return str(self._store.setting(FEATURES) or PACKAGED)

    @embedding_model.setter
    def embedding_model(self, name: str) -> None:
        from customlabels_nb.models.embeddings import get_features

        chosen = get_features(name)
        self._store.change_setting(FEATURES, lambda _old: chosen, self._action("set features"))

    def search(
        self,
        text: str | None = None,
        *,
        image: str | os.PathLike[str] | None = None,
        split: t.Split | None = None,
        max_results: int | None = 100,
    ) -> pd.DataFrame:
        """Find the images that a text describes, or that are similar to an image.

        ``project.embed(model="siglip2")`` makes images searchable. If :attr:`embedding_model` reads texts, its features
        are searched instead.

        Parameters
        ----------
        text : str, optional
            What the images show, such as "a red screw".
        image : path, optional
            Image of the project, or any other image.
        split : {"train", "test"}, optional
            Dataset. By default both.
        max_results : int, optional
            Maximum number of images. None for all of them.

        Returns
        -------
        DataFrame
            Columns image and score (cosine similarity), the best first. Images without vectors are left out.

        Raises
        ------
        InputError
            If neither or both of a text and an image are given, or the text is empty or too long.
        NotAllowedError
            If no image has vectors yet.
        WeightsUnavailableError
            If the model is not on this machine.

        Examples
        --------
        >>> project.search("a bed with a red blanket", max_results=10)  # doctest: +SKIP
        """
        from customlabels_nb.models.image_search import search_images

        if (text is None) == (image is None):
            raise InputError("Pass either a text, like project.search('a red screw'), or image='photo.jpg'.")
        images = self._store.images(None if split is None else t.check_split(split))
        if max_results is not None:
            max_results = check_integer("max_results", max_results, 1, otherwise="None for all")
        like = None if image is None else str(image)
        return search_images(self.root, self.embedding_model, images, text=text, image=like, max_results=max_results)

    def map_layout(
        self,
        split: t.Split = t.TRAIN,
        *,
        random_state: int = 0,
        again: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame:
        """Return coordinates of the images on a plane, on which similar images are close to each other.

        At most 5,000 images are laid out together, by UMAP if it is installed and otherwise by t-SNE. The others, and
        images that are added later, are placed next to similar ones. No image moves until ``again=True``.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset. Missing features of the packaged network are computed first. For another :attr:`embedding_model`,
            call :meth:`embed` before.
        random_state : int
            Seed of the choice of images, and of UMAP. Each seed has a stored layout of its own.
        again : bool
            Lay out the images again, if there is a stored layout.

        Returns
        -------
        DataFrame
            Columns image, x and y, without the images that have no features. Its ``attrs`` have the number of images
            that were ``laid_out``, ``placed`` next to similar ones, or are ``without_features``.

        Raises
        ------
        NotAllowedError
            If ``embedding_model`` is another network, and no image has its features.
        NotEnoughDataError
            If fewer than 5 different images have features, or all of them are alike.

        Examples
        --------
        >>> unread = project.embed("train", progress=False)
        >>> layout = project.map_layout("train", progress=False)
        >>> layout.columns.tolist(), layout.attrs["laid_out"]
        (['image', 'x', 'y'], 12)
        """
        from customlabels_nb.labeling.image_map import lay_out
        from customlabels_nb.models.map_layout import MapLayouts

        images = self._store.images(t.check_split(split))
        refuse_missing_sources(self._store, self.root, images)
        gone = missing_files(images["image"].tolist(), self.root)
        contents = [content if isinstance(content, str) else None for content in images["sha256"].where(~gone)]
        layouts = MapLayouts(self.root, self.embedding_model, split, random_state)
        with progress_bars(events, show=progress) as stream:
            layouts.add_features(images["image"].tolist(), contents, stream)
            found = None if again else layouts.read(contents)
            if found is None:
                lay_out(layouts, contents, stream)
                found = layouts.read(contents)
        if found is None:
            raise StoreError(
                f"The layout cannot be stored in {str(self.root)!r}. Check the free space and permissions."
            )
        table = pd.DataFrame({"image": images["image"], "x": found.xy[:, 0], "y": found.xy[:, 1]})
        table = table.dropna().reset_index(drop=True)
        table.attrs = {"laid_out": found.laid_out, "placed": found.placed, "without_features": found.without}
        return table

    def model(self, name: str = "latest") -> Model:
        """Return the model version with this name or alias (see ``Model.publish``), or the latest completed version.

        Examples
        --------
        >>> model = project.model("latest")
        >>> model.name in project.versions["name"].tolist()
        True
        """
        version = self._version_named(name)
        return self._models.setdefault(version, Model(self._location, version))

    @overload
    def compare(self, before: str | Model, after: str | Model = "latest", *, common: bool = False) -> Comparison: ...
    @overload
    def compare(
        self, before: str | Model, after: str | Model, *more: str | Model, common: bool = False
    ) -> VersionsComparison: ...
    def compare(
        self, before: str | Model, after: str | Model = "latest", *more: str | Model, common: bool = False
    ) -> Comparison | VersionsComparison:
        """Compare versions on the test set as it is now, using their stored predictions.

        Only test images that are new or changed since are run through the models. Differences are ``after`` minus
        ``before``. All versions are evaluated by the decision of ``before``.

        Parameters
        ----------
        before, after : str or Model
            Models, or names or aliases of versions, or "latest", as in :meth:`model`.
        *more : str or Model
            Further versions. Each is compared with the first one, in one table and one chart.
        common : bool
            Compare only the test images that the versions share, if one was trained on test images of the other.

        Returns
        -------
        Comparison or VersionsComparison
            Comparison of two versions, or of more.

        Raises
        ------
        InputError
            If the versions have different tasks, or (without ``common``) one was trained on some test images.

        Examples
        --------
        >>> comparison = project.compare(project.versions["name"].iloc[0], "latest")
        """
        models = [self.model(v.name if isinstance(v, Model) else v) for v in (before, after, *more)]
        reports = [model.evaluate() for model in models]
        if not more:
            return reports[1].compare(baseline=reports[0], common=common)
        from customlabels_nb.evaluation.comparison.several import compare_versions

        changed = reports[0]._truth_changed(*reports)
        return compare_versions(reports, [model.name for model in models], common=common, truth_changed=changed)

    def _version_named(self, name: str) -> str:
        """Resolve a version name, an alias or "latest" to the name of the version."""
        versions = self._store.versions()
        matches = [version.name for version in versions if name in (version.name, version.alias)]
        if name == "latest" and not matches:
            matches = [version.name for version in versions if version.status in READY][-1:]
        if not matches:
            choices = ", ".join(f"{version.name!r} ({version.status})" for version in versions[-5:]) or "none"
            resumable = [version.name for version in versions if version.status in RESUMABLE][-1:]
            advice = "".join(f", and project.model({version!r}).resume() continues a training" for version in resumable)
            raise ModelNotFoundError(
                f"No version matches {name!r}. Versions: {choices}. project.train() creates a version{advice}."
            )
        return matches[0]

    # -- packing, renaming and deleting -------------------------------------------------------------
    def pack(
        self,
        path: str | os.PathLike[str],
        *,
        images: bool = True,
        versions: bool = True,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> PackReport:
        """Write the project to a zip file, for example to share or archive it. ``cl.unpack_project`` opens it again.

        Images outside the project's folder are copied into the zip file, and remote images stay URLs. A team's database
        is copied to an SQLite file, and the zip file never contains the URL of the database.

        Parameters
        ----------
        path : path
            Zip file to write. An existing file is replaced.
        images, versions : bool
            Include the images and the trained models.

        Examples
        --------
        >>> packed = project.pack("rooms.zip", versions=False, progress=False)
        >>> packed.images, packed.versions
        (18, 0)
        """
        target = local_path(path, "path").absolute()
        with progress_bars(events, show=progress) as stream:
            return pack(self._location, target, images=images, versions=versions, events=stream)

    def rename(self, name: str) -> None:
        """Rename the project and its folder, including the models.

        This is not possible while a version is running, or being trained or copied.

        Examples
        --------
        >>> project.rename("flats")
        >>> project.name, project.root.name
        ('flats', 'flats')
        """
        if self._assist is not None:
            self._assist.close()
        try:
            rename_project(self._location, name, self._action("rename project"))
        finally:
            if self._assist is not None and self._assist.on:  # screens keep this object
                self._assist._training.watch()

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the project with its datasets and versions permanently. Asks for confirmation unless ``confirm=True``.

        Only images in the project's own folder (uploads and copies) are deleted. Deleting is not possible while a
        version is running, or being trained or copied.

        Examples
        --------
        >>> project = cl.create_project("kitchens")
        >>> project.delete(confirm=True)
        >>> project.root.exists()
        False
        """
        refuse_if_busy(self._store, "deleted")
        require_confirmation(
            f"Delete the project {self.name!r} with {counted(len(self._store.versions()), 'version')}?", confirm
        )
        self._close_assist()
        delete_project(self._location)

    def close(self) -> None:
        """Stop the models that run in this kernel, and close the database.

        Examples
        --------
        >>> project = cl.create_project("kitchens")
        >>> project.close()
        """
        self._close_assist()
        while self._models:
            _, model = self._models.popitem()
            with suppress(ModelNotFoundError, NotAllowedError):  # it was deleted, or runs in another kernel
                model.stop()
        self._store.close()

    # -- display ------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        try:
            train, test = (counts.total_entries for counts in self.statistics.values())
            images = f"train {train:,}, test {counted(test, 'image')}"
            labels, versions = counted(len(self.labels), "label"), counted(len(self._store.versions()), "version")
            return f"Project({self.name!r}: {images}; {labels}; {versions})"
        except StoreError as error:
            return f"Project({str(self.root)!r}, unavailable: {error})"

    def _repr_html_(self) -> str:
        try:
            counts = self.statistics.items()
            versions, jobs = len(self._store.versions()), self._store.job_count()
            numbers = (("label", len(self.labels)), ("version", versions), ("labelling job", jobs))
            step = find_next_step(self._store, self.root, self.assist)
            return facts_html(
                self.name,
                [*filter(None, [self.task]), *(counted(number, name) for name, number in numbers)],
                [f"Next: {step.text} {step.code}"] if step else [],
                columns=("dataset", "images", "labelled"),
                rows=[(split, count.total_entries, count.labelled_entries) for split, count in counts],
            )
        except StoreError:
            return escaped(repr(self))

    def _close_assist(self) -> None:
        if self._assist is not None:
            self._assist.close()
            self._assist = None

    def _action(self, what: str, note: str = "") -> Action:
        return Action(what, settings.user, note)

    def _dataset_tags(self, split: str) -> Tags:
        def read() -> dict[str, str]:
            record = self._store.dataset(split)
            return {} if record is None else record.tags

        return Tags(read, lambda change: self._store.tag_dataset(split, change, self._action("tag dataset")))

    def _show_batch(self, dataset: Dataset, **options: Any) -> ContactSheet:
        from customlabels_nb.training.batch_view import show_batch

        return show_batch(dataset, self.test_set, project_task=self.task, **options)


def _query(sort: str, random_state: int, queue: str | None, search: str | None) -> Query:
    if search is None:
        return Query(sort=sort, random_state=random_state, queue=queue)
    if not isinstance(search, str) or not search.strip():
        raise InputError(f"search={search!r} must describe what the images show, like 'a red screw'.")
    if queue is not None:
        raise InputError(f"search={search!r} cannot be combined with queue={queue!r}, which has an order of its own.")
    return Query(sort="text", text=search, random_state=random_state, queue=queue)


def _edits(origin: Dataset, images: pd.DataFrame, annotations: pd.DataFrame) -> set[str]:
    """Find the images that are not in ``origin``, or whose row or annotations differ from it."""
    from customlabels_nb.store.frames import annotation_keys, row_keys

    rows, old_rows = row_keys(images), row_keys(origin.image_table)
    contents, old_contents = annotation_keys(annotations), annotation_keys(origin.annotations)
    return {name for name in rows if rows[name] != old_rows.get(name) or contents.get(name) != old_contents.get(name)}


def _edited(store: SqlStore, root: Path, split: str, frame: pd.DataFrame, annotator: str) -> Dataset:
    """Build a dataset of the stored images that ``frame`` refers to, with the annotations in ``frame``."""
    frame = _read_frame(frame, "annotations", store.label_names())
    frame = frame.assign(image=_stored_names(store, root, [split], frame["image"]))
    annotations = t.normalise_annotations(frame, annotator=annotator)
    images, old, labels = store.tables(split, frame["image"].unique().tolist())
    missing = set(frame["image"]) - set(images["image"])
    if missing:
        are = counted(len(missing), "image is", "images are")
        raise InputError(f"{are} not in the {split} set, for example {sorted(missing)[0]!r}.")
    if "revision" in frame.columns:
        images = images.assign(revision=images["image"].map(frame.groupby("image")["revision"].first()))
    before, images = images, t.settle_statuses(images, annotations, changed=old["image"])
    images, annotations, unread = _settled(images, annotations, frame)
    images = images[~images["image"].isin(unread)].reset_index(drop=True)
    images = forget_where_changed(images, annotations, before, old)
    return Dataset(images, annotations, labels, name=split)


def _read_frame(frame: pd.DataFrame, of: Kind, labels: Sequence[str] = ()) -> pd.DataFrame:
    """Return a table with the usual columns, after a warning about columns that were not imported."""
    t.check_flat(frame, of)
    rows, decisions = read_frame(frame, of=of, labels=labels if of == "predictions" else ())
    t.check_columns(rows, of, ["image", "label"])
    ours = {"created", "sha256", "revision"} & {*frame.columns}  # of tables of a project
    known = {*t.IMAGE_COLUMNS, "file"} if ours else ()
    rows, joined = with_lists_of_labels(rows, decisions, labels)
    notes = [note for column, note in decisions.notes() if column not in decisions.having("label")]
    issues = [*without_label(rows, of), *not_imported(frame, decisions, of, *BESIDE_ANNOTATIONS, elsewhere=known)]
    _warn([*notes, joined, *(issue.message for issue in issues)])
    return rows


def _warn(sentences: Iterable[str]) -> None:
    if text := " ".join(filter(None, sentences)):
        warnings.warn(text, stacklevel=users_level())


def _settled(
    images: pd.DataFrame, annotations: pd.DataFrame, frame: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """Return the tables with boxes in pixels, and images none of whose boxes can be read, after a warning.

    The boxes in a ``frame`` that was written here are in pixels already.
    """
    if "created" in frame.columns or annotations[["left", "polygon"]].isna().all(axis=None):
        return images, annotations, set()
    images, annotations, issues = settle_boxes(images, annotations, "the table")
    first = {issue.message: issue.where for issue in reversed(issues)}
    _warn(f"{message} The first is in {where!r}." for message, where in first.items())
    return images, annotations, {str(issue.where) for issue in issues if issue.code == "IMAGE_NOT_LISTED"}


def _checked_names(images: pd.Series) -> list[Any]:
    """Return each name once, or raise TableError if one is neither text nor a path."""
    if strange := [name for name in images if not isinstance(name, str | os.PathLike)]:
        raise TableError(f"The column 'image' has {strange[0]!r}, which is neither a path nor a URL.")
    return images.unique().tolist()


def _stored_names(store: SqlStore, root: Path, splits: Sequence[str], images: pd.Series) -> list[str]:
    """Map images to their names in these datasets, and leave other names as they are."""
    written = {name: Location.of(name).uri for name in _checked_names(images)}
    names: dict[Any, str] = {}
    for split in splits:
        in_project = set(store.tables(split, [*map(str, written), *written.values()])[0]["image"])
        for name, uri in written.items():
            if here := next((each for each in (str(name), uri) if each in in_project), None):
                names.setdefault(name, here)
    if len(names) < len(written):  # under other spellings, for which all names are read
        all_names = pd.concat([store.images(split)["image"] for split in splits])
        unknown = {name: uri for name, uri in written.items() if name not in names}
        names |= _spelled_otherwise(unknown, all_names, root)
    return [names.get(name, str(name)) for name in images]


def _spelled_otherwise(unknown: Mapping[Any, str], stored: pd.Series, root: Path) -> dict[Any, str]:
    """Return the stored names of images with other spellings or without the ending, after a warning about the latter.

    ``unknown`` has the URI of each name.
    """
    finder = StoredNames(stored, root)
    names = {name: found for name, uri in unknown.items() if (found := finder.find(uri) or finder.find(str(name)))}
    completed = full_names({uri for name, uri in unknown.items() if name not in names}, stored)
    without_ending = {name: completed[uri] for name, uri in unknown.items() if uri in completed}
    _warn([completed_names(without_ending)])
    return names | without_ending
