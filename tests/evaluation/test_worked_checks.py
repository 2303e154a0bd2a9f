"""Worked checks of the definitions on real tables."""

from __future__ import annotations

import pandas as pd
import pytest

from customlabels_nb.evaluation import Evaluation, evaluate
from tests.evaluation.cases import caps_and_watches

CLOSE = 1e-5


@pytest.fixture(scope="module")
def published() -> Evaluation:
    return evaluate(*caps_and_watches(), thresholds="assumed")


def test_counts_and_ratios_at_the_assumed_thresholds(published: Evaluation) -> None:
    table = published.per_label.set_index("label")
    assert table["threshold"].tolist() == pytest.approx([0.98795, 0.01445], abs=CLOSE)
    assert table.loc["CAP", ["tp", "fp", "fn", "test_images"]].tolist() == [381, 7, 9, 390]
    assert table.loc["WATCH", ["tp", "fp", "fn", "test_images"]].tolist() == [227, 9, 7, 234]
    assert table["precision"].tolist() == pytest.approx([0.98196, 0.96186], abs=CLOSE)
    assert table["recall"].tolist() == pytest.approx([0.97692, 0.97009], abs=CLOSE)
    assert table["f1"].tolist() == pytest.approx([0.97943, 0.96596], abs=CLOSE)


def test_aggregates_are_the_unweighted_means(published: Evaluation) -> None:
    assert published.metric("precision") == pytest.approx(0.97191, abs=CLOSE)
    assert published.metric("recall") == pytest.approx(0.97350, abs=CLOSE)
    assert published.metric("f1") == pytest.approx(0.97270, abs=CLOSE)
    assert published.metric("mean_threshold") == pytest.approx((0.98795 + 0.01445) / 2, abs=CLOSE)


def test_confusion_matrix_by_the_most_confident_label() -> None:
    found = evaluate(*caps_and_watches())
    counts = found.confusion_matrix.to_frame()
    assert counts.loc["CAP"].to_dict() == {"CAP": 388, "WATCH": 2}
    assert counts.loc["WATCH"].to_dict() == {"CAP": 70, "WATCH": 164}
    shares = found.confusion_matrix.to_frame(normalize="truth")
    assert shares.loc["CAP"].tolist() == pytest.approx([388 / 390, 2 / 390], abs=1e-12)
    assert shares.loc["WATCH"].tolist() == pytest.approx([70 / 234, 164 / 234], abs=1e-12)
    assert found.metric("accuracy") == pytest.approx((388 + 164) / 624)


def test_confusion_matrix_at_the_assumed_thresholds(published: Evaluation) -> None:
    counts = published.confusion_matrix.to_frame()
    assert counts.loc["CAP"].to_dict() == {"CAP": 381, "WATCH": 9, "(no answer)": 0}
    assert counts.loc["WATCH"].to_dict() == {"CAP": 7, "WATCH": 227, "(no answer)": 0}


def test_figures_of_the_fixed_table(published: Evaluation) -> None:
    assert published.summary["metric"].tolist() == [
        "f1", "precision", "recall", "mean_threshold", "mean_average_precision", "micro_f1", "micro_precision",
        "micro_recall", "weighted_f1", "weighted_precision", "weighted_recall", "accuracy", "kappa", "mcc", "roc_auc",
        "test_images", "labels",
    ]  # fmt: skip
    with_interval = published.summary[published.summary["low"].notna()]
    assert with_interval["metric"].tolist() == ["f1", "precision", "recall", "accuracy"]
    assert (with_interval["low"] < with_interval["value"]).all()
    assert (with_interval["value"] < with_interval["high"]).all()
    assert (with_interval["high"] - with_interval["low"] < 0.08).all()


@pytest.mark.parametrize(
    ("tp", "fp", "fn", "precision", "recall", "f1"),
    [
        (5, 0, 3, 1.0, 5 / 8, 10 / 13),
        (8, 1, 0, 8 / 9, 1.0, 16 / 17),
        (9, 1, 0, 0.9, 1.0, 0.947368),
        (3, 7, 0, 0.3, 1.0, 0.461538),
        (19, 1, 76, 0.95, 0.2, 0.330435),
    ],
)
def test_teaching_examples(tp: int, fp: int, fn: int, precision: float, recall: float, f1: float) -> None:
    groups = [(tp, "apple", 0.5), (fn, "apple", 0.49), (fp, None, 0.8), (4, None, 0.1)]
    rows = [(label, confidence) for count, label, confidence in groups for _ in range(count)]
    truth = pd.DataFrame({"image": [f"{i}" for i in range(len(rows))], "label": [label for label, _ in rows]})
    predictions = truth.assign(label="apple", confidence=[confidence for _, confidence in rows])
    row = evaluate(truth, predictions, thresholds=0.5, task="multi-label").per_label.iloc[0]
    assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1), abs=CLOSE)
