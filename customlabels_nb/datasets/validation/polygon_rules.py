"""Check the polygons of a dataset for problems that keep them from being masks, and repair them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.polygons import OFF_FRAME, problems, readable_rings, repaired
from customlabels_nb.datasets.formats.manifest_values import LineFinding, finding
from customlabels_nb.datasets.validation.repairs import RepairChange

MEND, DROP = "mend_polygons", "drop_bad_polygons"
_SAME_BOX = 0.5  # pixels: smaller differences come from rounding


def polygon_findings(images: pd.DataFrame, annotations: pd.DataFrame) -> dict[int, list[LineFinding]]:
    """Return the findings about polygons by line, that is the position of the image in ``images`` from 1."""
    result: dict[int, list[LineFinding]] = {}
    for _, line, detail, _, codes in _bad_polygons(images, annotations):
        result.setdefault(line, []).extend(finding(code, detail=detail) for code in codes)
    return result


def repair_polygons(
    images: pd.DataFrame, annotations: pd.DataFrame, names: Collection[str]
) -> tuple[pd.DataFrame, list[RepairChange]]:
    """Apply the repairs "mend_polygons" and "drop_bad_polygons", and return the new annotations and the changes.

    A mended polygon gets its own bounding box. If nothing is left of a polygon, the annotation's box replaces it.
    """
    result, changes = annotations.copy(), []
    for row, line, detail, size, codes in list(_bad_polygons(images, annotations)):
        polygon = annotations.at[row, "polygon"]
        mended = repaired(polygon, size if OFF_FRAME in codes else None) if MEND in names else None
        unboxed = pd.isna(annotations.at[row, "left"])
        if mended is None and unboxed and not readable_rings(polygon):
            continue
        replaced = ""
        if mended is not None or unboxed:
            box = polygon_to_ltwh(polygon if mended is None else mended)
            if not np.isfinite(box).all():
                continue
            given_box = annotations.loc[row, list(t.BOX_COLUMNS)].to_numpy(np.float64, na_value=np.nan)
            if not unboxed and np.abs(given_box - box).max() > _SAME_BOX:
                replaced = ", and its box was replaced by the polygon's bounding box"
            result.loc[row, list(t.BOX_COLUMNS)] = box
        result.at[row, "polygon"] = mended
        dropped = DROP if DROP in names else MEND
        repair, what = (MEND, f"was mended{replaced}") if mended is not None else (dropped, "became a box")
        image, label = annotations.at[row, "image"], annotations.at[row, "label"]
        changes.append(RepairChange(repair, line, image, "polygon", f"{detail} {what}", label))
    return result, changes


def _bad_polygons(
    images: pd.DataFrame, annotations: pd.DataFrame
) -> Iterator[tuple[int, int, str, tuple[float, float] | None, list[str]]]:
    """Yield the row, line, description, image size and codes of each polygon with problems."""
    line = {image: number for number, image in enumerate(images["image"], 1)}
    sizes = images[["width", "height"]].to_numpy(np.float64, na_value=np.nan).tolist()
    number = annotations.groupby("image").cumcount() + 1
    for row, image, label, polygon in annotations.loc[
        annotations["polygon"].notna(), ["image", "label", "polygon"]
    ].itertuples(name=None):
        width, height = sizes[line[image] - 1] if image in line else (np.nan, np.nan)
        size = None if np.isnan(width + height) else (width, height)
        if image in line and (codes := problems(polygon, size)):
            yield row, line[image], f"annotation {number[row]} of the image ({label})", size, codes
