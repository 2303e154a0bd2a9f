from __future__ import annotations

import warnings
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.comparison.comparing import compare
from customlabels_nb.evaluation.metrics import log_loss
from customlabels_nb.evaluation.scores import make_scores
from customlabels_nb.evaluation.summary import evaluation_summary
from tests.evaluation.cases import (
    multi_label_cases,
    multi_label_tables,
    one_label,
    random_tables,
    single_label_cases,
    tables,
)
from tests.facts import tells
from tests.tiers import many

OneLabel = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]
SingleLabel = tuple[list[int], npt.NDArray[np.float64]]
MultiLabel = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]

PER_LABEL = ["label", "f1", "precision", "recall", "threshold", "average_precision", "support", "test_images"]


@settings(max_examples=many(200))
@given(one_label())
def test_average_precision_is_scikit_learns(case: OneLabel) -> None:
    truth, confidence = case
    scores = make_scores(*tables([0 if has else 1 for has in truth], np.stack([confidence, 1 - confidence], axis=1)))
    assert scores.average_precision(0) == pytest.approx(sk.average_precision_score(truth, confidence), abs=1e-9)


@settings(max_examples=many(200))
@given(single_label_cases())
def test_figures_at_the_assumed_thresholds_are_scikit_learns(case: SingleLabel) -> None:
    truth, confidence = case
    found = evaluate(*tables(truth, confidence), thresholds="assumed")
    has = np.array(truth)[:, None] == np.arange(confidence.shape[1])
    here = has.any(axis=0)
    theirs = sk.precision_recall_fscore_support(has, confidence >= found.thresholds, zero_division=0.0)
    for name, expected in zip(("precision", "recall", "f1", "test_images"), theirs, strict=True):
        assert found.per_label[name].to_numpy() == pytest.approx(expected, abs=1e-12)
        if name != "test_images":
            assert found.metric(name) == pytest.approx(expected[here].mean(), abs=1e-12)
    assert found.metric("mean_average_precision") == pytest.approx(
        np.mean([sk.average_precision_score(has[:, j], confidence[:, j]) for j in np.flatnonzero(here)])
    )
    assert log_loss(found.outcomes) == pytest.approx(
        sk.log_loss(truth, confidence, labels=range(confidence.shape[1])), abs=1e-9
    )


@settings(max_examples=many(200))
@given(single_label_cases())
def test_the_most_confident_labels_figures_are_scikit_learns_report(case: SingleLabel) -> None:
    truth, confidence = case
    answer, labels = confidence.argmax(axis=1), range(confidence.shape[1])  # of tied labels the first
    found = evaluate(*tables(truth, confidence))
    theirs = sk.classification_report(truth, answer, labels=labels, output_dict=True, zero_division=0.0)
    for label, row in zip(labels, found.per_label.itertuples(), strict=True):
        expected = [theirs[str(label)][name] for name in ("precision", "recall", "f1-score", "support")]
        assert [row.precision, row.recall, row.f1, row.test_images] == pytest.approx(expected, abs=1e-12)
    here = sorted(set(truth))
    assert found.metric("f1") == pytest.approx(np.mean([theirs[str(label)]["f1-score"] for label in here]))
    assert found.metric("accuracy") == pytest.approx(sk.accuracy_score(truth, answer))
    assert found.per_label["threshold"].isna().all()
    assert np.isnan(found.metric("mean_threshold"))
    matrix, expected = found.confusion_matrix, sk.confusion_matrix(truth, answer, labels=labels)
    assert matrix.to_frame().to_numpy().tolist() == expected.tolist()
    assert matrix.values("truth").tolist() == pytest.approx(
        sk.confusion_matrix(truth, answer, labels=labels, normalize="true")
    )
    assert matrix.values("predicted").tolist() == pytest.approx(
        sk.confusion_matrix(truth, answer, labels=labels, normalize="pred")
    )


