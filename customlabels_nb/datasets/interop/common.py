"""Helpers shared by the converters to and from other libraries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import is_remote, to_path

_NAMED_IN_MESSAGES = 3


def chosen_task(task: str | None, annotations: pd.DataFrame, *, polygons: bool = False) -> str:
    """Validate ``task``, or infer it from the annotations. "polygons" is valid only with ``polygons``."""
    if task is None:
        if annotations.empty:
            raise InputError("The dataset has no annotations. Label some images first, or pass task=.")
        if has_place(annotations).any():
            return t.BOXES
        return t.MULTI_LABEL if annotations["image"].duplicated().any() else t.SINGLE_LABEL
    tasks = [name for name in t.TASKS if polygons or name != t.POLYGONS]
    if task not in tasks:
        raise InputError(f"task={task!r} is unknown. Choose one of {tasks!r}.")
    return task


def has_place(annotations: pd.DataFrame) -> pd.Series:
    """Return a mask of the annotations that are boxes or polygons rather than image-level labels."""
    return annotations["left"].notna() | annotations["polygon"].notna()


def boxes_of(annotations: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the box ``left, top, width, height`` of each annotation, or the bounding box of its polygon."""
    boxes: np.ndarray[Any, np.dtype[np.float64]] = annotations[list(t.BOX_COLUMNS)].to_numpy(np.float64).copy()
    for row in np.flatnonzero(np.isnan(boxes[:, 0])):
        boxes[row] = polygon_to_ltwh(annotations["polygon"].iat[row])
    return boxes


def split_off_unlabelled(contents: Contents, annotations: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Select the images that are labelled, also as empty, and return an issue about the others."""
    images = contents.images
    labelled = images["image"].isin(annotations["image"]) | (images["status"] == "labelled")
    others = images.loc[~labelled, "image"]
    return images[labelled], left_out(others.tolist(), "image is not labelled", "images are not labelled")


def left_out(what: list[str], one: str, many: str) -> list[Issue]:
    """Create an issue that reports how many items are dropped and why, with the names of the first ones."""
    if not what:
        return []
    first = ", ".join(map(repr, what[:_NAMED_IN_MESSAGES])) + (", …" if len(what) > _NAMED_IN_MESSAGES else "")
    were = "was" if len(what) == 1 else "were"
    return [Issue("NOT_HELD", f"{counted(len(what), one, many)} and {were} dropped: {first}.", where=what[0])]


def place_of(image: str, root: Path | None) -> str:
    """Return the absolute path of an image, or the URL of a remote one, for other libraries."""
    return image if is_remote(image) else os.path.abspath(to_path(image, root))
