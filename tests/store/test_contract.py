"""Tests of the contract of every store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event

from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import PALETTE
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import (
    InputError,
    LabelError,
    ModelNotFoundError,
    NotAllowedError,
    OutdatedError,
    StaleEditError,
    StoreError,
    TableError,
)
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.store import Action, SqlStore, VersionRecord, create_store, open_store
from customlabels_nb.store.writing import ImportPart

ACTION = Action("import", "ann", "a note")
HOSTILE = ["<img src=x onerror=alert(1)>", '"; DROP TABLE images; --', "‮evil​", "a" * 256, "naïve 🍎", "it's\n%s ? :x"]


def images(*names: str, **columns: object) -> pd.DataFrame:
    return t.normalise_images(pd.DataFrame({"image": names, **columns}))


def labels_of(**pairs: str) -> pd.DataFrame:
    return t.normalise_annotations(pd.DataFrame({"image": list(pairs), "label": list(pairs.values())}), annotator="ann")


def fill(store: SqlStore) -> None:
    store.add_images("train", images("a", "b", "c"), labels_of(a="apple", b="banana"), ACTION)


def version(name: str, **changes: object) -> VersionRecord:
    """Return the record of a version with changes."""
    now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    values: dict[str, object] = {"status": "TRAINING_IN_PROGRESS", "status_message": "", "folder": f"versions/{name}"}
    return VersionRecord(name=name, created=now, updated=now, **{**values, **changes})  # type: ignore[arg-type]


def test_a_new_store_is_empty_and_typed(store: SqlStore) -> None:
    assert store.project().name == "fruit"
    assert store.project().task == "single-label"
    assert store.images().dtypes.to_dict() == t.IMAGE_COLUMNS
    assert store.annotations("test").dtypes.to_dict() == t.ANNOTATION_COLUMNS
    assert store.predictions().dtypes.to_dict() == t.PREDICTION_COLUMNS
    assert store.labels().dtypes.to_dict() == t.LABEL_COLUMNS
    assert store.dataset("train") is None
    assert len(store.history()) == len(store.versions()) == len(store.issues()) == len(store.import_lines()) == 0


def test_added_images_keep_their_order(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    rows = images("z", "a", width=[10, None], height=[20, None], sha256=["00ff", None], tags=[["x", "é"], []])
    boxes = pd.DataFrame(
        {
            "image": ["z", "z", "a"],
            "label": ["b", "a", "a"],
            "left": [1.5, 2, None],
            "top": [0.1, 2, None],
            "width": [3, 4, None],
            "height": [5, 6, None],
            "polygon": [[[0, 0], [1, 0], [1, 1.5]], None, None],
            "confidence": [0.25, 1, 1],
            "crowd": [True, False, False],
            "created": pd.Timestamp("2020-03-06T17:46:39.176001Z"),
        }
    )
    added = t.normalise_annotations(boxes, annotator="ann")
    assert store.add_images("train", rows, added, ACTION).count == 2
    again = reopen()
    pd.testing.assert_frame_equal(again.images().drop(columns="revision"), rows.drop(columns="revision"))
    pd.testing.assert_frame_equal(again.annotations(), added)
    assert again.images().dtypes.to_dict() == t.IMAGE_COLUMNS
    assert again.annotations().dtypes.to_dict() == t.ANNOTATION_COLUMNS
    assert again.labels()["label"].tolist() == ["a", "b"]
    assert again.dataset("train").status == "CREATE_COMPLETE"  # type: ignore[union-attr]


def test_extra_columns_survive(store: SqlStore) -> None:
    rows = images("a", "b", "c", camera=["left", None, "right"], day=[1, 2, 3], ok=[True, False, True])
    store.add_images("train", rows, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    store.add_images("test", images("d"), t.empty(t.ANNOTATION_COLUMNS), ACTION)
    found = store.images("train")
    assert found["day"].tolist() == [1, 2, 3]
    assert found["ok"].tolist() == [True, False, True]
    assert found["camera"].iloc[0] == "left"
    assert pd.isna(found["camera"].iloc[1])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(store: SqlStore, name: str) -> None:
    store.add_images("train", images(name, source=name), labels_of(**{name: name}), Action(name, name, name))
    assert store.images()["image"].tolist() == [name]
    assert store.annotations()["label"].tolist() == [name.strip()]
    assert store.history()["note"].tolist() == [name]
    assert store.rename_label(name.strip(), "plain", ACTION).count == 1
    assert store.annotations()["label"].tolist() == ["plain"]


def test_adding_an_image_twice_is_refused_and_changes_nothing(store: SqlStore) -> None:
    fill(store)
    with pytest.raises(TableError, match="already"):
        store.add_images("train", images("new", "b"), labels_of(new="cherry"), ACTION)
    assert store.images()["image"].tolist() == ["a", "b", "c"]
    assert "cherry" not in store.labels()["label"].tolist()
    assert len(store.history()) == 1


def test_statistics_count_entries_and_labels(store: SqlStore) -> None:
    fill(store)
    rows = store.images("train")
    store.update_images("train", t.settle_statuses(rows, store.annotations()), store.annotations(), ACTION)
    assert vars(store.statistics("train")) == {
        "total_entries": 3, "labelled_entries": 2, "total_labels": 2, "total_boxes": 0
    }  # fmt: skip
    assert store.statistics("test").total_entries == 0


def test_update_writes_the_difference_as_one_action(store: SqlStore) -> None:
    fill(store)
    changed = store.annotations("train")
    changed.loc[changed["image"] == "a", "label"] = "pear"
    assert store.update_images("train", store.images("train"), changed, Action("update", "bob", "by rule")).count == 1
    assert store.annotations()["label"].tolist() == ["pear", "banana"]
    assert store.images()["revision"].tolist() == [2, 1, 1]
    line = store.history().iloc[0]
    assert (line["who"], line["what"], line["note"], line["split"], line["count"]) == (
        "bob",
        "update",
        "by rule",
        "train",
        1,
    )
    assert line["before"]["a"]["annotations"][0][0] == "apple"
    assert line["after"]["a"]["annotations"][0][0] == "pear"


def test_writers_return_the_action_that_they_wrote(store: SqlStore) -> None:
    fill(store)
    relabelled = store.update_images("train", store.images("train"), labels_of(a="fig"), ACTION)
    assert relabelled.action == store.last_action()
    assert store.undo(relabelled.action, ACTION).action == store.last_action()
    assert store.set_project(ACTION, instructions="Ripe only.").action == store.last_action()
    assert store.update_images("train", store.images("train"), store.annotations("train"), ACTION).action is None


def test_update_without_a_difference_is_no_action(store: SqlStore) -> None:
    fill(store)
    assert store.update_images("train", store.images(), store.annotations(), ACTION).count == 0
    assert len(store.history()) == 1
    assert store.images()["revision"].tolist() == [1, 1, 1]


def test_update_changes_only_named_images(store: SqlStore) -> None:
    fill(store)
    only_b = store.images().query("image == 'b'").assign(status="skipped")
    assert store.update_images("train", only_b, labels_of(b="banana"), ACTION).count == 1
    assert store.images()["image"].tolist() == ["a", "b", "c"]
    assert store.images()["status"].tolist() == ["unlabelled", "skipped", "unlabelled"]


def test_removing_images_keeps_what_they_were_and_refuses_stale_ones(
    store: SqlStore, reopen: Callable[[], SqlStore]
) -> None:
    fill(store)
    read = store.images()
    reopen().update_images("train", read.query("image == 'c'").assign(status="skipped"), labels_of(), ACTION)
    with pytest.raises(StaleEditError) as caught:
        store.remove_images("train", read, ACTION)
    assert caught.value.images == ["c"]
    assert len(store.images()) == 3
    assert store.remove_images("train", read.query("image != 'c'"), ACTION).count == 2
    assert store.images()["image"].tolist() == ["c"]
    assert store.annotations().empty
    assert store.history().iloc[0]["before"]["a"]["annotations"][0][0] == "apple"
    with pytest.raises(TableError, match="not in the train set"):
        store.remove_images("train", read, ACTION)


def test_importing_the_same_again_is_no_action(store: SqlStore) -> None:
    nothing, found = t.empty(t.ANNOTATION_COLUMNS), [Issue("IMAGE_TRUNCATED", where="x.jpg", source="folder")]
    for _ in range(3):
        store.add_images("train", images(), nothing, ACTION, issues=found)
    assert len(store.issues()) == len(store.history()) == 1


def test_extra_columns_keep_their_types(store: SqlStore) -> None:
    moments = pd.to_datetime(["2026-01-02T03:04:05.678", None, "2026-02-03"], format="ISO8601")
    rows = images("a", "b", "c", taken=moments, stars=pd.array([1, None, 3], dtype="Int64"), zoom=[1.5, None, 2])
    store.add_images("train", rows, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    found = store.images()
    assert found["taken"].tolist()[::2] == moments.tolist()[::2]
    assert pd.api.types.is_datetime64_any_dtype(found["taken"])
    assert str(found["stars"].dtype) == "Int64"
    assert found["zoom"].dtype == float


def test_a_stale_edit_is_refused_and_shows_both(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    other = reopen()
    mine, mine_labels = store.images(), store.annotations()
    other.update_images("train", other.images(), labels_of(a="theirs", b="banana"), ACTION)
    mine_labels.loc[0, "label"] = "yours"
    with pytest.raises(StaleEditError) as caught:
        store.update_images("train", mine, mine_labels, ACTION)
    assert caught.value.images == ["a"]
    assert caught.value.theirs["label"].tolist() == ["theirs"]
    assert caught.value.yours["label"].tolist() == ["yours"]
    assert store.annotations()["label"].tolist() == ["theirs", "banana"]
    # an edit of another image does not matter to this one
    mine_labels.loc[0, "label"] = "theirs"
    mine_labels.loc[1, "label"] = "plum"
    assert store.update_images("train", mine, mine_labels, ACTION).count == 1


def test_edit_of_an_outdated_revision_is_refused(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    read = store.tables("train")[:2]
    reopen().update_images("train", store.images(), labels_of(a="theirs", b="banana"), ACTION)
    with pytest.raises(StaleEditError) as caught:
        store.update_images("train", read[0], labels_of(a="yours", b="banana"), ACTION, stored=read)
    assert caught.value.theirs["label"].tolist() == ["theirs"]
    # a row that already is as the edit wants it is not a conflict, and one that no longer is as it was is one
    assert store.update_images("train", read[0], labels_of(a="theirs", b="banana"), ACTION, stored=read).count == 0
    with pytest.raises(StaleEditError):
        store.update_images("train", *read, ACTION, stored=read)
    read = store.tables("train")[:2]
    assert store.update_images("train", read[0], labels_of(a="yours", b="banana"), ACTION, stored=read).count == 1
    assert store.annotations()["label"].tolist() == ["yours", "banana"]
    assert store.images()["revision"].tolist() == [3, 1, 1]


def test_one_label_edit_takes_few_statements(store: SqlStore) -> None:
    fill(store)
    session = LabellingSession(store, Path())
    with store.reading() as connection:
        engine = connection.engine
    session.assign(["a"], "pear")
    done: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: done.append(given[2]))
    event.listen(engine, "commit", lambda connection: done.append("COMMIT"))
    session.assign(["a"], "banana")
    assert store.annotations()["label"].tolist() == ["banana", "banana"]
    done = done[: [*done].index("COMMIT", [at for at, sql in enumerate(done) if sql.startswith("INSERT")][-1]) + 1]
    assert done.count("COMMIT") == 3  # the task, the image, the edit
    written = done[[at for at, sql in enumerate(done) if sql == "COMMIT"][1] + 1 :]
    assert sum(sql.startswith("INSERT") for sql in written) == 3  # a single row never uses COPY, and the counts
    assert len(written) <= 19
    assert len(done) <= 27


def test_removed_image_cannot_be_updated(store: SqlStore) -> None:
    fill(store)
    with pytest.raises(TableError, match="not in the train set"):
        store.update_images("train", images("nowhere"), t.empty(t.ANNOTATION_COLUMNS), ACTION)


def test_renaming_a_label_makes_older_readings_stale(store: SqlStore) -> None:
    fill(store)
    rows, annotations = store.images(), store.annotations()
    store.rename_label("apple", "pomme", ACTION)
    annotations["confidence"] = 0.5
    with pytest.raises(StaleEditError):
        store.update_images("train", rows, annotations, ACTION)
    assert store.labels()["label"].tolist() == ["pomme", "banana"]


def test_moving_keeps_annotations(store: SqlStore) -> None:
    fill(store)
    assert store.move_images(["b"], "train", "test", ACTION).count == 1
    assert store.annotations("test")["label"].tolist() == ["banana"]
    assert store.images("train")["image"].tolist() == ["a", "c"]
    with pytest.raises(TableError):
        store.move_images(["a", "b"], "train", "test", ACTION)
    assert store.images("train")["image"].tolist() == ["a", "c"]


def test_deleting_a_dataset_keeps_what_it_was_in_the_history(store: SqlStore) -> None:
    fill(store)
    assert store.delete_dataset("train", ACTION).count == 3
    assert store.images().empty
    assert store.dataset("train") is None
    assert store.history().iloc[0]["before"]["a"]["annotations"][0][0] == "apple"
    fill(store)
    assert len(store.images()) == 3


def test_an_unknown_split_is_refused(store: SqlStore) -> None:
    with pytest.raises(InputError, match="validation"):
        store.add_images("validation", images("a"), t.empty(t.ANNOTATION_COLUMNS), ACTION)
    assert store.images().empty


def test_findings_and_unread_lines_are_kept(store: SqlStore) -> None:
    found = [Issue("IMAGE_TRUNCATED", "it ends", "x.jpg", "folder", 3), Issue("DUPLICATE_CONTENT", where="y")]
    store.add_images("test", images(), t.empty(t.ANNOTATION_COLUMNS), ACTION, issues=found, lines=[("m", 7, "{bad")])
    assert store.issues()["code"].tolist() == ["IMAGE_TRUNCATED", "DUPLICATE_CONTENT"]
    assert store.issues()["line"].tolist() == [3, pd.NA]
    assert store.import_lines().to_dict("records") == [{"split": "test", "source": "m", "line": 7, "raw": "{bad"}]


def test_files_are_known_by_size_time_and_content(store: SqlStore) -> None:
    files = pd.DataFrame(
        {"image": ["a", "b"], "bytes": [5, None], "mtime_ns": [1_700_000_000_000_000_001, None]}, dtype=object
    )
    rows = images("a", "b", sha256=["aa", None])
    store.add_images(
        "train",
        rows,
        t.empty(t.ANNOTATION_COLUMNS),
        ACTION,
        files=files.astype({"bytes": "Int64", "mtime_ns": "Int64"}),
    )
    assert store.files()[0]["mtime_ns"].tolist() == [1_700_000_000_000_000_001, pd.NA]
    facts = pd.DataFrame({"image": ["a"], "width": [9], "height": [8], "sha256": ["bb"], "bytes": [6], "mtime_ns": [2]})
    assert store.refresh_files("train", facts, ACTION).count == 1
    assert store.files()[0].iloc[0].tolist() == ["a", "train", "bb", 6, 2]
    assert store.images().iloc[0][["width", "height", "revision"]].tolist() == [9, 8, 2]


def test_labels_are_added_renamed_reordered_and_recolored(store: SqlStore) -> None:
    for name in ("one", "two", "three"):
        store.add_labels([(name, None)], ACTION)
    assert store.labels()["color"].tolist() == list(PALETTE[:3])
    with pytest.raises(LabelError, match="already"):
        store.add_labels([("two", None)], ACTION)
    with pytest.raises(LabelError, match="merge"):
        store.rename_label("one", "two", ACTION)
    with pytest.raises(LabelError, match="'four' does not exist"):
        store.rename_label("four", "five", ACTION)
    store.reorder_labels(["three"], ACTION)
    assert store.labels()["label"].tolist() == ["three", "one", "two"]
    store.recolor_label("one", "#ABCDEF", ACTION)
    assert store.labels().set_index("label")["color"]["one"] == "#abcdef"
    with pytest.raises(InputError, match="red"):
        store.recolor_label("one", "red; background:url(x)", ACTION)


def test_merge_moves_annotations(store: SqlStore) -> None:
    store.add_images("train", images("a", "b"), labels_of(a="apple", b="aple"), ACTION)
    both = pd.concat([labels_of(a="apple"), labels_of(a="aple"), labels_of(b="aple")])
    store.update_images("train", store.images(), both, ACTION)
    predictions = both.assign(model="m")
    store.replace_predictions("m", t.normalise_annotations(predictions).assign(model="m"), ACTION)
    assert store.merge_labels("aple", "apple", ACTION).count == 2
    assert store.annotations()[["image", "label"]].to_numpy().tolist() == [["a", "apple"], ["b", "apple"]]
    assert store.predictions()["label"].tolist() == ["apple", "apple"]
    assert store.labels()["label"].tolist() == ["apple"]
    with pytest.raises(LabelError):
        store.merge_labels("apple", "apple", ACTION)


def test_removing_a_used_label_needs_with_annotations(store: SqlStore) -> None:
    fill(store)
    store.update_images("train", t.settle_statuses(store.images(), store.annotations()), store.annotations(), ACTION)
    with pytest.raises(LabelError, match="used by 1 annotation\\."):
        store.remove_label("apple", ACTION)
    assert store.remove_label("apple", ACTION, with_annotations=True).count == 1
    assert store.labels()["label"].tolist() == ["banana"]
    assert store.images()["status"].tolist() == ["unlabelled", "labelled", "unlabelled"]
    assert store.history().iloc[0]["before"]["label"] == "apple"
    assert store.history().iloc[0]["before"]["annotations"][0][9] == 1.0


def test_versions_are_stored_and_updated(store: SqlStore) -> None:
    record = version("v1", tags={"a": "b"}, metrics={"f1": 0.5}, heartbeat=datetime(2026, 1, 1, tzinfo=UTC), pid=7)
    store.add_version(record, ACTION)
    assert store.versions() == [record]
    with pytest.raises(NotAllowedError, match="already"):
        store.add_version(record, ACTION)
    before = len(store.history())
    store.update_version("v1", heartbeat=datetime(2026, 1, 3, tzinfo=UTC))
    assert len(store.history()) == before
    store.update_version("v1", ACTION, status="TRAINING_COMPLETED", status_message="The model is ready to run.")
    assert store.versions()[0].status == "TRAINING_COMPLETED"
    with pytest.raises(ValueError, match="FINISHED"):
        store.update_version("v1", status="FINISHED")
    with pytest.raises(ModelNotFoundError):
        store.update_version("v2", status="FAILED")
    store.delete_version("v1", ACTION)
    assert store.versions() == []


def test_a_version_is_changed_by_what_is_stored_now(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    store.add_version(version("v1", tags={"a": "b"}), ACTION)
    reopen().update_version("v1", tags={"a": "c"})
    assert store.change_version("v1", lambda now: {"tags": {**now.tags, "d": "e"}}, ACTION).action is not None
    (found,) = store.versions()
    assert found.tags == {"a": "c", "d": "e"}
    before = len(store.history())
    assert store.change_version("v1", lambda now: None, ACTION).action is None

    def refuse(_: VersionRecord) -> dict[str, object]:
        raise NotAllowedError("busy")

    with pytest.raises(NotAllowedError, match="busy"):
        store.change_version("v1", refuse, ACTION)
    assert store.versions() == [found]
    assert len(store.history()) == before


def test_a_reserved_version_is_begun_by_its_process_only(store: SqlStore) -> None:
    process = {"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": None}
    noted = {"name": "first", "process": [os.getpid(), 1.5]}
    store.add_version(version("v1", tags={"a": "1"}, endpoint=noted, **process))
    store.add_version(version("meanwhile"), ACTION)
    assert store.history()["what"].tolist().count("begin training") == 0
    with pytest.raises(NotAllowedError, match="already exists"):  # reserved once
        store.add_version(version("v1", **process))
    begun = version("v1", status_message="Begun.", tags={"b": "2"}, **process | {"heartbeat": datetime.now(UTC)})
    store.add_version(begun, Action("begin training", "ann"))
    _, found = store.versions()  # the newest one is that which was begun last
    assert (found.status_message, found.tags, found.endpoint) == ("Begun.", {"a": "1"}, noted)
    store.add_version(version("v2", endpoint=noted, **process | {"pid": 2**22 - 1}))
    store.add_version(version("queued", status="TRAINING_IN_PROGRESS", **process))  # a server trains nothing itself
    for name in ("v1", "v2", "queued"):
        with pytest.raises(NotAllowedError, match="already exists"):
            store.add_version(version(name), Action("begin training", "ann"))


def test_alias_moves_to_another_version(store: SqlStore) -> None:
    store.add_version(version("v1"), ACTION)
    store.add_version(version("v2"), ACTION)
    store.update_version("v1", alias="live")
    store.update_version("v2", alias="live")
    assert [v.alias for v in store.versions()] == [None, "live"]


def test_predictions_are_replaced_by_model_and_go_with_it(store: SqlStore) -> None:
    fill(store)
    store.add_version(version("v1"), ACTION)
    frame = labels_of(a="apple", b="kiwi").assign(confidence=[0.75, 0.5], model="v1")
    assert store.replace_predictions("v1", frame, ACTION).count == 2
    assert store.replace_predictions("v2", frame.head(1), ACTION).count == 1
    assert store.predictions("train", "v1")["confidence"].tolist() == [0.75, 0.5]
    assert len(store.predictions()) == 3
    for split in ("train", None):
        assert store.predictions(split, images=["a", "nowhere"])["model"].tolist() == ["v1", "v2"]
    assert store.predictions("train", "v1", ["b"])["image"].tolist() == ["b"]
    assert len(store.predictions("test", images=["a"])) + len(store.predictions(images=[])) == 0
    assert len(store.annotations()) == 2
    store.replace_predictions("v1", frame.head(1), ACTION)
    assert len(store.predictions(model="v1")) == 1
    assert store.replace_predictions("v1", labels_of(b="kiwi"), ACTION, images=["b", "c"]).count == 2
    assert store.replace_predictions("v1", labels_of(b="apple"), ACTION, images=["b"]).count == 2
    assert store.predictions(model="v1")[["image", "label"]].values.tolist() == [["a", "apple"], ["b", "apple"]]
    assert store.replace_predictions("v1", frame.head(0), ACTION, images=["a"]).count == 1
    with pytest.raises(TableError, match="nowhere"):
        store.replace_predictions("v1", labels_of(nowhere="apple"), ACTION)
    store.delete_version("v1", ACTION)
    assert store.predictions()["model"].tolist() == ["v2"]


def test_the_project_can_be_changed(store: SqlStore) -> None:
    store.set_project(Action("tag", "ann"), tags={"team": "é"}, task="boxes")
    assert store.project().tags == {"team": "é"}
    assert store.project().task == "boxes"
    assert store.history().iloc[0]["before"]["task"] == "single-label"


def test_writers_take_turns(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    stores = [reopen() for _ in range(4)]
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for i in range(15):
                name = f"{number}-{i}"
                stores[number].add_images("train", images(name), labels_of(**{name: f"label {i}"}), ACTION)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.images()) == len(store.annotations()) == len(store.history()) == 60
    assert len(store.labels()) == 15


def test_history_comes_newest_first_and_limited(store: SqlStore) -> None:
    for name in ("one", "two", "three"):
        store.add_labels([(name, None)], Action(f"add {name}", "ann"))
    assert store.history()["what"].tolist() == ["add three", "add two", "add one"]
    assert store.history(limit=1)["what"].tolist() == ["add three"]
    assert store.history()["created"].is_monotonic_decreasing


def test_a_touched_file_is_no_change(store: SqlStore) -> None:
    rows = images("a", sha256=["aa"])
    store.add_images("train", rows, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    facts = pd.DataFrame({"image": ["a"], "width": [9], "height": [8], "sha256": ["aa"], "bytes": [6], "mtime_ns": [2]})
    _, as_of = store.files()
    assert store.refresh_files("train", facts, ACTION).count == 0
    assert store.files()[1] == as_of
    assert store.files()[0]["mtime_ns"].tolist() == [2]
    assert store.images()["revision"].tolist() == [1]
    assert len(store.history()) == 1


def test_images_are_not_added_on_an_outdated_view(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    nothing = t.empty(t.ANNOTATION_COLUMNS)
    fill(store)
    outdating: list[Callable[[SqlStore], object]] = [
        lambda other: other.add_images("test", images("t"), nothing, ACTION),
        lambda other: other.move_images(["a"], "train", "test", ACTION),
        lambda other: other.delete_dataset("test", ACTION),
    ]
    for change in outdating:
        _, as_of = store.files()
        change(reopen())
        with pytest.raises(OutdatedError):
            store.add_images("train", images("new"), nothing, ACTION, as_of=as_of)
    _, as_of = store.files()
    reopen().update_images("train", store.images("train").assign(status="skipped"), store.annotations("train"), ACTION)
    assert store.add_images("train", images("new"), nothing, ACTION, as_of=as_of).count == 1


def test_labels_of_images_are_pairs_once_each(store: SqlStore) -> None:
    rows = pd.DataFrame(
        {"image": ["b", "a", "a"], "label": ["x", "y", "y"], "left": [None, 1, 2], "top": 1, "width": 3, "height": 4}
    )
    rows.loc[0, ["top", "width", "height"]] = None
    store.add_images("train", images("a", "b", "c"), t.normalise_annotations(rows), ACTION)
    assert store.labels_of_images("train").to_numpy().tolist() == [["a", "y"], ["b", "x"]]
    assert store.labels_of_images("test").empty


def test_known_images_change_and_new_ones_come_in_one_action(store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
    fill(store)
    _, as_of = store.files()
    known = store.images("train").query("image != 'a'"), labels_of(b="pear", c="plum")
    new = images("d", status="labelled"), labels_of(d="kiwi")
    found = [Issue("IMAGE_TRUNCATED", where="x.jpg")]
    part = ImportPart(*new, known=["b", "c"], edit=lambda stored, marks, leased: known)
    both = store.add_parts("train", [part], ACTION, issues=found, lines=[("m", 7, "{bad")], as_of=as_of)
    assert (both.count, both.action) == (3, store.last_action())
    assert store.annotations()["label"].tolist() == ["apple", "pear", "plum", "kiwi"]
    assert store.images()["revision"].tolist() == [1, 2, 2, 1]
    assert len(store.history()) == 2
    assert store.history(limit=1)["count"].tolist() == [3]
    assert store.actions_since(1)["images"].tolist() == [["b", "c", "d"]]
    stale = known[0].query("image == 'b'"), labels_of(b="late")
    late = ImportPart(images("e"), labels_of(), known=["b"], edit=lambda stored, marks, leased: stale)
    before = len(store.images())
    for error, moment in ((OutdatedError, as_of), (StaleEditError, None)):  # new images are there; b has changed
        with pytest.raises(error):
            reopen().add_parts("train", [late], ACTION, as_of=moment)
        assert len(store.images()) == before  # nothing of the new one either
    store.undo(None, ACTION)
    assert store.annotations()["label"].tolist() == ["apple", "banana"]
    assert store.issues().empty
    assert store.import_lines().empty


@pytest.mark.parametrize("how", ["remove", "move", "undo", "snapshot"])
def test_an_edit_from_before_a_removal_does_not_replace_the_image_that_came_back(store: SqlStore, how: str) -> None:
    fill(store)
    store.take_snapshot("kept", None, ACTION)
    old = store.images()
    if how == "undo":
        store.undo(None, ACTION)
    elif how == "move":
        store.move_images(["a", "b", "c"], "train", "test", ACTION)
    else:
        store.remove_images("train", old, ACTION)
    if how == "snapshot":
        store.restore_snapshot("kept", ACTION)
    else:
        store.add_images("train", images("a"), labels_of(a="pear"), ACTION)
    with pytest.raises(StaleEditError):
        store.update_images("train", old.query("image == 'a'"), labels_of(a="late"), ACTION)
    store.undo(None, ACTION)  # the image has not been changed since it came back
    assert store.images("train").empty


def test_a_copy_is_a_store_of_its_own(store: SqlStore, tmp_path: Path) -> None:
    fill(store)
    found = [Issue("IMAGE_TRUNCATED", where="a")]
    store.add_images("train", images(), labels_of(), ACTION, issues=found)
    store.take_snapshot("kept", None, ACTION)
    store.remove_images("train", store.images().query("image == 'b'"), ACTION)
    store.change_setting("noted", lambda old: {"b": ["a", 1]})
    store.copy_to(str(tmp_path / "copy.db"))
    store.add_labels([("later", None)], ACTION)
    copy = open_store(str(tmp_path / "copy.db"))
    assert copy.project() == replace(store.project(), updated=copy.project().updated)
    assert copy.images()["image"].tolist() == ["a", "c"]
    assert "later" not in copy.labels()["label"].tolist()
    assert copy.last_action() == store.last_action() - 1
    copy.rename_images({"a": "images/a", "b": "images/b", "x": "images/x"})
    assert copy.images()["image"].tolist() == ["images/a", "c"]
    assert copy.compare_snapshots("kept", None)[["image", "change"]].to_numpy().tolist() == [["images/b", "removed"]]
    assert copy.issues()["where"].tolist() == ["images/a"]
    assert copy.setting("noted") == {"images/b": ["images/a", 1]}
    copy.undo(None, ACTION)
    assert copy.images()["image"].tolist() == ["images/a", "images/b", "c"]
    assert store.images()["image"].tolist() == ["a", "c"]
    copy.close()


def test_a_process_keeps_one_connection_to_a_server_open(postgres_url: str) -> None:
    store = create_store(postgres_url, "fruit", schema="one_connection")
    with store.reading() as connection, store.reading(), store.reading():
        pool = connection.engine.pool
        assert pool.checkedout() == 3
    assert pool.checkedin() == 1
    store.destroy()


def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    schema = "ended_connection"
    store, other = create_store(postgres_url, "fruit", schema=schema), open_store(postgres_url, schema=schema)
    store.project()
    with store.reading() as connection:
        first = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with other.reading() as connection:
        # returns after the process has ended, so that its last messages are on their way
        assert connection.exec_driver_sql(f"SELECT pg_terminate_backend({first}, 60000)").scalar()
    assert store.project().name == "fruit"
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != first
    other.close()
    store.destroy()


def test_a_project_is_deleted_after_a_deadlock_with_a_reader(postgres_url: str) -> None:
    store, reader = create_store(postgres_url, "fruit", schema="deadlock"), open_store(postgres_url, schema="deadlock")
    dropping = threading.Thread(target=store.destroy)
    taken = """SELECT relname FROM pg_locks JOIN pg_class c ON c.oid = relation
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = 'deadlock' AND relkind = 'r' AND mode = 'AccessExclusiveLock' AND granted"""
    with reader.reading() as connection:
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '1h'")  # only the other connection looks for deadlocks
        connection.exec_driver_sql("SELECT * FROM history")
        dropping.start()
        while not (names := connection.exec_driver_sql(taken).scalars().all()):
            time.sleep(0.01)
        connection.exec_driver_sql(f"SELECT * FROM {names[0]}")
    reader.close()
    dropping.join()
    with pytest.raises(StoreError):
        open_store(postgres_url, schema="deadlock")


def test_settings_are_stored_with_or_without_an_action(store: SqlStore) -> None:
    assert store.setting("assist") is None
    assert store.change_setting("assist", lambda old: {"on": True, "was": old}) == {"on": True, "was": None}
    assert len(store.history()) == 0
    store.change_setting("assist", lambda old: {**old, "on": False}, Action("stop assist", "ann"))
    assert store.setting("assist") == {"on": False, "was": None}
    last = store.history().iloc[0]
    assert (last["what"], last["after"], last["undoable"]) == ("stop assist", {"on": False, "was": None}, False)
    with pytest.raises(InputError):
        store.change_setting("assist", lambda _: t.check_split("neither"))
    assert store.setting("assist") == {"on": False, "was": None}


def test_labels_by_models_are_not_counted_as_work_of_people(store: SqlStore) -> None:
    fill(store)
    assert store.labelled_by_people("train") == (0, 0)
    assert store.labelled_by_people("test") == (0, 0)
    box = {"left": 1, "top": 1, "width": 5, "height": 5}
    marks = pd.DataFrame({"image": ["a", "a", "c", "c"], "label": "apple", **box})
    marks = t.normalise_annotations(marks.assign(annotator=["ann", None, "model:run 1", "ann"], left=[1, 2, 3, 4]))
    given = store.images("train")[lambda table: table["image"].isin(["a", "c"])].assign(status="labelled")
    store.update_images("train", given, marks, ACTION)
    assert store.labelled_by_people("train") == (1, 2)