@settings(max_examples=many(200))
@given(single_label_cases(), st.sampled_from([0.0, 0.2, 0.5, 0.9, "assumed", "cross-validated"]))
def test_each_image_counts_once_in_the_matrix_under_its_answer_or_none(case: SingleLabel, thresholds: Any) -> None:
    truth, confidence = case
    assume(len(truth) > 1)
    found, k = evaluate(*tables(truth, confidence), thresholds=thresholds), confidence.shape[1]
    accepted = confidence >= found.applied.of_images()
    answer = np.where(accepted.any(axis=1), np.where(accepted, confidence, -1).argmax(axis=1), k)
    expected = sk.confusion_matrix(truth, answer, labels=range(k + 1))[:k]
    matrix = found.confusion_matrix
    assert matrix.columns[:k] == matrix.labels
    assert matrix.columns[k:] == (("(no answer)",) if found.thresholds.any() else ())
    assert matrix.counts.tolist() == expected[:, : len(matrix.columns)].tolist()
    assert matrix.counts.sum() == len(truth)
    assert matrix.values("truth").sum(axis=1) == pytest.approx((expected.sum(axis=1) > 0).astype(float))
    names = {f"image {i}.jpg": matrix.columns[column] if column < k else None for i, column in enumerate(answer)}
    assert all(row.predicted == names[row.image] or pd.isna(row.predicted) for row in found.per_image.itertuples())
    table = matrix.one_vs_rest()
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == len(truth)).all()
    assert table["tp"].tolist() == expected.diagonal().tolist()


def test_no_answer_column_is_renamed_beside_a_label_of_that_name() -> None:
    found = evaluate(*tables([0, 1], [[0.9, 0.1], [0.6, 0.4]], ["(no answer)", "b"]), thresholds=0.7)
    assert found.confusion_matrix.columns == ("(no answer)", "b", "((no answer))")
    assert found.confusion_matrix.counts.tolist() == [[1, 0, 0], [0, 0, 1]]


AVERAGES = {"": "macro", "micro_": "micro", "weighted_": "weighted"}


