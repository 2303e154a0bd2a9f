"""Tests that boxes survive every conversion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import geometry as g
from tests.tiers import many

number = st.floats(-2000, 2000, allow_nan=False)
length = st.floats(0, 2000, allow_nan=False)
box = st.tuples(number, number, length, length)
boxes = st.lists(box, max_size=5)


@settings(max_examples=many(50))
@given(boxes)
def test_conversions_are_inverse(given_boxes: list[tuple[float, ...]]) -> None:
    start = np.array(given_boxes, dtype=float).reshape(-1, 4)
    before = start.copy()
    np.testing.assert_allclose(g.xyxy_to_ltwh(g.ltwh_to_xyxy(start)), start, atol=1e-6)
    np.testing.assert_allclose(g.ratios_to_ltwh(g.ltwh_to_ratios(start, (640, 480)), (640, 480)), start, atol=1e-6)
    assert np.array_equal(start, before)


def test_one_box_and_no_box_have_two_dimensions() -> None:
    assert g.ltwh_to_xyxy([10, 20, 30, 40]).tolist() == [[10, 20, 40, 60]]
    assert g.ltwh_to_xyxy([]).shape == (0, 4)
    assert g.iou([], [[0, 0, 1, 1]]).shape == (0, 1)


def test_invalid_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        g.ltwh_to_xyxy([1, 2, 3])


@settings(max_examples=many(50))
@given(boxes)
def test_clipped_boxes_lie_in_the_frame_and_never_grow(given_boxes: list[tuple[float, ...]]) -> None:
    start = np.array(given_boxes, dtype=float).reshape(-1, 4)
    clipped = g.clip_ltwh(start, (640, 480))
    corners = g.ltwh_to_xyxy(clipped)
    assert (corners >= 0).all()
    assert (corners[:, 0::2] <= 640 + 1e-9).all()
    assert (corners[:, 1::2] <= 480 + 1e-9).all()
    assert (clipped[:, 2:] >= 0).all()
    assert (clipped[:, 2:] <= start[:, 2:] + 1e-6).all()


def test_a_box_outside_the_frame_has_no_area_left() -> None:
    assert g.clip_ltwh([700, 10, 50, 50], (640, 480))[0, 2] == 0


def test_ratios_take_width_from_width() -> None:
    assert g.ltwh_to_ratios([64, 48, 320, 240], (640, 480)).tolist() == [[0.1, 0.1, 0.5, 0.5]]


def test_overlap_of_known_boxes() -> None:
    found = g.iou([[0, 0, 2, 2], [5, 5, 0, 0]], [[0, 0, 2, 2], [1, 0, 2, 2], [9, 9, 1, 1], [5, 5, 0, 0]])
    np.testing.assert_allclose(found, [[1, 1 / 3, 0, 0], [0, 0, 0, 0]])


@settings(max_examples=many(50))
@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> None:
    found = g.iou(a, b)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    np.testing.assert_allclose(found, g.iou(b, a).T)


def test_overlap_of_pairs_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 10, (20, 4)), rng.uniform(0, 10, (20, 4))
    np.testing.assert_allclose(g.iou_of_pairs(first, second), np.diag(g.iou(first, second)))
    crowd = g.iou_of_pairs([[0, 0, 10, 10]], [[5, 0, 100, 100]], crowd=[True])
    assert crowd.tolist() == [0.5]
    assert g.iou_of_pairs(np.empty((0, 4)), np.empty((0, 4))).shape == (0,)


def test_a_polygon_lies_in_its_box() -> None:
    assert g.polygon_to_ltwh([[4, 1], [9, 3], [2, 8]]).tolist() == [2, 1, 7, 7]


def test_centres_are_converted_to_corners() -> None:
    assert g.centred_to_ltwh([[3, 5, 4, 6]]).tolist() == [[1, 2, 4, 6]]
