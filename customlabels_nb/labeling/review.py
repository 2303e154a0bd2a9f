"""Review session: approve, correct or reject the labels of images.

Approved and corrected images have the tag of :mod:`customlabels_nb.datasets.reviewed` and status ``labelled``. Rejected
images have no annotations and status ``unlabelled``, so that they are in the queue again. Their previous annotations
are suggested to the next person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.assist.suspects import is_still_there
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import is_reviewed, with_review, without_review
from customlabels_nb.errors import InputError
from customlabels_nb.labeling import edit_rules
from customlabels_nb.labeling.drawing import DrawingSession
from customlabels_nb.labeling.edit_rules import Revisions
from customlabels_nb.labeling.image_table import ImageTable, Prediction, top_predictions
from customlabels_nb.labeling.queues import Suspect
from customlabels_nb.labeling.session import EditResult, LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.store.frames import moment

if TYPE_CHECKING:
    import numpy.typing as npt

    from customlabels_nb.store import SqlStore

#: Values of ``ReviewQuery.show``. "disagrees" are images to review for which the model predicts a different label.
ReviewShow: TypeAlias = Literal["to_review", "disagrees", "needs_review", "reviewed", "all"]
SHOWN = get_args(ReviewShow)
ReviewSort: TypeAlias = Literal["doubt", "name", "newest", "added", "random"]
SORTS = get_args(ReviewSort)
ReviewQueue: TypeAlias = Literal["suspect"]
#: ``ReviewQuery.label`` for reviewable images without a label.
NO_LABEL = ""
# statuses of images that can be reviewed
_REVIEWABLE = ("labelled", "needs_review")


@dataclass(frozen=True)
class ReviewQuery(Query):
    """Filter and sort order of a review. ``label=""`` selects images without any label.

    The order "doubt" starts with predictions that differ from the label, the most confident first, followed by
    predictions that agree, the least confident first. Training images are predicted by models that were not trained on
    them, if a classifier was trained. The queue "suspect" has those whose labels are probably wrong, the most
    suspicious first.
    """

    show: str = "to_review"
    sort: str = "doubt"
    shown: ClassVar[tuple[str, ...]] = SHOWN
    sorts: ClassVar[tuple[str, ...]] = SORTS
    queues: ClassVar[tuple[str, ...]] = get_args(ReviewQueue)


@dataclass
class ReviewTable(ImageTable):
    """Image table with additional columns for a review.

    ``moments`` are the times of the latest annotations in microseconds since 1970, or 0. ``left`` counts the images to
    review, also by label.
    """

    reviewed: list[bool] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    left: int = 0
    done: int = 0
    left_by_label: Counter[str] = field(default_factory=Counter)

    def all_labels(self, index: int) -> set[str]:
        return {*self.labels[index], *self.box_labels[index]}

    def _columns(self) -> tuple[list[Any], ...]:
        return *super()._columns(), self.reviewed, self.moments

    def _more(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
        latest = annotations.groupby("image", sort=False)["created"].max().astype("int64")
        moments = images["image"].map(latest).fillna(0).astype("int64")
        return zip(is_reviewed(images).tolist(), moments.tolist(), strict=True)

    def _count(self, index: int, by: int) -> None:
        super()._count(index, by)
        if self.statuses[index] not in _REVIEWABLE:
            return
        if self.reviewed[index]:
            self.done += by
            return
        self.left += by
        for label in self.all_labels(index) or {NO_LABEL}:
            self.left_by_label[label] += by


class ReviewSession(LabellingSession):
    """Session of a reviewer. Edits are stored immediately, with undo and conflicts as in :class:`.LabellingSession`.

    ``cross_fitted`` returns a table of predictions for training images (image, label, confidence) by models that were
    not trained on the image. A model rarely disagrees with a label it was trained on, so these replace the stored
    predictions of the project's own versions.
    """

    table_type = ReviewTable
    query_type = ReviewQuery

    def __init__(
        self,
        store: SqlStore,
        root: Path,
        split: str = t.TRAIN,
        *,
        user: str | None = None,
        cross_fitted: Callable[[], pd.DataFrame] | None = None,
        assist: Any = None,
    ) -> None:
        self._cross_fitted = cross_fitted
        super().__init__(store, root, split, user=user, assist=assist)

    @property
    def table(self) -> ReviewTable:
        table = super().table
        assert isinstance(table, ReviewTable)
        return table

    def _read_predictions(self, split: str) -> dict[str, Prediction]:
        stored = self._store.predictions(split)
        if self._cross_fitted is None or split != t.TRAIN:
            return top_predictions(stored)
        rows = self._cross_fitted()
        columns = (rows[name].tolist() for name in ("image", "label", "confidence"))
        honest = {image: Prediction(label, confidence) for image, label, confidence in zip(*columns, strict=True)}
        by_version = stored["model"].isin([version.name for version in self._store.versions()])
        return {**top_predictions(stored), **honest, **top_predictions(stored[~by_version])}

    # -- view ---------------------------------------------------------------------------------------
    def agrees(self, image: str) -> bool | None:
        """Check whether an image has its most confident predicted label. Return None if there is no prediction."""
        predicted = self.predictions.get(image)
        if predicted is None:
            return None
        return predicted.label in self.table.all_labels(self.table.position[image])

    def row(self, image: str) -> dict[str, Any]:
        """Return :meth:`LabellingSession.row` with ``by`` (who labelled it), ``when``, ``reviewed`` and ``agrees``."""
        index = self.table.position[image]
        time = self.table.moments[index]
        return {
            **super().row(image),
            "by": list(self.table.annotators[index]),
            "when": moment(time).isoformat() if time else None,
            "reviewed": self.table.reviewed[index],
            "agrees": self.agrees(image),
            "suspects": [list(suspect) for suspect in self.suspects(image)] if self.view.query.queue else [],
        }

    def suspects(self, image: str) -> list[Suspect]:
        """Return the suspected label errors of an image that are still there."""
        has = self.table.all_labels(self.table.position[image])
        suspects = self.queues.suspects.get(image, ())
        return [suspect for suspect in suspects if is_still_there(*suspect[1:], has)]

    def progress(self) -> dict[str, Any]:
        """Count the images to review (``left``, and by label ``by_label``) and the reviewed images (``done``)."""
        with self._lock:
            by_label = {label: count for label, count in self.table.left_by_label.items() if count}
            return {"left": self.table.left, "done": self.table.done, "by_label": by_label}

    def _order(self, query: Query) -> npt.NDArray[np.int64]:
        sort = "added" if query.sort in ("doubt", "newest") else query.sort
        label = None if query.label == NO_LABEL else query.label
        fields = {name: getattr(query, name) for name in ("predicted", "annotator", "search", "images", "random_state")}
        order = super()._order(Query(label=label, sort=sort, **fields)).tolist()
        order = [index for index in order if self._is_shown(index, query)]
        if query.queue is not None:
            names, reviewed = self.table.names, self.table.reviewed
            waiting = {names[index] for index in order if not reviewed[index] and self.suspects(names[index])}
            order = [self.table.position[name] for name in self.queues.names(query.queue, waiting)]
        elif query.sort == "newest":
            order.sort(key=lambda at: -self.table.moments[at])
        elif query.sort == "doubt":
            order.sort(key=self._doubt)
        return np.asarray(order, dtype=np.int64)

    def _is_shown(self, index: int, query: Query) -> bool:
        table = self.table
        if table.statuses[index] not in _REVIEWABLE or (query.label == NO_LABEL and table.all_labels(index)):
            return False
        if query.show == "needs_review":
            return table.statuses[index] == "needs_review"
        if query.show == "disagrees" and self.agrees(table.names[index]) is not False:
            return False
        return query.show == "all" or table.reviewed[index] == (query.show == "reviewed")

    def _doubt(self, index: int) -> tuple[int, float]:
        predicted: Prediction | None = self.predictions.get(self.table.names[index])
        if predicted is None:
            return 2, 0.0
        return (1, predicted.confidence) if self.agrees(self.table.names[index]) else (0, -predicted.confidence)

    # -- edits --------------------------------------------------------------------------------------
    def approve(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Confirm the labels of images, or their lack of labels. Unlabelled and skipped images stay the same."""
        return self._edit(images, _approve, "approve", revisions, looked_through=True)

    def correct(
        self,
        images: Sequence[str],
        label: str,
        *,
        instead_of: str | None = None,
        on: bool = True,
        revisions: Revisions = None,
    ) -> EditResult:
        """Correct the labels of images: replace all labels, or in a multi-label task add one.

        Boxes and polygons keep their coordinates. If all shapes of an image have the same label, they also get the new
        label. With ``instead_of``, only this label is replaced, on images and on shapes. In a multi-label task,
        ``on=False`` removes the label.
        """
        name = t.check_label(label)
        if not on:
            change = _mark_reviewed(edit_rules.remove_label(name))
            return self._edit(images, change, f"correct: not {name}", revisions, looked_through=True)
        self._refuse_mixed_shapes(images, instead_of)
        change = _correct(name, annotator=self.user, alone=self.assigns_one, instead_of=instead_of)
        return self._edit(images, change, f"correct to {name}", revisions, looked_through=True)

    def correct_toggling(self, images: Sequence[str], label: str, *, revisions: Revisions = None) -> EditResult:
        """Toggle a label in a multi-label task: remove it if all images have it, otherwise add it."""
        with self._lock:
            has = [label in self.table.labels[self.table.position[name]] for name in self._in_table(images)]
        on = self.assigns_one or not has or not all(has)
        return self.correct(images, label, on=on, revisions=revisions)

    def take_suggestions(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Correct the labels of images as their suspects suggest. Boxes stay the same."""
        wanted: dict[str, list[str]] = {}
        with self._lock:
            for name in self._in_table(images):
                labels = list(self.table.labels[self.table.position[name]])
                for _, doubted, suggested, drawn in self.suspects(name):
                    if not drawn:
                        labels = [label for label in labels if label != doubted] + ([suggested] if suggested else [])
                        wanted[name] = labels
        for label in {label for labels in wanted.values() for label in labels}:
            self.check_known(label)
        change = edit_rules.set_labels_of(wanted, annotator=self.user)
        return self._edit(list(wanted), _mark_reviewed(change), "take suggestions", revisions, looked_through=True)

    def reject(self, images: Sequence[str], *, reason: str = "", revisions: Revisions = None) -> EditResult:
        """Return images to the queue. Their annotations become suggestions, which show the reason."""
        why = t.check_note(reason)
        return self._edit(images, _reject(why), "reject", revisions, rejects=True, note=why)

    def remove_labels(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Remove all annotations of images, including boxes, and return the images to the queue."""
        change = edit_rules.set_status("unlabelled", remove_labels=True)
        return self._edit(images, change, "remove labels", revisions)

    def _refuse_mixed_shapes(self, images: Sequence[str], instead_of: str | None) -> None:
        with self._lock:
            shapes = {name: set(self.table.box_labels[self.table.position[name]]) for name in self._in_table(images)}
        mixed = [name for name, labels in shapes.items() if len(labels) > 1 and instead_of not in labels]
        if mixed:
            raise InputError(
                f"{counted(len(mixed), 'image has', 'images have')} shapes with several labels, for example "
                f"{mixed[0]!r}. Show only the wrong label first, so that only its shapes are corrected."
            )

    def _in_table(self, images: Sequence[str]) -> list[str]:
        return [name for name in images if name in self.table.position]


# -- edits as pure functions of the tables ------------------------------------------------------------
def _approve(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mark labelled images as reviewed. Unlabelled and skipped images stay the same."""
    chosen = images["status"].isin(_REVIEWABLE)
    images = images.assign(status=images["status"].where(~chosen, "labelled"))
    return with_review(images, chosen), annotations


def _correct(label: str, *, annotator: str, alone: bool, instead_of: str | None = None) -> edit_rules.Change:
    """Return an edit that sets a label, ``alone`` or beside others, and marks images as reviewed.

    If ``instead_of`` is None or an image does not have it, all shapes of the image get the new label.
    """

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        whole, named = edit_rules.is_whole(annotations), annotations["label"] == instead_of
        has_named = annotations["image"].isin(annotations.loc[named, "image"])
        wrong = named | ((alone | ~whole) & ~(has_named & ~whole))
        right = annotations["label"] == label
        shapes = annotations[~whole & wrong & ~right].assign(label=label).drop(columns=["annotator", "created"])
        shapes = t.normalise_annotations(shapes, annotator=annotator).set_index(shapes.index)
        kept = pd.concat([annotations[right | ~wrong], shapes]).sort_index()

        def among(mask: pd.Series) -> pd.Series:
            return images["image"].isin(annotations.loc[mask, "image"])

        as_whole = among(whole & wrong) | ~among(whole | ~whole) | (among(whole) & ~among(has_named))
        lacking = images[as_whole]
        _, added = edit_rules.add_label(label, annotator=annotator, alone=False)(
            lacking, kept[kept["image"].isin(lacking["image"])]
        )
        edited = pd.concat([kept[~kept["image"].isin(lacking["image"])], added], ignore_index=True)
        every = pd.Series(True, index=images.index)
        return with_review(images.assign(status="labelled"), every), edited

    return change


def _mark_reviewed(edit: edit_rules.Change) -> edit_rules.Change:
    """Return the edit, after which images are reviewed, or unlabelled if they have no label left."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        images, annotations = edit(images, annotations)
        is_annotated = images["image"].isin(annotations["image"])
        images = images.assign(status=images["status"].where(~is_annotated, "labelled"))
        return with_review(without_review(images, ~is_annotated), is_annotated), annotations

    return change


def _reject(reason: str) -> edit_rules.Change:
    """Return an edit that removes all annotations. A reason is the note on images without any."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        bare = ~images["image"].isin(annotations["image"])
        if reason and bare.any():
            notes = images["note"] if "note" in images else pd.Series(None, index=images.index, dtype=t.TEXT)
            images = images.assign(note=notes.mask(bare, reason))
        return images.assign(status="unlabelled"), annotations.head(0)

    return change


class CorrectingSession(DrawingSession):
    """Session of the annotator in which a reviewer corrects images. What is saved as labelled is reviewed."""

    settles = True

    def _edit(
        self, images: Sequence[str], change: edit_rules.Change, what: str, revisions: Revisions, **options: Any
    ) -> EditResult:
        def reviewed(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            rows, annotations = change(rows, annotations)
            done = rows["status"] == "labelled"
            return with_review(without_review(rows, ~done), done), annotations

        return super()._edit(images, reviewed, what, revisions, **{**options, "looked_through": True})
