"""Test that average precision and recall equal those of the two COCO libraries for arbitrary boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings

from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.boxes import make_boxes
from customlabels_nb.evaluation.coco_metrics import IOU_THRESHOLDS, MOST_PREDICTIONS
from tests.evaluation.box_cases import Case, cases, drawn, predicted_boxes, true_boxes
from tests.evaluation.coco_libraries import figures_of
from tests.tiers import many

#: More than 100 predictions of a label in an image.
CROWDED = drawn(3, images=2, truths=40, predictions=700, coarse=False, crowds=0.1)
CROWDED_COARSE = drawn(4, images=2, truths=40, predictions=700, coarse=True, crowds=0.1)


@pytest.mark.parametrize("library", ["pycocotools", pytest.param("faster-coco-eval", marks=pytest.mark.thorough)])
@settings(max_examples=many(200))
@given(cases())
@example(CROWDED)
@example(CROWDED_COARSE)
def test_figures_are_those_of_the_coco_libraries(library: str, case: Case) -> None:
    boxes = make_boxes(*case)
    theirs = figures_of(library, boxes)
    assert (theirs.recall[0] > -1).tolist() == boxes.in_test_set.tolist()
    for number, overlap in enumerate(IOU_THRESHOLDS.tolist()):
        at = boxes.at_iou_threshold(overlap)
        ours = np.array([[at.average_precision(k), at.highest_recall(k)] for k in range(len(at.labels))])
        assert ours[:, 0] == pytest.approx(np.maximum(theirs.average_precision[number], 0), abs=1e-9)
        assert ours[:, 1] == pytest.approx(np.maximum(theirs.recall[number], 0), abs=1e-9)


@settings(max_examples=many(30))
@given(cases())
@example(CROWDED)
def test_figures_of_the_summary(case: Case) -> None:
    found = evaluate(*case)
    theirs = figures_of("faster-coco-eval", found.outcomes)
    assert found.metric("mean_average_precision") == pytest.approx(theirs.mean(theirs.average_precision[0]), abs=1e-9)
    assert found.metric("mean_average_recall") == pytest.approx(theirs.mean(theirs.recall[0]), abs=1e-9)
    assert found.metric("coco_map") == pytest.approx(theirs.mean(theirs.average_precision), abs=1e-9)


def test_predictions_beyond_the_hundredth_of_a_label_in_an_image_count_but_not_for_average_precision() -> None:
    wrong = [("1.jpg", "a", 0.9, 500 + number, 500, 10, 10) for number in range(MOST_PREDICTIONS)]
    right = ("1.jpg", "a", 0.8, 0, 0, 10, 10)
    truth = true_boxes(("1.jpg", "a", 0, 0, 10, 10))
    late = evaluate(truth, predicted_boxes(right, *wrong), thresholds=0)
    assert late.per_label[["tp", "fp", "average_precision"]].to_numpy().tolist() == [[1, MOST_PREDICTIONS, 0]]
    assert late.metric("mean_average_recall") == 0
    in_time = evaluate(truth, predicted_boxes(right, *wrong[1:]))
    assert in_time.per_label["average_precision"].tolist() == pytest.approx([1 / MOST_PREDICTIONS])
    assert in_time.metric("mean_average_recall") == 1


def test_the_values_without_the_limit_are_noted() -> None:
    truth = true_boxes(*(("1.jpg", "a", 20 * number, 0, 10, 10) for number in range(MOST_PREDICTIONS + 100)))
    found = evaluate(truth, truth.assign(confidence=0.9))
    limited, whole = found.metric("mean_average_precision"), "mean_average_precision is 1.000 instead of 0.505"
    assert limited == pytest.approx(0.505, abs=1e-3)
    assert any(f"{whole} and mean_average_recall is 1.000 instead of 0.500." in note for note in found.notes)
