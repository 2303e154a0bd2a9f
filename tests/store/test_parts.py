"""Tests of parts of a dataset, and of annotations read later, on SQLite and on PostgreSQL."""

from __future__ import annotations

import copy
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.errors import Cancelled, StoreError
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action, SqlStore, frames, sql

ACTION = Action("import", "ann")
NAMES = [
    "a",
    "it's",
    'say "x"',
    "tab\there",
    "back\\slash",
    "\\N",
    "line\nend",
    "naïve 🍎",
    "100%s ? :x $1",
    "5",
    "null",
]


def fill(store: SqlStore, names: list[str] = NAMES, split: str = "train") -> None:
    """Add images with own columns and three annotations each."""
    images = t.normalise_images(
        pd.DataFrame({"image": names, "camera": names, "tags": [[name] for name in names], "source": names})
    )
    marks = pd.DataFrame(
        {
            "image": [name for name in names for _ in range(3)],
            "label": [f"label {number % 2}" for number in range(3 * len(names))],
            "left": [1.5, None, 2.0] * len(names),
            "top": [0.1, None, 2.0] * len(names),
            "width": [1e-9, None, 1e300] * len(names),
            "height": [0.0, None, 1 / 3] * len(names),
            "polygon": [None, None, [[0, 0], [1, 0.5], [1, 1]]] * len(names),
            "crowd": [False, False, True] * len(names),
            "confidence": [1.0, 1.0, 0.1] * len(names),
            "annotator": [name for name in names for _ in range(3)],
            "job": ["one job", None, None] * len(names),
        }
    )
    store.add_images(split, images, t.normalise_annotations(marks), ACTION)


def test_any_table_survives_a_round_trip(store: SqlStore) -> None:
    fill(store)
    images, marks, labels = store.tables("train")
    assert images["image"].tolist() == images["camera"].tolist() == images["source"].tolist() == NAMES
    assert images["tags"].tolist() == [[name] for name in NAMES]
    assert marks["annotator"].tolist() == marks["image"].tolist() == [name for name in NAMES for _ in range(3)]
    assert marks["height"].iloc[:3].tolist()[::2] == [0.0, 1 / 3]
    assert marks["polygon"].iloc[2] == [[0, 0], [1, 0.5], [1, 1]]
    assert marks["polygon"].iloc[0] is None
    assert marks["job"].isna().tolist() == [False, True, True] * len(NAMES)
    assert marks.dtypes.to_dict() == t.ANNOTATION_COLUMNS
    assert labels["label"].tolist() == ["label 0", "label 1"]


def test_some_images_are_read_as_in_the_whole(store: SqlStore) -> None:
    fill(store)
    fill(store, ["a", "other"], "test")
    images, marks, _ = store.tables("train")
    some = ["5", "tab\there", "\\N", "it's", "a"]
    found, own, none = store.tables("train", [*some, "nowhere", "other", "a\0", "\ud800", "a"])
    wanted = images[images["image"].isin(some)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted)
    pd.testing.assert_frame_equal(own, marks[marks["image"].isin(some)].reset_index(drop=True))
    assert none.empty
    for empty in ([], ["nowhere"]):
        found, own, _ = store.tables("train", empty)
        assert len(found) == len(own) == 0
        assert own.dtypes.to_dict() == t.ANNOTATION_COLUMNS


def test_any_number_of_images_can_be_read(store: SqlStore) -> None:
    fill(store)
    many = [f"nowhere {number}" for number in range(70_000)]  # more than the allowed number of statement parameters
    assert store.tables("train", [*many, "a"])[0]["image"].tolist() == ["a"]


class Gate:
    """Gate that lets annotations be read only once it is opened, and records how the reading ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.ended: list[BaseException | None] = []
        read = frames.read_marks_of

        def wait(*arguments: Any) -> pd.DataFrame:
            self.open.wait(30)
            try:
                result = read(*arguments)
            except BaseException as error:
                self.ended.append(error)
                raise
            self.ended.append(None)
            return result

        monkeypatch.setattr(sql, "_READ_AT_ONCE", 0)
        monkeypatch.setattr(frames, "read_marks_of", wait)


def test_annotations_that_come_later_are_of_the_same_moment(
    store: SqlStore, reopen: Callable[[], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    before = store.tables("train")
    other = reopen()
    changed = other.images("train").assign(status="skipped").head(2)
    gate = Gate(monkeypatch)
    images, annotations, labels = store.tables_later("train")
    other.update_images("train", changed, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    other.remove_images("train", other.images("train").tail(1), ACTION)
    gate.open.set()
    for found, wanted in zip((images, annotations(), labels), before, strict=True):
        pd.testing.assert_frame_equal(found, wanted)
    assert annotations() is annotations()
    assert len(store.tables("train")[1]) < len(before[1])


def test_abandoned_reads_stop(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    gate = Gate(monkeypatch)
    images, annotations, _ = store.tables_later("train")
    assert len(images) == len(NAMES)
    del annotations
    gc.collect()
    gate.open.set()
    store.close()
    assert [type(error) for error in gate.ended] == [Cancelled]


def test_a_store_that_closes_lets_those_who_wait_have_their_annotations(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    gate = Gate(monkeypatch)
    _, annotations, _ = store.tables_later("train")
    threading.Timer(0.2, gate.open.set).start()
    store.close()
    assert len(annotations()) == 3 * len(NAMES)


def test_error_of_a_deferred_read_is_raised_on_access(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    monkeypatch.setattr(sql, "_READ_AT_ONCE", 0)

    def fail(*arguments: Any) -> pd.DataFrame:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(frames, "read_marks_of", fail)
        _, annotations, _ = store.tables_later("train")
        with pytest.raises(StoreError, match="the disk is gone"):
            annotations()
        patch.setattr(frames, "read_images_and_ids", fail)
        with pytest.raises(StoreError, match="the disk is gone"):
            store.tables_later("train")


def test_a_dataset_of_a_project_is_whole_whenever_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = cl.create_project("fruit", tmp_path)
    fill(open_project_store(project.root))
    eager = project.train_set
    gate = Gate(monkeypatch)
    later = project.train_set
    assert later.images["image"].tolist() == NAMES
    assert later.origin is later
    assert eager.filter([True] * len(eager)).origin is eager
    gate.open.set()
    copied = copy.deepcopy(later)
    project.close()
    for dataset in (later, copied):
        pd.testing.assert_frame_equal(dataset.annotations, eager.annotations)
        pd.testing.assert_frame_equal(dataset.labels, eager.labels)
        assert repr(dataset) == repr(eager)
