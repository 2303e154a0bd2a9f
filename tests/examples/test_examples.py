"""Tests of every example: photos depend on the seed alone, all are labelled, and boxes are inside them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb import examples
from customlabels_nb.errors import InputError
from customlabels_nb.project.project import Project

SIZE = (96, 72)
SHAPES = ((32, 32), (120, 60), (50, 90), (33, 47))


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of photos and annotations in a folder by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


@pytest.fixture(scope="module", params=examples.NAMES)
def photos(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    """Return an example with twenty training and ten test photos."""
    folder = tmp_path_factory.mktemp("example") / "photos"
    return examples.write_photos(request.param, folder, size=SIZE, train=20, test=10)


@pytest.fixture(scope="module")
def project(photos: examples.ExamplePhotos, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project of as many photos of the example, which are drawn again."""
    return cl.examples.create(photos.name, tmp_path_factory.mktemp("project"), size=SIZE, train=20, test=10)


def folder_of(photos: examples.ExamplePhotos) -> Path:
    return photos.train.parent


@pytest.mark.thorough
def test_committed_photos_have_neutral_names(photos: examples.ExamplePhotos) -> None:
    assert [path.name for path in photos.detect] == list(photos.answers) == ["new_01.jpg", "new_02.jpg"]
    assert all(path.is_file() for path in photos.detect)
    assert all(labels and set(labels) <= set(photos.labels) for labels in photos.answers.values())
    assert len(set(photos.answers.values())) == 2
    names = [str(path.relative_to(folder_of(photos))) for path in photos.detect]
    assert not any(label in name for name in names for label in photos.labels)


def test_every_photo_opens_and_no_two_are_the_same(photos: examples.ExamplePhotos) -> None:
    found = sorted(folder_of(photos).rglob("*.jpg"))
    assert len(found) == 20 + 10 + 2
    assert len({path.read_bytes() for path in found}) == len(found)
    for path in found:
        with Image.open(path) as image:
            image.load()
            alone = photos.name == "logos" and path.is_relative_to(photos.train)  # square like a logo
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIZE[1], SIZE[1]) if alone else SIZE)
            pixels = np.asarray(image)
            assert pixels.std() > 8
            assert 15 < pixels.mean() < 250


@pytest.mark.thorough
def test_same_random_state_gives_the_same_bytes(
    photos: examples.ExamplePhotos, project: Project, tmp_path: Path
) -> None:
    first = contents(folder_of(photos))
    assert contents(project.root.parent / f"{photos.name}-photos") == first
    fewer = examples.write_photos(photos.name, tmp_path / "fewer", size=SIZE, train=5, test=0)
    assert fewer.answers == photos.answers
    for name, data in contents(tmp_path / "fewer").items():
        assert data == first[name] or not name.endswith(".jpg"), f"{name} depends on the number of images"


@pytest.mark.thorough
def test_other_random_state_draws_other_photos(photos: examples.ExamplePhotos, tmp_path: Path) -> None:
    examples.write_photos(photos.name, tmp_path, random_state=1, size=SIZE, train=10, test=2)
    first = contents(folder_of(photos))
    for name, data in contents(tmp_path).items():
        assert data != first.get(name)


@pytest.mark.thorough
def test_the_number_of_threads_changes_nothing(
    photos: examples.ExamplePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contents(folder_of(photos))
    monkeypatch.setattr(examples.settings, "threads", examples.settings.threads + 3)
    examples.write_photos(photos.name, tmp_path, size=SIZE, train=10, test=5)
    for name, data in contents(tmp_path).items():
        assert data == first[name] or not name.endswith(".jpg")


@pytest.mark.parametrize(
    "size", [SHAPES[0], *(pytest.param(size, marks=pytest.mark.exhaustive) for size in SHAPES[1:])]
)
@pytest.mark.parametrize("name", examples.NAMES)
def test_pictures_have_any_aspect_ratio(name: str, size: tuple[int, int]) -> None:
    example = import_module(f"customlabels_nb.examples.{name}")
    for split in ("train", "test"):
        for number in range(10):
            picture = example.paint(split, number, np.random.default_rng([5, number]), size)
            alone = name == "logos" and split == "train"
            assert picture.image.mode == "RGB"
            assert picture.image.size == ((min(size), min(size)) if alone else size)
            assert set(picture.shown) <= set(example.LABELS)
            for box in picture.boxes:
                assert min(box.width, box.height) >= 4, "large enough to click"
                assert 0 <= box.left < box.left + box.width <= size[0]
                assert 0 <= box.top < box.top + box.height <= size[1]


@pytest.mark.thorough
def test_a_project_of_it_has_all_photos_labelled(photos: examples.ExamplePhotos, project: Project) -> None:
    example = import_module(f"customlabels_nb.examples.{photos.name}")
    assert set(project.labels) == set(example.LABELS)
    assert project.task == example.TASK
    for dataset, count in ((project.train_set, 20), (project.test_set, 10)):
        assert len(dataset.images) == count
        assert (dataset.images["status"] == "labelled").all()
    assert len(list((project.root.parent / f"{photos.name}-photos" / "detect").glob("new_*.jpg"))) == 2


def test_an_empty_folder_is_taken_and_a_full_one_refused(tmp_path: Path) -> None:
    examples.write_photos("rooms", tmp_path, size=(32, 24), train=3, test=0)
    before = contents(tmp_path)
    assert len(before) == 5
    with pytest.raises(InputError, match="folder="):
        examples.write_photos("rooms", tmp_path, size=(32, 24), random_state=1)
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
        ({"random_state": -2}, "random_state=-2"),
        ({"size": (8, 300)}, r"size=\(8, 300\)"),
    ],
)
def test_error_names_the_invalid_argument(arguments: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        examples.write_photos(**{"name": "rooms", "folder": tmp_path / "new", **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", examples.NAMES)
def test_failure_leaves_no_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example, painted = import_module(f"customlabels_nb.examples.{name}"), []
    paint = example.paint

    def stopped(*arguments: object) -> object:
        painted.append(1)
        if len(painted) > 3:
            raise KeyboardInterrupt
        return paint(*arguments)

    monkeypatch.setattr(example, "paint", stopped)
    monkeypatch.setattr(examples.settings, "threads", 1)
    with pytest.raises(KeyboardInterrupt):
        examples.write_photos(name, tmp_path / "new", size=SIZE)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_project_without_photos_to_train_or_test_is_refused_before_it_is_made(tmp_path: Path) -> None:
    for counts in ({"train": 0}, {"test": 0}):
        with pytest.raises(InputError, match="write_photos"):
            examples.create("rooms", tmp_path, **counts)
    assert list(tmp_path.iterdir()) == []


def test_importing_examples_does_not_load_torch() -> None:
    code = (
        "import sys; from customlabels_nb import examples;"
        "print([name for name in ('numpy', 'PIL', 'torch', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
