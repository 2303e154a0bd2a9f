"""Which images of a dataset are meant: by a query, a mask or a function."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError

Where: TypeAlias = str | Sequence[bool] | pd.Series | Callable[[pd.DataFrame], Any]

_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")


def mask_of_images(
    where: Where, images: pd.DataFrame, annotations: pd.DataFrame
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """One bool for each of the images: whether ``where`` holds; see :meth:`customlabels_nb.Dataset.filter`.

    Raises
    ------
    InputError
        If a query can't be evaluated, or a mask doesn't fit the images.
    """
    if callable(where):
        where = np.asarray(found) if not isinstance(found := where(images.copy(deep=False)), pd.Series) else found
    if isinstance(where, str):
        columns = ["image", "label", "confidence", "annotator", "job"]
        own = images.drop(columns=columns[1:], errors="ignore")
        wide = own.merge(annotations[columns].drop_duplicates(), on="image", how="left")
        try:
            caller = _caller()
            holds = wide.eval(where, engine="python", local_dict=caller.f_locals, global_dict=caller.f_globals)
            if not isinstance(holds, pd.Series) or holds.dtype not in (bool, "boolean"):
                raise TypeError("it is neither true nor false")
            found = wide.loc[holds.fillna(False).astype(bool), "image"]
        except Exception as error:  # pandas raises whatever the parsed expression makes it raise
            hint = " Equality is written ==." if _ASSIGNMENT.search(where) else ""
            raise InputError(
                f"filter {where!r} can't be evaluated: {error}.{hint} Columns: {list(wide.columns)}."
            ) from error
        return np.asarray(images["image"].isin(found), dtype=bool)
    if isinstance(where, pd.Series):
        where = aligned_with_images(where, images, "the mask")
        if where.dtype == "boolean":  # a comparison of sizes that aren't all known
            where = where.fillna(False).astype(bool)
    mask = np.asarray(where)
    if mask.dtype != bool or mask.shape != (len(images),):
        raise InputError(
            f"A mask has one bool for each of the {len(images)} images; got {mask.dtype} of shape {mask.shape}."
        )
    return mask


def aligned_with_images(values: pd.Series, images: pd.DataFrame, what: str) -> pd.Series:
    """The values in the order of images, matched by the index: that of the table, or the images' names."""
    for index in (images.index, pd.Index(images["image"])):
        if values.index.equals(index):
            return values
        if values.index.is_unique and index.isin(values.index).all():
            return values.reindex(index)
    raise InputError(
        f"The index of {what} doesn't match that of images, which runs from 0 to {len(images) - 1}: it was made "
        f"from another table. If its {len(values)} values stand in the order of images, give .to_numpy()."
    )


def _caller() -> FrameType:
    """The frame of whoever called into this package: the variables that a query may name are its."""
    frame = sys._getframe(1)
    ours = f"{__name__.partition('.')[0]}."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(ours):
        frame = frame.f_back
    return frame
