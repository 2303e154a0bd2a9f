"""Tests of image sources: folders, files, lists, URLs, tables, zip files, and copies of them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.errors import (
    ArchiveError,
    InputError,
    TableError,
)
from customlabels_nb.images.locations import to_path
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.user_settings import settings
from tests.images.pictures import jpeg, tree, write_folder
from tests.ingest.reading import codes, labels

Add = Callable[..., ImportReport]


# -- sources ----------------------------------------------------------------------------------------
def test_a_folder_is_imported_with_labels_sizes_and_hashes(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"": 1, "apple": 2, "pear/ripe": 1})
    before = tree(tmp_path / "photos")
    report = add(tmp_path / "photos", labels_from="folders")
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


@pytest.mark.parametrize(
    ("name", "says"),
    [("x.csv", r"pass cl\.read_dataset\('.*x\.csv'\) to project\.import_dataset"), ("x.TAR", "Unpack it")],
)
def test_tables_and_archives_are_refused_with_the_way_to_read_them(
    add: Add, tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / name).write_text("image,label\na.jpg,cat\n")
    with pytest.raises(InputError, match=f"(?i){name}.*{says}"):
        add(tmp_path / name)


def test_a_table_with_an_empty_image_names_the_row(add: Add) -> None:
    with pytest.raises(InputError, match="'image' of the DataFrame is empty in row 7"):
        add(pd.DataFrame({"image": ["a.jpg", None]}, index=[6, 7]))


def test_label_option_labels_all_images(project: cl.Project, add: Add, tmp_path: Path) -> None:
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
    report = add([file, folder, tmp_path / "more.zip", folder / "apple" / "000.jpg"], labels_from="folders")
    assert report.added == 4
    assert list(labels(project.train_set).values()) == [["apple"], ["apple"], ["pear"]]  # 000.jpg has two meanings
    assert sorted(map(tuple, project.train_set.labels_of_images())) == [(), ("apple",), ("apple",), ("pear",)]
    assert add([file, folder, tmp_path / "more.zip"], labels_from="folders").known == 4


def test_non_utf8_file_names_are_imported(project: cl.Project, add: Add, tmp_path: Path) -> None:
    (tmp_path / "photos" / "äpfel").mkdir(parents=True)
    odd = os.path.join(os.fsencode(tmp_path), b"photos", "äpfel".encode(), b"\xe4\n<b>.jpg")
    with open(odd, "wb") as file:
        file.write(jpeg(1))
    add(tmp_path / "photos", labels_from="folders")
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
    assert images["width"].tolist() == [48, 48, 48]  # sizes of the files, not of the table


@pytest.mark.parametrize("corners", [True, False])
def test_a_table_brings_boxes_in_both_notations(project: cl.Project, add: Add, tmp_path: Path, corners: bool) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    sides = {"left": [1.5, 4], "top": [2, 5], "width": [10, 11], "height": [20, 21]}
    ends = {"xmin": [1.5, 4], "ymin": [2, 5], "xmax": [11.5, 15], "ymax": [22, 26]}
    add(pd.DataFrame({"image": [path] * 2, "label": ["apple", "pear"], **(ends if corners else sides)}))
    boxes = project.train_set.annotations
    assert boxes[["left", "top", "width", "height"]].to_numpy().tolist() == [[1.5, 2, 10, 20], [4, 5, 11, 21]]
    assert project.train_set.images[["width", "height"]].to_numpy().tolist() == [[48, 32]]


def test_notes_of_a_table_are_about_its_labels_or_else_about_images(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    names = list(map(str, write_folder(tmp_path / "photos", {"": 3})))
    add(pd.DataFrame({"image": names[:2], "label": ["apple", None], "note": ["or a pear?", "unclear"]}))
    add(pd.DataFrame({"image": names[2:], "note": ["dark"]}))
    assert project.train_set.images["note"].fillna("").tolist() == ["", "unclear", "dark"]
    assert project.train_set.annotations["note"].tolist() == ["or a pear?"]


def test_a_missing_status_follows_from_the_label(project: cl.Project, add: Add, tmp_path: Path) -> None:
    names = list(map(str, write_folder(tmp_path / "photos", {"": 3})))
    add(pd.DataFrame({"image": names, "label": [None, "apple", None], "status": [None, float("nan"), "skipped"]}))
    assert project.train_set.images["status"].tolist() == ["unlabelled", "labelled", "skipped"]


def test_a_table_brings_boxes_in_one_column(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    ratios = [[0.25, 0.5, 0.25, 0.125], [0, 0, 1, 1]]
    report = add(pd.DataFrame({"image": [path] * 2, "class": ["apple", "pear"], "bbox": ratios, "site": ["x", "y"]}))
    boxes = project.train_set.annotations[["label", *t.BOX_COLUMNS]].to_numpy().tolist()
    assert boxes == [["apple", 12, 16, 12, 4], ["pear", 0, 0, 48, 32]]
    assert "site" not in project.train_set.images
    messages = report.issues["message"].tolist()
    for message, what in zip(messages, ["'class' .* label", "2 × box in ratios", "2 × .*'site'"], strict=True):
        assert re.search(what, message)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"bbox": [[1, 2, 3, 4]]}, "'bbox'.*no column 'label'"),
        ({"category": ["apple", 3]}, "'category'.*'3'"),
        ({"label": ["x"], "box": [[1, 2, 3, 4]]}, "'box'.*'bbox_xywh'"),
    ],
)
def test_a_table_whose_labels_or_boxes_are_unclear_is_refused(
    add: Add, tmp_path: Path, columns: dict[str, list[object]], says: str
) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    count = len(next(iter(columns.values())))
    with pytest.raises(InputError, match=says):
        add(pd.DataFrame({"image": [path] * count, **columns}))


def test_columns_that_look_like_boxes_are_reported(add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    sides = {"x": [1], "y": [2], "w": [3], "h": [4]}
    report = add(pd.DataFrame({"image": [path], "label": ["apple"], **sides}))
    assert "'x', 'y', 'w', 'h'" in report.issues["message"].tolist()[0]


def test_tables_of_0_and_1_empty_boxes_and_names_without_an_ending_are_read(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    paths = write_folder(tmp_path / "photos", {"": 4})
    add(pd.DataFrame({"image": paths[:2], "cat": [1, 0], "dog": [0, 0], "site": ["x", "y"]}))
    zeros = {side: [0, 0] for side in ("xmin", "ymin", "xmax", "ymax")}
    report = add(pd.DataFrame({"image": [path.with_suffix("") for path in paths[2:]], "label": "Tree", **zeros}))
    assert labels(project.train_set) == {"000.jpg": ["cat"], "001.jpg": [], "002.jpg": [], "003.jpg": []}
    assert project.train_set.images["status"].tolist() == ["labelled"] * 4
    assert [word in " ".join(report.issues["message"]) for word in ("no ending", "'002.jpg'", "only zeros")] == [
        True
    ] * 3


def test_what_a_table_of_boxes_has_besides_is_reported(add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    report = add(pd.DataFrame({"image": [path] * 2, "label": ["x", None], "bbox": [[1, 2, 3, 4]] * 2, "top": "red"}))
    messages = " ".join(report.issues["message"])
    assert all(
        word in messages for word in ("1 × box without a label", "2 × value of the column 'top' (such as 'red')")
    )


def test_a_dict_of_labels_is_refused_with_the_code_that_converts_it(add: Add, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "photos", {"": 1})[0]
    with pytest.raises(InputError, match=r"pd\.DataFrame\(.*cl\.from_ipyannotations"):
        add({str(path): "cat"})


def test_one_label_for_a_whole_table(project: cl.Project, add: Add, tmp_path: Path) -> None:
    add(pd.DataFrame({"image": write_folder(tmp_path / "photos", {"": 2})}), label="apple")
    assert project.train_set.label_counts.to_dict() == {"apple": 2}


# -- zip files --------------------------------------------------------------------------------------
def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip file with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def test_a_zip_is_unpacked_into_the_project(project: cl.Project, add: Add, tmp_path: Path) -> None:
    members = {"fruit/apple/a.jpg": jpeg(1), "fruit/pear/b.jpg": jpeg(2), "../evil.jpg": jpeg(3), "fruit/bad.jpg": b"x"}
    path = make_zip(tmp_path / "up" / "photos.zip", members)
    before = tree(tmp_path / "up")
    report = add(path, labels_from="folders")
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


@pytest.mark.parametrize("options", [{}, {"labels_from": "folders"}])
@pytest.mark.parametrize("zipped", [True, False])
def test_annotations_beside_photos_are_reported(
    add: Add, tmp_path: Path, zipped: bool, options: dict[str, str]
) -> None:
    members = {
        "fruit/apple/a.jpg": jpeg(1), "fruit/pear/b.jpg": jpeg(2),
        "fruit/labels.csv": b"image,label\n", "fruit/read me.txt": b"x",
    }  # fmt: skip
    source = make_zip(tmp_path / "photos.zip", members)
    if not zipped:
        with zipfile.ZipFile(source) as opened:
            opened.extractall(tmp_path / "photos")
        source = tmp_path / "photos"
    found = add(source, **options)
    about = found.issues[found.issues["code"] == "ENTRY_UNREADABLE"]
    assert [(Path(row.where).name, "zip file" in row.message) for row in about.itertuples()] == [("labels.csv", zipped)]
    assert found.ignored == 2


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
    add(path, labels_from="folders")
    before, revisions = tree(project.root / "images"), project.train_set.images["revision"].tolist()
    report = add(path, labels_from="folders", copy=True)
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
    assert add("memory://bucket/photos.zip", labels_from="folders").added == 1
    assert project.train_set.labels_of_images() == [["apple"]]
    assert [entry for entry in os.listdir(project.root) if entry.startswith(".")] == []
    with pytest.raises(ArchiveError, match=r"memory://bucket/none\.zip"):
        add("memory://bucket/none.zip")
    settings.network = False
    with pytest.raises(ArchiveError, match="network"):
        add("memory://bucket/photos.zip")


def test_a_bucket_pattern_unpacks_zip_files(project: cl.Project, add: Add, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {"apple/1.jpg": jpeg(1)})
    fsspec.filesystem("memory").pipe({"/zips/a.jpg": jpeg(2), "/zips/photos.zip": path.read_bytes()})
    assert add("memory://zips/*", labels_from="folders").added == 2
    assert sorted(map(tuple, project.train_set.labels_of_images())) == [(), ("apple",)]


def test_an_empty_or_broken_zip_is_refused_by_name(add: Add, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No images found in .*empty\.zip"):
        add(make_zip(tmp_path / "empty.zip", {}))
    with pytest.raises(InputError, match=r"No images found in .*texts\.zip"):
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
    report = add(tmp_path / "photos", labels_from="folders", copy=True)
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


def test_a_killed_import_leaves_no_partial_copies(project: cl.Project, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg(1))
    program = (
        "import sys, time\n"
        "from customlabels_nb.ingest import copies\n"
        "def waiting(*args, **options):\n    print('copying', flush=True); time.sleep(60)\n"
        "copies.read_bytes = waiting\n"
        "import customlabels_nb as cl\n"
        "cl.load_project(sys.argv[1]).add_images(sys.argv[2], copy=True, progress=False)\n"
    )
    command = [sys.executable, "-c", program, str(project.root), str(tmp_path / "photo.jpg")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("copying" in line for line in process.stdout)
    process.kill()
    process.wait()
    process.stdout.close()
    assert list(project.root.rglob(".*.part"))
    cl.load_project(project.root).close()
    assert not list(project.root.rglob(".*.part"))


def test_copies_of_equal_files_get_different_names(project: cl.Project, add: Add, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPEG", "c"):
        (tmp_path / name).write_bytes(jpeg(1))
    report = add([tmp_path / "a.jpg", tmp_path / "b.JPEG", tmp_path / "c"], copy=True, on_duplicate="keep")
    assert report.added == len(set(project.train_set.images["image"])) == 3
    assert add([tmp_path / "a.jpg", tmp_path / "b.JPEG"], copy=True, on_duplicate="keep").added == 0


@pytest.mark.parametrize(("name", "copied"), [
    ("Rose 12.JPG", "Rose_12-HASH.jpg"), ("..a b?.png", "a_b-HASH.png"), ("фото.jpeg", "фото-HASH.jpeg"),
    ("<b>&.jpg", "b-HASH.jpg"), ("x" * 200 + ".jpg", "x" * 40 + "-HASH.jpg"), ("   .jpg", "image-HASH.jpg"),
])  # fmt: skip
def test_copies_keep_the_names_of_their_files(
    project: cl.Project, add: Add, tmp_path: Path, name: str, copied: str
) -> None:
    (tmp_path / name).write_bytes(jpeg(1))
    add([tmp_path / name], copy=True)
    image = Path(project.train_set.images["image"][0])
    assert re.sub("-[0-9a-f]{16}", "-HASH", image.name) == copied
    assert image.parent == Path("images")
    assert (project.root / image).read_bytes() == jpeg(1)


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


# -- patterns, home folders and invalid input -------------------------------------------------------
def test_patterns_name_files(project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "photos [1]", {"apple": 2, "pear": 1})
    make_zip(tmp_path / "up" / "one.zip", {"plum/1.jpg": jpeg(30)})
    monkeypatch.chdir(tmp_path)
    report = add("photos [1]/apple/*.jpg", label="apple")
    assert (report.added, labels(project.train_set)) == (2, {"000.jpg": ["apple"], "001.jpg": ["apple"]})
    assert project.train_set.images["source"].unique().tolist() == ["photos [1]/apple/*.jpg"]
    assert add(["photos [1]/pear/*", tmp_path / "up" / "*.zip"]).added == 2
    for source in ("photos [1]/*.jpg", ["photos [1]/pear/*", "*.jpg"]):
        with pytest.raises(InputError, match=r"No file matches the pattern '.*\*\.jpg'"):
            add(source)
    with pytest.raises(InputError, match=f"'up/none' does not exist in {os.getcwd()}"):
        add("up/none")
    with pytest.raises(InputError, match=r"takes the labels from folder names"):
        add("photos [1]/*/*.jpg", labels_from="folders")
    (tmp_path / "wild*.jpg").write_bytes(jpeg(40))
    (tmp_path / "wilder.jpg").write_bytes(jpeg(41))
    assert add("wild*.jpg").added == 1  # the file with this literal name


def test_bucket_patterns_are_imported(project: cl.Project, add: Add) -> None:
    for number in (1, 2):
        with fsspec.open(f"memory://shelf/{number}.jpg", "wb") as file:
            file.write(jpeg(number))
    assert add("memory://shelf/*.jpg").added == 2
    with pytest.raises(InputError, match="No file matches"):
        add("memory://shelf/*.tif")
    settings.network = False
    with pytest.raises(InputError, match="network"):
        add("memory://shelf/*.jpg")


def test_a_project_below_the_folder_is_not_taken_in(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    add(make_zip(tmp_path / "up.zip", {"pear/1.jpg": jpeg(30)}))
    project.train_set._repr_html_()  # leaves thumbnails in the project's cache
    assert list((project.root / "cache").rglob("*.jpg"))
    report = add(tmp_path, labels_from="folders")
    assert (report.added, codes(report)) == (2, [("FOLDER_IS_PROJECT", "fruit")])
    # files unpacked in the project can be named
    assert add(project.root / "images", split="test", on_leak="keep").added == 1
    assert add(project.root, split="test", on_leak="keep").known == 1


def test_the_home_folder_may_be_written_short(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    paths = write_folder(tmp_path / "photos", {"": 4})
    add("~/photos/000.jpg")
    add(Path("~/photos/001.jpg"))
    add(["~/photos/002.jpg", "~/photos/00*.jpg"])
    add(pd.DataFrame({"image": ["~/photos/003.jpg"]}))
    assert project.train_set.images["image"].tolist() == [str(paths[i]) for i in (0, 1, 2, 3)]


def test_table_with_both_splits_is_refused(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 3})
    frame = pd.DataFrame({"image": paths, "split": ["train", "test", None]})
    for split, other in (("train", "test"), ("test", "train")):
        with pytest.raises(InputError, match=rf"'{other}' in 1 row, .*split='{split}'.*separately"):
            add(frame, split=split)
    assert len(project.history) == 0
    assert add(frame[frame["split"] != "test"]).added == 2
    assert add(frame[frame["split"] == "test"], split="test").added == 1


@pytest.mark.parametrize(
    "source", [lambda path: path, lambda path: [path], lambda path: pd.DataFrame({"image": [path]})]
)
def test_labels_from_folders_needs_a_folder(
    project: cl.Project, add: Add, tmp_path: Path, source: Callable[[Path], object]
) -> None:
    path = write_folder(tmp_path / "photos", {"apple": 1})[0]
    with pytest.raises(InputError, match=r"labels_from='folders' takes the labels from folder names.*label="):
        add(source(path), labels_from="folders")
    assert len(project.history) == 0


def test_unsupported_image_types_are_reported(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 1})
    (tmp_path / "photos" / "apple" / "phone.psd").write_bytes(b"8BPS\0\1")
    report = add(tmp_path / "photos", labels_from="folders")
    assert (report.added, report.ignored, codes(report)) == (1, 0, [("IMAGE_TYPE_UNSUPPORTED", "phone.psd")])
    alone = add(tmp_path / "photos" / "apple" / "phone.psd")
    assert (alone.added, codes(alone)) == (0, [("IMAGE_NOT_AN_IMAGE", "phone.psd")])
    assert "PSD" in alone.issues["message"][0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"label": ["cat"], "x": [5.0], "y": [5.0], "width": [4.0], "height": [4.0]},
            "not read as boxes",
        ),
        ({"category_id": [1]}, "Add a column 'label' with their names"),
        ({"label": ["cat"], "width": ["wide"], "height": [32]}, "size of an image"),
        ({"label": ["cat"], "width": [10**400], "height": [32]}, "size of an image"),
    ],
)
def test_columns_of_other_tools_are_reported(add: Add, tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    report = add(pd.DataFrame({"image": [str(tmp_path / "a.jpg")], **columns}))
    assert any(words in message for message in report.issues["message"])


def test_lists_of_boxes_are_refused(add: Add, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    frame = pd.DataFrame(
        {"image": [str(tmp_path / "a.jpg")], "label": ["cat"], "boxes": [[[1, 2, 3, 4], [5, 6, 7, 8]]]}
    )
    with pytest.raises(TableError, match="does not state their notation"):
        add(frame)


def test_the_images_table_of_a_project_has_no_labels(project: cl.Project, add: Add, tmp_path: Path) -> None:
    photos = [str(path) for path in write_folder(tmp_path / "photos", {"": 3})]
    labels = pd.DataFrame({"image": photos, "label": ["x", "y", None], "status": [None, None, "labelled"]})
    add(labels)
    images, before = project.train_set.images, project.train_set.annotations
    for on_known in ("fill", "replace"):
        report = add(images.assign(site=on_known), on_known=on_known)
        assert codes(report) == [("NOT_IMPORTED", "status")]
        assert project.train_set.annotations.equals(before)
        assert project.train_set.images["status"].tolist() == ["labelled"] * 3
        assert project.train_set.images["site"].tolist() == [on_known] * 3
    with closing(cl.create_project("other", project.root.parent)) as other:
        report = other.add_images(images, progress=False)
        assert other.train_set.images["status"].tolist() == ["unlabelled"] * 3
        assert "3 × status 'labelled'" in report.issues["message"][0]


def test_polygons_without_finite_points_are_left_out_and_short_ones_named(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    photos = [str(path) for path in write_folder(tmp_path / "photos", {"": 4})]
    polygons = [[[1, 2], [4, 2], [4, 6]], [[1, 2], [4, 2], [4, float("nan")]], [[1, 2]], [[1, 2], [4, 6]]]
    report = add(pd.DataFrame({"image": photos, "label": "x", "polygon": polygons}))
    assert project.train_set.annotations["image"].tolist() == [photos[0], *photos[2:]]
    for words in ("1 × polygon with others than finite numbers was left out", "2 × polygon with fewer than three"):
        assert report.issues["message"].str.contains(words).sum() == 1


def test_sets_and_objects_in_own_columns_are_counted(project: cl.Project, add: Add, tmp_path: Path) -> None:
    photos = [str(path) for path in write_folder(tmp_path / "photos", {"": 5})]
    cells = [np.array([1]), {1}, object(), [2], np.float32(1.5)]
    report = add(pd.DataFrame({"image": photos, "fact": pd.Series(cells, dtype=object)}))
    assert ["2 × value of the column 'fact'" in message for message in report.issues["message"]] == [True]
    facts = project.train_set.images["fact"].tolist()
    assert [facts[0], facts[3], facts[4]] == [[1], [2], 1.5]


def test_a_name_that_several_files_have_is_reported_with_them(add: Add, tmp_path: Path) -> None:
    for name in ("b.jpg", "b.png"):
        (tmp_path / name).write_bytes(jpeg(1))
    report = add(pd.DataFrame({"image": [str(tmp_path / "b")], "label": ["x"]}))
    assert any("'b.jpg' and 'b.png'" in message for message in report.issues["message"])
