"""Tests of Pascal VOC: common files, and reading what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.datasets.formats.voc import FORMAT
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.shared import boxes, codes, contents, read, statuses

OBJECT = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>22</ymax></bndbox></object>"
OBJECT_BOX = ("a.jpg", "cat", 1, 2, 10, 20)


def voc(path: Path, inner: str = OBJECT, *, filename: str | None = "a.jpg", before: str = "") -> Path:
    """Write a Pascal VOC file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = "" if filename is None else f"<filename>{filename}</filename>"
    path.write_text(f"{before}<annotation>{named}{inner}</annotation>", "utf-8")
    return path


# -- reading ----------------------------------------------------------------------------------------


def test_corners_become_boxes(tmp_path: Path) -> None:
    found = read(FORMAT, voc(tmp_path / "a.xml", "<size><width>30</width><height>40</height></size>" + OBJECT))
    assert boxes(found) == [OBJECT_BOX]
    assert found.images[["image", "width", "height"]].to_numpy().tolist() == [[str(tmp_path / "a.jpg"), 30, 40]]
    assert found.issues == []


def test_raccoons_agree_with_their_table(test_data: Path) -> None:
    table = pd.read_csv(test_data / "raccoon" / "data" / "raccoon_labels.csv")
    found = read(FORMAT, test_data / "raccoon" / "annotations")
    expected = [
        (row.filename, "raccoon", row.xmin, row.ymin, row.xmax - row.xmin, row.ymax - row.ymin)
        for row in table.itertuples()
    ]
    assert sorted(boxes(found)) == sorted(expected)
    assert len(found.images) == 200
    assert all(Path(image).is_file() for image in found.images["image"])
    assert {issue.code for issue in found.issues} <= {"NOT_IMPORTED"}


def test_images_are_found_in_common_folders(tmp_path: Path) -> None:
    base = tmp_path / "VOC"
    voc(base / "Annotations" / "1.xml", filename="1.jpg")
    voc(base / "Annotations" / "2.xml", filename="2")
    voc(base / "Annotations" / "3.xml", filename=None)
    places = [base / "JPEGImages" / "1.jpg", base / "images" / "2.tif", base / "Annotations" / "3.jpeg"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    assert list(read(FORMAT, base).images["image"]) == [str(place) for place in places]
    assert list(read(FORMAT, base / "Annotations").images["image"]) == [str(place) for place in places]


def test_image_sets_say_what_is_for_testing(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        voc(tmp_path / "Annotations" / f"{name}.xml", filename=f"{name}.jpg")
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("b\r\n")
    assert list(read(FORMAT, tmp_path).images["split"]) == ["train", "test", "train"]


def test_a_relative_folder_with_an_image_that_no_file_describes_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    voc(Path("v", "train", "a.xml"))
    for name in ("a.jpg", "b.jpg"):
        Path("v", "train", name).touch()
    assert statuses(read(FORMAT, Path("v"))) == {"a.jpg": "labelled", "b.jpg": "unlabelled"}


def test_moved_images_are_found(tmp_path: Path) -> None:
    inner = "<path>/home/me/set/a.jpg</path>" + OBJECT
    path = voc(tmp_path / "set" / "a.xml", inner)
    photos = tmp_path / "photos" / "deep"
    photos.mkdir(parents=True)
    (photos / "a.jpg").touch()
    assert list(read(FORMAT, path, images=tmp_path / "photos").images["image"]) == [str(photos / "a.jpg")]
    moved = read(FORMAT, path, relocate={"/home/me/set/": "s3://bucket/"})
    assert list(moved.images["image"]) == ["s3://bucket/a.jpg"]


def test_both_ways_to_write_polygons_are_read(tmp_path: Path) -> None:
    numbered = "<polygon><x1>1</x1><y1>2</y1><x2>5</x2><y2>2</y2><x3>5</x3><y3>8</y3></polygon>"
    points = "<polygon><pt><x>1</x><y>2</y></pt><pt><x>5</x><y>2</y></pt><pt><x>5</x><y>8</y></pt></polygon>"
    objects = "".join(f"<object><name>cat</name>{polygon}</object>" for polygon in (numbered, points))
    found = read(FORMAT, voc(tmp_path / "a.xml", objects))
    assert list(found.annotations["polygon"]) == [[[1, 2], [5, 2], [5, 8]]] * 2
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 4, 6)] * 2


