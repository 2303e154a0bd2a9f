"""Tests of LabelMe: files of its program and of others, and reading what was written."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.labelme import FORMAT
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import ManifestError
from tests.datasets.formats.shared import boxes, codes, read, statuses


def shape(kind: str | None, *points: list[Any], label: Any = "cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": [*points], "shape_type": kind, "flags": {}, "group_id": None, **more}


def labelme(path: Path, *shapes: object, image: Any = "a.jpg", flags: object = None, **more: Any) -> Path:
    """Write a LabelMe file with these shapes and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"version": "5.5.0", "flags": {} if flags is None else flags, "shapes": list(shapes)}
    document |= {"imagePath": image, "imageData": None, "imageHeight": 40, "imageWidth": 30, **more}
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_shapes_become_boxes_and_polygons(tmp_path: Path) -> None:
    path = labelme(
        tmp_path / "a.json",
        shape("rectangle", [11, 2], [1, 22]),  # drawn from right to left
        shape("rectangle", [1, 2], [11, 2], [11, 22], [1, 22]),  # as some programs write it
        shape("circle", [10, 10], [13, 14]),
        shape("polygon", [1, 2], [5, 2], [5, 8], label="dog", score=0.25),
        shape(None, [1, 2], [11, 22]),
    )
    found = read(FORMAT, path)
    a_box = ("a.jpg", "cat", 1, 2, 10, 20)
    assert boxes(found) == [a_box, a_box, ("a.jpg", "cat", 5, 5, 10, 10), ("a.jpg", "dog", 1, 2, 4, 6), a_box]
    assert found.annotations["polygon"].tolist()[3] == [[1, 2], [5, 2], [5, 8]]
    assert found.annotations["polygon"].isna().sum() == 4
    assert found.annotations["confidence"].tolist() == [1, 1, 1, 0.25, 1]
    assert found.images[["image", "width", "height"]].to_numpy().tolist() == [[str(tmp_path / "a.jpg"), 30, 40]]
    assert [issue.message for issue in found.issues] == ["1 × outline of a circle was not imported: 'a.json, shape 3'."]


def test_flags_are_labels_of_the_image_and_no_shapes_mean_nothing_is_there(tmp_path: Path) -> None:
    labelme(tmp_path / "a.json", flags={"indoors": True, "blurred": False, "<b>": True})
    labelme(tmp_path / "b.json", image="b.jpg")
    found = read(FORMAT, tmp_path)
    assert found.annotations["label"].tolist() == ["indoors", "<b>"]
    assert found.annotations["left"].isna().all()
    assert statuses(found) == {"a.jpg": "labelled", "b.jpg": "labelled"}


def test_image_path_is_relative_to_the_file(tmp_path: Path) -> None:
    labelme(tmp_path / "set" / "labels" / "1.json", image="..\\images\\1.jpg")
    labelme(tmp_path / "set" / "labels" / "2.json", image="../gone/2.jpg")
    (tmp_path / "set" / "labels" / "2.jpg").touch()
    labelme(tmp_path / "set" / "labels" / "deep" / "3.json", image="3.jpg")
    labelme(tmp_path / "set" / "labels" / "4.json", image="../../outside.jpg")
    found = read(FORMAT, tmp_path / "set")
    expected = ["images/1.jpg", "labels/2.jpg", "labels/deep/3.jpg"]
    assert sorted(found.images["image"]) == [str(tmp_path / "set" / name) for name in expected]
    assert codes(found) == ["ENTRY_UNREADABLE", "IMAGE_NOT_LISTED"]
    assert "2 × image was not found: '1.jpg', '3.jpg'" in found.issues[1].message
    assert "outside the folder" in found.issues[0].message
    moved = read(FORMAT, tmp_path / "set", relocate={"../../": "s3://bucket/"})
    assert "s3://bucket/outside.jpg" in set(moved.images["image"])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (shape("polygon", [1, 2], [3, 4]), "at least three points, but this one has 2"),
        (shape("circle", [1, 2]), "neither a box nor a polygon"),
        (shape("rectangle", [1, "2"], [3, 4]), "not a point with two numbers"),
        (shape("rectangle", [1, 1e200], [3, 4]), "not a point with two numbers"),
        (shape("rectangle", [1, 2], [3, 4], label=7), "label is 7, not a string"),
        (shape("rectangle", [1, 2], [3, 4], label=""), ""),
        ({"label": "cat"}, "points are None, not an array"),
        ("cat", "not an object"),
    ],
)
def test_unreadable_shape_is_reported_and_others_are_read(tmp_path: Path, bad: object, said: str) -> None:
    found = read(FORMAT, labelme(tmp_path / "a.json", bad, shape("rectangle", [1, 2], [11, 22])))
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 10, 20)]
    assert codes(found) == ["ENTRY_UNREADABLE"]
    assert said in found.issues[0].message
    assert found.issues[0].where == "shape 1"


