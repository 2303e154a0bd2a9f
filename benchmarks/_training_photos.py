"""Photos with boxes for the training benchmark, where every fifth in natural file order is a test image."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
from _measure import ROOT, TEST_DATA_VARIABLE

from customlabels_nb.images.reading import header_size
from customlabels_nb.training.boxes_data import Example

SETS = ("raccoon", "fruit-objects")


def folder_of(name: str) -> Path:
    """Return the folder of a set of photos, which may not exist."""
    return (Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data") / name).absolute()


def photos(name: str) -> tuple[list[Example], list[Example], list[str]]:
    """Return training images, test images and labels of a set."""
    folder = folder_of(name)
    boxes = _raccoon(folder) if name == "raccoon" else _fruit(folder)
    labels = sorted({label for rows in boxes.values() for label, *_ in rows})
    examples = []
    for path in sorted(boxes, key=_natural):
        rows = boxes[path]
        at = np.array([labels.index(row[0]) for row in rows])
        examples.append(Example(str(path), None, np.array([row[1:] for row in rows], dtype=np.float64), at))
    return [e for i, e in enumerate(examples) if i % 5], examples[::5], labels


def _raccoon(folder: Path) -> dict[Path, list[tuple[str, float, float, float, float]]]:
    """Read the raccoon boxes by image."""
    found: dict[Path, list[tuple[str, float, float, float, float]]] = {}
    with open(folder / "data" / "raccoon_labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            left, top, right, bottom = (float(row[key]) for key in ("xmin", "ymin", "xmax", "ymax"))
            box = (row["class"], left, top, right - left, bottom - top)
            found.setdefault(folder / "images" / row["filename"], []).append(box)
    return found


def _fruit(folder: Path) -> dict[Path, list[tuple[str, float, float, float, float]]]:
    """Read the fruit boxes by image, converted to pixels."""
    found: dict[Path, list[tuple[str, float, float, float, float]]] = {}
    for entry in json.loads((folder / "tagged-images.json").read_text())["files"]:
        path = folder / "images" / entry["filename"]
        width, height = header_size(str(path))
        found[path] = [
            (tag["tag"], tag["left"] * width, tag["top"] * height, tag["width"] * width, tag["height"] * height)
            for tag in entry["tags"]
        ]
    return found


def _natural(path: Path) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
