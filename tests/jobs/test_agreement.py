"""Tests of measuring how far people agree."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.metrics import cohen_kappa_score

from customlabels_nb.jobs.agreement import (
    GOLD_ANSWERS,
    GOLD_LIMIT,
    describe_people,
    find_wrong_gold,
    measure_agreement,
    score_gold,
)
from customlabels_nb.jobs.consolidation import consolidate
from tests.jobs.answer_tables import FIRST, box, make_answers, simulate_class

#: Krippendorff's example of nominal data: 4 observers, 12 units, "." where there is no value.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def observed() -> pd.DataFrame:
    """Return Krippendorff's example as answers."""
    return make_answers(
        (unit, "ABCD"[number], value)
        for number, line in enumerate(OBSERVERS)
        for unit, value in enumerate(line.split())
        if value != "."
    )


def slow_alpha(answers: pd.DataFrame, label: str) -> float:
    """Compute alpha for one label against all others, value by value as in its definition."""
    units = [(own["label"] == label).tolist() for _, own in answers.groupby("task") if len(own) > 1]
    observed_ = sum(sum(a != b for a in unit for b in unit) / (len(unit) - 1) for unit in units)
    values = [value for unit in units for value in unit]
    expected = 2 * values.count(True) * values.count(False) / (len(values) - 1)
    return 1 - observed_ / expected


def three_people(labels: tuple[str | None, ...], random_state: int = 0, tasks: int = 60) -> pd.DataFrame:
    """Return answers of three people, of whom each guesses a third of the labels."""
    random = np.random.default_rng(random_state)
    truth = random.integers(0, len(labels), tasks)
    return make_answers(
        (task, person, labels[int(truth[task] if random.random() < 0.7 else random.integers(len(labels)))])
        for task in range(tasks)
        for person in ("anna", "ben", "carl")
    )


def test_alpha_of_krippendorffs_example() -> None:
    found = measure_agreement(observed(), "single-label")
    assert found.metric == "alpha"
    assert found.value == pytest.approx(0.743, abs=0.0005)
    assert 0.3 < found.low < found.value < found.high <= 1
    for row in found.labels.itertuples():
        assert row.value == pytest.approx(slow_alpha(observed(), row.label))
        assert row.low <= row.value <= row.high
    assert found.labels["answers"].tolist() == [9, 13, 11, 5, 3]


def test_interval_holds_the_alpha_of_many_more_answers() -> None:
    great, _ = simulate_class(20_000, 0)
    true = measure_agreement(great, "single-label").value
    inside = []
    for random_state in range(20):
        found = measure_agreement(simulate_class(100, random_state + 1)[0], "single-label")
        inside.append(found.low <= true <= found.high)
        assert found.high - found.low < 0.35
    assert sum(inside) >= 17


def test_chance_has_alpha_zero_and_perfect_agreement_one() -> None:
    random = np.random.default_rng(0)
    chance = make_answers((task, p, "ab"[random.integers(2)]) for task in range(2000) for p in "xyz")
    assert measure_agreement(chance, "single-label").value == pytest.approx(0, abs=0.03)
    perfect = make_answers((task, p, "ab"[task % 2]) for task in range(30) for p in "xyz")
    found = measure_agreement(perfect, "single-label")
    assert (found.value, found.low, found.high) == (1, 1, 1)
    one_label = make_answers((task, p, "a") for task in range(30) for p in "xyz")
    assert math.isnan(measure_agreement(one_label, "single-label").value)
    single = make_answers((task, "x", "a") for task in range(30))
    assert math.isnan(measure_agreement(single, "single-label").value)


def test_kappa_is_that_of_scikit_learn() -> None:
    answers = three_people(("lemon", "lime", None))
    table = answers.assign(label=answers["label"].fillna("")).pivot(index="task", columns="person", values="label")
    pairs = measure_agreement(answers, "single-label").pairs
    assert pairs[["person", "other", "tasks"]].to_numpy().tolist() == [
        ["anna", "ben", 60], ["anna", "carl", 60], ["ben", "carl", 60],
    ]  # fmt: skip
    for row in pairs.itertuples():
        assert row.kappa == pytest.approx(cohen_kappa_score(table[row.person], table[row.other]))


def test_kappa_of_several_labels_compares_all_decisions() -> None:
    random = np.random.default_rng(1)
    given = {p: random.random((40, 3)) < 0.4 for p in ("anna", "ben")}
    given["ben"] = np.where(random.random((40, 3)) < 0.8, given["anna"], given["ben"])
    answers = make_answers(
        (task, p, tuple(label for label, there in zip("xyz", rows[task], strict=True) if there))
        for p, rows in given.items()
        for task in range(40)
    )
    found = measure_agreement(answers, "multi-label")
    expected = cohen_kappa_score(given["anna"].ravel(), given["ben"].ravel())
    assert found.pairs["kappa"].item() == pytest.approx(expected)
    for number, row in enumerate(found.labels.itertuples()):
        single = make_answers(
            (task, p, "xyz"[number] if rows[task, number] else None) for p, rows in given.items() for task in range(40)
        )
        assert row.value == pytest.approx(slow_alpha(single, row.label))


