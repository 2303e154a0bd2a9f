from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.assist.probabilities import cross_fit, learn
from customlabels_nb.assist.suspects import (
    BADLY_LOCATED,
    COLUMNS,
    DUPLICATE,
    MISSED,
    SPURIOUS,
    SWAPPED,
    doubtful_labels,
    still_there,
    suspect_boxes,
    suspect_labels,
    swapped_labels,
)
from customlabels_nb.core import tables as t

LABELS = ["apple", "<b>lime</b>", "pear"]


def drawn(n: int, *, random_state: int = 0, spread: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(random_state)
    label = np.arange(n) % 3
    return (np.eye(3, 10)[label] + spread * rng.normal(size=(n, 10))).astype(np.float32), label


def annotated(label: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame({"image": [f"{at}.jpg" for at in range(len(label))], "label": [LABELS[at] for at in label]})
    return frame.set_index(pd.RangeIndex(1000, 1000 + len(label)))


def test_planted_swaps_are_found() -> None:
    features, truth = drawn(400)
    given = truth.copy()
    planted = np.random.default_rng(1).choice(400, 20, replace=False)
    given[planted] = (truth[planted] + 1) % 3
    probabilities = cross_fit(features, given, learn(features, given, 3))
    annotations = annotated(given)
    found = suspect_labels(probabilities, given, annotations["image"].tolist(), LABELS, annotations, model="run 3")
    assert tuple(found.columns) == COLUMNS
    assert (found["score"].diff().dropna() <= 0).all()
    assert found["score"].between(0, 1).all()
    assert set(found["kind"]) == {SWAPPED}
    assert set(found["model"]) == {"run 3"}
    first = found.head(20)["annotation"].to_numpy(dtype=int) - 1000
    assert np.isin(first, planted).mean() >= 0.9
    assert np.isin(planted, found["annotation"].to_numpy(dtype=int) - 1000).mean() >= 0.9
    assert found["given"].head(20).tolist() == [LABELS[given[at]] for at in first]
    right = [row.suggested == LABELS[truth[at]] for row, at in zip(found.head(20).itertuples(), first, strict=True)]
    assert np.mean(right) >= 0.9


def test_correct_labels_are_not_suspected() -> None:
    features, truth = drawn(300, spread=0.1)
    probabilities = cross_fit(features, truth, learn(features, truth, 3))
    assert not len(swapped_labels(probabilities, truth)[0])
    several = np.eye(3, dtype=bool)[truth]
    assert not len(doubtful_labels(cross_fit(features, several, learn(features, several, 3)), several)[0])


def test_labels_with_few_images_are_neither_suspected_nor_suggested() -> None:
    given = np.array([0] * 20 + [1] * 4)
    probabilities = np.tile([0.9, 0.1], (24, 1))
    probabilities[0] = [0.05, 0.95]
    assert not len(swapped_labels(probabilities, given)[0])
    few = np.zeros((24, 2), bool)
    few[:4] = True
    assert not len(doubtful_labels(np.tile([0.9, 0.1], (24, 1)), few)[0])


def test_missed_and_wrong_labels_of_images_with_several_are_found() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 3)) < 0.4
    features = np.concatenate([truth + 0.2 * rng.normal(size=(400, 3)), rng.normal(size=(400, 5))], axis=1)
    given = truth.copy()
    given[:12, 0] ^= True
    images = [f"{at}.jpg" for at in range(400)]
    at, label = np.nonzero(given)
    annotations = pd.DataFrame({"image": [images[i] for i in at], "label": [LABELS[j] for j in label]})
    found = suspect_labels(cross_fit(features, given, learn(features, given, 3)), given, images, LABELS, annotations)
    first = found.head(12)
    assert np.isin(first["image"], images[:12]).mean() >= 0.8
    missed, spurious = found[found["kind"] == MISSED], found[found["kind"] == SPURIOUS]
    assert len(missed) + len(spurious) == len(found)
    assert missed["annotation"].isna().all()
    assert missed["given"].isna().all()
    assert spurious["suggested"].isna().all()
    rows = annotations.loc[spurious["annotation"].astype(int)]
    assert rows["image"].tolist() == spurious["image"].tolist()
    assert rows["label"].tolist() == spurious["given"].tolist()


def test_no_labels_give_an_empty_table() -> None:
    empty = pd.DataFrame({"image": [], "label": []})
    found = suspect_labels(np.empty((0, 3)), np.empty(0, int), [], LABELS, empty)
    assert tuple(found.columns) == COLUMNS
    assert found.empty
    assert found.dtypes.astype(str).to_dict()["annotation"] == "Int64"


