"""The labels of a project: ``project.labels``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from customlabels_nb._utils.text import escaped
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import LabelError
from customlabels_nb.project.label_sources import labels_in
from customlabels_nb.store import Action, SqlStore

if TYPE_CHECKING:
    from customlabels_nb.widgets.label_manager import LabelManager

_IN_TEXT, _IN_HTML = 20, 40  # labels that are shown


class Labels:
    """The labels in order. Every change is one action: annotations and predictions follow in the same transaction.

    Parameters
    ----------
    changed : callable
        Called after every change: screens that show the labels follow at once.
    edit : callable
        Opens the label manager.
    """

    def __init__(
        self,
        store: SqlStore,
        action: Callable[[str, str], Action],
        *,
        changed: Callable[[], None],
        edit: Callable[[], LabelManager],
    ) -> None:
        self._store = store
        self._action = action
        self._changed = changed
        self._edit = edit

    def edit(self) -> LabelManager:
        """The label manager, a widget: add, rename, recolour, reorder, merge, remove, import names, undo."""
        return self._edit()

    def to_frame(self) -> pd.DataFrame:
        """The labels table: label, colour."""
        return self._store.labels()

    @property
    def colours(self) -> dict[str, str]:
        """Label → colour (#rrggbb)."""
        table = self.to_frame()
        return dict(zip(table["label"], table["colour"], strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.labels()["label"].tolist())

    def __len__(self) -> int:
        return len(self._store.labels())

    def __contains__(self, label: object) -> bool:
        return label in set(self)

    def add(self, label: str, *, colour: str | None = None, review: bool = False) -> None:
        """Add a label at the end, with a colour such as ``"#c8553d"`` or the next of the palette.

        With ``review=True`` the images that are done already need review then: the new label may be right for them.
        """
        self._store.add_labels([(label, colour)], self._action("add label", ""), review=review)
        self._changed()

    def add_from(self, source: str | os.PathLike[str] | Dataset | Labels, *, review: bool = False) -> list[str]:
        """Add the labels that stand elsewhere and aren't here yet, as one action; returns their names.

        Parameters
        ----------
        source : path, URL, Dataset or Labels
            The folder of another project or its ``labels`` (their colours come along, too), a dataset, or a file in a
            format that ``cl.read_dataset`` knows.
        review : bool
            As in :meth:`add`.
        """
        if isinstance(source, Labels):
            found: list[tuple[str, str | None]] = list(source._store.labels().itertuples(index=False, name=None))
        else:
            found = labels_in(source)
        known = set(self)
        new = [(label, colour) for label, colour in found if label not in known]
        self._store.add_labels(new, self._action("add labels", ""), review=review)
        self._changed()
        return [label for label, _ in new]

    def rename(self, label: str, new: str) -> int:
        """Rename a label; returns how many annotations follow. An existing name is refused: see :meth:`merge`."""
        count = self._store.rename_label(label, new, self._action("rename label", "")).count
        self._changed()
        return count

    def merge(self, label: str, *, into: str) -> int:
        """Make all annotations of ``label`` into ``into`` and remove ``label``; returns how many there were."""
        count = self._store.merge_labels(label, into, self._action("merge labels", "")).count
        self._changed()
        return count

    def remove(self, label: str, *, with_annotations: bool = False) -> int:
        """Remove a label. If it is used that is refused, with the count, unless ``with_annotations=True``."""
        action = self._action("remove label", "")
        written = self._store.remove_label(label, action, with_annotations=with_annotations)
        self._changed()
        return written.count

    def reorder(self, labels: Sequence[str]) -> None:
        """Put the labels in this order; those not named follow in their old order.

        Raises
        ------
        LabelError
            If one is unknown or named twice, or ``labels`` is a single name.
        """
        if isinstance(labels, str | bytes):
            raise LabelError(f"labels={labels!r} is one name; give a list of them.")
        self._store.reorder_labels(list(labels), self._action("reorder labels", ""))
        self._changed()

    def recolour(self, label: str, colour: str) -> None:
        """Give a label another colour, such as ``"#2f7fc1"``."""
        self._store.recolour_label(label, colour, self._action("recolour label", ""))
        self._changed()

    def __repr__(self) -> str:
        names = list(self)
        more = [f"and {len(names) - _IN_TEXT:,} more"] if len(names) > _IN_TEXT else []
        return f"Labels({', '.join([*map(repr, names[:_IN_TEXT]), *more])})"

    def _repr_html_(self) -> str:
        table = self.to_frame()
        items = "".join(
            f'<li><span style="color:{escaped(row.colour)}">●</span> <bdi>{escaped(row.label)}</bdi></li>'
            for row in table.head(_IN_HTML).itertuples()
        )
        more = f"<div>and {len(table) - _IN_HTML:,} more labels</div>" if len(table) > _IN_HTML else ""
        return f'<ol style="margin:0">{items}</ol>{more}' if items else "<i>No labels yet: project.labels.add(…)</i>"
