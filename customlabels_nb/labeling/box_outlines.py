"""Turn the boxes of a dataset into polygons with a pretrained model, as one action.

The polygons of each image are cached as soon as they are found, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.errors import StaleEditError, TableError
from customlabels_nb.events import Events
from customlabels_nb.images.outlining import Segmenter
from customlabels_nb.inference.segmenters import BoxOutline, outlines_in
from customlabels_nb.remote.content_cache import project_cache
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings

_SURE = 0.999  # of labels by models: people are certain
_ATTEMPTS = 20
_FAILED = ["image", "label", *t.BOX_COLUMNS, "reason"]


@dataclass(frozen=True, repr=False)
class BoxOutlines:
    """Result of :meth:`.Project.boxes_to_polygons`.

    Attributes
    ----------
    polygons, images : int
        Number of boxes that became polygons, and of their images.
    failed : DataFrame
        Boxes that are still boxes: image, label, left, top, width, height and reason.
    annotator : str
        Annotator of the polygons: "model:" and the name of the model.
    """

    polygons: int
    images: int
    failed: pd.DataFrame
    annotator: str

    def __repr__(self) -> str:
        done = f"{counted(self.polygons, 'box', 'boxes')} in {counted(self.images, 'image')} became polygons"
        still = f", {counted(len(self.failed), 'box has', 'boxes have')} no outline (.failed lists them)"
        next_step = ' Train with project.train(task="polygons", machine_labels=True).' if self.polygons else ""
        return f"{done}{still if len(self.failed) else ''}.{next_step}"


def outline_boxes(
    store: SqlStore, root: Path, split: str, get_segmenter: Callable[[], Segmenter], events: Events
) -> BoxOutlines:
    """Replace boxes by the segmenter's polygons, as one action, except crowds and polygons."""
    images, annotations, _ = store.tables(split)
    boxes = annotations[annotations["left"].notna() & annotations["polygon"].isna() & ~annotations["crowd"]]
    if boxes.empty:
        return BoxOutlines(0, 0, boxes.assign(reason="")[_FAILED], "")
    segmenter = get_segmenter()
    cache = project_cache(root, "thumbnails")
    found: list[BoxOutline] = []
    order: list[Any] = []
    content = dict(zip(images["image"], images["sha256"], strict=True))
    groups = boxes.groupby("image", sort=False)
    for done, (image, rows) in enumerate(groups, 1):
        areas = [tuple(area) for area in rows[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64).tolist()]
        found += outlines_in(str(image), content[image], areas, root, segmenter, cache)
        order += rows.index.tolist()
        events.progress("outlining", done, len(groups))
    table = pd.DataFrame(found, index=order, columns=["polygon", "score", "reason"])
    annotator = f"{t.MACHINE}{segmenter.name}"
    changed = _store(store, split, images, annotations, table[table["reason"] == ""], annotator, segmenter.version)
    table.loc[(table["reason"] == "") & ~table.index.isin(changed), "reason"] = "The image was changed meanwhile."
    change_signal.notify(root)
    failed = boxes.join(table["reason"]).query("reason != ''")[_FAILED].reset_index(drop=True)
    return BoxOutlines(len(changed), boxes.loc[changed, "image"].nunique(), failed, annotator)


def _store(
    store: SqlStore,
    split: str,
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    table: pd.DataFrame,
    annotator: str,
    version: str,
) -> list[Any]:
    """Store the polygons of images that were not changed since they were read, and return the rows of their boxes."""
    revisions = dict(zip(images["image"], images["revision"].tolist(), strict=True))
    action = Action("boxes to polygons", settings.user, f"{annotator} {version}")
    for _ in range(_ATTEMPTS):
        table = table[annotations.loc[table.index, "image"].isin(revisions)]
        if table.empty:
            return []
        rows = annotations.loc[table.index].assign(polygon=table["polygon"])
        for index, polygon in table["polygon"].items():
            rows.loc[index, list(t.BOX_COLUMNS)] = polygon_to_ltwh(polygon)
        rows["confidence"] = table["score"].clip(0, _SURE)
        rows = rows.assign(annotator=annotator, created=pd.Timestamp.now(tz="UTC"))
        changed = images[images["image"].isin(rows["image"])]
        others = annotations[annotations["image"].isin(rows["image"]) & ~annotations.index.isin(rows.index)]
        annotated = pd.concat([others, rows]).sort_index().reset_index(drop=True)
        try:
            store.update_images(split, changed, annotated, action)
        except StaleEditError as error:
            revisions = {image: revision for image, revision in revisions.items() if image not in set(error.images)}
        except TableError:  # images were removed meanwhile
            here = set(store.images(split)["image"])
            revisions = {image: revision for image, revision in revisions.items() if image in here}
        else:
            return table.index.tolist()
    return []
