"""Tests of snapshots of datasets, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable

import pandas as pd
import pytest
from sqlalchemy import select, update

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.store.schema import snapshots
from tests.store.test_contract import HOSTILE, images, labels_of
from tests.store.test_history import ACTIONS, ANN, BOB, fill, relabelled, state

KEPT = ("images", "annotations", "datasets")


def content(store: SqlStore) -> dict[str, object]:
    """Return the data that a snapshot restores, regardless of order and without the images' sources."""
    found = state(store)
    rows = {name: sorted(map(str, found[name])) for name in ("images", "annotations")}
    return {**rows, "labels": {row["label"] for row in found["annotations"]}}


@pytest.mark.parametrize("name", [name for name in ACTIONS if "test" not in name])
def test_restore_and_its_undo_are_exact(store: SqlStore, reopen: Callable[[], SqlStore], name: str) -> None:
    fill(store)
    assert store.take_snapshot("before", None, ANN).count == 4
    before, exact = content(store), state(store)
    ACTIONS[name](store)
    after = state(store)
    changed = not store.compare_snapshots("before", None).empty
    assert changed == (content(store) != before)
    count = store.restore_snapshot("before", BOB).count
    assert content(reopen()) == before
    assert (count > 0) == changed
    assert store.compare_snapshots("before", None).empty
    if changed:
        assert store.history(limit=1)["what"].tolist() == [BOB.what]
        store.undo(store.last_action(), ANN)
        assert state(reopen()) == after
    else:
        assert {k: exact[k] for k in KEPT} == {k: after[k] for k in KEPT}


def test_snapshot_difference_lists_changed_images(store: SqlStore) -> None:
    fill(store)
    store.take_snapshot("one", None, ANN)
    store.move_images(["a"], "train", "test", ANN)
    store.remove_images("train", store.images("train").query("image == 'b'"), ANN)
    store.add_images("test", images("new"), labels_of(new="kiwi"), ANN)
    marks = store.annotations("train").assign(left=2.5)
    rows = store.images("train").assign(status="labelled", tags=[["seen"]])
    store.update_images("train", rows, marks, ANN)
    relabelled(store, "test", "plum")
    store.take_snapshot("two", None, ANN)
    for told in (store.compare_snapshots("one", "two"), store.compare_snapshots("one", None)):
        found = {(row.image, row.change): (row.split, row.before, row.after) for row in told.itertuples()}
        assert set(found) == {
            ("a", "moved"), ("a", "relabelled"), ("b", "removed"), ("c", "status"), ("c", "redrawn"), ("c", "details"),
            ("t", "relabelled"), ("new", "added"),
        }  # fmt: skip
        assert found["a", "moved"] == ("test", "train", "test")
        assert found["a", "relabelled"] == ("test", ["apple"], ["plum"])
        assert found["b", "removed"] == ("train", ["aple"], None)
        assert found["new", "added"] == ("test", None, ["plum"])
        assert found["c", "status"] == ("train", "skipped", "labelled")
        assert found["c", "redrawn"][1][0][:2] == ("pear", 1.5)
        assert found["c", "details"][2]["tags"] == ["seen"]
        assert found["c", "details"][1]["camera"] == 3
    back = store.compare_snapshots("two", "one")
    assert back.query("image == 'b'")["change"].tolist() == ["added"]
    assert store.compare_snapshots("one", "one").empty
    assert back.columns.tolist() == ["image", "split", "change", "before", "after"]


def test_compare_lists_changed_notes_and_restore_removes_them(store: SqlStore) -> None:
    fill(store)
    marks = store.annotations("train")
    store.take_snapshot("without", None, ANN)
    store.update_images("train", store.images("train"), marks.assign(note=[None, "loose", None]), ANN)
    told = store.compare_snapshots("without", None)
    assert told[["image", "change", "before", "after"]].to_numpy().tolist() == [["b", "notes", [None], ["loose"]]]
    assert store.restore_snapshot("without", ANN).count == 1
    assert store.annotations("train")["note"].isna().all()


def test_snapshots_from_before_there_were_notes_are_restored(store: SqlStore) -> None:
    fill(store)
    store.take_snapshot("old", None, ANN)
    c = snapshots.c
    with store.writing() as connection:
        stored = json.loads(zlib.decompress(connection.scalar(select(c.content))))
        del stored["annotations"]["note"]
        connection.execute(update(snapshots).values(content=zlib.compress(json.dumps(stored).encode())))
    assert store.compare_snapshots("old", None).empty
    before = store.annotations("train")
    store.update_images("train", store.images("train"), before.assign(note="loose"), ANN)
    store.restore_snapshot("old", ANN)
    assert store.annotations("train")["note"].isna().all()
    assert store.annotations("train")["label"].tolist() == before["label"].tolist()


