"""Functions called by the cells of ``gallery.py``'s notebook: projects, comparison screens, and a training loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any

import anywidget
import ipywidgets
import pandas as pd

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.store import Action
from customlabels_nb.widgets._base import join_modules
from customlabels_nb.widgets.gallery import Gallery

LABELS = ("apple", "pear", "plum")
PAGE = 100
PIXELS = 160


def create(photos: Path) -> cl.Project:
    """Create a project of all photos, without annotations."""
    project = cl.create_project("photos", task="single-label")
    project.add_images(photos, progress=False)
    for label in LABELS:
        project.labels.add(label)
    return project


def create_of_size(name: str, images: int, photos: cl.Project) -> cl.Project:
    """Create a project of ``images`` images that reuse the photos' hashes and thumbnails and have no files."""
    project = cl.create_project(name, task="single-label")
    contents = photos.train_set.images["sha256"].tolist()
    rows = {
        "image": [f"/photos/2026-11/IMG_{number:06}.jpg" for number in range(images)],
        "sha256": [contents[number % len(contents)] for number in range(images)],
        "width": 1024,
        "height": 768,
    }
    images_table = t.normalise_images(pd.DataFrame(rows))
    project._store.add_images("train", images_table, t.empty(t.ANNOTATION_COLUMNS), Action("import", "somebody"))
    for label in LABELS:
        project.labels.add(label)
    cache = Path(project.root) / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "thumbnails").symlink_to(Path(photos.root) / "cache" / "thumbnails")
    return project


def forget_thumbnails(project: cl.Project) -> None:
    """Delete the thumbnails on disk."""
    shutil.rmtree(Path(project.root) / "cache" / "thumbnails")


def thumbnails(project: cl.Project) -> list[bytes]:
    """Return the thumbnail of every photo in import order."""
    gallery = project.label("train")
    session, files = gallery.session, gallery._files
    found = files.thumbnails([session.part_of(name) for name in session.table.names], PIXELS)
    gallery.close()
    return [data for data in found if isinstance(data, bytes)]


class Timed:
    """Recorder of the time that a gallery's handlers take.

    Attributes
    ----------
    took : dict
        Milliseconds by kind of request.
    """

    def __init__(self, gallery: Gallery) -> None:
        self.took: dict[str, list[float]] = {}
        gallery.handlers = {kind: self._timed(kind, handler) for kind, handler in gallery.handlers.items()}

    def _timed(self, kind: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)  # the fields of requests are checked by the handler's signature
        def timed(**fields: Any) -> Any:
            began = perf_counter()
            try:
                return handler(**fields)
            finally:
                self.took.setdefault(kind, []).append(1000 * (perf_counter() - began))

        return timed

    def read(self, kind: str) -> list[float]:
        """Return the times recorded for this kind since the last call and discard all others."""
        own = self.took.get(kind, [])
        self.took.clear()
        return own


class Bare(anywidget.AnyWidget):
    """Minimal widget that sends a page of bytes from memory on request."""

    _esm = join_modules(Path(__file__).with_name("_gallery_bare.js"))

    def __init__(self, pictures: list[bytes]) -> None:
        super().__init__()
        pages = [pictures[begin : begin + PAGE] for begin in range(0, len(pictures), PAGE)]
        self.on_msg(lambda _, message, __: self.send({"page": message["page"]}, pages[message["page"] % len(pages)]))


class Grid(ipywidgets.VBox):
    """Typical ipywidgets gallery: a ``GridBox`` of ``Image``, buttons below each, and a button for the next page."""

    def __init__(self, pictures: list[bytes]) -> None:
        self.pages = [pictures[begin : begin + PAGE] for begin in range(0, len(pictures), PAGE)]
        self.page = 0
        self.labels: list[tuple[str | None, ...]] = []
        style = ipywidgets.ToggleButtonsStyle(button_width="30%")
        self.shown = [ipywidgets.Image(value=data, format="jpeg") for data in self.pages[0]]
        self.buttons = [ipywidgets.ToggleButtons(options=LABELS, value=None, style=style) for _ in self.shown]
        cells = [ipywidgets.VBox(pair) for pair in zip(self.shown, self.buttons, strict=True)]
        layout = ipywidgets.Layout(grid_template_columns="repeat(10, minmax(0, 1fr))")
        turn = ipywidgets.Button(description="next page")
        turn.on_click(self.turn)
        super().__init__([turn, ipywidgets.GridBox(cells, layout=layout)])
        self.add_class("grid-peer")

    def turn(self, _: Any) -> None:
        """Store the labels and show the next page."""
        self.labels.append(tuple(buttons.value for buttons in self.buttons))
        self.page = (self.page + 1) % len(self.pages)
        for image, buttons, data in zip(self.shown, self.buttons, self.pages[self.page], strict=True):
            image.value = data
            buttons.value = None


def one_by_one(photos: Path) -> Any:
    """Return ipyannotations' ``ClassLabeller``, which collects answers in a list and then shows the next photo."""
    from ipyannotations.images import ClassLabeller

    paths = iter(sorted(photos.glob("*.jpg")))
    labeller = ClassLabeller(options=list(LABELS))
    labeller.answers = []

    def submitted(label: str) -> None:
        labeller.answers.append(label)
        labeller.display(next(paths))

    labeller.on_submit(submitted)
    labeller.add_class("one-by-one")
    labeller.display(next(paths))
    return labeller


def train_until(stop: Path) -> int:
    """Train a small network on all cores in the main thread until the file ``stop`` exists and return the steps."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    images, classes = torch.rand(16, 3, 224, 224), torch.randint(0, 3, (16,))
    steps = 0
    while not stop.exists():
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), classes).backward()
        optimizer.step()
        steps += 1
    return steps
