"""A second look at labelled images: approve, correct or reject what stands there.

What was approved or corrected has the tag of :mod:`customlabels_nb.datasets.reviewed` and status ``labelled``. What was
rejected has no annotation any more and status ``unlabelled``, so that it is in the queue again; what it had is in the
history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import is_reviewed, with_review, without_review
from customlabels_nb.errors import InputError
from customlabels_nb.labeling import edit_rules
from customlabels_nb.labeling.image_table import ImageTable, Prediction
from customlabels_nb.labeling.session import ONE_LABEL, EditResult, LabellingSession
from customlabels_nb.labeling.view import Query

if TYPE_CHECKING:
    import numpy.typing as npt

#: What ``ReviewQuery.show`` may be. "disagrees" is what isn't reviewed yet and where the model says another label.
SHOWN = ("to_review", "disagrees", "needs_review", "reviewed", "all")
SORTS = ("doubt", "name", "newest", "added", "random")
#: ``ReviewQuery.label`` for images that were looked at and have no label.
NO_LABEL = ""
# the statuses of images that can be reviewed
_REVIEWABLE = ("labelled", "needs_review")


@dataclass(frozen=True)
class ReviewQuery(Query):
    """What is shown of the labelled images.

    Attributes
    ----------
    show : str
        One of :data:`SHOWN`.
    label : str, optional
        Images with this label; with :data:`NO_LABEL`, those without any.
    sort : str
        One of :data:`SORTS`. "doubt" puts first where the model says another label, the surest first; then where it
        says the same, the least sure first. "newest" puts first what was labelled last.
    """

    show: str = "to_review"
    sort: str = "doubt"
    shown: ClassVar[tuple[str, ...]] = SHOWN
    sorts: ClassVar[tuple[str, ...]] = SORTS


@dataclass
class ReviewTable(ImageTable):
    """A dataset with what a review needs of it beside.

    Attributes
    ----------
    reviewed : list of bool
    moments : list of int
        When the image was labelled last, in microseconds since 1970; 0 where nobody did.
    left, done : int
        How many images are to be reviewed, and were.
    left_by_label : Counter
        How many of those to be reviewed have each label; :data:`NO_LABEL` counts those without any.
    """

    reviewed: list[bool] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    left: int = 0
    done: int = 0
    left_by_label: Counter[str] = field(default_factory=Counter)

    def all_labels(self, at: int) -> set[str]:
        """The labels of an image and of its shapes."""
        return {*self.labels[at], *self.box_labels[at]}

    def _columns(self) -> tuple[list[Any], ...]:
        return *super()._columns(), self.reviewed, self.moments

    def _more(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
        latest = annotations.groupby("image", sort=False)["created"].max().astype("int64")
        moments = images["image"].map(latest).fillna(0).astype("int64")
        return zip(is_reviewed(images).tolist(), moments.tolist(), strict=True)

    def _count(self, at: int, by: int) -> None:
        super()._count(at, by)
        if self.statuses[at] not in _REVIEWABLE:
            return
        if self.reviewed[at]:
            self.done += by
            return
        self.left += by
        for label in self.all_labels(at) or {NO_LABEL}:
            self.left_by_label[label] += by


class ReviewSession(LabellingSession):
    """A person looking through what was labelled; every edit is stored at once, undone and refused as when labelling.

    Attributes
    ----------
    table : ReviewTable
    """

    table_type = ReviewTable
    query_type = ReviewQuery

    @property
    def table(self) -> ReviewTable:
        """The images of the open dataset."""
        table = super().table
        assert isinstance(table, ReviewTable)
        return table

    # -- what is shown ------------------------------------------------------------------------------
    def agrees(self, image: str) -> bool | None:
        """Whether a model is surest of a label that the image has; None where no model said anything."""
        predicted = self.predictions.get(image)
        if predicted is None:
            return None
        return predicted.label in self.table.all_labels(self.table.position[image])

    def row(self, image: str) -> dict[str, Any]:
        """Return :meth:`LabellingSession.row` with ``by`` (who labelled it), ``when``, ``reviewed`` and ``agrees``."""
        at = self.table.position[image]
        moment = self.table.moments[at]
        return {
            **super().row(image),
            "by": list(self.table.annotators[at]),
            "when": datetime.fromtimestamp(moment / 1e6, tz=UTC).isoformat() if moment else None,
            "reviewed": self.table.reviewed[at],
            "agrees": self.agrees(image),
        }

    def progress(self) -> dict[str, Any]:
        """How many images of the dataset are ``left``, ``done``, and left ``by_label``."""
        with self._lock:
            by_label = {label: count for label, count in self.table.left_by_label.items() if count}
            return {"left": self.table.left, "done": self.table.done, "by_label": by_label}

    def _order(self, query: Query) -> npt.NDArray[np.int64]:
        sort = "added" if query.sort in ("doubt", "newest") else query.sort
        label = None if query.label == NO_LABEL else query.label
        fields = {name: getattr(query, name) for name in ("predicted", "annotator", "search", "images", "seed")}
        found = super()._order(Query(label=label, sort=sort, **fields)).tolist()
        found = [at for at in found if self._is_shown(at, query)]
        if query.sort == "newest":
            found.sort(key=lambda at: -self.table.moments[at])
        elif query.sort == "doubt":
            found.sort(key=self._doubt)
        return np.asarray(found, dtype=np.int64)

    def _is_shown(self, at: int, query: Query) -> bool:
        table = self.table
        if table.statuses[at] not in _REVIEWABLE or (query.label == NO_LABEL and table.all_labels(at)):
            return False
        if query.show == "needs_review":
            return table.statuses[at] == "needs_review"
        if query.show == "disagrees" and self.agrees(table.names[at]) is not False:
            return False
        return query.show == "all" or table.reviewed[at] == (query.show == "reviewed")

    def _doubt(self, at: int) -> tuple[int, float]:
        predicted: Prediction | None = self.predictions.get(self.table.names[at])
        if predicted is None:
            return 2, 0.0
        return (1, predicted.confidence) if self.agrees(self.table.names[at]) else (0, -predicted.confidence)

    # -- what is done -------------------------------------------------------------------------------
    def approve(self, images: Sequence[str], *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """Say that images are labelled rightly; what has no label has nothing on it. Others stay as they are."""
        return self._edit(images, _approve, "approve", revisions, looked_through=True)

    def correct(
        self,
        images: Sequence[str],
        label: str,
        *,
        instead_of: str | None = None,
        on: bool = True,
        revisions: Mapping[str, int] | None = None,
    ) -> EditResult:
        """Say what images are labelled rightly: in place of all labels, or where there may be several beside them.

        Boxes and polygons keep their place and get the label, too, of an image on which all have one label.

        Parameters
        ----------
        instead_of : str, optional
            Only this label, of images and shapes, gives way.
        on : bool
            Where there may be several: False takes the label away.

        Raises
        ------
        InputError
            If an image has shapes of several labels, and ``instead_of`` doesn't say which is meant.
        """
        name = t.check_label(label)
        if not on:
            change = _take_away(name)
            return self._edit(images, change, f"correct: not {name}", revisions, looked_through=True)
        self._refuse_mixed_shapes(images, instead_of)
        change = _correct(name, annotator=self.user, alone=self.task == ONE_LABEL, instead_of=instead_of)
        return self._edit(images, change, f"correct to {name}", revisions, looked_through=True)

    def correct_toggling(
        self, images: Sequence[str], label: str, *, revisions: Mapping[str, int] | None = None
    ) -> EditResult:
        """What a label's key does where there may be several: take the label away if all have it, else give it."""
        with self._lock:
            has = [label in self.table.labels[self.table.position[name]] for name in self._known(images)]
        on = self.task == ONE_LABEL or not has or not all(has)
        return self.correct(images, label, on=on, revisions=revisions)

    def reject(self, images: Sequence[str], *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """Take away all annotations of images, boxes included: they are in the queue again."""
        return self._edit(images, _reject, "reject", revisions)

    def _refuse_mixed_shapes(self, images: Sequence[str], instead_of: str | None) -> None:
        with self._lock:
            shapes = {name: set(self.table.box_labels[self.table.position[name]]) for name in self._known(images)}
        mixed = [name for name, labels in shapes.items() if len(labels) > 1 and instead_of not in labels]
        if mixed:
            raise InputError(
                f"{len(mixed)} of these images have shapes of several labels, such as {mixed[0]!r}; "
                "say which label is wrong (instead_of=…, or show that label alone), only its shapes are corrected then."
            )

    def _known(self, images: Sequence[str]) -> list[str]:
        return [name for name in images if name in self.table.position]


# -- what edits make of the rows of some images: pure functions of tables -----------------------------
def _approve(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labelled images were looked through; what is unlabelled or skipped stays so."""
    chosen = images["status"].isin(_REVIEWABLE)
    images = images.assign(status=images["status"].where(~chosen, "labelled"))
    return with_review(images, chosen), annotations


def _correct(label: str, *, annotator: str, alone: bool, instead_of: str | None = None) -> edit_rules.Change:
    """The images have this label, and were looked through.

    Parameters
    ----------
    alone : bool
        It takes the place of all labels of the whole image, else it comes beside them.
    instead_of : str, optional
        The label whose place it takes, of whole images and of shapes. On images that don't have it, and without it, all
        shapes get the label.
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
        _, own = edit_rules.add_label(label, annotator=annotator, alone=False)(
            lacking, kept[kept["image"].isin(lacking["image"])]
        )
        marks = pd.concat([kept[~kept["image"].isin(lacking["image"])], own], ignore_index=True)
        every = pd.Series(True, index=images.index)
        return with_review(images.assign(status="labelled"), every), marks

    return change


def _take_away(label: str) -> edit_rules.Change:
    """The images have not this label; what has none left is unlabelled, the rest was looked through."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        images, annotations = edit_rules.remove_label(label)(images, annotations)
        left = images["image"].isin(annotations["image"])
        images = images.assign(status=images["status"].where(~left, "labelled"))
        return with_review(without_review(images, ~left), left), annotations

    return change


def _reject(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nothing is left of the images' annotations."""
    every = pd.Series(True, index=images.index)
    return without_review(images.assign(status="unlabelled"), every), annotations.head(0)
