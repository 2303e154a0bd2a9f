from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings

from customlabels_nb.core.geometry import iou_of_pairs
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import matching
from customlabels_nb.evaluation.boxes import Boxes, make_boxes
from customlabels_nb.evaluation.matching import find_candidates
from tests.evaluation.box_cases import Case, cases
from tests.tiers import many


def one_by_one(boxes: Boxes, overlap: float) -> tuple[list[int], list[bool]]:
    """Return the matches and the predictions on crowds, one prediction after another as in COCO's evaluation."""
    taken: set[int] = set()
    matches, ignored = [], []
    for p in range(len(boxes.image)):
        best, most, on_crowd = -1, min(overlap, 1 - 1e-10), False
        for t in range(len(boxes.truth_image)):
            if boxes.truth_image[t] != boxes.image[p] or boxes.truth_label[t] != boxes.label[p]:
                continue
            (value,) = iou_of_pairs(boxes.box[p], boxes.truth_box[t], crowd=boxes.truth_crowd[t])
            if boxes.truth_crowd[t]:
                on_crowd |= bool(value >= min(overlap, 1 - 1e-10))
            elif t not in taken and value >= most:
                best, most = t, value
        taken.add(best)
        matches.append(best)
        ignored.append(best < 0 and on_crowd)
    return matches, ignored


@settings(max_examples=many(200))
@given(cases())
def test_matches_are_those_of_a_plain_loop(case: Case) -> None:
    boxes = make_boxes(*case)
    for overlap in (0.5, 0.1, 0.9, 1.0):
        at = boxes.at_iou_threshold(overlap)
        assert (at.match.tolist(), at.ignored.tolist()) == one_by_one(boxes, overlap)
        hit = at.match >= 0
        expected = iou_of_pairs(at.box[hit], at.truth_box[at.match[hit]])
        np.testing.assert_array_equal(at.match_iou[hit], expected)
        assert np.isnan(at.match_iou[~hit]).all()


@settings(max_examples=many(50))
@given(cases())
def test_blocks_and_neighbour_search_give_the_same_candidates(case: Case) -> None:
    whole = make_boxes(*case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_PAIRS_AT_ONCE", 3)
        patch.setattr(matching, "_MANY_BOXES", 1)
        parts = make_boxes(*case)
    np.testing.assert_array_equal(parts.candidates.prediction, whole.candidates.prediction)
    np.testing.assert_array_equal(parts.candidates.truth, whole.candidates.truth)
    np.testing.assert_array_equal(parts.match, whole.match)
    np.testing.assert_array_equal(parts.ignored, whole.ignored)


def test_a_box_goes_to_the_more_confident_prediction_and_the_other_takes_its_second_choice() -> None:
    truth = np.array([[0, 0, 10, 10], [2, 0, 10, 10]], dtype=float)
    predictions = np.array([[0.9, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    match, *_ = _candidates(predictions, truth).match(0.5)
    assert match.tolist() == [0, 1, -1]


def test_equal_iou_takes_the_last_box() -> None:
    truth = np.array([[0, 0, 10, 10], [4, 0, 10, 10], [0, 0, 10, 10]], dtype=float)
    match, *_ = _candidates(np.array([[2.0, 0, 10, 10]]), truth).match(0.5)
    assert match.tolist() == [2]


def test_equal_boxes_are_matched_one_to_one() -> None:
    same = np.tile([5.0, 5, 20, 20], (300, 1))
    match, overlaps, _ = _candidates(same, same[:200]).match(0.5)
    assert match.tolist() == [*range(199, -1, -1), *[-1] * 100]
    assert (overlaps[:200] == 1).all()


def test_overlap_equal_to_the_least_is_enough_and_zero_area_matches_nothing() -> None:
    truth = np.array([[0, 0, 10, 10], [50, 50, 0, 0]], dtype=float)
    predictions = np.array([[0, 0, 10, 5], [50, 50, 0, 0], [100, 0, 0, 10]], dtype=float)
    candidates = _candidates(predictions, truth)
    assert candidates.match(0.5)[0].tolist() == [0, -1, -1]
    assert candidates.match(np.nextafter(0.5, 1))[0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("overlap", [0, -0.5, 1.01, 50, True, "0.5", None, float("nan")])
def test_invalid_iou_thresholds_are_refused(overlap: object) -> None:
    truth = pd.DataFrame([{"image": "a.jpg", "label": "cat", "left": 0, "top": 0, "width": 9, "height": 9}])
    with pytest.raises(InputError, match="iou_threshold="):
        make_boxes(truth, truth.assign(confidence=1.0), iou_threshold=overlap)  # type: ignore[arg-type]


def _candidates(box: npt.NDArray[np.float64], truth_box: npt.NDArray[np.float64]) -> matching.Candidates:
    """Return the candidates of predictions of one group, most confident first."""
    groups = np.zeros(len(box), dtype=np.int64), np.zeros(len(truth_box), dtype=np.int64)
    return find_candidates(groups[0], box, groups[1], truth_box, np.zeros(len(truth_box), dtype=bool))
