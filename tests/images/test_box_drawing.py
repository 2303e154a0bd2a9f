import base64
import io
from itertools import combinations
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.core.colors import PALETTE
from customlabels_nb.images.box_drawing import LEAST_SIDE, SIDE, BoxPicture, LabelledBox, ink_on
from tests.models.pictures import gradient

SVG = "{http://www.w3.org/2000/svg}"
HEIGHT = 16


def many(count: int, size: tuple[int, int], random_state: int = 0) -> list[LabelledBox]:
    """Return random boxes with labels, colors and confidences."""
    rng = np.random.default_rng(random_state)
    marks = []
    for i in range(count):
        width, height = rng.uniform(0.03, 0.3, 2) * min(size)
        left, top = rng.uniform(0, 1, 2) * (np.array(size) - (width, height))
        marks.append(LabelledBox((left, top, width, height), f"label {i % 4}", PALETTE[i % 4], f"{0.99 - i / 200:.2f}"))
    return marks


def rectangles(picture: BoxPicture) -> list[tuple[float, float, float, float]]:
    return [(tag.left, tag.top, tag.left + tag.width, tag.top + HEIGHT) for tag in picture.tags if tag is not None]


def overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(first[i] < second[i + 2] - 1e-6 and second[i] < first[i + 2] - 1e-6 for i in (0, 1))


def parsed(picture: BoxPicture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.to_svg())


@pytest.mark.parametrize("count", [0, 1, 60, 150])
def test_captions_do_not_overlap_and_stay_inside(count: int) -> None:
    picture = BoxPicture(gradient(1600, 1200), many(count, (1600, 1200)))
    tags = rectangles(picture)
    assert not any(overlap(a, b) for a, b in combinations(tags, 2))
    assert all(x0 >= 0 and y0 >= 0 and x1 <= 640 and y1 <= 480 for x0, y0, x1, y1 in tags)
    assert len(tags) + picture.untagged == count
    assert picture.untagged <= count / 3


boxes = st.tuples(*[st.floats(-50, 900)] * 2, *[st.floats(0, 1200)] * 2)


@settings(max_examples=40)
@given(st.lists(st.tuples(boxes, st.text(max_size=40)), max_size=12), st.integers(1, 900), st.integers(1, 900))
def test_any_boxes_and_any_names_on_an_image_of_any_size(
    found: list[tuple[tuple[float, float, float, float], str]], width: int, height: int
) -> None:
    marks = [LabelledBox(box, label, PALETTE[i % 12], "0.50") for i, (box, label) in enumerate(found)]
    picture = BoxPicture(Image.new("RGB", (width, height)), marks)
    shown_width, shown_height = picture.size
    assert max(picture.size) <= SIDE
    assert ((picture.corners >= 0) & (picture.corners <= [shown_width, shown_height] * 2)).all()
    tags = rectangles(picture)
    assert not any(overlap(a, b) for a, b in combinations(tags, 2))
    svg = parsed(picture)  # names break nothing
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} <= {"svg", "image", "g", "path", "rect", "text"}
    assert len(svg.findall(f".//{SVG}text")) == len(tags)
    assert picture.to_picture(0.5).size == (max(1, round(shown_width / 2)), max(1, round(shown_height / 2)))


def test_one_box_is_named_above_it_or_inside_of_it_at_the_frame() -> None:
    image = gradient(640, 480)
    (tag,) = BoxPicture(image, [LabelledBox((100, 100, 200, 100), "apple", "#c8553d", "0.97")]).tags
    assert tag is not None
    assert (tag.label, tag.value) == ("apple", "0.97")
    assert 80 < tag.top < 100 - HEIGHT + 1
    assert 98 <= tag.left <= 100
    (tag,) = BoxPicture(image, [LabelledBox((0, 0, 640, 480), "apple", "#c8553d", "0.97")]).tags
    assert tag is not None
    assert (tag.left, tag.top) == (0, 0)


def test_box_edges_at_the_frame_and_tiny_boxes_are_visible() -> None:
    image = Image.new("RGB", (400, 300), "white")
    marks = [LabelledBox((0, 0, 400, 300), "", "#2f7fc1"), LabelledBox((200, 150, 0.1, 0.1), "", "#c8553d")]
    picture = BoxPicture(image, marks)
    assert picture.untagged == 0
    for scale in (1, 2):
        pixels = np.asarray(picture.to_picture(scale))
        blue, red = np.array([0x2F, 0x7F, 0xC1]), np.array([0xC8, 0x55, 0x3D])
        assert all((line == blue).all() for line in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
        assert (pixels == red).all(axis=2).sum() >= 8
    left, top, right, bottom = picture.corners[1]
    assert right - left >= 4
    assert bottom - top >= 4


def test_a_large_photo_is_kept_small_and_a_small_one_shown_enlarged() -> None:
    picture = BoxPicture(gradient(3000, 1500), many(3, (3000, 1500)))
    assert picture.size == (640, 320)
    (image,) = parsed(picture).findall(f"{SVG}image")
    with Image.open(io.BytesIO(base64.b64decode(image.attrib["href"].partition(",")[2]))) as photo:
        assert photo.size == (960, 480)
    assert BoxPicture(gradient(160, 120), []).size == (LEAST_SIDE, 240)
    assert BoxPicture(gradient(20, 10), []).size == (80, 40)
    assert BoxPicture(gradient(160, 120), [], side=200).size == (200, 150)


def test_hostile_names_stay_text() -> None:
    hostile = "\"><script>alert(1)</script>\x1b[2J\u202e&amp;'"
    picture = BoxPicture(gradient(), [LabelledBox((10, 60, 100, 50), hostile, '"/><script>', "0.5")])
    (text,) = parsed(picture).findall(f".//{SVG}text")
    assert text.text is not None
    assert '"><script>' in text.text
    assert "\x1b" not in text.text
    assert "\u202e" not in text.text
    url = picture.to_url()
    assert not set(url) & set("\"'<>&#%") - {"%"}
    assert unquote(url.partition(",")[2]) == picture.to_svg()


def test_captions_are_readable_on_every_color() -> None:
    def luminance(color: str) -> float:
        values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for color in (*PALETTE, "#ffff00", "#000080", "#777777", "#767676"):
        ink = 0.0 if ink_on(color) == "#000" else 1.0
        low, high = sorted([ink, luminance(color)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, color
