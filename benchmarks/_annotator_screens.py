"""Screens of ``annotator.py`` in the browser and drawing on them with the mouse."""

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
    """Draw photos of these names and sizes in pixels, below 2 MB each, unless they already exist."""
    small = folder.parent / "small"
    draw_photos(small, len(names))
    folder.mkdir(parents=True, exist_ok=True)
    for source, (name, size) in zip(sorted(small.glob("*.jpg")), names.items(), strict=True):
        if not (folder / name).exists():
            with Image.open(source) as photo:
                photo.resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=75)


def truth_of(file: Path) -> tuple[str, list[Corners]]:
    """Return the image's file name and box corners (left, top, right, bottom) from a Pascal VOC XML file."""
    root = ElementTree.parse(file).getroot()
    sides = ("xmin", "ymin", "xmax", "ymax")
    corners = [tuple(float(box.findtext(side, "")) for side in sides) for box in root.iter("bndbox")]
    return PurePosixPath(root.findtext("filename", "")).name, corners


class Stage(Screen):
    """Page element for drawing by dragging.

    Parameters
    ----------
    page : tests.browser.jupyter.LabPage
        Page of the notebook.
    selector : str
        CSS selector of the widget.
    area : str
        CSS selector of the drawing area inside the widget.
    """

    def __init__(self, page: Any, selector: str, area: str) -> None:
        super().__init__(page, selector)
        self.area = self.root.locator(area).first

    def ready(self) -> Stage:
        """Wait until the drawing area exists and scroll it into view."""
        self.area.wait_for(timeout=60_000)
        self.area.scroll_into_view_if_needed()
        self.page.wait_for_timeout(500)
        return self

    def path(self, moves: int, begin: float = 0.15) -> Iterator[Point]:
        """Yield screen positions from the upper left to the lower right, from the share ``begin`` of the side."""
        box = self.area.bounding_box()
        side = min(box["width"], box["height"])
        for step in range(moves + 1):
            share = begin + 0.6 * step / moves
            yield box["x"] + (box["width"] - side) / 2 + share * side, box["y"] + 0.9 * share * side

    def drag(self, moves: int) -> None:
        """Draw a box in ``moves`` mouse moves, unsynchronised with the frames, and cancel it."""
        mouse = self.page.mouse
        first, *others = self.path(moves)
        mouse.move(*first)
        self.page.keyboard.down("Control")  # draws even on top of another box
        mouse.down()
        self.page.keyboard.up("Control")
        for step, place in enumerate(others):
            mouse.move(*place)
            self.page.wait_for_timeout(8 + step * 7 % 11)
        self.page.keyboard.press("Escape")
        mouse.up()

    def lags(self, moves: int, begin: float) -> list[float]:
        """Return the milliseconds from each mouse move until it is painted, move by move."""
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
    """Record the browser's event timing: milliseconds from each pressed move until its frame is on the screen."""
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
    """Screen of the annotator."""

    def __init__(self, page: Any, selector: str) -> None:
        super().__init__(page, selector, ".canvas")

    def at(self, number: int) -> AnnotatorScreen:
        """Wait until the image with this number, counted from 1, is shown and no request is pending."""
        self.root.locator(".position", has_text=f"{number:,} of").wait_for(timeout=60_000)
        self.turn_to()
        return self

    def display(self, bench: Any, name: str) -> int:
        """Go to the image with this file name and return its number."""
        number = int(bench.page.value(f"bench.display(a, {name!r})"))
        self.at(number)
        return number

    def next(self, number: int) -> float:
        """Go to the next image, which has this number, and return the milliseconds until it is painted."""
        return self.key("PageDown", "image", number=number, pictures=".canvas .photo")

    def scale(self) -> float:
        """Return the number of CSS pixels per image pixel."""
        return float(self._places()["scale"])

    def _places(self) -> dict[str, float]:
        """Return the screen position of the image's pixel (0, 0) and the scale."""
        read = """root => {
          const box = root.querySelector(".canvas").getBoundingClientRect();
          const { a: scale, e, f } = new DOMMatrix(getComputedStyle(root.querySelector(".photo")).transform);
          return { scale, left: box.left + e, top: box.top + f };
        }"""
        return dict(self.root.evaluate(read))

    def draw(self, box: Corners, count: int, condition: str = "drawn", *, fresh: bool = False) -> float:
        """Draw a box by dragging and return the milliseconds from the release until the image has ``count`` boxes."""
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
