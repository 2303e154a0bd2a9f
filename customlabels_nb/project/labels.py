"""The labels of a project: ``project.labels``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import LabelError
from customlabels_nb.labeling import change_signal
from customlabels_nb.project import screens
from customlabels_nb.project.label_sources import labels_in
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore

if TYPE_CHECKING:
    from customlabels_nb.widgets.label_manager import LabelManager

_IN_TEXT = 20  # labels that are shown


class Labels:
    """The labels in order. Every change is one action: annotations and predictions follow in the same transaction."""

    def __init__(self, place: ProjectLocation) -> None:
        self._place = place

    @property
    def _store(self) -> SqlStore:
        return self._place.store

    def edit(self) -> LabelManager:
        """The label manager, a widget: add, rename, recolour, reorder, merge, remove, import names, undo."""
        return screens.open_label_manager(self._place)

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
        self._store.add_labels([(label, colour)], Action("add label", settings.user), review=review)
        change_signal.notify(self._place.root)

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
        self._store.add_labels(new, Action("add labels", settings.user), review=review)
        change_signal.notify(self._place.root)
        return [label for label, _ in new]

    def rename(self, label: str, new: str) -> int:
        """Rename a label; returns how many annotations follow. An existing name is refused: see :meth:`merge`."""
        count = self._store.rename_label(label, new, Action("rename label", settings.user)).count
        change_signal.notify(self._place.root)
        return count

    def merge(self, label: str, *, into: str) -> int:
        """Make all annotations of ``label`` into ``into`` and remove ``label``; returns how many there were."""
        count = self._store.merge_labels(label, into, Action("merge labels", settings.user)).count
        change_signal.notify(self._place.root)
        return count

    def remove(self, label: str, *, with_annotations: bool = False) -> int:
        """Remove a label. If it is used that is refused, with the count, unless ``with_annotations=True``."""
        written = self._store.remove_label(
            label, Action("remove label", settings.user), with_annotations=with_annotations
        )
        change_signal.notify(self._place.root)
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
        self._store.reorder_labels(list(labels), Action("reorder labels", settings.user))
        change_signal.notify(self._place.root)

    def recolour(self, label: str, colour: str) -> None:
        """Give a label another colour, such as ``"#2f7fc1"``."""
        self._store.recolour_label(label, colour, Action("recolour label", settings.user))
        change_signal.notify(self._place.root)

    def __repr__(self) -> str:
        names = list(self)
        more = [f"and {len(names) - _IN_TEXT:,} more"] if len(names) > _IN_TEXT else []
        return f"Labels({', '.join([*map(repr, names[:_IN_TEXT]), *more])})"

    def _repr_html_(self) -> str:
        return render("labels.html", labels=list(self.to_frame().itertuples(index=False, name=None)))
