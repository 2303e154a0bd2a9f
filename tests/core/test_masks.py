"""Tests of masks and polygons: rasterised as by pycocotools, traced back, checked and repaired."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import masks as m
from customlabels_nb.core import polygons as p
from tests.tiers import many

SQUARE, HOLE, PART = (
    [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
    for x, y, side in ((10, 10, 20), (15, 15, 5), (40, 5, 8))
)
BOW = [[0, 0], [10, 10], [10, 0], [0, 10]]


@settings(max_examples=many(60))
@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 24))
def test_the_outline_of_a_mask_is_the_same_mask(random_state: int, height: int, width: int) -> None:
    rng = np.random.default_rng(random_state)
    mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
    polygon, rle = m.mask_to_polygon(mask), m.encode(mask)
    assert (polygon is None) == (not mask.any())
    if polygon is not None:
        np.testing.assert_array_equal(m.polygon_to_mask(polygon, (width, height)), mask)
        assert m.polygon_to_rle(polygon, (width, height)) == rle
        assert p.area(polygon) == mask.sum()
        assert p.problems(polygon, (width, height)) == []
        assert p.from_one_ring(p.to_one_ring(polygon)) == polygon
    runs = np.diff(np.flatnonzero(np.diff(mask.ravel("F"), prepend=2, append=2)), prepend=0)[1:].tolist()
    counts = runs if not mask[0, 0] else [0, *runs]
    assert m.as_rle({"size": [height, width], "counts": counts}) == rle
    assert m.as_rle({"size": [height, width], "counts": rle["counts"].decode()}) == rle


@pytest.mark.parametrize(
    "given",
    [
        7, {}, {"size": [4, 4]}, {"size": [4], "counts": [16]}, {"size": [4, 4], "counts": [15]},
        {"size": [4, 4], "counts": [20, -4]}, {"size": [4, 4], "counts": "é"}, {"size": [4, 4], "counts": "o" * 30},
        {"size": [4, 4], "counts": "P"}, {"size": [2**20, 2**20], "counts": [2**40]}, 
        {"size": ["4", 4], "counts": [16]},
    ],
)  # fmt: skip
def test_damaged_masks_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"RLE|mask"):
        m.as_rle(given)


def test_masks_of_noise_are_refused_before_their_outline_is_traced() -> None:
    side = 1000
    pixels = {"size": [side, side], "counts": [1] * side**2}
    packed = {"size": [side, side], "counts": "1" * 4 * m.MOST_EDGES + "1"}
    for noise in (pixels, packed):
        with pytest.raises(m.OutlineTooLongError, match="counts"):
            m.as_rle(noise)
    stripes = np.arange(side)[None, :] % 2 * np.ones((side, 1), dtype=np.uint8)  # few counts, but long edges
    with pytest.raises(m.OutlineTooLongError, match="more than 524,288 pixel edges"):
        m.rle_to_polygon(m.as_rle({"size": [side, side], "counts": m.encode(stripes)["counts"].decode()}))


def test_rings_that_touch_are_holes_and_parts_as_others_are() -> None:
    hole, part = [[10, 10], [20, 10], [20, 20], [10, 20]], [[30, 10], [40, 10], [40, 30], [30, 30]]
    square = [[10, 10], [30, 10], [30, 30], [10, 30]]
    assert m.polygon_to_mask([square, hole, part], (60, 40)).sum() == 500 == p.area([square, hole, part])


def test_holes_and_parts_follow_the_even_odd_rule() -> None:
    polygon = [SQUARE, HOLE, PART]
    mask = m.polygon_to_mask(polygon, (60, 40))
    assert mask.sum() == 400 - 25 + 64 == p.area(polygon)
    assert (mask[12, 12], mask[17, 17], mask[6, 41]) == (1, 0, 1)
    assert (m.parts_overlap(polygon), m.parts_overlap([SQUARE, PART]), m.parts_overlap(SQUARE)) == (True, False, False)
    assert p.area(m.union([SQUARE, HOLE], (60, 40))) == 400
    assert p.from_one_ring(p.to_one_ring(polygon)) == polygon
    np.testing.assert_array_equal(m.polygon_to_mask(p.to_one_ring(polygon), (60, 40)), mask)
    far = (np.array(SQUARE) - 20) * 1e8
    assert m.polygon_to_mask(far, (60, 40)).all()
    assert m.masks_of([None, polygon], [[0, 0, 2, 3], [0, 0, 1, 1]], (60, 40)).sum(axis=(1, 2)).tolist() == [6, 439]
    holed = [SQUARE, [[15, 15], [20, float("nan")], [20, 20]], [[15, 15], [float("inf"), 15], [20, 20]]]
    assert m.polygon_to_mask(holed, (60, 40)).sum() == 400
    assert p.repaired(holed, (60, 40)) == SQUARE
    for odd in ([1, 2], "round", [[1, 2, 3]], {"a": 1}, [{"a": 1}], [[1, 2], [3]], [[1, 2], []]):
        with pytest.raises((TypeError, ValueError)):
            p.rings_of(odd)


def test_many_parts_overlap_only_where_they_share_pixels() -> None:
    corner = np.array(SQUARE)
    parts = [(corner + np.multiply(40, divmod(number, 20))).tolist() for number in range(400)]
    assert not m.parts_overlap(parts)
    assert m.parts_overlap([*parts, HOLE])


def test_a_ring_with_many_points_is_split_in_one_go() -> None:
    around = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1).tolist()
    closed = [*circle, circle[0]]
    assert p.from_one_ring(closed) is closed
    spiked = [*closed[:2], closed[0], *closed[1:]]
    assert p.from_one_ring(spiked) is spiked
    assert p.from_one_ring(p.to_one_ring([closed, *[SQUARE, HOLE] * 20])) == [closed, *[SQUARE, HOLE] * 20]


def test_crossings_of_long_rings_are_found() -> None:
    around = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    assert p.crossing(circle) is None
    circle[[-3, -2]] = circle[[-2, -3]]
    found = p.crossing(circle)
    assert found is not None
    assert found[:2] == (3996, 3998)


def test_distant_rings_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    inside = p.contains
    monkeypatch.setattr(p, "contains", lambda ring, point: compared.append(1) or inside(ring, point))
    corners = np.stack(np.meshgrid(np.arange(30), np.arange(30)), axis=-1).reshape(-1, 1, 2) * 10
    squares = [*np.add(corners, [[0, 0], [8, 0], [8, 8], [0, 8]]), [[2, 2], [4, 2], [4, 4]]]
    assert (p.area(squares), len(compared)) == (900 * 64 - 2, 1)


def test_mask_iou_counts_pixels() -> None:
    first = [m.polygon_to_rle(shape, (60, 40)) for shape in ([SQUARE, HOLE], PART)]
    second = [m.polygon_to_rle(shape, (60, 40)) for shape in (SQUARE, PART)]
    np.testing.assert_allclose(m.mask_iou(first, second), [[375 / 400, 0], [0, 1]])
    np.testing.assert_allclose(m.mask_iou(second, first, crowd=[True, False]), [[375 / 400, 0], [0, 1]])
    assert m.mask_iou([], first).shape == (0, 2)


@pytest.mark.parametrize(
    ("polygon", "codes"),
    [
        (SQUARE, []),
        ([SQUARE, HOLE], []),
        ([[0, 0], [5, 5]], ["POLYGON_TOO_FEW_POINTS"]),
        ([[0, 0], [5, 5], [9, 9]], ["POLYGON_NO_AREA"]),
        ([[], SQUARE, []], []),
        *((odd, ["POLYGON_TOO_FEW_POINTS"]) for odd in ([], [[]], "abc", 7, {"a": 1}, [{"a": 1}], [None], [[1, 2, 3]])),
        ([SQUARE, [[15, 15], [20, float("nan")], [20, 20]]], ["POLYGON_NO_AREA"]),
        ([[15, 15], [float("inf"), 15], [20, 20]], ["POLYGON_NO_AREA", "POLYGON_OFF_FRAME"]),
        (BOW, ["POLYGON_SELF_INTERSECTING"]),
        ([[-5, 0], [30, 0], [30, 60]], ["POLYGON_OFF_FRAME"]),
        ([[-0.5, 0], [30, 0], [30, 40.5]], []),
    ],
)
def test_problems_have_codes(polygon: p.Polygon, codes: list[str]) -> None:
    assert p.problems(polygon, (60, 40)) == codes


@settings(max_examples=many(60))
@given(st.lists(st.tuples(st.integers(-10, 50), st.integers(-10, 50)), min_size=3, max_size=9))
def test_repaired_polygons_cover_the_same_area(points: list[tuple[int, int]]) -> None:
    ring, rings = np.array(points, dtype=float), p.rings_of(p.repaired(points, (40, 40)))
    assert all(len(part) >= 3 and p.ring_area(part) > 0 for part in rings)
    for place in np.random.default_rng(0).random((60, 2)) * 40:
        assert sum(p.contains(part, place) for part in rings) % 2 == p.contains(ring, place), place


def test_repairs_and_simplification() -> None:
    mended = p.repaired(BOW)
    assert mended is not None
    assert p.area(mended) == 50
    assert p.problems(mended) == []
    assert p.repaired([[0, 0], [5, 5], [9, 9]]) is p.repaired("abc") is None
    assert p.repaired([[50, 0], [70, 0], [70, 10], [50, 10]], (60, 40)) == [[50, 0], [60, 0], [60, 10], [50, 10]]
    circle = [[100 * np.cos(a) + 200, 100 * np.sin(a) + 200] for a in np.linspace(0, 2 * np.pi, 300, endpoint=False)]
    fewer = p.simplified([circle, SQUARE], 1.0)
    assert fewer is not None
    assert 10 < len(fewer[0]) < 50
    assert fewer[1] == SQUARE
    assert p.area(fewer) == pytest.approx(p.area([circle, SQUARE]), rel=0.02)