@settings(max_examples=many(400))
@given(single_label_cases(), st.randoms(use_true_random=False))
def test_metrics_by_the_most_confident_label_are_scikit_learns(case: SingleLabel, random: Random) -> None:
    truth, confidence = np.array(case[0]), case[1]
    (n, k), bare = confidence.shape, np.array([random.random() < 0.2 for _ in case[0]])
    given_pairs = (
        np.array([random.random() < 0.9 for _ in range(n * k)]).reshape(n, k) if random.random() < 0.5 else 1.0
    )
    kept = np.broadcast_to(given_pairs > 0, (n, k))
    rows, predictions = tables([None if no else label for no, label in zip(bare, case[0], strict=True)], confidence)
    names = [f"label {j}" for j in range(k)]
    images = predictions["image"].unique()
    if not kept.any() and bare.all():
        return
    found = evaluate(
        rows, predictions[kept.ravel()], images, labels=names, thresholds="most confident", task="single-label"
    )
    answer = np.where(kept.any(axis=1), np.where(kept, confidence, -1).argmax(axis=1), -1)
    true = np.where(bare, -2, truth)
    here = [label for label in range(k) if label in true]
    theirs = sk.precision_recall_fscore_support(true, answer, labels=range(k), zero_division=0.0)
    for name, expected in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert found.per_label[name].to_numpy() == pytest.approx(expected, abs=1e-12)
    for prefix, average in AVERAGES.items() if here else ():
        theirs = sk.precision_recall_fscore_support(true, answer, labels=here, average=average, zero_division=0.0)
        ours = [found.metric(f"{prefix}{name}") for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(theirs[:3], abs=1e-12)
    with warnings.catch_warnings(action="ignore"):
        agreement = (
            [sk.cohen_kappa_score(true[~bare], answer[~bare]), sk.matthews_corrcoef(true[~bare], answer[~bare])]
            if here
            else [np.nan, 0]
        )
    assert [found.metric("kappa"), found.metric("mcc")] == pytest.approx(agreement, abs=1e-9, nan_ok=True)
    assert found.metric("accuracy") == pytest.approx((true == answer)[~bare].mean() if here else 0)


@settings(max_examples=many(400))
@given(multi_label_cases(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_metrics_at_a_threshold_and_areas_are_scikit_learns(case: MultiLabel, random: Random, at: float) -> None:
    has, confidence = case
    k, kept = has.shape[1], np.array([random.random() < 0.8 for _ in range(has.size)]).reshape(has.shape)
    truth, predictions = multi_label_tables(has, confidence)
    found = evaluate(
        truth, predictions[kept.ravel()], predictions["image"].unique(), task="multi-label", thresholds=at,
        labels=[f"label {j}" for j in range(k)],
    )  # fmt: skip
    accepted, here = kept & (confidence >= at), np.flatnonzero(has.any(axis=0))
    for prefix, average in AVERAGES.items():
        theirs = sk.precision_recall_fscore_support(has, accepted, labels=here, average=average, zero_division=0.0)
        ours = [found.metric(f"{prefix}{name}") for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(theirs[:3], abs=1e-12)
    areas = []
    for j in range(k):
        score = np.where(kept, confidence, -np.inf)[:, j]
        if has[:, j].any() and not has[:, j].all():
            low = np.where(kept, confidence, -1)[:, j]
            areas.append(sk.roc_auc_score(has[:, j], low))
            x, y, thresholds = sk.roc_curve(has[:, j], low, drop_intermediate=False)
            ours = found.roc(f"label {j}").replace(-np.inf, -1).to_numpy().T
            assert ours == pytest.approx(np.array([x, y, thresholds]), abs=1e-12)
            assert found.per_label["roc_auc"][j] == pytest.approx(areas[-1], abs=1e-12)
        else:
            assert np.isnan(found.per_label["roc_auc"][j])
        recall = np.array([(has[:, j] & (score >= value)).sum() for value in sorted({*score} - {-np.inf})[::-1]])
        precision = recall / [max((score >= value).sum(), 1) for value in sorted({*score} - {-np.inf})[::-1]]
        area = (np.diff(recall, prepend=0) * precision).sum() / max(has[:, j].sum(), 1)
        assert found.per_label["average_precision"][j] == pytest.approx(area, abs=1e-12)
    assert found.metric("roc_auc") == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("map", "Did you mean 'mean_average_precision'?"),
        ("F1", "Did you mean 'f1'?"),
        ("macro_f1", "Did you mean 'f1'?"),
        ("coco_map", "coco_map is for detectors, and the task of this evaluation is 'multi-label'."),
        ("accuracy", "accuracy is for single-label models, and the task"),
    ],
)
def test_a_metric_that_does_not_exist_is_an_error_that_names_the_nearest(name: str, hint: str) -> None:
    found = evaluate(*random_tables(10, ["a", "b"]), task="multi-label")
    for of in (found, compare(found, found)):
        with pytest.raises(InputError, match=f"metric={name!r} does not exist") as error:
            of.metric(name)
        assert hint in str(error.value)
        assert "mean_average_precision" in str(error.value)


def test_columns_and_dtypes_of_the_label_table() -> None:
    table = evaluate(*random_tables(30, ["b", "a"]), thresholds="assumed").per_label
    assert list(table.columns) == [*PER_LABEL, "tp", "fp", "fn", "undefined", "f1_low", "f1_high", "roc_auc"]
    assert [table[name].dtype for name in ("f1", "threshold", "support", "undefined")] == [
        np.float64, np.float64, np.int64, np.bool_,
    ]  # fmt: skip
    assert table["label"].tolist() == ["a", "b"]
    assert not table.isna().any(axis=None)


def test_labels_without_test_images_are_listed_and_flagged_but_do_not_count() -> None:
    some = [[0.7, 0.2], [0.1, 0.6], [0.3, 0.6]]
    with_it = evaluate(*tables([0, 1, 0], [[*row, 0.1] for row in some], "abc"), thresholds="assumed")
    without = evaluate(*tables([0, 1, 0], some, "ab"), thresholds="assumed")
    assert with_it.per_label["undefined"].tolist() == [False, False, True]
    assert with_it.per_label.iloc[2][["f1", "average_precision", "support", "test_images"]].tolist() == [0] * 4
    for metric in ("f1", "precision", "recall", "mean_threshold", "mean_average_precision"):
        assert with_it.metric(metric) == pytest.approx(without.metric(metric))
    assert any("c" in note and "averages" in note for note in with_it.notes)


@pytest.mark.parametrize(("thresholds", "fp"), [(0.9, 0), (0.35, 1)])
def test_undefined_ratios_are_0_and_flagged(thresholds: float, fp: int) -> None:
    found = evaluate(*tables([0, 1], [[0.6, 0.4], [0.7, 0.3]], "ab"), thresholds=thresholds)
    row = found.per_label.set_index("label").loc["b"]
    assert row[["tp", "fp", "fn"]].tolist() == [0, fp, 1]
    assert row[["precision", "recall", "f1"]].tolist() == [0, 0, 0]
    assert row["undefined"]
    assert any("0/0" in note for note in found.notes)


def test_labels_the_predictions_do_not_know_are_missed_at_any_threshold() -> None:
    truth, predictions = tables([0, 1], [[0.6, 0.4], [0.3, 0.7]], "ab")
    truth.loc[1, "label"] = "unheard of"
    for thresholds in (None, 0):
        found = evaluate(truth, predictions, thresholds=thresholds)
        row = found.per_label.set_index("label").loc["unheard of"]
        assert row[["tp", "fp", "fn"]].tolist() == [0, 0, 1]
        assert any("does not predict unheard of" in note for note in found.notes)


def test_a_label_without_test_images_is_not_called_missed() -> None:
    truth, predictions = tables([0, 1], [[0.6, 0.4], [0.3, 0.7]], "ab")
    notes = evaluate(truth, predictions, labels=["a", "b", "c"]).notes
    assert any("no test image has c" in note.lower() for note in notes)
    assert not any("does not predict" in note for note in notes)


def test_a_label_that_is_never_predicted_has_an_average_precision_of_0() -> None:
    truth, predictions = tables([0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], "ab")
    found = evaluate(truth, predictions[predictions["label"] == "b"])
    assert found.per_label["average_precision"].tolist() == [0, 1]


def test_missing_pairs_have_confidence_0() -> None:
    truth, predictions = tables([0, 1, 1], [[0.6, 0.0], [0.0, 0.7], [0.3, 0.1]])
    sparse = predictions[predictions["confidence"] > 0]
    pd.testing.assert_frame_equal(evaluate(truth, sparse).per_label, evaluate(truth, predictions).per_label)


def test_missing_pairs_are_not_predicted_even_at_0() -> None:
    truth, predictions = tables([0, 1, 1], [[0.6, 0.4], [0.1, 0.9], [0.2, 0.0]], "ab")
    sparse = predictions[predictions["confidence"] > 0]
    assert evaluate(truth, predictions, thresholds=0).per_label["fn"].tolist() == [0, 0]
    assert evaluate(truth, sparse, thresholds=0).per_label["fn"].tolist() == [0, 1]
    # predicting b everywhere would make all three correct
    assert evaluate(truth, predictions, thresholds="assumed").thresholds[1] == 0
    assert evaluate(truth, sparse, thresholds="assumed").thresholds[1] == pytest.approx(0.65)


def test_images_without_predictions_are_missed_and_predicted_as_nothing() -> None:
    truth, predictions = tables([0, 1, 1], [[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]], "ab")
    found = evaluate(truth, predictions[predictions["image"] != "image 2.jpg"])
    assert found.per_label["fn"].tolist() == [0, 1]
    assert found.confusion_matrix.to_frame("truth").loc["b"].to_dict() == {"a": 0, "b": 0.5, "(no answer)": 0.5}
    assert found.metric("accuracy") == pytest.approx(2 / 3)
    missed = found.per_image.iloc[-1]
    assert missed["result"] == "false negative"
    assert pd.isna(missed["predicted"])
    assert any(tells(note, 1, 3, "test", "predictions") for note in found.notes)


def test_images_without_truth_count_as_negatives() -> None:
    truth, predictions = tables([0, 1, None], [[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]], "ab")
    found = evaluate(truth, predictions, thresholds=0.5)
    assert found.per_label["fp"].tolist() == [0, 1]
    assert found.metric("accuracy") == 1
    assert found.metric("test_images") == 3
    assert found.confusion_matrix.counts.sum() == 2


def test_images_choose_the_test_set() -> None:
    truth, predictions = random_tables(30, ["a", "b"])
    chosen = truth["image"][:12]
    found = evaluate(truth, predictions, pd.DataFrame({"image": [*chosen, "extra.jpg"]}))
    assert found.metric("test_images") == 13
    pd.testing.assert_frame_equal(
        found.per_label, evaluate(truth[:12], predictions[:24], images=[*chosen, "extra.jpg"]).per_label
    )
    assert any("18 images" in note for note in found.notes)


def test_per_image_rows() -> None:
    truth, predictions = tables([0, 1], [[0.3, 0.7], [0.1, 0.9]], "ab")
    rows = evaluate(truth, predictions, thresholds={"a": 0.35, "b": 0.5}).per_image
    assert rows.drop(columns=["confidence", "threshold"]).to_numpy().tolist() == [
        ["image 0.jpg", "b", "false positive", "a", "b"],
        ["image 0.jpg", "a", "false negative", "a", "b"],
        ["image 1.jpg", "b", "true positive", "b", "b"],
    ]
    assert rows["confidence"].tolist() == [0.7, 0.3, 0.9]
    assert rows["threshold"].tolist() == [0.5, 0.35, 0.5]
    assert list(rows.columns) == ["image", "label", "confidence", "result", "threshold", "truth", "predicted"]


def test_per_image_agrees_with_the_counts() -> None:
    found = evaluate(*random_tables(80, ["a", "b", "c"]))
    counts = found.per_image.groupby(["label", "result"]).size().unstack(fill_value=0)
    for result, column in (("true positive", "tp"), ("false positive", "fp"), ("false negative", "fn")):
        assert counts[result].tolist() == found.per_label[column].tolist()


def test_multi_label() -> None:
    truth = pd.DataFrame({"image": ["1", "1", "2", "3"], "label": ["a", "b", "a", "b"]})
    values = {"1": (0.9, 0.8), "2": (0.7, 0.6), "3": (0.2, 0.5)}
    rows = [(image, label, v) for image, pair in values.items() for label, v in zip("ab", pair, strict=True)]
    predictions = pd.DataFrame(rows, columns=["image", "label", "confidence"])
    found = evaluate(truth, predictions, thresholds=0.55, task="multi-label")
    assert found.per_label["tp"].tolist() == [2, 1]
    # image 1 correctly has both, image 2 only a and a wrong b, and on image 3 b is missed without another label
    assert found.confusion_matrix.to_frame().to_numpy().tolist() == [[2, 0], [0, 1]]
    assert found.confusion_matrix.confusions().empty
    assert found.confusion_matrix.one_vs_rest().to_numpy().tolist() == [["a", 2, 0, 0, 1], ["b", 1, 1, 1, 0]]
    # an a missed in favour of b is one confusion, whatever else is correct
    values["2"] = (0.1, 0.6)
    predictions["confidence"] = [v for pair in values.values() for v in pair]
    found = evaluate(truth, predictions, thresholds=0.55, task="multi-label")
    assert found.confusion_matrix.confusions().to_numpy().tolist() == [["a", "b", 1, 0.5]]
    assert "accuracy" not in found.summary["metric"].tolist()
    assert "predicted" not in found.per_image.columns
    expected = sk.log_loss([1, 1, 1, 0, 0, 1], predictions["confidence"])
    assert log_loss(found.outcomes) == pytest.approx(expected)


@settings(max_examples=many(200))
@given(multi_label_cases())
def test_multi_label_figures_are_scikit_learns(case: MultiLabel) -> None:
    has, confidence = case
    found = evaluate(*multi_label_tables(has, confidence), task="multi-label")
    accepted, here = confidence >= found.thresholds, has.any(axis=0)
    theirs = sk.precision_recall_fscore_support(has, accepted, average=None, zero_division=0.0)
    for name, expected in zip(("precision", "recall", "f1", "test_images"), theirs, strict=True):
        assert found.per_label[name].to_numpy() == pytest.approx(expected, abs=1e-12)
    assert found.per_label["f1"].to_numpy() == pytest.approx(sk.f1_score(has, accepted, average=None, zero_division=0))
    for label in np.flatnonzero(here):
        expected = sk.average_precision_score(has[:, label], confidence[:, label])
        assert found.per_label["average_precision"].iloc[label] == pytest.approx(expected, abs=1e-9)
    wrong, missed, right = accepted & ~has, has & ~accepted, (accepted & has).sum(axis=0)
    confused = (missed[:, :, None] & wrong[:, None, :]).sum(axis=0)
    assert found.confusion_matrix.counts.tolist() == (confused + np.diag(right)).tolist()
    assert found.confusion_matrix.predicted_counts.tolist() == accepted.sum(axis=0).tolist()
    matrices = sk.multilabel_confusion_matrix(has, accepted)
    assert found.per_label[["fp", "fn", "tp"]].to_numpy().tolist() == matrices.reshape(-1, 4)[:, 1:].tolist()
    tables = found.confusion_matrix.one_vs_rest()
    assert tables[["tn", "fp", "fn", "tp"]].to_numpy().tolist() == matrices.reshape(-1, 4).tolist()
    of_both = (has[:, :, None] & accepted[:, None, :]).sum(axis=0) / np.maximum(has.sum(axis=0), 1)[:, None]
    for cell in evaluation_summary(found)["AggregatedEvaluationResults"]["ConfusionMatrix"]:  # counted like the service
        g, p = (found.outcomes.labels.index(cell[f"{side}Label"]) for side in ("GroundTruth", "Predicted"))
        assert cell["Value"] == of_both[g, p]


def test_intervals_are_seeded() -> None:
    case = random_tables(50, ["a", "b"])
    first, again, other = (evaluate(*case, random_state=random_state).summary for random_state in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_no_mistakes_are_noted() -> None:
    found = evaluate(*tables([0, 1, 0], [[0.9, 0.1], [0.1, 0.9], [0.8, 0.2]]))
    assert found.metric("f1") == 1
    assert any("no mistakes" in note for note in found.notes)


def test_curve_of_a_label() -> None:
    found = evaluate(*random_tables(30, ["a", "b"]), thresholds="assumed")
    curve = found.curve("b")
    assert list(curve.columns) == ["threshold", "precision", "recall", "f1"]
    assert curve["f1"].max() == pytest.approx(found.per_label["f1"].iloc[1])


def test_ten_thousand_images_take_seconds() -> None:
    names = [f"label {j}" for j in range(40)]
    rng = np.random.default_rng(0)
    confidence = rng.random((10_000, 40))
    images = np.array([f"{i}.jpg" for i in range(10_000)], dtype=object)
    truth = pd.DataFrame({"image": images, "label": np.array(names, dtype=object)[rng.integers(0, 40, 10_000)]})
    predictions = pd.DataFrame(
        {"image": np.repeat(images, 40), "label": np.tile(names, 10_000), "confidence": confidence.ravel()}
    )
    found = evaluate(truth, predictions, thresholds=0.99)
    assert found.per_label["tp"].sum() + found.per_label["fn"].sum() == 10_000
