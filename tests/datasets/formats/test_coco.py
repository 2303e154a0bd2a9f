"""Tests of COCO files: reading, writing, and malformed files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.masks import encode, polygon_to_mask
from customlabels_nb.core.polygons import area
from customlabels_nb.datasets.formats.coco import FORMAT
from customlabels_nb.datasets.formats.json_file import as_rings, plain_polygons
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.json_cases import (
    anything,
    assert_equal,
    assert_sound,
    contents,
    read,
)
from tests.datasets.formats.shared import codes
from tests.facts import tells
from tests.images.pictures import jpeg
from tests.tiers import many


def coco(**changes: Any) -> dict[str, Any]:
    """Return two images, the first with a box, and two categories."""
    return {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 640, "height": 480, "date_captured": "2013-11-14 17:02:52"},
            {"id": 3, "file_name": "sub/b.jpg", "width": 100, "height": 200},
        ],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 90, "bbox": [10, 20.5, 30, 40], "iscrowd": 0}],
        "categories": [{"id": 90, "name": "pear", "supercategory": "fruit"}, {"id": 2, "name": "apple"}],
        **changes,
    }


def box(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 4], **changes}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "coco.json"


def test_boxes_sizes_dates_and_sparse_ids_in_the_file_s_order(file: Path) -> None:
    found = read(FORMAT, file, coco())
    assert found.issues == []
    assert found.labels == ["pear", "apple"]
    assert found.images["image"].tolist() == [str(file.parent / "a.jpg"), str(file.parent / "sub" / "b.jpg")]
    assert found.images[["width", "height"]].to_numpy().tolist() == [[640, 480], [100, 200]]
    assert found.images["status"].tolist() == ["labelled", "unlabelled"]
    [row] = found.annotations.to_dict("records")
    assert [row[side] for side in t.BOX_COLUMNS] == [10, 20.5, 30, 40]
    assert (row["label"], row["crowd"], row["confidence"], row["polygon"]) == ("pear", False, 1.0, None)
    assert row["created"] == pd.Timestamp("2013-11-14T17:02:52Z")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-11-14T17:02:52.25", "2013-11-14T17:02:52.25Z"),
        ("2013-11-14T17:02:52Z", "2013-11-14T17:02:52Z"),
        ("2013-11-14T17:02:52+02:00", "2013-11-14T15:02:52Z"),
        ("2013/11/14", "2013-11-14T00:00:00Z"),
    ],
)
def test_dates_of_many_styles(file: Path, text: str, moment: str) -> None:
    image = {"id": 7, "file_name": "a.jpg", "date_captured": text}
    assert read(FORMAT, file, coco(images=[image])).annotations["created"].tolist() == [pd.Timestamp(moment)]


@pytest.mark.parametrize("date", ["", 0, None, "yesterday", "0001-01-01T00:00:00+23:00"])
def test_without_a_date_that_can_be_read_it_is_now(file: Path, date: object) -> None:
    before = pd.Timestamp.now(tz="UTC")
    image = {"id": 7, "file_name": "a.jpg", "date_captured": date}
    [created] = read(FORMAT, file, coco(images=[image])).annotations["created"]
    assert before.floor("us") <= created <= pd.Timestamp.now(tz="UTC")


def test_labels_of_whole_images_are_annotations_without_bbox(file: Path) -> None:
    found = read(FORMAT, file, coco(annotations=[
        {"id": 1, "image_id": 3, "category_id": 2}, {"id": 2, "image_id": 3, "category_id": 90, "bbox": []},
    ]))  # fmt: skip
    assert found.annotations["label"].tolist() == ["apple", "pear"]
    assert found.annotations["left"].isna().all()
    assert found.issues == []


def test_polygons_crowds_and_scores(file: Path) -> None:
    outline = [0, 0, 10, 0, 10, 10.5]
    found = read(FORMAT, file, coco(annotations=[
        box(bbox=[0, 0, 10, 10], segmentation=[outline]), box(bbox=None, segmentation=outline),
        box(iscrowd=1, score=0.25),
    ]))  # fmt: skip
    points = [[0, 0], [10, 0], [10, 10.5]]
    assert found.annotations["polygon"].tolist() == [points, points, None]
    assert found.annotations.loc[1, list(t.BOX_COLUMNS)].tolist() == [0, 0, 10, 10.5]
    assert found.annotations["crowd"].tolist() == [False, False, True]
    assert found.annotations["confidence"].tolist() == [1, 1, 0.25]
    assert found.issues == []


def test_masks_parts_and_holes_are_polygons(file: Path) -> None:
    pixels = np.zeros((480, 640), dtype=np.uint8)
    pixels[10:20, 30:50], pixels[12:15, 33:40], pixels[40:45, 60:61] = 1, 0, 1
    packed = coco_mask.encode(np.asfortranarray(pixels))
    runs = np.diff(np.flatnonzero(np.diff(pixels.ravel("F"), prepend=2, append=2)), prepend=0)[1:].tolist()
    small, large, over = [0, 0, 2, 0, 2, 2], [50, 50, 90, 50, 90, 90], [60, 40, 80, 40, 80, 80]
    found = read(FORMAT, file, coco(annotations=[
        box(segmentation={"size": [480, 640], "counts": packed["counts"].decode()}, iscrowd=1),
        box(bbox=None, segmentation={"size": [480, 640], "counts": runs}), box(segmentation=[small, large, []]),
        box(segmentation=[large, over]), box(segmentation=[small, [1, 2]]), box(segmentation=[[1, 2]]),
        box(bbox=None, segmentation={"size": [480, 640], "counts": "0" * 10}),
        box(segmentation={"size": [480, 640], "counts": [5, 3]}),
    ]))  # fmt: skip
    polygons = found.annotations["polygon"].tolist()
    assert [len(polygon) for polygon in polygons[:2]] == [3, 3]
    for polygon in polygons[:2]:
        np.testing.assert_array_equal(polygon_to_mask(polygon, (640, 480)), pixels)
    assert found.annotations.loc[1, list(t.BOX_COLUMNS)].tolist() == [30, 10, 31, 35]
    assert polygons[2] == [[[0, 0], [2, 0], [2, 2]], [[50, 50], [90, 50], [90, 90]]]
    parts = [coco_mask.decode(part) for part in coco_mask.frPyObjects([large, over], 480, 640)]
    np.testing.assert_array_equal(polygon_to_mask(polygons[3], (640, 480)), parts[0] | parts[1])
    assert polygons[4:] == [[[0, 0], [2, 0], [2, 2]], None, None]
    adjusted = [issue.message for issue in found.issues if issue.code == "ENTRY_ADJUSTED"]
    assert adjusted[:2] == [
        "1 polygon has parts that are not polygons. They were left out.",
        "2 segmentations are neither polygon nor mask. Only the boxes were read.",
    ]
    assert [issue.where for issue in found.issues if issue.code == "ENTRY_UNREADABLE"] == ["annotations[6]"]


def test_masks_of_noise_are_read_as_boxes(file: Path) -> None:
    stripes = np.arange(1000)[None, :] % 2 * np.ones((1000, 1), dtype=np.uint8)
    unsized = [{"id": 7, "file_name": "a.jpg"}]
    found = read(FORMAT, file, coco(images=unsized, annotations=[
        box(id=5, segmentation={"size": [2000, 2000], "counts": [1] * 2000**2}),
        box(id=6, segmentation={"size": [1000, 1000], "counts": encode(stripes)["counts"].decode()}),
    ]))  # fmt: skip
    assert found.annotations["polygon"].tolist() == [None, None]
    (issue,) = found.issues
    assert tells(issue.message, 2, "524,288", "annotation 5", "Only the boxes were read.")


def test_parts_that_overlap_beyond_the_edge_are_no_holes(file: Path) -> None:
    first, second = [-0.4, 0, 20, 0, 20, 20, -0.4, 20], [10, 10, 30, 10, 30, 30, 10, 30]
    half, vast = ([0, 0, side, 0, side, side, 0, side] for side in (5 * 10**5, 10**6))
    annotations = [box(bbox=None, segmentation=shape) for shape in ([first, second], [half, vast])]
    large = [{"id": 7, "file_name": "a.jpg", "width": 10**6, "height": 10**6}]
    found = read(FORMAT, file, coco(images=large, annotations=annotations))
    united, largest = found.annotations["polygon"].tolist()
    assert polygon_to_mask(united, (40, 40))[:30, :30].sum() == 20 * 20 * 2 - 10 * 10
    assert largest == [[0, 0], [10**6, 0], [10**6, 10**6], [0, 10**6]]
    assert [issue.message for issue in found.issues] == [
        "1 polygon has parts that overlap and are too large to be united. Only the largest part was read."
    ]


def test_the_area_of_a_mask_is_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).random((300, 300)) < 0.5
    mask = coco_mask.encode(np.asfortranarray(noise.astype(np.uint8)))
    mask["counts"] = mask["counts"].decode()
    monkeypatch.setattr("customlabels_nb.core.polygons.contains", None)  # quadratic in the rings
    square = [{"id": 7, "file_name": "a.jpg", "width": 300, "height": 300}]
    annotations = [box(bbox=None, segmentation=mask, area=int(noise.sum()))]
    found = read(FORMAT, file, coco(images=square, annotations=annotations))
    assert not found.issues
    assert (polygon_to_mask(found.annotations["polygon"].iat[0], (300, 300)) == noise).all()


def test_polygon_with_a_hole_is_written_as_mask_and_restored(file: Path) -> None:
    polygon = [[[10.25, 10.0], [60.0, 10.0], [60.0, 50.5]], [[40.0, 15.0], [50.0, 15.0], [50.0, 25.0]]]
    image = {"image": "a.jpg", "width": 100, "height": 60}
    for size in (image, {"image": "a.jpg"}):
        rows = [{"image": "a.jpg", "label": "x", "polygon": polygon}]
        FORMAT.write(contents(file.parent, [size], rows, ["x"]), file)
        (entry,) = json.loads(file.read_bytes())["annotations"]
        mask = coco_mask.decode(entry["segmentation"])
        assert mask.shape == ((60, 100) if "width" in size else (51, 60))
        np.testing.assert_array_equal(mask, polygon_to_mask(polygon, mask.shape[::-1]))
        assert mask[18:20, 46:49].sum() == 0
        assert entry["area"] == mask.sum()
        assert read(FORMAT, file).annotations["polygon"].tolist() == [polygon]


def test_ratios_are_converted_to_pixels_with_an_issue(file: Path) -> None:
    found = read(FORMAT, file, coco(annotations=[
        box(bbox=[0.5, 0.25, 0.5, 0.75], segmentation=[[0.5, 0.25, 1, 0.25, 1, 1]]),
        box(image_id=3, bbox=[0, 0, 1, 1]), box(bbox=None, segmentation=[[0, 0, 0.5, 0, 0.5, 0.5]]),
    ]))  # fmt: skip
    boxes = found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist()
    assert boxes == [[320, 120, 320, 360], [0, 0, 100, 200], [0, 0, 320, 240]]
    assert found.annotations["polygon"].iloc[0] == [[320, 120], [640, 120], [640, 480]]
    [issue] = found.issues
    assert issue.code == "ENTRY_ADJUSTED"
    assert "3 × box in ratios" in issue.message


def test_sizes_that_ratios_need_are_read_from_the_images(file: Path) -> None:
    (file.parent / "a.jpg").write_bytes(jpeg(1, (48, 32)))
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "gone.jpg", "width": 0, "height": 0}]
    boxes = [box(bbox=[0.5, 0.5, 0.5, 0.25]), box(image_id=3, bbox=[0, 0, 0.5, 0.5]), {"image_id": 3, "category_id": 2}]
    found = read(FORMAT, file, coco(images=images, annotations=boxes))
    assert found.images["width"].fillna(0).tolist() == [48, 0]
    assert found.annotations[list(t.BOX_COLUMNS)].iloc[0].tolist() == [24, 16, 24, 8]
    assert found.annotations["label"].tolist() == ["pear", "apple"]
    assert {issue.code for issue in found.issues} == {"IMAGE_NOT_LISTED", "ENTRY_ADJUSTED"}


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[0, 0, 2, 2], [0.5, 0.5, 0.5, 0.5]], "ratios"),
        ([[-0.1, 0, 0.5, 0.5]], None),
        ([[3, 3, 4, 4], [5, 5, 0, 0]], "no area"),
    ],
)
def test_small_boxes_among_others_are_pixels(file: Path, boxes: list[list[float]], says: str | None) -> None:
    found = read(FORMAT, file, coco(annotations=[box(bbox=sides) for sides in boxes]))
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == boxes
    assert [issue.where for issue in found.issues] == ["annotations[1]"] * bool(says)
    assert all(str(says) in issue.message for issue in found.issues)


SQUARE = [20, 20, 120, 20, 120, 100, 20, 100]


@pytest.mark.parametrize(
    ("entry", "expected", "says"),
    [
        ({"bbox": [0, 0, 0, 0]}, [20, 20, 100, 80], "box of the polygon was read"),
        ({"bbox": [20, 20, 120, 100]}, [20, 20, 100, 80], "box of the polygon was read"),
        ({"bbox": [0.03125, 1 / 24, 0.15625, 1 / 6]}, [20, 20, 100, 80], "box of the polygon was read"),
        ({"bbox": [300, 300, 10, 10], "area": 8000}, [20, 20, 100, 80], "box of the polygon was read"),
        ({"bbox": [300, 300, 10, 10], "area": 100}, [300, 300, 10, 10], "Both were read"),
        ({"bbox": [18, 20, 102, 81], "area": 8000}, [18, 20, 102, 81], None),
    ],
)
def test_a_box_that_contradicts_its_polygon_is_settled_or_reported(
    file: Path, entry: dict[str, Any], expected: list[float], says: str | None
) -> None:
    annotations = [box(bbox=[300, 200, 20, 20]), box(segmentation=[SQUARE], **entry)]
    found = read(FORMAT, file, coco(annotations=annotations))
    assert found.annotations[list(t.BOX_COLUMNS)].iloc[1].tolist() == expected
    about_boxes = [issue for issue in found.issues if issue.where == "annotations[1]"]
    assert [str(says) in issue.message for issue in about_boxes] == [True] * bool(says)


def test_a_polygon_in_ratios_beside_a_box_in_pixels_is_converted(file: Path) -> None:
    ratios = [value / side for value, side in zip(SQUARE, [640, 480] * 4, strict=True)]
    found = read(FORMAT, file, coco(annotations=[box(bbox=[20, 20, 100, 80], segmentation=[ratios], area=8000)]))
    assert np.allclose(np.ravel(found.annotations["polygon"].iat[0]), SQUARE)
    assert [issue.where for issue in found.issues] == ["annotations[0]"]


def test_many_contradictions_are_listed_in_part(file: Path) -> None:
    found = read(FORMAT, file, coco(annotations=[box(bbox=[0, 0, 0, 0], segmentation=[SQUARE])] * 300))
    assert len(found.issues) == 101
    assert "300" in found.issues[-1].message


@pytest.mark.parametrize(("given", "crowd"), [(True, True), ("yes", True), ("0", False), (2, None), ([1], None)])
def test_crowds_are_booleans(file: Path, given: object, crowd: bool | None) -> None:
    found = read(FORMAT, file, coco(annotations=[box(iscrowd=given)]))
    assert found.annotations["crowd"].tolist() == [bool(crowd)]
    assert [issue.where for issue in found.issues] == ["annotations[0]"] * (crowd is None)


def test_fields_that_are_not_imported_are_counted(file: Path) -> None:
    extra = {"keypoints": [1, 2, 2], "num_keypoints": 1, "attributes": {"rotation": 0.0, "occluded": True}}
    entries = [box(**extra), box(keypoints=[], attributes={"rotation": 30.0}), box(description="a cat", id=7)]
    data = coco(annotations=entries) | {"videos": [{"id": 1}], "info": {"year": 2020, "people": ["Ann"]}}
    data["images"][0]["camera"] = "left"
    messages = sorted(issue.message for issue in read(FORMAT, file, data).issues)
    kinds = [
        "attribute 'occluded' of an annotation", "list of keypoints", "rotation of a box",
        "value of the key 'camera' of an image", "value of the key 'description' of an annotation",
        "value of the key 'info' of the file", "value of the key 'videos' of the file",
    ]  # fmt: skip
    for message, kind in zip(messages, kinds, strict=True):
        assert message.startswith(f"1 × {kind} was not imported: '")


def test_panoptic_annotations_are_refused_by_name(file: Path) -> None:
    data = coco(annotations=[{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 7, "category_id": 1}]}])
    with pytest.raises(ManifestError, match="panoptic"):
        read(FORMAT, file, data)


def test_tiny_boxes_written_here_are_no_ratios(file: Path) -> None:
    images = [{"image": "a.jpg", "width": 640, "height": 480}]
    rows = [{"image": "a.jpg", "label": "x", "left": 0.5, "top": 0.25, "width": 0.125, "height": 1}]
    written = contents(file.parent, images, rows, ["x"])
    FORMAT.write(written, file)
    assert_equal(read(FORMAT, file), written)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (box(bbox=[1, 2, 3]), "[1, 2, 3]"),
        (box(bbox="1 2 3 4"), "1 2 3 4"),
        (box(bbox=[1, 2, "3", 4]), "'3'"),
        (box(bbox=[1, 2, -3, 4]), "-3"),
        (box(bbox=[1, 2, 10**400, 4]), "bbox"),
        (box(bbox=[1, 2, float("nan"), 4]), "nan"),
        (box(bbox=[True, 2, 3, 4]), "True"),
        (box(bbox=None, segmentation=[[-1e308, 0, 1e308, 0, 0, 1]]), "invalid polygon"),
        (box(score=1.5), "1.5"),
        (box(score="high"), "high"),
        (box(score=float("inf")), "inf"),
        (5, "5"),
        (None, "None"),
    ],
)
def test_a_bad_annotation_is_named_and_the_rest_is_read(file: Path, entry: object, what: str) -> None:
    found = read(FORMAT, file, coco(annotations=[box(), entry, box(image_id=3)]))
    assert len(found.annotations) == 2
    [issue] = found.issues
    assert (issue.code, issue.where, issue.source) == ("ENTRY_UNREADABLE", "annotations[1]", str(file))
    assert what in issue.message


def test_annotations_of_missing_images_are_counted(file: Path) -> None:
    strays = [box(image_id=99), box(image_id=99), box(category_id=5), box(image_id={}), box(category_id=[1])]
    found = read(FORMAT, file, coco(annotations=[*strays, box()]))
    assert len(found.annotations) == 1
    messages = [issue.message for issue in found.issues if issue.code == "ENTRY_UNREADABLE"]
    assert len(messages) == 4
    assert any(tells(message, 2, "image_id", 99) for message in messages)


def test_many_unknown_ids_are_one_finding(file: Path) -> None:
    found = read(FORMAT, file, coco(annotations=[box(image_id=100 + number) for number in range(1000)]))
    assert len(found.issues) < 150
    assert "900 more" in found.issues[-1].message


@pytest.mark.parametrize(
    "entry",
    [
        "b.jpg", {"file_name": "b.jpg"}, {"id": [], "file_name": "b.jpg"}, {"id": 7, "file_name": "b.jpg"}, {"id": 5},
        {"id": 5, "file_name": 5}, {"id": 5, "file_name": "\ud800.jpg"}, {"id": 5, "file_name": "a\0.jpg"},
        {"id": 5, "file_name": "s3://b/\ud800"}, {"id": 5, "file_name": "http://["}, {"id": 5, "file_name": "../b.jpg"},
        {"id": 5, "file_name": "/etc/passwd"}, {"id": 5, "file_name": "sub/..\\..\\b.jpg"},
        {"id": 5, "file_name": "C:\\b.jpg"},
    ],
)  # fmt: skip
def test_an_image_that_has_no_usable_name_or_id_is_left_out(file: Path, entry: object) -> None:
    images = [*coco()["images"], entry]
    found = read(FORMAT, file, coco(images=images))
    assert len(found.images) == 2
    [issue] = [issue for issue in found.issues if issue.code != "NOT_IMPORTED"]
    assert (issue.code, issue.where) == ("ENTRY_UNREADABLE", "images[2]")
    assert_sound(found)


def test_an_image_named_twice_is_one(file: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "./a.jpg"}]
    found = read(FORMAT, file, coco(images=images, annotations=[box(), box(image_id=3)]))
    assert len(found.images) == 1
    assert found.annotations["image"].tolist() == [str(file.parent / "a.jpg")] * 2
    assert [issue.code for issue in found.issues] == ["ENTRY_ADJUSTED"]


def test_invalid_category_names_are_reported(file: Path) -> None:
    names = ["pear", "apple", " pear ", "", [5], "x\0", "y" * 300]
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    found = read(FORMAT, file, coco(categories=categories, annotations=[box(category_id=i) for i in range(len(names))]))
    assert found.labels == ["pear", "apple"]
    assert found.annotations["label"].tolist() == ["pear", "apple", "pear"]
    where = {issue.where for issue in found.issues if issue.code == "ENTRY_UNREADABLE"}
    assert where == {"annotations", *(f"categories[{number}]" for number in range(3, 7))}


@pytest.mark.parametrize(("name", "label"), [(7, "7"), (1.5, "1.5"), (True, None)])
def test_numbers_as_names_of_categories_are_labels(file: Path, name: object, label: str | None) -> None:
    found = read(FORMAT, file, coco(categories=[{"id": 90, "name": name}]))
    assert found.annotations["label"].tolist() == ([label] if label else [])
    assert found.issues[0].code == ("ENTRY_ADJUSTED" if label else "ENTRY_UNREADABLE")


@pytest.mark.parametrize(
    ("given", "stated", "matches"),
    [
        (0, "0", True), ("0", 0, True), (7, "7.0", True), ("7", 7.0, True), (7, "007", True), ("007", 7, True),
        (1, True, True), (7, "x7", False), ("x", 0, False), (10**20, str(10**20), True), (7, None, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_ids_in_another_form_match(file: Path, key: str, given: object, stated: object, matches: bool) -> None:
    array, other = ("images", "categories") if key == "image_id" else ("categories", "images")
    data = coco()
    data = {**data, array: [{**data[array][0], "id": given}], other: data[other]}
    found = read(FORMAT, file, {**data, "annotations": [{**data["annotations"][0], key: stated}]})
    assert len(found.annotations) == matches
    expected = [] if given == stated else ["ENTRY_ADJUSTED" if matches else "ENTRY_UNREADABLE"]
    assert codes(found) == expected


def test_ids_that_are_two_numbers_or_one_do_not_match(file: Path) -> None:
    images = [{"id": "7", "file_name": "a.jpg"}, {"id": "07", "file_name": "b.jpg"}]
    assert len(read(FORMAT, file, coco(images=images)).annotations) == 0


def test_a_mask_of_another_size_than_its_image_is_left_out(file: Path) -> None:
    mask = {"size": [240, 320], "counts": [10, 20, 240 * 320 - 30]}
    annotations = [box(segmentation=mask), box(bbox=None, segmentation=mask, id=2), box(id=3)]
    found = read(FORMAT, file, coco(annotations=annotations))
    assert found.annotations["polygon"].tolist() == [None, None]
    assert sorted(codes(found)) == ["ENTRY_ADJUSTED", "ENTRY_UNREADABLE"]
    assert tells(next(issue.message for issue in found.issues if "size" in issue.message), 2, "another size")


def test_a_polygon_far_beyond_its_image_is_left_out_without_its_box(file: Path) -> None:
    image = {"id": 7, "file_name": "a.jpg", "width": 160, "height": 120}
    far = {"segmentation": [[10, 10, 900, 10, 900, 700]], "area": 307_050}
    entries = [box(bbox=[10, 20, 30, 40], **far), box(bbox=[900, 10, 50, 50], id=2)]
    found = read(FORMAT, file, coco(images=[image], annotations=entries))
    assert found.annotations[[*t.BOX_COLUMNS, "polygon"]].to_numpy().tolist() == [[10, 20, 30, 40, None]]
    message = next(issue.message for issue in found.issues if issue.where == "annotations[0]")
    assert message.startswith(
        "1 × polygon far beyond its image was left out, such as one with left 10, top 10, width 8"
    )


def test_a_box_of_zeros_is_an_empty_image(file: Path) -> None:
    found = read(FORMAT, file, coco(annotations=[box(bbox=[0, 0, 0, 0])]))
    assert (len(found.annotations), found.images["status"].iat[0]) == (0, "labelled")
    assert [word in found.issues[0].message for word in ("1 ×", "only zeros")] == [True, True]


@pytest.mark.parametrize("size", [(-1, 5), (10**400, 5), ("640", 480), (640, None), (1.5, 2), (True, True)])
def test_an_impossible_size_is_left_open(file: Path, size: tuple[Any, Any]) -> None:
    image = {"id": 7, "file_name": "a.jpg", "width": size[0], "height": size[1]}
    found = read(FORMAT, file, coco(images=[image]))
    assert found.images["width"].isna().all()
    assert [issue.where for issue in found.issues] == ["images[0]"]


def test_relocated_urls(file: Path) -> None:
    image = {"id": 7, "file_name": "a.jpg", "coco_url": "http://there/val/a.jpg", "flickr_url": "http://flickr/1.jpg"}
    data = coco(images=[image, {"id": 3, "flickr_url": "http://flickr/2.jpg"}])
    found = read(FORMAT, file, data, relocate={"http://there/": "s3://here/"})
    assert found.images["image"].tolist() == ["s3://here/val/a.jpg", "http://flickr/2.jpg"]


def test_written_files_have_what_other_tools_ask_for(file: Path) -> None:
    rows = [{"image": "a.jpg", "label": "x", "left": 1, "top": 2, "width": 3, "height": 4}]
    FORMAT.write(contents(file.parent, [{"image": "a.jpg", "width": 9, "height": 8}], rows, ["x"]), file)
    data = json.loads(file.read_bytes())
    assert data["categories"] == [{"id": 1, "name": "x"}]
    assert data["images"][0] | {"date_captured": ""} == {
        "id": 1, "file_name": "a.jpg", "width": 9, "height": 8, "date_captured": "",
    }  # fmt: skip
    assert data["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "segmentation": [], "iscrowd": 0}
    ]


def test_a_polygon_without_its_box_is_written_with_it(file: Path) -> None:
    polygon = [[10.0, 10.0], [20.0, 10.0], [20.0, 30.0]]
    rows = [{"image": "a.jpg", "label": "x", "polygon": polygon}]
    FORMAT.write(contents(file.parent, [{"image": "a.jpg"}], rows, ["x"]), file)
    [entry] = json.loads(file.read_bytes())["annotations"]
    assert (entry["bbox"], entry["area"]) == ([10, 10, 10, 20], 100)
    assert read(FORMAT, file).annotations["polygon"].tolist() == [polygon]


def test_the_area_of_enormous_shapes_is_written_as_a_number(file: Path) -> None:
    enormous = [-1e150, -1e150, 1e150, -1e150, 1e150, 1e150]
    unsized, shapes = [{"id": 7, "file_name": "a.jpg"}], [box(bbox=[0, 0, 1e200, 1e200])]
    found = read(FORMAT, file, coco(images=unsized, annotations=[*shapes, box(bbox=None, segmentation=[enormous])]))
    assert len(found.annotations) == 2
    FORMAT.write(found, file)
    assert_equal(read(FORMAT, file), found)


def test_results_are_read_with_the_images_and_categories_of_the_ground_truth(file: Path, tmp_path: Path) -> None:
    file.write_text(json.dumps(coco()))
    results, elsewhere = [{**box(score=0.25), "id": None}, box(image_id="b", score=0.75)], tmp_path / "runs"
    elsewhere.mkdir()
    found = elsewhere / "predictions.json"
    found.write_text(json.dumps(results))
    (tmp_path / "a.jpg").touch()
    dataset = cl.read_dataset(found, truth=file)
    assert dataset.images["image"].tolist() == cl.read_dataset(file).images["image"].tolist()
    assert dataset.annotations["image"].tolist() == dataset.images["image"].tolist()
    assert dataset.annotations[["label", "left", "confidence"]].to_numpy().tolist() == [
        ["pear", 1.0, 0.25],
        ["pear", 1.0, 0.75],
    ]
    for path, words in ((found, "not read. With truth='coco.json'"), (elsewhere, "images")):
        with pytest.raises((ManifestError, InputError), match=words):
            cl.read_dataset(path)
    with pytest.raises(ManifestError, match="it contains an object, not an array"):
        cl.read_dataset(file, truth=file)


def test_files_without_annotations_or_images_are_read(file: Path) -> None:
    bare = contents(file.parent, [{"image": "a.jpg"}], [{"image": "a.jpg", "label": None}], ["x"])
    FORMAT.write(bare, file)
    assert_equal(read(FORMAT, file), bare)
    nothing = read(FORMAT, file, {"images": [], "annotations": [], "categories": []})
    FORMAT.write(nothing, file)
    assert FORMAT.recognise(file)
    assert_equal(read(FORMAT, file), nothing)


def test_a_folder_gets_a_file_of_its_own(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "label": "x"}]
    written = contents(tmp_path / "out", [{"image": "a.jpg"}], rows, ["x"])
    (tmp_path / "out").mkdir()
    assert FORMAT.write(written, tmp_path / "out") == [tmp_path / "out" / "coco.json"]
    assert FORMAT.recognise(tmp_path / "out")
    assert_equal(read(FORMAT, tmp_path / "out"), written)


def test_a_write_that_fails_leaves_the_old_file(file: Path) -> None:
    file.write_text("old")
    row = {"image": "a.jpg", "label": "x", "polygon": [[0, 0], [1, 0], [float("nan"), 1]], "left": 0.0, "top": 0.0}
    broken = contents(file.parent, [{"image": "a.jpg"}], [{**row, "width": 1.0, "height": 1.0}], ["x"])
    with pytest.raises(InputError, match="non-finite"):
        FORMAT.write(broken, file)
    broken.images = broken.images.iloc[:0]
    with pytest.raises(InputError, match=r"a\.jpg"):
        FORMAT.write(broken, file)
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "ERROR_MANIFEST_IS_EMPTY"),
        (" \n", "ERROR_MANIFEST_IS_EMPTY"),
        ("{", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ("[]", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ('{"images": {}}', "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ('{"images": ' + "[" * 100_000, "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ('{"images": [' + "9" * 5000 + "]}", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
    ],
)
def test_a_file_that_can_not_be_read_at_all(file: Path, text: str, code: str) -> None:
    with pytest.raises(ManifestError) as error:
        read(FORMAT, file, text)
    assert error.value.code == code
    assert str(file) in str(error.value)
    with pytest.raises(ManifestError):
        read(FORMAT, file.parent / "absent.json")


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\r\n\t "])
def test_a_byte_order_mark_and_white_space_are_fine(file: Path, prefix: bytes) -> None:
    file.write_bytes(prefix + json.dumps(coco(), indent=2).replace("\n", "\r\n").encode())
    assert FORMAT.recognise(file)
    assert len(read(FORMAT, file).images) == 2


def test_recognised_by_its_start_whatever_comes_first(file: Path) -> None:
    many = coco(annotations=[box(id=number) for number in range(3000)])
    for first in many:
        file.write_text(json.dumps({first: many[first], **many}))
        assert FORMAT.recognise(file), first


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "{", '"images"', '{"images": 5}', '{"files": [{"filename": "a.jpg", "tags": []}]}', "\0" * 100,
        '{"source-ref": "a.jpg", "x": {"images": [], "annotations": []}}', '{"a\\": [\\"images": []}', "<annotation/>",
        '{"source-ref": "a.jpg", "bounding-box": {"annotations": [{"class_id": 1}]}}',
        '{"shapes": [], "imagePath": "a"}',
        '}{"images": [], "annotations": []}', '{"x": "' + "[" * 70_000,
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(file: Path, text: str) -> None:
    file.write_text(text)
    assert not FORMAT.recognise(file)
    assert not FORMAT.recognise(file.parent / "absent.json")


@given(st.fixed_dictionaries({
    "images": st.lists(anything | st.fixed_dictionaries({"id": st.integers(0, 2) | anything, "file_name": anything})),
    "annotations": anything | st.lists(anything | st.fixed_dictionaries(
        {"image_id": st.integers(0, 2), "category_id": st.integers(0, 2)},
        optional={"bbox": st.lists(st.floats(0, 2), min_size=4, max_size=4) | anything, "segmentation": anything,
                  "score": anything, "created": anything, "iscrowd": anything},
    )),
    "categories": anything | st.just([{"id": 0, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "c"}]),
    "info": anything, "licenses": anything,
}))  # fmt: skip
@settings(max_examples=many(50))
def test_any_content_is_read_or_reported(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.json"
    found = read(FORMAT, file, data)
    assert_sound(found)
    FORMAT.recognise(file)
    again = file.with_name("written.json")
    FORMAT.write(found, again)
    assert_equal(read(FORMAT, again), found)


# -- other fields of a file -------------------------------------------------------------------------


def full(folder: Path) -> Path:
    """Write a COCO file that uses every field."""
    path = folder / "full.json"
    data = {
        "info": {"description": "drawn", "year": 2024, "contributor": "<b>me</b>"},
        "licenses": [{"id": 4, "name": "CC BY 4.0", "url": "https://example.org/by"}],
        "categories": [{"id": 90, "name": "pear", "supercategory": "fruit"}, {"id": 2, "name": "cup"}],
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48, "license": 4, "coco_url": "http://x/a.jpg"},
            {"id": 2, "file_name": "bare.jpg", "width": 64, "height": 48},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 90, "bbox": [1, 2, 3, 4], "area": 12.0, "segmentation": []},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [10, 10, 10, 20], "area": 100,
             "segmentation": [[10, 10, 20, 10, 10, 30]]},
        ],
    }  # fmt: skip
    path.write_text(json.dumps(data), "utf-8")
    return path


def test_extra_fields_survive_a_round_trip(tmp_path: Path) -> None:
    first = cl.read_dataset(full(tmp_path))
    assert first.issues["code"].tolist() == ["IMAGE_NOT_LISTED"]
    chosen = first.filter("image.notna()").relabel({"cup": "mug"})
    written = chosen.to("coco", tmp_path / "again.json")
    assert "notes" not in set(written.issues["where"])
    data = json.loads((tmp_path / "again.json").read_bytes())
    assert data["info"] == {"description": "drawn", "year": 2024, "contributor": "<b>me</b>", "bbox_unit": "pixel"}
    assert data["licenses"] == [{"id": 1, "name": "CC BY 4.0", "url": "https://example.org/by"}]
    by_name = {entry["name"]: entry.get("supercategory") for entry in data["categories"]}
    assert by_name == {"pear": "fruit", "cup": None, "mug": None}
    assert [image.get("license") for image in data["images"]] == [1, None]
    assert [entry["area"] for entry in data["annotations"]] == [12, 100]
    with_csv = first.to("csv", tmp_path / "x.csv").issues
    assert "notes" in set(with_csv["where"])


def test_project_keeps_extra_fields(tmp_path: Path) -> None:
    for name in ("a.jpg", "bare.jpg"):
        Image.new("RGB", (64, 48), "red" if name == "a.jpg" else "blue").save(tmp_path / name)
    project = cl.create_project("p", tmp_path)
    project.import_dataset(cl.read_dataset(full(tmp_path)), progress=False)
    (source,) = project.datasets["sources"].iloc[0]
    assert source["notes"]["coco_info"]["year"] == 2024
    assert source["notes"]["coco_supercategories"] == {"pear": "fruit"}
    assert project.train_set.images["license"].tolist()[:1] == ["CC BY 4.0"]
    project.close()


def test_area_that_contradicts_the_shape_is_reported(file: Path) -> None:
    def entry(number: int, **facts: Any) -> dict[str, Any]:
        return {"id": number, "image_id": 1, "category_id": 1, "bbox": [10, 10, 10, 20], **facts}

    triangle = [10, 10, 20, 10, 10, 30]
    annotations = [
        entry(1, area=200.5), entry(2), entry(3, area=None), entry(4, area="7"), entry(5, area=10**400),
        entry(6, area=101.0, segmentation=[triangle]), entry(7, area=150.0),
        entry(8, area=200, segmentation=[triangle]), entry(9, area=110, segmentation=[triangle, [1, 1, 2, 1, 1, 3]]),
    ]  # fmt: skip
    image = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
    data = {"images": [image], "categories": [{"id": 1, "name": "x"}], "annotations": annotations}
    found = read(FORMAT, file, data)
    assert len(found.annotations) == 9
    messages = [issue.message for issue in found.issues]
    assert tells(messages[-2], 3, "area")
    assert (
        "area' of an annotation that is not a number was not imported: 'annotations[3]'. For example '7'"
        in messages[-1]
    )
    ratios = [{**entry(1), "bbox": [0.1, 0.1, 0.2, 0.2], "area": 120.0}]
    found = read(FORMAT, file, {**data, "annotations": ratios})
    (issue,) = found.issues
    assert tells(issue.message, 1, "ratios", "pixels")


@settings(max_examples=many(150))
@given(data=st.data())
def test_outlines_converted_together_equal_single_conversions(data: st.DataObject) -> None:
    number = st.integers(-5, 5) | st.floats(-1e160, 1e160) | st.sampled_from([1e150, -1e150, 0.5])
    odd = st.sampled_from([None, True, "1", [], 10**400, float("nan"), float("inf")])
    part = st.lists(number, max_size=9) | st.lists(number | odd, max_size=9)
    given_ = data.draw(st.lists(st.lists(part, max_size=2) | part, max_size=6))
    shapes = {2 * place: shape for place, shape in enumerate(given_) if shape}
    polygons, squares, around = plain_polygons(shapes)
    assert len(polygons) == len(squares)
    for (place, polygon), square, box in zip(polygons.items(), squares.tolist(), around, strict=True):
        assert box == pytest.approx(polygon_to_ltwh(polygon))
        assert ([polygon], 1) == as_rings(shapes[place])
        assert all(type(side) is float for point in polygon for side in point)
        side = max(abs(value) for point in polygon for value in point)
        rounding = max(1e-9, 1e-15 * side * side)  # products of large numbers may cancel each other
        assert square == pytest.approx(area(polygon), rel=1e-9, abs=rounding, nan_ok=True) or square > 1e290
