"""Turn the boxes of a dataset into polygons with a pretrained model, as one action.

The polygons of each image are cached as soon as they are found, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import iou_of_pairs, polygon_to_ltwh
from customlabels_nb.core.polygons import emptiness, simplified
from customlabels_nb.errors import ImageError, StaleEditError, TableError
from customlabels_nb.events import Events
from customlabels_nb.images.outlining import Box, Segmenter, find_mask_outline
from customlabels_nb.images.reading import open_hashed
from customlabels_nb.labeling import change_signal
from customlabels_nb.labeling.outliner import encode_cached
from customlabels_nb.remote.content_cache import ContentCache, content_key, project_cache
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings

_LEAST_IOU = 0.5  # of the box around an outline with the box that it was found in
_SURE = 0.999  # of labels by models: people are certain
_ATTEMPTS = 20
_RULES = 1  # version of what makes an outline valid, for cached polygons
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
    found: list[tuple[Any, float, str]] = []
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


def outlines_in(
    image: str, content: Any, boxes: list[Box], root: Path, segmenter: Segmenter, cache: ContentCache
) -> list[tuple[Any, float, str]]:
    """Return a polygon (or None), its score and the reason if None for each box, cached by the hash ``content``."""
    sha256 = content if isinstance(content, str) else None
    key = f"{content_key(sha256, segmenter.name, segmenter.version, _RULES, boxes)}-polygons.json" if sha256 else None
    if key is not None and (data := cache.get(key)) is not None:
        return [(polygon, score, reason) for polygon, score, reason in json.loads(data)]
    opened: list[str] = []

    def decode() -> tuple[Any, str]:
        picture, content = open_hashed(image, root, content_id=sha256)
        opened.append(content)
        return picture, content

    try:
        encoded, size = encode_cached(segmenter, sha256, decode, cache, keep=False)
    except ImageError as error:
        return [(None, 0.0, str(error))] * len(boxes)
    results = []
    for box in boxes:
        logits, score = segmenter.mask(encoded, size, box=box)
        polygon, pixel = find_mask_outline(logits, size)
        polygon = simplified(polygon, max(1.0, pixel / 2)) if polygon else None
        reason = "The model found no object in the box." if polygon is None or emptiness(polygon) else ""
        if not reason and iou_of_pairs([polygon_to_ltwh(polygon)], [box])[0] < _LEAST_IOU:
            reason = "The outline does not fit the box."
        results.append((None if reason else polygon, float(np.nan_to_num(score)), reason))
    if key is not None and opened in ([], [sha256]):  # the file may have changed since it was hashed
        cache.put(key, json.dumps(results).encode())
    return results


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
