"""Convert datasets to and from supervision's DetectionDataset (boxes and masks) and ClassificationDataset (labels)."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.installing import imported
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.masks import OutlineTooLongError, mask_to_polygon, masks_of
from customlabels_nb.core.polygons import Polygon
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.given_tables import settle_boxes
from customlabels_nb.datasets.formats.json_file import measured
from customlabels_nb.datasets.interop.common import (
    boxes_of,
    chosen_task,
    has_place,
    place_of,
    split_off_unlabelled,
)
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import is_remote, to_uri
from customlabels_nb.images.reading import header_size

_KEPT = ("crowd", "annotator", "job", "created", "note", "polygon")  # columns stored in Detections.data
_SOURCE = "the dataset"


def to_supervision(contents: Contents, *, root: Path | None, task: str | None) -> Any:
    """Implement :meth:`customlabels_nb.datasets.dataset.Dataset.to_supervision`."""
    sv = imported("supervision", "to_supervision")
    chosen = chosen_task(task, contents.annotations, polygons=True)
    places = has_place(contents.annotations)
    drawn = chosen in t.DRAWN_TASKS
    wanted = contents.annotations[places if drawn else ~places]
    images, issues = split_off_unlabelled(contents, wanted)
    other = len(contents.annotations) - len(wanted)
    if other:
        what = ("image-level label", "image-level labels") if drawn else ("box", "boxes")
        fit = "does not fit task={!r} and was" if other == 1 else "do not fit task={!r} and were"
        issues.append(Issue("NOT_HELD", f"{counted(other, *what)} {fit.format(chosen)} dropped."))
    remote = next(filter(is_remote, images["image"]), None)
    if remote is not None:
        raise InputError(f"supervision reads local files only, but {remote!r} is remote. Copy the images first.")
    number = {label: index for index, label in enumerate(contents.labels)}
    groups = {str(image): rows for image, rows in wanted.groupby("image", sort=False)}
    make = _detections if drawn else _classifications
    annotations = {}
    for image in images["image"]:
        path, rows = place_of(image, root), groups.get(image, wanted.iloc[:0])
        annotations[path] = make(sv, rows, number)
        if chosen == t.POLYGONS:
            # also if all are boxes: their masks, of whole pixels, would be read as polygons
            annotations[path].data["polygon"] = rows["polygon"].to_numpy(dtype=object, na_value=None)
            annotations[path].mask = masks_of(rows["polygon"].tolist(), boxes_of(rows), header_size(path)).astype(bool)
    if issues:
        warnings.warn(" ".join(issue.message for issue in issues), stacklevel=users_level())
    kind = sv.DetectionDataset if drawn else sv.ClassificationDataset
    return kind(classes=list(contents.labels), images=list(annotations), annotations=annotations)


def _detections(sv: Any, rows: pd.DataFrame, number: dict[str, int]) -> Any:
    data = {name: rows[name].to_numpy(dtype=object, na_value=None) for name in _KEPT if _has_content(rows[name])}
    return sv.Detections(
        xyxy=ltwh_to_xyxy(boxes_of(rows)).astype(np.float32),
        class_id=rows["label"].map(number).to_numpy(dtype=np.int64),
        confidence=rows["confidence"].to_numpy(dtype=np.float32),
        data=data,
    )


def _has_content(column: pd.Series) -> bool:
    return bool(column.any()) if column.dtype == bool else bool(column.notna().any())


def _classifications(sv: Any, rows: pd.DataFrame, number: dict[str, int]) -> Any:
    return sv.Classifications(
        class_id=rows["label"].map(number).to_numpy(dtype=np.int64),
        confidence=rows["confidence"].to_numpy(dtype=np.float32),
    )


def from_supervision(dataset: Any) -> Contents:
    """Implement :func:`customlabels_nb.datasets.loading.from_supervision`."""
    sv = imported("supervision", "from_supervision")
    if not isinstance(dataset, sv.DetectionDataset | sv.ClassificationDataset):
        type_name = type(dataset).__name__
        raise InputError(f"dataset is of type {type_name}, but must be a DetectionDataset or ClassificationDataset.")
    classes = [t.check_label(name) for name in dataset.classes]
    uris = {path: to_uri(path) for path in dataset.image_paths}
    issues = [
        Issue("IMAGE_NOT_LISTED", "The image file does not exist.", where=uri)
        for path, uri in uris.items()
        if not os.path.isfile(path)
    ]
    frames, account = [], Account()
    unread = set[str]()  # these images are not empty
    for path, detections in dataset.annotations.items():
        if message := _why_unread(detections, classes):
            unread.add(uris[path])
            issues.append(Issue("ENTRY_UNREADABLE", message, where=uris[path]))
            continue
        frames.append(_rows(sv, detections, uris[path], classes, account, issues))
    annotations = (
        t.normalise_annotations(pd.concat(frames, ignore_index=True)) if frames else t.empty(t.ANNOTATION_COLUMNS)
    )
    status = {uri: "unlabelled" if uri in unread else "labelled" for uri in uris.values()}
    images = t.normalise_images(pd.DataFrame({"image": list(status), "status": list(status.values())}))
    if not all("created" in frame for frame in frames if len(frame)):  # not written here, where boxes are in pixels
        images, annotations, settled = settle_boxes(images, annotations, _SOURCE)
        issues += settled
    return Contents(images, annotations, classes, [*issues, *account.issues(_SOURCE)])


def _why_unread(detections: Any, classes: list[str]) -> str:
    """Return why the classes of detections are unknown, or nothing."""
    if detections.class_id is None:
        return f"{counted(len(detections), 'detection has', 'detections have')} no class." if len(detections) else ""
    if np.isin(detections.class_id, np.arange(len(classes))).all():
        return ""
    known = counted(len(classes), "class", "classes")
    return f"It has the class numbers {detections.class_id.tolist()}, but there are {known}, from number 0."


def _rows(
    sv: Any, detections: Any, uri: str, classes: list[str], account: Account, issues: list[Issue]
) -> pd.DataFrame:
    numbers = [] if detections.class_id is None else detections.class_id.tolist()
    frame = pd.DataFrame({"image": uri, "label": pd.Series([classes[number] for number in numbers], dtype=t.TEXT)})
    if detections.confidence is not None:
        frame["confidence"] = _confidences(detections.confidence, uri, account)
    if not isinstance(detections, sv.Detections):
        return frame
    _count_others(detections, uri, account)
    boxes = xyxy_to_ltwh(detections.xyxy)
    frame[list(t.BOX_COLUMNS)] = boxes
    frame = frame.assign(**{name: list(detections.data[name]) for name in _KEPT if name in detections.data})
    if "polygon" not in frame.columns and detections.mask is not None:
        frame["polygon"] = pd.Series(_outlines(detections.mask, uri, issues), index=frame.index, dtype=object)
    readable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= 0).all(axis=1)
    if not readable.all():
        given = plain_repr(np.asarray(detections.xyxy)[~readable][0].tolist())
        message = f"{int((~readable).sum()):,} × box is not four finite numbers in order, such as {given}."
        issues.append(Issue("ENTRY_UNREADABLE", message, where=uri))
    return frame[readable]


def _confidences(values: Any, uri: str, account: Account) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return confidences within 0 and 1, after counting others."""
    numbers = np.asarray(values, dtype=np.float64)
    within = np.nan_to_num(numbers, nan=1.0).clip(0, 1)
    wrong = numbers[numbers != within].tolist()
    if wrong:
        account.add("confidence that is not between 0 and 1", uri, len(wrong), value=wrong[0])
    return within


