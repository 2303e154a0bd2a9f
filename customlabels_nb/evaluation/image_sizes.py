"""Sizes of test images, for files that have to give them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.core.limits import REKOGNITION
from customlabels_nb.datasets.formats.manifest_sizes import headers
from customlabels_nb.datasets.formats.manifest_values import ESTIMATED, LARGEST_SIZE
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.images.reading import ImageHeader, is_remote

#: ``width``, ``height`` and ``depth`` as manifests give them, ``estimated`` if it is the extent of the boxes.
Size: TypeAlias = dict[str, int | bool]


def image_sizes(images: pd.DataFrame, image: IntArray, box: FloatArray) -> tuple[list[Size], int]:
    """The size of each image as a manifest gives it, and how many are but the extent of the boxes.

    Parameters
    ----------
    images : DataFrame
        ``image``, and ``width`` and ``height`` in pixels where they are known.
    image : ndarray of int64, shape (b,)
        Of each box, its row in ``images``.
    box : ndarray of float64, shape (b, 4)
        Left, top, width, height in pixels. Where the header of an image can't be read either, they are what the size
        is taken from: the image is at least so large.
    """
    sides = np.zeros((len(images), 2))
    if {"width", "height"} <= set(images.columns):
        given = [pd.to_numeric(images[side], errors="coerce") for side in ("width", "height")]
        sides = np.stack([side.to_numpy(dtype=np.float64, na_value=np.nan) for side in given], axis=1)
        sides[~((sides >= 1) & (sides <= LARGEST_SIZE)).all(axis=1)] = 0
    unknown = np.flatnonzero(sides[:, 0] == 0)
    names = images["image"].to_numpy(dtype=object)
    near = [row for row in unknown.tolist() if not is_remote(names[row])]
    for row, header in zip(near, headers([names[row] for row in near]), strict=True):
        if isinstance(header, ImageHeader):
            sides[row] = header.width, header.height
    estimated = sides[:, 0] == 0
    if estimated.any():
        ends = np.full_like(sides, REKOGNITION.min_side_pixels)  # smaller images are none for the service
        np.maximum.at(ends, image, np.ceil(box[:, :2] + box[:, 2:]))
        sides = np.where(estimated[:, None], np.minimum(ends, LARGEST_SIZE), sides)
    known: list[list[int]] = sides.astype(np.int64).tolist()
    found: list[Size] = [
        {"width": width, "height": height, "depth": 3, **({ESTIMATED: True} if guess else {})}
        for (width, height), guess in zip(known, estimated.tolist(), strict=True)
    ]
    return found, int(estimated.sum())
