"""Convert annotations to and from the ``data`` of ipyannotations widgets: a class, a list of classes, or shapes.

A box is ``{"type": "box", "label": …, "xyxy": (x0, y0, x1, y1)}``, a polygon
``{"type": "polygon", "label": …, "points": [(x, y), …]}`` with the first point repeated at the end, a point
``{"type": "point", "label": …, "coordinates": (x, y)}``, all in pixels of the image (ipyannotations 0.5,
``images/canvases/shapes.py``). This package represents a point as a box with width and height 0.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, polygon_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import from_one_ring, to_one_ring
from customlabels_nb.datasets.formats.account import TAKEN, Account, Record
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.entries import UnreadableError
from customlabels_nb.datasets.formats.given_tables import settle_boxes
from customlabels_nb.datasets.formats.verdicts import in_pixels
from customlabels_nb.datasets.interop.common import boxes_of, chosen_task, has_place, left_out, place_of
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import absolute_uri

#: Kinds of data, one for each kind of ipyannotations widget.
TASKS = (*t.TASKS, "points")
_SOURCE = "the data"


def from_ipyannotations(data: Mapping[Any, Any]) -> Contents:
    """Implement :func:`customlabels_nb.datasets.loading.from_ipyannotations`."""
    if not isinstance(data, Mapping):
        raise InputError(f"data is of type {type(data).__name__}, but must be a dict that maps images to annotations.")
    found, statuses = _Found(), dict[str, str]()
    for image, answer in data.items():
        if not isinstance(image, str | os.PathLike) or not os.fspath(image):
            raise InputError(f"data has the key {image!r}, which is not the path or URL of an image.")
        uri = absolute_uri(os.fspath(image))
        if uri in statuses:
            raise InputError(f"data contains the image {uri!r} twice.")
        entries = _entries(answer, uri)
        read = [found.read(uri, number, entry) for number, entry in enumerate(entries or [])]
        # not "labelled as empty" if there are annotations, but none could be read
        statuses[uri] = "unlabelled" if entries is None or (read and not any(read)) else "labelled"
    if not statuses:
        return Contents()
    images = t.normalise_images(pd.DataFrame({"image": list(statuses), "status": list(statuses.values())}))
    images, annotations, settled = _settled(images, found.rows, found.points)
    issues = [*found.issues, *settled, *found.account.issues(_SOURCE)]
    return Contents(images, annotations, t.labels_in_order(annotations), issues)


@dataclass
class _Found:
    """Rows of classes and shapes, those of points, and what could not be read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    account: Account = field(default_factory=Account)

    def read(self, uri: str, number: int, entry: Any) -> bool:
        """Add an annotation of an image, or an issue, and return whether it could be read."""
        try:
            row = {"image": uri, **_row(entry)}
        except (UnreadableError, LabelError) as error:
            self.issues.append(Issue("ENTRY_UNREADABLE", f"Annotation {number}: {error}", where=uri))
            return False
        kind = "" if isinstance(entry, str) else entry["type"]
        (self.points if kind == "point" else self.rows).append(row)
        if kind:
            self.account.record(entry, _RECORDS[kind], uri)
        return True


