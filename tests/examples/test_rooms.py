"""Tests of the example "rooms"."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from customlabels_nb import examples
from customlabels_nb.errors import InputError
from customlabels_nb.examples import rooms

LABELS = (
    "backyard", "bathroom", "bedroom", "closet", "entry_way",
    "floor_plan", "front_yard", "kitchen", "living_space", "patio",
)  # fmt: skip


@pytest.mark.thorough
def test_every_label_has_its_share(tmp_path: Path) -> None:
    photos = examples.write_photos("rooms", tmp_path, size=(96, 72))
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


def test_every_thing_of_a_room_is_known() -> None:
    wanted = {thing for pieces in rooms._ROOMS.values() for thing, *_ in pieces} | set(rooms._PLAY)
    assert wanted <= {*rooms._FURNITURE, *rooms._SHAPES}
    for name, cuboids in rooms._FURNITURE.items():
        for u0, u1, w0, w1, low, high, *_ in cuboids:
            assert u0 < u1, name
            assert w0 < w1, name
            assert 0 <= low < high, name
