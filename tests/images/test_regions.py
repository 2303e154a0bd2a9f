"""Tests of regions around boxes, and of thumbnails that are cut from images."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.images.reading import open_image
from customlabels_nb.images.regions import cut, open_regions, regions_around
from tests.images.pictures import encoded

_SIDES = st.integers(1, 400)


@given(st.lists(st.tuples(_SIDES, _SIDES, *[st.floats(-50, 450)] * 2, *[st.floats(0, 450)] * 2), min_size=1))
def test_regions_lie_on_the_image_and_contain_the_visible_part_of_the_box(cases: list[tuple[float, ...]]) -> None:
    table = np.array(cases)
    sizes, boxes = table[:, :2], table[:, 2:]
    regions = regions_around(boxes, sizes)
    start, end = regions[:, :2], regions[:, :2] + regions[:, 2:]
    assert (start >= 0).all()
    assert (end <= sizes).all()
    assert (regions[:, 2:] >= 1).all()
    assert (start <= np.clip(boxes[:, :2], 0, sizes) + 1e-6).all()
    assert (end >= np.clip(boxes[:, :2] + boxes[:, 2:], 0, sizes) - 1e-6).all()


@pytest.mark.parametrize(
    ("box", "size", "region"),
    [
        ((500, 400, 200, 100), (2000, 1000), (470, 334, 260, 232)),  # margins left and right, grown to the tile's shape
        ((500, 400, 90, 80), (2000, 1000), (486, 388, 118, 104)),
        ((0, 0, 90, 80), (2000, 1000), (0, 0, 117, 104)),  # moved into the image
        ((1900, 900, 100, 100), (2000, 1000), (1853, 870, 147, 130)),
        ((1900, 900, 100, 100), (np.nan, np.nan), (1876, 885, 148, 130)),
        ((0, 400, 2000, 100), (2000, 1000), (0, 0, 2000, 1000)),
        ((10, 0, 20, 100), (40, 100), (0, 0, 40, 100)),
    ],
)
def test_regions_have_a_margin_and_the_shape_of_a_tile(box: tuple, size: tuple, region: tuple) -> None:
    assert tuple(regions_around([box], [size])[0]) == region


@pytest.mark.parametrize(
    ("region", "side", "sizes"),
    [
        ((400, 200, 800, 400), min, [(400, 200), (800, 500)]),
        ((400, 200, 800, 400), max, [(200, 100), (400, 250)]),
        ((1599, 0, 1, 300), min, [(1, 300), (1600, 1000)]),
        (None, min, [(400, 250), (400, 250)]),
    ],
)
def test_a_photo_is_decoded_as_small_as_its_regions_allow(region: tuple, side: Callable, sizes: list) -> None:
    data = encoded(Image.new("RGB", (1600, 1000)))
    assert [part.size for part in open_regions(data, "photo", [region, None], 200, side)] == sizes


def photo(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """Return a smooth image that is different everywhere."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(), quality=95, exif=exif)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


@pytest.mark.parametrize(
    "data",
    [
        encoded(photo(), quality=95),
        *map(turned, (2, 3, 6, 8)),
        encoded(photo().convert("L"), quality=95),
        encoded(photo().convert("CMYK"), quality=95),
        encoded(photo(), "PNG"),
        encoded(photo().convert("RGBA"), "PNG"),
        encoded(photo(), "TIFF"),
    ],
    ids=["jpeg", "mirrored", "180", "turned", "turned back", "grey", "cmyk", "png", "alpha", "tiff"],
)
@pytest.mark.parametrize("size", [40, 250])
def test_regions_are_cut_from_the_upright_photo(data: bytes, size: int) -> None:
    regions = [(100, 40, 90, 80), (201, 103, 297, 211), (0, 0, 400, 350), None]
    whole = open_image(data)
    for region, small in zip(regions, cut(data, "a", regions, size), strict=True):
        left, top, width, height = region or (0, 0, *whole.size)
        expected = whole.crop((left, top, left + width, top + height))
        expected.thumbnail((size, size), Image.Resampling.HAMMING)
        found = pixels(small)
        assert abs(np.subtract(found.shape[1::-1], expected.size)).max() <= 1
        assert max(found.shape) == min(size, max(width, height))  # as sharp as the photo, and never enlarged
        expected = pixels(encoded(expected.resize(found.shape[1::-1]), quality=82))
        assert np.abs(found - expected).mean() < 4


def test_regions_are_black_outside_the_photo() -> None:
    (small,) = cut(encoded(photo((100, 100)), "PNG"), "a", [(50, 50, 100, 100)], 100)
    found = pixels(small)
    assert found.shape == (100, 100, 3)
    assert found[60:, 60:].max() < 10
    assert found[:40, :40].mean() > 50


@pytest.mark.parametrize("box", [(5, 5, 9e8, 10), (1e300, 0, 10, 10), (-1e300, 3, 20, 1e300)])
def test_absurd_boxes_of_images_whose_size_is_unknown_take_little_memory(box: tuple) -> None:
    (region,) = regions_around([box], [(np.nan, np.nan)]).tolist()
    assert max(map(abs, region)) <= 100_000
    (picture,) = open_regions(encoded(Image.new("RGB", (120, 90))), "a.jpg", [tuple(region)], 64, max)
    assert picture.width <= 240
    assert picture.height <= 180
