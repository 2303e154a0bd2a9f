"""Shared cases of the tests of JSON formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder

MOMENT = pd.Timestamp("2024-05-06T07:08:09.123456", tz="UTC")

_words = st.sampled_from([
    "id", "images", "annotations", "categories", "files", "tags", "tag", "file_name", "filename", "image_id", "bbox",
    "category_id", "segmentation", "name", "left", "top", "width", "height", "score", "date_captured", "created",
    "iscrowd", "data", "predictions", "result", "value", "type", "choices", "rectanglelabels", "polygonlabels",
    "brushlabels", "x", "y", "points", "rle", "rotation", "original_width", "original_height", "was_cancelled",
])  # fmt: skip
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.integers(10**400, 10**400 + 1)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(
        ["a.jpg", "../a.jpg", "/etc/passwd", "\ud800.jpg", "x\0y", "http://[", "s3://b/c.jpg", "2024-01-01"]
    )
)
#: Any JSON, including the keys of the formats.
anything = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=6), max_leaves=25
)


def read(format_: Format, path: Path, data: Any = None, **options: Any) -> Contents:
    """Read the file, after writing ``data`` to it unless that is None."""
    if data is not None:
        path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return format_.read(path, ImageFinder(path if path.is_dir() else path.parent, **options))


def contents(folder: Path, images: list[dict[str, Any]], rows: list[dict[str, Any]], labels: list[str]) -> Contents:
    """Return normalised contents whose images and rows name files in ``folder`` or have a URL."""

    def placed(entry: dict[str, Any]) -> dict[str, Any]:
        name = entry["image"]
        return {**entry, "image": name if "://" in name else str(folder / name)}

    annotations = t.normalise_annotations(pd.DataFrame([placed(row) for row in rows]).assign(created=MOMENT))
    frame = t.normalise_images(pd.DataFrame([placed(image) for image in images]))
    return Contents(t.settle_statuses(frame, annotations), annotations, labels)


def assert_sound(found: Contents) -> None:
    """Check that the tables can be imported into a project and the issues can be shown and stored."""
    pd.testing.assert_frame_equal(found.images, t.normalise_images(found.images))
    if len(found.annotations):
        pd.testing.assert_frame_equal(found.annotations, t.normalise_annotations(found.annotations))
    assert set(found.annotations["image"]) <= set(found.images["image"])
    assert set(found.annotations["label"]) <= set(found.labels)
    for issue in found.issues:
        assert issue.code in CODES
        (issue.message + issue.where + issue.source).encode()


def assert_equal(one: Contents, other: Contents) -> None:
    """Check that images, annotations and labels are equal."""
    pd.testing.assert_frame_equal(one.images, other.images)
    pd.testing.assert_frame_equal(one.annotations, other.annotations, rtol=0, atol=1e-6)
    assert one.labels == other.labels
