"""Tests of combining the answers of several people."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.jobs.consolidation import (
    ASK_AGAIN,
    FEW_ANSWERS,
    NEEDS_REVIEW,
    OPEN,
    RESOLVED,
    consolidate,
)
from tests.jobs.answer_tables import FIRST, box, make_answers, outlined, simulate_class
from tests.tiers import many

RUNS = {100: 40, 300: 20, 1000: 10}


def labels_of(answers: pd.DataFrame, images: int) -> npt.NDArray[np.int64]:
    """Return the position of the most probable label of each task."""
    found = consolidate(answers, "single-label", annotators=3).annotations
    found = found.sort_values("confidence", kind="stable").drop_duplicates("task", keep="last").sort_values("task")
    assert len(found) == images
    return found["label"].str.removeprefix("label ").astype(int).to_numpy()


def majority(answers: pd.DataFrame, images: int, random_state: int) -> npt.NDArray[np.int64]:
    """Return the most frequent label of each task, by chance in a tie."""
    counts = np.zeros((images, 5))
    np.add.at(counts, (answers["task"], answers["label"].str.removeprefix("label ").astype(int)), 1)
    return (counts + np.random.default_rng(random_state).random(counts.shape) / 2).argmax(axis=1)


def textbook(answers: pd.DataFrame, images: int) -> npt.NDArray[np.int64]:
    """Return the labels found by Dawid and Skene with a confusion matrix per person."""
    label = answers["label"].str.removeprefix("label ").astype(int).to_numpy().reshape(images, 3)
    person = answers["person"].str.removeprefix("person ").astype(int).to_numpy().reshape(images, 3)
    belief = np.zeros((images, 5))
    np.add.at(belief, (np.arange(images)[:, None], label), 1 / 3)
    for _ in range(50):
        confusion = np.zeros((30, 5, 5))
        for column in range(3):
            np.add.at(confusion, (person[:, column], label[:, column]), belief)
        confusion = np.log(np.maximum(confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1e-10), 1e-10))
        score = np.log(belief.mean(axis=0)) + sum(confusion[person[:, c], label[:, c]] for c in range(3))
        belief = np.exp(score - score.max(axis=1, keepdims=True))
        belief /= belief.sum(axis=1, keepdims=True)
    return belief.argmax(axis=1)


@pytest.mark.parametrize(("images", "expected"), [(100, (0.852, 0.796, 0.885)), (300, (0.858, 0.865, 0.900)),
                                                 (1000, (0.861, 0.882, 0.901))])  # fmt: skip
def test_weighted_votes_beat_majority_and_textbook_dawid_skene(images: int, expected: tuple[float, ...]) -> None:
    scores = []
    for random_state in range(RUNS[images]):
        answers, truth = simulate_class(images, random_state)
        found = majority(answers, images, random_state), textbook(answers, images), labels_of(answers, images)
        scores.append([(each == truth).mean() for each in found])
    voted, textbook_, ours = np.mean(scores, axis=0)
    assert ours > voted + 0.02
    assert ours > textbook_ + 0.01
    assert (voted, textbook_, ours) == pytest.approx(expected, abs=0.02)


def test_resolved_labels_are_more_often_right_than_the_most_probable_ones() -> None:
    answers, truth = simulate_class(1000, 0)
    result = consolidate(answers, "single-label", annotators=3)
    resolved = (result.tasks["state"] == RESOLVED).to_numpy()
    right = labels_of(answers, 1000) == truth
    assert 0.7 < resolved.mean() < 0.85
    assert right[resolved].mean() > right.mean() + 0.05


def test_estimated_accuracies_are_near_the_true_ones() -> None:
    answers, _ = simulate_class(1000, 0)
    people = consolidate(answers, "single-label", annotators=3).people
    assert people["person"].tolist() == [f"person {number:02}" for number in range(30)]
    assert people["accuracy"][:22].between(0.75, 0.95).all()
    assert people["accuracy"][27:].max() < 0.4


def test_few_votes_are_counted() -> None:
    answers = make_answers([(1, "anna", "lemon"), (1, "ben", "lemon"), (1, "carl", "lime")])
    result = consolidate(answers, "single-label", annotators=3, agreement=0.6, job="fruit-1")
    (task,) = result.tasks.itertuples()
    assert (task.task, task.image, task.state, task.answers) == (1, "photos/1.jpg", RESOLVED, 3)
    assert task.agreement == pytest.approx(2 / 3)
    assert task.annotator == "anna+ben+carl"
    assert task.created == FIRST + pd.Timedelta(seconds=2)
    assert list(result.annotations.columns) == [*t.ANNOTATION_COLUMNS, "task", "kept"]
    assert result.annotations[["label", "kept"]].to_numpy().tolist() == [["lemon", True], ["lime", False]]
    assert result.annotations["confidence"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert result.annotations["job"].unique().tolist() == ["labeling-job/fruit-1"]
    t.normalise_annotations(result.annotations)


def test_votes_are_weighted_from_fifty_answers_on() -> None:
    rows = [(task, person, "lemon") for task in range(16) for person in ("anna", "ben", "carl")]
    rows += [(16, "anna", "lemon"), (16, "ben", "lime")]
    answers = make_answers(rows)
    assert len(answers) == FEW_ANSWERS
    assert consolidate(answers, "single-label").tasks["agreement"].iloc[0] == 1
    more = consolidate(make_answers([*rows, (16, "carl", "lemon")]), "single-label").tasks["agreement"]
    assert 0.9 < more.iloc[0] < 1
    assert more.iloc[16] > 0.7


ONE, SEVERAL = st.sampled_from(["lemon", "lime", None]), st.lists(st.sampled_from("abc"), unique=True).map(tuple)


@settings(max_examples=many(60))
@given(
    history=st.tuples(st.just("single-label"), st.lists(ONE, min_size=9, max_size=9))
    | st.tuples(st.just("multi-label"), st.lists(SEVERAL, min_size=9, max_size=9)),
    numbers=st.tuples(st.integers(1, 9), st.integers(1, 9)).map(sorted),
    agreement=st.floats(0, 1),
    accuracy=st.none() | st.fixed_dictionaries(dict.fromkeys("abcdefghi", st.floats(0.02, 0.98))),
)
def test_people_are_asked_until_more_than_half_give_the_result_whatever_their_weights(
    history: tuple[str, list[Any]], numbers: tuple[int, int], agreement: float, accuracy: dict[str, float] | None
) -> None:
    (kind, answers), (annotators, most) = history, numbers
    options: dict[str, Any] = {"annotators": annotators, "most": most, "agreement": agreement, "accuracy": accuracy}
    for count in range(1, 10):
        rows = [(1, person, given) for person, given in zip("abcdefghi", answers[:count], strict=False)]
        result = consolidate(make_answers(rows), kind, **options)
        state = result.tasks["state"].item()
        assert (state == OPEN) == (count < annotators)
        if state not in (OPEN, ASK_AGAIN):
            break
        assert count < most
    kept = set(result.annotations.loc[result.annotations["kept"], "label"])
    votes = Counter(label for _, _, given in rows for label in (given if kind == "multi-label" else [given]))
    shares = [number / count for number in votes.values()]
    share = max(shares) if kind == "single-label" else min([max(each, 1 - each) for each in shares], default=1.0)
    if state == RESOLVED:
        assert share > 0.5
        assert kept == {label for label, number in votes.items() if 2 * number > count} - {None}
    else:
        assert (state, count) == (NEEDS_REVIEW, most)
    if accuracy is None:
        assert (state == RESOLVED) == (share > 0.5 and share >= agreement - 1e-9)


@pytest.mark.parametrize("agreement", [0.0, 0.3, 0.7])
def test_ties_are_never_decided_by_chance(agreement: float) -> None:
    answers = make_answers([(1, "anna", "lemon"), (1, "ben", "lime"), (2, "anna", "lemon"), (2, "ben", None)])
    result = consolidate(answers, "single-label", annotators=2, agreement=agreement)
    assert result.tasks["state"].tolist() == [NEEDS_REVIEW, NEEDS_REVIEW]
    assert not result.annotations["kept"].any()
    assert result.annotations["label"].tolist() == ["lemon", "lime", "lemon"]


def test_disagreement_adds_one_person_and_then_a_reviewer() -> None:
    rows = [(1, "anna", "lemon"), (2, "anna", "lemon"), (2, "ben", "lemon"), (3, "anna", "lemon"), (3, "ben", "lime")]
    rows += [(4, person, label) for person, label in zip("abcd", ("lemon", "lime", "lemon", "lime"), strict=True)]
    result = consolidate(make_answers(rows), "single-label", annotators=2, most=4)
    assert result.tasks["state"].tolist() == [OPEN, RESOLVED, ASK_AGAIN, NEEDS_REVIEW]
    fewer = consolidate(make_answers(rows), "single-label", annotators=1, most=1)
    assert fewer.tasks["state"].tolist() == [RESOLVED, RESOLVED, NEEDS_REVIEW, NEEDS_REVIEW]


def test_a_single_answer_has_confidence_one() -> None:
    answers = make_answers([(task, "anna", "lemon" if task % 2 else "lime") for task in range(60)])
    result = consolidate(answers, "single-label")
    assert (result.tasks["state"] == RESOLVED).all()
    assert (result.annotations["confidence"] == 1).all()
    drawn = consolidate(make_answers([(1, "anna", [box("cat", 0, 0, 9, 9)])]), "boxes")
    assert drawn.annotations["confidence"].tolist() == [1]
    several = consolidate(make_answers([(1, "anna", ("a", "b"))]), "multi-label", accuracy={"anna": 0.3})
    assert several.annotations[["label", "confidence", "kept"]].to_numpy().tolist() == [["a", 1, True], ["b", 1, True]]
    assert several.tasks["state"].tolist() == [RESOLVED]


def test_empty_answer_counts() -> None:
    answers = make_answers([(1, person, None) for person in ("anna", "ben", "carl")])
    for kind in t.TASKS:
        result = consolidate(answers, kind, annotators=3)
        assert result.tasks["state"].tolist() == [RESOLVED]
        assert result.tasks["agreement"].tolist() == [1]
        assert result.annotations.empty


def test_late_answers_are_not_used_and_gold_has_no_result() -> None:
    answers = make_answers([(1, "anna", "lemon"), (1, "ben", "lime"), (2, "anna", "lime")])
    answers["counted"] = [True, False, True]
    answers["gold"] = [False, False, True]
    result = consolidate(answers, "single-label")
    assert result.tasks["task"].tolist() == [1]
    assert result.annotations["label"].tolist() == ["lemon"]
    assert result.people["person"].tolist() == ["anna"]


def test_order_of_answers_does_not_matter() -> None:
    answers, _ = simulate_class(50, 1)
    mixed = answers.sample(frac=1, random_state=0).reset_index(drop=True)
    for one, two in zip(*(vars(consolidate(each, "single-label")).values() for each in (answers, mixed)), strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_a_few_tasks_can_be_combined_with_known_accuracies() -> None:
    answers, _ = simulate_class(300, 2)
    whole = consolidate(answers, "single-label", annotators=3)
    known = dict(zip(whole.people["person"], whole.people["accuracy"], strict=True))
    some = consolidate(answers[answers["task"] < 5], "single-label", annotators=3, accuracy=known,
                       labels=[f"label {number}" for number in range(5)])  # fmt: skip
    assert some.tasks["agreement"].tolist() == pytest.approx(whole.tasks["agreement"][:5].tolist(), abs=1e-4)
    assert some.tasks["state"].tolist() == whole.tasks["state"][:5].tolist()
    unknown = consolidate(answers[answers["task"] < 5], "single-label", accuracy={})
    assert unknown.people["accuracy"].unique().tolist() == [0.8]


def test_each_of_several_labels_is_decided_by_itself() -> None:
    answers = make_answers([(1, "anna", ("sand", "sea")), (1, "ben", ("sea",)), (1, "carl", ("sky", "sea", "sand"))])
    result = consolidate(answers, "multi-label", annotators=3, agreement=0.6, labels=["sky", "sea"])
    found = result.annotations.set_index("label")
    assert found["kept"].to_dict() == {"sky": False, "sea": True, "sand": True}
    assert found["confidence"].to_dict() == pytest.approx({"sky": 1 / 3, "sea": 1, "sand": 2 / 3})
    assert result.tasks["agreement"].tolist() == pytest.approx([2 / 3])
    half = consolidate(make_answers([(1, "anna", ("sea",)), (1, "ben", ())]), "multi-label", agreement=0.5)
    assert half.annotations["kept"].tolist() == [True]
    assert half.tasks["state"].tolist() == [NEEDS_REVIEW]


def test_several_labels_are_weighted() -> None:
    rows = []
    random = np.random.default_rng(0)
    for task in range(100):
        truth = {label for label in ("sand", "sea", "sky") if random.random() < 0.5}
        for person, error in (("anna", 0.05), ("ben", 0.05), ("carl", 0.5)):
            rows.append(
                (task, person, tuple(x for x in ("sand", "sea", "sky") if (x in truth) ^ (random.random() < error)))
            )
    people = consolidate(make_answers(rows), "multi-label", annotators=3).people.set_index("person")["accuracy"]
    assert min(people["anna"], people["ben"]) > 0.85
    assert people["carl"] < 0.65


def test_median_of_jittered_boxes_ignores_an_outlier() -> None:
    random = np.random.default_rng(3)
    true = np.array([100.0, 60.0, 200.0, 120.0])
    rows = []
    for task in range(50):
        drawn = [true + random.uniform(-1, 1, 4) for _ in range(4)]
        rows += [(task, f"p{number}", [box("cat", *sides)]) for number, sides in enumerate(drawn)]
        rows.append((task, "p4", [box("cat", 150, 120, 200, 120)]))  # IoU 0.23 with the others
    result = consolidate(make_answers(rows), "boxes", annotators=5).annotations
    kept = result[result["kept"]]
    assert len(kept) == 50
    assert np.abs(kept[[*t.BOX_COLUMNS]].to_numpy() - true).max() < 1
    without = consolidate(make_answers([row for row in rows if row[1] != "p4"]), "boxes", annotators=4).annotations
    np.testing.assert_array_equal(kept[[*t.BOX_COLUMNS]], without[[*t.BOX_COLUMNS]])


def test_boxes_are_kept_by_more_than_half() -> None:
    cat, dog = box("cat", 0, 0, 40, 40), box("dog", 100, 0, 40, 40)
    three = consolidate(make_answers([(1, "anna", [cat, dog]), (1, "ben", [cat]), (1, "carl", [cat])]), "boxes")
    assert three.annotations[["label", "kept"]].to_numpy().tolist() == [["cat", True], ["dog", False]]
    assert three.tasks["agreement"].tolist() == pytest.approx([(1 + 2 / 3) / 2])
    two = consolidate(make_answers([(1, "anna", [cat, dog]), (1, "ben", [cat])]), "boxes", agreement=0.1)
    assert two.annotations["kept"].tolist() == [True, False]
    assert two.tasks["state"].tolist() == [NEEDS_REVIEW]  # half of the people is a tie


def test_label_of_a_box_is_voted_with_weights() -> None:
    place = (10, 10, 50, 50)
    rows = [(task, person, [box("cat" if person != "carl" or task % 2 else "dog", *place)])
            for task in range(30) for person in ("anna", "ben", "carl")]  # fmt: skip
    rows += [(30, "anna", [box("cat", *place)]), (30, "carl", [box("dog", *place)])]
    result = consolidate(make_answers(rows), "boxes", annotators=2)
    last = result.annotations[result.annotations["task"] == 30]
    assert last[["label", "kept"]].to_numpy().tolist() == [["cat", True]]


def test_confidence_of_a_box_falls_with_the_distance_of_the_drawn_boxes() -> None:
    near = [(1, "anna", [box("cat", 0, 0, 100, 100)]), (1, "ben", [box("cat", 0, 0, 100, 98)])]
    far = [(1, "anna", [box("cat", 0, 0, 100, 100)]), (1, "ben", [box("cat", 0, 0, 100, 60)])]
    sure, unsure = (consolidate(make_answers(rows), "boxes").annotations["confidence"].item() for rows in (near, far))
    assert sure == pytest.approx((0.99 + 98 / 99) / 2)
    assert unsure == pytest.approx((0.8 + 0.75) / 2)


def test_polygon_is_the_one_nearest_to_the_others() -> None:
    square = [[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]]
    nearly = [[0.0, 0.0], [100.0, 0.0], [100.0, 96.0], [0.0, 96.0]]
    triangle = [[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]
    answers = make_answers([(1, "anna", [outlined("cat", triangle)]), (1, "ben", [outlined("cat", nearly)]),
                            (1, "carl", [outlined("cat", square)])])  # fmt: skip
    result = consolidate(answers, "polygons", annotators=3, agreement=0.6)
    (row,) = result.annotations.itertuples()
    assert row.polygon == nearly
    assert (row.left, row.top, row.width, row.height) == (0, 0, 100, 96)
    assert row.confidence == pytest.approx((0.96 + 0.52) / 2, abs=0.02)
    single = consolidate(make_answers([(1, "anna", [outlined("cat", triangle)])]), "polygons").annotations
    assert (single["polygon"].item(), single["confidence"].item()) == (triangle, 1)


@pytest.mark.parametrize("kind", t.TASKS)
def test_no_answers_give_empty_tables(kind: str) -> None:
    result = consolidate(make_answers([]), kind)
    assert (len(result.tasks), len(result.annotations), len(result.people)) == (0, 0, 0)
    assert list(result.annotations.columns) == [*t.ANNOTATION_COLUMNS, "task", "kept"]


def test_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match="task='box' is unknown"):
        consolidate(make_answers([]), "box")


@pytest.mark.thorough
def test_hundred_thousand_tasks_are_consolidated() -> None:
    import time

    answers, truth = simulate_class(100_000, 0)
    started = time.process_time()
    found = labels_of(answers, 100_000)
    assert time.process_time() - started < 20
    assert (found == truth).mean() > 0.89
