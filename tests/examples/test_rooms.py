"""The drawn example "rooms": what is written, and that the seed alone decides it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from customlabels_nb import examples
from customlabels_nb.errors import InputError
from customlabels_nb.examples import rooms
from customlabels_nb.examples._drawing import Camera, Light, rounded

SMALL = (96, 72)

LABELS = (
    "backyard",
    "bathroom",
    "bedroom",
    "closet",
    "entry_way",
    "floor_plan",
    "front_yard",
    "kitchen",
    "living_space",
    "patio",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    return examples.write_photos("rooms", tmp_path_factory.mktemp("example") / "rooms", size=SMALL)


def test_every_label_has_its_share(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == rooms.LABELS == LABELS
    train = Counter(path.parent.name for path in photos.train.rglob("*.jpg"))
    test = Counter(path.parent.name for path in photos.test.rglob("*.jpg"))
    assert train == dict.fromkeys(LABELS, 6)
    assert sum(test.values()) == 56
    assert set(test) == set(LABELS)
    assert set(test.values()) == {5, 6}
    assert (photos.train / "patio" / "patio_06.jpg").is_file()


def test_an_unknown_label_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"dungeon.*backyard, bathroom"):
        rooms.draw("dungeon", np.random.default_rng(0))


def test_one_point_is_lit_as_many_are() -> None:
    normal = (0.0, 0.6, -0.8)
    for position in (None, (1.0, 2.0, 0.5)):
        light = Light((0.6, 0.6, 0.7), (0.5, 0.4, 0.3), position)
        many = light.on(np.array([[0.3, 0.1, 2.0]]), np.array(normal))
        assert light.at((0.3, 0.1, 2.0), normal) == pytest.approx(many[0])


def test_what_lies_behind_the_camera_is_cut_off() -> None:
    camera = Camera((0, 1.5, 0), 0, 0, 0, 0.7, (200, 100))
    assert camera.project([(-1, 0, -3), (1, 0, -3), (1, 0, -1)]) == []
    floor = camera.project([(-1, 0, -3), (1, 0, -3), (1, 0, 6), (-1, 0, 6)])
    assert len(floor) == 4
    assert all(np.isfinite(point).all() and point[1] > 50 for point in floor)
    assert len(camera.project([(0, 0, -3), (0, 0, 6)], closed=False)) == 2


def test_rounding_stays_inside_the_corners() -> None:
    square = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]
    points = np.array(rounded(square, 1.0))
    assert points.min() >= 0
    assert points.max() <= 4
    assert not any((points == corner).all(axis=1).any() for corner in square)
