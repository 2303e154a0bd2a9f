"""Tests that a project recognises its images under every spelling, by content, and in the split where they are."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.ingest.image_identity import StoredNames
from customlabels_nb.ingest.importer import ImportReport
from tests.images.pictures import jpeg, write_folder
from tests.ingest.reading import codes, labels

Add = Callable[..., ImportReport]
COMPOSED, DECOMPOSED = "é.jpg", unicodedata.normalize("NFD", "é.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an image, a link to the folder and a link to the image."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a b.jpg").write_bytes(jpeg(0))
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "photos" / "link.jpg").symlink_to("a b.jpg")
    return tmp_path


@pytest.mark.parametrize(
    "spelling",
    [
        "photos/a b.jpg", "photos/../photos/./a b.jpg", "{folder}/photos/a b.jpg", "file://{folder}/photos/a%20b.jpg",
        "link/a b.jpg", "{folder}/link/a b.jpg", "photos/link.jpg",
    ],
)  # fmt: skip
@pytest.mark.parametrize("stored", ["{folder}/photos/a b.jpg", "photos/a b.jpg", "{folder}/link/a b.jpg"])
def test_every_spelling_finds_the_stored_name(folder: Path, stored: str, spelling: str) -> None:
    stored, spelling = (name.format(folder=folder) for name in (stored, spelling))
    names = StoredNames([stored, str(folder / "photos" / "other.jpg"), "s3://bucket/a b.jpg"], folder)
    assert names.find(spelling) == stored
    assert names.find(spelling.replace("b.jpg", "c.jpg").replace("link.jpg", "none.jpg")) is None


@pytest.mark.parametrize(
    ("spelling", "same"),
    [
        ("http://h/p/a%20b%27ü.jpg", True), ("HTTP://H:80/p/./a b'%c3%bc.jpg#x", True),
        ("http://h/p/a%2520b'ü.jpg", False), ("https://h/p/a b'ü.jpg", False),
        ("http://h/p/a b'ü.jpg?x=1", False), ("http://h/p%2Fa b'ü.jpg", False),
        ("http://[", False),
    ],
)  # fmt: skip
def test_a_url_is_found_percent_encoded_or_not(spelling: str, same: bool) -> None:
    stored = "http://h/p/a b'ü.jpg"
    assert StoredNames(["s3://h/p/x.jpg", "http://h/p/plain.jpg", stored], Path("/")).find(spelling) == (
        stored if same else None
    )


def test_unicode_forms_are_one_name_unless_both_files_exist(folder: Path) -> None:
    names = StoredNames([COMPOSED], folder)
    assert names.find(DECOMPOSED) == COMPOSED
    for number, name in enumerate((COMPOSED, DECOMPOSED)):
        (folder / name).write_bytes(jpeg(number))
    assert names.find(DECOMPOSED) is None
    assert names.find(COMPOSED.upper()) is None, "the file system distinguishes case"


def test_one_file_under_two_cases_is_one_image(folder: Path) -> None:
    os.link(folder / "photos" / "a b.jpg", folder / "photos" / "A B.JPG")  # as where the file system ignores case
    assert StoredNames(["photos/a b.jpg"], folder).find("photos/A B.JPG") == "photos/a b.jpg"


def test_name_comes_before_content(project: cl.Project, add: Add, tmp_path: Path) -> None:
    first, second = write_folder(tmp_path / "photos", {"": 2})
    add(tmp_path / "photos")
    second.write_bytes(first.read_bytes())
    os.utime(second, ns=(1, 1))
    table = pd.DataFrame({"image": [first, second], "label": ["apple", "pear"]})
    assert codes(add(table)) == [("IMAGE_CHANGED", "001.jpg")]
    assert labels(project.train_set) == {"000.jpg": ["apple"], "001.jpg": ["pear"]}


def test_first_of_several_stored_copies_counts(project: cl.Project, add: Add, tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(jpeg(0))
    add([tmp_path / "b.jpg", tmp_path / "a.jpg"], on_duplicate="keep")
    report = add(tmp_path / "c.jpg", label="apple")
    assert (report.added, report.known, report.labelled) == (0, 1, 1)
    assert labels(project.train_set) == {"a.jpg": [], "b.jpg": ["apple"]}
    assert add(tmp_path / "c.jpg", on_duplicate="keep").added == 1, "the content decides nothing"


def test_images_of_a_file_without_splits_stay_in_their_split(project: cl.Project, add: Add, tmp_path: Path) -> None:
    train, test = write_folder(tmp_path / "photos", {"": 2})
    add(train)
    add(test, split="test")
    images = pd.DataFrame({"image": [str(train), str(test)], "width": 48, "height": 32})
    boxes = images[["image"]].assign(label="apple", left=1, top=2, width=10, height=12)
    cl.Dataset(images, boxes).to("coco", tmp_path / "boxes.json")
    given = cl.read_dataset(tmp_path / "boxes.json")
    report = project.import_dataset(given, progress=False)
    assert (report.added, report.known, report.labelled, codes(report)) == (0, 2, 2, [])
    assert [len(dataset.annotations) for dataset in (project.train_set, project.test_set)] == [1, 1]
    report = project.import_dataset(given, split="train", progress=False)
    assert codes(report) == [("LEAK_BETWEEN_SPLITS", "001.jpg")]


def test_copies_are_recognised_after_their_source_has_gone(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    add(tmp_path / "photos", copy=True)
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    report = add(tmp_path / "elsewhere", labels_from="folders")
    assert (report.added, report.known, report.labelled, codes(report)) == (0, 2, 2, [])


def test_update_takes_a_dataset_that_was_read_from_a_file(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path, other = write_folder(tmp_path / "photos", {"": 2})
    add(path)
    project.update(
        "train", pd.DataFrame({"image": [path], "label": "apple", "left": 1, "top": 2, "width": 9, "height": 9})
    )
    project.train_set.to("coco", tmp_path / "boxes.json", copy_images=True)
    text = (tmp_path / "boxes.json").read_text()
    (tmp_path / "boxes.json").write_text(text.replace('"apple"', '"pear"'))
    assert project.update("train", cl.read_dataset(tmp_path / "boxes.json"), note="checked") == 1
    assert labels(project.train_set) == {"000.jpg": ["pear"]}
    assert project.history[["what", "note"]].iloc[0].tolist() == ["update", "checked"]
    project.undo()
    assert labels(project.train_set) == {"000.jpg": ["apple"]}
    with pytest.raises(InputError, match=r"1 image is not in the train set.*001\.jpg"):
        project.update("train", cl.Dataset(pd.DataFrame({"image": [str(other)], "status": "labelled"})))
