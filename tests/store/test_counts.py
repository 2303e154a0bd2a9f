"""Tests of the counts that every action keeps up to date, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import NotAllowedError, StaleEditError
from customlabels_nb.store import SqlStore, create_store, open_store
from tests.store.test_contract import images, labels_of
from tests.store.test_history import ACTIONS, ANN, BOB, annotated, check_counts, drawn, fill
from tests.tiers import many


def test_an_action_that_fails_changes_no_counts(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)

    def broken(*given: object, **more: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("customlabels_nb.store.sql.record", broken)
    for name in ("update", "add", "remove", "merge", "delete dataset"):
        with pytest.raises(RuntimeError, match="power cut"):
            ACTIONS[name](store)
        check_counts(store)


def test_restoring_a_snapshot_repairs_counts(store: SqlStore) -> None:
    fill(store)
    store.take_snapshot("first", None, ANN)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE image_counts SET images = 7")
        connection.exec_driver_sql("DELETE FROM label_counts")
    assert store.statistics("train").total_entries != 3
    assert store.restore_snapshot("first", BOB).count == 0
    check_counts(store)


def test_annotations_imply_a_task(store: SqlStore) -> None:
    assert store.implied_task() == "single-label"
    for split in ("train", "test"):
        store.add_images(split, images("a", "b"), labels_of(a="apple", b="pear"), ANN)
    assert store.implied_task() == "single-label"  # although the image "a" has a label in both datasets
    annotated(store, "test", labels_of(a="pear"))
    assert store.implied_task() == "multi-label"
    store.merge_labels("apple", "pear", ANN)
    assert store.implied_task() == "single-label"
    store.undo(None, ANN)
    annotated(store, "test", drawn("a", "pear", left=1, top=1, width=2, height=2))
    assert store.implied_task() == "boxes"
    annotated(store, "train", drawn("b", "kiwi", polygon=[[0, 0], [4, 0], [4, 4]]))
    assert store.implied_task() == "polygons"
    store.remove_label("kiwi", ANN, with_annotations=True)
    assert store.implied_task() == "boxes"


UNDO, SNAPSHOT, RESTORE = "undo", "take snapshot", "restore snapshot"


@settings(max_examples=many(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from([*ACTIONS, UNDO, UNDO, SNAPSHOT, RESTORE]), st.integers(0, 9))))
def test_counts_are_exact_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    store = create_store(str(tmp_path_factory.mktemp("any") / "p.db"), "p")
    try:
        fill(store)
        for number, (name, back) in enumerate(steps):
            with contextlib.suppress(ValueError, NotAllowedError, StaleEditError):
                if name == UNDO:  # also an undo, which is redone
                    store.undo(max(store.last_action() - back, 1), BOB)
                elif name == SNAPSHOT:
                    store.take_snapshot(f"s{number}", [None, "train", "test"][back % 3], ANN)
                elif name == RESTORE and len(names := store.snapshots()["name"].tolist()):
                    store.restore_snapshot(names[back % len(names)], BOB)
                elif name in ACTIONS:
                    ACTIONS[name](store)
            check_counts(store)
    finally:
        store.destroy()


def test_databases_of_earlier_releases_are_counted(tmp_path: Path) -> None:
    path = str(tmp_path / "p.db")
    store = create_store(path, "p")
    fill(store)
    for name in ("two labels", "box"):
        ACTIONS[name](store)
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as direct, direct:
        for name in ("several", "boxed", "outlined"):
            direct.execute(f"ALTER TABLE image_counts DROP COLUMN {name}")
        for table in ("datasets", "versions"):
            direct.execute(f"ALTER TABLE {table} DROP COLUMN endpoint")
        for table in ("annotations", "predictions"):
            direct.execute(f"ALTER TABLE {table} DROP COLUMN note")
        direct.execute("DROP TABLE manifest_lines")
        direct.execute("UPDATE meta SET value = '1.0' WHERE key = 'format'")
    migrated = open_store(path)
    check_counts(migrated)
    annotated(migrated, "train", drawn("b", "pear", left=1, top=1, width=2, height=2))
    check_counts(migrated)
    migrated.close()
