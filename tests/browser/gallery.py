"""Driving a gallery in a page."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.contrast import colours
from tests.browser.jupyter import LabPage

#: Draws numbered pictures, each of its own, and makes a project of them.
SETUP = """
from pathlib import Path
import numpy as np
from PIL import Image, ImageDraw
import customlabels_nb as cl

def draw(count, folder="photos"):
    Path(folder).mkdir(exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = Image.new("RGB", (120, 90), tuple(int(v) for v in rng.integers(60, 230, 3)))
        ImageDraw.Draw(picture).text((40, 30), str(number), fill="white", font_size=28)
        picture.save(f"{folder}/{number:03}.png")

def labelled():
    annotations = cl.load_project("things").train_set.annotations
    return {Path(image).stem: label for image, label in zip(annotations["image"], annotations["label"])}
"""
PROJECT = """
draw({count})
project = cl.create_project("things", task="single-label")
project.add_images("photos", progress=False)
for label in ("apple", "pear", "plum"):
    project.labels.add(label)
"""
SHOW = 'g = project.label("train", sort="name", page_size={size})\ng'


class GalleryPage:
    """A gallery that a cell of a page shows."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".clnb-gallery")

    def ready(self) -> GalleryPage:
        """Wait for its pictures, then give it the keyboard."""
        self.root.locator(".tile img[src^='data:']").first.wait_for(timeout=30_000)
        self.root.focus()
        return self

    def tile(self, index: int) -> Locator:
        """A tile of the page, counted from 0."""
        return self.root.locator(".tile").nth(index)

    def chips(self, index: int) -> Locator:
        """The labels under a tile."""
        return self.tile(index).locator(".chip:not(.predicted)")

    def label_button(self, label: str) -> Locator:
        """The button of a label."""
        return self.root.locator(f".labelbar .label[data-label='{label}']")

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            self.page.page.keyboard.press(key)

    def expect_saved(self, seconds: float = 10) -> None:
        """Wait until all is said to be saved."""
        expect(self.root.locator(".state")).to_have_text("saved", timeout=1000 * seconds)

    def labelled(self, seconds: float = 30) -> dict[str, str]:
        """Label by picture as a project that is opened anew has them."""
        found: dict[str, str] = self.page.value("labelled()", seconds=seconds)
        return found

    def choose(self, menu: str, value: str) -> None:
        """Choose an entry of a menu: show, with, sort or size."""
        self.root.locator(f"[data-menu='{menu}']").select_option(value)

    def names(self) -> list[str]:
        """The file names on the page."""
        names: list[str] = self.root.locator(".tile:visible").evaluate_all("tiles => tiles.map(tile => tile.title)")
        return [name.rsplit("/", 1)[-1].removesuffix(".png") for name in names]

    def colours(self, selector: str) -> dict[str, Any]:
        """Text colour, its opaque ground and the contrast between them (WCAG 2.1) of the first such element."""
        return colours(self.root.locator(selector))
