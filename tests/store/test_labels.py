"""Tests of labels in the store: batches, counts of their use, and undone merges, on SQLite and PostgreSQL."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError, StaleEditError
from customlabels_nb.store import Action, SqlStore
from tests.store.test_contract import images, labels_of, version
from tests.store.test_history import fill, state
from tests.tiers import many

ANN, BOB = Action("update", "ann"), Action("update", "bob")


def test_several_labels_are_added_as_one_action(store: SqlStore) -> None:
    fill(store)
    before, actions = state(store), store.last_action()
    statuses = store.images()["status"].tolist()
    assert statuses == ["labelled", "labelled", "skipped", "unlabelled"]
    assert store.add_labels([(" fig ", None), ("date", "#ABCDEF")], Action("add labels", "ann"), review=True).count == 2
    assert store.last_action() == actions + 1
    assert store.labels()["label"].tolist()[-2:] == ["fig", "date"]
    assert store.labels()["color"].tolist()[-1] == "#abcdef"
    assert store.images()["status"].tolist() == ["needs_review", "needs_review", "skipped", "unlabelled"]
    assert store.images()["revision"].tolist() == [2, 2, 1, 1]
    assert sorted(store.actions_since(actions)["images"][0]) == ["a", "b"]
    assert store.undo(None, ANN).count == 2
    assert state(store) == before
    # without it, and with nothing to add, images are unchanged
    assert store.add_labels([("lime", None)], ANN).count == 0
    actions = store.last_action()
    assert store.add_labels([], ANN, review=True).count == 0
    assert store.last_action() == actions
    assert store.images()["status"].tolist() == statuses


def test_only_finished_images_without_a_label_are_sent_to_review(store: SqlStore) -> None:
    fill(store)
    labels = store.annotations()
    with_apple = sorted(set(labels.loc[labels["label"] == "apple", "image"]))
    before = store.images().set_index("image")["status"]
    store.add_labels([("fig", None)], ANN)
    assert store.review_without("apple", ANN).count == len(
        before[before == "labelled"].drop(with_apple, errors="ignore")
    )
    after = store.images().set_index("image")["status"]
    assert after[after == "labelled"].index.isin(with_apple).all()
    store.review_without("fig", ANN)
    assert (store.images()["status"] == "labelled").sum() == 0
    actions = store.last_action()
    assert store.review_without("fig", ANN).count == 0  # nothing is left, nothing is recorded
    assert store.last_action() == actions
    with pytest.raises(LabelError, match="'nobody' does not exist"):
        store.review_without("nobody", ANN)


@pytest.mark.parametrize(
    "names", [["fig", "apple"], ["fig", " fig"], ["fig", ""], ["fig", None], ["fig", "x\0"]], ids=repr
)
def test_labels_are_added_all_or_none(store: SqlStore, names: list[str]) -> None:
    fill(store)
    before, actions = state(store), store.last_action()
    with pytest.raises(LabelError):
        store.add_labels([(name, None) for name in names], ANN, review=True)
    with pytest.raises(InputError, match="color"):
        store.add_labels([("fig", None), ("date", "red")], ANN, review=True)
    assert state(store) == before
    assert store.last_action() == actions


def test_uses_are_counted_by_image_and_by_annotation(store: SqlStore) -> None:
    assert store.label_uses().to_dict("list") == {"label": [], "train": [], "test": [], "annotations": []}
    fill(store)
    boxes = pd.concat([labels_of(a="apple"), t.normalise_annotations(pd.DataFrame(
        {"image": ["a", "a"], "label": ["apple", "pear"], "left": [1, 5], "top": 1, "width": 2, "height": 2}
    ))])  # fmt: skip
    store.update_images("train", store.images("train").query("image == 'a'"), boxes, ANN)
    store.add_labels([("unused", None)], ANN)
    store.reorder_labels(["unused", "pear"], ANN)
    found = store.label_uses()
    assert found.values.tolist() == [["unused", 0, 0, 0], ["pear", 2, 0, 2], ["aple", 1, 0, 1], ["apple", 1, 1, 3]]
    assert found.dtypes.iloc[1:].tolist() == ["int64"] * 3
    for row in found.values.tolist():
        assert store.label_uses(row[0]).values.tolist() == [row]
    assert store.label_uses("nobody's").empty


@settings(max_examples=many(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=20))
def test_uses_are_what_pandas_counts(store: SqlStore, pairs: list[tuple[int, int]]) -> None:
    for split in t.SPLITS:
        if store.dataset(split) is not None:
            store.delete_dataset(split, ANN)
    marks = pd.DataFrame({"image": [f"i{i}" for i, _ in pairs], "label": [f"l{n}" for _, n in pairs]}, dtype="str")
    marks = t.normalise_annotations(marks.assign(left=1, top=1, width=2, height=2))
    for split, numbers in (("train", (0, 1, 2)), ("test", (3, 4, 5))):
        names = [f"i{number}" for number in numbers]
        store.add_images(split, images(*names), marks[marks["image"].isin(names)], ANN)
    for row in store.label_uses().itertuples():
        own = marks[marks["label"] == row.label]
        tested = own["image"].isin(["i3", "i4", "i5"])
        expected = own.loc[~tested, "image"].nunique(), own.loc[tested, "image"].nunique(), len(own)
        assert (row.train, row.test, row.annotations) == expected


def test_merge_keeps_other_fields_and_can_be_undone(store: SqlStore) -> None:
    fill(store)
    pear = store.annotations("train").query("label == 'pear'").drop(columns="label")
    before = state(store)
    actions = store.last_action()
    store.merge_labels("pear", "apple", Action("merge labels", "ann"))
    assert store.last_action() == actions + 1
    merged = store.annotations("train").query("image == 'c'")
    assert merged["label"].tolist() == ["apple"]
    pd.testing.assert_frame_equal(merged.drop(columns="label"), pear)
    assert set(store.predictions()["label"]) == {"apple", "aple"}
    line = store.history(limit=1).iloc[0]
    assert (line["before"]["label"], line["after"]["label"], line["after"]["images"]) == ("pear", "apple", ["c"])
    store.undo(None, ANN)
    assert state(store) == before


def test_a_merge_whose_image_was_changed_since_shows_both_sides(store: SqlStore) -> None:
    fill(store)
    store.merge_labels("pear", "apple", ANN)
    store.update_images("train", store.images("train").query("image == 'c'"), labels_of(c="plum"), BOB)
    with pytest.raises(StaleEditError, match="'c', by bob") as caught:
        store.undo(None, ANN)
    assert caught.value.images == ["c"]
    assert caught.value.theirs["label"].tolist() == ["plum"]
    store.undo(None, BOB)
    store.add_version(version("v2"), ANN)
    store.update_images(
        "train", store.images("train").query("image == 'c'").assign(status="needs_review"),
        store.annotations("train").query("image == 'c'"), BOB,
    )  # fmt: skip
    with pytest.raises(StaleEditError) as caught:
        store.undo(None, ANN)
    yours = caught.value.yours
    assert yours[["image", "label", "left"]].values.tolist() == [["c", "pear", 1.5]]
    assert yours["polygon"].iloc[0] == [[0, 0], [1, 0], [1, 1.5]]


def test_undoing_a_merge_keeps_later_predictions(store: SqlStore) -> None:
    fill(store)
    store.merge_labels("pear", "apple", ANN)
    done = store.last_action()
    store.replace_predictions("v1", labels_of(a="apple").assign(model="v1"), BOB)
    store.undo(done, ANN)
    assert store.predictions()["label"].tolist() == ["apple"]
    assert "pear" in store.labels()["label"].tolist()
