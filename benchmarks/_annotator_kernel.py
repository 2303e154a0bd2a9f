"""Functions called by the cells of ``annotator.py``'s notebook: projects, and widgets to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from _gallery_kernel import LABELS, Timed, train_until

import customlabels_nb as cl
from customlabels_nb.widgets._base import join_modules

__all__ = ["Bare", "Timed", "bbox_widget", "box_annotator", "create", "create_empty", "display",
           "rings", "train_until"]  # fmt: skip
SIDE = 4096


def ratios(count: int) -> np.ndarray:
    """Return ``count`` random boxes as left, top, width, height relative to the image's sides, shape (count, 4)."""
    rng = np.random.default_rng(count)
    sizes = rng.uniform(0.02, 0.12, (count, 2))
    return np.hstack([rng.uniform(0, 1 - sizes), sizes])


def _pixels(count: int) -> list[list[int]]:
    """Return ``count`` random boxes in pixels."""
    places: list[list[int]] = (SIDE * ratios(count)).round().astype(int).tolist()
    return places


def rings(count: int, points: int) -> np.ndarray:
    """Return ``count`` random polygons relative to the image's sides, shape (count, points, 2)."""
    rng = np.random.default_rng(count)
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radii = rng.uniform(0.02, 0.08, (count, 1)) * (
        1 + 0.2 * np.sin(5 * turn) + rng.uniform(-0.03, 0.03, (count, points))
    )
    around = radii[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return np.asarray(rng.uniform(0.1, 0.9, (count, 1, 2)) + around)


def create(photos: Path, counts: dict[str, int], polygons: tuple[str, int, int]) -> cl.Project:
    """Create a project of all photos and draw the numbers of boxes given in ``counts``, and polygons.

    ``polygons`` is the name of the photo, the number of polygons, and of the points of each.
    """
    project = cl.create_project("photos", task="boxes")
    project.add_images(photos, progress=False)
    for label in LABELS:
        project.labels.add(label)
    images = project.train_set.images["image"]
    drawn = []
    for name, count in counts.items():
        boxes = pd.DataFrame(_pixels(count), columns=["left", "top", "width", "height"])
        labels = [LABELS[number % len(LABELS)] for number in range(count)]
        drawn.append(boxes.assign(image=images[images.str.endswith(name)].iat[0], label=labels))
    name, count, points = polygons
    outlines = (SIDE * rings(count, points)).round(1).tolist()
    labels = [LABELS[number % len(LABELS)] for number in range(count)]
    image = images[images.str.endswith(name)].iat[0]
    drawn.append(pd.DataFrame({"polygon": outlines, "label": labels, "image": image}))
    project.update("train", pd.concat(drawn))
    return project


def display(annotator: Any, name: str) -> int:
    """Go to the image with this file name and return its number, counted from 1."""
    image = next(image for image in annotator.session.table.names if image.endswith(name))
    annotator.display(image)
    return 1 + int(annotator.session.place_of(image))


def create_empty(images: Sequence[str], label: str) -> cl.Project:
    """Create a project of these images, in this order, with one label that no image has."""
    project = cl.create_project("person", task="boxes")
    project.add_images(list(images), progress=False)
    project.labels.add(label)
    return project


class Bare(anywidget.AnyWidget):
    """Photo with boxes drawn on a canvas of a fixed width and height in CSS pixels."""

    _esm = join_modules(Path(__file__).with_name("_annotator_bare.js"))
    photo = traitlets.Bytes().tag(sync=True)
    boxes = traitlets.List().tag(sync=True)
    rings = traitlets.List().tag(sync=True)
    stage = traitlets.List().tag(sync=True)

    def __init__(self, photo: Path, boxes: int, stage: Sequence[int], rings: Any = None) -> None:
        outlines = [] if rings is None else rings.tolist()
        super().__init__(photo=photo.read_bytes(), boxes=ratios(boxes).tolist(), stage=list(stage), rings=outlines)


def box_annotator(photo: Path, boxes: int) -> Any:
    """Return ipyannotations' ``BoxAnnotator`` of a photo with this many boxes."""
    from ipyannotations.images import BoxAnnotator

    annotator = BoxAnnotator(options=list(LABELS))
    annotator.display(photo)
    places = [(left, top, left + width, top + height) for left, top, width, height in _pixels(boxes)]
    annotator.data = [{"type": "box", "label": LABELS[0], "xyxy": place} for place in places]
    annotator.add_class("box-annotator")
    return annotator


def bbox_widget(photo: Path, boxes: int) -> Any:
    """Return jupyter-bbox-widget's ``BBoxWidget`` of a photo with this many boxes."""
    from jupyter_bbox_widget import BBoxWidget

    names = ("x", "y", "width", "height")
    drawn = [{**dict(zip(names, place, strict=True)), "label": LABELS[0]} for place in _pixels(boxes)]
    widget = BBoxWidget(image=str(photo), classes=list(LABELS), bboxes=drawn)
    widget.add_class("bbox-widget")
    return widget
