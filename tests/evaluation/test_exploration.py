"""Tests of exploring an evaluation: positions, filters, and a page that must show the same numbers."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.errors import InputError, LabelError, NotEnoughDataError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.exploring import Exploration, Filter, Position
from customlabels_nb.evaluation.exploring.filtering import name_ranks
from customlabels_nb.evaluation.exploring.packing import as_buffers, pack
from customlabels_nb.evaluation.metrics import aggregate, overall_metrics, per_label_table
from customlabels_nb.evaluation.outcome_tables import changed_images, judged_by, tables_of
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.slices import slice_table
from tests import provision
from tests.evaluation.box_cases import drawn, drawn_masks, predicted_boxes, shop
from tests.evaluation.cases import HOSTILE, random_tables, tables

DRIVER = Path(__file__).parents[1] / "js" / "results_driver.js"
SHORT = {"true positive": "tp", "false positive": "fp", "false negative": "fn"}


def several_labels(random_state: int = 1) -> Evaluation:
    """Evaluate images with any number of labels, some pairs without prediction and many equal confidences."""
    rng = np.random.default_rng(random_state)
    images, labels = [f"folder/{n}.jpg" for n in range(40)], ["a", "b", "c", "never"]
    has = rng.random((40, 3)) < [0.5, 0.2, 0.1]
    truth = pd.DataFrame(
        [(images[i], labels[j]) for i, j in zip(*np.nonzero(has), strict=True)], columns=["image", "label"]
    )
    rows = [
        (
            images[i],
            labels[j],
            round(float(np.clip(0.3 + 0.4 * (j < 3 and has[i, min(j, 2)]) + rng.normal(0, 0.2), 0, 1)), 1),
        )
        for i in range(40)
        for j in range(4)
        if rng.random() < 0.9
    ]
    table = pd.DataFrame({"image": images, "camera": ["left", "right"] * 20, "day": range(40)})
    predictions = pd.DataFrame(rows, columns=["image", "label", "confidence"])
    return evaluate(truth, predictions, table, task="multi-label")


def one_label(**options: Any) -> Evaluation:
    truth, predictions = random_tables(60, ["apple", "pear", "plum"], random_state=3)
    return evaluate(truth.iloc[2:], predictions, predictions["image"].unique(), **options)


def boxes(random_state: int, **options: Any) -> Evaluation:
    truth, predictions, images = drawn(
        random_state, images=9, truths=40, predictions=70, coarse=random_state % 2 == 0, crowds=0.1
    )
    return evaluate(truth, predictions, images, task="boxes", **options)


# -- agreement of page and Python -------------------------------------------------------------------
def ask_page(exploration: Exploration, asked: list[tuple[Position, Filter]]) -> list[dict[str, Any]]:
    """Run the page's code for these positions and filters and return its results."""
    facts, arrays = pack(exploration)
    described, buffers = as_buffers(arrays)
    content = {
        "facts": facts,
        "described": described,
        "buffers": [base64.b64encode(buffer).decode() for buffer in buffers],
        "asked": [{"position": position.to_dict(), "filter": chosen.to_dict()} for position, chosen in asked],
    }
    node = [provision.find_node(), str(DRIVER)]
    done = subprocess.run(node, input=json.dumps(content), capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def positions_of(evaluation: Evaluation) -> list[Position]:
    """Return the positions to compare for an evaluation."""
    labels = evaluation.outcomes.labels
    found = [
        Position(),
        *([Position("cross-validated")] if len(evaluation.outcomes.images) > 1 else []),
        *(Position("one", one=value) for value in (0.0, 0.3, 0.5, 0.55, 1.0)),
        Position("per label", own={labels[0]: 0.3, labels[-1]: 0.7}),
    ]
    if evaluation.task == "single-label":
        found.append(Position("most confident"))
    if not isinstance(evaluation.outcomes, Boxes):
        return found
    return [replace(one, iou_threshold=overlap) for one in found for overlap in (0.05, 0.3, 0.5, 0.75, 1.0)]


def filters_of(exploration: Exploration) -> list[Filter]:
    """Return the filters to compare for an exploration."""
    labels = exploration.evaluation.outcomes.labels
    rows = exploration.evaluation.confusion_matrix.labels
    found = [
        Filter(show=show, sort=sort)
        for show in ("mistakes", "all", "tp", "fp", "fn")
        for sort in ("confident", "unsure")
    ]
    found += [Filter(show=show, label=labels[0]) for show in ("mistakes", "all", "fn")]
    found += [Filter("all", pair=(t, p), sort="name") for t in rows for p in exploration.columns]
    found += [Filter("all", search=text, sort="given") for text in ("1", "R/1", "nothing at all")]
    found += [Filter("all", images=tuple(exploration.names[2:5]))]
    found += [Filter("mistakes", slice=(c, name)) for c, parts in exploration.slices.items() for name in parts]
    return found


CASES: dict[str, Callable[[], Evaluation]] = {
    "single-label": one_label,
    "single-label, cross-validated": lambda: one_label(thresholds="cross-validated"),
    "one image": lambda: evaluate(*tables([0], [[0.9, 0.1]])),
    "nothing true": lambda: evaluate(*tables([None, None, 0], [[0.9], [0.2], [0.4]]), task="multi-label"),
    "multi-label": several_labels,
    "multi-label 5": lambda: several_labels(5),
    **{f"boxes {random_state}": partial(boxes, random_state) for random_state in range(6)},
    "boxes, cross-validated": lambda: boxes(7, thresholds="cross-validated", iou_threshold=0.3),
    "boxes, nothing predicted": lambda: evaluate(shop()[0], shop()[1].head(0)),
    "boxes, nothing true": lambda: evaluate(shop()[0].tail(1), shop()[1], shop()[0]["image"].unique()),
    "shop": lambda: evaluate(*shop()),
    **{
        f"masks {random_state}": lambda random_state=random_state: evaluate(*drawn_masks(random_state), task="polygons")
        for random_state in range(2)
    },  # type: ignore[misc]
}


@pytest.mark.parametrize(
    "case",
    [
        case
        if case in ("single-label", "multi-label", "shop", "masks 0")
        else pytest.param(case, marks=pytest.mark.exhaustive if case[-1] in "12345" else pytest.mark.thorough)
        for case in CASES
    ],
)
def test_the_page_computes_what_python_does(case: str) -> None:
    evaluation = CASES[case]()
    evaluation.images["camera"] = [("left", "right")[number % 3 == 0] for number in range(len(evaluation.images))]
    exploration = Exploration(evaluation)
    filters = filters_of(exploration)
    positions = positions_of(evaluation)
    asked = [(position, filters[(7 * n + m) % len(filters)]) for n, position in enumerate(positions) for m in range(8)]
    asked += [(positions[n % len(positions)], chosen) for n, chosen in enumerate(filters)]
    known: dict[Any, tuple[Any, ...]] = {}
    for (position, chosen), said in zip(asked, ask_page(exploration, asked), strict=True):
        exploration.move_to(position)
        key = id(position), chosen.slice
        if key not in known:
            within = partial(Filter, slice=chosen.slice)
            shown = {show: len(exploration.choose(within(show))) for show in ("all", "mistakes", "tp", "fp", "fn")}
            inside = exploration.choose(within("all"))
            part = exploration.applied.only(np.sort(inside))
            rows = [(r.label, r.confidence, SHORT[r.result]) for r in exploration.rows([0]).itertuples()]
            matrix = part.confusion()
            pairs = [within("all", pair=(t, p)) for t in matrix.labels for p in matrix.columns]
            counted = [len(exploration.choose(pair)) for pair in pairs]
            table = per_label_table(part)
            metrics = overall_metrics(part, table)
            averages = [metrics.get("mean_average_precision"), metrics.get("mean_average_recall")]
            averages += table["average_precision"].tolist()
            known[key] = table, matrix, counted, shown, sorted(rows) if 0 in inside else None, averages
        table, matrix, counted, shown, rows, averages = known[key]
        assert said["averages"] is None or said["averages"] == pytest.approx(averages, abs=1e-12), position
        top = position.mode == "most confident"
        assert said["thresholds"] == [None if top else value for value in exploration.thresholds.values()]
        for column in ("tp", "fp", "fn", "f1", "precision", "recall"):
            assert said[column] == table[column].tolist(), (position, column)
        means = aggregate(table)
        for name in ("f1", "precision", "recall"):
            assert said["means"][name] == pytest.approx(means[name], abs=1e-14)
        assert said["means"]["threshold"] == (None if top else pytest.approx(means["mean_threshold"], abs=1e-14))
        assert said["matrix"] == matrix.counts.ravel().tolist(), position
        assert said["width"] == len(matrix.columns)
        right = matrix.counts.trace() / max(1, matrix.counts.sum())
        assert said["accuracy"] == (right if evaluation.task == "single-label" else None)
        assert said["cell_images"] == counted, position
        assert isinstance(evaluation.outcomes, Boxes) or counted == said["matrix"], (
            "a cell opens as many images as it counts"
        )
        assert said["chosen"] == exploration.choose(chosen).tolist(), (position, chosen)
        assert {name: said["counts"][name] for name in shown} == shown
        assert rows is None or sorted(map(tuple, said["items"])) == rows


@pytest.mark.parametrize("case", ["single-label", "boxes 1"])
def test_page_curves_equal_metrics_at_each_step(case: str) -> None:
    exploration = Exploration(CASES[case]())
    overlap = exploration.position.iou_threshold
    exploration.evaluation.images["half"] = ["first", "second"] * (len(exploration.names) // 2) + ["second"] * (
        len(exploration.names) % 2
    )
    for chosen in (None, ("half", "first")):
        curve = ask_page(exploration, [(exploration.position, Filter(slice=chosen))])[0]["curve"]
        images = np.sort(exploration.choose(Filter("all", slice=chosen)))
        for step in range(0, 201, 20):
            exploration.move_to(Position("one", one=step / 200, iou_threshold=overlap))
            table = per_label_table(exploration.applied.only(images))
            metrics = aggregate(table)
            assert curve["f1"][step] == pytest.approx(metrics["f1"], abs=1e-12)
            assert curve["recall"][step] == pytest.approx(metrics["recall"], abs=1e-12)
            if table["tp"].sum() + table["fp"].sum():
                assert curve["precision"][step] == pytest.approx(metrics["precision"], abs=1e-12)


# -- positions --------------------------------------------------------------------------------------
def test_exploration_starts_at_the_evaluations_thresholds() -> None:
    for thresholds, mode in (
        (None, "most confident"),
        ("assumed", "assumed"),
        (0.4, "one"),
        ({"apple": 0.9}, "per label"),
        ("cross-validated", "cross-validated"),
    ):
        evaluation = one_label(thresholds=thresholds)
        exploration = Exploration(evaluation)
        assert exploration.position.mode == mode
        pd.testing.assert_frame_equal(exploration.per_label.iloc[:, :11], evaluation.per_label.iloc[:, :11])
        assert exploration.metrics["f1"] == evaluation.metric("f1")


def test_moved_sliders_equal_an_evaluation_at_those_thresholds() -> None:
    truth, predictions, images = drawn(3, images=9, truths=40, predictions=70, coarse=False, crowds=0.1)
    exploration = Exploration(evaluate(truth, predictions, images, task="boxes"))
    for thresholds, overlap in ((0.4, 0.5), (None, 0.7), ({"a": 0.8}, 0.3), ("cross-validated", 0.4)):
        exploration.set_thresholds(thresholds)
        exploration.set_iou_threshold(overlap)
        there = evaluate(truth, predictions, images, task="boxes", thresholds=thresholds, iou_threshold=overlap)
        pd.testing.assert_frame_equal(exploration.per_label.iloc[:, :11], there.per_label.iloc[:, :11])
        assert exploration.confusion_matrix.counts.tolist() == there.confusion_matrix.counts.tolist()
        assert exploration.intervals()["f1"] == pytest.approx((there.summary.low[0], there.summary.high[0]))


def test_invalid_thresholds_are_refused_and_change_nothing() -> None:
    exploration = Exploration(one_label())
    before = exploration.position
    for wrong in (1.5, -0.1, "best", {"apple": 2}, float("nan")):
        with pytest.raises(InputError):
            exploration.set_thresholds(wrong)
    with pytest.raises(LabelError, match="kiwi"):
        exploration.set_thresholds({"kiwi": 0.5})
    with pytest.raises(InputError, match="detector"):
        exploration.set_iou_threshold(0.5)
    with pytest.raises(InputError, match=r"between 0.05 and 1"):
        Exploration(boxes(1)).set_iou_threshold(0.01)
    with pytest.raises(InputError, match="mode"):
        Position("somewhere")
    assert exploration.position is before
    alone = Exploration(evaluate(*tables([0], [[0.9, 0.1]])))
    with pytest.raises(NotEnoughDataError, match="single test image"):
        alone.set_thresholds("cross-validated")


# -- images -----------------------------------------------------------------------------------------
def test_filters_find_each_type_of_mistake() -> None:
    exploration = Exploration(evaluate(*shop(), thresholds=0.5))

    def names(**asked: Any) -> list[str]:
        return [exploration.names[at] for at in exploration.choose(Filter(**asked))]

    assert names(show="all", sort="name") == ["1.jpg", "2.jpg", "3.jpg"]
    assert names(show="mistakes") == ["1.jpg", "2.jpg"]
    assert names(show="fn") == ["1.jpg"]
    assert names(show="fp", sort="given") == ["1.jpg", "2.jpg"]
    assert names(show="fp", label="pear") == ["2.jpg"]
    assert names(show="all", pair=("pear", "apple")) == ["1.jpg"]
    assert names(show="all", pair=("background", "pear")) == ["2.jpg"]
    assert names(show="all", pair=("apple", "background")) == ["1.jpg"]
    assert names(show="all", pair=("pear", "background")) == []
    assert names(show="all", search="2.J") == ["2.jpg"]
    rows = exploration.table([0, 2])
    assert rows["misses"].tolist() == [2, 0]
    assert rows["false_positives"].tolist() == [1, 0]
    assert rows["predicted"].tolist() == ["apple", ""]
    assert rows["true"].tolist() == ["apple, pear", ""]


def test_boxes_of_each_kind_of_mistake() -> None:
    truth, predictions = shop()
    near = predicted_boxes(("3.jpg", "pear", 0.6, 0, 0, 10, 10), ("1.jpg", "apple", 0.51, 200, 0, 100, 20))
    exploration = Exploration(evaluate(truth, pd.concat([predictions, near]), thresholds=0.5))

    def found(*asked: Any) -> list[tuple[Any, ...]]:
        table = exploration.boxes(*asked)[["image", "label", "left", "confidence"]]
        return list(table.astype(object).where(table.notna(), None).itertuples(index=False, name=None))

    pear, beside = ("1.jpg", "pear", 400.0, None), ("1.jpg", "apple", 200.0, 0.51)
    assert found("false negatives") == [("1.jpg", "apple", 200.0, None), pear]
    assert found("false negatives", "pear", "apple") == [pear]
    assert found("false negatives", "pear", "background") == []
    assert found("wrong label") == [("1.jpg", "apple", 400.0, 0.7), pear]
    assert found("wrong label", "apple") == []
    assert found("badly placed") == found("badly placed", "apple", "apple") == [beside]
    assert [row[3] for row in found("false positives")] == [0.7, 0.6, 0.6, 0.55, 0.51]
    assert found("false positives", "background", "apple") == [beside]
    matrix = exploration.confusion_matrix
    for row, true in enumerate(matrix.labels):  # the cells of the matrix count the same boxes
        kinds = {name: "false positives" for name in matrix.labels if name != true} | {"background": "false negatives"}
        counts = {name: len(found(kind, true, name)) for name, kind in kinds.items()}
        assert counts == {name: matrix.counts[row, matrix.labels.index(name)] for name in kinds}
    exploration.set_thresholds(0.65)
    assert found("badly placed") == []
    with pytest.raises(InputError, match="kind='lost'"):
        found("lost")
    with pytest.raises(LabelError, match="kiwi"):
        found("wrong label", None, "kiwi")


def test_slices_are_those_of_the_report() -> None:
    evaluation = several_labels()
    exploration = Exploration(evaluation)
    assert set(exploration.slices) == {"camera", "day"}
    for column, parts in exploration.slices.items():
        table = slice_table(evaluation.applied, evaluation.images, column)
        assert list(parts) == table["slice"].tolist()
        assert [len(exploration.choose(Filter("all", slice=(column, name)))) for name in parts] == table[
            "test_images"
        ].tolist()
        for name, f1, images in zip(table["slice"], table["f1"], table["test_images"], strict=True):
            exploration.filter = Filter("all", slice=(column, name))
            assert exploration.metrics["f1"] == pytest.approx(f1)
            assert len(exploration.counted.outcomes.images) == images
            assert np.diag(exploration.confusion_matrix.counts).tolist() == exploration.per_label["tp"].tolist()
    with pytest.raises(InputError, match="camera"):
        exploration.choose(Filter(slice=("lens", "wide")))
    with pytest.raises(InputError, match="left"):
        exploration.choose(Filter(slice=("camera", "top")))


def test_invalid_filters_are_refused() -> None:
    exploration = Exploration(one_label())
    for wrong in ({"show": "some"}, {"sort": "best"}, {"pair": "apple"}, {"pair": ("a", "b", "c")}, {"search": 3},
                  {"pair": 5}, {"slice": 5}, {"images": 5}):  # fmt: skip
        with pytest.raises(InputError):
            Filter(**wrong)  # type: ignore[arg-type]
    with pytest.raises(LabelError, match="kiwi"):
        exploration.check(Filter(label="kiwi"))
    with pytest.raises(LabelError, match=r"The columns are \['apple', 'pear', 'plum', '\(no answer\)'\]"):
        exploration.check(Filter(pair=("apple", "kiwi")))
    with pytest.raises(InputError, match="fixed"):
        exploration.check(Filter("fixed"))


def test_suspects_filter_equals_the_advice() -> None:
    confidence = [[0.95, 0.05]] * 20 + [[0.05, 0.95]] * 20
    exploration = Exploration(evaluate(*tables([0] * 19 + [1] * 21, confidence)))
    assert exploration.suspects == ["image 19.jpg"]
    assert exploration.choose(Filter("suspects")).tolist() == [19]


def test_images_that_another_version_gets_right_are_a_group() -> None:
    truth = [0, 0, 1, 1]
    before = evaluate(*tables(truth, [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]))
    after = evaluate(*tables(truth, [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]))
    exploration = Exploration(after, name="new")
    found = exploration.compare_with(before, "old")
    assert found is not None
    assert found.names == ("old", "new")
    assert exploration.choose(Filter("fixed")).tolist() == [1]
    assert exploration.choose(Filter("broken")).tolist() == [2]
    exploration.filter = Filter("broken")
    assert exploration.compare_with(None) is None
    assert exploration.filter == Filter()


def test_hostile_names_stay_text() -> None:
    exploration = Exploration(evaluate(*random_tables(30, HOSTILE, random_state=1)))
    facts, _ = pack(exploration)
    assert [own["label"] for own in facts["labels"]] == list(exploration.evaluation.outcomes.labels)
    assert (
        len(ask_page(exploration, [(Position("per label", own={HOSTILE[0]: 0.2}), Filter("all", label=HOSTILE[1]))]))
        == 1
    )


def test_mistakes_are_sorted_by_the_confidence_that_their_tiles_show() -> None:
    confidence = [[0.44, 0.56], [0.16, 0.84], [0.32, 0.68], [0.2, 0.3], [0.1, 0.1], [1.0, 0.0]]
    exploration = Exploration(evaluate(*tables([0, 0, 0, 0, 0, 1], confidence)))
    assert exploration.choose(Filter("mistakes")).tolist() == [5, 1, 2, 0, 3]  # 1.00, 0.84, 0.68, 0.56, 0.30
    exploration.set_thresholds(0.4)
    # two accepted labels, and images that miss their label
    assert exploration.choose(Filter("mistakes")).tolist() == [5, 1, 2, 0, 3, 4]  # …, 0.20, 0.10


def test_advice_follows_the_thresholds() -> None:
    exploration = Exploration(one_label(thresholds=0.95))
    before = exploration.advice
    assert before is exploration.evaluation.advice
    assert before.about("threshold")
    exploration.set_thresholds("most confident")
    there = one_label().advice
    assert [item.text for item in exploration.advice] == [item.text for item in there] != [item.text for item in before]
    assert exploration.suspects == list(dict.fromkeys(n for item in there.about("label_error") for n in item.names))
    exploration.set_thresholds(0.95)
    assert [item.text for item in exploration.advice] == [item.text for item in before]


def test_comparison_is_shown_at_the_rule_that_it_used() -> None:
    exploration = Exploration(one_label())
    exploration.compare_with(one_label(thresholds=0.4))
    assert (exploration.position.mode, exploration.position.one) == ("one", 0.4)
    exploration.compare_with(one_label(thresholds="assumed"))
    assert exploration.position == exploration.compared_at == replace(exploration.own, mode="assumed")
    broken = exploration.comparison.broken["image"]  # type: ignore[union-attr]
    shown = exploration.choose(Filter("mistakes"))
    assert set(broken) <= {exploration.names[number] for number in shown}
    exploration.compare_with(one_label())
    assert exploration.position is exploration.own


# -- other ground truth -----------------------------------------------------------------------------
def test_the_same_truth_gives_the_same_evaluation() -> None:
    for evaluation in (
        one_label(),
        several_labels(),
        boxes(1),
        boxes(2, thresholds=0.4, iou_threshold=0.3),
        one_label(thresholds="cross-validated"),
    ):
        truth, _ = tables_of(evaluation.outcomes)
        again = judged_by(evaluation, truth.head(0), [])
        pd.testing.assert_frame_equal(again.per_label, evaluation.per_label)
        pd.testing.assert_frame_equal(again.summary, evaluation.summary)
        names = evaluation.outcomes.images.tolist()
        pd.testing.assert_frame_equal(judged_by(evaluation, truth, names).per_label, evaluation.per_label)
        assert changed_images(evaluation, names, truth.sample(frac=1, random_state=1)) == []
        assert set(changed_images(evaluation, names, truth.head(0))) == set(truth["image"])
        assert changed_images(evaluation, names[:1], truth.head(0)) == names[:1] * (names[0] in set(truth["image"]))


def test_corrected_truth_changes_the_metrics() -> None:
    evaluation = evaluate(*shop(), thresholds=0.5)
    truth, _ = tables_of(evaluation.outcomes)
    put_right = truth[truth["image"] == "1.jpg"].replace({"label": {"pear": "apple"}})
    assert changed_images(evaluation, ["1.jpg", "elsewhere.jpg"], put_right) == ["1.jpg"]
    after = judged_by(evaluation, put_right, ["1.jpg", "elsewhere.jpg"])
    assert after.per_label.set_index("label").loc["apple", ["tp", "fp", "fn"]].tolist() == [2, 0, 1]
    drawn_anew = pd.DataFrame(
        {"image": ["3.jpg"], "label": ["apple"], "left": [None], "polygon": [[[0, 0], [9, 0], [9, 9]]]}
    )
    for side in ("top", "width", "height"):
        drawn_anew[side] = None
    assert judged_by(evaluation, drawn_anew, ["3.jpg"]).per_label.set_index("label").loc["apple", "fn"] == 2
    assert changed_images(evaluation, ["3.jpg"], drawn_anew) == ["3.jpg"]


def test_most_confident_labels_make_mistakes_and_matrix_agree() -> None:
    evaluation = one_label(thresholds="assumed")
    exploration = Exploration(evaluation)
    assert exploration.set_thresholds(None).mode == "most confident"
    outcomes = evaluation.outcomes
    assert isinstance(outcomes, Scores)
    wrong = outcomes.true_label != outcomes.predicted_label
    assert exploration.choose(Filter("mistakes", sort="given")).tolist() == np.flatnonzero(wrong).tolist()
    counts = exploration.confusion_matrix.counts
    assert exploration.per_label["tp"].tolist() == np.diag(counts).tolist()
    assert exploration.per_label["fn"].tolist() == (counts.sum(axis=1) - np.diag(counts)).tolist()
    assert exploration.metrics["mean_average_precision"] == evaluation.metric("mean_average_precision")
    for other in (several_labels(), boxes(1)):
        with pytest.raises(InputError, match="one label per image"):
            Exploration(other).set_thresholds("most confident")


def test_images_of_urls_are_ranked_by_their_queries() -> None:
    assert name_ranks([f"https://h/i?id={number}" for number in (10, 9, 2)]).tolist() == [2, 1, 0]
