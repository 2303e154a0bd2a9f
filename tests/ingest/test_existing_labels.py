"""Tests that existing images without annotations get the labels of a later import."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.store.sql import SqlStore
from tests.facts import tells
from tests.images.pictures import jpeg, write_folder
from tests.ingest.reading import codes, labels

Add = Callable[..., ImportReport]


@pytest.mark.parametrize("copy", [False, True])
def test_labels_are_added_by_a_later_import(project: cl.Project, add: Add, tmp_path: Path, copy: bool) -> None:
    write_folder(tmp_path / "photos", {"apple": 2, "pear": 1})
    add(tmp_path / "photos", copy=copy)
    write_folder(tmp_path / "photos", {"plum": 1}, start=50)
    report = add(tmp_path / "photos", labels_from="folders", copy=copy)
    assert (report.added, report.known, report.labelled, len(report.issues)) == (1, 3, 3, 0)
    assert tells(repr(report), 1, "train", 3, "already", 3, "labelled")
    assert project.train_set.labels_of_images() == [["apple"], ["apple"], ["pear"], ["plum"]]
    assert (project.train_set.images["status"] == "labelled").all()
    assert project.history[["what", "count"]].to_numpy().tolist()[:2] == [["label imported images", 3], ["import", 1]]
    assert add(tmp_path / "photos", labels_from="folders", copy=copy).labelled == 0
    assert len(project.issues) == 0


def test_single_label_and_box_tables_label_existing_images(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    add(tmp_path / "photos")
    table = pd.DataFrame({"image": [paths[1]] * 2, "label": "pear", "left": [1, 2], "top": 1, "width": 9, "height": 9})
    assert add(table).labelled == 1
    assert project.train_set.annotations["left"].tolist() == [1, 2]
    report = add(paths[0], label="apple")
    assert (report.labelled, labels(project.train_set)) == (1, {"000.jpg": ["apple"], "001.jpg": ["pear", "pear"]})


def test_existing_labels_are_kept(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos", labels_from="folders")
    more = pd.DataFrame({"image": [str(paths[1])] * 2, "label": ["apple", "ripe"]})
    project.update("train", more)
    before = project.train_set
    report = add(pd.DataFrame({"image": paths, "label": ["pear", "ripe", "apple"]}))
    assert (report.added, report.known, report.labelled) == (0, 3, 0)
    assert codes(report) == [("LABEL_KEPT", "000.jpg")]
    assert "already labelled 'apple', so 'pear' was not applied" in report.issues["message"][0]
    assert project.issues["code"].tolist() == ["LABEL_KEPT"]
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)
    pd.testing.assert_frame_equal(project.train_set.images, before.images)
    assert "pear" not in project.labels


@pytest.mark.parametrize(
    ("status", "words"), [("labelled", "labelled as empty"), ("skipped", "skipped"), ("needs_review", "review")]
)
def test_images_labelled_as_empty_stay_empty(
    project: cl.Project, add: Add, tmp_path: Path, status: str, words: str
) -> None:
    write_folder(tmp_path / "photos", {"apple": 1})
    add(tmp_path / "photos")
    seen = project.train_set
    project.update("train", cl.Dataset(seen.images.assign(status=status), name="train"))
    report = add(tmp_path / "photos", labels_from="folders")
    assert (report.labelled, codes(report)) == (0, [("LABEL_KEPT", "000.jpg")])
    assert words in report.issues["message"][0]
    assert project.train_set.images["status"].tolist() == [status]


def test_statuses_of_unlabelled_images_are_added_by_a_later_import(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    images = pd.DataFrame({"image": list(map(str, write_folder(tmp_path, {"": 5})))})
    add(images)
    project.update("train", project.train_set.with_status("skipped", "image.str.endswith('004.jpg')"))
    images["status"] = ["labelled", "needs_review", "skipped", "unlabelled", "labelled"]
    given = cl.Dataset(images, images.iloc[1:2].assign(label="apple"))
    assert project.import_dataset(given, progress=False).labelled == 3
    assert project.train_set.images["status"].tolist() == [
        "labelled",
        "needs_review",
        "skipped",
        "unlabelled",
        "skipped",
    ]
    assert project.import_dataset(given, progress=False).labelled == 0


def test_labels_given_meanwhile_win(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos")
    write, edits = SqlStore.update_images, [pd.DataFrame({"image": [str(paths[1])], "label": ["pear"]})]

    def others_first(store: SqlStore, *args: Any, **options: Any) -> int:
        while edits:
            project.update("train", edits.pop())
        return write(store, *args, **options)

    monkeypatch.setattr(SqlStore, "update_images", others_first)
    assert add(tmp_path / "photos", labels_from="folders").labelled == 2
    assert list(labels(project.train_set).values()) == [["apple"], ["pear"], ["apple"]]


def test_a_changed_file_without_a_label_gets_one(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 1})[0]
    add(tmp_path / "photos")
    path.write_bytes(jpeg(99, (80, 60)))
    os.utime(path, ns=(1, 1))
    report = add(tmp_path / "photos", labels_from="folders")
    assert (report.labelled, codes(report)) == (1, [("IMAGE_CHANGED", "000.jpg")])
    assert project.train_set.images["width"].tolist() == [80]


def test_duplicates_report_different_labels(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 1})[0]
    for name in ("apple/same.jpg", "pear/other.jpg", "bare.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "photos" / name)
    report = add(tmp_path / "photos", labels_from="folders")
    messages = {Path(row.where).name: row.message for row in report.issues.itertuples()}
    assert "labelled 'apple' there and 'pear' here" in messages["other.jpg"]
    assert "labelled 'apple' there and not labelled here" in messages["bare.jpg"]
    assert "labelled" not in messages["same.jpg"]
    shutil.copy(path, tmp_path / "later.jpg")  # an earlier import added the other one
    assert "labelled 'apple' there and 'plum' here" in add(tmp_path / "later.jpg", label="plum").issues["message"][0]
