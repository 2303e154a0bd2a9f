"""Tests of converting to and from supervision's datasets."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import supervision as sv

import customlabels_nb as cl
from customlabels_nb._utils.installing import imported
from customlabels_nb.core import tables as t
from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.errors import InputError, MissingDependencyError
from tests.conftest import ROOT
from tests.datasets.interop.shops import TRIANGLE, boxes, many_labels, one_label, shapes, turned
from tests.images.pictures import jpeg, write_folder


def test_boxes_survive_a_round_trip(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    with pytest.warns(UserWarning, match=r"1 image is not labelled and was dropped: .*3\.jpg"):
        made = dataset.to_supervision()
    assert isinstance(made, sv.DetectionDataset)
    assert made.classes == ["plate", "cup"]
    path, pixels, detections = made[0]
    assert pixels.shape == (32, 48, 3)
    assert detections.xyxy.tolist() == [[1, 2, 21, 12], [10.5, 0, 40.5, 32]]
    assert detections.data["class_name"].tolist() == ["cup", "plate"]
    assert detections.confidence.tolist() == [1.0, 0.5]
    back = cl.from_supervision(made)
    expected = [row if row[2] == row[2] else (*row[:2], 2.0, 2.0, 10.0, 20.0, *row[6:]) for row in shapes(dataset)]
    assert shapes(back) == sorted(expected)
    assert back.labels["label"].tolist() == ["plate", "cup"]
    assert back.images["status"].tolist() == ["labelled"] * 3
    assert back.annotations["annotator"].isna().tolist() == [False, False, True]
    assert Path(path).name == "0.jpg"


def test_supervision_can_split_and_write_what_it_was_given(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = boxes(tmp_path).to_supervision()
        train, test = made.split(0.67, random_state=1)
        assert len(train) + len(test) == 3
        made.as_coco(annotations_path=str(tmp_path / "coco.json"), show_progress=False)
    read = cl.read_dataset(tmp_path / "coco.json")
    assert read.annotations["label"].value_counts().to_dict() == {"plate": 2, "cup": 1}


def test_labels_survive_a_round_trip(tmp_path: Path) -> None:
    dataset = many_labels(tmp_path)
    with pytest.warns(UserWarning, match="3 images are not labelled"):
        made = dataset.to_supervision()
    assert isinstance(made, sv.ClassificationDataset)
    assert [made[index][2].class_id.tolist() for index in range(3)] == [[1, 0], [0], []]
    back = cl.from_supervision(made)
    assert back.labels_of_images() == [["ripe", "red"], ["red"], []]


def test_losses_of_a_conversion_are_reported(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    whole = pd.DataFrame({"image": dataset.images["image"][:1], "label": "kitchen"})
    both = cl.Dataset(dataset.images, pd.concat([dataset.annotations, whole]))
    with pytest.warns(UserWarning, match="1 image-level label does not fit task='boxes' and was dropped"):
        both.to_supervision()
    with pytest.warns(UserWarning, match="3 boxes do not fit task='single-label'"):
        assert len(both.to_supervision(task="single-label")[0][2]) == 1


def test_lossless_conversion_reports_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_label(tmp_path).filter("label == 'pear'").to_supervision()


def test_images_are_upright_in_both(tmp_path: Path) -> None:
    turned(tmp_path / "a.jpg")
    rows = pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "left": 0.0, "top": 0.0, "width": 32.0, "height": 48.0})
    made = cl.Dataset(rows[["image"]], rows, root=tmp_path).to_supervision()
    path, pixels, _ = made[0]
    assert pixels.shape == (48, 32, 3)
    assert path == str(tmp_path / "a.jpg")


def test_a_remote_image_is_refused(tmp_path: Path) -> None:
    rows = pd.DataFrame({"image": ["s3://shop/a.jpg"], "label": ["x"]})
    with pytest.raises(InputError, match=r"s3://shop/a\.jpg"):
        cl.Dataset(rows[["image"]], rows).to_supervision()


def test_masks_become_polygons(tmp_path: Path) -> None:
    whole, parts = np.zeros((2, 32, 48), dtype=bool)
    whole[5:20, 10:30] = True
    parts[2:6, 2:6] = parts[20:26, 30:40] = True
    found = sv.Detections(
        xyxy=np.array([[10.0, 5.0, 30.0, 20.0], [2.0, 2.0, 40.0, 26.0]]),
        mask=np.stack([whole, parts]),
        class_id=np.array([0, 0]),
    )
    (tmp_path / "a.jpg").write_bytes(b"")
    back = cl.from_supervision(sv.DetectionDataset(["x"], [str(tmp_path / "a.jpg")], {str(tmp_path / "a.jpg"): found}))
    for mask, polygon in zip((whole, parts), back.annotations["polygon"], strict=True):
        np.testing.assert_array_equal(polygon_to_mask(polygon, (48, 32)), mask)
    assert back.issues.empty
    stripes = np.arange(800)[None, :] % 2 * np.ones((800, 1), dtype=bool) > 0
    for mask in (parts & False, stripes):
        found.mask = np.stack([np.pad(whole, (0, 800))[: len(mask), : len(mask[0])], mask])
        images = [str(tmp_path / "a.jpg")]
        back = cl.from_supervision(sv.DetectionDataset(["x"], images, {images[0]: found}))
        assert back.annotations["polygon"].isna().tolist() == [False, True]
        assert back.issues["message"].tolist() == ["1 mask is empty or noise and was read as a box."]


def read(folder: Path, **of_detections: Any) -> cl.Dataset:
    """Read one photo of 48 × 32 pixels with detections of the class "x"."""
    (folder / "a.jpg").write_bytes(jpeg(1, size=(48, 32)))
    name, count = str(folder / "a.jpg"), len(of_detections["xyxy"])
    found = sv.Detections(
        **{**of_detections, "xyxy": np.array(of_detections["xyxy"])}, class_id=np.zeros(count, dtype=int)
    )
    return cl.from_supervision(sv.DetectionDataset(["x"], [name], {name: found}))


def test_what_detections_have_beside_boxes_is_named(tmp_path: Path) -> None:
    back = read(
        tmp_path,
        xyxy=[[1.0, 2.0, 21.0, 12.0]],
        tracker_id=np.array([7]),
        confidence=np.array([1.5]),
        data={"shade": np.array(["dark"]), "class_name": np.array(["x"])},
        metadata={"camera": "X1"},
    )
    assert back.issues["code"].tolist() == ["NOT_IMPORTED"] * 4
    words = ("between 0 and 1", "tracker_id", "'shade' of data", "'camera' of metadata")
    assert all(word in message for word, message in zip(words, back.issues["message"], strict=True))
    examples = [message.rsplit(" ", 1)[1] for message in back.issues["message"]]
    assert examples == ["1.5.", "7.", "'dark'.", "'X1'."]


def test_a_mask_of_another_size_is_left_out(tmp_path: Path) -> None:
    back = read(tmp_path, xyxy=[[1.0, 2.0, 21.0, 12.0]], mask=np.ones((1, 16, 24), dtype=bool))
    assert back.annotations["polygon"].isna().all()
    assert "24 × 16 instead of 48 × 32 pixels" in back.issues["message"].item()


def test_boxes_are_judged_as_everywhere(tmp_path: Path) -> None:
    ratios = read(tmp_path, xyxy=[[0.25, 0.25, 0.5, 0.75]])
    assert ratios.annotations[[*t.BOX_COLUMNS]].to_numpy().tolist() == [[12, 8, 12, 16]]
    assert "ratios of the image size" in ratios.issues["message"].item()
    far = read(tmp_path, xyxy=[[1.0, 2.0, 3000.0, 12.0]])
    assert far.annotations.empty
    assert far.images["status"].tolist() == ["unlabelled"]
    assert {*far.issues["code"]} == {"IMAGE_NOT_LISTED", "ENTRY_UNREADABLE"}
    flat = read(tmp_path, xyxy=[[1.0, 2.0, 1.0, 12.0], [0.0, 0.0, 0.0, 0.0], [9.0, 9.0, 1.0, 12.0]])
    assert len(flat.annotations) == 1
    words = ("not four finite numbers in order", "only zeros", "without area")
    assert all(word in message for word, message in zip(words, flat.issues["message"], strict=True))


def test_polygons_become_masks(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not labelled"):
        made = boxes(tmp_path).to_supervision(task="polygons")
    masks = [made[at][2].mask for at in range(3)]
    assert [mask.shape for mask in masks] == [(2, 32, 48), (1, 32, 48), (0, 32, 48)]
    assert masks[0][0].sum() == 200  # a box
    np.testing.assert_array_equal(masks[1][0], polygon_to_mask(TRIANGLE, (48, 32)))


def test_boxes_stay_boxes_among_polygons(tmp_path: Path) -> None:
    image = write_folder(tmp_path, {"a": 1})[0]
    table = pd.DataFrame(
        {"image": [str(image)], "label": ["cup"], "left": 1.5, "top": 1.25, "width": 8.5, "height": 6.0}
    )
    made = cl.Dataset(table[["image"]].assign(status="labelled"), table).to_supervision(task="polygons")
    back = cl.from_supervision(made)
    assert back.annotations[["left", "top", "width", "height"]].values.tolist() == [[1.5, 1.25, 8.5, 6.0]]
    assert back.annotations["polygon"].isna().all()
    assert back.issues.empty


def test_detections_without_classes_or_files_are_reported(tmp_path: Path) -> None:
    name = str(tmp_path / "gone.jpg")
    made = sv.DetectionDataset(["x"], [name], {name: sv.Detections(xyxy=np.array([[0.0, 0.0, 5.0, 5.0]]))})
    back = cl.from_supervision(made)
    assert back.issues["code"].tolist() == ["IMAGE_NOT_LISTED", "ENTRY_UNREADABLE"]
    assert len(back.annotations) == 0
    assert back.images["status"].tolist() == ["unlabelled"]
    for number in (-1, 2):
        kinds = sv.ClassificationDataset(["x", "y"], [name], {name: sv.Classifications(class_id=np.array([number]))})
        back = cl.from_supervision(kinds)
        assert (len(back.annotations), back.images["status"].tolist()) == (0, ["unlabelled"])
        assert f"class numbers [{number}], but there are 2 classes" in back.issues["message"].iloc[-1]
    with pytest.raises(InputError, match="of type dict"):
        cl.from_supervision({})


def test_a_polygon_survives_as_it_is(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = cl.from_supervision(boxes(tmp_path).to_supervision())
    assert [p for p in back.annotations["polygon"] if p is not None] == [TRIANGLE]


def test_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDependencyError, match=r"to_nowhere needs the package nosuchpackage: .* install .*nosuch"
    ):
        imported("nosuchpackage", "to_nowhere")
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules["supervision"] = sys.modules["datasets"] = None
import customlabels_nb as cl, pandas as pd
rows = pd.DataFrame({{"image": ["a.jpg"], "label": ["x"]}})
dataset = cl.Dataset(rows[["image"]], rows)
to, back = (dataset.to_supervision, dataset.to_huggingface), (cl.from_supervision, cl.from_huggingface)
for call in (*to, lambda: back[0](1), lambda: back[1](1)):
    try:
        call()
    except cl.errors.MissingDependencyError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    said = ran.stdout.splitlines()
    assert [line.rsplit(" ", 1)[-1] for line in said] == ["supervision", "datasets"] * 2
    assert said[0].startswith("to_supervision needs the package supervision: ")
