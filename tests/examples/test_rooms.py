"""The drawn example "rooms": what is written, and that the seed alone decides it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


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


def test_the_kept_photos_do_not_tell_what_they_show(photos: examples.ExamplePhotos) -> None:
    assert len(photos.detect) == 2
    assert set(photos.answers) == {path.name for path in photos.detect}
    assert len(set(photos.answers.values())) == 2
    assert all(len(labels) == 1 and labels[0] in LABELS for labels in photos.answers.values())
    for path in photos.detect:
        assert path.is_file()
        assert not any(label in str(path.relative_to(photos.train.parent)) for label in LABELS)


def test_every_photo_opens_and_no_two_are_the_same(photos: examples.ExamplePhotos) -> None:
    found = contents(photos.train.parent)
    assert len(found) == 60 + 56 + 2
    assert len(set(found.values())) == len(found)
    for name in found:
        with Image.open(photos.train.parent / name) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SMALL)
            pixels = np.asarray(image)
            assert pixels.std() > 8
            assert 30 < pixels.mean() < 245


def test_the_seed_decides_every_byte(photos: examples.ExamplePhotos, tmp_path: Path) -> None:
    again = examples.write_photos("rooms", tmp_path / "again", size=SMALL, train=20, test=10)
    first = contents(photos.train.parent)
    assert again.answers == photos.answers
    for name, data in contents(tmp_path / "again").items():
        assert data == first[name], f"{name} differs, though its seed is the same"


def test_another_seed_draws_other_photos(photos: examples.ExamplePhotos, tmp_path: Path) -> None:
    examples.write_photos("rooms", tmp_path / "other", seed=1, size=SMALL, train=10, test=0)
    first = contents(photos.train.parent)
    for name, data in contents(tmp_path / "other").items():
        assert data != first[name]


def test_the_number_of_threads_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for workers in (1, 4):
        monkeypatch.setattr(examples.settings, "threads", workers)
        examples.write_photos("rooms", tmp_path / str(workers), size=SMALL, train=10, test=0)
        found.append(contents(tmp_path / str(workers)))
    assert found[0] == found[1]


def test_an_empty_folder_is_taken_and_a_full_one_refused(tmp_path: Path) -> None:
    examples.write_photos("rooms", tmp_path, size=(32, 24), train=3, test=0)
    before = contents(tmp_path)
    assert len(before) == 5
    with pytest.raises(InputError, match="folder="):
        examples.write_photos("rooms", tmp_path, size=(32, 24), seed=1)
    assert contents(tmp_path) == before
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match="folder="):
        examples.write_photos("rooms", file)
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "castles"}, "castles.*rooms"),
        ({"train": -1}, "train=-1"),
        ({"test": -5}, "test=-5"),
        ({"seed": -2}, "seed=-2"),
        ({"size": (8, 300)}, r"size=\(8, 300\)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        examples.write_photos(**{"name": "rooms", "folder": tmp_path / "new", **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_a_failure_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = []

    def draw(*_: object) -> Image.Image:
        painted.append(1)
        if len(painted) > 3:
            raise KeyboardInterrupt
        return Image.new("RGB", SMALL)

    monkeypatch.setattr(rooms, "draw", draw)
    monkeypatch.setattr(examples.settings, "threads", 1)
    with pytest.raises(KeyboardInterrupt):
        examples.write_photos("rooms", tmp_path / "new", size=SMALL)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("label", LABELS)
def test_a_picture_of_any_shape(label: str) -> None:
    for size in ((120, 60), (50, 90)):
        image = rooms.draw(label, np.random.default_rng(5), size)
        assert (image.mode, image.size) == ("RGB", size)


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


def test_importing_the_examples_stays_light() -> None:
    code = (
        "import sys; from customlabels_nb import examples;"
        "print([name for name in ('numpy', 'PIL', 'torch', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
