from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.comparison.comparing import Comparison, compare
from customlabels_nb.evaluation.comparison.several import compare_versions
from customlabels_nb.evaluation.metrics import ratios
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.project.report import evaluate as report_of
from tests.evaluation.cases import HOSTILE, random_tables, tables
from tests.facts import facts, tells
from tests.project.test_report import Reader

FRUIT = ["apple", "orange", "banana"]
BOX = ["left", "top", "width", "height"]


def two(random_state: int = 0, images: int = 60, task: str = "single-label") -> tuple[Evaluation, Evaluation]:
    """Evaluate two models on the same images, the second one noisier."""
    truth, said = random_tables(images, FRUIT, random_state=random_state)
    noise = np.random.default_rng(random_state + 1).uniform(0.3, 1.2, len(said))
    other = said.assign(confidence=(said["confidence"] * noise).clip(0, 1)).sample(frac=1, random_state=random_state)
    return evaluate(truth, said, task=task), evaluate(truth, other, task=task)


def test_metrics_equal_those_of_the_two_evaluations() -> None:
    before, after = two()
    found = compare(before, after)
    for row in found.summary.itertuples():
        values = before.metric(row.metric), after.metric(row.metric)
        np.testing.assert_array_equal([row.before, row.after, row.delta], [*values, values[1] - values[0]])
    assert set(found.summary["metric"]) >= {"f1", "precision", "recall", "accuracy", "mean_average_precision"}
    labels = found.per_label.set_index("label")
    for evaluation, column in ((before, "before"), (after, "after")):
        assert labels[column].to_dict() == dict(
            zip(evaluation.per_label["label"], evaluation.per_label["f1"], strict=True)
        )
    assert list(found.per_label.columns) == ["label", "before", "after", "delta", "low", "high", "test_images"]
    assert (found.test_images, found.task, found.notes) == (60, "single-label", ())


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_intervals_are_those_of_a_paired_bootstrap_by_hand(task: str) -> None:
    before, after = two(task=task)
    found = compare(before, after, resamples=3000)
    rng, place = np.random.default_rng(99), pd.Index(after.outcomes.images).get_indexer(before.outcomes.images)
    assert isinstance(before.outcomes, Scores)
    assert isinstance(after.outcomes, Scores)
    accepted = [
        before.applied.accepted(),
        after.applied.accepted()[place],
    ]
    truth = before.outcomes.truth
    means, by_label = [], []
    for _ in range(3000):
        drawn = rng.integers(0, len(truth), len(truth))
        f1 = [
            ratios((truth & said)[drawn].sum(0), (~truth & said)[drawn].sum(0), (truth & ~said)[drawn].sum(0))[2]
            for said in accepted
        ]
        means.append(f1[1].mean() - f1[0].mean())
        by_label.append(f1[1] - f1[0])
    row = found.metric("f1")
    assert (row["low"], row["high"]) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.012)
    ends = np.percentile(by_label, [2.5, 97.5], axis=0)
    assert np.allclose(found.per_label[["low", "high"]].to_numpy().T, ends, atol=0.02)


def test_pairing_makes_intervals_narrow() -> None:
    # the same additional error, amid much noise shared by both
    truth, said = random_tables(200, FRUIT)
    wrong = said["image"].isin(["image 0.jpg", "image 1.jpg"])
    worse = said.assign(confidence=said["confidence"].where(~wrong, 0.01))
    before, after = evaluate(truth, said, thresholds=0.5), evaluate(truth, worse, thresholds=0.5)
    row = compare(before, after).metric("f1")
    alone = before.summary.set_index("metric").loc["f1"]
    assert row["high"] - row["low"] < (alone["high"] - alone["low"]) / 4


def test_equal_evaluations_have_no_difference() -> None:
    before, _ = two()
    found = compare(before, before)
    assert found.summary["delta"].dropna().eq(0).all()
    assert found.summary.loc[found.summary["delta"].isna(), "metric"].tolist() == ["mean_threshold"]
    assert found.per_label[["delta", "low", "high"]].eq(0).all(axis=None)
    assert found.fixed.empty
    assert found.broken.empty
    assert found.sentences == ["The predictions are the same.", f"F1 stays at {before.metric('f1'):.3f}."]
    assert compare(*two()).summary.equals(compare(*two()).summary)


