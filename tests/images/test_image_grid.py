import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.images.box_drawing import LabelledBox
from customlabels_nb.images.image_grid import ContactSheet, Tile
from tests.models.pictures import gradient

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\x1b[2J'


class Tags(HTMLParser):
    """Parser that collects tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("count", [0, 1, 2, 9, 100])
def test_any_number_of_pictures(count: int) -> None:
    tiles = [Tile(gradient(40 + i, 90 - i % 50), labels=[("apple", "#c8553d")]) for i in range(count)]
    sheet = ContactSheet(tiles, "Words.")
    assert len(sheet) == count
    assert repr(sheet) == f"{count} image{'s' * (count != 1)}. Words."
    tags = Tags(sheet._repr_html_())
    assert tags.found.count("img") == count
    assert tags.text.count("apple") == count
    bundle = sheet._repr_mimebundle_()
    with Image.open(io.BytesIO(bundle["image/jpeg"])) as picture:
        columns = int(np.ceil(np.sqrt(count))) or 1
        assert picture.width == max(1, columns * 248 - 8)


def test_boxes_are_drawn_and_labels_written() -> None:
    box = LabelledBox((20, 20, 100, 60), "pear", "#2f7fc1")
    sheet = ContactSheet([Tile(Image.new("RGB", (240, 240), "white"), [box])], "")
    pixels = np.asarray(sheet.draw())
    assert pixels.shape == (240, 240, 3)
    assert (pixels == (0x2F, 0x7F, 0xC1)).all(axis=2).sum() > 500
    assert 'alt="pear"' in sheet._repr_html_()
    assert sheet.draw(120).size == (120, 120)


def test_hostile_labels_stay_text() -> None:
    tiles = [
        Tile(gradient(), labels=[(HOSTILE, "#c8553d"), *[("x", "#2f7fc1")] * 9]),
        Tile(gradient(), [LabelledBox((10, 10, 50, 50), HOSTILE, "#c8553d")]),
    ]
    sheet = ContactSheet(tiles, HOSTILE)
    html = sheet._repr_html_()
    tags = Tags(html)
    assert set(tags.found) <= {"figure", "img", "figcaption", "div", "span", "bdi"}
    assert tags.found.count("img") == 2
    assert "and 6 more" in tags.text
    assert "\x1b" not in html
    assert "\x1b" not in repr(sheet)
    assert re.search(r"<script", html) is None
    sheet.draw()
