"""A small dataset of each kind, its images drawn to files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from tests.images.pictures import encoded, jpeg, picture

TRIANGLE = [[2.0, 2.0], [12.0, 2.0], [2.0, 22.0]]


def drawn(folder: Path, count: int = 6) -> list[str]:
    """JPEG files of 48 × 32 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(number))
    return [str(path) for path in paths]


def one_label(folder: Path) -> cl.Dataset:
    """Apples and pears in turn; of the last two images one isn't labelled, and one shows nothing."""
    paths = drawn(folder)
    images = pd.DataFrame({"image": paths, "shelf": [1, 2, 3, 4, 5, 6], "city": ["Ulm", "Bern", None, "a", "b", "c"]})
    images["status"] = ["labelled"] * 4 + ["unlabelled", "labelled"]
    annotations = pd.DataFrame({"image": paths[:4], "label": ["pear", "apple", "pear", "apple"]})
    return cl.Dataset(images, annotations, ["pear", "apple", "quince"])


def many_labels(folder: Path) -> cl.Dataset:
    """The first image has two labels, the second one, the third shows nothing, the others aren't labelled."""
    paths = drawn(folder)
    images = pd.DataFrame({"image": paths, "status": ["labelled"] * 3 + ["unlabelled"] * 3})
    annotations = pd.DataFrame({"image": [paths[0], paths[0], paths[1]], "label": ["ripe", "red", "red"]})
    return cl.Dataset(images, annotations, ["red", "ripe"])


def boxes(folder: Path) -> cl.Dataset:
    """Two boxes on the first image, a polygon on the second, nothing on the third, and one that isn't labelled."""
    paths = drawn(folder, 4)
    images = pd.DataFrame({"image": paths, "status": ["labelled"] * 3 + ["unlabelled"]})
    annotations = pd.DataFrame(
        {
            "image": [paths[0], paths[1], paths[0]],
            "label": ["cup", "plate", "plate"],
            "left": [1.0, None, 10.5],
            "top": [2.0, None, 0.0],
            "width": [20.0, None, 30.0],
            "height": [10.0, None, 32.0],
            "polygon": [None, TRIANGLE, None],
            "crowd": [False, False, True],
            "confidence": [1.0, 0.75, 0.5],
            "annotator": ["ann", None, "bob"],
        }
    )
    return cl.Dataset(images, annotations, ["plate", "cup"])


def turned(path: Path) -> None:
    """A JPEG that is stored lying: upright it has 32 × 48 pixels."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(encoded(picture(1), exif=exif))


def shapes(dataset: cl.Dataset) -> list[tuple[object, ...]]:
    """What the annotations say, in an order of its own and without what other libraries don't hold."""
    rows = dataset.annotations
    return sorted(
        (
            Path(row.image).name,
            row.label,
            *(round(getattr(row, name), 3) for name in t.BOX_COLUMNS),
            str(row.polygon),
            row.crowd,
            round(row.confidence, 3),
        )
        for row in rows.itertuples()
    )