def answers(said: list[int], sure: float = 0.8, **options: Any) -> Evaluation:
    """Evaluate a classifier that predicts these labels with this confidence."""
    confidence = np.full((len(said), 3), (1 - sure) / 2)
    confidence[np.arange(len(said)), said] = sure
    return evaluate(*tables([0, 0, 1, 1, 2, 2], confidence, FRUIT), task="single-label", **options)


def test_fixed_and_broken_images_of_single_label_models() -> None:
    found = compare(answers([1, 0, 1, 1, 2, 0]), answers([0, 0, 1, 2, 2, 1], 0.7))
    columns = ["image", "label", "before", "after", "confidence_before", "confidence_after"]
    assert found.fixed[columns].to_numpy().tolist() == [["image 0.jpg", "apple", "orange", "apple", 0.8, 0.7]]
    assert found.broken[columns].to_numpy().tolist() == [["image 3.jpg", "orange", "orange", "banana", 0.8, 0.7]]
    assert found.sentences[1] == "1 image fixed, 1 image broken."  # image 5 is wrong in both


def test_fixed_and_broken_labels_of_multi_label_models() -> None:
    truth = pd.DataFrame({"image": ["a", "a", "b"], "label": ["apple", "orange", "apple"]})
    pairs = pd.MultiIndex.from_product([["a", "b"], FRUIT[:2]], names=["image", "label"]).to_frame(index=False)
    before = evaluate(truth, pairs.assign(confidence=[0.9, 0.2, 0.9, 0.1]), task="multi-label", thresholds=0.5)
    after = evaluate(truth, pairs.assign(confidence=[0.8, 0.7, 0.9, 0.6]), task="multi-label", thresholds=0.5)
    found = compare(before, after)
    assert found.fixed.to_numpy().tolist() == [["a", "orange", "missed", "right", 0.2, 0.7]]
    assert found.broken.to_numpy().tolist() == [["b", "orange", "right", "false alarm", 0.1, 0.6]]
    assert tells(found.sentences[1], 1, "fixed", 1, 1, "broken", 1)


def boxes(rows: list[tuple[str, str, float]], **options: Any) -> pd.DataFrame:
    """Return boxes of 20 by 20 pixels by image, label and left edge."""
    return pd.DataFrame(
        [(image, label, left, 0.0, 20.0, 20.0) for image, label, left in rows], columns=["image", "label", *BOX]
    ).assign(**options)


def test_fixed_and_broken_boxes() -> None:
    truth = boxes([("a", "cat", 0), ("a", "cat", 100), ("b", "dog", 0), ("c", "cat", 0)])
    before = evaluate(truth, boxes([("a", "cat", 0), ("b", "dog", 0), ("c", "cat", 0)], confidence=0.9))
    after = evaluate(
        truth,
        boxes(
            [("c", "cat", 0), ("c", "cat", 300), ("c", "cat", 500), ("a", "cat", 100), ("a", "cat", 0)], confidence=0.9
        ),
    )
    found = compare(before, after)
    assert found.fixed.to_numpy().tolist() == [["a", "cat", "1 missed", "right"]]
    assert found.broken.to_numpy().tolist() == [
        ["c", "cat", "right", "2 false alarms"],
        ["b", "dog", "right", "1 missed"],
    ]
    assert {"mean_average_recall", "f1"} <= set(found.summary["metric"])
    labels = found.per_label.set_index("label")
    assert labels.loc["cat", "before"] == pytest.approx(4 / 5)
    assert labels.loc["cat", "after"] == pytest.approx(6 / 8)


@pytest.mark.parametrize("random_state", range(10))
def test_fixed_images_have_fewer_and_broken_images_more_mistakes(random_state: int) -> None:
    rng = np.random.default_rng(random_state)

    def some(number: int) -> pd.DataFrame:
        columns = {"image": rng.choice(list("abcdefgh"), number), "label": rng.choice(["cat", "dog"], number)}
        sides = {"left": rng.integers(0, 40, number), "top": 0, "width": rng.integers(1, 40, number), "height": 20}
        return pd.DataFrame(columns | sides).drop_duplicates().assign(confidence=lambda rows: rng.random(len(rows)))

    truth, images = some(15).drop(columns="confidence"), list("abcdefgh")
    before, after = evaluate(truth, some(30), images), evaluate(truth, some(30), images)
    found = compare(before, after)
    mistakes = [
        evaluation.per_image[evaluation.per_image["result"] != "true positive"].groupby(["image", "label"]).size()
        for evaluation in (before, after)
    ]
    change = mistakes[1].sub(mistakes[0], fill_value=0)
    for table, chosen in ((found.fixed, change < 0), (found.broken, change > 0)):
        assert set(zip(table["image"], table["label"], strict=True)) == set(change.index[chosen])
        assert not table.duplicated().any()