def test_dropped_attributes_are_reported_once(tmp_path: Path) -> None:
    more = "<difficult>1</difficult><truncated>0</truncated><pose>Frontal</pose><part><name>head</name></part>"
    same = OBJECT.replace("<bndbox>", "<pose>Unspecified</pose><occluded>0</occluded><bndbox>")
    for name in ("a", "b"):
        voc(tmp_path / f"{name}.xml", OBJECT.replace("<bndbox>", f"{more}<bndbox>") + same, filename=f"{name}.jpg")
    deleted = OBJECT.replace("<bndbox>", "<deleted>1</deleted><bndbox>")
    voc(tmp_path / "c.xml", "<segmented>1</segmented>" + OBJECT + deleted, filename="c.jpg")
    found = read(FORMAT, tmp_path)
    twice = "'a.xml, object 1', 'b.xml, object 1'."
    assert [issue.message for issue in found.issues] == [
        f"2 × <difficult> of an object was not imported: {twice} For example '1'.",
        f"2 × <pose> of an object was not imported: {twice} For example 'Frontal'.",
        f"2 × <part> of an object was not imported: {twice}",
        "1 × <segmented> of a file was not imported: 'c.xml'. For example '1'.",
        "1 × object that is marked deleted was not imported: 'c.xml, object 2'.",
    ]
    assert len(found.annotations) == 5


def test_an_image_with_the_name_of_the_file_replaces_a_missing_one(tmp_path: Path) -> None:
    for name, stated in {"a": "gone.jpg", "b": "gone.jpg", "c": "c.jpg"}.items():
        voc(tmp_path / "Annotations" / f"{name}.xml", filename=stated)
    photos = tmp_path / "JPEGImages"
    photos.mkdir()
    for name in ("a.JPG", "c.jpg", "d.jpg"):
        (photos / name).touch()
    (tmp_path / "SegmentationClass").mkdir()
    (tmp_path / "SegmentationClass" / "c.png").touch()
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("d\n")
    found = read(FORMAT, tmp_path)
    assert [(box[0], box[1]) for box in boxes(found)] == [("a.JPG", "cat"), ("gone.jpg", "cat"), ("c.jpg", "cat")]
    assert statuses(found)["d.jpg"] == "unlabelled"
    assert found.images["split"].tolist() == ["train"] * 3 + ["test"]
    assert [(issue.code, Path(issue.source).name) for issue in found.issues] == [
        ("ENTRY_ADJUSTED", "a.xml"), ("IMAGE_NOT_LISTED", tmp_path.name),
    ]  # fmt: skip
    assert "'gone.jpg' was not found" in found.issues[0].message


def test_files_without_an_image_and_images_without_a_file_are_reported(tmp_path: Path) -> None:
    for name in ("a", "twice"):
        voc(tmp_path / f"{name}.xml", filename=f"{name}_renamed.jpg")
    for name in ("b.jpg", "twice.jpg", "twice.png"):
        (tmp_path / name).touch()
    found = read(FORMAT, tmp_path)
    assert statuses(found) == {
        "a_renamed.jpg": "labelled", "twice_renamed.jpg": "labelled", "b.jpg": "unlabelled", "twice.jpg": "unlabelled",
        "twice.png": "unlabelled",
    }  # fmt: skip
    assert [(issue.code, issue.message) for issue in found.issues] == [
        ("IMAGE_NOT_LISTED", "2 × image was not found: 'a_renamed.jpg', 'twice_renamed.jpg'. Add the files, or pass "
         "their folder as images=."),
    ]  # fmt: skip
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a_renamed.jpg").touch()
    found = read_dataset(tmp_path, images=photos)
    assert found.issues[["code", "where"]].to_numpy().tolist() == [["IMAGE_NOT_LISTED", "twice_renamed.jpg"]]


