"""Clip annotations to their images before an export, because other programs refuse those beyond the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import clip_ltwh, ltwh_to_xyxy, polygon_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import Polygon, clipped, polygon_of, rings_of
from customlabels_nb.datasets.formats.base import ROUNDING, Contents, Format, first_of, not_held
from customlabels_nb.datasets.formats.json_file import measured
from customlabels_nb.images.locations import is_remote

_Floats = npt.NDArray[np.float64]


def clip(contents: Contents, format_: Format, called: Mapping[str, str]) -> Contents:
    """Clip boxes and polygons to the images, and leave out those that are outside, with an issue and count for each.

    ``called`` maps the images to the names in the issues. An image that loses all its annotations becomes unlabelled,
    because it is not empty. Sizes that the table does not have are read from local files. Images of unknown size keep
    their annotations.
    """
    annotations = contents.annotations
    polygons: list[Any] = annotations["polygon"].tolist()
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(np.float64, copy=True)
    sizes = _sizes(contents)[pd.Index(contents.images["image"]).get_indexer(pd.Index(annotations["image"]))]
    excess = np.fmax(_excess(boxes, sizes), _excess(_bounds(polygons), sizes))
    beyond = np.flatnonzero(excess > 0)
    if not len(beyond):
        return contents
    keep = np.ones(len(boxes), dtype=bool)
    for row in beyond.tolist():
        boxes[row] = clip_ltwh(boxes[row], sizes[row])[0]
        if polygons[row] is not None:
            polygons[row] = _clipped(polygons[row], sizes[row])
            keep[row] = polygons[row] is not None
        keep[row] &= not (boxes[row, 2:] <= 0).any()
    names, counted, issues = annotations["image"], excess > ROUNDING, list(contents.issues)
    if cut := names[counted & keep].map(called).tolist():
        message = f"{len(cut):,} × box or polygon beyond its image was clipped: {first_of(cut)}."
        issues.append(Issue("EXPORT_ADJUSTED", message, "boxes beyond the image"))
    if not keep.all():
        outside = names[~keep].map(called).tolist()
        issues.append(not_held(format_, "box outside its image", outside, where="boxes outside the image"))
    placed = dict(zip(t.BOX_COLUMNS, boxes.T, strict=True))
    rows = annotations.assign(**placed, polygon=pd.Series(polygons, annotations.index, dtype=object))[keep]
    images = contents.images
    emptied = images["image"].isin(names[~keep]) & ~images["image"].isin(rows["image"])
    status = images["status"].mask(emptied & (images["status"] == "labelled"), "unlabelled")
    images = images.assign(status=status)
    return replace(contents, images=images, annotations=rows.reset_index(drop=True), issues=issues)


def _sizes(contents: Contents) -> _Floats:
    """Return the sizes of the images, shape (n, 2), NaN where they are unknown."""
    images, annotations = contents.images, contents.annotations
    sizes: _Floats = images[["width", "height"]].to_numpy(np.float64, na_value=np.nan, copy=True)
    drawn = set(annotations.loc[annotations["left"].notna() | annotations["polygon"].notna(), "image"])
    unknown = {
        uri: row
        for row, uri in enumerate(images["image"])
        if np.isnan(sizes[row, 0]) and uri in drawn and not is_remote(uri)
    }
    for uri, size in measured(unknown):
        if not isinstance(size, str):
            sizes[unknown[uri]] = size
    return sizes


def _bounds(polygons: list[Any]) -> _Floats:
    bounds = np.full((len(polygons), 4), np.nan)
    for row, polygon in enumerate(polygons):
        if polygon is not None:
            bounds[row] = polygon_to_ltwh(polygon)
    return bounds


def _excess(boxes: _Floats, sizes: _Floats) -> _Floats:
    """Return the pixels by which each box extends beyond its image, 0 for those in it and those without a size."""
    corners = ltwh_to_xyxy(boxes)
    with np.errstate(invalid="ignore"):
        over = np.fmax(-corners[:, :2], corners[:, 2:] - sizes)
    excess: _Floats = np.nan_to_num(np.fmax.reduce(over, axis=1).clip(0), nan=0.0)
    return excess


def _clipped(polygon: Polygon, size: Any) -> Polygon | None:
    rings = [ring for ring in (clipped(ring, size) for ring in rings_of(polygon)) if len(ring) >= 3]
    return polygon_of(rings) if rings else None
