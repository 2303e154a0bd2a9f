"""Tests of folders: the layouts that are read, the annotations that are refused, and the labels of subfolders."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.datasets.formats.format_detection import detect
from customlabels_nb.errors import ManifestError
from customlabels_nb.images.listing import labels_of_folders, read_folder, sort_out_listing
from customlabels_nb.images.locations import to_path
from customlabels_nb.remote.remote_files import RemoteFile
from tests.datasets.formats.layouts import COCO, LABELME, READ, REFUSED, XML
from tests.images.pictures import jpeg


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1") or jpeg(1))
    return folder


@pytest.mark.parametrize("layout", READ)
def test_known_layouts_are_read(tmp_path: Path, layout: str) -> None:
    expected, files = READ[layout]
    found, paths, _ = detect(make(tmp_path, files))
    assert found.name == expected
    assert len(paths) == 2 if layout in ("COCO", "Roboflow's COCO") else 1


@pytest.mark.parametrize("layout", REFUSED)
def test_other_annotations_are_refused_by_name(tmp_path: Path, layout: str) -> None:
    message, files = REFUSED[layout]
    with pytest.raises(ManifestError) as refused:
        cl.read_dataset(make(tmp_path, files))
    assert message in str(refused.value)
    assert "labels_from='folders'" in str(refused.value)
    found = cl.read_dataset(tmp_path, labels_from="folders")
    assert "ENTRY_UNREADABLE" in set(found.issues["code"])


@pytest.mark.parametrize("layout", ["Create ML", "VIA", "YAML without names", "images and masks", "two files"])
def test_photos_beside_annotations_are_added(tmp_path: Path, layout: str) -> None:
    files = REFUSED[layout][1]
    project = cl.create_project("any", tmp_path / "project")
    report = project.add_images(
        make(tmp_path / "photos", files), labels_from="folders", on_duplicate="keep", progress=False
    )
    assert report.added == sum(name.endswith((".jpg", ".png")) for name in files)
    assert "ENTRY_UNREADABLE" in set(report.issues["code"])
    project.close()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", '[{"image": "a", "annotations": [{"coordinates": {}}]}]', "Create ML, which is not read"),
        ("x.zip", "PK", "it is a zip file, which has to be unpacked first"),
        ("data.yaml", "train: x", "it has no names:"),
        ("x.json", "[1,\n2", "it is not valid JSON in line 2"),
        ("x.txt", "Größe", "it is not UTF-8 text: byte 2 is 0xf6"),
        ("x.csv", "\xff\xfei\0", "it is UTF-16 text. Save it as UTF-8, or pass format='csv' and encoding='utf-16'"),
        ("x.jpg", "\xff\xd8\0", "it is an image. Pass it to project.add_images"),
        ("x.json", '{"a": 1}', "or pass a table with the columns image and label to project.add_images"),
        ("x.7z", "7z", "it is an archive. Unpack it first"),
        ("x.manifest", "\xff\xfe" + "".join(f"{letter}\0" for letter in '{"source-ref": "a"}'), "it is UTF-16 text"),
        ("x.csv", "image,label\na.jpg,c\0\n", "it is not text: byte 19 is NUL"),
        ("x.csv", "cat,a.jpg\ndog,b.jpg\n", "it has no columns image and label: 'cat,a.jpg'"),
        ("x.csv", "id,breed\n1,cat\n", "it has no columns image and label: 'id,breed'. Rename its columns"),
        ("x.xlsx", "PK", "pass pd.read_excel(path) to project.add_images"),
        ("x.json", "[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_the_error_for_a_file_says_why(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ManifestError) as refused:
        cl.read_dataset(tmp_path / name)
    assert message in str(refused.value)


# -- labels of folders ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["cat", "dog/small"], [("cat", None), ("dog", None)]),
        (["Train/cat", "TEST/dog"], [("cat", "train"), ("dog", "test")]),
        (["training/cat", "validation", "testing/cat/x"], [("cat", "train"), (None, "test"), ("cat", "test")]),
        (["train/cat", "cat"], [("train", None), ("cat", None)]),
        (["images/cat", "images/dog"], [("cat", None), ("dog", None)]),
        (["images", "dog"], [("images", None), ("dog", None)]),
        (["data/train/images/cat", "data/val/images"], [("cat", "train"), (None, "test")]),
        (["train/train", "train/car"], [("train", "train"), ("car", "train")]),
        (["", "images"], [(None, None), (None, None)]),
    ],
)
def test_folders_of_splits_and_images_are_passed_through(
    folders: list[str], expected: list[tuple[str | None, str | None]]
) -> None:
    names = [PurePosixPath(folder).parts for folder in folders]
    found = labels_of_folders(names)
    assert [found[each] for each in names] == expected


PART = st.sampled_from(["cat", "dog", "Images", "data", "train", "VAL", "__MACOSX", ".x"])
TREES = st.sets(st.lists(PART, max_size=3).map(tuple), min_size=1, max_size=6)


@given(tree=TREES)
def test_a_bucket_gives_the_labels_of_a_folder(
    tree: set[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("tree", numbered=True)
    for parts in tree:
        top.joinpath(*parts).mkdir(parents=True, exist_ok=True)
        top.joinpath(*parts, "a.jpg").write_bytes(b"x")
    here = read_folder(top, labels_from="folders")
    urls = [f"s3://b/{'/'.join((*parts, 'a.jpg'))}" for parts in sorted(tree)]
    there = sort_out_listing("s3://b", [RemoteFile(url, 1, None, None) for url in urls], labels_from="folders")
    local = {
        to_path(image).relative_to(top).as_posix(): at
        for image, *at in zip(here.images, here.labels, here.splits, strict=True)
    }
    assert local == {
        url.removeprefix("s3://b/"): at for url, *at in zip(there.images, there.labels, there.splits, strict=True)
    }


def test_splits_of_folders_are_kept_and_reported(tmp_path: Path) -> None:
    for number, name in enumerate(["Training/cat/a.jpg", "Training/dog/b.jpg", "Testing/cat/c.jpg"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(number))
    found = cl.read_dataset(tmp_path)
    assert dict(zip(found.images["image"].map(lambda image: Path(image).stem), found.images["split"], strict=True)) == {
        "a": "train", "b": "train", "c": "test",
    }  # fmt: skip
    assert found.labels["label"].tolist() == ["cat", "dog"]
    assert found.issues["message"].tolist() == [
        "The folders 'Testing' and 'Training' are named after splits, so they are not labels. Images in them keep "
        "their split."
    ]
    project = cl.create_project("p", tmp_path / "out")
    report = project.add_images(tmp_path / "Training", labels_from="folders", progress=False)
    assert (report.added, len(report.issues)) == (2, 0)
    project.close()


@pytest.mark.parametrize(
    ("files", "image"),
    [
        ({"imgs/a.jpg": "", "labels/a.xml": XML}, "imgs/a.jpg"),
        ({"imgs/a.jpg": "", "json/a.json": LABELME}, "imgs/a.jpg"),
        ({"labels.csv": "image,label\na.jpg,cat\n", "sub/a.jpg": ""}, "sub/a.jpg"),
    ],
)
def test_images_elsewhere_in_the_folder_are_found(tmp_path: Path, files: dict[str, str], image: str) -> None:
    found = cl.read_dataset(make(tmp_path, files))
    assert found.images["image"].tolist() == [str(tmp_path / image)]
    assert set(found.issues["code"]) == {"ENTRY_ADJUSTED"}


def test_images_that_no_annotation_names_are_counted(tmp_path: Path) -> None:
    files = {"labels.csv": "image,label\na.jpg,cat\n", "a.jpg": "", "b.jpg": "", "sub/c.jpg": ""}
    found = cl.read_dataset(make(tmp_path, files))
    assert len(found) == 1
    assert found.issues["message"].item().startswith("2 × image that no annotation names was not imported: ")


def test_captions_and_keypoints_of_the_same_images_are_left_out(tmp_path: Path) -> None:
    captions = COCO.replace("[]}", '[{"id": 1, "image_id": 1, "caption": "x"}]}')
    others = {f"annotations/{name}_train2017.json": COCO for name in ("instances", "person_keypoints")}
    found = cl.read_dataset(
        make(tmp_path, {**others, "annotations/captions_train2017.json": captions, "train2017/a.jpg": ""})
    )
    assert found.images["image"].tolist() == [str(tmp_path / "train2017" / "a.jpg")]
    assert found.issues["message"].item().startswith("2 × file that is not an image was not imported: ")


def test_the_only_folder_as_a_label_is_reported(tmp_path: Path) -> None:
    for number, name in enumerate(("cat/a.jpg", "dog/b.jpg")):
        (tmp_path / "animals" / name).parent.mkdir(parents=True)
        (tmp_path / "animals" / name).write_bytes(jpeg(number))
    found = cl.read_dataset(tmp_path)
    assert found.labels["label"].tolist() == ["animals"]
    assert "pass that folder" in found.issues["message"].item()
    assert cl.read_dataset(tmp_path / "animals").issues.empty


def test_a_split_as_a_label_is_reported(tmp_path: Path) -> None:
    for number, name in enumerate(("train_images/cat/a.jpg", "dev/cat/b.jpg", "test/c.jpg")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(jpeg(number))
    (issue,) = cl.read_dataset(tmp_path).issues.itertuples()
    assert issue.code == "SPLIT_AS_LABEL"
    assert "'train_images'" in issue.message


def test_json_escapes_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "ü.jpg").write_bytes(jpeg(1))
    (tmp_path / "x.json").write_text(json.dumps({"images": ["ü.jpg"]}, ensure_ascii=False), "utf-8")
    with pytest.raises(ManifestError, match="names 1 image, but its layout is unknown"):
        cl.read_dataset(tmp_path)
