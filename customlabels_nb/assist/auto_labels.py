"""Label images with the predictions that can be trusted, as one action that leaves the labels of people alone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.assist.background_training import Place
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import StaleEditError, TableError
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings

_ATTEMPTS = 20  # while people label the same images


class AutoLabels:
    """Labels that a model would give, returned by :meth:`Assist.auto_label`.

    Attributes
    ----------
    frame : DataFrame
        Trusted predictions for unlabelled training images: image, label, confidence, box columns and polygon.
    threshold : float or None
        Minimum confidence of a prediction, None if no predictions can be trusted.
    text : str
        The result as a sentence.
    """

    def __init__(self, place: Place, run: dict[str, Any], revisions: dict[str, int]) -> None:
        self.frame = pd.DataFrame(run["found"], columns=["image", "label", "confidence", *t.BOX_COLUMNS, "polygon"])
        self.frame = self.frame[self.frame["image"].isin(revisions)].reset_index(drop=True)
        promise = run["promise"]
        self.threshold: float | None = promise and promise["threshold"]
        self._place, self._annotator, self._revisions = place, f"{t.MACHINE}{run['run']}", revisions
        images = counted(self.frame["image"].nunique(), "image")
        what = "the boxes" if run.get("task") == "boxes" else "them"
        self.text = (
            f"{images} can be labelled, at least {promise['bound']:.1%} of {what} right."
            if promise
            else f"No prediction can be trusted at {run['target']:.0%} yet. {run['note']}".strip()
        )

    def apply(self) -> int:
        """Label the images as one action, and return their number. ``project.undo()`` restores all of them.

        Images that were labelled, skipped, changed or removed since the predictions were made stay as they are.

        Examples
        --------
        >>> labels = project.assist.auto_label(dry_run=True)  # doctest: +SKIP
        >>> labels.apply()  # doctest: +SKIP
        212
        """
        return self._label(_ATTEMPTS)

    def _label(self, attempts: int) -> int:
        """Store the labels of the images that have not been changed since, and return the number of images."""
        store, frame = self._place.store, self.frame
        images, annotations, _ = store.tables(t.TRAIN, frame["image"].unique().tolist())
        same = images["revision"] == images["image"].map(self._revisions)
        images = images[same & (images["status"] == "unlabelled") & ~images["image"].isin(annotations["image"])]
        rows = frame[frame["image"].isin(images["image"]) & frame["label"].isin(store.labels()["label"])]
        images = images[images["image"].isin(rows["image"])].reset_index(drop=True)
        if images.empty:
            return 0
        rows = rows.assign(confidence=rows["confidence"].clip(0, 0.999))
        labelled = t.normalise_annotations(rows, annotator=self._annotator)
        action = Action("auto-label", settings.user, self._annotator)
        try:
            done = store.update_images(t.TRAIN, t.settle_statuses(images, labelled), labelled, action)
        except (StaleEditError, TableError):  # a person was faster: leave that image out
            if not attempts:
                raise
            return self._label(attempts - 1)
        change_signal.notify(self._place.root)
        return done.count

    def __repr__(self) -> str:
        return self.text
