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
from customlabels_nb.errors import TableError
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
    assert project.history[["what", "count"]].to_numpy().tolist() == [["import", 4], ["import", 3]]
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
    assert codes(report) == [("LABEL_KEPT", "000.jpg"), ("LABEL_KEPT", "001.jpg")]
    assert "is labelled 'apple', but 'pear' in the source" in report.issues["message"][0]
    assert "'apple' and 'ripe', but 'ripe' in the source" in report.issues["message"][1]
    assert report.issues["message"].str.contains("on_known='replace'").all()
    assert project.issues["code"].tolist() == ["LABEL_KEPT"] * 2
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)
    pd.testing.assert_frame_equal(project.train_set.images, before.images)
    assert "pear" not in project.labels


def test_a_table_without_the_status_of_some_images_replaces_labels(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 2})
    add(tmp_path / "photos", labels_from="folders")
    table = pd.DataFrame({"image": paths, "label": ["pear", "ripe"], "status": [None, "needs_review"]})
    assert add(table, on_known="replace").replaced == 2
    assert labels(project.train_set) == {"000.jpg": ["pear"], "001.jpg": ["ripe"]}
    assert project.train_set.images["status"].tolist() == ["labelled", "needs_review"]
    with pytest.raises(TableError, match="status='done' is unknown"):
        add(table.assign(status="done"), on_known="replace")


@pytest.mark.parametrize("status", ["labelled", "skipped", "needs_review"])
def test_only_images_labelled_as_empty_are_kept_without_labels(
    project: cl.Project, add: Add, tmp_path: Path, status: str
) -> None:
    write_folder(tmp_path / "photos", {"apple": 1})
    add(tmp_path / "photos")
    seen = project.train_set
    project.update("train", cl.Dataset(seen.images.assign(status=status), name="train"))
    report = add(tmp_path / "photos", labels_from="folders")
    kept = status == "labelled"
    assert (report.labelled, codes(report)) == ((0, [("LABEL_KEPT", "000.jpg")]) if kept else (1, []))
    assert not kept or "labelled as empty" in report.issues["message"][0]
    assert labels(project.train_set) == {"000.jpg": [] if kept else ["apple"]}
    assert project.train_set.images["status"].tolist() == ["labelled"]


def test_statuses_of_unlabelled_images_are_added_by_a_later_import(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    images = pd.DataFrame({"image": list(map(str, write_folder(tmp_path, {"": 5})))})
    add(images)
    project.update("train", project.train_set.with_status("skipped", "image.str.endswith('004.jpg')"))
    images["status"] = ["labelled", "needs_review", "skipped", "unlabelled", "labelled"]
    given = cl.Dataset(images, images.iloc[1:2].assign(label="apple"))
    assert project.import_dataset(given, progress=False).labelled == 4
    statuses = ["labelled", "needs_review", "skipped", "unlabelled", "labelled"]
    assert project.train_set.images["status"].tolist() == statuses
    assert project.import_dataset(given, progress=False).labelled == 0


def test_labels_given_meanwhile_win(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos")
    write, edits = SqlStore.add_parts, [pd.DataFrame({"image": [str(paths[1])], "label": ["pear"]})]

    def others_first(store: SqlStore, *args: Any, **options: Any) -> int:
        while edits:
            project.update("train", edits.pop())
        return write(store, *args, **options)

    monkeypatch.setattr(SqlStore, "add_parts", others_first)
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
    for name in ("plain.jpg", "pear/007.jpg"):
        (tmp_path / "photos" / name).write_bytes(jpeg(7))
    report = add(tmp_path / "photos", labels_from="folders")
    messages = {Path(row.where).name: row.message for row in report.issues.itertuples()}
    assert "labelled 'apple' there and 'pear' here" in messages["other.jpg"]
    assert all("labelled" not in messages[name] for name in ("bare.jpg", "same.jpg"))
    assert labels(project.train_set) == {"000.jpg": ["apple"], "007.jpg": ["pear"]}
    shutil.copy(path, tmp_path / "later.jpg")  # an earlier import added the other one
    report = add(tmp_path / "later.jpg", label="plum")
    assert (report.known, codes(report)) == (1, [("LABEL_KEPT", Path(path).name)])


def test_own_columns_of_known_images_are_updated_and_counted(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos", labels_from="folders")
    before = project.train_set
    table = pd.DataFrame(
        {"image": [*paths, tmp_path / "new.jpg"], "site": ["a", None, "b", "c"], "shots": [1, 2, 3, 4]}
    )
    (tmp_path / "new.jpg").write_bytes(jpeg(77))
    report = add(table)
    assert (report.added, report.known, report.changed_cells) == (1, 3, 5)
    assert tells(repr(report), 5, "cells", "your own columns")
    images = project.train_set.images
    assert images["shots"].tolist() == [1, 2, 3, 4]
    assert images["site"].fillna("").tolist() == ["a", "", "b", "c"]
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)
    actions = len(project.history)
    assert add(table).changed_cells == 0
    assert len(project.history) == actions
    more = table.assign(site="d", label="pear")
    assert add(more, on_known="skip").changed_cells == 0
    assert add(more, on_known="replace").changed_cells == 4
    assert project.train_set.images["site"].tolist() == ["d"] * 4
    assert project.train_set.labels_of_images() == [["pear"]] * 4
    project.undo()
    pd.testing.assert_frame_equal(project.train_set.images.drop(columns="revision"), images.drop(columns="revision"))
    project.undo()
    assert project.train_set.images.drop(columns="revision").equals(before.images.drop(columns="revision"))


def test_tables_of_one_import_update_own_columns_in_parts(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 4})
    add(tmp_path / "photos")
    table = pd.DataFrame(
        {"image": paths, "taken": pd.Timestamp("2026-05-01"), "lenses": [["a"], ["b"], [], ["a", "b"]]}
    )
    report = add(iter([table[:2], table[2:]]))
    assert report.changed_cells == 8
    assert project.train_set.images["lenses"].tolist() == table["lenses"].tolist()
    assert project.train_set.images["taken"].tolist() == table["taken"].tolist()
    assert add(table).changed_cells == 0


def test_derived_file_of_a_passed_table_is_not_stored(project: cl.Project, add: Add, tmp_path: Path) -> None:
    for start, camera in enumerate(("left", "right")):
        write_folder(tmp_path / camera, {"apple": 2}, start=10 * start)
        add(tmp_path / camera)
    images = project.train_set.images
    assert images["file"].tolist() == [
        "apple/000.jpg", "apple/001.jpg", "right/apple/000.jpg", "right/apple/001.jpg"
    ]  # fmt: skip
    table = pd.DataFrame(images[["file", "image"]].to_dict("list")).assign(site=["a", "b", "c", "d"])  # as from a file
    assert add(table).changed_cells == 4
    assert "file" not in project.train_set.image_table
    assert add(table.assign(file=[f"x{name}" for name in table["file"]])).changed_cells == 4
    assert project.train_set.images["file"].tolist() == [f"x{name}" for name in table["file"]]
