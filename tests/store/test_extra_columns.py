"""Tests that users' columns keep their values and dtypes, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.store import Action, SqlStore

ACTION = Action("import", "ann")
NOTHING = t.empty(t.ANNOTATION_COLUMNS)

COLUMNS: dict[str, Any] = {
    "category": pd.Categorical(["x", "y", None], categories=["z", "y", "x"], ordered=True),
    "numbers": pd.Categorical([2, 1, 2]),
    "moments": pd.to_datetime(["2020-01-01", "2021-01-01", None]),
    "local": pd.to_datetime(["2020-01-01", "2021-07-01", None], utc=True).tz_convert("Europe/Berlin"),
    "lengths": pd.to_timedelta([1, 2, None], unit="s"),
    "months": pd.period_range("2020-01", periods=3, freq="M"),
    "gaps": pd.array([1, None, 3], dtype="Int64"),
    "whole": pd.array([1, 2, 3], dtype="Int64"),
    "bytes": np.array([1, 2, 255], dtype="uint8"),
    "single": np.array([0.1, 1, np.nan], dtype="float32"),
    "nullable": pd.array([1.5, 2, None], dtype="Float64"),
    "flags": pd.array([True, None, False], dtype="boolean"),
    "texts": pd.array(["a", None, "c"], dtype="string"),
    "plain": ["a", None, "c"],
    "endless": [np.inf, 1.0, -np.inf],
}


def images(names: str, **columns: Any) -> pd.DataFrame:
    return t.normalise_images(pd.DataFrame({"image": list(names), **columns}))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_was(store: SqlStore, reopen: Callable[[], SqlStore], name: str) -> None:
    given = images("abc", **{name: COLUMNS[name]})
    store.add_images("train", given, NOTHING, ACTION)
    for opened in (store, reopen()):
        pd.testing.assert_series_equal(opened.images()[name], given[name])
        pd.testing.assert_series_equal(opened.tables("train")[0][name], given[name])


def test_all_dtypes_survive_an_edit(store: SqlStore) -> None:
    given = images("abc", **COLUMNS)
    store.add_images("train", given, NOTHING, ACTION)
    read = store.images()
    pd.testing.assert_frame_equal(read[list(COLUMNS)], given[list(COLUMNS)])
    assert store.update_images("train", read, NOTHING, ACTION).count == 0  # nothing was edited
    grade = pd.Categorical(["good", None, "bad"])
    assert store.update_images("train", read.assign(grade=grade, plain=["a", "b", "c"]), NOTHING, ACTION).count == 3
    again = store.images()
    assert again["grade"].tolist()[::2] == ["good", "bad"]
    assert again["grade"].dtype == grade.dtype
    assert again["category"].dtype == given["category"].dtype


def test_categories_of_several_imports_are_joined(store: SqlStore) -> None:
    store.add_images("train", images("ab", kind=pd.Categorical(["x", "y"])), NOTHING, ACTION)
    store.add_images("test", images("cd", kind=pd.Categorical(["z", "x"], categories=["z", "x"])), NOTHING, ACTION)
    assert store.images()["kind"].tolist() == ["x", "y", "z", "x"]
    assert store.images()["kind"].cat.categories.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pd.Categorical(["x", "y"]), ["new", "x"]),
        (pd.Categorical(["a", "b"], ordered=True), pd.Categorical(["c", "d"], ordered=True)),
        (np.array([1, 2], dtype="int8"), np.array([1000, 2])),
        (np.array([0.5, 1], dtype="float32"), np.array([0.1, 2])),
        (["a", "b"], [1, 2]),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), ["soon", "later"]),
    ],
)
def test_no_value_is_changed_where_imports_differ(store: SqlStore, first: Any, second: Any) -> None:
    store.add_images("train", images("ab", own=first), NOTHING, ACTION)
    store.add_images("test", images("cd", own=second), NOTHING, ACTION)
    assert store.images("test")["own"].tolist() == list(second)
    if not isinstance(first, pd.DatetimeIndex):
        assert store.images()["own"].tolist() == [*list(first), *list(second)]


def test_an_edit_that_does_not_fit_the_dtype_keeps_its_values(store: SqlStore) -> None:
    small = images("ab", own=np.array([1, 2], dtype="int8"), kind=pd.Categorical(["x", "y"]))
    store.add_images("train", small, NOTHING, ACTION)
    edited = store.images().assign(own=[1000, 2], kind=["new", "y"])
    assert store.update_images("train", edited, NOTHING, ACTION).count == 1
    assert store.images()["own"].tolist() == [1000, 2]
    assert store.images()["kind"].tolist() == ["new", "y"]


def test_hostile_column_names_stay_text(store: SqlStore) -> None:
    hostile = {'"; DROP TABLE meta; --': [1], "$time": [{"$time": "x"}], "ünï 🍎": pd.Categorical(["a"])}
    store.add_images("train", images("a", **hostile), NOTHING, ACTION)
    assert store.images()['"; DROP TABLE meta; --'].tolist() == [1]
    assert store.images()["ünï 🍎"].dtype == "category"
