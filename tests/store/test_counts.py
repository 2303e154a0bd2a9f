"""Tests of the counts that every action keeps up to date, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from customlabels_nb.store import SqlStore
from tests.store.test_history import ACTIONS, ANN, BOB, check_counts, fill


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
