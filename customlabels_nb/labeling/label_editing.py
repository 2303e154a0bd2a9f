"""UI-independent label manager: add, rename, recolor, reorder, merge and remove labels, with undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import LabelError
from customlabels_nb.labeling.screen import UNDO_STEPS, ProjectScreen
from customlabels_nb.store import Action, SqlStore, WriteResult

_LOOKED_THROUGH = 200  # latest actions that are searched for the fate of a label
_TRIES = 3


@dataclass(frozen=True)
class Step:
    """Edit that can be undone: its id in the history, and a description."""

    action: int | None
    said: str


class LabelEditing(ProjectScreen):
    """Editor of a project's labels, stored at once, with undo. Errors explain what others did to a label."""

    def __init__(self, store: SqlStore, root: Path, *, user: str | None = None) -> None:
        super().__init__(store, root, user=user)
        self._undo: list[Step] = []
        self._redo: list[Step] = []

    # -- current labels ------------------------------------------------------------------------------
    def labels(self) -> pd.DataFrame:
        return self._store.labels()

    def uses(self, label: str | None = None) -> pd.DataFrame:
        """Count the uses of each label, or only of ``label``: label, train, test (images), annotations."""
        uses = self._store.label_uses(label)
        if label is not None and uses.empty:
            raise LabelError(self._fate(label))
        return uses

    def done_images(self) -> int:
        """Count the labelled images of both datasets, which may need review after a label is added."""
        return sum(self._store.statistics(split).labelled_entries for split in t.SPLITS)

    # -- edits --------------------------------------------------------------------------------------
    def add_all(self, labels: Sequence[tuple[str, str | None]], *, review: bool = False) -> int:
        """Append labels (name, color). With ``review``, mark labelled images for review, and return their number."""
        names = [t.check_label(label) for label, _ in labels]
        wanted = [(name, color) for name, (_, color) in zip(names, labels, strict=True)]
        summary = f"“{names[0]}” was added" if len(names) == 1 else f"{len(names):,} labels were added"
        what = "add label" if len(names) == 1 else "add labels"
        return self._change(what, summary, lambda action: self._store.add_labels(wanted, action, review=review))

    def review_without(self, label: str) -> int:
        """Mark all labelled images that do not have this label for review, and return how many there are."""
        summary = f"Images without “{label}” were sent to review"
        return self._change("send to review", summary, lambda a: self._store.review_without(label, a), label)

    def rename(self, label: str, new: str) -> int:
        name = t.check_label(new)
        summary = f"“{label}” was renamed to “{name}”"
        return self._change("rename label", summary, lambda a: self._store.rename_label(label, name, a), label)

    def recolor(self, label: str, color: str) -> None:
        summary = f"“{label}” was recolored"
        self._change("recolor label", summary, lambda a: self._store.recolor_label(label, color, a), label)

    def move(self, label: str, before: str | None) -> None:
        """Move a label in front of the label ``before``, or to the end. Keys 1–9 select the first nine labels."""

        def write(action: Action) -> WriteResult:
            for attempt in range(1, _TRIES + 1):
                order = self._store.labels()["label"].tolist()
                for name in (label, before):
                    if name is not None and name not in order:
                        raise LabelError(self._fate(name))
                rest = [name for name in order if name != label]
                position = (
                    len(rest) if before is None else order.index(label) if before == label else rest.index(before)
                )
                wanted = [*rest[:position], label, *rest[position:]]
                if wanted == order:
                    break
                try:
                    return self._store.reorder_labels(wanted, action)
                except LabelError:  # a label has just been renamed or removed: retry with the current labels
                    if attempt == _TRIES:
                        raise
            return WriteResult()

        self._change("reorder labels", f"“{label}” was moved", write)

    def merge(self, label: str, *, into: str) -> int:
        """Change all annotations of ``label`` to ``into``, remove ``label``, and return how many were changed."""
        summary = f"“{label}” was merged into “{into}”"
        return self._change("merge labels", summary, lambda a: self._store.merge_labels(label, into, a), label, into)

    def remove(self, label: str, *, with_annotations: bool = False) -> int:
        """Remove a label. If it is in use, pass ``with_annotations=True`` to remove its annotations as well."""
        summary = f"“{label}” was removed"
        return self._change(
            "remove label",
            summary,
            lambda action: self._store.remove_label(label, action, with_annotations=with_annotations),
            label,
        )

    # -- undo ----------------------------------------------------------------------------------------
    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    def undo(self) -> str | None:
        """Undo the latest edit made here and return its description or None. If it is stale, the next call skips it."""
        return self._undo_or_redo(self._undo, self._redo, "undo")

    def redo(self) -> str | None:
        return self._undo_or_redo(self._redo, self._undo, "redo")

    def _undo_or_redo(self, steps: list[Step], others: list[Step], verb: str) -> str | None:
        with self._lock:
            if not steps:
                return None
            step = steps.pop()
            others.append(replace(step, action=self._store.undo(step.action, self._action(verb)).action))
        change_signal.notify(self.root)
        return step.said

    def _change(self, what: str, summary: str, write: Callable[[Action], WriteResult], *named: str) -> int:
        """Perform an edit and remember it for undo. The labels in ``named`` must exist."""
        with self._lock:
            try:
                written = write(self._action(what))
            except LabelError:
                there = set(self._store.labels()["label"])
                gone = [label for label in named if label not in there]
                if gone:
                    raise LabelError(self._fate(gone[0])) from None
                raise
            if written.action is None:
                return written.count
            self._undo = [*self._undo[-UNDO_STEPS + 1 :], Step(written.action, summary)]
            self._redo = []
        change_signal.notify(self.root)
        return written.count

    def _fate(self, label: str) -> str:
        """Describe what happened to a label that does not exist."""
        history = self._store.history(_LOOKED_THROUGH)
        rows = zip(*(history[name].tolist() for name in ("who", "what", "before", "after")), strict=True)
        for who, what, before, after in rows:
            if not isinstance(before, dict) or before.get("label") != label:
                continue
            became = after.get("label") if isinstance(after, dict) else None
            verb = _FATES.get(what)
            if verb is not None:
                return f"Label {label!r} no longer exists: {who} {verb}{f' {became!r}' if became else ''}."
        return f"Label {label!r} does not exist. Somebody may have renamed or removed it."


_FATES: dict[Any, str] = {
    "rename label": "renamed it to",
    "merge labels": "merged it into",
    "remove label": "removed it",
}
