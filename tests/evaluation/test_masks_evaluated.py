"""Tests of evaluating masks: metrics equal those of pycocotools, and every table uses the IoU of masks."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import customlabels_nb as cl
from customlabels_nb.core.masks import polygon_to_rle
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.errors import InputError, TableError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.comparison.comparing import compare
from customlabels_nb.evaluation.outcome_tables import changed_images, judged_by, tables_of
from tests.evaluation.box_cases import CORNERS, MASK_SIZE, drawn_masks

WIDTH, HEIGHT = MASK_SIZE
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]
HOLE = [[12, 12], [28, 12], [28, 28], [12, 28]]
FRAME = [SQUARE, HOLE]


def theirs(truth: pd.DataFrame, predictions: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the summary metrics of pycocotools' evaluation of masks."""
    found = []
    for table in (truth, predictions):
        annotations = []
        for number, row in enumerate(table.to_dict("records"), 1):
            rle = polygon_to_rle(row["polygon"], (WIDTH, HEIGHT))
            if len(rings_of(row["polygon"])) == 1:
                [rle] = coco_mask.frPyObjects([rings_of(row["polygon"])[0].ravel().tolist()], HEIGHT, WIDTH)
            annotations.append({
                "id": number, "image_id": int(row["image"][0]), "category_id": "ab".index(row["label"]) + 1,
                "segmentation": rle, "area": float(coco_mask.area(rle)), "bbox": coco_mask.toBbox(rle).tolist(),
                "iscrowd": int(row.get("crowd", 0)), "score": row.get("confidence", 1.0),
            })  # fmt: skip
        found.append(COCO())
        found[-1].dataset = {
            "images": [{"id": number, "width": WIDTH, "height": HEIGHT} for number in range(6)],
            "categories": [{"id": 1}, {"id": 2}], "annotations": annotations,
        }  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            found[-1].createIndex()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*found, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.asarray(evaluation.stats)


@pytest.mark.parametrize("random_state", range(8))
def test_average_precision_is_that_of_pycocotools(random_state: int) -> None:
    truth, predictions, images = drawn_masks(random_state)
    found, expected = evaluate(truth, predictions, images, task="polygons"), theirs(truth, predictions)
    assert found.metric("coco_map") == pytest.approx(expected[0], abs=1e-6)
    assert found.metric("mean_average_precision") == pytest.approx(expected[1], abs=1e-6)
    assert found.task == "polygons"
    assert found.metric("coco_map") != pytest.approx(evaluate(truth, predictions, images).metric("coco_map"), abs=1e-3)