def test_an_image_is_not_empty_if_its_shapes_cannot_be_read(tmp_path: Path) -> None:
    bad = shape("polygon", [1, 2])
    labelme(tmp_path / "a.json", bad)
    labelme(tmp_path / "b.json", bad, image="b.jpg", flags={"indoors": True})
    labelme(tmp_path / "c.json", image="c.jpg", flags={" ": True})
    assert statuses(read(FORMAT, tmp_path)) == {"a.jpg": "unlabelled", "b.jpg": "labelled", "c.jpg": "unlabelled"}


def test_masks_are_read_as_polygons(tmp_path: Path) -> None:
    pixels = np.zeros((6, 5), dtype=np.uint8)
    pixels[1:5, 0:4], pixels[2, 2] = 255, 0
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("1").save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    found = read(FORMAT, labelme(tmp_path / "a.json", shape("mask", [7, 9], [11, 14], mask=text)))
    mask = np.zeros((40, 30), dtype=np.uint8)
    mask[9:15, 7:12] = pixels > 0
    np.testing.assert_array_equal(polygon_to_mask(found.annotations["polygon"].item(), (30, 40)), mask)
    assert found.annotations[["left", "top", "width", "height"]].values.tolist() == [[7, 9, 5, 6]]
    assert found.issues == []


def test_dropped_shapes_are_counted(tmp_path: Path) -> None:
    shapes = [
        shape("rectangle", [1, 2], [3, 4], group_id=n, flags={"hidden": True, "far": False}, difficult=n > 1, score=2)
        for n in range(3)
    ]
    others = [shape(kind, [1, 2], [3, 4]) for kind in ("line", "line", "points")]
    found = read(FORMAT, labelme(tmp_path / "a.json", *shapes, shape("mask", [0, 0], [5, 5], mask="iVBO"), *others))
    three = [f"a.json, shape {number}" for number in (1, 2, 3)]
    flags = [f"{place}.flags" for place in three]
    assert "Its mask cannot be read" in found.issues[3].message
    assert [issue.message for issue in found.issues[4:]] == [
        f"3 × flag 'hidden' of a shape was not imported: {', '.join(map(repr, flags))}. For example True.",
        f"3 × value of the key 'group_id' of a shape was not imported: {', '.join(map(repr, three))}. For example 0.",
        "1 × value of the key 'difficult' of a shape was not imported: 'a.json, shape 3'. For example True.",
        "2 × shape of the type 'line' was not imported: 'a.json, shape 5', 'a.json, shape 6'.",
        "1 × shape of the type 'points' was not imported: 'a.json, shape 7'.",
    ]
    assert len(found.annotations) == 4
    assert (found.annotations["confidence"] == 1).all()


def test_an_image_with_the_name_of_the_file_replaces_a_missing_one(tmp_path: Path) -> None:
    rectangle = shape("rectangle", [1, 2], [11, 22])
    stated = {"b": "gone.jpg", "c": "C:\\photos\\c.jpg", "d": None, "e": "b.jpg", "f": "gone.jpg"}
    for name, image in stated.items():
        labelme(tmp_path / f"{name}.json", rectangle, image=image, imageData="iVBO")
    for name in "bcde":
        Image.new("RGB", (30, 40)).save(tmp_path / f"{name}.jpg")
    Image.new("RGB", (30, 40)).save(tmp_path / "unlabelled.PNG")
    found = read(FORMAT, tmp_path)
    assert sorted(box[0] for box in boxes(found)) == ["b.jpg", "c.jpg", "d.jpg", "e.jpg", "gone.jpg"]
    assert statuses(found)["unlabelled.PNG"] == "unlabelled"
    assert codes(found) == ["ENTRY_ADJUSTED"] * 4 + ["IMAGE_NOT_LISTED", "NOT_IMPORTED"]
    assert all(f"'{name}.jpg', which has the name" in found.issues[n].message for n, name in enumerate("bcde"))
    assert found.issues[-1].message == "1 × image inside a JSON file (imageData) was not imported: 'f.json'."


