"""Tests of undo, and of following the actions of others, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import InputError, LabelError, NotAllowedError, StaleEditError
from customlabels_nb.store import Action, SqlStore, WriteResult, create_store, schema
from tests.store.test_contract import images, labels_of, version
from tests.tiers import many

ANN, BOB = Action("update", "ann", "a note"), Action("update", "bob")
NOTHING = t.empty(t.ANNOTATION_COLUMNS)


def check_counts(store: SqlStore) -> None:
    """Check that the stored counts are what pandas counts in the tables."""
    rows, marks = store.images(), store.annotations()
    annotated = {split: set(store.annotations(split)["image"]) for split in t.SPLITS}
    rows["annotated"] = [name in annotated[split] for name, split in zip(rows["image"], rows["split"], strict=True)]
    by_status = rows.groupby(["split", "status"])["annotated"].agg(["size", "sum"])
    counted = store.status_counts().set_index(["split", "status"])
    assert dict(zip(counted.index, counted.to_numpy().tolist(), strict=True)) == dict(
        zip(by_status.index, by_status.to_numpy().astype(int).tolist(), strict=True)
    )
    uses = store.label_uses().set_index("label")
    assert uses["annotations"].to_dict() == uses["annotations"].to_dict() | marks["label"].value_counts().to_dict()
    assert uses["annotations"].sum() == len(marks)
    for split in t.SPLITS:
        own = store.annotations(split)
        images_with = own.groupby("label")["image"].nunique()
        assert uses[split].to_dict() == {label: images_with.get(label, 0) for label in uses.index}
        mine, shapes = rows[rows["split"] == split], own["left"].notna() | own["polygon"].notna()
        expected = len(mine), int((mine["status"] == "labelled").sum()), len(images_with), int(shapes.sum())
        assert tuple(vars(store.statistics(split)).values()) == expected
    assert store.image_count() == len(rows)
    names, c = ["several", "boxed", "outlined"], schema.image_counts.c
    with store.reading() as connection:
        sums = select(c.split, *(func.sum(c[name]) for name in names)).group_by(c.split)
        kept = {split: [int(number) for number in numbers] for split, *numbers in connection.execute(sums)}
    assert {split: kept.get(split, [0, 0, 0]) for split in t.SPLITS} == {s: _by_marks(store, s) for s in t.SPLITS}


def _by_marks(store: SqlStore, split: str) -> list[int]:
    """Count the images with several labels, with boxes and with polygons."""
    marks = store.annotations(split)
    several = int((marks.groupby("image")["label"].nunique() > 1).sum())
    return [several, *(marks.loc[marks[name].notna(), "image"].nunique() for name in ("left", "polygon"))]


def state(store: SqlStore) -> dict[str, Any]:
    """Return everything that undo must restore: all but revisions and times of change. Check the counts as well."""
    check_counts(store)
    frames = {
        "images": store.images().drop(columns="revision"),
        "annotations": store.annotations(),
        "predictions": store.predictions(),
        "suggestions": pd.concat([store.suggestions(split) for split in t.SPLITS], ignore_index=True),
        "labels": store.labels(),
        "files": store.files()[0],
        "issues": store.issues(),
        "lines": store.import_lines(),
    }
    return {
        **{name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in frames.items()},
        "datasets": [(d.split, d.sources, d.created) for s in t.SPLITS if (d := store.dataset(s)) is not None],
    }


def fill(store: SqlStore) -> None:
    """Add both splits, boxes and polygons, own columns, tags, file metadata, and predictions of one model."""
    rows = images("a", "b", "c", width=[10, None, 30], height=[20, None, 40], tags=[["x", "é"], [], []],
                  sha256=["aa", None, "cc"], camera=["left", None, 3],
                  status=["labelled", "labelled", "skipped"])  # fmt: skip
    files = pd.DataFrame({"image": ["a", "b", "c"], "bytes": [5, 6, 7], "mtime_ns": [1, 2, 3]})
    box = {"image": "c", "label": "pear", "left": 1.5, "top": 0.1, "width": 3, "height": 5,
           "polygon": [[0, 0], [1, 0], [1, 1.5]], "crowd": True, "confidence": 0.25, "job": "j"}  # fmt: skip
    marks = pd.concat([labels_of(a="apple", b="aple"), t.normalise_annotations(pd.DataFrame([box]))])
    store.add_images("train", rows, marks, ANN, files=files, source={"kind": "folder", "name": "photos"},
                     issues=[Issue("IMAGE_TRUNCATED", where="x")], lines=[("m", 7, "{bad")])  # fmt: skip
    store.add_images("test", images("t"), labels_of(t="apple"), ANN, source={"kind": "folder", "name": "tests"})
    store.add_version(version("v1"), ANN)
    store.replace_predictions("v1", labels_of(a="apple", b="aple", t="pear").assign(model="v1"), ANN)


def relabelled(store: SqlStore, split: str = "train", label: str = "plum") -> WriteResult:
    marks = store.annotations(split)
    return store.update_images(split, store.images(split), marks.assign(label=label), ANN)


def reviewed(store: SqlStore) -> WriteResult:
    """Send all training images to review."""
    rows = store.images("train")
    rows = rows.assign(status="needs_review", tags=[["n"]] * len(rows))
    return store.update_images("train", rows, store.annotations("train"), ANN)


def annotated(store: SqlStore, split: str, more: pd.DataFrame) -> WriteResult:
    """Add annotations to images of a dataset, if they are still there."""
    rows = store.images(split)
    marks = pd.concat([store.annotations(split), more[more["image"].isin(rows["image"])]]).drop_duplicates(
        ["image", "label", "left"]
    )
    return store.update_images(split, rows, marks, ANN)


def drawn(image: str, label: str, **shape: Any) -> pd.DataFrame:
    """Return a table with one box or polygon."""
    return t.normalise_annotations(pd.DataFrame([{"image": image, "label": label, **shape}]))


def both_labels(store: SqlStore) -> None:
    """Give image a both labels that will be merged, in the predictions as well."""
    annotated(store, "train", labels_of(a="aple"))
    twice = pd.concat([labels_of(a="apple", b="aple"), labels_of(a="aple")]).assign(model="v1")
    store.replace_predictions("v1", twice, ANN)


ACTIONS: dict[str, Callable[[SqlStore], object]] = {
    "update": relabelled,
    "status": reviewed,
    "own column": lambda s: s.update_images("train", s.images("train").assign(camera="new", more=1.5),
                                            s.annotations("train"), ANN),
    "reject": lambda s: s.update_images("train", s.images("train").assign(status="unlabelled"), NOTHING, ANN,
                                        rejects=True),
    "unlabel": lambda s: s.update_images("train", s.images("train"), NOTHING, ANN),
    "two labels": lambda s: annotated(s, "train", labels_of(a="aple", b="apple", c="pear")),
    "box": lambda s: annotated(s, "train", drawn("a", "apple", left=1, top=1, width=2, height=2)),
    "note": lambda s: s.update_images(
        "train", s.images("train").assign(note="unclear"), s.annotations("train").assign(note="loose\n🍎?"), ANN
    ),
    "polygon": lambda s: annotated(s, "test", drawn("t", "pear", polygon=[[0, 0], [4, 0], [4, 4]])),
    "add": lambda s: s.add_images("train", images("d", "e"), labels_of(d="kiwi"), ANN, source={"name": "more"},
                                  issues=[Issue("DUPLICATE_CONTENT", where="y")], lines=[("n", 1, "x")]),
    "remove": lambda s: s.remove_images("train", s.images("train").query("image != 'a'"), ANN),
    "remove all": lambda s: s.remove_images("train", s.images("train"), ANN),
    "move": lambda s: s.move_images(["a", "c"], "train", "test", ANN),
    "delete dataset": lambda s: s.delete_dataset("train", ANN),
    "delete test set": lambda s: s.delete_dataset("test", ANN),
    "add label": lambda s: s.add_labels([("new", "#abcdef")], ANN),
    "add labels, review": lambda s: s.add_labels([("new", None), ("newer", "#abcdef")], ANN, review=True),
    "review without": lambda s: s.review_without("pear", ANN),
    "rename": lambda s: s.rename_label("apple", "pomme", ANN),
    "merge": lambda s: s.merge_labels("aple", "apple", ANN),
    "remove label": lambda s: s.remove_label("apple", ANN, with_annotations=True),
    "reorder": lambda s: s.reorder_labels(["pear", "apple"], ANN),
    "recolor": lambda s: s.recolor_label("apple", "#123456", ANN),
}  # fmt: skip


@pytest.mark.parametrize("reopen", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ACTIONS)
def test_action_is_undone_redone_and_undone_again(store: SqlStore, reopen: Callable[[], SqlStore], name: str) -> None:
    fill(store)
    if name == "merge":
        both_labels(store)
    undo_and_redo(store, reopen, name)


@pytest.mark.parametrize("reopen", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_actions_are_undone_one_after_another(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    both_labels(store)
    for name in ACTIONS:
        undo_and_redo(store, reopen, name)


def undo_and_redo(store: SqlStore, reopen: Callable[[], SqlStore], name: str) -> None:
    before = state(store)
    ACTIONS[name](store)
    after = state(store)
    done = int(store.history(limit=1)["id"].iloc[0])
    assert after != before
    store.undo(None, Action("undo", "ann", "oops"))
    assert state(reopen()) == before
    line = store.history(limit=1).iloc[0]
    assert (line["who"], line["note"], line["undoes"]) == ("ann", "oops", done)
    assert store.history().set_index("id").loc[done, "undone_by"] == line["id"]
    with pytest.raises(NotAllowedError, match="already"):
        store.undo(done, ANN)
    store.undo(int(line["id"]), BOB)
    assert state(reopen()) == after
    assert store.history(limit=1)["what"].iloc[0].startswith("redo")
    store.undo(done, BOB)
    assert state(reopen()) == before


def test_later_change_of_the_same_image_blocks_undo(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    relabelled(store)
    done = store.last_action()
    other = reopen()
    mine = other.images("train").query("image == 'b'")
    other.update_images("train", mine, labels_of(b="theirs"), BOB)
    now = state(store)
    with pytest.raises(StaleEditError, match=r"'b', by bob with 'update' \(action \d+\)") as caught:
        store.undo(done, ANN)
    assert caught.value.images == ["b"]
    assert caught.value.theirs["label"].tolist() == ["theirs"]
    assert caught.value.yours["label"].tolist() == ["aple"]
    assert state(store) == now
    # after undoing that, it is allowed
    store.undo(None, BOB)
    assert store.undo(done, ANN).count == 3
    assert store.annotations("train")["label"].tolist() == ["apple", "aple", "pear"]


def test_changes_of_other_images_do_not_block_undo(store: SqlStore) -> None:
    fill(store)
    relabelled(store)
    done = store.last_action()
    relabelled(store, "test", "kiwi")
    assert store.undo(done, BOB).count == 3
    assert store.annotations("test")["label"].tolist() == ["kiwi"]


def test_an_edit_read_before_an_undo_is_stale(store: SqlStore) -> None:
    fill(store)
    relabelled(store)
    rows, marks = store.images("train"), store.annotations("train")
    store.undo(None, ANN)
    with pytest.raises(StaleEditError):
        store.update_images("train", rows, marks.assign(label="late"), ANN)


def test_a_removed_image_whose_name_is_taken_stays_removed(store: SqlStore) -> None:
    fill(store)
    ACTIONS["remove"](store)
    store.add_images("train", images("b"), NOTHING, BOB)
    with pytest.raises(StaleEditError, match=r"'b', by bob"):
        store.undo(None, ANN)
    assert store.images("train")["image"].tolist() == ["a", "b"]


def test_images_that_were_labelled_since_are_not_removed_by_undoing_their_import(store: SqlStore) -> None:
    fill(store)
    ACTIONS["add"](store)
    done = store.last_action()
    store.update_images("train", store.images("train").query("image == 'e'"), labels_of(e="x"), BOB)
    with pytest.raises(StaleEditError, match="'e'"):
        store.undo(done, ANN)
    store.undo(None, BOB)
    assert store.undo(done, ANN).count == 2
    assert "kiwi" not in store.labels()["label"].tolist()


def test_later_label_changes_block_undo(store: SqlStore) -> None:
    fill(store)
    store.add_labels([("new", None)], ANN)
    added = store.last_action()
    store.rename_label("new", "newer", BOB)
    renamed = store.last_action()
    with pytest.raises(NotAllowedError, match="changed since"):
        store.undo(added, ANN)
    store.add_labels([("new", None)], BOB)
    with pytest.raises(NotAllowedError, match="another label 'new'"):
        store.undo(renamed, ANN)
    store.undo(None, BOB)
    store.undo(renamed, ANN)
    store.update_images("test", store.images("test"), labels_of(t="new"), BOB)
    with pytest.raises(NotAllowedError, match="used by 1 annotation\\."):
        store.undo(added, ANN)
    store.reorder_labels(["new"], ANN)
    done = store.last_action()
    store.reorder_labels(["apple"], BOB)
    with pytest.raises(NotAllowedError, match="reordered or removed"):
        store.undo(done, ANN)
    store.reorder_labels(["pear", "new", "apple"], ANN)
    done = store.last_action()
    store.merge_labels("pear", "apple", BOB)
    with pytest.raises(NotAllowedError, match="reordered or removed"):
        store.undo(done, ANN)


def test_annotations_come_back_with_a_label_that_was_added_again(store: SqlStore) -> None:
    fill(store)
    ACTIONS["remove all"](store)
    store.replace_predictions("v1", NOTHING.assign(model="v1"), ANN)
    store.remove_label("aple", BOB)
    removal = store.last_action()
    store.remove_label("pear", BOB)
    store.add_labels([("pear", "#010203")], BOB)
    done = store.history().query("what == 'update' and split == 'train'")["id"].iloc[0]
    with pytest.raises(NotAllowedError, match="'aple' of its annotations has been removed"):
        store.undo(int(done), ANN)
    store.undo(removal, BOB)
    assert store.undo(int(done), ANN).count == 3
    assert store.annotations("train")["label"].tolist() == ["apple", "aple", "pear"]
    assert store.predictions("train").empty  # they were replaced later
    assert store.labels()["label"].value_counts().max() == 1


def test_undo_of_an_irreversible_action_is_refused(store: SqlStore) -> None:
    with pytest.raises(NotAllowedError, match="no actions to undo"):
        store.undo(None, ANN)
    store.add_version(version("v1"), Action("train", "ann"))
    with pytest.raises(NotAllowedError, match=r"'train' \(action 1\) cannot be undone"):
        store.undo(1, ANN)
    with pytest.raises(NotAllowedError, match="Action 77 does not exist"):
        store.undo(77, ANN)
    with pytest.raises(InputError, match="action_id='rename label'"):
        store.undo("rename label", ANN)  # type: ignore[arg-type]
    assert store.history()["undoable"].tolist() == [False]
    fill_other = images("a", sha256=["aa"])
    store.add_images("train", fill_other, NOTHING, ANN)
    facts = pd.DataFrame({"image": ["a"], "width": [9], "height": [8], "sha256": ["bb"], "bytes": [6], "mtime_ns": [2]})
    store.refresh_files("train", facts, Action("refresh files", "bob"))
    with pytest.raises(StaleEditError, match="by bob with 'refresh files'"):
        store.undo(None, ANN)


def test_undo_skips_actions_of_others_by_default(store: SqlStore) -> None:
    fill(store)
    relabelled(store)
    store.add_labels([("his", None)], BOB)
    store.undo(None, ANN)
    assert "his" in store.labels()["label"].tolist()
    assert store.annotations("train")["label"].tolist() == ["apple", "aple", "pear"]


def test_concurrent_undo_applies_once(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    relabelled(store)
    done, before = store.last_action(), len(store.history())
    stores, outcomes, start = [reopen() for _ in range(4)], [], threading.Barrier(4)

    def take_back(number: int) -> None:
        start.wait()
        try:
            outcomes.append(stores[number].undo(done, ANN).count)
        except NotAllowedError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=take_back, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(3) == 1
    assert sum("already" in str(outcome) for outcome in outcomes) == 3
    assert len(store.history()) == before + 1


def test_others_are_followed_by_their_actions(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    assert store.last_action() == 0
    fill(store)
    seen = store.last_action()
    assert store.actions_since(seen).empty
    other = reopen()
    relabelled(other)
    other.rename_label("plum", "pflaume", BOB)
    other.move_images(["a"], "train", "test", BOB)
    other.remove_images("train", other.images("train").query("image == 'b'"), BOB)
    other.add_images("train", images("images"), NOTHING, BOB)
    other.undo(None, BOB)
    news = store.actions_since(seen)
    assert news["images"].tolist() == [["a", "b", "c"]] * 2 + [["a"], ["b"], ["images"], ["images"]]
    assert news["who"].tolist() == ["ann"] + ["bob"] * 5
    assert news["id"].tolist() == list(range(seen + 1, seen + 7))
    assert store.actions_since(seen, limit=2)["id"].tolist() == [seen + 1, seen + 2]
    assert store.last_action() == seen + 6


STEPS = st.sampled_from(list(ACTIONS))


@pytest.mark.storing
def test_a_label_that_came_back_for_a_while_leaves_the_order(store: SqlStore) -> None:
    fill(store)
    ids = [ACTIONS[name](store).action for name in ("update", "reorder", "merge")]  # type: ignore[attr-defined]
    before = state(store)
    store.undo(ids[0], BOB)  # needs "aple", which was merged, and makes room for it
    store.undo(store.last_action(), BOB)
    assert state(store) == before
    for id_ in reversed(ids):
        store.undo(id_, ANN)
    assert list(store.labels()["label"]) == ["aple", "apple", "pear"]


@settings(max_examples=many(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(STEPS, min_size=1, max_size=7), takes=st.lists(st.integers(0, 100), max_size=6))
def test_undoing_any_actions_restores_the_state(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], takes: list[int]
) -> None:
    store = create_store(str(tmp_path_factory.mktemp("any") / "p.db"), "p")
    try:
        fill(store)
        states, done = {store.last_action(): state(store)}, []
        for name in names:
            before = store.last_action()
            with contextlib.suppress(ValueError, NotAllowedError):  # an earlier undo removed what this one needs
                ACTIONS[name](store)
            if store.last_action() != before:
                done.append(store.last_action())
                states[done[-1]] = state(store)
        # in any order: a refused undo changes nothing
        for take in takes:
            now, chosen = state(store), done[take % len(done)] if done else 1
            try:
                store.undo(chosen, BOB)
            except (NotAllowedError, StaleEditError, LabelError):
                assert state(store) == now
            else:
                store.undo(store.last_action(), BOB)
                assert state(store) == now
        for id_ in reversed(done):
            assert state(store) == states[id_]
            store.undo(id_, ANN)
        assert state(store) == states[min(states)]
    finally:
        store.destroy()
