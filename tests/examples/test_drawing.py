"""Tests of the painting, planes and camera that draw the examples."""

from __future__ import annotations

import numpy as np
import pytest

from customlabels_nb.examples._drawing import Camera, Painting, Space, blob, oval, petal, rect, turned

WHITE, RED = (255.0, 255.0, 255.0), (200.0, 30.0, 30.0)


def space(size: tuple[int, int] = (200, 100)) -> Space:
    return Space(Painting(size, WHITE), Camera((0.0, 1.5, 0.0), 0, 0, 0, 0.7))


def test_points_behind_the_camera_are_clipped() -> None:
    camera, size = Camera((0.0, 1.5, 0.0), 0, 0, 0, 0.7), (200, 100)
    assert len(camera.project(np.array([(-1, 0, -3), (1, 0, -3), (1, 0, -1)]), size)) == 0
    floor = camera.project(np.array([(-1, 0, -3), (1, 0, -3), (1, 0, 6), (-1, 0, 6)]), size)
    assert len(floor) == 4
    assert np.isfinite(floor).all()
    assert (floor[:, 1] > 50).all()


def test_a_box_ends_where_something_covers_the_object() -> None:
    canvas = Painting((100, 80), WHITE)
    canvas.owner = 1
    canvas.polygon(rect(20, 40, 119, 99), RED)
    canvas.owner = 2
    canvas.polygon(rect(150, 10, 154, 90), RED)
    (box,) = canvas.boxes(["cup", ""])
    assert (box.label, box.left, box.top, box.width, box.height) == ("cup", 10, 20, 50, 30)
    canvas.owner = 0
    canvas.polygon(rect(80, 0, 199, 159), WHITE)
    (box,) = canvas.boxes(["cup", "straw"])
    assert (box.left, box.width) == (10, 30)
    canvas.polygon(rect(0, 0, 75, 159), WHITE)
    assert canvas.boxes(["cup"]) == (), "a thin remainder gets no box"


def test_shadows_have_no_owner_and_text_belongs_to_its_object() -> None:
    canvas = Painting((100, 80), WHITE)
    plane, canvas.owner = canvas.flat(), 1
    plane.shadow(rect(-0.9, -0.9, 0.9, 0.9))
    assert canvas.boxes(["sign"]) == ()
    plane.write("SIGN", 0, 0, 0.5, RED)
    (box,) = canvas.boxes(["sign"])
    assert (box.top, box.height) == pytest.approx((30, 20), abs=2)
    assert box.left + box.width / 2 == pytest.approx(50, abs=2)


def test_the_near_cuboid_hides_the_far_one_whatever_the_order() -> None:
    pieces = [(-1, 1, 4, 5, 0, 1, RED), (-0.5, 0.5, 3.9, 4, 0.2, 0.8, (0.0, 90.0, 0.0)), (-3, -2, 2, 6, 0, 2, WHITE)]
    pictures = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        place = space()
        place.build(*(pieces[k] for k in order))
        pictures.append(np.asarray(place.canvas.image))
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] == pictures[2]).all()
    x, y = Camera((0.0, 1.5, 0.0), 0, 0, 0, 0.7).project(np.array([(0.0, 0.5, 3.9)]), (400, 200))[0].astype(int)
    red, green, _ = pictures[0][y, x].tolist()
    assert green > red


def test_a_mantle_bends_around_the_viewers_side() -> None:
    left, middle, right = space().at(0, 3).round(0.5).project(np.array([(-0.5, 1.5), (0, 1.5), (0.5, 1.5)]))[:, 0]
    assert middle - left == pytest.approx(right - middle)
    flat = space().at(0, 3).front(-0.5).project(np.array([(0.0, 1.5), (0.5, 1.5)]))[:, 0]
    assert right - middle < flat[1] - flat[0]


def test_outlines_stay_on_their_object() -> None:
    corners = rect(0, 0, 4, 4)
    points = rect(0, 0, 4, 4, 1.0)
    assert points.min() >= 0
    assert points.max() <= 4
    assert not any((points == corner).all(axis=1).any() for corner in corners)
    assert petal(2, 1)[:, 1].max() == pytest.approx(2)
    assert np.abs(petal(2, 1)[:, 0]).max() == pytest.approx(0.5, abs=0.01)
    assert turned([(1, 0)], 90, 2, 3, 2)[0] == pytest.approx((2, 5))
    assert np.hypot(*oval(0, 0, 3).T) == pytest.approx(3)
    assert np.hypot(*blob(np.random.default_rng(0), 0, 0, 1).T).min() >= 1


def test_the_finish_keeps_size_and_mode() -> None:
    for size in ((33, 47), (120, 60)):
        image = Painting(size, RED, WHITE).finish(np.random.default_rng(0))
        assert (image.mode, image.size) == ("RGB", size)
