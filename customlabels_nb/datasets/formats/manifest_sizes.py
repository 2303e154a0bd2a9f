"""Fit boxes to the actual size and EXIF orientation of images whose annotations give a different size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.reading import ImageHeader, read_header
from customlabels_nb.user_settings import settings

_SLICE = 64  # images per task of a thread
_BOXES = list(t.BOX_COLUMNS)


def fit_to_images(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Replace the image sizes in the tables with the actual sizes of local images, and fit the boxes to the images.

    Boxes are transformed if the sizes differ by a scale factor, by the image's EXIF rotation, or by both. If the aspect
    ratio differs for another reason, only the size is corrected.
    """
    index = np.flatnonzero(images["width"].notna().to_numpy())
    names = images["image"].to_numpy(dtype=object)[index]
    here = np.array([_is_here(name) for name in names], dtype=bool)
    index, names = index[here], names[here]
    stated = images[["width", "height"]].to_numpy(dtype="float64")[index]
    issues: list[Issue] = []
    sizes: dict[int, tuple[int, int]] = {}
    boxes: pd.DataFrame | None = None
    rows_of: dict[str, npt.NDArray[np.intp]] = {}
    for row, name, (width, height), header in zip(index.tolist(), names, stated.tolist(), headers(names), strict=True):
        if not isinstance(header, ImageHeader) or (width, height) == (header.width, header.height):
            continue
        if boxes is None:
            boxes = annotations[_BOXES].copy()
            rows_of = annotations.groupby("image", sort=False).indices
        sizes[row] = header.width, header.height
        rows = rows_of.get(name, np.empty(0, dtype=np.intp))
        fitted = _fitted(boxes.to_numpy()[rows], (width, height), header)
        message = (
            f"the size is given as {width:.0f} × {height:.0f}, but it is {header.width} × {header.height} pixels. "
        )
        if fitted is None:
            message += "Its boxes were not changed."
        else:
            boxes.iloc[rows] = fitted
            message += "Its boxes were fitted to the image."
        issues.append(Issue("ENTRY_ADJUSTED", f"{name!r}: {message}", where=name))
    if boxes is None:
        return images, annotations, []
    images = images.copy()
    rows_changed = list(sizes)
    for column, side in (("width", 0), ("height", 1)):
        images.iloc[rows_changed, images.columns.get_loc(column)] = [sizes[row][side] for row in rows_changed]
    return images, annotations.assign(**{name: boxes[name] for name in _BOXES}), issues


def headers(names: Sequence[str]) -> Iterator[ImageHeader | ImageError]:
    """Read the image headers in several threads, and yield the header or the error for each image."""

    def look(some: Sequence[str]) -> list[ImageHeader | ImageError]:
        return [_header(name) for name in some]

    slices = (names[start : start + _SLICE] for start in range(0, len(names), _SLICE))
    for part in map_bounded(look, slices, workers=settings.threads):
        yield from part


def can_be_fitted(drawn_size: tuple[int, int], header: ImageHeader) -> bool:
    """Check whether boxes drawn for ``drawn_size`` (width, height) can be fitted to the actual image size."""
    return _fitted(np.empty((0, 4)), drawn_size, header) is not None


def _header(name: str) -> ImageHeader | ImageError:
    try:
        return read_header(name)
    except ImageError as error:
        return error


def _is_here(name: str) -> bool:
    if name.startswith("s3://"):  # fast path, because large datasets are often on S3
        return False
    try:
        return not is_remote(name) and os.path.isfile(name if name.startswith("/") else to_path(name))
    except ValueError:
        return False


def _fitted(
    boxes: npt.NDArray[np.float64], drawn_size: tuple[float, float], header: ImageHeader
) -> npt.NDArray[np.float64] | None:
    """Convert boxes from ``drawn_size`` to pixels of the image, or return None if the sizes do not match."""
    size = (header.width, header.height)
    turned = header.orientation >= 5 and drawn_size[::-1] == size  # a nearly square image also has the same shape
    if _same_shape(drawn_size, size) and not turned:
        scale = np.array([size[0] / drawn_size[0], size[1] / drawn_size[1]] * 2)
        scaled: npt.NDArray[np.float64] = boxes * scale
        return scaled
    if header.orientation < 5 or not _same_shape(drawn_size[::-1], size):
        return None
    # boxes before EXIF rotation: orientations 5 to 8 swap the axes, and 6 to 8 then mirror one or both
    corners = ltwh_to_xyxy(boxes) * ([size[1] / drawn_size[0], size[0] / drawn_size[1]] * 2)
    x, y = corners[:, [1, 3]], corners[:, [0, 2]]
    if header.orientation in (6, 7):
        x = size[0] - x[:, ::-1]
    if header.orientation in (7, 8):
        y = size[1] - y[:, ::-1]
    return xyxy_to_ltwh(np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1))


def _same_shape(size: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Check whether both sizes have the same aspect ratio, up to rounding to whole pixels."""
    scale = max(other) / max(size)
    return all(abs(a * scale - b) <= max(1.0, scale) for a, b in zip(size, other, strict=True))
