from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.cross_validation import deal
from customlabels_nb.evaluation.scores import make_scores
from customlabels_nb.evaluation.thresholds import best_threshold
from tests.evaluation.cases import multi_label_cases, multi_label_tables, random_tables, steps, tables
from tests.tiers import many

HONEST = "cross-validated"


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(*random_tables(120, ["a", "b", "c"], random_state=4), thresholds=HONEST)


def test_each_fold_is_judged_by_thresholds_chosen_on_the_others(found: Evaluation) -> None:
    outcomes, folds = found.outcomes, found.applied.folds
    assert len(folds) == 5
    assert sorted(np.concatenate([images for images, _ in folds]).tolist()) == list(range(120))
    tp = np.zeros(3)
    for images, thresholds in folds:
        others = np.setdiff1d(np.arange(120), images)
        for label in range(3):
            expected = best_threshold(steps(outcomes.truth[others, label], outcomes.confidence[others, label]))
            assert thresholds[label] == expected
        tp += (outcomes.truth[images] & (outcomes.confidence[images] >= thresholds)).sum(axis=0)
    assert found.per_label["tp"].tolist() == tp.tolist()
    assert found.thresholds == pytest.approx(np.mean([at for _, at in folds], axis=0))
    assert found.per_label["threshold"].tolist() == found.thresholds.tolist()


def test_tables_agree_with_each_other(found: Evaluation) -> None:
    counts = found.per_image.groupby(["label", "result"]).size().unstack(fill_value=0)
    for result, column in (("true positive", "tp"), ("false positive", "fp"), ("false negative", "fn")):
        assert counts[result].tolist() == found.per_label[column].tolist()
    assert found.per_image["image"].drop_duplicates().tolist() == found.outcomes.images.tolist()
    assert found.applied.image_counts().sum(axis=0).tolist() == np.concatenate(found.applied.counts()).tolist()
    row = found.per_image.iloc[17]
    fold = next(at for images, at in found.applied.folds if row["image"] in found.outcomes.images[images])
    assert row["threshold"] == fold[found.outcomes.labels.index(row["label"])]
    # metrics without a threshold are unchanged
    plain = evaluate(*random_tables(120, ["a", "b", "c"], random_state=4))
    for metric in ("mean_average_precision", "roc_auc"):
        assert found.metric(metric) == plain.metric(metric)


def test_accepted_pairs_are_those_of_the_counts(found: Evaluation) -> None:
    accepted, truth = found.applied.accepted(), found.outcomes.truth
    assert (accepted & truth).sum(axis=0).tolist() == found.per_label["tp"].tolist()
    assert (accepted & ~truth).sum(axis=0).tolist() == found.per_label["fp"].tolist()


def test_parts_keep_the_thresholds_of_their_folds(found: Evaluation) -> None:
    chosen = np.random.default_rng(0).permutation(120)[:50]
    part = found.applied.only(chosen)
    assert (part.image_counts() != found.applied.image_counts()[chosen]).nnz == 0


def test_cross_validated_metrics_are_unbiased() -> None:
    """Test that thresholds chosen on the same images find something in random confidences, and honest ones do not."""
    rng = np.random.default_rng(0)
    gain = []
    for _ in range(20):
        truth = rng.integers(0, 2, 40)
        case = tables(truth.tolist(), rng.random((40, 2)))
        best, honest = (evaluate(*case, thresholds=thresholds) for thresholds in ("assumed", HONEST))
        gain.append(best.metric("f1") - honest.metric("f1"))
    assert np.mean(gain) > 0.03
    assert min(gain) >= 0


def test_notes_explain_cross_validation(found: Evaluation) -> None:
    assert any("cross-validated" in note and "on the other" in note for note in found.notes)
    assert not any("chosen on this test set" in note for note in found.notes)
    rare = evaluate(*tables([0] * 9 + [1], np.random.default_rng(0).random((10, 2)), "ab"), thresholds=HONEST)
    assert any("Only one test image has b" in note for note in rare.notes)


def test_folds_are_seeded() -> None:
    case = random_tables(40, ["a", "b"])
    first, again, other = (
        evaluate(*case, thresholds=HONEST, random_state=random_state).per_image for random_state in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@settings(max_examples=many(100))
@given(st.lists(st.integers(-1, 3), min_size=2, max_size=60), st.integers(0, 2**32 - 1))
def test_each_label_is_spread_as_evenly_as_can_be(labels: list[int], random_state: int) -> None:
    truth = [None if label < 0 else label for label in labels]
    outcomes = make_scores(*tables(truth, np.full((len(truth), 4), 0.5)))
    fold_of = deal(outcomes, random_state=random_state)
    folds = min(5, len(truth))
    sizes = np.bincount(fold_of, minlength=folds)
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1
    for label in range(4):
        own = np.bincount(fold_of[outcomes.truth[:, label]], minlength=folds)
        assert own.max() - own.min() <= 1


@settings(max_examples=many(50))
@given(multi_label_cases())
def test_images_of_several_labels_stay_together(case: object) -> None:
    has, confidence = case  # type: ignore[misc]
    truth, predictions = multi_label_tables(has, confidence)
    if len(has) < 2:
        with pytest.raises(NotEnoughDataError, match="only 1"):
            evaluate(truth, predictions, task="multi-label", thresholds=HONEST)
        return
    found = evaluate(truth, predictions, task="multi-label", thresholds=HONEST)
    assert (found.per_label["tp"] + found.per_label["fn"]).tolist() == has.sum(axis=0).tolist()


def test_boxes_are_dealt_by_image() -> None:
    rng = np.random.default_rng(2)
    rows = [(f"{i % 30}.jpg", "ab"[i % 2], 10.0 * (i // 30), 5.0, 8.0, 8.0) for i in range(120)]
    truth = pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"])
    predictions = truth.assign(confidence=rng.random(120), left=truth["left"] + 20 * (rng.random(120) < 0.3))
    found = evaluate(truth, predictions, thresholds=HONEST)
    assert (found.per_label["tp"] + found.per_label["fn"]).tolist() == [60, 60]
    counts = found.per_image.groupby(["label", "result"]).size().unstack(fill_value=0)
    assert counts["true positive"].tolist() == found.per_label["tp"].tolist()
    assert found.confusion_matrix.counts[:2, :2].trace() == found.per_label["tp"].sum()
    assert found.applied.accepted().sum() == found.per_label[["tp", "fp"]].to_numpy().sum()


def test_unknown_threshold_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"'cross validated'.*'cross-validated'"):
        evaluate(*random_tables(10, ["a", "b"]), thresholds="cross validated")
