"""What ``annotator.py`` shows in the browser, and how it draws there with the mouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from _gallery_screens import Screen, draw_photos
from PIL import Image

Point = tuple[float, float]
Corners = tuple[float, ...]


def draw_large(folder: Path, names: dict[str, tuple[int, int]]) -> None:
    """Photos of these names and sizes in pixels, of less than 2 MB; those that are there already stay."""
    small = folder.parent / "small"
    draw_photos(small, len(names))
    folder.mkdir(parents=True, exist_ok=True)
    for source, (name, size) in zip(sorted(small.glob("*.jpg")), names.items(), strict=True):
        if not (folder / name).exists():
            with Image.open(source) as photo:
                photo.resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=75)


def truth_of(file: Path) -> tuple[str, list[Corners]]:
    """The file name of an image in Pascal VOC's XML, and the corners (left, top, right, bottom) of its boxes."""
    root = ElementTree.parse(file).getroot()
    sides = ("xmin", "ymin", "xmax", "ymax")
    corners = [tuple(float(box.findtext(side, "")) for side in sides) for box in root.iter("bndbox")]
    return PurePosixPath(root.findtext("filename", "")).name, corners


class Stage(Screen):
    """An element of the page on which one draws by dragging.

    Parameters
    ----------
    page : tests.browser.jupyter.LabPage
    selector : str
        CSS of the widget.
    area : str
        CSS of the part of it on which one draws.
    """

    def __init__(self, page: Any, selector: str, area: str) -> None:
        super().__init__(page, selector)
        self.area = self.root.locator(area).first

    def ready(self) -> Stage:
        """Wait until it is there, and scroll it into sight."""
        self.area.wait_for(timeout=60_000)
        self.area.scroll_into_view_if_needed()
        self.page.wait_for_timeout(500)
        return self

    def path(self, moves: int, begin: float = 0.15) -> Iterator[Point]:
        """Places on the screen from its upper left part to the lower right; it begins at such a share of its side."""
        box = self.area.bounding_box()
        side = min(box["width"], box["height"])
        for step in range(moves + 1):
            share = begin + 0.6 * step / moves
            yield box["x"] + (box["width"] - side) / 2 + share * side, box["y"] + 0.9 * share * side

    def drag(self, moves: int) -> None:
        """Draw a box in so many moves, not in step with the frames, and give it up."""
        mouse = self.page.mouse
        first, *others = self.path(moves)
        mouse.move(*first)
        self.page.keyboard.down("Control")  # draws even where there is a box
        mouse.down()
        self.page.keyboard.up("Control")
        for step, place in enumerate(others):
            mouse.move(*place)
            self.page.wait_for_timeout(8 + step * 7 % 11)
        self.page.keyboard.press("Escape")
        mouse.up()

    def lags(self, moves: int, begin: float) -> list[float]:
        """Milliseconds from each move until it is painted, one after the other, until one never is."""
        mouse = self.page.mouse
        first, *others = self.path(moves, begin)
        mouse.move(*first)
        self.page.keyboard.down("Control")
        mouse.down()
        self.page.keyboard.up("Control")
        times: list[float] = []
        for place in others:
            self.page.evaluate("selector => clock.follow(selector)", self.selector)
            mouse.move(*place)
            painted = self.page.evaluate("clock.followed()")
            if painted is None:
                break
            times.append(painted)
        self.page.keyboard.press("Escape")
        mouse.up()
        return times


@contextmanager
def traced(browser: Any, page: Any) -> Iterator[list[float]]:
    """The browser's own times of pressed moves: milliseconds until the frame that shows them was on the screen."""
    times: list[float] = []
    browser.start_tracing(page=page, categories=["input.scrolling"])
    try:
        yield times
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    begun: dict[tuple[Any, ...], dict[str, Any]] = {}
    for event in sorted((e for e in events if e["name"] == "EventLatency"), key=lambda e: e["ts"]):
        key = (event["pid"], *event["id2"].values())
        if event["ph"] == "b":
            begun[key] = event
        elif key in begun:
            told = {**event["args"], **begun[key]["args"]}.get("event_latency", {})
            if told.get("event_type") == "MOUSE_DRAGGED" and "display_trace_id" in told:
                times.append((event["ts"] - begun[key]["ts"]) / 1000)


class AnnotatorScreen(Stage):
    """The annotator."""

    def __init__(self, page: Any, selector: str) -> None:
        super().__init__(page, selector, ".canvas")

    def at(self, number: int) -> AnnotatorScreen:
        """Wait until it shows the image of this number, counted from 1, and nothing is on its way."""
        self.root.locator(".position", has_text=f"{number:,} of").wait_for(timeout=60_000)
        self.turn_to()
        return self

    def display(self, bench: Any, name: str) -> int:
        """Turn to the image of a file name; returns its number."""
        number = int(bench.page.value(f"bench.display(a, {name!r})"))
        self.at(number)
        return number

    def next(self, number: int) -> float:
        """Go on to the image of this number; until it is painted."""
        return self.key("PageDown", "image", number=number, pictures=".canvas .photo")

    def scale(self) -> float:
        """CSS pixels of the screen that a pixel of the image has."""
        return float(self._places()["scale"])

    def _places(self) -> dict[str, float]:
        """Where the image's pixel (0, 0) lies on the screen, and its scale."""
        read = """root => {
          const box = root.querySelector(".canvas").getBoundingClientRect();
          const { a: scale, e, f } = new DOMMatrix(getComputedStyle(root.querySelector(".photo")).transform);
          return { scale, left: box.left + e, top: box.top + f };
        }"""
        return dict(self.root.evaluate(read))

    def draw(self, box: Corners, count: int, condition: str = "drawn", *, fresh: bool = False) -> float:
        """Draw a box of the image by dragging; from the button's release until the image has ``count`` boxes."""
        at = self._places()
        left, top, right, bottom = (
            round(at[side] + at["scale"] * value) for side, value in zip(("left", "top") * 2, box, strict=True)
        )
        mouse = self.page.mouse
        mouse.move(left, top)
        if fresh:
            self.page.keyboard.down("Control")
        mouse.down()
        if fresh:
            self.page.keyboard.up("Control")
        mouse.move(right, bottom, steps=6)
        self.arm(condition, count=count, begins=["pointerup"])
        mouse.up()
        return self.read()
