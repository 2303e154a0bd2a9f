"""Tests of the import: images are added once, and damaged, duplicate or leaking ones are reported by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import (
    Cancelled,
    CustomLabelsError,
    InputError,
    LabelError,
    TableError,
)
from customlabels_nb.events import Events
from customlabels_nb.ingest.importer import ImportReport, import_images
from customlabels_nb.ingest.sources import ImportOptions
from customlabels_nb.store import SqlStore
from tests.facts import tells
from tests.images.pictures import encoded, jpeg, picture, png_chunk, png_header, write_folder
from tests.ingest.reading import codes, labels

Add = Callable[..., ImportReport]


# -- repeated imports -------------------------------------------------------------------------------
def test_a_second_import_opens_no_file(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos", labels_from="folders")
    before = project.train_set
    for path in paths:  # the files are no longer images
        times = path.stat()
        path.write_bytes(b"x" * times.st_size)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    for source in (tmp_path / "photos", list(paths), pd.DataFrame({"image": paths, "label": "apple"})):
        report = add(source)
        assert (report.added, report.known, len(report.issues)) == (0, 3, 0)
        assert tells(repr(report), 0, "train", 3)
    pd.testing.assert_frame_equal(project.train_set.images, before.images)
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)


def test_new_files_of_a_known_folder_are_added(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    add(tmp_path / "photos", labels_from="folders")
    (tmp_path / "photos" / "apple" / "new.jpg").write_bytes(jpeg(77))
    report = add(tmp_path / "photos", labels_from="folders")
    assert (report.added, report.known) == (1, 2)
    assert len(project.train_set) == 3


def test_a_changed_file_is_recognised_and_keeps_its_labels(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 2})[0]
    add(tmp_path / "photos", labels_from="folders")
    old = project.train_set.images
    path.write_bytes(jpeg(99, (80, 60)))
    report = add(tmp_path / "photos", labels_from="folders")
    assert codes(report) == [("IMAGE_CHANGED", "000.jpg")]
    images = project.train_set.images
    assert images[["width", "height"]].to_numpy().tolist() == [[80, 60], [48, 32]]
    assert images["sha256"][0] != old["sha256"][0]
    assert images["sha256"][1] == old["sha256"][1]
    assert images["revision"].tolist() == [2, 1]
    assert labels(project.train_set)["000.jpg"] == ["apple"]
    assert len(add(tmp_path / "photos").issues) == 0


def test_a_file_that_became_unreadable_is_reported_and_stays(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 1})[0]
    add(tmp_path / "photos", labels_from="folders")
    path.write_bytes(b"not an image any more")
    assert codes(add(tmp_path / "photos")) == [("IMAGE_NOT_AN_IMAGE", "000.jpg")]
    assert labels(project.train_set) == {"000.jpg": ["apple"]}


# -- damage -----------------------------------------------------------------------------------------
def test_bad_files_are_reported_by_name_and_the_rest_is_imported(project: cl.Project, add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_folder(folder, {"apple": 2})
    whole = jpeg(70)
    bad = {
        "cut.jpg": (whole[: len(whole) // 2], "IMAGE_TRUNCATED"),
        "empty.jpg": (b"", "IMAGE_NOT_AN_IMAGE"),
        "text.jpg": (b"Dear sir", "IMAGE_NOT_AN_IMAGE"),
        "bomb.png": (png_header(30_000, 30_000) + png_chunk(b"IDAT", b"\0" * 9), "IMAGE_TOO_LARGE"),
        "broken.png": (encoded(picture(5), "PNG")[:-30] + b"?" * 30, "IMAGE_TRUNCATED"),
        "<img src=x onerror=alert(1)>.jpg": (b"x", "IMAGE_NOT_AN_IMAGE"),
    }
    for name, (data, _) in bad.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "gone.jpg").symlink_to("nowhere")
    (folder / "again").symlink_to(folder)
    report = add(folder, labels_from="folders")
    assert report.added == 2
    expected = {name: code for name, (_, code) in bad.items()}
    expected |= {"pipe.jpg": "IMAGE_NOT_AN_IMAGE", "gone.jpg": "IMAGE_NOT_FOUND", "again": "FOLDER_LOOP"}
    assert {name: code for code, name in codes(report)} == expected
    assert report.issues["message"].str.len().gt(10).all()
    kept = project.issues
    assert kept[["code", "where"]].to_numpy().tolist() == report.issues[["code", "where"]].to_numpy().tolist()
    assert (kept["split"] == "train").all()
    shown = report._repr_html_()
    assert "<img" not in shown
    assert "&lt;img src=x" in shown


def test_a_file_that_vanished_from_a_list_is_an_issue(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    report = add([path, tmp_path / "gone.jpg"])
    assert (report.added, codes(report)) == (1, [("IMAGE_NOT_FOUND", "gone.jpg")])
    assert add([tmp_path / "gone.jpg"]).added == 0
    assert len(project.train_set) == 1


@pytest.mark.parametrize(
    "source", ["nowhere", "nowhere.zip", "nowhere.jpg", "", [], [""], None, 5, b"photos", [None], [5]]
)
def test_a_source_that_names_nothing_is_refused_before_anything_is_written(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any
) -> None:
    write_folder(tmp_path / "here", {"": 1})
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError):
        add(source)
    assert len(project.history) == 0
    assert project.issues.empty


def test_folder_without_images_gives_a_message(add: Add, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"No images found in .*texts.*1 other file was"):
        add(tmp_path / "texts")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"split": "valid"}, InputError, "split='valid'"),
        ({"on_leak": "ignore"}, InputError, "on_leak='ignore'"),
        ({"on_duplicate": "merge"}, InputError, "on_duplicate='merge'"),
        ({"label": "x", "labels_from": "folders"}, InputError, "not both"),
        ({"label": ""}, LabelError, "1 to 256"),
    ],
)
def test_invalid_options_are_refused(
    add: Add, tmp_path: Path, options: dict[str, Any], error: type[CustomLabelsError], words: str
) -> None:
    write_folder(tmp_path / "photos", {"": 1})
    with pytest.raises(error, match=words):
        add(tmp_path / "photos", **options)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (pd.DataFrame({"photo": ["a.jpg"]}), InputError),
        (pd.DataFrame({"image": [None]}), InputError),
        (pd.DataFrame({"image": [5]}), InputError),
        (pd.DataFrame({"image": []}), InputError),
        (pd.DataFrame([["a", "b"]], columns=["image", "image"]), InputError),
        (pd.DataFrame({"image": ["a.jpg"], "label": [5]}), LabelError),
        (pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "confidence": [7]}), TableError),
        (pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "left": [1], "top": [1]}), TableError),
    ],
)
def test_invalid_tables_are_refused(add: Add, frame: pd.DataFrame, error: type[CustomLabelsError]) -> None:
    with pytest.raises(error):
        add(frame)


def test_cancelling_writes_nothing(project: cl.Project, store: SqlStore, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 2})
    events = Events()
    events.cancel()
    with pytest.raises(Cancelled):
        import_images(store, project.root, tmp_path / "photos", ImportOptions("train"), events=events)
    assert len(project.train_set) == 0
    assert len(project.history) == 0


# -- duplicates and leaks ---------------------------------------------------------------------------
def test_the_same_content_under_another_name_is_reported(project: cl.Project, add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_folder(folder, {"apple": 1})
    shutil.copy(folder / "apple" / "000.jpg", folder / "apple" / "again.jpg")
    report = add(folder)
    assert report.added == 1
    assert codes(report) == [("DUPLICATE_CONTENT", "again.jpg")]
    assert "000.jpg" in report.issues["message"][0]
    shutil.copy(folder / "apple" / "000.jpg", tmp_path / "third.jpg")
    report = add(tmp_path / "third.jpg")
    assert (report.added, report.known, codes(report)) == (0, 1, [])
    report = add([tmp_path / "third.jpg", folder])
    assert codes(report) == [("DUPLICATE_CONTENT", "third.jpg"), ("DUPLICATE_CONTENT", "again.jpg")]
    kept = add(tmp_path / "third.jpg", on_duplicate="keep")
    assert (kept.added, codes(kept)) == (1, [("DUPLICATE_CONTENT", "third.jpg")])


def test_a_train_image_does_not_come_into_the_test_set(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    shutil.copy(paths[0], tmp_path / "copy.jpg")
    add(tmp_path / "photos")
    report = add([tmp_path / "copy.jpg", paths[1]], split="test")
    assert report.added == 0
    assert sorted(codes(report)) == [("LEAK_BETWEEN_SPLITS", "001.jpg"), ("LEAK_BETWEEN_SPLITS", "copy.jpg")]
    assert "000.jpg" in " ".join(report.issues["message"])
    assert len(project.test_set) == 0
    assert sorted(project.issues["split"]) == ["test", "test"]


def test_leak_is_kept_on_request(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    shutil.copy(paths[0], tmp_path / "copy.jpg")
    add(tmp_path / "photos")
    report = add([tmp_path / "copy.jpg", paths[1]], split="test", on_leak="keep")
    assert report.added == 2
    assert [code for code, _ in codes(report)] == ["LEAK_BETWEEN_SPLITS"] * 2
    # both splits know the image now, so importing it again anywhere is a no-op
    for split in ("train", "test"):
        for on_leak in ("keep", "report"):
            again = add(paths[1], split=split, on_leak=on_leak)
            assert (again.added, again.known, len(again.issues)) == (0, 1, 0)


def test_a_file_that_changes_into_one_of_the_other_side_is_reported(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    add(paths[0])
    add(paths[1], split="test")
    paths[0].write_bytes(paths[1].read_bytes() + b"")
    os.utime(paths[0], ns=(1, 1))
    assert sorted(code for code, _ in codes(add(paths[0]))) == ["IMAGE_CHANGED", "LEAK_BETWEEN_SPLITS"]


def test_progress_reaches_the_total(project: cl.Project, store: SqlStore, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 5})
    events, heard = Events(), list[Any]()
    events.subscribe(heard.append)
    import_images(store, project.root, tmp_path / "photos", ImportOptions("train"), events=events)
    assert (heard[-1].done, heard[-1].total) == (5, 5)


def test_the_dataset_remembers_its_sources(store: SqlStore, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 1})
    add(tmp_path / "photos", labels_from="folders")
    add(tmp_path / "photos", labels_from="folders")
    record = store.dataset("train")
    assert record is not None
    assert record.sources == [{"kind": "folder", "name": str(tmp_path / "photos"), "labels_from": "folders"}]


def test_training_and_test_images_of_a_dataset_stay_apart(project: cl.Project, tmp_path: Path) -> None:
    images = pd.DataFrame({"image": write_folder(tmp_path, {"": 3}), "split": ["train", "test", "train"]})
    given = cl.Dataset(images.astype({"image": str}), images.assign(label="apple"), issues=[Issue("ENTRY_ADJUSTED")])
    report = project.import_dataset(given, progress=False)
    assert tells(repr(report), 3, "added", "train", "test", 1, "issue")
    assert (list(labels(project.train_set)), list(labels(project.test_set))) == (["000.jpg", "002.jpg"], ["001.jpg"])
    assert project.issues["code"].tolist() == ["ENTRY_ADJUSTED"]


def test_labels_of_a_dataset_keep_order_and_colors(project: cl.Project, tmp_path: Path) -> None:
    project.labels.add("apple")
    images = pd.DataFrame({"image": list(map(str, write_folder(tmp_path, {"": 1})))})
    project.add_images(images, progress=False)  # labels are also added by a dataset without new images
    colors = pd.DataFrame({"label": ["quince", "apple", "pear", "fig"], "color": [None, None, "#123456", None]})
    project.import_dataset(cl.Dataset(images, images.assign(label="fig"), colors), progress=False)
    assert list(project.labels) == ["apple", "quince", "pear", "fig"]
    assert project.labels.colors["pear"] == "#123456"
    assert len(set(project.labels.colors.values())) == 4
    project.undo()
    project.undo()
    assert list(project.labels) == ["apple"]


def test_errors_for_wrong_sources_suggest_what_to_pass(project: cl.Project, add: Add) -> None:
    with pytest.raises(InputError, match=r"'boards\.json'.*cl\.read_dataset"):
        project.import_dataset("boards.json")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="an empty list"):
        add([])


def test_boxes_of_another_image_size_are_reported(project: cl.Project, tmp_path: Path) -> None:
    places = [tmp_path / f"{name}.png" for name in ("same", "scaled", "turned", "no boxes")]
    for number, path in enumerate(places):
        Image.new("RGB", (60, 40), (50 * number, 0, 0)).save(path)
    images = pd.DataFrame({"image": map(str, places), "width": [60, 120, 40, 9], "height": [40, 80, 60, 9]})
    boxes = pd.DataFrame({"image": images["image"][:3], "label": "cat", "left": 1, "top": 2, "width": 3, "height": 4})
    cl.Dataset(images, boxes).to("coco", tmp_path / "set.json")
    given = cl.read_dataset(tmp_path / "set.json")
    report = project.import_dataset(given, progress=False)
    assert codes(report) == [("IMAGE_SIZE_DIFFERS", "scaled.png"), ("IMAGE_SIZE_DIFFERS", "turned.png")]
    scaled, turned = report.issues["message"]
    assert tells(scaled, 120, 80, 60, 40, "not changed")
    assert "turned" in turned
    assert "turned" not in scaled
    assert project.train_set.images["width"].tolist() == [60] * 4
    assert project.train_set.annotations["left"].tolist() == [1, 1, 1]
