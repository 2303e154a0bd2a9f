"""Tests of folders: the layouts that are read, the annotations that are refused, and the labels of subfolders."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core.tables import SPLIT_NAMES
from customlabels_nb.datasets.formats.detection import detect
from customlabels_nb.errors import ManifestError
from customlabels_nb.images.listing import labels_of_folders, read_folder, sort_out_listing
from customlabels_nb.images.locations import to_path
from customlabels_nb.remote.remote_files import RemoteFile
from tests.images.pictures import jpeg

XML = "<annotation><filename>a.jpg</filename></annotation>"
CVAT = "<annotations><version>1.1</version></annotations>"
LINE = "0 0.5 0.5 0.2 0.2\n"
COCO = '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [], "annotations": []}'
LABELME = '{"shapes": [], "imagePath": "a.jpg", "imageData": null}'
TASKS = '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]'
PAIR = {"a.jpg": "", "b.jpg": ""}
LABELLED = {"cat/a.jpg": "", "dog/b.jpg": ""}

READ = {
    "ultralytics": ("yolo", {"data.yaml": "train: images/train\nnames: [cat]", "images/train/a.jpg": "", "labels/train/a.txt": LINE}),
    "supervision's YOLO": ("yolo", {"data.yaml": "names: [cat]\nnc: 1", "images/a.jpg": "", "labels/a.txt": LINE}),
    "darknet": ("yolo", {"obj.data": "train = data/train.txt\nnames = data/obj.names", "obj.names": "cat", "train.txt": "data/obj/a.jpg", "obj/a.jpg": "", "obj/a.txt": LINE}),
    "class list": ("yolo", {"classes.txt": "cat", "images/a.jpg": "", "labels/a.txt": LINE}),
    "one folder further up": ("yolo", {"set/data.yaml": "names: [cat]", "set/images/a.jpg": "", "set/labels/a.txt": LINE}),
    "VOC": ("voc", {"Annotations/a.xml": XML, "JPEGImages/a.jpg": ""}),
    "VOCdevkit": ("voc", {"VOCdevkit/VOC2012/Annotations/a.xml": XML, "VOCdevkit/VOC2012/JPEGImages/a.jpg": ""}),
    "Roboflow's VOC": ("voc", {"train/a.xml": XML, "train/a.jpg": "", "valid/b.xml": XML, "valid/b.jpg": ""}),
    "CVAT": ("cvat", {"annotations.xml": CVAT, "images/a.jpg": ""}),
    "CVAT's train.xml": ("cvat", {"train.xml": CVAT, "images/a.jpg": ""}),
    "COCO": ("coco", {"annotations/instances_train2017.json": COCO, "annotations/instances_val2017.json": COCO, "train2017/a.jpg": ""}),
    "Roboflow's COCO": ("coco", {"train/_annotations.coco.json": COCO, "train/a.jpg": "", "valid/_annotations.coco.json": COCO}),
    "supervision's COCO": ("coco", {"annotations.json": COCO, "images/a.jpg": ""}),
    "FiftyOne's COCO": ("coco", {"labels.json": COCO, "data/a.jpg": ""}),
    "LabelMe": ("labelme", {"a.json": LABELME, "a.jpg": ""}),
    "Label Studio": ("label_studio", {"project-1.json": TASKS, "images/a.jpg": ""}),
    "CSV": ("csv", {"labels.csv": "image,label\na.jpg,cat\n", "images/a.jpg": ""}),
    "manifest": ("ground_truth", {"output.manifest": '{"source-ref": "a.jpg"}\n', "a.jpg": ""}),
    "photos by label": ("image_folder", LABELLED),
    "with notes": ("image_folder", {**LABELLED, "README.md": "a.jpg, b.jpg", "notes.txt": "a.jpg is blurred", "LICENSE": "MIT"}),
    "of a phone": ("image_folder", {**LABELLED, "cat/a.json": '{"title": "a.jpg"}', "dog/b.jpg.json": '{"title": "b.jpg"}', "cat/a.mov": "", "cat/a.aae": ""}),
    "with results": ("image_folder", {**LABELLED, "predictions.csv": "image,label,confidence\na.jpg,cat,0.9\n", "_journal.jsonl": "{}"}),
    "same names": ("image_folder", {"with_mask/1.png": "", "without_mask/1.png": "", "with_mask/2.png": "", "without_mask/2.png": ""}),
    "of macOS": ("image_folder", {**LABELLED, "__MACOSX/cat/._a.jpg": "", "__MACOSX/x.jpg": "", ".hidden/x.jpg": ""}),
    "splits": ("yolo_classify", {"train/cat/a.jpg": "", "val/cat/b.jpg": "", "__MACOSX/x": ""}),
}  # fmt: skip

REFUSED = {
    "YAML with an error": ("data.yaml: it cannot be read: it is not valid YAML in line 2", {**PAIR, "data.yaml": "names: [a\nval: b: c"}),
    "YAML without names": ("data.yaml: it has no names:", {"images/a.jpg": "", "data.yaml": "train: images\nnc: 2"}),
    "YOLO without labels": ("image has a .txt file", {"images/a.jpg": "", "labels/a.txt": LINE}),
    "CSV of another layout": ("labels.csv: its layout is unknown", {**PAIR, "labels.csv": "x;y\n1;2\n"}),
    "not UTF-8": ("annotations.csv: it is not UTF-8", {**PAIR, "annotations.csv": "Bild,Größe\n"}),
    "half of a file": ("annotations.json: it is not valid JSON in line 1", {**PAIR, "annotations.json": '{"images": '}),
    "two files": ("Read one of these", {**PAIR, "one.json": COCO, "two.csv": "image,label\na.jpg,cat\n"}),
    "Create ML": ("Create ML", {**PAIR, "_annotations.createml.json": '[{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {"x": 1}}]}]'}),
    "detectron2": ("detectron2", {**PAIR, "x.json": '[{"file_name": "a.jpg", "image_id": 0, "annotations": []}]'}),
    "Hasty": ("Hasty", {**PAIR, "x.json": '{"project_name": "x", "label_classes": [], "images": []}'}),
    "Supervisely": ("Supervisely", {"meta.json": '{"classes": [], "tags": []}', "ds/img/a.jpg": "", "ds/ann/a.jpg.json": '{"objects": [], "size": {}}'}),
    "FiftyOne": ("FiftyOne", {"samples.json": '{"samples": []}', "data/a.jpg": ""}),
    "FiftyOne's classes": ("FiftyOne", {"labels.json": '{"classes": ["a"], "labels": {"a": 0}}', "data/a.jpg": ""}),
    "VIA": ("VGG Image Annotator", {**PAIR, "via.json": '{"a.jpg123": {"filename": "a.jpg", "regions": [], "file_attributes": {}}}'}),
    "Labelbox": ("Labelbox", {**PAIR, "export.ndjson": '{"data_row": {"id": "x"}}'}),
    "Datumaro": ("Datumaro", {"annotations/default.json": '{"info": {}, "categories": {}, "items": []}', "images/a.jpg": ""}),
    "Darwin": ("Darwin", {**PAIR, "a.json": '{"version": "2.0", "item": {"name": "a.jpg"}, "annotations": []}'}),
    "VoTT": ("VoTT", {**PAIR, "x.json": '{"name": "x", "tags": [], "assets": {}}'}),
    "Hugging Face": ("from_huggingface", {"train/metadata.jsonl": '{"file_name": "a.jpg", "text": "x"}', "train/a.jpg": ""}),
    "Open Images": ("Open Images", {**PAIR, "train-annotations-bbox.csv": "ImageID,Source,LabelName,Confidence\na,x,/m/1,1\n"}),
    "KITTI": ("KITTI", {"image_2/000001.png": "", "label_2/000001.txt": "Car 0.00 0 -1.58 587 173 614 200 1.6 1.6 3.2 1.0 1.7 13.2 -1.59\n"}),
    "Turi Create": ("Turi Create", {**PAIR, "x.sframe/dir_archive.ini": "[metadata]"}),
    "TensorFlow": (".tfrecord files are not read", {**PAIR, "train.tfrecord": "\0"}),
    "MATLAB": (".mat files are not read", {**PAIR, "digitStruct.mat": "\0"}),
    "classes of Roboflow": ("_classes.csv", {**PAIR, "_classes.csv": "filename, cat, dog\na.jpg, 1, 0\n"}),
    "CelebA": ("names 2 images", {"img/000001.jpg": "", "img/000002.jpg": "", "list_attr_celeba.txt": "2\nSmiling Young\n000001.jpg 1 -1\n000002.jpg -1 1\n"}),
    "a list of names": ("names 2 images", {"images/0001.jpg": "", "images/0002.jpg": "", "train.txt": "0001 3\n0002 1\n"}),
    "ICDAR": (".txt file", {"img_1.jpg": "", "gt_img_1.txt": "1,1,5,5,word"}),
    "MOT": ("gt.txt", {"img1/000001.jpg": "", "gt/gt.txt": "1,1,10,10,5,5,1,1,1\n"}),
    "WIDER FACE": ("wider_face_train_bbx_gt.txt", {"images/0/0_1.jpg": "", "wider_face_train_bbx_gt.txt": "0/0_1.jpg\n1\n1 1 5 5\n"}),
    "VGG": ("names 2 images", {"n1/0001_01.jpg": "", "n1/0002_01.jpg": "", "bb.csv": 'NAME_ID,X,Y,W,H\n"n1/0001_01",1,1,5,5\n"n1/0002_01",1,1,5,5\n'}),
    "masks of VOC": ("seem to be masks", {"JPEGImages/a.jpg": "", "SegmentationClass/a.png": "", "SegmentationObject/a.png": ""}),
    "CamVid": ("seem to be masks", {"train/1.png": "", "trainannot/1.png": ""}),
    "ADE20k": ("seem to be masks", {"street/a.jpg": "", "street/a_seg.png": ""}),
    "Cityscapes": ("seem to be masks", {"leftImg8bit/train/a_leftImg8bit.png": "", "gtFine/train/a_gtFine_labelIds.png": ""}),
    "images and masks": ("seem to be masks", {"images/a.png": "", "masks/a.png": ""}),
}  # fmt: skip


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1") or jpeg(1))
    return folder


@pytest.mark.parametrize("layout", READ)
def test_known_layouts_are_read(tmp_path: Path, layout: str) -> None:
    expected, files = READ[layout]
    found, paths = detect(make(tmp_path, files))
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
        make(tmp_path / "photos", files), labels_from="folders", duplicates="keep", progress=False
    )
    assert report.added == sum(name.endswith((".jpg", ".png")) for name in files)
    assert "ENTRY_UNREADABLE" in set(report.issues["code"])
    project.close()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", '[{"image": "a.jpg", "annotations": [{"coordinates": {}}]}]', "Create ML, which is not read. Export COCO"),
        ("x.zip", "PK", "it is a zip file, which has to be unpacked first"),
        ("data.yaml", "train: x", "it has no names:"),
        ("x.json", "[1,\n2", "it is not valid JSON in line 2"),
        ("x.txt", "Größe", "it is not UTF-8 text: byte 2 is 0xf6"),
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
    labels = {label.lower() for label in here.labels if label}
    if not labels <= {"cat", "dog"}:  # a name of a split or of a folder of images is a label only beside other folders
        assert len({image.split("/")[0] for image in local}) > 1 or labels & SPLIT_NAMES.keys()


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


def test_json_escapes_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "ü.jpg").write_bytes(jpeg(1))
    (tmp_path / "x.json").write_text(json.dumps({"images": ["ü.jpg"]}, ensure_ascii=False), "utf-8")
    with pytest.raises(ManifestError, match="names 1 image, but its layout is unknown"):
        cl.read_dataset(tmp_path)
