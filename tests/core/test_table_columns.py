"""Tests of the decisions about the columns of a table, and of tables read by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from customlabels_nb.core.table_columns import (
    OTHER,
    about_index,
    decide,
    full_names,
    how_to_convert,
    one_label_per_row,
    read_frame,
    with_lists_of_labels,
)
from customlabels_nb.core.tables import normalise_annotations
from customlabels_nb.datasets.formats.given_tables import not_imported
from customlabels_nb.errors import TableError


def roles(columns: dict[str, list[Any]], **options: Any) -> dict[str, str]:
    decisions = decide([*columns], lambda position: [*columns.values()][position], **options)
    assert all(decision.reason for decision in decisions.of_columns)
    return {decision.column: decision.role for decision in decisions.of_columns}


def test_sizes_and_colors_become_boxes_only_if_a_set_of_sides_is_complete() -> None:
    sizes = {"image": ["a"], "width": [1], "height": [2], "top": ["red"], "label": ["x"]}
    assert [*roles(sizes).values()] == ["image", "image_width", "image_height", "not imported", "label"]
    assert [*roles({**sizes, "left": [3]}).values()] == ["image", "width", "height", "top", "label", "left"]
    corners = {**sizes, "xmin": [1], "ymin": [1], "xmax": [2], "ymax": [2]}
    assert roles(corners)["width"] == "image_width"
    assert roles({"image": ["a"], "label": ["x"], "bbox": [[1, 2, 3, 4]], "width": [9]})["width"] == "image_width"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"left": [1], "top": [1], "right": [2]}, "width, height are missing.*'right'"),
        ({"xmin": [1], "ymin": [1], "xmax": [2]}, "ymax are missing"),
        ({"bounding_box": [[1, 2, 3, 4]]}, "'bounding_box'.*'bbox_xywh'"),
    ],
)
def test_boxes_that_are_incomplete_or_unclear_are_refused(columns: dict[str, list[Any]], words: str) -> None:
    with pytest.raises(TableError, match=words):
        roles({"image": ["a"], "label": ["x"], **columns})


def test_the_label_is_one_column_of_names() -> None:
    assert roles({"path": ["a"], "class": [0], "name": ["cat"]}) == {"path": "image", "class": "own", "name": "label"}
    assert roles({"image": ["a"], "label": ["x"], "class": ["y"]})["class"] == "own"
    assert roles({"image": ["a"], "category_id": [3]}) == {"image": "image", "category_id": "own"}


def test_columns_of_0_and_1_are_labels_where_nothing_names_the_label() -> None:
    flags = {"image": ["a", "b"], "cat": [0, 1], "dog": [True, False], "days": [1, 2], "site": ["x", "y"]}
    assert [*roles(flags).values()] == ["image", "flag of a label", "flag of a label", "own", "own"]
    texts = {name: [*map(str, values)] for name, values in flags.items()}
    assert [*roles(texts).values()] == [*roles(flags).values()]
    for other in ({"label": ["x", "y"]}, {"status": ["labelled", "labelled"]}):
        assert "flag of a label" not in roles({**flags, **other}).values()
    assert roles({"image": ["a", "b"], "night": [0, 1]})["night"] == "own"  # one column alone is a fact
    found, _ = read_frame(pd.DataFrame(flags).assign(dog=[False, False]))
    assert found[["image", "label", "status", "days"]].to_numpy().tolist()[1] == ["b", "cat", "labelled", 2]
    assert found["label"].isna().tolist() == [True, False]


def test_columns_of_0_and_1_about_the_work_are_the_users_own() -> None:
    frame = pd.DataFrame({"image": ["a", "b"], "cat": [1, 0], "dog": [1, 1]})
    table = {name: frame[name].tolist() for name in frame}
    work = {name: [0, 1] for name in ("reviewed", "Exported", "is_valid", "needs_review", "labeled")}
    assert {*roles({"image": ["a", "b"], **work}).values()} == {"image", "own"}
    assert [*roles({**table, **work}).values()] == ["image", *["flag of a label"] * 2, *["own"] * 5]
    assert [*roles({**table, "label": [None, None]}).values()] == ["image", "own", "own", "label"]
    assert "empty column 'label'" in dict(read_frame(frame)[1].notes())["cat"]


def test_only_labels_have_probabilities() -> None:
    wide = {"image": ["a", "b"], "x": [0.1, 0.9], "y": [0.9, 0.1], "fold": [0, 1], "correct": [True, True], "7": [1, 0]}
    found = roles(wide, of="predictions", labels={"x", "y", "correct", "7"})
    assert [name for name, role in found.items() if role == "probability of a label"] == ["x", "y", "7"]
    assert {found[name] for name in ("fold", "correct")} == {"not imported"}


def test_other_names_count_only_if_the_values_fit() -> None:
    table = {"image": ["a"], "label": ["x"]}
    for name, value, role in [
        ("score", 0.5, "confidence"), ("score", 97, "own"), ("subset", "val", "split"), ("subset", "easy", "own"),
        ("Status", "done", "own"), ("status", "done", "status"), ("Note", "dark", "note"), ("iscrowd", 1, "crowd"),
    ]:  # fmt: skip
        assert roles({**table, name: [value]})[name] == role
    assert roles({"image": ["a"], "confidence": [0.5]})["confidence"] == "not imported"
    assert roles({**table, "score": [97]}, of="predictions")["score"] == "confidence"


def test_columns_that_number_the_rows_are_dismissed() -> None:
    assert roles({"Unnamed: 0": [0, 1], "image": ["a", "b"], "": [5, 7]}) == {
        "Unnamed: 0": "index", "image": "image", "": "not imported"
    }  # fmt: skip


@pytest.mark.parametrize("scalar", [torch.tensor, np.array, np.float64], ids=["torch", "numpy", "numpy scalar"])
def test_scalars_of_other_packages_are_numbers(scalar: Any) -> None:
    given = {"image": ["a", "b"], "label": ["x", "y"], "confidence": [scalar(0.5), scalar(0.25)]}
    sides = {side: [scalar(1.0), scalar(2.0)] for side in ("left", "top", "width", "height")}
    found, _ = read_frame(pd.DataFrame({**given, **sides}), of="predictions")
    assert found["confidence"].tolist() == [0.5, 0.25]
    assert found["left"].dtype == "float64"


@pytest.mark.parametrize("value", [[0.5], (0.5,), {"x": 1}, np.array([0.5]), torch.tensor([0.5, 0.25])])
def test_lists_in_a_column_of_single_values_are_refused_by_its_name(value: Any) -> None:
    frame = pd.DataFrame({"image": ["a", "b"], "label": "x", "confidence": pd.Series([0.5, value], dtype=object)})
    with pytest.raises(TableError, match=r"'confidence' has .* in row 1.*explode\('confidence'\)"):
        read_frame(frame)


def test_columns_that_are_not_imported_have_a_count_and_an_example() -> None:
    frame = pd.DataFrame({"image": ["a", "b", "c"], "label": "x", "area": [None, 12.5, 3], "empty": [None, "", " "]})
    (found,) = not_imported(frame, read_frame(frame, of="annotations")[1], "the table")
    assert all(word in found.message for word in ("2 × ", "'area'", "'12.5'", "'b'"))


def test_names_without_an_ending_are_those_of_the_only_image_with_this_name() -> None:
    known = ["a.jpg", "b.jpg", "b.png", "v1.2", "c.JPG"]
    assert full_names(["a", "b", "c", "v1.2", "d"], known) == {"a": "a.jpg", "c": "c.JPG"}
    assert full_names(["a.png"], ["a"]) == {"a.png": "a"}
    assert full_names(["a.png", "a.jpg"], ["a"]) == {}
    assert full_names(["a.png"], ["a.jpg"]) == {}


def test_the_code_that_converts_a_dict_works() -> None:
    labels = {"a.jpg": "cat", "b.jpg": ["x", "y"]}
    code = how_to_convert(labels).partition("with ")[2].partition(", and")[0]
    assert code == "pd.DataFrame({'image': labels.keys(), 'label': labels.values()})"
    found = pd.DataFrame({"image": labels.keys(), "label": labels.values()})
    assert found.to_numpy().tolist() == [["a.jpg", "cat"], ["b.jpg", ["x", "y"]]]


def test_lists_of_pyarrow_are_lists_of_labels() -> None:
    cells = pd.Series(pa.array([["x", "y"], ["x"]]), dtype=pd.ArrowDtype(pa.list_(pa.string())))
    frame = pd.DataFrame({"image": ["a", "b"], "label": cells})
    for found in (one_label_per_row(read_frame(frame)[0]), normalise_annotations(frame)):
        assert found[["image", "label"]].to_numpy().tolist() == [["a", "x"], ["a", "y"], ["b", "x"]]


def test_only_known_labels_are_flags() -> None:
    table = {"image": ["a", "b"], "x": [1, 0], "y": [0, 1], "fold": [1, 1]}
    assert [*roles(table, of="annotations", labels={"x", "y"}).values()] == ["image", *["flag of a label"] * 2, OTHER]
    assert roles(table, labels={"z"})["fold"] == "flag of a label"  # no column has the name of a label


@pytest.mark.parametrize(
    ("sides", "numbers"),
    [
        ("left top right bottom", [10, 20, 40, 60]),
        ("x_center y_center width height", [25, 40, 30, 40]),
        ("cx cy w h", [25, 40, 30, 40]),
    ],
)
def test_complete_boxes_in_other_notations_are_read(sides: str, numbers: list[int]) -> None:
    box = {side: [number] for side, number in zip(sides.split(), numbers, strict=True)}
    found, decisions = read_frame(pd.DataFrame({"image": ["a"], "label": ["x"], **box}))
    assert found[["left", "top", "width", "height"]].to_numpy().tolist() == [[10, 20, 30, 40]]
    assert not [*decisions.notes()]


def test_joined_labels_are_split_where_the_parts_are_labels() -> None:
    cells = ["cat, dog", "cat", "dog", "cat|bird", "red;", "tench, fish"]
    frame = pd.DataFrame({"image": [*"abcdef"], "label": cells})
    decisions = read_frame(frame)[1]
    found, about = with_lists_of_labels(frame, decisions)
    assert found["label"].tolist() == [["cat", "dog"], *cells[1:]]
    assert "2 × label with '|', such as 'cat|bird'" in about
    found, about = with_lists_of_labels(frame, decisions, ["bird", "tench, fish"])
    assert (found["label"].tolist()[3], about) == (["cat", "bird"], "")
    boxes = frame.assign(left=1.0)
    assert with_lists_of_labels(boxes, decisions)[0] is boxes


def test_an_empty_list_of_labels_is_an_image_labelled_as_empty() -> None:
    for empty in ([], "[]", np.array([])):
        frame = pd.DataFrame({"image": [*"abc"], "label": pd.Series([empty, "x", None], dtype=object)})
        found, _ = read_frame(frame)
        assert found["status"].fillna("").tolist() == ["labelled", "", ""]
        assert "status" not in read_frame(frame, of="annotations")[0]
        assert one_label_per_row(frame)["image"].tolist() == [*"abc"]


def test_texts_for_missing_numbers_are_read_as_missing() -> None:
    table = {"image": ["a", "b"], "label": ["x", "y"], "score": ["0.5", "NaN"]}
    assert roles(table)["score"] == "confidence"


def test_tags_and_spellings_of_the_label_in_notes() -> None:
    tags = read_frame(pd.DataFrame({"image_name": ["a"], "tags": ["haze primary"]}))[1]
    assert "label=table['tags'].str.split()" in dict(tags.notes())["tags"]
    assert not [*read_frame(pd.DataFrame({"image": ["a"], "LABEL": ["x"]}))[1].notes()]


def test_images_in_the_index_are_named() -> None:
    frame = pd.DataFrame({"image": ["a.jpg"], "label": ["x"]})
    for index in (frame.set_index("image"), frame.set_index("image").rename_axis(None)):
        found, _ = read_frame(index)
        assert [*found] == ["label"]  # the error lists all columns
        code = about_index(index).partition("with ")[2].rstrip(".")
        assert code == "table.rename_axis('image').reset_index()"
        assert index.rename_axis("image").reset_index().equals(frame)
    assert about_index(frame) == ""
