"""Tests of a store's project overview, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.errors import NotAllowedError, StaleEditError
from customlabels_nb.store import Action, SqlStore, VersionRecord, columns

ANN, BOB = Action("label", "ann", "a note"), Action("edit", "bob")
HOSTILE = "'; DROP TABLE images; -- \u202e <b>"


def images(*names: str, **columns: object) -> pd.DataFrame:
    return t.normalise_images(pd.DataFrame({"image": names, **columns}))


def marks(**pairs: str) -> pd.DataFrame:
    frame = pd.DataFrame({"image": list(pairs), "label": list(pairs.values())}, dtype="str")
    return t.normalise_annotations(frame, annotator="ann")


def fill(store: SqlStore) -> None:
    """Add images of every status to both splits."""
    rows = images("a", "b", "c", status=["labelled", "skipped", "unlabelled"])
    store.add_images("train", rows, marks(a="apple", b=HOSTILE), Action("import", "ann"))
    store.add_images(
        "test", images("a", "z", status=["needs_review", "labelled"]), marks(z="apple"), Action("import", "ann")
    )


def relabel(store: SqlStore, image: str, label: str, action: Action) -> None:
    rows, _, _ = store.tables("train", images=[image])
    store.update_images("train", rows, marks(**{image: label}), action)


def outline(store: SqlStore, names: list[str] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = store.outline_images(names)
    return rows, store.outline_annotations(None if names is None else rows["number"].tolist())


def test_an_empty_outline_is_typed(store: SqlStore) -> None:
    rows, annotations = outline(store)
    assert rows.dtypes.astype(str).to_dict() == {
        "number": "int64", "split": "category", "status": "category", "added": t.CREATED_DTYPE, "predicted": "bool",
    }  # fmt: skip
    assert list(annotations) == ["number", "label", "annotator", "created"]
    assert len(rows) == len(annotations) == store.image_count() == 0
    assert store.actions().empty
    assert store.actors() == {}


def test_outline_equals_the_tables(store: SqlStore) -> None:
    fill(store)
    rows, annotations = outline(store)
    assert store.image_count() == 5
    names = store.image_names(rows["number"].tolist())
    assert names[["split", "image"]].to_numpy().tolist() == store.images()[["split", "image"]].to_numpy().tolist()
    assert rows["split"].tolist() == store.images()["split"].tolist()
    assert rows["status"].tolist() == store.images()["status"].tolist()
    assert not rows["predicted"].any()
    by_number = dict(zip(names["number"], names["image"], strict=True))
    told = [(by_number[number], label) for number, label in annotations[["number", "label"]].itertuples(index=False)]
    assert sorted(told) == [("a", "apple"), ("b", HOSTILE), ("z", "apple")]
    assert annotations["annotator"].tolist() == ["ann"] * 3
    assert sorted(annotations["created"]) == sorted(store.annotations()["created"])
    assert (rows["added"] <= pd.Timestamp.now(tz="UTC")).all()


def test_the_outline_is_read_in_parts_in_the_order_of_the_images(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    relabel(store, "b", "pear", BOB)
    whole = outline(store)
    store.remove_images("train", store.tables("train", images=["c"])[0], ANN)  # a gap between the ids
    monkeypatch.setattr(columns, "_JOINED", 1)
    rows, annotations = outline(store)
    pd.testing.assert_frame_equal(rows, whole[0].drop(index=2).reset_index(drop=True))
    pd.testing.assert_frame_equal(annotations, whole[1])


def test_the_outline_of_some_images_has_them_on_both_sides(store: SqlStore) -> None:
    fill(store)
    rows, annotations = outline(store, ["a", "b", "gone", "nul\0"])
    assert rows["split"].tolist() == ["train", "train", "test"]
    assert sorted(annotations["label"]) == sorted(["apple", HOSTILE])
    everything = outline(store)[0]
    assert set(rows["number"]) < set(everything["number"])
    assert outline(store, [])[0].empty


def test_overview_marks_images_with_predictions(store: SqlStore) -> None:
    fill(store)
    now = datetime.now(tz=UTC)
    store.add_version(VersionRecord("v1", "TRAINING_COMPLETED", "", "versions/v1", now, now), ANN)
    said = pd.DataFrame({"image": ["c"], "label": ["apple"], "confidence": [0.4], "model": ["v1"]})
    store.replace_predictions("v1", t.normalise_annotations(said), ANN)
    assert outline(store)[0]["predicted"].tolist() == [False, False, True, False, False]
    assert outline(store, ["c"])[0]["predicted"].tolist() == [True]


def test_actions_come_newest_first_page_by_page(store: SqlStore) -> None:
    fill(store)
    relabel(store, "c", "pear", ANN)
    relabel(store, "c", "plum", BOB)
    found = store.actions()
    assert found["id"].tolist() == sorted(found["id"], reverse=True)
    assert found["who"].tolist() == ["bob", "ann", "ann", "ann"]
    assert found.loc[1, ["what", "note", "split", "count"]].tolist() == ["label", "a note", "train", 1]
    assert found["undoable"].all()
    pd.testing.assert_frame_equal(store.actions(limit=2), found.head(2))
    rest = store.actions(before=int(found["id"].iloc[1]), limit=None)
    assert rest["id"].tolist() == found["id"].tolist()[2:]
    assert store.actions(who="bob")["what"].tolist() == ["edit"]
    assert store.actors() == {"ann": 3, "bob": 1}
    wanted = store.history()[list(found)]
    pd.testing.assert_frame_equal(found, wanted)


def test_reason_why_an_action_cannot_be_undone(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    relabel(store, "c", "pear", ANN)
    first = store.last_action()
    assert store.undo_refusal(first) is None
    relabel(reopen(), "c", "plum", BOB)
    refusal = store.undo_refusal(first)
    assert refusal is not None
    assert "by bob with 'edit'" in refusal
    with pytest.raises(StaleEditError) as raised:
        store.undo(first, ANN)
    assert str(raised.value) == refusal
    store.undo(store.last_action(), BOB)
    assert store.undo_refusal(first) is None  # as ann left it
    store.undo(first, ANN)
    assert "already been undone" in str(store.undo_refusal(first))
    with pytest.raises(NotAllowedError, match="already been undone"):
        store.undo(first, ANN)
    assert "Action 4711 does not exist" in str(store.undo_refusal(4711))


def test_changes_since_a_time(store: SqlStore) -> None:
    fill(store)
    moment = datetime.now(tz=UTC)
    assert store.changes_since(moment) == (0, None)
    store.set_project(ANN, instructions="be kind")  # unrelated to training
    assert store.changes_since(moment)[0] == 0
    relabel(store, "c", "pear", ANN)
    relabel(store, "c", "plum", BOB)
    count, first = store.changes_since(moment)
    assert count == 2
    assert first is not None
    assert first == store.history()["created"].iloc[1].to_pydatetime()
    assert store.changes_since(first)[0] == 1
    assert store.changes_since(moment - timedelta(days=1))[0] == 4