@pytest.mark.parametrize(
    ("corners", "scale", "expected", "says"),
    [
        ((31, 21, 69, 60), 1, (31, 21, 38, 39), ""),
        ((20, 10, 80, 70), 1, (20, 10, 60, 60), "Both were read"),  # a loose box is reported below an IoU of 0.5
        ((30, 20, 40, 40), 1, (30, 20, 40, 40), "The box of the polygon was read."),  # left, top, width, height
        ((0, 0, 0, 0), 1, (30, 20, 40, 40), "The box of the polygon was read."),
        ((0.3, 0.2, 0.7, 0.6), 1, (30, 20, 40, 40), "The box of the polygon was read."),
        ((30, 20, 70, 60), 100, (30, 20, 40, 40), "which were converted to pixels."),
        ((0, 0, 90, 90), 1, (0, 0, 90, 90), "Both were read. Correct one of them."),
    ],
)
def test_a_box_that_does_not_fit_its_polygon_is_reported(
    tmp_path: Path, corners: tuple[float, ...], scale: int, expected: tuple[float, ...], says: str
) -> None:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    points = "".join(f"<pt><x>{x / scale}</x><y>{y / scale}</y></pt>" for x, y in ((30, 20), (70, 20), (70, 60)))
    size = "<size><width>100</width><height>100</height></size>"
    inner = f"{size}<object><name>cat</name><bndbox>{box}</bndbox><polygon>{points}</polygon></object>"
    found = read(FORMAT, voc(tmp_path / "a.xml", inner))
    assert boxes(found) == [("a.jpg", "cat", *expected)]
    np.testing.assert_allclose(found.annotations["polygon"][0], [[30, 20], [70, 20], [70, 60]])
    assert len(found.issues) == bool(says)
    assert says in "".join(issue.message for issue in found.issues)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("<object><name>cat</name></object>", "no <bndbox>"),
        (OBJECT.replace("cat", " "), "1 to 256"),
        (OBJECT.replace("<xmax>11", "<xmax>eleven"), "'eleven'"),
        (OBJECT.replace("<xmax>11", "<xmax>1e400"), "'1e400'"),
        (OBJECT.replace("<xmax>11", "<xmax>1_1"), "'1_1'"),
        (OBJECT.replace("<ymin>2</ymin>", ""), "<ymin>"),
        (OBJECT.replace("<xmin>1<", "<xmin>-1e308<").replace("<xmax>11", "<xmax>1e308"), "too large"),
    ],
)
def test_a_bad_object_is_named_and_the_rest_is_read(tmp_path: Path, bad: str, says: str) -> None:
    found = read(FORMAT, voc(tmp_path / "a.xml", bad + OBJECT))
    assert boxes(found) == [OBJECT_BOX]
    assert [(i.code, i.where, i.source) for i in found.issues] == [
        ("ENTRY_UNREADABLE", "object 1", str(tmp_path / "a.xml"))
    ]
    assert says in found.issues[0].message


def test_an_image_is_not_empty_if_its_objects_cannot_be_read(tmp_path: Path) -> None:
    bad = "<object><name>cat</name></object>"
    voc(tmp_path / "a.xml", bad)
    voc(tmp_path / "b.xml", bad + OBJECT, filename="b.jpg")
    voc(tmp_path / "c.xml", "", filename="c.jpg")
    assert statuses(read(FORMAT, tmp_path)) == {"a.jpg": "unlabelled", "b.jpg": "labelled", "c.jpg": "labelled"}


def test_swapped_corners_are_corrected_with_an_issue(tmp_path: Path) -> None:
    turned = OBJECT.replace("<xmin>1<", "<xmin>11<").replace("<xmax>11", "<xmax>1")
    found = read(FORMAT, voc(tmp_path / "a.xml", turned))
    assert boxes(found) == [OBJECT_BOX]
    assert codes(found) == ["ENTRY_ADJUSTED"]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "C:/a.jpg", "..\\a.jpg", "http://[a.jpg"])
