"""Tests that an action's cost grows with the rows it affects, counted in SQLite's virtual machine steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.errors import TableError
from customlabels_nb.store import Action, SqlStore, create_store, schema
from customlabels_nb.store.columns import fetch_columns, insert_columns, plain, shared

ACTION = Action("edit", "ann")
SMALL, LARGE = 200, 20_000
_UNIT = 10  # steps


def fill(store: SqlStore, count: int) -> None:
    """Add images with two annotations each."""
    images = pd.DataFrame(
        {"image": [f"photos/{n:06d}.jpg" for n in range(count)], "sha256": "00", "status": "labelled"}
    )
    marks = images.loc[images.index.repeat(2), ["image"]].assign(label="apple", left=1, top=2, width=3, height=4)
    store.add_images("train", t.normalise_images(images), t.normalise_annotations(marks), ACTION)


def steps(store: SqlStore, work: Callable[[], object]) -> int:
    """Return the approximate number of SQLite steps of ``work``."""
    count = 0

    def note() -> int:
        nonlocal count
        count += _UNIT
        return 0

    with store._database.engine.connect() as connection:
        direct = connection.connection.driver_connection
    direct.set_progress_handler(note, _UNIT)
    work()
    direct.set_progress_handler(None, 0)
    return count


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[cl.Project]:
    """Return a small and a large project."""
    made = [cl.create_project(f"p{count}", tmp_path_factory.mktemp("projects")) for count in (SMALL, LARGE)]
    for project, count in zip(made, (SMALL, LARGE), strict=True):
        fill(project._store, count)
    return made


def some(store: SqlStore) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return three images in the middle with their annotations."""
    images, marks, _ = store.tables("train", [f"photos/{n:06d}.jpg" for n in (90, 91, 95)])
    assert len(images) == 3
    return images, marks


def label(project: cl.Project) -> object:
    images, marks = some(project._store)
    return project._store.update_images("train", images, marks.assign(label="pear"), ACTION)


def update(project: cl.Project) -> object:
    return project.update("train", pd.DataFrame({"image": ["photos/000090.jpg"], "label": ["quince"]}))


def refresh(project: cl.Project) -> object:
    facts = pd.DataFrame({"image": ["photos/000095.jpg"], "width": 9, "height": 8, "sha256": "ff", "bytes": 6})
    return project._store.refresh_files("train", facts.assign(mtime_ns=1), ACTION)


def move(project: cl.Project) -> object:
    return project._store.move_images(["photos/000010.jpg", "photos/000011.jpg"], "train", "test", ACTION)


def add(project: cl.Project) -> object:
    more = t.normalise_images(pd.DataFrame({"image": ["another"]}))
    return project._store.add_images("train", more, t.empty(t.ANNOTATION_COLUMNS), ACTION)


def remove(project: cl.Project) -> object:
    return project.remove("train", ["photos/000090.jpg"])


@pytest.mark.parametrize("edit", [label, update, refresh, move, add, remove], ids=lambda edit: edit.__name__)
def test_edit_reads_only_touched_rows(projects: list[cl.Project], edit: Callable[[cl.Project], object]) -> None:
    small, large = (steps(project._store, lambda project=project: edit(project)) for project in projects)  # type: ignore[misc]
    assert 0 < large < 1.5 * small + 200


def test_full_reads_are_detected(projects: list[cl.Project]) -> None:
    small, large = (steps(project._store, lambda p=project: p._store.images("train")) for project in projects)  # type: ignore[misc]
    assert large > 20 * small


def test_keys_are_checked_again_after_an_import(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "p.db"), "p")
    fill(store, 3)
    bad = t.normalise_annotations(pd.DataFrame({"image": ["nowhere"], "label": ["x"]}))
    with pytest.raises(TableError, match="nowhere"):
        store.add_images("train", t.normalise_images(pd.DataFrame({"image": ["new"]})), bad, ACTION)
    assert len(store.images()) == 3
    with store._database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("UPDATE annotations SET image_id = 999")
    store.close()


def test_columns_survive_a_round_trip(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "p.db"), "p")
    c = schema.images.c
    count = 4_500  # more than one chunk
    widths = pd.Series(pd.array([None if n % 7 == 0 else n for n in range(count)], dtype="Int64"))
    with store._database.write(check_keys=False) as connection:
        insert_columns(
            connection,
            schema.images,
            {
                "id": range(1, count + 1),
                "split": "train",
                "image": [f"it's {n}" for n in range(count)],
                "status": "labelled",
                "width": plain(widths),
                "height": plain(pd.Series([None, None], dtype="str")),
                "revision": 1,
                "created": np.arange(count),
            },
        )
        with pytest.raises(ValueError, match="lengths"):
            insert_columns(connection, schema.images, {"id": range(2), "image": ["a"]})
        statement = select(c.id, c.image, c.width, c.height, c.created).order_by(c.id)
        ids, names, found, height, created = fetch_columns(connection, statement, "iofsi")
    assert ids.tolist() == list(range(1, count + 1))
    assert names.tolist() == [f"it's {n}" for n in range(count)]
    assert np.isnan(found[::7]).all()
    assert found[1] == 1.0
    assert set(height) == {None}
    assert created.dtype == np.int64
    store.close()


def test_values_are_converted_for_the_driver() -> None:
    assert plain(pd.Series([1.5, None])).tolist() == [1.5, None]  # type: ignore[union-attr]
    assert plain(pd.Series(["a", None], dtype="str")).tolist() == ["a", None]  # type: ignore[union-attr]
    assert plain(pd.Series([1, 2], dtype="Int64")).tolist() == [1, 2]  # type: ignore[union-attr]
    assert plain(pd.Series([None, None], dtype="Int64")) is None
    one, more = shared(np.array([0.1, 0.1])), shared(np.array([1, 2]))
    assert (type(one), one) == (float, 0.1)
    assert isinstance(more, np.ndarray)
    assert isinstance(shared(np.array([3, 3])), int)