def test_pairs_need_twenty_common_tasks() -> None:
    rows = [(task, p, "a" if task % 3 else "b") for task in range(20) for p in ("anna", "ben")]
    assert len(measure_agreement(make_answers(rows), "single-label").pairs) == 1
    assert len(measure_agreement(make_answers(rows[:-1]), "single-label").pairs) == 0


def test_confusions_are_described_in_a_sentence() -> None:
    rows = []
    for task in range(40):
        rows += [(task, "ben", "lemon"), (task, "carl", "lime" if task < 17 else "lemon")]
    rows += [(40 + task, person, "apple") for task in range(20) for person in ("ben", "carl")]
    rows += [(60, "ben", "apple"), (60, "carl", None)]
    found = measure_agreement(make_answers(rows), "single-label")
    assert found.sentences == ["ben and carl mix up lemon and lime (17 of 40)"]
    assert repr(found).startswith(f"alpha: {found.value:.2f} ({found.low:.2f}–")
    assert repr(found).endswith("\nben and carl mix up lemon and lime (17 of 40)")
    last = found.confusions.iloc[1]
    assert (last["other_label"], last["times"], last["of"]) == ("apple", 1, 21)
    assert pd.isna(last["label"])


def test_boxes_are_compared_by_f1_and_mean_iou() -> None:
    near, far = box("cat", 0, 0, 10, 9), box("cat", 0, 0, 10, 4)
    rows = []
    for task in range(20):
        rows += [(task, "anna", [box("cat", 0, 0, 10, 10), box("dog", 50, 50, 10, 10)])]
        rows += [(task, "ben", [near if task % 2 else far])]
    found = measure_agreement(make_answers(rows), "boxes")
    assert found.metric == "F1"
    assert found.value == pytest.approx(2 * 10 / 60)
    assert found.low < found.value < found.high
    assert found.labels["value"].tolist() == pytest.approx([2 * 10 / 40, 0])
    assert found.labels["answers"].tolist() == [40, 20]
    assert found.pairs["f1"].tolist() == pytest.approx([2 * 10 / 60])
    assert found.pairs["mean_iou"].tolist() == pytest.approx([0.9])


def test_boxes_at_one_place_with_two_labels_are_a_confusion() -> None:
    rows = [(task, person, [box("cat" if person == "anna" or task % 2 else "dog", 0, 0, 10, 10)])
            for task in range(20) for person in ("anna", "ben")]  # fmt: skip
    assert measure_agreement(make_answers(rows), "boxes").sentences == ["anna and ben mix up cat and dog (10 of 20)"]


@pytest.mark.parametrize("kind", ["single-label", "multi-label", "boxes", "polygons"])
def test_no_answers_have_no_agreement(kind: str) -> None:
    found = measure_agreement(make_answers([]), kind)
    assert math.isnan(found.value)
    assert found.sentences == []
    assert repr(found).endswith(": too few answers")
    assert len(describe_people(make_answers([]), kind)) == 0


# -- people -------------------------------------------------------------------------------------------------


def test_people_are_described() -> None:
    rows = [(task, person, "lemon") for task in range(10) for person in ("anna", "ben")]
    rows += [(task, "carl", "lime" if task < 3 else "lemon") for task in range(10)]
    answers = make_answers(rows)
    answers.loc[answers["person"] == "ben", "seconds"] = np.arange(10.0)
    seen = {"dora": FIRST, "anna": FIRST + pd.Timedelta(hours=1)}
    people = describe_people(answers, "single-label", skipped={"carl": 2, "dora": 1}, last_seen=seen).set_index(
        "person"
    )
    assert people.index.tolist() == ["anna", "ben", "carl", "dora"]
    assert people["done"].tolist() == [10, 10, 10, 0]
    assert people["skipped"].tolist() == [0, 0, 2, 1]
    assert people["seconds"].tolist()[:3] == [2.5, 4.5, 2.5]
    # where carl differs, anna and ben each face a tie of the others
    assert people["agreement"].tolist()[:3] == [1, 1, 0.7]
    assert people["confusion"].tolist()[2] == "lime instead of lemon (3 of 10)"
    assert people["confusion"].isna().tolist() == [True, True, False, True]
    assert people["last_seen"].tolist() == [
        FIRST + pd.Timedelta(hours=1), FIRST + pd.Timedelta(seconds=19), FIRST + pd.Timedelta(seconds=29), FIRST,
    ]  # fmt: skip
    assert people["gold"].isna().all()
    assert not people["stopped"].any()


def test_agreement_leaves_ones_own_answer_out() -> None:
    # with her own answer in the vote, anna would agree with every tie
    answers = make_answers(
        (task, p, f"{p}{task}" if p == "anna" else "same") for task in range(30) for p in ("anna", "ben")
    )
    assert describe_people(answers, "single-label")["agreement"].tolist() == [0, 0]


