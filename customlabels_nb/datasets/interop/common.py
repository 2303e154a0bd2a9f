"""What the ways to and from other libraries share."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.installing import install_command
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.errors import InputError, MissingDependencyError
from customlabels_nb.images.reading import is_remote, to_path

#: What a model is to say of an image: one label, any number of labels, or boxes.
Target: TypeAlias = Literal["single-label", "multi-label", "boxes"]

_TARGETS: tuple[Target, ...] = ("single-label", "multi-label", "boxes")
_NAMED_IN_MESSAGES = 3


def imported(package: str, what: str) -> Any:
    """The module ``package``, which ``what`` needs.

    Raises
    ------
    MissingDependencyError
        If it isn't installed; the message says how to install it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # it is here, but can't be loaded
        raise MissingDependencyError(f"{what} needs the package {package}: {install_command(package)}") from error


def chosen_target(target: str | None, annotations: pd.DataFrame) -> Target:
    """``target`` if it is one; without it what the annotations are: boxes, several labels an image, or one.

    Raises
    ------
    InputError
        If it isn't known, or there are no annotations to tell.
    """
    if target is None:
        if annotations.empty:
            raise InputError("The dataset has no annotations: label some images first, or give target=.")
        if has_place(annotations).any():
            return "boxes"
        return "multi-label" if annotations["image"].duplicated().any() else "single-label"
    for known in _TARGETS:
        if target == known:
            return known
    raise InputError(f"target={target!r} is not known; use one of {list(_TARGETS)!r}.")


def has_place(annotations: pd.DataFrame) -> pd.Series:
    """Which annotations are boxes or polygons rather than labels of the whole image."""
    return annotations["left"].notna() | annotations["polygon"].notna()


def boxes_of(annotations: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``left, top, width, height`` of each, shape (n, 4); where only the polygon is known, the box around it."""
    boxes: np.ndarray[Any, np.dtype[np.float64]] = annotations[list(t.BOX_COLUMNS)].to_numpy(np.float64).copy()
    for row in np.flatnonzero(np.isnan(boxes[:, 0])):
        boxes[row] = polygon_to_ltwh(annotations["polygon"].iat[row])
    return boxes


def split_off_unlabelled(contents: Contents, annotations: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """The images of which something is known, and an issue that says how many others there are.

    Known is an image that is annotated, or was looked at and shows nothing.
    """
    images = contents.images
    known = images["image"].isin(annotations["image"]) | (images["status"] == "labelled")
    others = images.loc[~known, "image"]
    return images[known], left_out(others.tolist(), "images are not labelled") if len(others) else []


def left_out(what: list[str], why: str) -> list[Issue]:
    """One issue for what is left out, with how many there are and the first names."""
    if not what:
        return []
    first = ", ".join(map(repr, what[:_NAMED_IN_MESSAGES])) + (", …" if len(what) > _NAMED_IN_MESSAGES else "")
    return [Issue("NOT_HELD", f"{len(what):,} {why} and were left out: {first}.", where=what[0])]


def place_of(image: str, root: Path | None) -> str:
    """Where other libraries find an image: an absolute path, or the URL of a remote one."""
    return image if is_remote(image) else os.path.abspath(to_path(image, root))


def told(issues: list[Issue]) -> str:
    """The issues in one text, for a warning."""
    return " ".join(issue.message for issue in issues)
