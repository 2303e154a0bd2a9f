"""Images come in from every kind of source, once, and what can't be used is reported by name."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import (
    ArchiveError,
    Cancelled,
    CustomLabelsError,
    InputError,
    LabelError,
    TableError,
)
from customlabels_nb.events import Events
from customlabels_nb.images import to_path
from customlabels_nb.importing import ImportReport, import_images
from customlabels_nb.settings import settings
from tests.unit.pictures import encoded, jpeg, picture, png_chunk, png_header, tree, write_folder


@pytest.fixture
def project(tmp_path: Path) -> Iterator[cl.Project]:
    created = cl.create_project("fruit", tmp_path / "projects")
    yield created
    created.close()


@pytest.fixture
def add(project: cl.Project) -> Callable[..., ImportReport]:
    def add_quietly(source: Any, **options: Any) -> ImportReport:
        return project.add_images(source, progress=False, **options)

    return add_quietly


def labels(dataset: cl.Dataset) -> dict[str, list[str]]:
    """File name → labels."""
    names = [Path(to_path(image)).name for image in dataset.images["image"]]
    return dict(zip(names, dataset.labels_of_images(), strict=True))


def codes(report: ImportReport) -> list[tuple[str, str]]:
    return [(row.code, Path(row.where).name) for row in report.issues.itertuples()]


Add = Callable[..., ImportReport]


# -- sources ----------------------------------------------------------------------------------------
def test_a_folder_is_imported_with_labels_sizes_and_hashes(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 1, "apple": 2, "pear/ripe": 1})
    before = tree(tmp_path / "photos")
    report = add(tmp_path / "photos", auto_label=True)
    assert repr(report) == "4 images added to train."
    assert labels(project.train_set) == {"000.jpg": [], "001.jpg": ["apple"], "002.jpg": ["apple"], "003.jpg": ["pear"]}
    images = project.train_set.images
    assert images["status"].tolist().count("labelled") == 3
    assert images[["width", "height"]].drop_duplicates().to_numpy().tolist() == [[48, 32]]
    assert images["sha256"].str.len().eq(64).all()
    assert images["source"].unique().tolist() == [str(tmp_path / "photos")]
    assert project.train_set.annotations["annotator"].unique().tolist() == [settings.user]
    assert tree(tmp_path / "photos") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "projects"]


def test_one_label_for_all_and_none(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"x": 1, "y": 1})
    add(tmp_path / "photos", label=" apple ")
    assert labels(project.train_set) == {"000.jpg": ["apple"], "001.jpg": ["apple"]}
    write_folder(tmp_path / "more", {"x": 1}, start=5)
    add(tmp_path / "more", split="test")
    assert labels(project.test_set) == {"000.jpg": []}
    assert project.labels.to_frame()["label"].tolist() == ["apple"]


def test_files_urls_and_paths_of_every_kind(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_folder(tmp_path / "photos", {"a b": 6})
    with fsspec.open("memory://bucket/remote.jpg", "wb") as file:
        file.write(jpeg(50))
    monkeypatch.chdir(tmp_path / "photos")
    add(paths[0])
    add(str(paths[1]))
    add("a b/002.jpg")
    add(f"file://{str(paths[3]).replace(' ', '%20')}")
    add(["memory://bucket/remote.jpg", paths[4], os.fsencode(paths[5]).decode(), paths[4]], label="apple")
    assert project.train_set.images["image"].tolist() == [
        *map(str, paths[:4]), "memory://bucket/remote.jpg", *map(str, paths[4:]),
    ]  # fmt: skip
    assert project.train_set.images["sha256"].notna().all()


def test_a_list_may_hold_folders_and_zip_files(project: cl.Project, add: Add, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", {"apple": 2})[0].parent.parent
    file = write_folder(tmp_path / "single", {"": 1}, start=10)[0]
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as opened:
        opened.writestr("pear/x.jpg", jpeg(20))
    report = add([file, folder, tmp_path / "more.zip", folder / "apple" / "000.jpg"], auto_label=True)
    assert report.added == 4
    assert list(labels(project.train_set).values()) == [["apple"], ["apple"], ["pear"]]  # 000.jpg is two
    assert sorted(map(tuple, project.train_set.labels_of_images())) == [(), ("apple",), ("apple",), ("pear",)]
    assert add([file, folder, tmp_path / "more.zip"], auto_label=True).known == 4


def test_a_file_that_is_no_utf8_is_imported_and_found_again(project: cl.Project, add: Add, tmp_path: Path) -> None:
    (tmp_path / "photos" / "äpfel").mkdir(parents=True)
    odd = os.path.join(os.fsencode(tmp_path), b"photos", "äpfel".encode(), b"\xe4\n<b>.jpg")
    with open(odd, "wb") as file:
        file.write(jpeg(1))
    add(tmp_path / "photos", auto_label=True)
    image = project.train_set.images["image"][0]
    assert image.startswith("file:///")
    assert os.fsencode(to_path(image)) == odd
    assert project.train_set.labels_of_images() == [["äpfel"]]
    assert "<img" in project.train_set._repr_html_()
    assert add([os.fsdecode(odd)]).known == 1


def test_a_table_brings_labels_and_columns_of_its_own(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 3})
    frame = pd.DataFrame(
        {
            "image": [paths[0], str(paths[1]), str(paths[1]), str(paths[2])],
            "label": ["apple", "apple", "pear", None],
            "site": ["x", "y", "y", None],
            "width": [1, 2, 2, 3],
            7: [1, 2, 2, 3],
        },
        index=[5, 5, 6, 7],
    )
    before = frame.copy(deep=True)
    assert add(frame).added == 3
    pd.testing.assert_frame_equal(frame, before)
    assert labels(project.train_set) == {"000.jpg": ["apple"], "001.jpg": ["apple", "pear"], "002.jpg": []}
    images = project.train_set.images
    assert images["site"].tolist()[:2] == ["x", "y"]
    assert images["7"].tolist() == [1, 2, 3]
    assert images["width"].tolist() == [48, 48, 48]  # what the files say, not the table


@pytest.mark.parametrize("corners", [True, False])
def test_a_table_brings_boxes_in_both_notations(project: cl.Project, add: Add, tmp_path: Path, corners: bool) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    sides = {"left": [1.5, 4], "top": [2, 5], "width": [10, 11], "height": [20, 21]}
    ends = {"xmin": [1.5, 4], "ymin": [2, 5], "xmax": [11.5, 15], "ymax": [22, 26]}
    add(pd.DataFrame({"image": [path] * 2, "label": ["apple", "pear"], **(ends if corners else sides)}))
    boxes = project.train_set.annotations
    assert boxes[["left", "top", "width", "height"]].to_numpy().tolist() == [[1.5, 2, 10, 20], [4, 5, 11, 21]]
    assert project.train_set.images[["width", "height"]].to_numpy().tolist() == [[48, 32]]


def test_one_label_for_a_whole_table(project: cl.Project, add: Add, tmp_path: Path) -> None:
    add(pd.DataFrame({"image": write_folder(tmp_path / "photos", {"": 2})}), label="apple")
    assert project.train_set.label_counts.to_dict() == {"apple": 2}


# -- zip files --------------------------------------------------------------------------------------
def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def test_a_zip_is_unpacked_into_the_project(project: cl.Project, add: Add, tmp_path: Path) -> None:
    members = {"fruit/apple/a.jpg": jpeg(1), "fruit/pear/b.jpg": jpeg(2), "../evil.jpg": jpeg(3), "fruit/bad.jpg": b"x"}
    path = make_zip(tmp_path / "up" / "photos.zip", members)
    before = tree(tmp_path / "up")
    report = add(path, auto_label=True)
    assert report.added == 2
    assert codes(report) == [("ARCHIVE_MEMBER_REFUSED", "evil.jpg"), ("IMAGE_NOT_AN_IMAGE", "bad.jpg")]
    assert labels(project.train_set) == {"a.jpg": ["apple"], "b.jpg": ["pear"]}
    for image in project.train_set.images["image"]:
        assert not os.path.isabs(image)
        assert to_path(image, project.root).is_relative_to(project.root / "images")
        assert to_path(image, project.root).is_file()
    assert tree(tmp_path / "up") == before
    path.unlink()
    assert project.train_set._repr_html_().count("<img") == 2


def test_another_zip_of_the_same_name_overwrites_nothing(project: cl.Project, add: Add, tmp_path: Path) -> None:
    add(make_zip(tmp_path / "one" / "photos.zip", {"apple/1.jpg": jpeg(1)}))
    add(make_zip(tmp_path / "two" / "photos.zip", {"apple/1.jpg": jpeg(2)}))
    images = project.train_set.images
    assert len(images) == 2
    for image, sha256 in zip(images["image"], images["sha256"], strict=True):
        assert hashlib.sha256((project.root / image).read_bytes()).hexdigest() == sha256
    (tmp_path / "three").mkdir()
    shutil.copy(tmp_path / "one" / "photos.zip", tmp_path / "three")
    assert add(tmp_path / "three" / "photos.zip").known == 1


def test_importing_a_zip_again_is_a_no_op(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {"apple/1.jpg": jpeg(1), "pear/2.jpg": jpeg(2)})
    add(path, auto_label=True)
    before, revisions = tree(project.root / "images"), project.train_set.images["revision"].tolist()
    report = add(path, auto_label=True, copy=True)
    assert (report.added, report.known, len(report.issues)) == (0, 2, 0)
    assert tree(project.root / "images") == before
    assert project.train_set.images["revision"].tolist() == revisions


@pytest.mark.parametrize(
    "name", ["..zip", "...zip", " .zip", "a\nb<script>.zip", "x" * 240 + ".zip", "梨" * 60 + ".zip", "photos.ZIP"]
)
def test_the_name_of_a_zip_stays_inside_the_project(project: cl.Project, add: Add, tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "up" / name, {"1.jpg": jpeg(1)})
    before = tree(project.root)
    assert add(path).added == 1
    new = [entry for entry in tree(project.root) if entry not in before and not entry.startswith("project.db")]
    assert all(entry.split("/")[0] == "images" for entry in new)
    assert os.listdir(tmp_path / "up") == [name]


def test_a_zip_behind_a_url_is_unpacked(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {"apple/1.jpg": jpeg(1)})
    with fsspec.open("memory://bucket/photos.zip", "wb") as file:
        file.write(path.read_bytes())
    assert add("memory://bucket/photos.zip", auto_label=True).added == 1
    assert project.train_set.labels_of_images() == [["apple"]]
    assert [entry for entry in os.listdir(project.root) if entry.startswith(".")] == []
    with pytest.raises(ArchiveError, match=r"memory://bucket/none\.zip"):
        add("memory://bucket/none.zip")
    settings.network = False
    with pytest.raises(ArchiveError, match="network"):
        add("memory://bucket/photos.zip")


def test_an_empty_or_broken_zip_is_refused_by_name(add: Add, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no image in .*empty\.zip"):
        add(make_zip(tmp_path / "empty.zip", {}))
    with pytest.raises(InputError, match=r"no image in .*texts\.zip"):
        add(make_zip(tmp_path / "texts.zip", {"a.txt": b"x"}))
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(ArchiveError, match=r"broken\.zip"):
        add(tmp_path / "broken.zip")


def test_a_zip_of_which_everything_is_refused_reports_it(project: cl.Project, add: Add, tmp_path: Path) -> None:
    report = add(make_zip(tmp_path / "evil.zip", {"../a.jpg": jpeg(1)}))
    assert (report.added, codes(report)) == (0, [("ARCHIVE_MEMBER_REFUSED", "a.jpg")])
    assert project.issues["code"].tolist() == ["ARCHIVE_MEMBER_REFUSED"]


# -- copies -----------------------------------------------------------------------------------------
def test_copies_are_the_projects_own(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2, "<b>": 1})
    report = add(tmp_path / "photos", auto_label=True, copy=True)
    assert (report.added, len(report.issues)) == (3, 0)
    shutil.rmtree(tmp_path / "photos")
    dataset = project.train_set
    assert all(image.startswith(f"images{os.sep}") for image in dataset.images["image"])
    assert dataset._repr_html_().count("<img") == 3
    assert sorted(map(tuple, dataset.labels_of_images())) == [("<b>",), ("apple",), ("apple",)]
    assert [name for name in tree(project.root / "images") if name.endswith(".part")] == []


def test_copying_again_is_a_no_op_and_moves_with_the_project(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    add(tmp_path / "photos", copy=True)
    before = tree(project.root / "images")
    report = add(tmp_path / "photos", copy=True)
    assert (report.added, report.known, len(report.issues)) == (0, 2, 0)
    assert tree(project.root / "images") == before
    project.rename("vegetables")
    assert project.train_set._repr_html_().count("<img") == 2


def test_copies_of_equal_files_do_not_get_in_each_others_way(project: cl.Project, add: Add, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPEG", "c"):
        (tmp_path / name).write_bytes(jpeg(1))
    report = add([tmp_path / "a.jpg", tmp_path / "b.JPEG", tmp_path / "c"], copy=True, duplicates="keep")
    assert report.added == len(set(project.train_set.images["image"])) == 3
    assert add([tmp_path / "a.jpg", tmp_path / "b.JPEG"], copy=True, duplicates="keep").added == 0


def test_remote_images_can_be_copied(project: cl.Project, add: Add) -> None:
    with fsspec.open("memory://bucket/a.jpg", "wb") as file:
        file.write(jpeg(1))
    add(["memory://bucket/a.jpg"], copy=True)
    assert (project.root / project.train_set.images["image"][0]).read_bytes() == jpeg(1)


def test_copying_where_nothing_can_be_written_imports_nothing(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 1})
    (project.root / "images").write_text("in the way")
    with pytest.raises(InputError, match="copy=True"):
        add(tmp_path / "photos", copy=True)
    assert len(project.train_set) == 0


# -- once -------------------------------------------------------------------------------------------
def test_a_second_import_opens_no_file(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos", auto_label=True)
    before = project.train_set
    for path in paths:  # whoever reads these now finds no image
        times = path.stat()
        path.write_bytes(b"x" * times.st_size)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    for source in (tmp_path / "photos", list(paths), pd.DataFrame({"image": paths, "label": "pear"})):
        report = add(source)
        assert (report.added, report.known, len(report.issues)) == (0, 3, 0)
        assert repr(report) == "0 images added to train, 3 were there already."
    pd.testing.assert_frame_equal(project.train_set.images, before.images)
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)


def test_new_files_of_a_known_folder_are_added(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    add(tmp_path / "photos", auto_label=True)
    (tmp_path / "photos" / "apple" / "new.jpg").write_bytes(jpeg(77))
    report = add(tmp_path / "photos", auto_label=True)
    assert (report.added, report.known) == (1, 2)
    assert len(project.train_set) == 3


def test_a_changed_file_is_recognised_and_keeps_its_labels(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 2})[0]
    add(tmp_path / "photos", auto_label=True)
    old = project.train_set.images
    path.write_bytes(jpeg(99, (80, 60)))
    report = add(tmp_path / "photos", auto_label=True)
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
    add(tmp_path / "photos", auto_label=True)
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
    report = add(folder, auto_label=True)
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


def test_a_folder_without_images_says_so(add: Add, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"no image in .*texts.*1 other files"):
        add(tmp_path / "texts")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"split": "valid"}, InputError, "split='valid'"),
        ({"on_leak": "ignore"}, InputError, "on_leak='ignore'"),
        ({"duplicates": "merge"}, InputError, "duplicates='merge'"),
        ({"label": "x", "auto_label": True}, InputError, "not both"),
        ({"label": ""}, LabelError, "1 to 256"),
    ],
)
def test_impossible_options_are_refused(
    add: Add, tmp_path: Path, options: dict[str, Any], error: type[CustomLabelsError], words: str
) -> None:
    write_folder(tmp_path / "photos", {"": 1})
    with pytest.raises(error, match=words):
        add(tmp_path / "photos", **options)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (pd.DataFrame({"file": ["a.jpg"]}), InputError),
        (pd.DataFrame({"image": [None]}), InputError),
        (pd.DataFrame({"image": [5]}), InputError),
        (pd.DataFrame({"image": []}), InputError),
        (pd.DataFrame([["a", "b"]], columns=["image", "image"]), InputError),
        (pd.DataFrame({"image": ["a.jpg"], "label": [5]}), LabelError),
        (pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "confidence": [7]}), TableError),
        (pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "left": [1]}), TableError),
    ],
)
def test_impossible_tables_are_refused(add: Add, frame: pd.DataFrame, error: type[CustomLabelsError]) -> None:
    with pytest.raises(error):
        add(frame)


def test_cancelling_writes_nothing(project: cl.Project, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 2})
    events = Events()
    events.cancel()
    with pytest.raises(Cancelled):
        import_images(project._store, project.root, tmp_path / "photos", split="train", events=events)
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
    assert codes(add(tmp_path / "third.jpg")) == [("DUPLICATE_CONTENT", "third.jpg")]
    kept = add(tmp_path / "third.jpg", duplicates="keep")
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


def test_a_leak_is_kept_if_asked_for(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    shutil.copy(paths[0], tmp_path / "copy.jpg")
    add(tmp_path / "photos")
    report = add([tmp_path / "copy.jpg", paths[1]], split="test", on_leak="keep")
    assert report.added == 2
    assert [code for code, _ in codes(report)] == ["LEAK_BETWEEN_SPLITS"] * 2
    # both sides know the image now: importing it again anywhere is a no-op
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


def test_progress_is_told_to_the_end(project: cl.Project, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 5})
    events, heard = Events(), list[Any]()
    events.subscribe(heard.append)
    import_images(project._store, project.root, tmp_path / "photos", split="train", events=events)
    assert (heard[-1].done, heard[-1].total) == (5, 5)


def test_the_dataset_remembers_its_sources(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 1})
    add(tmp_path / "photos", auto_label=True)
    add(tmp_path / "photos", auto_label=True)
    record = project._store.dataset("train")
    assert record is not None
    assert record.sources == [{"kind": "folder", "name": str(tmp_path / "photos"), "auto_label": True}]
