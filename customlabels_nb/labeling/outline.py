"""A project in numbers, kept up to date: what progress is counted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from customlabels_nb.labeling.listing import ABOUT_NO_IMAGE
from customlabels_nb.store import Store

#: So many images are read again one by one; for more, all are.
_MOST_READ_AGAIN = 20_000
_MOST_ACTIONS = 200


@dataclass(frozen=True)
class Outline:
    """Images and annotations of both datasets, without names; see :meth:`customlabels_nb.store.Store.outline`.

    Attributes
    ----------
    images : DataFrame
        number, split, status, added, predicted; by number.
    annotations : DataFrame
        number (of the image), label, annotator, created, and what follows from the image: split, and ``later``, whether
        it was given after the image had come into the project (not with it, by an import).
    """

    images: pd.DataFrame
    annotations: pd.DataFrame

    @classmethod
    def of(cls, images: pd.DataFrame, annotations: pd.DataFrame) -> Outline:
        """From the two tables as the store gives them."""
        at = np.searchsorted(images["number"], annotations["number"])
        splits = pd.Categorical.from_codes(images["split"].cat.codes.to_numpy()[at], images["split"].cat.categories)
        added = images["added"].astype("int64").to_numpy()
        later = annotations["created"].astype("int64").to_numpy() > added[at]
        return cls(images, annotations.assign(split=splits, later=later))

    def with_changed(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Outline:
        """The same with these images, and all their annotations, in place of what they were."""
        kept = self.images[~self.images["number"].isin(images["number"])]
        marks = self.annotations[~self.annotations["number"].isin(images["number"])]
        joined = pd.concat([kept, images], ignore_index=True).sort_values("number", kind="stable", ignore_index=True)
        columns = {
            name: union_categoricals([marks[name], annotations[name]])
            if isinstance(annotations[name].dtype, pd.CategoricalDtype)
            else pd.concat([marks[name], annotations[name]], ignore_index=True)
            for name in annotations.columns
        }
        return Outline.of(joined, pd.DataFrame(columns))


class FollowedOutline:
    """The outline of a store that others write to, as of the action ``seen``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read_all()

    def read_all(self) -> None:
        """Read all of it anew."""
        self.seen = self._store.last_action()  # before reading: what is done meanwhile is only read twice
        self.outline = Outline.of(*self._store.outline())

    def follow(self) -> bool:
        """Take over what was done since the last call; returns whether anything was."""
        if self._store.last_action() == self.seen:
            return False
        actions = self._store.actions_since(self.seen, _MOST_ACTIONS)
        silent = [
            what
            for what, images in zip(actions["what"], actions["images"], strict=True)
            if not images and not str(what).startswith(ABOUT_NO_IMAGE)
        ]
        touched = list(dict.fromkeys(name for images in actions["images"] for name in images))
        if silent or len(actions) == _MOST_ACTIONS or len(touched) > _MOST_READ_AGAIN or not self._renew(touched):
            self.read_all()
        else:
            self.seen = int(actions["id"].max())
        return True

    def _renew(self, names: Sequence[str]) -> bool:
        """Read these images again; False if one of them is gone, and only reading all tells which it was."""
        if not names:
            return True
        renewed = self.outline.with_changed(*self._store.outline(names))
        # whatever came is among them; so as many as there are means the same ones
        if len(renewed.images) != self._store.image_count():
            return False
        self.outline = renewed
        return True