def test_images_in_only_one_are_named_or_left_out() -> None:
    truth, said = random_tables(30, FRUIT)
    before = evaluate(truth, said, thresholds="assumed")
    here = [f"image {i}.jpg" for i in range(3, 30)]
    fewer = said[said["image"].isin(here)]
    after = evaluate(truth[truth["image"].isin(here)], fewer, here, thresholds="assumed")
    few = ("'image 0.jpg'", "'image 1.jpg'", "'image 2.jpg'")
    with pytest.raises(InputError, match=facts(3, "before", *few, "common=True", 27)):
        compare(before, after)
    with pytest.raises(InputError, match=facts(3, "after", *few, "common=True", 27)):
        compare(after, before)
    found = compare(before, after, common=True)
    assert found.test_images == 27
    (note,) = found.notes
    assert tells(note, 3, "before")
    there = evaluate(truth[truth["image"].isin(here)], fewer, here, thresholds=dict(
        zip(before.outcomes.labels, before.thresholds.tolist(), strict=True)))  # fmt: skip
    assert found.metric("f1")["before"] == pytest.approx(there.metric("f1"))
    assert found.metric("f1")["after"] == after.metric("f1")
    elsewhere = evaluate(*(table.assign(image=table["image"] + "x") for table in (truth, said)))
    with pytest.raises(NotEnoughDataError, match="no test images in common"):
        compare(before, elsewhere, common=True)


def test_images_are_the_same_by_content_where_it_is_known() -> None:
    truth, said = random_tables(30, FRUIT)
    images = pd.DataFrame({"image": [f"image {i}.jpg" for i in range(30)], "sha256": [f"{i:064x}" for i in range(30)]})
    renamed = [table.assign(image="new/" + table["image"]) for table in (truth, said, images)]
    renamed[2] = renamed[2].sample(frac=1, random_state=0)
    renamed[1]["confidence"] = 1 - renamed[1]["confidence"]
    before = evaluate(truth, said, images)
    found = compare(before, evaluate(*renamed))
    assert found.test_images == 30
    assert found.truth_changed.empty
    assert set(found.broken["image"]) <= set(before.outcomes.images)
    assert len(found.broken) > 15
    with pytest.raises(NotEnoughDataError):
        compare(before, evaluate(renamed[0], renamed[1], renamed[2][["image"]]))


def test_other_tasks_and_iou_thresholds_are_refused() -> None:
    before, _ = two()
    case = random_tables(60, FRUIT)
    with pytest.raises(InputError, match="'single-label', of the other 'multi-label'"):
        compare(before, evaluate(*case, task="multi-label"))
    truth = boxes([("a", "cat", 0)])
    one, other = (evaluate(truth, truth.assign(confidence=0.5), iou_threshold=at) for at in (0.5, 0.75))
    with pytest.raises(InputError, match=facts("0.5", "0.75")):
        compare(one, other)


def test_labels_known_to_one_model_only() -> None:
    truth, said = random_tables(30, FRUIT)
    fewer = said[said["label"] != "banana"]
    without = evaluate(truth[truth["label"] != "banana"], fewer, said["image"].unique())
    found = compare(without, evaluate(truth, said))
    labels = found.per_label.set_index("label")
    assert labels.loc["banana", ["before", "test_images"]].tolist() == [0, 10]  # by the truth of the second one
    assert found.labels.set_index("label").loc["banana", ["in_before", "in_after"]].tolist() == [False, True]
    assert found.notes[0] == "Only after has the label 'banana'."
    assert found.sentences[-1] == "The ground truth of 10 images differs. Both are judged by that of 'after'."
    assert set(found.truth_changed["label"]) == {"banana"}
    # a model without a label that both truths have is compared on it
    known = compare(evaluate(truth, fewer), evaluate(truth, said)).per_label.set_index("label").loc["banana"]
    assert known["before"] == 0
    assert known["delta"] == known["after"] > 0


