"""Contents to write, and comparison with the contents that are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pandas.testing import assert_frame_equal

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder

#: Names of labels and, with another character instead of a slash, of files.
HOSTILE = [
    "plain", "<b>&amp;</b>", "../../etc", "a\tb", "a\nb", "a\r\nb", "no", "1.10", "~", "'", '"', ",", ";", "é", "日本",
    "🍎", "=1+1", "# x", "- x", "a: b", "{}", "[x]", "y\u2028x", "x\u0085y", "]]>", "%41", "\ufeffx", "a:b", "x\\y",
    "source-ref", "x-metadata", "x", "x-metadata-metadata", "label-x", "bounding-box", "bounding-box-2", "A-B",
    "bounding-box-metadata", "errors", "cl-metadata", "a b", "a-b", "a_b", "naïve 梨", "-metadata", ".hidden",
    "metadata", "<script>alert(1)</script>", '"quoted"\\', "rekognition-custom-labels-x", "x" * 200,
    "x" * 100 + "-metadata", "SOURCE-REF", "X-Metadata", "label", "label-2",
]  # fmt: skip

Row = dict[str, Any]


def contents(images: list[Row], rows: list[Row], labels: list[str] | None = None) -> Contents:
    """Return normalised contents of plain rows."""
    frame = t.normalise_images(pd.DataFrame([{"split": t.TRAIN, "status": "unlabelled", **image} for image in images]))
    annotations = t.normalise_annotations(pd.DataFrame(rows)) if rows else t.empty(t.ANNOTATION_COLUMNS)
    return Contents(t.settle_statuses(frame, annotations), annotations, t.labels_in_order(annotations, labels or []))


def read(format_: Format, path: Path, **options: Any) -> Contents:
    """Read with a format, and search for images as its users do."""
    own = {name: options.pop(name) for name in format_.options & options.keys()}
    return format_.read(path, ImageFinder(path if path.is_dir() else path.parent, **options), **own)


def boxes(found: Contents) -> list[tuple[Any, ...]]:
    """Return file name, label and box of each annotation, rounded to a millionth of a pixel."""
    table = found.annotations
    return [
        (Path(row.image).name, row.label, *(round(getattr(row, side), 6) for side in t.BOX_COLUMNS))
        for row in table.itertuples()
    ]


def statuses(found: Contents) -> dict[str, str]:
    """Return the status by file name."""
    return {Path(row.image).name: row.status for row in found.images.itertuples()}


def codes(found: Contents) -> list[str]:
    return [issue.code for issue in found.issues]


def assert_same(found: Contents, expected: Contents, *, leaving_out: tuple[str, ...] = ()) -> None:
    """Check that there are no issues and that images, annotations and, unless left out, order and times are equal."""
    assert found.issues == []
    columns = ["image", "split", "status", "width", "height"]
    assert_frame_equal(found.images[columns], expected.images[columns])
    compared = [name for name in t.ANNOTATION_COLUMNS if name not in ("annotator", *leaving_out)]
    by_image = expected.annotations.assign(at=expected.annotations["image"].map(list(expected.images["image"]).index))
    ordered = by_image.sort_values("at", kind="stable").reset_index(drop=True)
    plain = [name for name in compared if name != "polygon"]
    assert_frame_equal(found.annotations[plain], ordered[plain], check_exact=False, rtol=0, atol=1e-6)
    for mine, theirs in zip(found.annotations["polygon"], ordered["polygon"], strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert_frame_equal(pd.DataFrame(mine), pd.DataFrame(theirs), check_dtype=False, rtol=0, atol=1e-6)
    if "labels" not in leaving_out:
        assert found.labels == expected.labels


def files_outside(folder: Path, allowed: Path) -> list[Path]:
    """Return the files below ``folder`` that are not below ``allowed``."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(allowed)]
