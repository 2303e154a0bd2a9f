"""Tests of the counts that every action keeps up to date, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from customlabels_nb.store import SqlStore, open_store
from tests.store.test_history import ACTIONS, ANN, BOB, check_counts, fill
from tests.store.test_sqlite import RELEASED


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


@pytest.mark.parametrize("kept", RELEASED, ids=lambda path: path.stem)
def test_a_database_of_a_release_is_counted(tmp_path: Path, kept: Path) -> None:
    shutil.copy(kept, tmp_path / "project.db")
    with contextlib.closing(open_store(str(tmp_path / "project.db"))) as store:
        assert store.statistics("train").labelled_entries == 2
        check_counts(store)
        store.remove_images("train", store.images("train").head(1), ANN)
        check_counts(store)
