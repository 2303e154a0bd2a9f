from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import TableError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.codes import as_categories
from customlabels_nb.evaluation.input_tables import clean_table
from customlabels_nb.evaluation.pairs import find_pairs
from tests.evaluation.cases import random_tables

DTYPES = ("str", "object", "category", "string")


@st.composite
def columns(draw: st.DrawFn) -> list[str | None]:
    """Columns in runs, columns that repeat themselves, nearly so, and any others."""
    few = st.lists(st.sampled_from(["a", "b", "c", None, "dd"]), min_size=1, max_size=5)
    values = draw(few)
    kind = draw(st.sampled_from(["runs", "period", "any"]))
    if kind == "runs":
        values = [value for value in values for _ in range(draw(st.integers(1, 6)))]
    if kind == "period":
        values = (values * draw(st.integers(1, 6)))[: draw(st.integers(1, 40))]
    if draw(st.booleans()):
        values[draw(st.integers(0, len(values) - 1))] = draw(st.sampled_from(["a", None]))
    return values


@settings(max_examples=300, deadline=None)
@given(columns(), st.sampled_from(DTYPES))
def test_categories_say_what_the_column_said(values: list[str | None], dtype: str) -> None:
    found = as_categories(pd.Series(values, dtype=dtype), "the column", str)
    assert [None if pd.isna(value) else value for value in found] == values
    seen = list(dict.fromkeys(value for value in values if value is not None))
    assert sorted(found.categories) == sorted(seen)
    if dtype != "category":
        assert found.categories.tolist() == seen  # in the order in which they come


def test_values_of_one_text_become_one_category() -> None:
    found = as_categories(pd.Series([" a", "a", "b ", None, "a "]), "the column", lambda value: str(value).strip())
    assert found.tolist() == ["a", "a", "b", np.nan, "a"]
    assert as_categories(pd.Series([1, "1", 2.5], dtype="object"), "the column", str).codes.tolist() == [0, 0, 1]


def test_cells_that_are_lists() -> None:
    truth, predictions = random_tables(4, ["a", "b"])
    with pytest.raises(TableError, match=r"The column 'label' of truth holds a value that is no text"):
        evaluate(truth.assign(label=[["a"], ["b"], ["a", "b"], []]), predictions)
    with pytest.raises(TableError, match=r"The column 'image' of truth holds a value that is no text"):
        evaluate(truth.assign(image=[["a"], ["b"], ["a"], ["a"]]), predictions)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "order",
    ["as they are", "by label", "any", "one left out", "labels turned round", "one image turned round"],
)
def test_figures_do_not_depend_on_order_and_dtypes(order: str, dtype: str) -> None:
    truth, predictions = random_tables(40, ["a", "b", "c"])
    expected = evaluate(truth, predictions, images=truth["image"])
    rows: Sequence[int] | np.ndarray = np.arange(120)
    if order == "by label":
        rows = np.arange(120).reshape(40, 3).T.ravel()
    elif order == "any":
        rows = np.random.default_rng(0).permutation(120)
    elif order == "labels turned round":
        rows = np.arange(120).reshape(40, 3)[::-1, ::-1].ravel()
    elif order == "one image turned round":
        rows = np.concatenate([np.arange(117), [119, 118, 117]])
    elif order == "one left out":
        predictions.loc[119, "confidence"] = 0.0
        expected = evaluate(truth, predictions, images=truth["image"])
        rows = np.arange(119)
    given = predictions.iloc[rows].astype({"image": dtype, "label": dtype})
    found = evaluate(truth.astype({"image": dtype, "label": dtype}), given, images=truth["image"])
    pd.testing.assert_frame_equal(found.per_label, expected.per_label)
    pd.testing.assert_frame_equal(found.per_image, expected.per_image)
    pd.testing.assert_frame_equal(found.summary, expected.summary)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from(["a", "b", None])), min_size=1, max_size=12),
    st.lists(st.sampled_from("pqrs"), min_size=1, unique=True),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True),
)
def test_pairs_are_found_and_repeated_ones_refused(
    rows: list[tuple[str, str | None]], images: list[str], labels: list[str]
) -> None:
    frame = clean_table(pd.DataFrame(rows, columns=["image", "label"]), "truth", ("image", "label"))
    known = [(image, label) for image, label in rows if image in images and label in labels]
    place = pd.Index(images, dtype="object"), pd.Index(labels, dtype="object")
    if len(set(known)) < len(known):
        with pytest.raises(TableError, match="twice"):
            find_pairs(frame, "truth", *place)
        return
    found = find_pairs(frame, "truth", *place)
    values = np.arange(1.0, len(rows) + 1)
    expected = np.zeros((len(images), len(labels)))
    for (image, label), value in zip(rows, values, strict=True):
        if (image, label) in known:
            expected[images.index(image), labels.index(label or "")] = value
    assert found.has.tolist() == (expected > 0).tolist()
    assert found.matrix(values).tolist() == expected.tolist()


def test_evaluating_keeps_nothing_of_the_table_itself() -> None:
    truth, predictions = random_tables(20, ["a", "b"])
    found = evaluate(truth, predictions)
    before = found.outcomes.confidence.copy()  # type: ignore[attr-defined]
    predictions.loc[:, "confidence"] = 0.5
    assert np.array_equal(found.outcomes.confidence, before)  # type: ignore[attr-defined]