def _count_others(detections: Any, uri: str, account: Account) -> None:
    """Count what detections have and annotations do not."""
    columns = {f"value of the key {name!r} of data": values for name, values in detections.data.items()
               if name not in (*_KEPT, "class_name")}  # fmt: skip
    for what, values in {"tracker_id": detections.tracker_id, **columns}.items():
        if values is not None and len(values):
            account.add(what, uri, len(values), value=np.asarray(values).tolist()[0])
    for name, value in getattr(detections, "metadata", {}).items():
        account.add(f"value of the key {name!r} of metadata", uri, value=value)


def _outlines(masks: Any, uri: str, issues: list[Issue]) -> list[Polygon | None]:
    """Return the polygons of masks, and add issues about those that have none or another size than the image."""
    if not len(masks):
        return []
    (_, size), given = next(measured([uri])), (masks.shape[2], masks.shape[1])
    if not isinstance(size, str) and size != given:
        message = (
            f"{counted(len(masks), 'mask has', 'masks have')} another size than the image, {given[0]} × {given[1]} "
            f"instead of {size[0]} × {size[1]} pixels. Only the boxes were read. Convert the masks to the size of the "
            "image."
        )
        issues.append(Issue("ENTRY_ADJUSTED", message, where=uri))
        return [None] * len(masks)
    polygons = [*map(_outline, masks)]
    if lost := polygons.count(None):
        one, many = "mask is empty or noise and was read as a box.", "masks are empty or noise and were read as boxes."
        issues.append(Issue("ENTRY_ADJUSTED", counted(lost, one, many), where=uri))
    return polygons


def _outline(mask: Any) -> Polygon | None:
    with suppress(OutlineTooLongError):
        return mask_to_polygon(mask)
    return None
