"""Convert boxes that are ratios of the image size to pixels, for tables that do not state the unit of their boxes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import like_ratios
from customlabels_nb.core.geometry import ratios_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import polygon_of, rings_of
from customlabels_nb.datasets.formats.json_file import measured

_SIZE = ["width", "height"]


def in_pixels(images: pd.DataFrame, annotations: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[Issue]]:
    """Return the annotations with boxes in pixels, and issues.

    Boxes are ratios if all of them are between 0 and 1, and not only these two numbers. The size is in the images
    table, or is read from the images. Boxes of an image of unknown size are left out. If only some boxes look like
    ratios, they are reported.
    """
    boxes = annotations[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64, copy=True)
    drawn, alike = ~np.isnan(boxes[:, 0]), like_ratios(boxes) & (boxes % 1 > 0).any(axis=1)
    if not alike.any():
        return annotations, []
    names = annotations["image"]
    if not like_ratios(boxes)[drawn].all():
        message = (
            f"{alike.sum():,} × box with values between 0 and 1, as if they were ratios of the image size, was read "
            "in pixels like the other boxes."
        )
        return annotations, [Issue("ENTRY_ADJUSTED", message, names[alike].iloc[0], source)]
    known = images.reindex(columns=["image", *_SIZE]).dropna()
    sizes = {image: (width, height) for image, width, height in known.itertuples(index=False)}
    issues: list[Issue] = []
    for image, size in measured(name for name in names[drawn].unique() if name not in sizes):
        if isinstance(size, str):
            message = f"Its boxes were not read, because they are ratios of an unknown image size: {size}"
            issues.append(Issue("IMAGE_NOT_LISTED", message, image, source))
        else:
            sizes[image] = size
    kept = ~drawn | names.isin(sizes).to_numpy()
    of_rows = np.array([sizes.get(name, (1, 1)) for name in names], dtype=np.float64)
    boxes = ratios_to_ltwh(boxes, of_rows)
    outlines = annotations["polygon"].tolist()
    polygons = [
        polygon_of(ring * size for ring in rings) if rings and max(ring.max() for ring in rings) <= 1 else polygon
        for polygon, rings, size in zip(outlines, map(rings_of, outlines), of_rows, strict=True)
    ]
    converted = annotations.assign(
        **{side: boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
        polygon=pd.Series(polygons, index=annotations.index, dtype=object),
    )
    message = f"{drawn.sum():,} boxes are ratios of the image size. They were converted to pixels."
    return converted[kept].reset_index(drop=True), [*issues, Issue("ENTRY_ADJUSTED", message, source=source)]
