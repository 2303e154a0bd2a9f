"""Named snapshots of datasets: ``project.snapshots``."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore

_LONGEST = 256
_SHOWN = 20


class Snapshots:
    """What the datasets were at moments that somebody gave a name, kept in the project's database.

    Taking one, cleaning up, ``diff`` and perhaps ``restore``: names are any text, and never become a path.
    """

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    @property
    def list(self) -> pd.DataFrame:
        """The snapshots, oldest first: name, created, who, split (null: both sides), and counts images, annotations."""
        return self._store.snapshots()

    def take(self, name: str, split: str | None = None) -> int:
        """Keep what the datasets are now; returns of how many images.

        Parameters
        ----------
        name : str
            1 to 256 characters, not the name of another snapshot.
        split : {"train", "test"}, optional
            Only this one.

        Raises
        ------
        NotAllowedError
            If the name is taken.
        """
        if split is not None:
            t.check_split(split)
        name = _check_name(name)
        return self._store.take_snapshot(name, split, Action("take snapshot", settings.user, name)).count

    def diff(self, before: str, after: str | None = None) -> pd.DataFrame:
        """What changed from one snapshot to another, or to now if none is given.

        Returns
        -------
        DataFrame
            image, split, change, before, after; a row for each change of an image. ``change`` is "added", "removed",
            "moved" (to the other side), "status", "relabelled", "redrawn" (boxes or their facts changed, the labels did
            not) or "details" (source, tags, own columns).
        """
        return self._store.compare_snapshots(before, after)

    def restore(self, name: str) -> int:
        """Make the datasets what they were, as one action that ``project.undo()`` takes back.

        Images that were added since are removed from the dataset, those that were removed come back; no file is
        touched. A snapshot of one side leaves the other as it is, except that images which were moved there come back.
        Returns how many images changed.
        """
        return self._store.restore_snapshot(name, Action("restore snapshot", settings.user, one_line(name))).count

    def delete(self, name: str) -> None:
        """Forget a snapshot; the datasets stay as they are."""
        self._store.delete_snapshot(name, Action("delete snapshot", settings.user, one_line(name)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.snapshots()["name"].tolist())

    def __len__(self) -> int:
        return len(self._store.snapshots())

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def __repr__(self) -> str:
        names = [*self]
        more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
        return f"Snapshots({', '.join([*map(repr, names[:_SHOWN]), *more])})"

    def _repr_html_(self) -> str:
        return render("snapshots.html", snapshots=self.list.tail(_SHOWN).to_dict("records"))


def _check_name(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    try:
        storable = "\0" not in text and bool(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        storable = False
    if not storable or len(text) > _LONGEST:
        raise InputError(f"name={name!r} can't name a snapshot: use 1 to {_LONGEST} characters of text.")
    return text