def test_an_image_that_leads_elsewhere_is_refused_by_name(tmp_path: Path, name: str) -> None:
    voc(tmp_path / "bad.xml", filename=name)
    voc(tmp_path / "good.xml")
    found = read(FORMAT, tmp_path)
    assert boxes(found) == [OBJECT_BOX]
    assert codes(found) == ["ENTRY_UNREADABLE"]
    assert found.issues[0].source == str(tmp_path / "bad.xml")


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE x [<!ENTITY lol "ha"><!ENTITY lots "&lol;&lol;&lol;">]>',
        '<!DOCTYPE x [<!ENTITY lol SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % lol SYSTEM "http://localhost/x.dtd"> %lol;]>',
    ],
)
def test_entities_are_refused_by_name(tmp_path: Path, head: str) -> None:
    bomb = voc(tmp_path / "bomb.xml", OBJECT.replace("cat", "&lol;" if "%" not in head else "cat"), before=head)
    with pytest.raises(ManifestError, match="entity 'lol'"):
        read(FORMAT, bomb)
    voc(tmp_path / "good.xml")
    assert boxes(read(FORMAT, tmp_path)) == [OBJECT_BOX]


def test_two_files_about_one_image_are_not_mixed(tmp_path: Path) -> None:
    voc(tmp_path / "1.xml")
    voc(tmp_path / "2.xml", OBJECT.replace("cat", "dog"))
    found = read(FORMAT, tmp_path)
    assert boxes(found) == [OBJECT_BOX]
    assert [Path(issue.source).name for issue in found.issues] == ["2.xml"]


def test_files_of_one_name_in_several_folders_are_several_images(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        voc(tmp_path / folder / "a.xml")
        (tmp_path / folder / "a.jpg").touch()
    found = read(FORMAT, tmp_path)
    assert list(found.images["image"]) == [str(tmp_path / "one" / "a.jpg"), str(tmp_path / "two" / "a.jpg")]
    assert found.issues == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?>' if encoding == "latin-1" else ""
    path = tmp_path / "a.xml"
    inner = OBJECT.replace("cat", "Bär")
    path.write_bytes(f"{declared}<annotation><filename>a.jpg</filename>{inner}</annotation>".encode(encoding))
    assert FORMAT.recognise(path)
    assert read(FORMAT, path).labels == ["Bär"]


def test_other_xml_is_neither_recognised_nor_read(tmp_path: Path) -> None:
    svg = tmp_path / "x.xml"
    svg.write_text("<svg/>")
    for path in (svg, tmp_path, tmp_path / "absent"):
        assert not FORMAT.recognise(path)
        with pytest.raises(ManifestError):
            read(FORMAT, path)


# -- writing ----------------------------------------------------------------------------------------


def test_one_image_makes_one_file(tmp_path: Path) -> None:
    images = [{"image": str(tmp_path / "a.jpg")}]
    rows = [{"image": images[0]["image"], "label": "x", "left": 1, "top": 2, "width": 3, "height": 4}]
    path = tmp_path / "a.xml"
    assert FORMAT.write(contents(images, rows), path) == [path]
    assert boxes(read(FORMAT, path)) == [("a.jpg", "x", 1, 2, 3, 4)]
    with pytest.raises(InputError, match="Pass a folder"):
        FORMAT.write(contents([*images, {"image": "b.jpg"}], rows), path)


def test_names_that_xml_cannot_hold_are_refused_before_writing(tmp_path: Path) -> None:
    rows = [{"image": "/a.jpg", "label": "a\x01b", "left": 1, "top": 2, "width": 3, "height": 4}]
    with pytest.raises(InputError, match="Rename"):
        FORMAT.write(contents([{"image": "/a.jpg"}], rows), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_image_with_only_labels_of_the_whole_is_not_called_empty(tmp_path: Path) -> None:
    image = str(tmp_path / "a.jpg")
    FORMAT.write(contents([{"image": image}], [{"image": image, "label": "x"}]), tmp_path)
    assert statuses(read(FORMAT, tmp_path)) == {"a.jpg": "unlabelled"}
