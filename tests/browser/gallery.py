"""Drive a gallery in a page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.jupyter import LabPage
from tests.browser.waiting import PATIENCE

#: Draws different numbered images and creates a project of them.
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
TURNING = re.compile(r"\bturning\b")  # class of a screen that waits for a page, and ignores keys for its images
SHOW = 'g = project.label("train", sort="name", page_size={size})\ng'


class GalleryPage:
    """Gallery shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".clnb-gallery")

    def ready(self) -> GalleryPage:
        """Wait for the images and focus the gallery."""
        self.root.locator(".tile img[src^='data:']").first.wait_for()
        self.root.focus()
        return self

    def tile(self, index: int) -> Locator:
        """Return a tile of the page, counted from 0."""
        return self.root.locator(".tile").nth(index)

    def outlines(self, node: Locator) -> list[tuple[float, ...]]:
        """Return left, top, right and bottom of the shapes drawn in a node, as shares of its image."""
        found = node.evaluate("""node => {
            const image = node.querySelector("img"), room = image.getBoundingClientRect();
            const scale = Math.min(room.width / image.naturalWidth, room.height / image.naturalHeight);
            const [width, height] = [scale * image.naturalWidth, scale * image.naturalHeight];
            const [left, top] = [room.left + (room.width - width) / 2, room.top + (room.height - height) / 2];
            return [...node.querySelectorAll(".overlay path:not(.halo)")].map((path) => {
                const box = path.getBoundingClientRect();
                const [x, y] = [(side) => (side - left) / width, (side) => (side - top) / height];
                return [x(box.left), y(box.top), x(box.right), y(box.bottom)];
            });
        }""")
        return [tuple(shares) for shares in found]

    def chips(self, index: int) -> Locator:
        """Return the labels under a tile."""
        return self.tile(index).locator(".chip:not(.predicted)")

    def label_button(self, label: str) -> Locator:
        """Return the button of a label."""
        return self.root.locator(f".labelbar .label[data-label='{label}']")

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.page.keyboard.press(key)

    def expect_saved(self, seconds: float = PATIENCE) -> None:
        """Wait until everything is shown as saved, and no page is loading any more."""
        expect(self.root.locator(".state")).to_have_text("saved", timeout=1000 * seconds)
        expect(self.root).not_to_have_class(TURNING)

    def labelled(self, seconds: float = PATIENCE) -> dict[str, str]:
        """Return the labels by image as read by a newly opened project."""
        found: dict[str, str] = self.page.value("labelled()", seconds=seconds)
        return found

    def choose(self, menu: str, value: str) -> None:
        """Choose a menu entry: show, with, sort or size, and wait for the images."""
        select = self.root.locator(f"[data-menu='{menu}']")
        if not select.is_visible():
            self.root.get_by_label("More actions").click()
        select.select_option(value)
        expect(self.root).not_to_have_class(TURNING)

    def act(self, name: str) -> None:
        """Click an action of the toolbar, in the row or in the menu of rare actions."""
        button = self.root.locator(".toolbar").get_by_role("button", name=name, exact=True)
        if not button.is_visible():
            self.root.get_by_label("More actions").click()
        button.click()

    def names(self) -> list[str]:
        """Return the file names on the page."""
        names: list[str] = self.root.locator(".tile:visible").evaluate_all("tiles => tiles.map(tile => tile.title)")
        return [name.rsplit("/", 1)[-1].removesuffix(".png") for name in names]