@pytest.mark.parametrize("task", ["single-label", "multi-label", "boxes", "polygons"])
def test_a_corrected_truth_is_not_counted_as_an_improvement(task: str) -> None:
    truth, said = drawn_tables() if task in ("boxes", "polygons") else random_tables(30, FRUIT)
    options: dict[str, Any] = {"task": task, "thresholds": 0.5}
    corrected = truth.drop(index=truth.index[0])
    corrected.loc[corrected.index[1], "label"] = next(
        name for name in said["label"].unique() if name != corrected["label"].iloc[1]
    )
    images = sorted({*truth["image"], *said["image"]})
    before, after = evaluate(truth, said, images, **options), evaluate(corrected, said, images, **options)
    assert before.metric("f1") != after.metric("f1")
    found = compare(before, after, names=("before", "after"))
    assert found.same_predictions
    assert found.metric("f1")["before"] == found.metric("f1")["after"] == after.metric("f1")
    assert found.fixed.empty
    assert found.broken.empty
    assert found.sentences[0] == "The predictions are the same."
    assert "differs. Both are judged by that of 'after'." in found.sentences[-1]
    assert set(found.truth_changed["image"]) == {truth["image"].iloc[0], corrected["image"].iloc[1]}
    moved = said.assign(confidence=1 - said["confidence"])
    assert not compare(before, evaluate(corrected, moved, images, **options)).same_predictions