def _settled(
    images: pd.DataFrame, rows: list[dict[str, Any]], points: list[dict[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return the tables with boxes in pixels, and issues. Points are judged, too, but have no area by their nature."""
    boxes, places = (
        t.normalise_annotations(pd.DataFrame(each)) if each else t.empty(t.ANNOTATION_COLUMNS)
        for each in (rows, points)
    )
    images, boxes, issues = settle_boxes(images, boxes, _SOURCE)
    places, adjusted = in_pixels(images, places, _SOURCE)
    issues += adjusted
    annotations = pd.concat([boxes, places], ignore_index=True) if len(places) else boxes
    emptied = [issue.where for issue in issues if issue.code == "IMAGE_NOT_LISTED"]
    images = t.settle_statuses(images, annotations, changed=pd.Series(emptied, dtype=object))
    return images, annotations, issues


def _entries(answer: Any, uri: str) -> list[Any] | None:
    """Return the list of shapes or classes, or None for an unlabelled image."""
    if answer is None:
        return None
    if isinstance(answer, str):
        return [answer]
    if isinstance(answer, list | tuple):
        return list(answer)
    raise InputError(f"data has {answer!r} for {uri!r}. Pass a class, a list of classes, or a list of shapes.")


def _row(entry: Any) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"label": t.check_label(entry)}
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if not isinstance(kind, str) or kind not in _SHAPES:
        raise UnreadableError(f"{entry!r} is neither a class nor a shape of type {', '.join(_SHAPES)}.")
    label = t.check_label(entry.get("label"))
    key, shape = _SHAPES[kind]
    try:
        with np.errstate(over="ignore"):
            return {"label": label, **shape(entry[key])}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableError(f"{entry!r} has no valid {key} ({error}).") from error


def _of_box(xyxy: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = (_finite(side) for side in xyxy)
    return _sides(xyxy_to_ltwh([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)])[0].tolist())


def _of_polygon(polygon: Any) -> dict[str, Any]:
    points = [[_finite(x), _finite(y)] for x, y in polygon]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    if len(points) < 3:
        raise ValueError(f"it has only {len(points)} points")
    return {"polygon": from_one_ring(points), **_sides(polygon_to_ltwh(points).tolist())}


def _of_point(coordinates: Any) -> dict[str, Any]:
    x, y = (_finite(side) for side in coordinates)
    return _sides([x, y, 0.0, 0.0])


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _sides(box: list[float]) -> dict[str, float]:
    return dict(zip(t.BOX_COLUMNS, map(_finite, box), strict=True))


_SHAPES: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "box": ("xyxy", _of_box),
    "polygon": ("points", _of_polygon),
    "point": ("coordinates", _of_point),
}
_RECORDS = {
    kind: Record(f"a {kind}", dict.fromkeys(("type", "label", key), TAKEN)) for kind, (key, _) in _SHAPES.items()
}


def to_ipyannotations(contents: Contents, *, root: Path | None, task: str | None) -> tuple[dict[str, Any], list[Issue]]:
    """Convert the annotations to a dict of data by image, and return issues for the annotations that are dropped."""
    annotations = contents.annotations
    placed = has_place(annotations).to_numpy()
    outlined = annotations["polygon"].notna().to_numpy()
    pointed = placed & ~outlined & (annotations[["width", "height"]] == 0).all(axis=1).to_numpy()
    chosen = task or _task_of(annotations, placed, outlined, pointed)
    if chosen not in TASKS:
        raise InputError(f"task={task!r} is unknown. Choose one of {list(TASKS)!r}.")
    fits = {"boxes": placed & ~pointed, "polygons": outlined, "points": pointed}.get(chosen, ~placed)
    rows = annotations[fits]
    dropped = annotations.loc[~fits, "image"].tolist()
    issues = left_out(dropped, f"annotation does not fit task={chosen!r}", f"annotations do not fit task={chosen!r}")
    several = rows.loc[rows["image"].duplicated(), "image"]
    if chosen == "single-label" and len(several):
        raise InputError(f"Image {several.iloc[0]!r} has several labels. Use task='multi-label'.")
    shapes: dict[str, list[Any]] = {}
    for image, shape in zip(rows["image"].tolist(), _shapes(rows, chosen), strict=True):
        shapes.setdefault(image, []).append(shape)
    images = contents.images
    looked_at = (images["status"] == "labelled") & ~images["image"].isin(annotations["image"])
    result: dict[str, Any] = {}
    for image, empty in zip(images["image"].tolist(), looked_at.tolist(), strict=True):
        if image in shapes:
            result[place_of(image, root)] = shapes[image][0] if chosen == "single-label" else shapes[image]
        elif empty and chosen != "single-label":
            result[place_of(image, root)] = []
    return result, issues


def _task_of(annotations: pd.DataFrame, placed: Any, outlined: Any, pointed: Any) -> str:
    if (task := chosen_task(None, annotations)) == t.BOXES:
        return t.POLYGONS if outlined.any() else "points" if pointed.sum() == placed.sum() else task
    return task


def _shapes(rows: pd.DataFrame, task: str) -> list[Any]:
    labels: list[str] = rows["label"].tolist()
    if task == "polygons":
        outlines = [[(x, y) for x, y in to_one_ring(polygon)] for polygon in rows["polygon"]]
        return [
            {"type": "polygon", "label": label, "points": [*points, points[0]]}
            for label, points in zip(labels, outlines, strict=True)
        ]
    if task == "boxes":
        corners = map(tuple, ltwh_to_xyxy(boxes_of(rows)).tolist())
        return [{"type": "box", "label": label, "xyxy": xyxy} for label, xyxy in zip(labels, corners, strict=True)]
    if task == "points":
        places = map(tuple, rows[["left", "top"]].to_numpy(np.float64).tolist())
        return [{"type": "point", "label": label, "coordinates": xy} for label, xy in zip(labels, places, strict=True)]
    return labels
