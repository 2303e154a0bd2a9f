"""Small datasets of each kind with images drawn to files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from tests.images.pictures import encoded, jpeg, picture

TRIANGLE = [[2.0, 2.0], [12.0, 2.0], [2.0, 22.0]]


def drawn(folder: Path, count: int = 6) -> list[str]:
    """Write JPEG files of 48 × 32 pixels and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(number))
    return [str(path) for path in paths]


def one_label(folder: Path) -> cl.Dataset:
    """Return a dataset of alternating apples and pears, with one unlabelled and one empty image at the end."""
    paths = drawn(folder)
    images = pd.DataFrame({"image": paths, "shelf": [1, 2, 3, 4, 5, 6], "city": ["Ulm", "Bern", None, "a", "b", "c"]})
    images["status"] = ["labelled"] * 4 + ["unlabelled", "labelled"]
    annotations = pd.DataFrame({"image": paths[:4], "label": ["pear", "apple", "pear", "apple"]})
    return cl.Dataset(images, annotations, ["pear", "apple", "quince"])


def many_labels(folder: Path) -> cl.Dataset:
    """Return a dataset whose first image has two labels, the second one, the third none, the others unlabelled."""
    paths = drawn(folder)
    images = pd.DataFrame({"image": paths, "status": ["labelled"] * 3 + ["unlabelled"] * 3})
    annotations = pd.DataFrame({"image": [paths[0], paths[0], paths[1]], "label": ["ripe", "red", "red"]})
    return cl.Dataset(images, annotations, ["red", "ripe"])


def boxes(folder: Path) -> cl.Dataset:
    """Return a dataset of two boxes, a polygon, an empty image and an unlabelled one."""
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
    """Write a JPEG that is stored rotated. Upright, it has 32 × 48 pixels."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(encoded(picture(1), exif=exif))


def shapes(dataset: cl.Dataset) -> list[tuple[object, ...]]:
    """Return the annotations, sorted and without the columns that other libraries lack."""
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