def test_a_snapshot_of_one_side_leaves_the_other_as_it_is(store: SqlStore) -> None:
    fill(store)
    store.take_snapshot("train only", "train", ANN)
    store.move_images(["a"], "train", "test", ANN)
    store.update_images("test", store.images("test"), labels_of(a="x", t="y"), ANN)
    store.add_images("test", images("later"), labels_of(later="z"), ANN)
    told = store.compare_snapshots("train only", None)
    assert told[["image", "change"]].to_numpy().tolist() == [["a", "moved"], ["a", "relabelled"]]
    assert store.restore_snapshot("train only", ANN).count == 1
    assert store.images("train")["image"].tolist() == ["a", "b", "c"]
    assert store.annotations("train")["label"].tolist() == ["apple", "aple", "pear"]
    assert store.annotations("test")["label"].tolist() == ["y", "z"]


def test_labels_that_are_gone_come_back_with_their_color(store: SqlStore) -> None:
    fill(store)
    store.recolor_label("apple", "#123456", ANN)
    store.take_snapshot("before", None, ANN)
    store.remove_label("apple", ANN, with_annotations=True)
    store.restore_snapshot("before", ANN)
    assert store.labels().set_index("label")["color"]["apple"] == "#123456"


def test_image_in_both_splits_is_compared_per_split(store: SqlStore) -> None:
    store.add_images("train", images("a", "b"), labels_of(a="x"), ANN)
    store.add_images("test", images("a"), labels_of(a="y"), ANN)
    store.take_snapshot("before", None, ANN)
    store.remove_images("train", store.images("train").query("image == 'a'"), ANN)
    assert store.compare_snapshots("before", None)[["image", "split", "change"]].to_numpy().tolist() == [
        ["a", "train", "removed"]
    ]
    store.restore_snapshot("before", ANN)
    assert store.annotations("train")["label"].tolist() == ["x"]
    assert store.annotations("test")["label"].tolist() == ["y"]


@pytest.mark.parametrize("name", [*HOSTILE, "../../etc/passwd", "C:\\x", "."])
def test_hostile_names_stay_text(store: SqlStore, name: str) -> None:
    fill(store)
    store.take_snapshot(name, None, ANN)
    with pytest.raises(NotAllowedError, match="already"):
        store.take_snapshot(name, "train", ANN)
    found = store.snapshots().iloc[0]
    assert (found["name"], found["who"], found["images"], found["annotations"]) == (name, "ann", 4, 4)
    assert pd.isna(found["split"])
    store.delete_snapshot(name, ANN)
    assert store.snapshots().empty
    for use in (store.delete_snapshot, store.restore_snapshot):
        with pytest.raises(InputError, match="does not exist"):
            use(name, ANN)


def test_empty_project_can_be_restored(store: SqlStore) -> None:
    assert store.take_snapshot("empty", None, ANN).count == 0
    assert store.restore_snapshot("empty", ANN).count == 0
    fill(store)
    assert store.compare_snapshots("empty", None)["change"].tolist() == ["added"] * 4
    assert store.restore_snapshot("empty", ANN).count == 4
    assert store.images().empty
    store.undo(None, ANN)
    assert len(store.images()) == 4


def test_a_damaged_snapshot_is_a_typed_error(store: SqlStore) -> None:
    fill(store)
    store.take_snapshot("one", None, ANN)
    with store.writing() as connection:
        connection.execute(snapshots.update().values(content=b"not zlib"))
    before = state(store)
    with pytest.raises(StoreError, match="damaged"):
        store.restore_snapshot("one", Action("restore", "ann"))
    assert state(store) == before


def test_annotations_without_polygons_or_boxes_compare_whatever_their_order(store: SqlStore) -> None:
    box = {"image": "a", "label": "x", "left": 0, "top": 0, "width": 2, "height": 2}
    two = t.normalise_annotations(pd.DataFrame([box, {**box, "left": 5}, {"image": "a", "label": "x"}]))
    store.add_images("train", images("a"), two, ANN)
    store.take_snapshot("one", None, ANN)
    store.update_images("train", store.images("train").assign(status="labelled"), two.iloc[::-1], ANN)
    assert store.compare_snapshots("one", None)["change"].tolist() == ["status"]


def test_snapshot_difference_ignores_the_order_of_own_columns(store: SqlStore) -> None:
    columns = {"image": ["a", "b"], "site": [None, "north"], "note": ["late", "early"]}
    store.add_images("train", t.normalise_images(pd.DataFrame(columns)), t.empty(t.ANNOTATION_COLUMNS), ANN)
    store.take_snapshot("one", None, ANN)
    store.update_images("train", store.images("train").assign(status="skipped"), t.empty(t.ANNOTATION_COLUMNS), ANN)
    assert store.compare_snapshots("one", None)["change"].tolist() == ["status", "status"]
