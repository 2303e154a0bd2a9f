"""Named snapshots of datasets: ``project.snapshots``."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from customlabels_nb._utils.rendering import facts_html
from customlabels_nb._utils.text import one_line
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.project.location import storable_text
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings

_LONGEST = 256
_SHOWN = 20


class Snapshots(NameHints):
    """Named snapshots of the datasets, stored in the project's database.

    A typical use is to take a snapshot, clean up the labels, then call ``diff`` and perhaps ``restore``. A name can be
    any string and is never used as a path.

    Examples
    --------
    >>> project.snapshots.take("before cleaning")
    18
    >>> project.snapshots
    Snapshots('before cleaning')
    """

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    @property
    def list(self) -> pd.DataFrame:
        """Table of snapshots, oldest first: name, created, who, split (NaN for both), images, annotations (counts)."""
        return self._store.snapshots()

    def take(self, name: str, *, split: t.Split | None = None) -> int:
        """Take a snapshot of the current datasets and return its number of images.

        Parameters
        ----------
        name : str
            1 to 256 characters, different from the names of other snapshots.
        split : {"train", "test"}, optional
            Dataset to include. By default both.

        Raises
        ------
        NotAllowedError
            If the name is already used.

        Examples
        --------
        >>> project.snapshots.take("first labels", split="train")
        12
        """
        if split is not None:
            t.check_split(split)
        name = _check_name(name)
        return self._store.take_snapshot(name, split, Action("take snapshot", settings.user, name)).count

    def diff(self, before: str, after: str | None = None) -> pd.DataFrame:
        """Compare two snapshots, or a snapshot with the current datasets if ``after`` is None.

        Returns
        -------
        DataFrame
            One row per change to an image: image, split, change, before, after. ``change`` is "added", "removed",
            "moved" (to the other split), "status", "relabelled", "redrawn" (boxes or their attributes have changed, but
            not the labels), "notes" (only of annotations) or "details" (source, tags, custom columns).

        Examples
        --------
        >>> images = project.train_set.images["image"].head(2).tolist()
        >>> project.snapshots.take("before cleaning")
        18
        >>> project.remove("train", images)
        2
        >>> project.snapshots.diff("before cleaning")["change"].tolist()
        ['removed', 'removed']
        """
        return self._store.compare_snapshots(before, after)

    def restore(self, name: str) -> int:
        """Restore the datasets of a snapshot and return the number of changed images.

        This is one action that ``project.undo()`` reverts. Images added since then are removed from the dataset, and
        removed images are restored. No file is changed. Restoring a snapshot of one split does not change the other
        split, except that images moved there are moved back.

        Examples
        --------
        >>> project.snapshots.take("before cleaning")
        18
        >>> project.remove("train", project.train_set.images["image"].head(2).tolist())
        2
        >>> project.snapshots.restore("before cleaning")
        2
        >>> len(project.train_set)
        12
        """
        return self._store.restore_snapshot(name, Action("restore snapshot", settings.user, one_line(name))).count

    def delete(self, name: str) -> None:
        """Delete a snapshot. The datasets are not changed.

        Examples
        --------
        >>> project.snapshots.take("before cleaning")
        18
        >>> project.snapshots.delete("before cleaning")
        >>> len(project.snapshots)
        0
        """
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
        taken = self.list.fillna({"split": "both"}).tail(_SHOWN)
        hint = [] if len(taken) else ["No snapshots yet: project.snapshots.take(…)"]
        return facts_html("", [], hint, columns=list(taken), rows=list(taken.itertuples(index=False, name=None)))


def _check_name(name: object) -> str:
    text = storable_text(name, _LONGEST)
    if not text:
        raise InputError(f"name={name!r} is not a valid snapshot name. Use 1 to {_LONGEST} characters of text.")
    return text
