"""Compact tables of a project's images and annotations, kept up to date, from which progress is computed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from customlabels_nb.core import tables as t
from customlabels_nb.labeling.session import ABOUT_NO_IMAGE, OF_LABELS
from customlabels_nb.store import SqlStore

#: Maximum number of changed images that are read again individually. If there are more, all images are read again.
_MOST_READ_AGAIN = 20_000
_MOST_ACTIONS = 200


@dataclass(frozen=True)
class ProjectCounts:
    """Images and annotations of both datasets without names. ``later`` is False for imported annotations."""

    images: pd.DataFrame
    annotations: pd.DataFrame

    @classmethod
    def of(cls, images: pd.DataFrame, annotations: pd.DataFrame) -> ProjectCounts:
        """Combine two tables from the store, dropping annotations of images that are not in ``images``."""
        positions = np.searchsorted(images["number"], annotations["number"])
        present = positions < len(images)
        present[present] = images["number"].to_numpy()[positions[present]] == annotations["number"].to_numpy()[present]
        if not present.all():  # images were added or removed between the two queries
            annotations, positions = annotations[present].reset_index(drop=True), positions[present]
        splits = pd.Categorical.from_codes(
            images["split"].cat.codes.to_numpy()[positions], images["split"].cat.categories
        )
        added = images["added"].astype("int64").to_numpy()
        later = annotations["created"].astype("int64").to_numpy() > added[positions]
        return cls(images, annotations.assign(split=splits, later=later))

    @classmethod
    def read(cls, store: SqlStore) -> ProjectCounts:
        with ThreadPoolExecutor(1) as pool:
            images = pool.submit(store.outline_images)
            annotations = store.outline_annotations()  # takes longer
            return cls.of(images.result(), annotations)

    @classmethod
    def empty(cls, store: SqlStore) -> ProjectCounts:
        columns = {"number": "int64", "label": "category", "annotator": "category", "created": t.CREATED_DTYPE}
        return cls.of(store.outline_images([]), t.empty(columns))

    def with_changed(self, images: pd.DataFrame, annotations: pd.DataFrame) -> ProjectCounts:
        """Return a copy in which these images and all their annotations replace the previous ones."""
        kept = self.images[~self.images["number"].isin(images["number"])]
        unchanged = self.annotations[~self.annotations["number"].isin(images["number"])]
        joined = pd.concat([kept, images], ignore_index=True).sort_values("number", kind="stable", ignore_index=True)
        columns = {
            name: union_categoricals([unchanged[name], annotations[name]])
            if isinstance(annotations[name].dtype, pd.CategoricalDtype)
            else pd.concat([unchanged[name], annotations[name]], ignore_index=True)
            for name in annotations.columns
        }
        return ProjectCounts.of(joined, pd.DataFrame(columns))


class FollowedCounts:
    """Counts that follow the changes to a store, as of the action ``seen``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.seen = store.last_action()  # before reading, so that concurrent changes are read twice rather than missed
        self.outline = ProjectCounts.read(store)

    def follow(self) -> bool:
        """Apply the changes since the last call, and return True if there were any."""
        if self._store.last_action() == self.seen:
            return False
        actions = self._store.actions_since(self.seen, _MOST_ACTIONS)
        silent = [
            what
            for what, images in zip(actions["what"], actions["images"], strict=True)
            if str(what).endswith(OF_LABELS) or (not images and not str(what).startswith(ABOUT_NO_IMAGE))
        ]
        touched = list(dict.fromkeys(name for images in actions["images"] for name in images))
        if silent or len(actions) == _MOST_ACTIONS or len(touched) > _MOST_READ_AGAIN or not self._renew(touched):
            self.seen = self._store.last_action()
            self.outline = ProjectCounts.read(self._store)
        else:
            self.seen = int(actions["id"].max())
        return True

    def _renew(self, names: Sequence[str]) -> bool:
        """Read these images again. Return False if one was deleted, so that everything must be read again."""
        if not names:
            return True
        images = self._store.outline_images(names)
        renewed = self.outline.with_changed(images, self._store.outline_annotations(images["number"].tolist()))
        # ``renewed`` includes all new images, so an equal count means the same images
        if len(renewed.images) != self._store.image_count():
            return False
        self.outline = renewed
        return True