def drawn_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables of boxes of two labels with outlines, and predictions, most of which match."""
    rows = [
        (f"{image}.jpg", "cat" if (image + box) % 3 else "dog", 30.0 * box, 10.0, 20.0, 20.0)
        for image in range(6)
        for box in range(2)
    ]
    truth = pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"])
    truth["polygon"] = [[[left, 10], [left + 20, 10], [left + 20, 30], [left, 30]] for left in truth["left"]]
    said = truth.assign(confidence=np.linspace(0.3, 0.95, len(truth)))
    said.loc[3, "label"] = "dog"
    return truth, said


def test_sentences_describe_the_change() -> None:
    truth, said = random_tables(300, FRUIT)
    wrong = said["image"].isin([f"image {i}.jpg" for i in range(60)])
    better = said.assign(confidence=said["confidence"].where(~wrong, np.roll(said["confidence"], 1)))
    found = compare(evaluate(truth, better, thresholds=0.4), evaluate(truth, said, thresholds=0.4), names=("v1", "v2"))
    assert found.sentences[0].startswith("F1 rises from ")
    assert "not significant" not in found.sentences[0]
    assert found.sentences[2].startswith("Significantly better (F1): ")
    back = compare(evaluate(truth, said, thresholds=0.4), evaluate(truth, better, thresholds=0.4))
    assert back.sentences[0].startswith("F1 falls from ")
    assert back.sentences[2].startswith("Significantly worse (F1): ")
    assert repr(found).startswith("v1 → v2, 300 test images\n\nF1 rises from ")
    assert "not significant" in compare(*two(random_state=3, images=24)).sentences[0]


def hostile() -> Comparison:
    """Compare two versions with hostile image and model names."""
    truth, said = random_tables(90, HOSTILE)
    names = {f"image {i}.jpg": f"<img src=x onerror=alert({i})>\x1b[2J" for i in range(90)}
    truth, said = (table.assign(image=table["image"].map(names)) for table in (truth, said))
    other = said.assign(confidence=np.random.default_rng(0).permutation(said["confidence"]))
    return compare(evaluate(truth, said), evaluate(truth, other), names=("<script>", "\x1b[2J"))


def test_every_name_is_escaped() -> None:
    found = hostile()
    assert len(found.broken) > 10
    html = found._repr_html_()
    read = Reader(html)
    assert not {"script", "img", "u"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert html.count("<style>") == html.count("</style>") == 1
    assert HOSTILE[0] in read.texts
    assert "\x1b" not in repr(found)
    assert f"broken: 10 of {len(found.broken)}" in html


def test_html_shows_the_metrics() -> None:
    found = compare(*two(), names=("fruit.1", "fruit.2"))
    text = " ".join(" ".join(Reader(found._repr_html_()).texts).split())
    assert "fruit.1 → fruit.2 60 test images" in text
    assert all(sentence in text for sentence in found.sentences)
    for row in found.per_label.itertuples():
        assert f"{row.label} {row.before:.3f} {row.after:.3f}" in text
    assert "threshold" not in text + repr(found)
    own = [dict.fromkeys(FRUIT, at) | {FRUIT[0]: 0.5} for at in (0.2, 0.5)]
    by_threshold = compare(*(evaluate(*random_tables(60, FRUIT), thresholds=at) for at in own))
    mean = np.mean(list(own[0].values()))
    assert f"mean threshold {mean:.3f} 0.500 +{0.5 - mean:.3f}" in " ".join(Reader(by_threshold._repr_html_()).texts)


def test_reports_compare() -> None:
    truth, said = random_tables(60, FRUIT)
    one, other = (report_of(truth, table, name=name) for table, name in ((said, "v1"), (said.iloc[::-1], "v2")))
    found = other.compare(baseline=one)
    assert found.names == ("v1", "v2")
    assert found.summary["delta"].dropna().eq(0).all()


def test_all_comparisons_are_read_from_the_baseline() -> None:
    truth, said = random_tables(60, FRUIT)
    poor, good = report_of(truth, said, name="poor"), report_of(truth, truth.assign(confidence=1.0), name="good")
    found = good.compare(baseline=poor)
    assert found.metric("f1")[["before", "after"]].tolist() == [poor.metric("f1"), 1]
    assert found.metric("f1")["delta"] == 1 - poor.metric("f1") > 0
    shown = good.show(baseline=poor).exploration.comparison
    assert shown is not None
    assert shown.names == found.names == ("poor", "good")
    pd.testing.assert_frame_equal(shown.summary, found.summary)
    pd.testing.assert_frame_equal(good.compare(poor).summary, found.summary)


@pytest.mark.parametrize("rules", [(None, 0.4), (0.4, None), (0.4, 0.6), ("cross-validated", None), ("assumed", None)])
def test_both_sides_are_evaluated_by_the_baselines_decision(rules: tuple[object, object]) -> None:
    truth, said = random_tables(80, FRUIT, random_state=3)
    other = said.assign(confidence=said["confidence"].to_numpy()[::-1])
    baseline = evaluate(truth, said, thresholds=rules[0])  # type: ignore[arg-type]
    given = evaluate(truth, other, thresholds=rules[1])  # type: ignore[arg-type]
    expected = evaluate(truth, other, thresholds=rules[0])  # type: ignore[arg-type]
    assert given.metric("f1") != expected.metric("f1")
    for found in (compare(baseline, given).metric("f1"), compare_versions([baseline, given], "ab").summary["f1"]):
        assert found.tolist()[:2] == [baseline.metric("f1"), expected.metric("f1")]
    found = compare(baseline, given)
    assert found.per_label["after"].tolist() == expected.per_label["f1"].tolist()
    again = compare(baseline, expected)
    for name in ("summary", "fixed", "broken"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))
    assert given.metric("f1") != expected.metric("f1")  # unchanged


def test_thresholds_by_label_of_each_side_stay() -> None:
    truth, said = random_tables(80, FRUIT, random_state=3)
    low, high = ({**dict.fromkeys(FRUIT, at), FRUIT[0]: 0.5} for at in (0.3, 0.6))
    found = compare(*(evaluate(truth, said, thresholds=at) for at in (low, high))).metric("mean_threshold")
    assert found[["before", "after"]].tolist() == pytest.approx([np.mean(list(at.values())) for at in (low, high)])


def test_versions_of_other_tasks_are_refused_by_name() -> None:
    one, several = evaluate(*random_tables(20, FRUIT)), evaluate(*random_tables(20, FRUIT), task="multi-label")
    with pytest.raises(InputError, match="task of one evaluation"):
        compare_versions([one, several, one], "abc")


def test_an_image_without_an_answer_is_broken() -> None:
    found = compare(answers([0, 0, 1, 1, 2, 2], thresholds=0.5), answers([0, 0, 1, 1, 2, 1], 0.4, thresholds=0.5))
    assert found.fixed.empty
    assert found.broken["image"].tolist() == [f"image {i}.jpg" for i in range(6)]
    assert found.broken["after"].isna().all()
    assert "—" in found._repr_html_()


def test_comparison_can_be_plotted() -> None:
    ax = compare(*two(), names=("a $model", "x" * 40)).plot()
    assert ax.has_data()
    assert ax.get_title() == rf"Change in F1 per label, a \$model → {'x' * 29}…"
    plt.close("all")