def test_shapes_in_ratios_are_read_in_pixels(tmp_path: Path) -> None:
    rectangle, triangle = shape("rectangle", [0.1, 0.5], [0.6, 1]), shape("polygon", [0, 0], [0.5, 0], [0.5, 0.5])
    found = read(FORMAT, labelme(tmp_path / "a.json", rectangle, triangle))
    assert boxes(found) == [("a.jpg", "cat", 3, 20, 15, 20), ("a.jpg", "cat", 0, 0, 15, 20)]
    assert found.annotations["polygon"][1] == [[0, 0], [15, 0], [15, 20]]
    assert [issue.message.partition(",")[0] for issue in found.issues] == [
        "2 × box in ratios of the image size was converted to pixels"
    ]
    unknown = labelme(tmp_path / "b.json", rectangle, image="gone.jpg", imageWidth=None)
    assert "ratios of an unknown image size" in read(FORMAT, unknown).issues[0].message


def test_folders_named_after_splits_are_splits(tmp_path: Path) -> None:
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        labelme(tmp_path / folder / "a.json", shape("rectangle", [1, 1], [5, 5]))
        Image.new("RGB", (40, 30)).save(tmp_path / folder / "a.jpg")
    found = read(FORMAT, tmp_path)
    assert found.images["split"].tolist() == ["train", "test"]


def test_foreign_json_files_are_reported(tmp_path: Path) -> None:
    labelme(tmp_path / "a.json")
    labelme(tmp_path / "b.json")  # about the same image
    labelme(tmp_path / "c.json", image=None)
    (tmp_path / "d.json").write_text('{"images": []}')
    (tmp_path / "e.json").write_text("{")
    (tmp_path / ".f.json").write_text("{")
    found = read(FORMAT, tmp_path)
    assert len(found.images) == 1
    assert codes(found) == ["ENTRY_UNREADABLE"] * 4
    assert all(issue.source.endswith(f"{name}.json") for issue, name in zip(found.issues, "bcde", strict=True))
    with pytest.raises(ManifestError, match="no array 'shapes'"):
        read(FORMAT, tmp_path / "d.json")


def test_labelme_is_recognised_by_content(tmp_path: Path) -> None:
    path = labelme(tmp_path / "set" / "deep" / "a.json")
    for place in (path, tmp_path / "set"):
        assert FORMAT.recognise(place)
    sorted_keys = tmp_path / "sorted.json"
    sorted_keys.write_text(json.dumps({"flags": {}, "imageData": "x" * 10**6, "shapes": []}))
    assert FORMAT.recognise(sorted_keys)
    (tmp_path / "other.json").write_text('{"images": [], "annotations": []}')
    assert not FORMAT.recognise(tmp_path / "other.json")
    assert not FORMAT.recognise(tmp_path / "nothing")


def test_export_removes_files_of_unlabelled_images_only(tmp_path: Path) -> None:
    names = [str(tmp_path / f"{name}.jpg") for name in "abc"]
    rows = pd.DataFrame({"image": names, "label": "cat", "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0})
    out = tmp_path / "out"
    Dataset(pd.DataFrame({"image": names}), rows).to("labelme", out)
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "b.json", "c.json", "index.txt"]
    labelme(out / "mine.json", image="mine.jpg")
    index = json.loads((out / "index.txt").read_text())
    index["files"] += ["../outside.json", "deep/x.json", "notes.txt"]
    (out / "index.txt").write_text(json.dumps(index))
    kept = [labelme(tmp_path / "outside.json"), labelme(out / "deep" / "x.json")]
    (out / "notes.txt").write_text("mine")
    Dataset(pd.DataFrame({"image": names}), rows[:1]).to("labelme", out)
    left = {path.name for path in out.iterdir()}
    assert left == {"a.json", "index.txt", "mine.json", "deep", "notes.txt"}
    assert all(path.is_file() for path in kept)


def test_written_files_open_in_labelme(tmp_path: Path) -> None:
    names = [str(tmp_path / "out" / "images" / "a.jpg")]
    row = {"image": names[0], "label": "cat", "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.5}
    images = pd.DataFrame({"image": names, "width": [30], "height": [40]})
    written = Dataset(images, pd.DataFrame([row])).to("labelme", tmp_path / "out")
    document = json.loads(written.files[0].read_text("utf-8"))
    assert document["imagePath"] == "images/a.jpg"
    assert (document["imageWidth"], document["imageHeight"], document["imageData"]) == (30, 40, None)
    expected = {"label": "cat", "shape_type": "rectangle", "points": [[1, 2], [4, 6.5]], "group_id": None, "flags": {}}
    assert document["shapes"] == [expected]
    assert read_dataset(tmp_path / "out").issues["code"].tolist() == ["IMAGE_NOT_LISTED"]
