"""Labelling session of one project: views, edits that are stored immediately, and undo."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.image_files import with_files
from customlabels_nb.datasets.reviewed import REJECTED, forget_where_changed, tag_corrected, with_review
from customlabels_nb.errors import InputError, LabelError, NotAllowedError, NotReadyError, OutdatedError, StaleEditError
from customlabels_nb.images.regions import Part
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, SourceContents
from customlabels_nb.labeling import edit_rules
from customlabels_nb.labeling.edit_rules import Revisions
from customlabels_nb.labeling.image_table import ImageTable, Prediction, shapes_by_image, top_predictions
from customlabels_nb.labeling.next_step import find_next_step
from customlabels_nb.labeling.queues import Prelabel, Queues, tag_answers
from customlabels_nb.labeling.screen import UNDO_STEPS, ProjectScreen
from customlabels_nb.labeling.search_setup import SearchSetup
from customlabels_nb.labeling.view import Query, View, order_of
from customlabels_nb.store import ProjectRecord, SqlStore, WriteResult
from customlabels_nb.store.suggestions import person_and_reason

if TYPE_CHECKING:
    import numpy.typing as npt

    from customlabels_nb.labeling.crop_table import CropTable

_VIEWS_KEPT = 4
_MOST_FOLLOWED = 100
_LONGEST_INSTRUCTIONS = 20_000
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
#: Actions that change only the images they name, and the labels of predictions. Also undone and redone.
OF_LABELS = ("rename label", "merge labels", "remove label")
#: Action that replaces the predictions of a model.
NEW_PREDICTIONS = "add predictions"
#: Prefixes of actions that do not concern images, after which the displayed images stay the same.
ABOUT_NO_IMAGE = ("set ", "add label", "recolor", "reorder", "tag ", "train", "publish")


@dataclass(frozen=True)
class Conflict:
    """Image that somebody else has changed since it was read here. Their labels are kept, ours are not written."""

    image: str
    theirs: tuple[str, ...]
    yours: tuple[str, ...]


@dataclass(frozen=True)
class Rejection:
    """Annotations of an image that a person rejected, and the reason or an empty text."""

    by: str
    reason: str
    marks: list[Prelabel]

    def facts(self) -> dict[str, str]:
        return {"by": self.by, "reason": self.reason}

    def suggested(self, *, drawn: bool) -> list[Prelabel]:
        """Return the labels of the image, or of boxes and polygons."""
        return [mark for mark in self.marks if (np.isnan(mark[1][0]) and mark[3] is None) != drawn]


@dataclass(frozen=True)
class EditResult:
    """Result of an edit: the images that now have the requested state, and conflicts with changes by others.

    ``gone`` are images that somebody has removed from the dataset, so that nothing was stored for them.
    """

    images: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    what: str = ""
    gone: tuple[str, ...] = ()


_LOOKED_THROUGH = 50  # actions that are searched for a later edit of the same images


@dataclass(frozen=True)
class _Step:
    """Edit that can be undone: its id in the history, and the images that it changed."""

    action: int | None
    what: str
    split: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class _Stored:
    """Edit that was stored: the revisions that were read, and the rows and annotations after it."""

    result: WriteResult
    read: Sequence[int]
    rows: pd.DataFrame
    annotations: pd.DataFrame


class LabellingSession(ProjectScreen):
    """Session for labelling a project's images: views in a chosen order, and edits to labels and statuses.

    Every edit is one transaction, stored when the method returns. Images that somebody else has changed are not written
    but returned as conflicts. The other images of the same edit are written. Thread-safe.

    ``similar(images, keys)`` returns an order in which similar images are neighbours. With ``to=position``, the images
    most similar to that one come first. ``cluster_size`` is the largest number of images in a page of the queue
    "clustered", or None if it is shown image by image.

    ``seen`` are predictions of a report, which are shown for all images of the test set instead of those in the
    project. Test images whose labels are corrected while a prediction is shown get the tag :data:`.reviewed.SEEN`.
    """

    #: True if the boxes of the dataset can be shown as crops, see :class:`.CropSession`.
    can_crop = False
    #: False if what was rejected must come back when the edits of an image are taken back by hand.
    settles = True
    #: Type of the image table, and of the default query.
    table_type: type[ImageTable] = ImageTable
    query_type: type[Query] = Query

    def __init__(
        self,
        store: SqlStore,
        root: Path,
        split: str = t.TRAIN,
        *,
        user: str | None = None,
        similar: Callable[..., Sequence[int]] | None = None,
        assist: Any = None,
        seen: pd.DataFrame | None = None,
    ) -> None:
        super().__init__(store, root, user=user)
        self._seen_predictions = None if seen is None else t.normalise_annotations(seen)
        self._truth_before: dict[str, object] = {}  # of corrected test images
        self.queues = Queues(assist)
        self.queues.renew()
        self.cluster_size: int | None = None
        self.search = SearchSetup(store, root)
        self._similar = similar
        self._tables: dict[str, ImageTable] = {}
        self._predictions: dict[str, dict[str, Prediction]] = {}
        #: How often predictions were read again: pages that draw them ask for them when it changes.
        self.predictions_read = 0
        self._rejections: dict[str, dict[str, Rejection]] = {}
        self._broken: dict[str, dict[str, str]] = {split: {} for split in t.SPLITS}
        self._findings: dict[str, dict[str, tuple[tuple[str, str], ...]]] | None = None
        self._views: list[View] = []
        self._view_count = 0
        self._totals: dict[str, int] = {}
        self._seen = store.last_action()
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []
        self._labels_in_edit: tuple[str, ...] = ()
        self._record: ProjectRecord | None = None
        self.open(split)

    # -- project -----------------------------------------------------------------------------------
    def open(self, split: str) -> None:
        with self._lock:
            t.check_split(split)
            if split not in self._tables:
                self._tables[split] = self._read_table(split)
                self._predictions[split] = self._read_predictions(split)
                self._rejections[split] = self._read_rejections(split)
            self.split = split
            self._view: View | None = None

    @property
    def table(self) -> ImageTable:
        return self._tables[self.split]

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """Most confident prediction by image, empty if no model has been run on the dataset."""
        return self._predictions[self.split]

    @property
    def task(self) -> str | None:
        return self.record().task

    @property
    def assigns_one(self) -> bool:
        """True if a label replaces the others: the task says so, or it is not set and no image has several labels."""
        task = self.task
        return task == t.SINGLE_LABEL if task else not self.table.several

    def record(self) -> ProjectRecord:
        """Return the project's task, instructions and other properties in one query."""
        return self._record or self._store.project()

    def set_task(self, task: str) -> None:
        """Set the task of the project: "single-label", "multi-label", "boxes" or "polygons"."""
        if task not in t.TASKS:
            raise InputError(f"task={task!r} must be one of {t.TASKS!r}.")
        self._store.set_project(self._action("set task"), task=task)

    @property
    def instructions(self) -> str:
        """Instructions for annotators: text with links, and lines such as ``![ripe](examples/ripe.jpg)``."""
        return self._store.project().instructions

    def set_instructions(self, text: str) -> None:
        if not isinstance(text, str) or len(text) > _LONGEST_INSTRUCTIONS or "\0" in text:
            raise InputError(f"Instructions must be text of at most {_LONGEST_INSTRUCTIONS:,} characters.")
        self._store.set_project(self._action("set instructions"), instructions=text)

    def picture_in(self, instructions: str, line: int, nth: int) -> str:
        """Return a picture in a line of the instructions, both from 0. OutdatedError if they have changed."""
        if instructions != self.instructions:
            raise OutdatedError("The instructions have changed. Open them again.")
        lines = instructions.split("\n")
        pictures = _PICTURE.findall(lines[line]) if 0 <= line < len(lines) else []
        if not 0 <= nth < len(pictures):
            raise InputError(f"line={line} of the instructions has no picture with nth={nth}.")
        return str(pictures[nth])

    def labels(self) -> pd.DataFrame:
        return self._store.labels()

    def label_state(self) -> tuple[object, ...]:
        """Return a value that changes with labels, task, instructions, predictions and assist, or what is next."""
        record, labels, assist = self._store.project(), self._store.labels(), dict(self.assist_state() or {})
        assist.pop("cluster", None)  # it changes with the page
        names, colors = tuple(labels["label"]), tuple(labels["color"])
        empty = self._view is not None and not len(self._view) and self._seen
        return record.task, record.instructions, names, colors, self.predictions_read, str(assist), empty

    def check_known(self, label: str) -> None:
        """Raise LabelError if a label does not exist, for example because somebody renamed, merged or removed it."""
        if label not in set(self._store.labels()["label"]):
            raise LabelError(f"Label {label!r} no longer exists: somebody renamed, merged or removed it.")

    @contextmanager
    def giving(self, *labels: str) -> Iterator[None]:
        """Refuse edits with LabelError if a label does not exist: an outdated page must not restore a renamed one."""
        with self._lock:
            self._labels_in_edit = labels
            try:
                yield
            finally:
                self._labels_in_edit = ()

    def add_label(self, label: str) -> str:
        """Append a label unless it exists, and return its name as stored."""
        name = t.check_label(label)
        if name not in set(self._store.labels()["label"]):
            try:
                self._store.add_labels([(name, None)], self._action("add label"))
            except LabelError:
                if name not in set(self._store.labels()["label"]):  # otherwise somebody else added it first
                    raise
        return name

    def totals(self) -> dict[str, int]:
        with self._lock:
            for split in t.SPLITS:
                if split in self._tables:
                    self._totals[split] = len(self._tables[split])
                elif split not in self._totals:
                    self._totals[split] = self._store.statistics(split).total_entries
            return {split: self._totals[split] for split in t.SPLITS}

    def annotators(self) -> list[str]:
        with self._lock:
            return sorted(person for person, images in self.table.by_annotator.items() if images)

    # -- findings -----------------------------------------------------------------------------------
    def findings(self, image: str) -> tuple[tuple[str, str], ...]:
        with self._lock:
            findings = self._all_findings().get(image, ())
            broken = self._broken[self.split].get(image)
            return findings if broken is None else (*findings, ("IMAGE_UNUSABLE", broken))

    def note_broken(self, image: str, reason: str) -> None:
        with self._lock:
            self._broken[self.split][image] = reason

    def _all_findings(self) -> dict[str, tuple[tuple[str, str], ...]]:
        if self._findings is None:
            findings: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {split: {} for split in t.SPLITS}
            issues = self._store.issues()
            rows = zip(*(issues[name].tolist() for name in ("split", "where", "code", "message")), strict=True)
            for split, where, code, message in rows:
                if isinstance(split, str) and where:
                    of_split = findings[split]
                    of_split[where] = (*of_split.get(where, ()), (code, message))
            self._findings = findings
        return self._findings[self.split]

    # -- assist -------------------------------------------------------------------------------------
    def assist_state(self) -> dict[str, Any] | None:
        """Return what a page shows of assist, or None if it is off and found nothing."""
        assist, queues = self.queues.assist, self.queues
        if assist is None or not (assist.on or queues.results is not None):
            return None
        facts = {"on": assist.on, "trained": queues.results is not None, "version": queues.version, "test": assist.test}
        running = assist.running if queues.results is None else None
        return {**facts, "cluster": queues.cluster, "guarantee": queues.guarantee, "running": running}

    def why_empty(self) -> dict[str, Any] | None:
        """Say why a queue is empty, and what to do next in the project. None if images are shown or were selected.

        ``checks`` is true if labelling the check images in the queue "assist" is what helps.
        """
        query, queues = self.view.query, self.queues
        if len(self.view) or query.images is not None:
            return None
        step = None if queues.assist is None else find_next_step(self._store, self.root, queues.assist)
        if query.queue is None:
            return {"text": "", "checks": False, "next": step and asdict(step)}
        counts = self._store.status_counts()
        counts = counts[[queues.may_help(split) for split in counts["split"]]]
        left = int(counts.loc[counts["status"] == "unlabelled", "images"].sum())
        text = queues.why_empty(query.queue, int(counts["images"].sum()), left)
        is_filtered = any((query.label, query.predicted, query.annotator, query.search, query.confidence))
        checks = query.queue == "prelabelled" and not is_filtered and queues.lacks_checks(left)
        text = "No images of this queue match the filter." if is_filtered else text
        return {"text": text, "checks": checks, "next": step and asdict(step)}

    def check_queue(self, query: Query, split: str) -> None:
        """Raise NotAllowedError if the query has a queue and the dataset must be labelled without predictions."""
        assist = self.queues.assist
        if query.queue is not None and split == t.TEST and not (assist is not None and assist.test):
            raise NotAllowedError(
                "The test set is labelled without predictions, because they would make metrics too optimistic. "
                "project.assist.start(test=True) allows it, and reports say so."
            )

    def leave_cluster(self, taken_out: Sequence[str], passed: Sequence[str]) -> None:
        """Leave the shown cluster page. See :meth:`.Queues.put_aside`."""
        with self._lock:
            self.queues.put_aside(taken_out, passed)
            self._view = None

    def _on_assist_change(self) -> None:
        """Show the prelabels of a new run."""
        if self.queues.renew():
            self._reread_predictions(always=True)

    # -- views --------------------------------------------------------------------------------------
    def show(self, query: Query) -> View:
        """Create a view that fixes the displayed images and their order. See ``waiting`` of :class:`View`."""
        self.check_queue(query, self.split)
        with self._lock:
            self._on_assist_change()
            try:
                return self._settle(query, self._order(query))
            except NotReadyError as error:
                order = self._order(replace(query, sort="added"))
                rank = np.full(order.max(initial=-1) + 1, np.inf)
                if self._view is not None and self._view.query.crops == query.crops:
                    before = self._view.order[self._view.order < len(rank)]
                    rank[before] = np.arange(len(before))
                return self._settle(query, order[np.argsort(rank[order], kind="stable")], (error.done, error.total))

    def arrange(self) -> View:
        """Apply the order that the view is waiting for. Until it is computed, the view stays the same."""
        with self._lock:
            view = self.view
            if view.waiting is None:
                return view
            try:
                return self._settle(
                    view.query, np.asarray(self._by_similarity(view.query, sorted(view.order.tolist())))
                )
            except NotReadyError as error:
                return replace(view, waiting=(error.done, error.total))

    def _settle(self, query: Query, order: npt.NDArray[np.int64], waiting: tuple[int, int] | None = None) -> View:
        self._view_count += 1
        self._view = View(self._view_count, self.split, query, order, waiting)
        self._views = [*self._views[-_VIEWS_KEPT + 1 :], self._view]
        return self._view

    def _order(self, query: Query) -> npt.NDArray[np.int64]:
        errors = {*self._all_findings(), *self._broken[self.split]}
        order = partial(self._by_similarity, query)
        plain = query if query.queue is None else replace(query, sort="added")
        positions = order_of(self.table, plain, predictions=self.predictions, with_errors=errors, by_similarity=order)
        return positions if query.queue is None else self._queued(query, positions.tolist())

    def _queued(self, query: Query, positions: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the unlabelled images of a queue in its order. A shown cluster page stays the same."""
        table, queue, view = self.table, str(query.queue), self._view
        waiting = {table.names[i] for i in positions if table.statuses[i] == "unlabelled"}
        if queue != "clustered" or self.cluster_size is None:
            names = self.queues.names(queue, waiting, table.rejected)
        elif view is not None and view.query == query and len(view):
            return view.order
        else:
            names = self.queues.cluster_page(waiting, self.cluster_size, query.like)
        return np.array([table.position[name] for name in names], dtype=np.int64)

    def _by_similarity(self, query: Query, positions: Sequence[int]) -> Sequence[int]:
        if self._similar is None:
            raise NotAllowedError("Images cannot be sorted by similarity here, because features are not available.")
        like = None if query.like is None or query.sort == "text" else self.table.position.get(query.like)
        places = (
            list(positions) if like is None or like in positions else [*positions, like]
        )  # the filter may exclude it
        names, hashes = [self.table.names[i] for i in places], [self.table.hashes[i] for i in places]
        how: dict[str, Any] = {} if like is None else {"to": places.index(like)}
        if query.sort == "text":
            how = {"text": query.text}
        return [places[i] for i in self._similar(names, hashes, **how) if i < len(positions)]

    @property
    def without_vectors(self) -> int:
        """Number of images that the shown search by a text could not find, because they have no vectors."""
        return getattr(self._similar, "missing", 0) if self.view.query.sort == "text" else 0

    @property
    def can_sort_by_similarity(self) -> bool:
        """True if the features of images can be computed."""
        return self._similar is not None

    @property
    def view(self) -> View:
        return self.show(self.query_type()) if self._view is None else self._view

    def view_numbered(self, number: int) -> View:
        """Return one of the latest views. OutdatedError if it is too old. Call :meth:`show` again."""
        for view in self._views:
            if view.number == number and view.split == self.split:
                return view
        raise OutdatedError("This view is outdated. Show the images again.")

    def page(self, position: int, size: int, view: View | None = None) -> tuple[int, list[str]]:
        """Return the start and the images of the page that contains this position, or of the last page."""
        with self._lock:
            order = (self.view if view is None else view).order
            start = min(max(position, 0), max(len(order) - 1, 0)) // size * size
            return start, self.rows_of(view or self.view).names_at(order[start : start + size])

    def query_of(self, *, crops: bool) -> type[Query]:
        """Return the type of the queries for images, or for crops where they can be shown."""
        return self.query_type

    def is_crop(self, name: str) -> bool:
        """Return True for the name of a crop, False for that of an image."""
        return False

    def box_of(self, name: str) -> list[float] | None:
        """Return the box of a crop in pixels of its image, or None for an image."""
        return None

    def rows_of(self, view: View) -> ImageTable | CropTable:
        """Return the table whose positions a view has."""
        return self.table

    def summary(self) -> dict[str, Any]:
        """Return what pages show beside the rows: counts of labels and statuses, and who labelled."""
        counts = {"counts": dict(self.table.by_label), "statuses": dict(self.table.by_status)}
        return {"alone": self.assigns_one, "annotators": self.annotators(), **counts}

    def row(self, image: str) -> dict[str, Any]:
        """Return an image for the front end: name, short, labels, boxes, predicted, findings, status, note, revision.

        ``predicted`` is a label with its confidence. ``predicted_drawn`` is True if it is the label of a box or
        polygon. ``prelabels`` is a list of labels with their confidences, which are shown instead. ``rejected`` is None
        or has the person ``by`` whom the annotations were rejected that are suggested now, and the ``reason``.
        """
        index = self.table.position[image]
        predicted, rejection = self.shown_prediction(image), self.rejection(image)
        if rejection is not None:
            drawn = rejection.suggested(drawn=True)
            predicted = Prediction(drawn[0][0], drawn[0][2], drawn=True) if drawn else None
        return {
            "name": image,
            "short": self.table.shown_name(image),
            "labels": list(self.table.labels[index]),
            "boxes": list(self.table.box_labels[index]),
            "predicted": None if predicted is None else [predicted.label, predicted.confidence],
            "predicted_drawn": predicted is not None and predicted.drawn,
            "prelabels": [[label, confidence] for label, _, confidence, _ in self.prelabels(image)],
            "findings": [list(finding) for finding in self.findings(image)],
            "status": self.table.statuses[index],
            "note": self.table.notes.get(image, ""),
            "revision": self.table.revisions[index],
            "rejected": rejection and rejection.facts(),
        }

    def rejection(self, image: str) -> Rejection | None:
        """Return the rejected annotations that are suggested for an image, until it is labelled again."""
        waits = self.table.statuses[self.table.position[image]] in ("unlabelled", "needs_review")
        return self._rejections[self.split].get(image) if waits else None

    def shown_prediction(self, image: str) -> Prediction | None:
        """Return the most confident prediction for an image, or None if it is to be labelled without one."""
        return None if self._is_blind(image) else self.predictions.get(image)

    def prelabels(self, image: str, *, drawn: bool = False) -> list[Prelabel]:
        """Return the prelabels to show for an image, or the rejected annotations: labels of the image, or of boxes."""
        rejection = self.rejection(image)
        if rejection is not None:
            return rejection.suggested(drawn=drawn)
        is_open = self.table.statuses[self.table.position[image]] == "unlabelled" and image not in self.table.rejected
        return self.queues.offered(image, self.split, drawn=drawn) if is_open else []

    def _is_blind(self, image: str) -> bool:
        """Return True if an image is to be labelled without predictions: one of the test set, checked or rejected."""
        if self._is_correcting:
            return False
        is_open = self.table.statuses[self.table.position[image]] == "unlabelled"
        is_test = self.split == t.TEST and not self.queues.may_help(t.TEST)
        return is_open and (is_test or image in self.table.rejected or image in self.queues.checks)

    def _dashed(self, image: str) -> list[str]:
        """Return the labels that the row of an image without labels offers."""
        row = self.row(image)
        predicted = [] if row["predicted"] is None or row["predicted_drawn"] else [row["predicted"]]
        return [] if row["labels"] else [label for label, _ in row["prelabels"] or predicted]

    def rows(self, images: Iterable[str]) -> list[dict[str, Any]]:
        """Return :meth:`row` of each image that is in the dataset."""
        with self._lock:
            position, gone = self.table.position, self.table.gone
            return [self.row(name) for name in images if name in position and position[name] not in gone]

    def add_shapes(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add the shapes of images to their rows (:meth:`row`) for a page that draws them.

        ``outlines`` are the boxes ``[left, top, width, height]`` and polygons of ``boxes``, in pixels of ``size`` (None
        if unknown). ``guesses`` are the predicted shapes of an image without own shapes: label, confidence and outline.
        """
        with self._lock, collection_paused():
            sizes, position = self.table.sizes, self.table.position
            boxed = [row["name"] for row in rows if row["boxes"]]
            shapes = shapes_by_image(self._annotations_of(boxed)) if boxed else {}
            bare = [row["name"] for row in rows if row["name"] not in shapes and "guesses" not in row]
            guesses = shapes_by_image(self._predicted(bare)) if self._has_offers else {}
            for row in rows:
                name, drawn = row["name"], shapes.get(row["name"], [])
                row |= {"size": sizes[position[name]], "boxes": [label for label, *_ in drawn]}
                row |= {"outlines": [outline for *_, outline in drawn]}
                row.setdefault("guesses", guesses.get(name, []))

    @property
    def _has_offers(self) -> bool:
        """True if there are predictions or suggestions."""
        return bool(self.predictions or self._rejections[self.split])

    def _annotations_of(self, images: Sequence[str]) -> pd.DataFrame:
        return self._store.tables(self.split, images)[1]

    def _predicted(self, images: Sequence[str]) -> pd.DataFrame:
        """Return the predictions of images, or the prelabelled shapes of those that are unlabelled."""
        images = [name for name in images if name in self.predictions or name in self._rejections[self.split]]
        offered = [
            (name, label, *box, *rest) for name in images for label, box, *rest in self.prelabels(name, drawn=True)
        ]
        columns = ["image", "label", *t.BOX_COLUMNS, "confidence", "polygon"]
        prelabels = pd.DataFrame(offered, columns=columns).assign(crowd=False)
        has = set(prelabels["image"])
        others = [
            name
            for name in images
            if name in self.predictions and name not in has and not (self._is_blind(name) or self.rejection(name))
        ]
        predictions = self._stored_predictions(self.split, others)
        return pd.concat([prelabels, predictions], ignore_index=True) if offered else predictions

    def content_of(self, image: str) -> str | None:
        """Return the content hash of an image, or None if unknown."""
        return self.table.hashes[self.table.position[image]]

    def part_of(self, image: str) -> Part:
        """Return what the picture of an image shows."""
        return Part(image, self.content_of(image))

    def data_of(self, image: str) -> Any:
        """Return an image's labels as used by ipyannotations: a name, a list in a multi-label task, or None."""
        with self._lock:
            labels = self.table.labels[self.table.position[image]]
        if not labels:
            return None
        return labels[0] if self.task == t.SINGLE_LABEL else list(labels)

    def place_of(self, image: str) -> int | None:
        """Return the position of an image in the view, counted from 0, or None if it is not in the view."""
        with self._lock:
            index = self.rows_of(self.view).place_of(image)
            if index is None:
                return None
            positions = (self.view.order == index).nonzero()[0].tolist()
            return int(positions[0]) if positions else None

    def images_at(self, ranges: Iterable[Sequence[int]], view: View | None = None) -> list[str]:
        """Return the images at ranges of positions in the view, both ends included."""
        with self._lock:
            order = (view or self.view).order
            parts = [order[max(0, first) : last + 1] for first, last in ranges]
            return self.rows_of(view or self.view).names_at(np.concatenate([order[:0], *parts]))

    def selected(self, images: Sequence[str]) -> pd.DataFrame:
        """Return these rows of the images table as users see it, with ``label`` (several are joined with ", ")."""
        rows, _, _ = self._store.tables(self.split, images=list(images))
        with self._lock:
            labels = [", ".join(self.table.labels[self.table.position[name]]) or None for name in rows["image"]]
        labelled = rows.assign(label=pd.Series(labels, index=rows.index, dtype=t.TEXT))
        return with_files(labelled, self._store.longer_files(), facts=["label"])

    # -- changes by others --------------------------------------------------------------------------
    def reread(self, images: Sequence[str]) -> None:
        with self._lock:
            names = list(images)
            if not names:
                return
            rows, annotations, _ = self._store.tables(self.split, images=names)
            self._put(rows, annotations)
            if len(rows) < len(names):
                self._take_out(set(names) - set(rows["image"]))

    def follow(self) -> set[str] | None:
        """Apply changes made elsewhere since the last call, and return the changed images (None if any may be)."""
        with self._lock:
            self._on_assist_change()
            if self._store.last_action() == self._seen:
                return set()
            actions = self._store.actions_since(self._seen, _MOST_FOLLOWED)
            self._findings = None  # imports add findings, too
            self._totals = {}
            self._drop_tables(actions)
            done = actions["what"].str.replace("^(undo )?(redo )?", "", regex=True)
            of_labels, new_predictions = done.isin(OF_LABELS), done == NEW_PREDICTIONS
            if (renewed := of_labels | new_predictions).any():
                self._reread_predictions(always=bool((new_predictions | of_labels & (done != actions["what"])).any()))
            about_any_image = (actions["images"].str.len() == 0) & ~renewed & ~done.str.startswith(ABOUT_NO_IMAGE)
            if about_any_image.any() or len(actions) == _MOST_FOLLOWED:
                self._reread_everything()
                return None
            self._seen = int(actions["id"].max())
            gone = len(self.table.gone)
            changed = set().union(*actions["images"])
            self.reread(sorted(changed))
            if len(self.table.gone) > gone:  # perhaps moved to the other dataset
                self._tables = {self.split: self.table}
            return {name for name in changed if name in self.table.position}

    def _drop_tables(self, actions: pd.DataFrame) -> None:
        """Drop the tables of the datasets that are not shown and that actions changed: they are read when opened."""
        for split, images in zip(actions["split"], actions["images"], strict=True):
            if split in t.SPLITS or images:  # both datasets if none is named
                for other in (split,) if split in t.SPLITS else t.SPLITS:
                    if other != self.split:
                        self._tables.pop(other, None)

    def _reread_everything(self) -> None:
        self._seen = self._store.last_action()
        self._tables = {self.split: self.table}
        rows, annotations, _ = self._store.tables(self.split)
        self._take_out(set(self.table.names) - set(rows["image"]))
        self._predictions = {self.split: self._read_predictions(self.split)}
        self.predictions_read += 1
        self._put(rows, annotations)  # at the same positions, so that views stay valid

    def _put(self, images: pd.DataFrame, annotations: pd.DataFrame) -> None:
        """Show images of the dataset, with all their annotations, as they were read."""
        self.table.put(images, annotations)
        rejections = self._rejections[self.split]
        for name in images["image"]:
            rejections.pop(name, None)
        if (waits := images["status"] != "labelled").any():
            rejections |= self._read_rejections(self.split, images.loc[waits, "image"].tolist())

    def _take_out(self, images: set[str]) -> None:
        """Show images no more that were removed from the dataset."""
        self.table.drop(images)

    def _read_table(self, split: str) -> ImageTable:
        return self.table_type.read(self._store, split)

    def _stored_predictions(self, split: str, images: Sequence[str] | None = None) -> pd.DataFrame:
        if self._seen_predictions is None or split != t.TEST:
            return self._store.predictions(split, images=images)
        seen = self._seen_predictions
        return seen if images is None else seen[seen["image"].isin(images)]

    @property
    def _is_correcting(self) -> bool:
        """True if the ground truth is shown with the predictions of a report."""
        return self._seen_predictions is not None and self.split == t.TEST

    def _read_predictions(self, split: str) -> dict[str, Prediction]:
        """Read the most confident prediction of each image in a dataset. Prelabels replace those of other models."""
        predictions = top_predictions(self._stored_predictions(split))
        prelabels = self.queues.offer(split, set(self._store.labels()["label"]))
        return predictions if prelabels is None else predictions | top_predictions(prelabels)

    def _read_rejections(self, split: str, images: Sequence[str] | None = None) -> dict[str, Rejection]:
        rows = self._store.suggestions(split, images)
        boxes = rows[[*t.BOX_COLUMNS]].itertuples(index=False, name=None)
        columns = (rows[name].tolist() for name in ("image", "model", "label", "confidence", "polygon"))
        result: dict[str, Rejection] = {}
        for box, image, model, label, confidence, polygon in zip(boxes, *columns, strict=True):
            rejection = result.setdefault(image, Rejection(*person_and_reason(model), []))
            rejection.marks.append((label, box, confidence, polygon))
        return result

    def _reread_predictions(self, *, always: bool = False) -> None:
        """Read predictions again that are new or whose labels were renamed."""
        self._rejections = {split: self._read_rejections(split) for split in self._rejections}
        if always or any(self._predictions.values()):
            self._predictions = {split: self._read_predictions(split) for split in self._predictions}
            self.predictions_read += 1

    # -- edits --------------------------------------------------------------------------------------
    def assign(self, images: Sequence[str], label: str, *, on: bool = True, revisions: Revisions = None) -> EditResult:
        """Add a label to images (or replace the others, with :attr:`assigns_one`), or remove it."""
        if not on:
            return self._edit(images, edit_rules.remove_label(label), f"take away {label}", revisions)
        name = t.check_label(label)
        change = edit_rules.add_label(name, annotator=self.user, alone=self.assigns_one)
        return self._edit(images, change, f"label {name}", revisions)

    def toggle(self, images: Sequence[str], label: str, *, revisions: Revisions = None) -> EditResult:
        """Add a label, or remove it if all the images have it and :attr:`assigns_one` is False."""
        with self._lock:
            self._check_here(images)
            has = [label in self.table.labels[self.table.position[name]] for name in images]
        return self.assign(images, label, on=self.assigns_one or not has or not all(has), revisions=revisions)

    def set_labels(self, images: Sequence[str], labels: Sequence[str]) -> EditResult:
        names = [t.check_label(label) for label in labels]
        return self._edit(images, edit_rules.set_labels(names, annotator=self.user), "set labels", None)

    def clear(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Remove all image-level labels, and reject the prelabels of images without a label."""
        with self._lock:
            self._check_here(images)
            offered = {name for name in images if self.prelabels(name) and not self.rejection(name)}

        def change(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            rejected = rows["image"].isin(offered) & (rows["status"] == "unlabelled")
            return edit_rules.clear_labels(with_review(rows, rejected, REJECTED), annotations)

        return self._edit(images, change, "clear labels", revisions)

    def set_status(
        self, images: Sequence[str], status: str, *, remove_labels: bool = False, revisions: Revisions = None
    ) -> EditResult:
        """Set the status of images: "skipped", "needs_review", "labelled" (checked: nothing here) or "unlabelled".

        Without ``remove_labels``, images that have labels, boxes or polygons are not marked as "skipped".
        """
        if status not in t.STATUSES:
            raise InputError(f"status={status!r} must be one of {t.STATUSES!r}.")
        change = edit_rules.set_status(status, remove_labels=remove_labels)
        return self._edit(images, change, f"mark {status.replace('_', ' ')}", revisions)

    def set_note(self, images: Sequence[str], note: str, *, revisions: Revisions = None) -> EditResult:
        """Set the note of images, or remove it with an empty text. Labels and statuses stay as they are."""
        text = t.check_note(note) or None
        return self._edit(images, lambda rows, annotations: (rows.assign(note=text), annotations), "note", revisions,
                          looked_through=True, adopts=False)  # fmt: skip

    def submit(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Finish images. Images without a label become skipped."""
        return self._edit(images, edit_rules.skip_bare, "submit", revisions, adopts=False)

    def accept_predictions(
        self, images: Sequence[str], *, seen: Mapping[str, Sequence[str]] | None = None, revisions: Revisions = None
    ) -> EditResult:
        """Label images without labels with their prelabels, or the most confident prediction, unless it is of a shape.

        Where other labels than those in ``seen`` are offered now, nothing is stored, but the image is returned as a
        conflict.
        """
        wanted: dict[str, list[str]] = {}
        conflicts: list[Conflict] = []
        with self._lock:
            self._check_here(images)
            for name in images:
                has = self.table.labels[self.table.position[name]]
                now = has or tuple(self._dashed(name))
                shown = now if seen is None else tuple(seen.get(name, ()))
                if shown and set(shown) != set(now):
                    conflicts.append(Conflict(name, now, shown))
                elif shown and not has:
                    wanted[name] = list(shown)
            change = edit_rules.set_labels_of(wanted, annotator=self.user)
            with self.giving(*dict.fromkeys(label for labels in wanted.values() for label in labels)):
                outcome = self._edit(list(wanted), change, "accept predictions", revisions)
        return replace(outcome, conflicts=(*conflicts, *outcome.conflicts))

    def add_again(self, image: str) -> None:
        """Add an image again that somebody has removed from the dataset. Other files are refused."""
        self._check_here([image])
        named = pd.DataFrame({"image": pd.Series([image], dtype=t.TEXT)})  # as it is stored, also if it is a copy
        listed = SourceContents(named, t.empty(t.ANNOTATION_COLUMNS), {"kind": "files", "name": image})
        report = import_images(
            self._store, self.root, listed, ImportOptions(self.split, on_duplicate="keep", records=False)
        )
        if not report.added and not report.known:
            raise InputError(f"{image!r} cannot be added again: {report.issues['message'].iat[0]}")
        self.reread([image])

    def _check_here(self, images: Iterable[str]) -> None:
        unknown = next((name for name in images if name not in self.table.position), None)
        if unknown is not None:
            raise InputError(f"Image {unknown!r} is not in the {self.split} set.")

    def _edit(
        self,
        images: Sequence[str],
        change: edit_rules.Change,
        what: str,
        revisions: Revisions,
        *,
        looked_through: bool = False,
        adopts: bool = True,
        rejects: bool = False,
        note: str = "",
    ) -> EditResult:
        """Store a change of images. If it ``rejects`` their annotations, the note is the reason."""
        with self._lock:
            self._check_here(images)
            wanted = named = list(dict.fromkeys(images))
            if not named:
                return EditResult(what=what)
            based_on = {name: self.table.revisions[self.table.position[name]] for name in named} | dict(revisions or {})
            conflicts: list[Conflict] = []
            stored = None
            while wanted and stored is None:
                rows, annotations, _ = self._store.tables(self.split, images=wanted)
                wanted = rows["image"].tolist()  # without images that have been removed
                if not wanted:
                    break
                after, labelled = self._edited(change, rows, annotations, looked_through=looked_through, adopts=adopts)
                after = after.assign(revision=[based_on[name] for name in wanted])
                action, labels = self._action(what, note), {*self._labels_in_edit, *annotations["label"]}
                try:
                    result = self._store.update_images(
                        self.split,
                        after,
                        labelled,
                        action,
                        (rows, annotations),
                        labels=labels,
                        rejects=rejects,
                        settles=self.settles,
                    )
                    stored = _Stored(result, rows["revision"].tolist(), after, labelled)
                except LabelError:  # renamed, merged or removed meanwhile
                    for label in self._labels_in_edit:
                        self.check_known(label)
                except StaleEditError as error:
                    stale = set(error.images)
                    conflicts += _conflicts(stale, annotations, labelled)
                    self._put(rows, annotations)
                    wanted = [name for name in wanted if name not in stale]
            self._take_over(stored, named, what)
            gone = tuple(name for name in named if self.table.position[name] in self.table.gone)
            return EditResult(tuple(wanted), tuple(conflicts), what, gone)

    def _edited(
        self,
        change: edit_rules.Change,
        rows: pd.DataFrame,
        annotations: pd.DataFrame,
        *,
        looked_through: bool,
        adopts: bool,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the rows and annotations of images after a change, with the tags that follow from it."""
        after, labelled = change(rows, annotations)
        if adopts:
            labelled = edit_rules.adopt(after, labelled, self.user)
        if not looked_through:
            after = forget_where_changed(after, labelled, rows, annotations)
        if self.split == t.TEST and not self.queues.may_help(t.TEST):
            seen = [self._is_correcting or self.shown_prediction(name) is not None for name in rows["image"]]
            after = tag_corrected(after, labelled, rows, annotations, seen, self._truth_before)
        offers = self.queues.prelabels if self.queues.helps(self.split) else {}
        prelabels = {name: offers[name] for name in rows["image"] if name in offers and not self.rejection(name)}
        return tag_answers(after, labelled, annotations, prelabels), labelled

    def _take_over(self, stored: _Stored | None, named: Sequence[str], what: str) -> None:
        """Update the table of images after an edit, and add it to those that can be undone."""
        if stored is not None and stored.result.count == len(named):
            self._put(stored.rows.assign(revision=stored.rows["revision"] + 1), stored.annotations)
        else:
            self.reread(named)
        if stored is not None and stored.result.action is not None:
            read = zip(stored.rows["image"].tolist(), stored.read, strict=True)
            changed = tuple(name for name, was in read if self.table.revisions[self.table.position[name]] != was)
            self._undo = [*self._undo[-UNDO_STEPS + 1 :], _Step(stored.result.action, what, self.split, changed)]
            self._redo = []

    # -- undo ---------------------------------------------------------------------------------------
    @contextmanager
    def visiting(self, split: str, *, undoable: bool, forget: bool = False) -> Iterator[None]:
        """Edit a dataset that is not necessarily shown, and restrict undo. :meth:`record` is read only once.

        Unless ``undoable``, the edits are not added to the undo history. With ``forget``, the undo history is cleared
        first.
        """
        with self._lock:
            if forget:
                self._undo, self._redo = [], []
            shown, steps = (self.split, self._view), (self._undo, self._redo)
            if split != self.split:
                self.open(split)
            try:
                self._record = self._store.project()
                yield
            finally:
                self._record = None
                self.split, self._view = shown
                if not undoable:
                    self._undo, self._redo = steps

    def undo(self) -> EditResult:
        return self._undo_or_redo(self._undo, self._redo, "undo")

    def redo(self) -> EditResult:
        return self._undo_or_redo(self._redo, self._undo, "redo")

    @property
    def undoable(self) -> tuple[str, ...]:
        """Images that :meth:`undo` would change, empty if it would do nothing."""
        return self._undo[-1].images if self._undo else ()

    def _forget_edits(self, images: Iterable[str]) -> None:
        gone = set(images)
        self._undo = [step for step in self._undo if not gone.intersection(step.images)]
        self._redo = [step for step in self._redo if not gone.intersection(step.images)]

    def _later_step(self, step: _Step) -> _Step | None:
        """Return the latest edit of only these images that the same person has made after a step in another screen."""
        actions = self._store.actions(who=self.user, limit=_LOOKED_THROUGH)
        actions = actions[actions["undoable"] & actions["undoes"].isna() & (actions["id"] > (step.action or np.inf))]
        for id_ in actions["id"].tolist():
            (later,) = self._store.actions_since(id_ - 1, limit=1).itertuples()
            if not set(step.images).isdisjoint(later.images):
                own = set(later.images) <= set(step.images) and later.split == step.split
                return _Step(id_, later.what, step.split, tuple(later.images)) if own else None
        return None

    def _undo_or_redo(self, steps: list[_Step], others: list[_Step], verb: str) -> EditResult:
        with self._lock:
            if not steps:
                return EditResult()
            step = steps[-1]
            if step.split != self.split:
                self.open(step.split)
            what = f"{verb} {step.what}"
            try:
                undone = self._store.undo(step.action, self._action(what))
            except NotAllowedError:
                steps.pop()
                raise
            except StaleEditError as error:
                later = self._later_step(step) if verb == "undo" else None
                if later is not None:
                    steps.append(later)
                    result = LabellingSession._undo_or_redo(self, steps, others, verb)
                    if not result.images:  # somebody else has changed the images since
                        steps.remove(step)
                    return result
                steps.pop()
                self.reread(step.images)
                gone = len(step.images) - len(self.rows(step.images))
                if gone:
                    raise NotAllowedError(
                        f"{counted(gone, 'image is', 'images are')} no longer in the dataset."
                    ) from error
                return EditResult((), tuple(_conflicts(set(error.images), error.theirs, error.yours)), what)
            steps.pop()
            self.reread(step.images)
            others.append(replace(step, action=undone.action))
            return EditResult(step.images, (), what)


def _conflicts(images: set[str], theirs: pd.DataFrame, yours: pd.DataFrame) -> list[Conflict]:
    return [Conflict(name, _labels_of(theirs, name), _labels_of(yours, name)) for name in sorted(images)]


def _labels_of(annotations: pd.DataFrame, image: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(annotations.loc[annotations["image"] == image, "label"]))