@pytest.mark.parametrize("task", ["polygons", None])
def test_tables_of_polygons_need_no_columns_of_boxes(task: str | None) -> None:
    truth, predictions, images = drawn_masks(0)
    tables = truth[truth["polygon"].notna()], predictions[predictions["polygon"].notna()]
    plain = [table.drop(columns=[name for name in (*BOX_COLUMNS, *CORNERS) if name in table]) for table in tables]
    around = [table.assign(**dict.fromkeys(BOX_COLUMNS, np.nan)) for table in plain]
    found, expected = (cl.evaluate(*pair, images, task=task) for pair in (plain, around))
    assert found.metric("coco_map") == expected.metric("coco_map") > 0
    pd.testing.assert_frame_equal(found.per_image, expected.per_image)
    assert "mAP" in repr(found)
    with pytest.raises(TableError, match="width, height are missing"):
        cl.evaluate(plain[0], plain[1].assign(left=1.0, top=1.0), images, task=task)


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a frame that is predicted as a full square, one found, and a box without a polygon."""
    box = dict(zip(CORNERS, (10, 10, 20, 20), strict=True))
    truth = pd.DataFrame([
        {"image": "1.jpg", "label": "frame", **box, "polygon": FRAME},
        {"image": "2.jpg", "label": "frame", **box, "polygon": FRAME},
        {"image": "3.jpg", "label": "box", **box, "polygon": None},
    ])  # fmt: skip
    predictions = pd.DataFrame([
        {"image": "1.jpg", "label": "frame", "confidence": 0.9, **box, "polygon": SQUARE},
        {"image": "2.jpg", "label": "frame", "confidence": 0.8, **box, "polygon": FRAME},
        {"image": "3.jpg", "label": "frame", "confidence": 0.7, **box, "polygon": SQUARE},
    ])  # fmt: skip
    return truth, predictions


def results(found: Evaluation) -> list[str]:
    return sorted(f"{row.image[0]} {row.label} {row.result}" for row in found.per_image.itertuples())


def test_every_table_is_of_masks() -> None:
    truth, predictions = frames()
    found = evaluate(truth, predictions, task="polygons", thresholds=0.5)
    assert results(found) == [
        "1 frame false negative", "1 frame false positive", "2 frame true positive", "3 box false negative",
        "3 frame false positive",
    ]  # fmt: skip
    row = found.per_image.set_index("image").loc["2.jpg"]
    assert (row["iou"], row["polygon"], row["truth_polygon"]) == (1, FRAME, FRAME)
    assert found.per_image.loc[found.per_image["image"] == "3.jpg", "taken_for"].dropna().tolist() == ["box"]
    assert found.confusion_matrix.to_frame().loc["box", "frame"] == 1
    assert "Compared as boxes because they have no polygon: 1 in truth, 0 in predictions." in found.notes
    sizes = found.by_box_size().set_index(["label", "size"])
    assert sizes.loc[("frame", "small"), ["tp", "fp", "fn"]].tolist() == [1, 2, 1]
    loose = evaluate(truth, predictions, task="polygons", thresholds=0.5, iou_threshold=0.3)
    assert loose.per_image["iou"].tolist() == pytest.approx([144 / 400, 1, 1, np.nan], nan_ok=True)
    assert evaluate(truth, predictions, thresholds=0.5).metric("coco_map") > found.metric("coco_map")
    report = cl.evaluate(truth, predictions, task="polygons", thresholds={"frame": 0.75})
    assert report.per_label.set_index("label").loc["frame", ["tp", "fp", "fn"]].tolist() == [1, 1, 1]
    assert "mAP" in repr(report)
    assert report.by("image").shape[0] > 0
    assert any(item.kind == "misplaced" for item in loose.advice) or len(found.advice) > 0


def test_new_ground_truth_is_judged_by_masks() -> None:
    truth, predictions = frames()
    found = evaluate(truth, predictions, task="polygons", thresholds=0.5)
    before, said = tables_of(found.outcomes)
    assert before["polygon"].tolist() == [FRAME, FRAME, None]
    assert said["polygon"].tolist() == [SQUARE, FRAME, SQUARE]
    new = truth.iloc[[0]].assign(polygon=[SQUARE])
    assert changed_images(found, ["1.jpg", "2.jpg"], pd.concat([new, truth.iloc[[1]]])) == ["1.jpg"]
    assert "1 frame true positive" in results(judged_by(found, new, ["1.jpg"]))


def test_polygons_that_cannot_be_masks_are_named() -> None:
    truth, predictions = frames()
    flat = evaluate(truth.assign(polygon=[FRAME, [[1, 1], [9, 9], [1, 1]], None]), predictions, task="polygons")
    assert any(note.startswith("True masks without a pixel: 1.") for note in flat.notes)
    vast = [[0, 0], [10**6, 0], [10**6, 10**6]]
    endless = [[1, 1], [9, 1], [9, float("nan")]]
    unusable = "A polygon of '2.jpg' in truth or predictions is not a list of finite points"
    for bad, message in (("round", unusable), (endless, unusable), (vast, "too many for masks")):
        with pytest.raises(TableError, match=re.escape(message)):
            evaluate(truth.assign(polygon=[FRAME, bad, None]), predictions, task="polygons")


def test_masks_are_not_compared_with_boxes() -> None:
    truth, predictions, images = drawn_masks(0)
    masks, boxes = (evaluate(truth, predictions, images, task=task) for task in ("polygons", "boxes"))
    with pytest.raises(InputError, match=re.escape("cl.evaluate(truth, predictions, task='boxes')")):
        compare(masks, boxes)
    assert compare(boxes, boxes).metric("f1")["delta"] == 0
