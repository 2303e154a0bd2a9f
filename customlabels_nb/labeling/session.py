"""A person labelling one project: edits that are stored at once, and how they are taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.errors import InputError, NotAllowedError, StaleEditError
from customlabels_nb.labeling import edit_rules
from customlabels_nb.labeling.listing import ONE_LABEL, Listing
from customlabels_nb.store import Written

_UNDO_STEPS = 200


@dataclass(frozen=True)
class Conflict:
    """An image that somebody else changed since it was read here: their labels stand, ours were not written."""

    image: str
    theirs: tuple[str, ...]
    yours: tuple[str, ...]


@dataclass(frozen=True)
class EditResult:
    """What became of an edit: the images that are as it wants them now, and those that somebody else changed."""

    images: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    what: str = ""


@dataclass(frozen=True)
class _Step:
    """An edit that was made: its id in the history, and the images that it changed."""

    action: int | None
    what: str
    split: str
    images: tuple[str, ...]


class LabellingSession(Listing):
    """What a labelling screen does.

    Every edit is one transaction: when the method returns, it is stored. An edit of an image that somebody else changed
    meanwhile is not written, and comes back as a conflict; the other images of the same edit are.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []

    def assign(
        self, images: Sequence[str], label: str, *, on: bool = True, revisions: Mapping[str, int] | None = None
    ) -> EditResult:
        """Give a label to images (in a task with one label per image: in place of others), or take it away.

        Parameters
        ----------
        revisions : mapping, optional
            The revisions that the edit is based on; those last read here unless they are given.
        """
        if not on:
            return self._edit(images, edit_rules.remove_label(label), f"take away {label}", revisions)
        name = t.check_label(label)
        change = edit_rules.add_label(name, annotator=self.user, alone=self.task == ONE_LABEL)
        return self._edit(images, change, f"label {name}", revisions)

    def toggle(self, images: Sequence[str], label: str, *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """What a label's key does: take the label away if all the images have it, else give it to them."""
        with self._lock:
            has = [label in self.table.labels[self.table.position[name]] for name in images]
        return self.assign(images, label, on=not has or not all(has), revisions=revisions)

    def set_labels(
        self, images: Sequence[str], labels: Sequence[str], *, revisions: Mapping[str, int] | None = None
    ) -> EditResult:
        """Give images exactly these labels."""
        names = [t.check_label(label) for label in labels]
        return self._edit(images, edit_rules.set_labels(names, annotator=self.user), "set labels", revisions)

    def clear(self, images: Sequence[str], *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """Take all labels of whole images away."""
        return self._edit(images, edit_rules.clear_labels, "clear labels", revisions)

    def set_status(
        self,
        images: Sequence[str],
        status: str,
        *,
        remove_labels: bool = False,
        revisions: Mapping[str, int] | None = None,
    ) -> EditResult:
        """Give images a status: "skipped", "needs_review", "labelled" (looked at: nothing here) or "unlabelled".

        Parameters
        ----------
        remove_labels : bool
            Remove all labels, boxes and polygons of the images in the same step. By default they are kept, and with
            "skipped" the images that have any stay as they are: a skipped image has no labels.
        revisions : mapping, optional
            As in :meth:`assign`.
        """
        if status not in t.STATUSES:
            raise InputError(f"status={status!r} is not known; use one of {t.STATUSES!r}.")
        change = edit_rules.set_status(status, remove_labels=remove_labels)
        return self._edit(images, change, f"mark {status.replace('_', ' ')}", revisions)

    def submit(self, images: Sequence[str], *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """Say that images are done: those without a label become skipped."""
        return self._edit(images, edit_rules.skip_bare, "submit", revisions)

    def accept_predictions(self, images: Sequence[str], *, revisions: Mapping[str, int] | None = None) -> EditResult:
        """Give each image that has no label the one that a model is surest of, but no label of a predicted shape."""
        outcome = EditResult(what="accept predictions")
        wanted: dict[str, list[str]] = {}
        with self._lock:
            for name in images:
                predicted = self.predictions.get(name)
                if predicted and not predicted.drawn and not self.table.labels[self.table.position[name]]:
                    wanted.setdefault(predicted.label, []).append(name)
        for label, names in wanted.items():
            part = self.assign(names, label, revisions=revisions)
            outcome = EditResult(outcome.images + part.images, outcome.conflicts + part.conflicts, outcome.what)
        return outcome

    @contextmanager
    def visiting(self, split: str, *, undoable: bool, forget: bool = False) -> Iterator[None]:
        """Edit a dataset that need not be shown; undo reaches ``undoable`` edits, and with ``forget`` none before."""
        with self._lock:
            if forget:
                self._undo, self._redo = [], []
            shown, steps = (self.split, self._view), (self._undo, self._redo)
            if split != self.split:
                self.open(split)
            try:
                yield
            finally:
                self.split, self._view = shown
                if not undoable:
                    self._undo, self._redo = steps

    def undo(self) -> EditResult:
        """Take the last edit of this session back; nothing if there is none."""
        return self._take_back(self._undo, self._redo, "undo")

    def redo(self) -> EditResult:
        """Do again what was taken back last."""
        return self._take_back(self._redo, self._undo, "redo")

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return bool(self._redo)

    def _edit(
        self,
        images: Sequence[str],
        change: edit_rules.Change,
        what: str,
        revisions: Mapping[str, int] | None,
        *,
        looked_through: bool = False,
    ) -> EditResult:
        with self._lock:
            unknown = next((name for name in images if name not in self.table.position), None)
            if unknown is not None:
                raise InputError(f"The image {unknown!r} is not in the {self.split} set.")
            wanted = named = list(dict.fromkeys(images))
            based_on = {name: self.table.revisions[self.table.position[name]] for name in wanted} | dict(
                revisions or {}
            )
            conflicts: list[Conflict] = []
            written = Written()
            while wanted:
                rows, marks, _ = self._store.tables(self.split, images=wanted)
                wanted = rows["image"].tolist()  # what was removed meanwhile is left out
                after, after_marks = change(rows, marks)
                if not looked_through:
                    after = forget_where_changed(after, after_marks, rows, marks)
                given = after.assign(revision=[based_on[name] for name in wanted])
                try:
                    action = self._action(what)
                    written = self._store.update_images(self.split, given, after_marks, action, stored=(rows, marks))
                except StaleEditError as error:
                    stale = set(error.images)
                    conflicts += _conflicts(stale, marks, after_marks)
                    self.table.put(rows, marks)
                    wanted = [name for name in wanted if name not in stale]
                    continue
                break
            if written.count == len(named):
                self.table.put(given.assign(revision=given["revision"] + 1), after_marks)
            else:
                self.reread(named)
            if written.action is not None:
                before = zip(wanted, rows["revision"].tolist(), strict=True)
                changed = tuple(n for n, was in before if self.table.revisions[self.table.position[n]] != was)
                step = _Step(written.action, what, self.split, changed)
                self._undo = [*self._undo[-_UNDO_STEPS + 1 :], step]
                self._redo = []
            return EditResult(tuple(wanted), tuple(conflicts), what)

    def _take_back(self, steps: list[_Step], others: list[_Step], verb: str) -> EditResult:
        with self._lock:
            if not steps:
                return EditResult()
            step = steps.pop()
            if step.split != self.split:
                self.open(step.split)
            what = f"{verb} {step.what}"
            try:
                undone = self._store.undo(step.action, self._action(what))
            except StaleEditError as error:
                self.reread(step.images)
                gone = len(step.images) - len(self.rows(step.images))
                if gone:
                    raise NotAllowedError(f"{gone} of these images are not in the dataset any more.") from error
                return EditResult((), tuple(_conflicts(set(error.images), error.theirs, error.yours)), what)
            self.reread(step.images)
            others.append(replace(step, action=undone.action))
            return EditResult(step.images, (), what)


def _conflicts(images: set[str], theirs: pd.DataFrame, yours: pd.DataFrame) -> list[Conflict]:
    return [Conflict(name, _labels_of(theirs, name), _labels_of(yours, name)) for name in sorted(images)]


def _labels_of(annotations: pd.DataFrame, image: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(annotations.loc[annotations["image"] == image, "label"]))
