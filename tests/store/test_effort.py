"""Tests that an action's cost grows with the rows it affects, counted in SQLite's virtual machine steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.errors import TableError
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.store import Action, SqlStore, create_store, schema
from customlabels_nb.store.columns import fetch_columns, insert_columns, plain, shared
from customlabels_nb.store.database import Database

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

    with store.reading() as connection:
        direct = connection.connection.driver_connection
    direct.set_progress_handler(note, _UNIT)
    work()
    direct.set_progress_handler(None, 0)
    return count


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[ProjectLocation]:
    """Return a small and a large project, opened without their :class:`Project`."""
    folder = tmp_path_factory.mktemp("projects")
    opened = [open_project(cl.create_project(f"p{count}", folder).root) for count in (SMALL, LARGE)]
    for place, count in zip(opened, (SMALL, LARGE), strict=True):
        fill(place.store, count)
    return opened


def some(store: SqlStore) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return three images in the middle with their annotations."""
    images, marks, _ = store.tables("train", [f"photos/{n:06d}.jpg" for n in (90, 91, 95)])
    assert len(images) == 3
    return images, marks


def label(place: ProjectLocation) -> object:
    images, marks = some(place.store)
    return place.store.update_images("train", images, marks.assign(label="pear"), ACTION)


def update(place: ProjectLocation) -> object:
    return cl.Project(place).update("train", pd.DataFrame({"image": ["photos/000090.jpg"], "label": ["quince"]}))


def refresh(place: ProjectLocation) -> object:
    facts = pd.DataFrame({"image": ["photos/000095.jpg"], "width": 9, "height": 8, "sha256": "ff", "bytes": 6})
    return place.store.refresh_files("train", facts.assign(mtime_ns=1), ACTION)


def move(place: ProjectLocation) -> object:
    return place.store.move_images(["photos/000010.jpg", "photos/000011.jpg"], "train", "test", ACTION)


def add(place: ProjectLocation) -> object:
    more = t.normalise_images(pd.DataFrame({"image": ["another"]}))
    return place.store.add_images("train", more, t.empty(t.ANNOTATION_COLUMNS), ACTION)


def remove(place: ProjectLocation) -> object:
    return cl.Project(place).remove("train", ["photos/000090.jpg"])


@pytest.mark.parametrize("edit", [label, update, refresh, move, add, remove], ids=lambda edit: edit.__name__)
def test_edit_reads_only_touched_rows(places: list[ProjectLocation], edit: Callable[[ProjectLocation], object]) -> None:
    small, large = (steps(place.store, partial(edit, place)) for place in places)
    assert 0 < large < 1.5 * small + 200


def test_full_reads_are_detected(places: list[ProjectLocation]) -> None:
    small, large = (steps(place.store, partial(place.store.images, "train")) for place in places)
    assert large > 20 * small


def test_keys_are_checked_again_after_an_import(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "p.db"), "p")
    fill(store, 3)
    bad = t.normalise_annotations(pd.DataFrame({"image": ["nowhere"], "label": ["x"]}))
    with pytest.raises(TableError, match="nowhere"):
        store.add_images("train", t.normalise_images(pd.DataFrame({"image": ["new"]})), bad, ACTION)
    assert len(store.images()) == 3
    with store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("UPDATE annotations SET image_id = 999")
    store.close()


def test_columns_survive_a_round_trip(tmp_path: Path) -> None:
    create_store(str(tmp_path / "p.db"), "p").close()
    database = Database(str(tmp_path / "p.db"))
    c = schema.images.c
    count = 4_500  # more than one chunk
    widths = pd.Series(pd.array([None if n % 7 == 0 else n for n in range(count)], dtype="Int64"))
    with database.write(check_keys=False) as connection:
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
    database.close()


def test_values_are_converted_for_the_driver() -> None:
    assert plain(pd.Series([1.5, None])).tolist() == [1.5, None]  # type: ignore[union-attr]
    assert plain(pd.Series(["a", None], dtype="str")).tolist() == ["a", None]  # type: ignore[union-attr]
    assert plain(pd.Series([1, 2], dtype="Int64")).tolist() == [1, 2]  # type: ignore[union-attr]
    assert plain(pd.Series([None, None], dtype="Int64")) is None
    one, more = shared(np.array([0.1, 0.1])), shared(np.array([1, 2]))
    assert (type(one), one) == (float, 0.1)
    assert isinstance(more, np.ndarray)
    assert isinstance(shared(np.array([3, 3])), int)
