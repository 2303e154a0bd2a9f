"""Tests of assisted outlines: known shapes on drawn photos, from boxes and clicks, and a missing OpenCV."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.errors import MissingDependencyError
from customlabels_nb.images.outlining import Click, find_outline

SIZE = (1200, 900)
DISC, INNER, SQUARE = (300, 200, 700, 600), (440, 340, 560, 460), (900, 100, 1100, 300)


def drawn() -> Image.Image:
    """Draw a red ring, whose inside shows the noisy background, and a blue square."""
    rng = np.random.default_rng(0)
    picture = Image.new("RGB", SIZE, (180, 170, 150))
    draw = ImageDraw.Draw(picture)
    draw.ellipse(DISC, fill=(170, 50, 40))
    draw.ellipse(INNER, fill=(180, 170, 150))
    draw.rectangle(SQUARE, fill=(40, 60, 150))
    noisy = np.asarray(picture, dtype=np.float64) + rng.normal(0, 12, (SIZE[1], SIZE[0], 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def truth(*shapes: tuple[int, int, int, int], disc: bool = True) -> np.ndarray:
    mask = Image.new("L", SIZE)
    for number, shape in enumerate(shapes):
        (ImageDraw.Draw(mask).ellipse if disc else ImageDraw.Draw(mask).rectangle)(shape, fill=1 - number)
    return np.asarray(mask)


def iou(polygon: object, expected: np.ndarray) -> float:
    found = polygon_to_mask(polygon, SIZE)
    return float((found & expected).sum() / (found | expected).sum())


def test_outlines_from_a_box_and_from_clicks() -> None:
    picture = drawn()
    ring = truth(DISC, INNER)
    boxed, pixel = find_outline(picture, box=(290, 190, 420, 420))
    assert iou(boxed, ring) > 0.95
    assert len(rings_of(boxed)) == 2
    assert 1 < pixel < 4
    clicked, _ = find_outline(picture, clicks=[Click(370, 400, True)])
    assert iou(clicked, ring) > 0.95
    filled, _ = find_outline(picture, clicks=[Click(370, 400, True), Click(500, 400, True)])
    assert [polygon_to_mask(one, SIZE)[400, 500] for one in (clicked, filled)] == [0, 1]  # clicked in the hole
    square, _ = find_outline(picture, clicks=[Click(1000, 200, True)], view=(800, 0, 400, 400))
    assert iou(square, truth(SQUARE, disc=False)) > 0.95
    # a click outside takes away what the box has too much
    both = (280, 90, 840, 520)
    without, _ = find_outline(picture, box=both, clicks=[Click(1000, 200, False), Click(370, 400, True)])
    assert polygon_to_mask(without, SIZE)[200, 1000] == 0
    assert all((point >= 0).all() and (point <= SIZE).all() for point in rings_of(without))
    # all of it, not only around the click
    corner, _ = find_outline(picture, box=both, clicks=[Click(910, 110, False)])
    assert iou(corner, ring) > 0.95


@pytest.mark.parametrize("box", [(0, 0, 2, 2), (1190, 890, 10, 10), (0, 0, *SIZE), (500, 400, 1, 400)])
def test_any_box_has_an_outline_in_the_image_or_none(box: tuple[float, float, float, float]) -> None:
    found, pixel = find_outline(drawn(), box=box)
    assert pixel >= 1
    assert all((ring >= 0).all() and (ring <= SIZE).all() for ring in rings_of(found))


def test_tiny_images_have_an_outline_or_none() -> None:
    for size in ((1, 1), (3, 2), (2, 400)):
        found, _ = find_outline(Image.new("RGB", size), clicks=[Click(0, 0, True)])
        assert all((ring >= 0).all() and (ring <= size).all() for ring in rings_of(found))


@pytest.mark.parametrize("noise", [0, 4])
def test_a_click_where_nothing_has_an_edge_has_no_outline(noise: float) -> None:
    pixels = 140 + np.random.default_rng(0).normal(0, noise, (300, 400, 3))
    outline, _ = find_outline(Image.fromarray(pixels.astype(np.uint8)), clicks=[Click(330, 80, True)])
    assert outline is None


def test_without_opencv_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        MissingDependencyError, match=r"Outlining needs OpenCV. Install it with: .*opencv-python-headless"
    ):
        find_outline(drawn(), box=(0, 0, 9, 9))
