"""Tests that a project's images keep their short names, with which people join their own tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action
from tests.project.conftest import draw


@pytest.fixture
def cameras(fruit: Project, tmp_path: Path) -> Project:
    """Return a project with photos of two cameras, of which one is also in the test set."""
    for number, name in enumerate(["left/cat/1.png", "left/dog/1.png", "right/cat/1.png", "right/cat/2.png"]):
        draw(tmp_path / name, 1, 50 + number)
    draw(tmp_path / "test" / "cat" / "1.png", 1, 60)
    fruit.add_images(tmp_path / "left", labels_from="folders", progress=False)
    fruit.add_images(tmp_path / "right", labels_from="folders", progress=False)
    fruit.add_images(tmp_path / "test", split="test", progress=False)
    return fruit


def files(fruit: Project) -> dict[str, str]:
    """Return the file of each image by its content."""
    tables = (fruit.train_set.images, fruit.test_set.images)
    return {content: file for table in tables for content, file in zip(table["sha256"], table["file"], strict=True)}


def test_files_stay_when_the_project_changes(cameras: Project, tmp_path: Path) -> None:
    before = files(cameras)
    assert list(before.values()) == ["cat/1.png", "dog/1.png", "right/cat/1.png", "cat/2.png", "test/cat/1.png"]
    held = cameras.test_set
    draw(tmp_path / "more" / "dog" / "1.png", 1, 70)
    cameras.add_images(tmp_path / "more", progress=False)
    assert cameras.train_set.images["file"].iloc[-1] == "more/dog/1.png"
    cameras.undo()
    cameras._store.move_images(cameras.train_set.images["image"].tail(1), "train", "test", Action("move", "me"))
    assert files(cameras) == before
    assert held.images["file"].tolist() == ["test/cat/1.png"]
    packed = cameras.pack(tmp_path / "class.zip", progress=False)
    copy = cl.unpack_project(packed.path, tmp_path, name="copy")
    assert files(copy) == before
    shutil.rmtree(tmp_path / "left")
    shutil.copytree(tmp_path / "right", tmp_path / "moved" / "right")
    shutil.rmtree(tmp_path / "right")
    cameras.relocate(tmp_path / "moved")
    assert files(cameras) == before


def test_own_table_is_joined_by_file_and_comes_back(cameras: Project, tmp_path: Path) -> None:
    mine = pd.DataFrame({"file": ["cat/1.png", "right/cat/1.png"], "weather": ["sun", "rain"]})
    joined = cameras.train_set.images.merge(mine, on="file")
    assert joined["weather"].tolist() == ["sun", "rain"]
    assert cameras.add_images(joined, progress=False).changed_cells == 2
    assert list(cameras.train_set.images)[:2] == ["file", "split"]
    assert "file" not in cameras.train_set.image_table
    assert cameras.update("train", cl.Dataset(cameras.train_set.images, cameras.train_set.annotations)) == 0
    other = cl.create_project("other", tmp_path)
    other.import_dataset(cameras.train_set, progress=False)
    other.import_dataset(cl.Dataset(cameras.test_set.images), progress=False)
    assert "file" not in other.train_set.image_table
    assert "file" not in other.test_set.image_table


def test_selected_images_have_their_files(cameras: Project) -> None:
    gallery = cameras.label("test")
    gallery.select(cameras.test_set.images["image"].tolist())
    assert list(gallery.selected)[:3] == ["file", "label", "split"]
    assert gallery.selected["file"].tolist() == ["test/cat/1.png"]


def test_folder_named_like_a_file_is_packed(fruit: Project, tmp_path: Path) -> None:
    draw(tmp_path / "one" / "cat.png", 1, 50)
    (tmp_path / "one" / "cat.png").rename(tmp_path / "one" / "cat")
    draw(tmp_path / "two" / "cat" / "1.png", 1, 51)
    fruit.add_images([tmp_path / "one" / "cat"], progress=False)
    fruit.add_images(tmp_path / "two", progress=False)
    copy = cl.unpack_project(fruit.pack(tmp_path / "class.zip", progress=False).path, tmp_path, name="copy")
    assert len(copy.train_set) == 2
    assert all((copy.root / image).is_file() for image in copy.train_set.images["image"])
