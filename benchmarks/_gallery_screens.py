"""Screens of ``gallery.py`` in the browser and pressing keys on them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from _measure import cores
from PIL import Image, ImageDraw

SIZE = (1024, 768)
BASES = 12
PAGE = 100


def draw_photos(folder: Path, count: int) -> None:
    """Draw different 0.8-megapixel photos with noise and shapes, unless they already exist."""
    rng = np.random.default_rng(0)
    bases = [_base(rng) for _ in range(BASES)]
    shifts = rng.integers(0, SIZE[1], (count, 2))
    tints = rng.integers(-40, 40, (count, 1, 1, 3))

    def one(number: int) -> None:
        path = folder / f"{number:05}.jpg"
        if path.exists():
            return
        pixels = np.roll(bases[number % BASES], tuple(shifts[number]), axis=(0, 1))
        buffer = io.BytesIO()
        Image.fromarray((pixels + tints[number]).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
        path.write_bytes(buffer.getvalue())

    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(one, range(count)))


def _base(rng: np.random.Generator) -> np.ndarray:
    """Draw a photo-like image of color fields, shapes and noise."""
    fields = Image.fromarray(rng.integers(40, 216, (6, 8, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(fields)
    for _ in range(12):
        x, y, size = (int(value) for value in rng.integers(20, 700, 3))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        shape = pen.ellipse if size % 2 else pen.rectangle
        shape((x, y, x + size // 4, y + size // 5), fill=color)
    noise = rng.normal(0, 9, (SIZE[1], SIZE[0], 1))
    return (np.asarray(fields, dtype=np.int16) + noise.astype(np.int16)).clip(0, 255)


class Screen:
    """Page element operated by keys and clicks, with a timer.

    Parameters
    ----------
    page : tests.browser.jupyter.LabPage
        Page of the notebook.
    selector : str
        CSS selector that identifies the element on the page.
    """

    def __init__(self, page: Any, selector: str) -> None:
        self.page = page.page
        self.selector = selector
        self.root = self.page.locator(selector)

    def arm(self, condition: str, **given: Any) -> None:
        """Start the timer at the next key press or click."""
        self.page.evaluate("given => clock.arm(given)", {"selector": self.selector, "condition": condition, **given})

    def read(self) -> float:
        """Return the milliseconds until everything was painted."""
        return float(self.page.evaluate("clock.read()"))

    def key(self, key: str, condition: str, **given: Any) -> float:
        """Press a key and return the milliseconds until its effect is painted."""
        self.arm(condition, **given)
        self.page.keyboard.press(key)
        return self.read()

    def click(self, element: Any, condition: str, **given: Any) -> float:
        """Click an element and return the milliseconds until its effect is painted."""
        element.scroll_into_view_if_needed()
        self.arm(condition, **given)
        element.click()
        return self.read()

    def turn_to(self) -> None:
        """Scroll the element into view, focus it, and wait until no request is pending."""
        self.root.evaluate("node => { node.scrollIntoView({ block: 'start' }); node.focus({ preventScroll: true }); }")
        self.quiet()

    def quiet(self) -> None:
        """Wait until no request is pending and the prefetched page has arrived."""
        self.page.evaluate("clock.quiet(250)")


class BareScreen(Screen):
    """Screen of the minimal widget."""

    def __init__(self, page: Any, selector: str) -> None:
        super().__init__(page, selector)
        self.number = 0

    def next(self) -> float:
        """Show the next page."""
        self.turn_to()
        self.number += 1
        return self.key("PageDown", "bare", page=self.number, pictures="img")


class GalleryScreen(Screen):
    """Screen of a gallery with ``total`` images, 100 per page."""

    def __init__(self, page: Any, selector: str, total: int) -> None:
        super().__init__(page, selector)
        self.total = total

    def ready(self) -> GalleryScreen:
        """Wait for the first page."""
        self.wait_for_pictures()
        self.turn_to()
        return self

    def wait_for_pictures(self) -> None:
        """Wait until the first thumbnail is shown."""
        self.root.locator(".tile img[src^='data:']").first.wait_for(timeout=120_000)

    def _page(self, number: int) -> dict[str, Any]:
        first, last = number * PAGE, min((number + 1) * PAGE, self.total)
        position = f"{first + 1:,}–{last:,} of"
        return {"position": position, "count": last - first, "pictures": ".tile:not([hidden]) img[src]"}

    def turn(self, number: int, key: str = "PageDown") -> float:
        """Show the next or previous page, which has this number."""
        self.turn_to()
        return self.key(key, "page", **self._page(number))

    def jump(self, number: int, *, least: int | None = None) -> float:
        """Go to a page by its number, until all pictures are painted, or at least this many."""
        self.turn_to()
        field = self.root.locator(".jump")
        field.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(str(number + 1))
        return self.key("Enter", "page", **self._page(number), least=least)

    def choose(self, menu: str, value: str) -> None:
        """Choose a menu entry and wait until no request is pending."""
        self.root.locator(f"[data-menu='{menu}']").select_option(value)
        self.quiet()

    def label_all(self, key: str, label: str) -> float:
        """Label the selected page and return the milliseconds until it is shown as saved."""
        self.quiet()
        return self.key(key, "saved", label=label, places=list(range(PAGE)))

    def clear(self) -> None:
        """Remove the labels of the page and focus its first image."""
        self.turn_to()
        for key in ("Escape", "Control+a", "Delete", "Escape", "Home"):
            self.page.keyboard.press(key)
        self.quiet()

    def select(self, place: int, count: int) -> float:
        """Add a tile to the selection and return the milliseconds until ``count`` tiles are selected."""
        tile = self.root.locator(".tile").nth(place)
        self.arm("selected", count=count)
        tile.click(modifiers=["Control"] if count > 1 else [])
        return self.read()


class GridScreen(Screen):
    """Screen of the ipywidgets gallery, with ``ToggleButtons`` below each ``ipywidgets.Image``."""

    def label(self, place: int, button: int) -> float:
        """Press one of an image's buttons."""
        chosen = self.root.locator(".widget-toggle-buttons").nth(place).locator("button").nth(button)
        return self.click(chosen, "pressed", place=place, button=button)

    def next(self) -> float:
        """Show the next page."""
        button = self.root.locator("button").first
        return self.click(button, "otherPictures", count=PAGE, pictures="img")


class OneByOneScreen(Screen):
    """Screen of ipyannotations' ``ClassLabeller``."""

    def label(self, label: str) -> float:
        """Press the button of a label and return the milliseconds until the next photo is painted."""
        button = self.root.get_by_role("button", name=label)
        return self.click(button, "otherPictures", count=1, pictures="img")


def spaced(pages: int) -> Iterable[int]:
    """Yield all pages but the first, even numbers before odd ones, so that none was just prefetched."""
    yield from range(2, pages, 2)
    yield from range(1, pages, 2)