def test_people_who_draw_differently_agree_less() -> None:
    cat, dog = box("cat", 0, 0, 10, 10), box("dog", 50, 0, 10, 10)
    rows = [(task, p, [cat] if p == "carl" else [cat, dog]) for task in range(10) for p in ("anna", "ben", "carl")]
    people = describe_people(make_answers(rows), "boxes").set_index("person")
    assert people["agreement"].to_dict() == {"anna": 1, "ben": 1, "carl": 0.5}
    assert people.loc["carl", "confusion"] == "nothing instead of dog (10 of 10)"


# -- gold ---------------------------------------------------------------------------------------------------


def photos(count: int) -> list[str]:
    """Return the images of the first tasks."""
    return [f"photos/{task}.jpg" for task in range(count)]


def gold_answers(right: dict[str, int], asked: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return answers of people of whom each has this number of ``asked`` gold answers right, and the gold."""
    rows = [(task, p, "lemon" if task < number else "lime") for p, number in right.items() for task in range(asked)]
    gold = pd.DataFrame({"image": photos(asked), "label": "lemon"})
    return make_answers(rows, gold=True), gold


def test_too_many_wrong_gold_answers_stop_a_person() -> None:
    answers, gold = gold_answers({"anna": 10, "ben": 4, "carl": 5}, 10)
    table = score_gold(answers, "single-label", gold).set_index("person")
    assert table["answers"].tolist() == [10, 10, 10]
    assert table["right"].to_dict() == {"anna": 10, "ben": 4, "carl": 5}
    assert table["stopped"].to_dict() == {"anna": False, "ben": True, "carl": False}
    # at the bound, as few right answers or fewer have a probability of 5 %
    assert binom.cdf(4, 10, table.loc["ben", "upper"]) == pytest.approx(0.05)
    assert table.loc["anna", "upper"] == 1
    assert table.loc["carl", "upper"] > GOLD_LIMIT


def test_people_are_not_stopped_before_ten_gold_answers() -> None:
    answers, gold = gold_answers({"ben": 0}, GOLD_ANSWERS - 1)
    assert score_gold(answers, "single-label", gold)["stopped"].tolist() == [False]
    people = describe_people(answers, "single-label", gold=gold)
    assert people[["gold", "gold_answers"]].to_numpy().tolist() == [[0, 9]]


def test_an_honest_labeler_is_hardly_ever_stopped() -> None:
    random = np.random.default_rng(0)
    right = {f"p{number}": int(random.binomial(10, 0.85)) for number in range(500)}
    answers, gold = gold_answers(right, 10)
    assert score_gold(answers, "single-label", gold)["stopped"].mean() < 0.01


def test_gold_of_other_tasks() -> None:
    cat, dog, shifted = box("cat", 0, 0, 10, 10), box("dog", 50, 0, 10, 10), box("cat", 1, 0, 10, 10)
    gold = pd.DataFrame({"image": ["photos/1.jpg", "photos/2.jpg"], "boxes": [(cat, dog), ()]})
    answers = make_answers([(1, "anna", [dog, shifted]), (1, "ben", [cat]), (1, "carl", [box("dog", 0, 0, 10, 10)]),
                            (2, "anna", []), (2, "ben", [cat])])  # fmt: skip
    table = score_gold(answers, "boxes", gold).set_index("person")
    assert table["right"].to_dict() == {"anna": 2, "ben": 0, "carl": 0}
    labels = pd.DataFrame({"image": ["photos/1.jpg"], "labels": [("sea", "sand")]})
    several = make_answers([(1, "anna", ("sand", "sea")), (1, "ben", ("sea",)), (1, "carl", ("sky",)), (1, "dora", ())])
    assert score_gold(several, "multi-label", labels)["right"].tolist() == [1, 0, 0, 0]
    empty = pd.DataFrame({"image": ["photos/1.jpg", "photos/2.jpg"], "label": [None, "a"]})
    nothing = make_answers([(1, "anna", None), (2, "anna", None)])
    assert score_gold(nothing, "single-label", empty)["right"].tolist() == [1]


def test_gold_that_reliable_people_contradict_is_wrong() -> None:
    answers, truth = simulate_class(200, 0, each=6)
    gold = pd.DataFrame({"image": photos(20), "label": [f"label {number}" for number in truth[:20]]})
    gold.loc[7, "label"] = f"label {(truth[7] + 1) % 5}"
    people = consolidate(answers, "single-label", annotators=6).people
    accuracy = dict(zip(people["person"], people["accuracy"], strict=True))
    found = find_wrong_gold(answers, "single-label", gold, accuracy)
    assert found["image"].tolist() == ["photos/7.jpg"]
    assert 2 * found["contradicting"].item() > found["answers"].item() >= 3
    assert find_wrong_gold(answers, "single-label", gold, dict.fromkeys(accuracy, 0.5)).empty
