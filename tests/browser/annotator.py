"""Drive an annotator in a page, in pixels of the image."""

from __future__ import annotations

import math
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.jupyter import LabPage
from tests.browser.waiting import PATIENCE

#: Draws numbered images of 400 × 300 pixels and creates a project of them.
SETUP = """
from pathlib import Path
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
import customlabels_nb as cl

def draw(count, folder="photos"):
    Path(folder).mkdir(exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = Image.new("RGB", (400, 300), tuple(int(v) for v in rng.integers(60, 200, 3)))
        ImageDraw.Draw(picture).text((160, 120), str(number), fill="white", font_size=60)
        picture.save(f"{folder}/{number}.png")

def rounded(values):
    return [rounded(value) for value in values] if isinstance(values, list) else round(values)

def shapes(number, name="things"):
    "Label, rounded box and corners of each shape of a picture, as a project that is opened anew has them."
    marks = cl.load_project(name).train_set.annotations
    marks = marks[marks["image"].str.contains(f"/{number}[.]") & marks["left"].notna()]
    columns = ["label", "left", "top", "width", "height", "polygon"]
    return sorted(
        (label, *(round(v) for v in box), *([rounded(polygon)] if polygon is not None else []))
        for label, *box, polygon in marks[columns].itertuples(index=False)
    )

def status(number, name="things"):
    images = cl.load_project(name).train_set.images
    return images.loc[images["image"].str.endswith(f"/{number}.png"), "status"].item()
"""
PROJECT = """
draw({count})
project = cl.create_project("things", task="boxes")
project.add_images("photos", progress=False)
for label in ("apple", "pear", "plum"):
    project.labels.add(label)
"""
SHOW = 'a = project.annotate("train", sort="name")\na'

Point = tuple[float, float]


class AnnotatorPage:
    """Annotator shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".clnb-annotator")
        self.canvas = self.root.locator(".canvas")
        self.mouse = page.page.mouse

    def ready(self) -> AnnotatorPage:
        """Wait for the image, scroll it into view and focus the annotator."""
        self.root.locator(".photo[src^='data:']").first.wait_for()
        self.canvas.scroll_into_view_if_needed()
        self.root.evaluate("node => node.focus()")
        return self

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.page.keyboard.press(key)

    @property
    def zoom(self) -> float:
        """CSS pixels per image pixel."""
        return float(self._camera()[0])

    def zoom_to(self, zoom: float, x: float = 200, y: float = 150) -> None:
        """Zoom with the wheel around a position of the image."""
        for _ in range(40):
            if math.isclose(self.zoom, zoom, rel_tol=2e-3):
                return
            self.mouse.move(*self.at(x, y))
            self.wheel(-math.log(zoom / self.zoom) / 0.0016)
        raise AssertionError(f"zoom is {self.zoom}, not {zoom}")

    def wheel(self, by: float) -> None:
        """Turn the wheel and wait until the image has been scaled and is at rest."""
        picture = self.root.locator(".photo").first
        before = picture.evaluate("node => getComputedStyle(node).transform")
        self.mouse.wheel(0, by)
        expect(picture).not_to_have_css("transform", before)
        expect(picture).to_have_css("will-change", "auto")

    def at(self, x: float, y: float) -> Point:
        """Return the page coordinates of a position of the image."""
        scale, left, top = self._camera()
        return left + x * scale, top + y * scale

    def _camera(self) -> tuple[float, float, float]:
        script = """node => {
            const box = node.getBoundingClientRect();
            const { a, e, f } = new DOMMatrix(getComputedStyle(node.querySelector(".photo")).transform);
            return [a, box.left + e, box.top + f];
        }"""
        scale, left, top = self.canvas.evaluate(script)
        return scale, left, top

    def click(self, x: float, y: float, *, key: str | None = None) -> None:
        """Click at a position of the image, optionally with a key held down."""
        self.drag((x, y), (x, y), key=key)

    def drag(self, start: Point, end: Point, *, key: str | None = None, release: bool = True) -> None:
        """Press at a position of the image, move to another and release."""
        keyboard = self.page.page.keyboard
        if key:
            keyboard.down(key)
        self.mouse.move(*self.at(*start))
        self.mouse.down()
        if start != end:
            self.mouse.move(*self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
            self.mouse.move(*self.at(*end))
        if release:
            self.mouse.up()
        if key:
            keyboard.up(key)

    def label_button(self, label: str) -> Locator:
        """Return the button of a label."""
        return self.root.locator(f".side.left .label[data-label='{label}']")

    def rows(self) -> Locator:
        """Return the list of shapes on the image."""
        return self.root.locator(".list.shapes .row")

    def field(self, name: str) -> Locator:
        """Return an editable number of the selected shape."""
        return self.root.locator(f"input[aria-label='{name}']")

    def expect_shapes(self, count: int) -> None:
        """Wait until the page shows ``count`` shapes."""
        expect(self.root.locator(".side.right h4").first).to_have_text(f"Shapes · {count}")

    def expect_saved(self, seconds: float = PATIENCE) -> None:
        """Wait until everything is shown as saved."""
        expect(self.root.locator(".state")).to_have_text("saved", timeout=1000 * seconds)

    def expect_image(self, name: str) -> None:
        """Wait until this image is shown."""
        expect(self.root.locator(".toolbar strong")).to_have_text(name)
        expect(self.root.locator(".toolbar .size")).not_to_have_text("")

    def stored(self, number: int | str = 0, *, seconds: float = PATIENCE) -> list[Any]:
        """Return the stored shapes of an image once the page shows them as saved."""
        self.expect_saved()
        found: list[Any] = self.page.value(f"shapes({number!r})", seconds=seconds)
        return found

    def status(self, number: int = 0) -> str:
        """Return the stored status of an image."""
        self.expect_saved()
        return str(self.page.value(f"status({number})"))
