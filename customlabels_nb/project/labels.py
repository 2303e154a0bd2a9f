"""Labels of a project: ``project.labels``."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core import change_signal
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import LabelError
from customlabels_nb.project import screens
from customlabels_nb.project.label_sources import labels_in
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from customlabels_nb.widgets.label_manager import LabelManager

_IN_TEXT = 20  # labels shown in the repr


class Labels(NameHints):
    """Ordered labels of a project.

    Every change is one action that also updates annotations and predictions, in the same transaction. Iterating over
    the object yields the label names.

    Examples
    --------
    >>> project.labels
    Labels('bathroom', 'bedroom', 'garden')
    >>> "garden" in project.labels
    True
    """

    def __init__(self, location: ProjectLocation) -> None:
        self._location = location

    @property
    def _store(self) -> SqlStore:
        return self._location.store

    def edit(self) -> LabelManager:
        """Open the label manager to add, import, rename, recolor, reorder, merge and remove labels, and to undo.

        Examples
        --------
        >>> manager = project.labels.edit()
        """
        return screens.open_label_manager(self._location)

    def to_frame(self) -> pd.DataFrame:
        """Return the labels as a table with columns label and color.

        Examples
        --------
        >>> project.labels.to_frame()["label"].tolist()
        ['bathroom', 'bedroom', 'garden']
        """
        return self._store.labels()

    @property
    def colors(self) -> dict[str, str]:
        """Color (#rrggbb) of each label, as a dict."""
        table = self.to_frame()
        return dict(zip(table["label"], table["color"], strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.labels()["label"].tolist())

    def __len__(self) -> int:
        return len(self._store.labels())

    def __contains__(self, label: object) -> bool:
        return label in set(self)

    def add(self, label: str, *, color: str | None = None, review: bool = False, exist_ok: bool = False) -> None:
        """Add a label at the end, with the given color, such as ``"#c8553d"``, or the next palette color.

        With ``review=True``, images that are already labelled get the status "needs_review", as the new label may apply
        to them. With ``exist_ok=True``, nothing happens if the label exists, so that a cell can be run again.

        Examples
        --------
        >>> project.labels.add("kitchen", color="#c8553d")
        >>> list(project.labels)
        ['bathroom', 'bedroom', 'garden', 'kitchen']
        """
        try:
            self._store.add_labels([(label, color)], Action("add label", settings.user), review=review)
        except LabelError:
            if not exist_ok or not isinstance(label, str) or unicodedata.normalize("NFC", label.strip()) not in self:
                raise
        change_signal.notify(self._location.root)

    def add_from(self, source: str | os.PathLike[str] | Dataset | Labels, *, review: bool = False) -> list[str]:
        """Add all new labels from another project, a dataset or a file as one action, and return the names added.

        Parameters
        ----------
        source : path, URL, Dataset or Labels
            Folder of another project, or its ``labels`` (the colors are copied as well in both cases), a dataset, or a
            file in a format that ``cl.read_dataset`` supports.
        review : bool
            As in :meth:`add`.

        Examples
        --------
        >>> project.labels.add_from(boxes.labels)
        ['diode', 'resistor']
        """
        if isinstance(source, Labels):
            pairs: list[tuple[str, str | None]] = list(source._store.labels().itertuples(index=False, name=None))
        else:
            pairs = labels_in(source)
        existing = set(self)
        new = [(label, color) for label, color in pairs if label not in existing]
        self._store.add_labels(new, Action("add labels", settings.user), review=review)
        change_signal.notify(self._location.root)
        return [label for label, _ in new]

    def rename(self, label: str, new: str) -> int:
        """Rename a label and return the number of annotations changed.

        ``new`` must not be an existing label. To combine two labels, use :meth:`merge`.

        Examples
        --------
        >>> project.labels.rename("garden", "yard")
        6
        >>> list(project.labels)
        ['bathroom', 'bedroom', 'yard']
        """
        count = self._store.rename_label(label, new, Action("rename label", settings.user)).count
        change_signal.notify(self._location.root)
        return count

    def merge(self, label: str, *, into: str) -> int:
        """Relabel ``label`` as ``into`` everywhere, remove ``label``, and return the number of annotations changed.

        Examples
        --------
        >>> project.labels.merge("bathroom", into="bedroom")
        6
        >>> project.labels
        Labels('bedroom', 'garden')
        """
        count = self._store.merge_labels(label, into, Action("merge labels", settings.user)).count
        change_signal.notify(self._location.root)
        return count

    def remove(self, label: str, *, with_annotations: bool = False) -> int:
        """Remove a label and return the number of removed annotations.

        A label that is in use is only removed if ``with_annotations=True``, together with its annotations.

        Examples
        --------
        >>> project.labels.remove("garden", with_annotations=True)
        6
        """
        written = self._store.remove_label(
            label, Action("remove label", settings.user), with_annotations=with_annotations
        )
        change_signal.notify(self._location.root)
        return written.count

    def reorder(self, labels: Sequence[str]) -> None:
        """Put the labels in this order, followed by all other labels in their current order.

        Raises
        ------
        LabelError
            If a label is unknown or listed twice, or ``labels`` is a single string.

        Examples
        --------
        >>> project.labels.reorder(["garden", "bathroom"])
        >>> project.labels
        Labels('garden', 'bathroom', 'bedroom')
        """
        if isinstance(labels, str | bytes):
            raise LabelError(f"labels={labels!r} must be a list of names, not a single name.")
        self._store.reorder_labels(list(labels), Action("reorder labels", settings.user))
        change_signal.notify(self._location.root)

    def recolor(self, label: str, color: str) -> None:
        """Change the color of a label, such as ``"#2f7fc1"``.

        Examples
        --------
        >>> project.labels.recolor("garden", "#2f7fc1")
        >>> project.labels.colors["garden"]
        '#2f7fc1'
        """
        self._store.recolor_label(label, color, Action("recolor label", settings.user))
        change_signal.notify(self._location.root)

    def __repr__(self) -> str:
        names = list(self)
        more = [f"and {len(names) - _IN_TEXT:,} more"] if len(names) > _IN_TEXT else []
        return f"Labels({', '.join([*map(repr, names[:_IN_TEXT]), *more])})"

    def _repr_html_(self) -> str:
        return render("labels.html", labels=list(self.to_frame().itertuples(index=False, name=None)))
