"""Label manager widget: add, rename, recolor, reorder, merge and remove the labels of a project."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict

import anywidget
import traitlets

from customlabels_nb._utils.text import counted
from customlabels_nb.core.colors import PALETTE
from customlabels_nb.errors import CustomLabelsError, InputError
from customlabels_nb.labeling.label_editing import LabelEditing
from customlabels_nb.widgets._base import STATIC, ChangeListener, Handler, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import display_with_fallback, still_html

#: Returns the labels (name, and color if one was chosen) of another project or of a file, by its path.
LabelsIn: TypeAlias = Callable[[str], list[tuple[str, str | None]]]

_MOST_IMPORTED = 10_000


class _LabelEdit(TypedDict, total=False):
    op: str
    label: str
    labels: list[tuple[str, str | None]]
    review: bool
    name: str
    color: str
    before: str | None
    into: str
    with_annotations: bool


_OPERATIONS: dict[str, Callable[[LabelEditing, _LabelEdit], int | None]] = {
    "add": lambda editing, edit: editing.add_all(edit["labels"], review=edit.get("review", False)),
    "review": lambda editing, edit: editing.review_without(edit["label"]),
    "rename": lambda editing, edit: editing.rename(edit["label"], edit["name"]),
    "recolor": lambda editing, edit: editing.recolor(edit["label"], edit["color"]),
    "move": lambda editing, edit: editing.move(edit["label"], edit["before"]),
    "merge": lambda editing, edit: editing.merge(edit["label"], into=edit["into"]),
    "remove": lambda editing, edit: editing.remove(edit["label"], with_annotations=edit.get("with_annotations", False)),
}


def label_handlers(editing: LabelEditing, labels_in: LabelsIn) -> Mapping[str, Handler]:
    """Return the handlers of a page that shows the label manager, also for widgets that show it in a panel.

    Every response to a change contains the resulting labels.
    """
    finding = threading.Lock()

    def state() -> dict[str, Any]:
        seen = editing.last_action()  # read first, so that later changes are found by the next request
        table = editing.labels()
        return {
            "seen": seen,
            "project": editing.project,
            "labels": [
                {"label": name, "color": color}
                for name, color in zip(table["label"].tolist(), table["color"].tolist(), strict=True)
            ],
            "palette": list(PALETTE),
            "done": editing.done_images(),
            "read_only": editing.read_only,
            "can_undo": editing.can_undo,
            "can_redo": editing.can_redo,
        }

    def labels(seen: int | None = None) -> Any:
        """Return the labels in order, or nothing if there was no action since the one that the page has seen."""
        return {} if seen == editing.last_action() else state()

    def uses(label: str | None = None) -> Any:
        """Count uses of each label, or of one: pairs of its name and [images in train, in test, annotations]."""
        return {"uses": [[name, counts] for name, *counts in editing.uses(label).itertuples(index=False, name=None)]}

    def change(content: _LabelEdit) -> Any:
        operation = _OPERATIONS.get(content["op"])
        if operation is None:
            raise InputError(f"op={content['op']!r} is not an operation. Choose one of {sorted(_OPERATIONS)!r}.")
        count = operation(editing, content)
        return {**state(), "count": count or 0}

    def undo() -> Any:
        message = editing.undo()
        return {**state(), "said": message}

    def redo() -> Any:
        message = editing.redo()
        return {**state(), "said": message}

    def find(source: str) -> Any:
        """Find the labels of another project or of a file, and the ones that are new here."""
        with finding:
            try:
                found = labels_in(source)
            except (CustomLabelsError, ImportError):
                raise
            except (OSError, ValueError) as error:
                raise InputError(f"Cannot read {source!r}: {error}") from error
        if len(found) > _MOST_IMPORTED:
            raise InputError(f"{source!r} has {len(found):,} labels. At most {_MOST_IMPORTED:,} can be imported.")
        existing = set(editing.labels()["label"])
        return {"total": len(found), "labels": [[name, color] for name, color in found if name not in existing]}

    return {
        "labels": labels,
        "labels uses": uses,
        "labels change": change,
        "labels undo": undo,
        "labels redo": redo,
        "labels find": find,
    }


class LabelManager(MessageHandler, ChangeListener, anywidget.AnyWidget):
    """Widget to add, rename, recolor, reorder, merge and remove labels, created by ``project.labels.edit()``.

    Every edit is saved immediately, annotations follow it, and open galleries are updated.

    Attributes
    ----------
    label : str
        The label in focus. ``observe(handler, "label")`` calls ``handler`` when it changes.

    Examples
    --------
    >>> manager = project.labels.edit()
    >>> manager.labels
    ['bathroom', 'bedroom', 'garden']
    """

    _esm = join_modules(STATIC / "label_manager/label_manager.js")
    _css = join_styles("shared/base.css", "label_manager/label_manager.css")

    label = traitlets.Unicode("")

    def __init__(self, editing: LabelEditing, labels_in: LabelsIn) -> None:
        super().__init__()
        self.editing = editing
        self.handlers = {**label_handlers(editing, labels_in), "label": self._focus}
        self.on_msg(self.answer)
        self.listen_to(editing.root)

    @property
    def labels(self) -> list[str]:
        """Labels, in order."""
        names: list[str] = self.editing.labels()["label"].tolist()
        return names

    def undo(self) -> None:
        """Undo the last edit made in this widget.

        Examples
        --------
        >>> manager = project.labels.edit()
        >>> changed = manager.editing.rename("garden", "yard")
        >>> manager.undo()
        >>> "garden" in project.labels
        True
        """
        self.editing.undo()

    def redo(self) -> None:
        """Redo the edit that was undone last.

        Examples
        --------
        >>> manager = project.labels.edit()
        >>> changed = manager.editing.rename("garden", "yard")
        >>> manager.undo()
        >>> manager.redo()
        >>> "yard" in project.labels
        True
        """
        self.editing.redo()

    def close(self) -> None:
        """Close the label manager.

        Examples
        --------
        >>> manager = project.labels.edit()
        >>> manager.close()
        """
        super().close()

    def _focus(self, label: str | None) -> Any:
        self.label = label or ""
        return {}

    def _ipython_display_(self) -> None:
        display_with_fallback(self, self._fallback())

    def _fallback(self) -> str:
        labels = list(self.editing.labels().itertuples(index=False, name=None))
        return still_html(
            labels, f"{self.editing.project}: {counted(len(labels), 'label')}. Run this cell to edit them."
        )