def grid(images: int, *, random_state: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw four boxes of two labels on each image, and good predictions of them."""
    rng = np.random.default_rng(random_state)
    rows = [
        (f"{image}.jpg", ("cat", "dog")[(image + box) % 2], 300.0 * box, 50.0, 100.0, 80.0)
        for image in range(images)
        for box in range(4)
    ]
    given = pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"])
    found = given.assign(confidence=rng.uniform(0.7, 0.99, len(given)))
    found[["left", "top"]] += rng.normal(0, 3, (len(given), 2))
    return given, found


def test_each_kind_of_box_error_is_found() -> None:
    given, found = grid(20)
    given.loc[0, "label"] = "dog"  # was cat
    given.loc[5, "left"] += 55  # IoU of 0.29
    given = given.drop(index=10)
    nowhere = pd.DataFrame([("3.jpg", "cat", 50.0, 500.0, 90.0, 90.0)], columns=given.columns, index=[900])
    twice = given.loc[[20]].assign(left=lambda rows: rows["left"] + 4).set_axis([901])
    given = pd.concat([given, nowhere, twice])
    suspects = suspect_boxes(given, found, model="two folds").set_index("kind")
    assert sorted(suspects.index) == [BADLY_LOCATED, DUPLICATE, MISSED, SPURIOUS, SWAPPED]
    assert suspects.loc[SWAPPED, ["annotation", "given", "suggested"]].tolist() == [0, "dog", "cat"]
    assert suspects.loc[BADLY_LOCATED, "annotation"] == 5
    assert suspects.loc[BADLY_LOCATED, "left"] == pytest.approx(300, abs=15)
    assert suspects.loc[MISSED, ["image", "suggested"]].tolist() == ["2.jpg", "cat"]
    assert suspects.loc[MISSED, ["left", "top"]].tolist() == pytest.approx([600, 50], abs=15)
    assert pd.isna(suspects.loc[MISSED, "annotation"])
    assert suspects.loc[SPURIOUS, "annotation"] == 900
    assert suspects.loc[DUPLICATE, "annotation"] in (20, 901)
    assert suspects["score"].between(0, 1).all()


def test_good_boxes_are_not_suspected() -> None:
    given, found = grid(10)
    assert suspect_boxes(given, found).empty
    weak = found.assign(image=found["image"], left=found["left"] + 1000, confidence=0.2)
    assert suspect_boxes(given, pd.concat([found, weak])).empty  # predictions without confidence are no evidence


def test_a_model_that_finds_little_suspects_little() -> None:
    given, found = grid(20)
    assert suspect_boxes(given, found.sample(frac=0.3, random_state=0)).empty
    assert suspect_boxes(given, found.head(0)).empty
    assert suspect_boxes(given.head(0), found).empty


def test_crowds_are_left_out() -> None:
    given, found = grid(10)
    crowd = given.head(1).assign(left=2000.0, width=500.0).set_axis([900])
    given = pd.concat([given.assign(crowd=False), crowd.assign(crowd=True)])
    inside = found.head(1).assign(left=2100.0, confidence=0.95)
    assert suspect_boxes(given, pd.concat([found, inside], ignore_index=True)).empty


def test_suspects_are_found_again_after_rows_were_removed() -> None:
    given, found = grid(30)
    suspects = suspect_boxes(given, found.drop(22))
    assert suspects[["image", "kind", "annotation"]].to_numpy().tolist() == [["5.jpg", SPURIOUS, 22]]
    later = given.drop(index=range(5)).reset_index(drop=True)
    assert still_there(suspects, later)["annotation"].tolist() == [17]
    assert still_there(suspects, later.drop([15, 17])).empty


def test_a_label_that_was_added_is_no_longer_missed() -> None:
    row = dict.fromkeys(COLUMNS) | {"image": "a", "kind": MISSED, "suggested": "pear", "score": 0.9}
    suspects = pd.DataFrame([row, row | {"kind": SPURIOUS, "given": "apple", "suggested": None}])
    marks = pd.concat([t.label_images(["b", "a"], "apple", "anna"), t.label_images(["a"], "pear", "anna")])
    marks = marks.reset_index(drop=True)
    assert still_there(suspects, marks.head(2))["annotation"].tolist() == [pd.NA, 1]
    assert still_there(suspects, marks)["kind"].tolist() == [SPURIOUS]
