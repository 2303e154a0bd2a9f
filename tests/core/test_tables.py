"""Tests of table normalisation: columns, dtypes, and errors that name what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import PALETTE, label_color
from customlabels_nb.core.issues import CODES, Issue, issues_to_frame
from customlabels_nb.core.limits import LOCAL, profile
from customlabels_nb.errors import InputError, LabelError, TableError
from tests.facts import tells


def dtypes(frame: pd.DataFrame) -> dict[str, object]:
    return {str(name): dtype for name, dtype in frame.dtypes.items()}


# -- images -----------------------------------------------------------------------------------------
def test_a_name_is_enough_for_an_image() -> None:
    frame = t.normalise_images(pd.DataFrame({"image": ["a.jpg", "b.jpg"]}))
    assert dtypes(frame) == t.IMAGE_COLUMNS
    assert frame["split"].tolist() == ["train", "train"]
    assert frame["status"].tolist() == ["unlabelled", "unlabelled"]
    assert frame["tags"].tolist() == [[], []]
    assert frame["width"].isna().all()


def test_no_images_are_a_table_too() -> None:
    for frame in (t.normalise_images(pd.DataFrame({"image": []})), t.empty(t.IMAGE_COLUMNS)):
        assert len(frame) == 0
        assert dtypes(frame) == t.IMAGE_COLUMNS


def test_input_is_not_modified() -> None:
    frame = pd.DataFrame({"site": ["x", "y"], "image": ["a", "b"], "width": [3, None]}, index=[7, 9])
    before = frame.copy(deep=True)
    result = t.normalise_images(frame, split="test")
    result["status"] = "labelled"
    result.loc[0, "width"] = 99
    assert_frame_equal(frame, before)


def test_extra_columns_come_last_and_keep_their_values_whatever_their_names() -> None:
    when = pd.Timestamp("2024-05-01")
    frame = t.normalise_images(pd.DataFrame({"site": ["x"], 5: [7], "image": ["a"], "taken": [when]}))
    assert list(frame.columns) == [*t.IMAGE_COLUMNS, "site", "5", "taken"]
    assert frame.loc[0, ["site", "5", "taken"]].tolist() == ["x", 7, when]


def test_paths_are_names(tmp_path: Path) -> None:
    assert t.normalise_images(pd.DataFrame({"image": [tmp_path]}))["image"].tolist() == [str(tmp_path)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(["a", "b"], ["a", "b"]), (("a", 1), ["a", "1"]), ("one", ["one"]), (None, []), (float("nan"), [])],
)
def test_tags_are_lists_of_text(tags: object, expected: list[str]) -> None:
    frame = pd.DataFrame({"image": ["a", "b"], "tags": pd.Series([tags, []], dtype=object)})
    assert t.normalise_images(frame)["tags"].tolist() == [expected, []]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"file": ["a"]}, ["'image'", "'file'"]),
        ({"image": ["a", None]}, ["'image'", "empty"]),
        ({"image": ["a", float("nan")]}, ["'image'", "empty"]),
        ({"image": ["a", ""]}, ["'image'", "empty"]),
        ({"image": ["a", "b", "a"]}, ["'a'", "more than one row"]),
        ({"image": ["a\0b"]}, ["'image'", "cannot be stored"]),
        ({"image": ["a\udcffb"]}, ["'image'", "cannot be stored"]),
        ({"image": ["a"], "split": ["dev"]}, ["split='dev'", "train, test"]),
        ({"image": ["a"], "status": ["done"]}, ["status='done'", "needs_review"]),
        ({"image": ["a"], "width": ["wide"]}, ["'width'", "Int64"]),
        ({"image": ["a"], "width": [1.5]}, ["'width'", "Int64"]),
        ({"image": ["a"], "height": [10**30]}, ["'height'", "Int64"]),
        ({"image": ["a"], "revision": ["x"]}, ["'revision'", "int64"]),
    ],
)
def test_impossible_images_are_refused_by_name(columns: dict[str, list[object]], words: list[str]) -> None:
    with pytest.raises(TableError) as caught:
        t.normalise_images(pd.DataFrame(columns))
    assert all(word in str(caught.value) for word in words)


def test_a_column_that_is_there_twice_is_refused() -> None:
    with pytest.raises(TableError, match="duplicate column"):
        t.normalise_images(pd.DataFrame([["a", "b"]], columns=["image", "image"]))
    with pytest.raises(TableError, match="duplicate column"):
        t.normalise_annotations(pd.DataFrame([["a", "b", "c"]], columns=["image", "label", "label"]))


# -- annotations ------------------------------------------------------------------------------------
def test_image_and_label_are_enough_for_an_annotation() -> None:
    frame = t.normalise_annotations(pd.DataFrame({"image": ["a"], "label": [" apple "]}), annotator="Ana")
    assert dtypes(frame) == t.ANNOTATION_COLUMNS
    row = frame.iloc[0]
    assert (row["label"], row["confidence"], row["crowd"], row["annotator"]) == ("apple", 1.0, False, "Ana")
    assert np.isnan(row["left"])
    assert abs((row["created"] - pd.Timestamp.now(tz="UTC")).total_seconds()) < 60


def test_no_annotations_are_a_table_too() -> None:
    for frame in (
        t.normalise_annotations(pd.DataFrame({"image": [], "label": []})),
        t.normalise_annotations(pd.DataFrame({"image": ["a"], "label": [None]})),
        t.empty(t.ANNOTATION_COLUMNS),
    ):
        assert len(frame) == 0
        assert dtypes(frame) == t.ANNOTATION_COLUMNS


def test_missing_cells_get_the_values_that_missing_columns_get() -> None:
    frame = pd.DataFrame(
        {
            "image": ["a", "b"],
            "label": ["x", "y"],
            "confidence": [None, 0.5],
            "crowd": [None, True],
            "created": [None, datetime(2020, 1, 1, tzinfo=UTC)],
            "polygon": [float("nan"), [[0, 0], [1, 1], [0, 1]]],
        }
    )
    result = t.normalise_annotations(frame)
    assert dtypes(result) == t.ANNOTATION_COLUMNS
    assert result["confidence"].tolist() == [1.0, 0.5]
    assert result["crowd"].tolist() == [False, True]
    assert result["created"].notna().all()
    assert result["created"][1] == pd.Timestamp("2020-01-01", tz="UTC")
    assert result["polygon"].tolist() == [None, [[0, 0], [1, 1], [0, 1]]]


@pytest.mark.parametrize(
    "columns",
    [
        {"bbox": [[1, 2, 10, 20]]},
        {"bbox": [np.array([1, 2, 10, 20])], "width": [100], "height": [80]},
        {"bbox_xyxy": ["[1 2 11 22]"]},
        {"box_cxcywh": [(6, 12, 10, 20)]},
        {"xmin": [1], "ymin": [2], "width": [10], "height": [20]},
    ],
)
def test_boxes_in_one_column_are_read(columns: dict[str, list[object]]) -> None:
    frame = pd.DataFrame({"image": ["a"], "label": ["x"], **columns})
    assert t.normalise_annotations(frame)[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[1, 2, 10, 20]]


def test_a_list_of_labels_is_one_row_per_label() -> None:
    frame = pd.DataFrame({"image": ["a", "b", "c"], "label": [["x", "y"], "x", []]})
    found = t.normalise_annotations(frame)
    assert found[["image", "label"]].to_numpy().tolist() == [["a", "x"], ["a", "y"], ["b", "x"]]


def test_booleans_are_words() -> None:
    words = ["no", "Yes", 0, True, "false", 1.0, None]
    frame = pd.DataFrame({"image": list("abcdefg"), "label": "x", "crowd": words})
    assert t.normalise_annotations(frame)["crowd"].tolist() == [False, True, False, True, False, True, False]


def test_columns_with_levels_are_refused() -> None:
    columns = pd.MultiIndex.from_tuples([("image", "a"), ("label", "b")])
    frame = pd.DataFrame([["a.jpg", "x"]], columns=columns)
    for normalise in (t.normalise_images, t.normalise_annotations, t.normalise_predictions):
        with pytest.raises(TableError, match="2 levels"):
            normalise(frame)


def test_splits_have_other_names() -> None:
    frame = pd.DataFrame({"image": list("abcd"), "split": ["Training", "val", "TESTING", "train"]})
    assert t.normalise_images(frame)["split"].tolist() == ["train", "test", "test", "train"]


def test_labels_are_composed() -> None:
    assert t.check_label("cafe\u0301") == "caf\u00e9"


def test_both_notations_of_boxes_are_read() -> None:
    corners = pd.DataFrame({"image": ["a"], "label": ["x"], "xmin": [1], "ymin": ["2"], "xmax": [11], "ymax": [22]})
    sides = pd.DataFrame({"image": ["a"], "label": ["x"], "left": [1], "top": [2], "width": [10], "height": [20]})
    for frame in (corners, sides):
        assert t.normalise_annotations(frame)[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[1, 2, 10, 20]]


def test_polygons_without_a_box_get_their_bounding_box() -> None:
    hole = [[2.0, 2.0], [3.0, 2.0], [3.0, 3.0]]
    polygons = [
        [[1, 1.5], [50, 1], [50, 40]],
        [[[0, 0], [9, 0], [9, 9]], hole],
        None,
        [],
        [[1, float("nan")]],
        [[5, 5]],
    ]
    frame = pd.DataFrame({"image": "a.jpg", "label": list("bcdefg"), "polygon": polygons})
    boxes = t.normalise_annotations(frame)[list(t.BOX_COLUMNS)]
    assert boxes.loc[[0, 1, 5]].to_numpy().tolist() == [[1, 1, 49, 39], [0, 0, 9, 9], [5, 5, 0, 0]]
    assert boxes.loc[[2, 3, 4]].isna().all(axis=None)
    own = t.normalise_annotations(frame.assign(left=0, top=0, width=7, height=8))
    assert own["width"].tolist() == [7] * 6
    assert "left" not in frame


@pytest.mark.parametrize("polygon", [[[1, 1, 20, 1, 20, 30]], [1, 1, 20, 30], "[[1, 1], [20, 1], [20, 30]]", {"x": 1}])
@pytest.mark.parametrize("box", [{}, {"left": 1, "top": 1, "width": 2, "height": 3}])
def test_values_that_are_not_polygons_are_refused(polygon: object, box: dict[str, float]) -> None:
    with pytest.raises(TableError) as caught:
        t.normalise_annotations(pd.DataFrame([{"image": "a.jpg", "label": "x", "polygon": polygon, **box}]))
    assert tells(str(caught.value), repr(polygon), "'a.jpg'", "json.loads", "reshape")


def test_polygons_may_be_arrays() -> None:
    ring = np.array([[1, 1], [20, 1], [20, 30]])
    frame = t.normalise_annotations(pd.DataFrame({"image": "a", "label": ["x", "y"], "polygon": [ring, [ring, ring]]}))
    assert frame["polygon"].tolist() == [ring.tolist(), [ring.tolist(), ring.tolist()]]


def test_boxes_and_image_labels_share_a_table() -> None:
    corners = {"xmin": [1, None], "ymin": [2, None], "xmax": [3, None], "ymax": [4, None]}
    frame = t.normalise_annotations(pd.DataFrame({"image": ["a", "a"], "label": ["x", "y"], **corners}))
    assert frame["width"].tolist()[0] == 2
    assert frame["left"].isna().tolist() == [False, True]


BOX = {"left": [0], "top": [0], "width": [1], "height": [1]}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": None}, ["'label'"]),
        ({"image": [None]}, ["'image'", "empty"]),
        ({**BOX, "left": [None]}, ["'a.jpg'", "lacks a value in left."]),
        ({"left": [0], "top": [0], "right": [1]}, ["width, height are missing", "'right'"]),
        ({**BOX, "width": [-1]}, ["'a.jpg'", "negative"]),
        ({**BOX, "top": [float("inf")]}, ["'a.jpg'", "not finite"]),
        ({**BOX, "top": ["high"]}, ["'top'"]),
        ({"xmin": [5], "ymin": [0], "xmax": [4], "ymax": [1]}, ["'a.jpg'", "negative"]),
        ({"xmin": ["?"], "ymin": [0], "xmax": [4], "ymax": [1]}, ["'xmin'"]),
        ({"confidence": [1.01]}, ["1.01", "'a.jpg'"]),
        ({"confidence": [-0.5]}, ["-0.5"]),
        ({"confidence": ["sure"]}, ["'confidence'"]),
        ({"created": ["yesterday"]}, ["'created'", "yesterday is not ISO8601 format"]),
        ({"crowd": ["maybe"]}, ["'crowd'", "'maybe'"]),
        ({"bounding_box": [[1, 2, 3, 4]]}, ["'bounding_box'", "'bbox_xyxy'"]),
        ({"bbox": [[1, 2, 3]]}, ["'bbox'", "'a.jpg'", "[1, 2, 3]"]),
        ({"label": [["x", "y"]], **BOX}, ["'a.jpg'", "one row for each label"]),
    ],
)
def test_impossible_annotations_are_refused_by_name(columns: dict[str, list[object]], words: list[str]) -> None:
    given = {"image": ["a.jpg"], "label": ["x"], **columns}
    frame = pd.DataFrame({name: values for name, values in given.items() if values is not None})
    with pytest.raises(TableError) as caught:
        t.normalise_annotations(frame)
    assert "You might want" not in str(caught.value), "this is about arguments of pandas"
    assert all(word in str(caught.value) for word in words)


# -- labels -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["apple", "<script>", "a/b", "'; DROP TABLE labels; --", "naïve 梨", "x" * 256, "🍎"])
def test_any_text_is_a_label(name: str) -> None:
    assert t.check_label(f"\t{name} \n") == name


@pytest.mark.parametrize("name", ["", "  \n", "x" * 257, "a\0b", "\udcff", None, 5, float("nan"), b"apple", ["a"]])
def test_label_names_that_cannot_be_stored_are_refused(name: object) -> None:
    with pytest.raises(LabelError):
        t.check_label(name)


def test_labels_keep_their_order_and_get_colors() -> None:
    frame = t.normalise_labels(["pear", "apple"])
    assert frame["label"].tolist() == ["pear", "apple"]
    assert frame["color"].tolist() == [label_color(0), label_color(1)]
    given = t.normalise_labels(pd.DataFrame({"label": ["a", "b"], "color": ["#000000", None]}))
    assert given["color"].tolist() == ["#000000", label_color(1)]
    assert len(t.normalise_labels([])) == 0
    assert label_color(len(PALETTE)) == label_color(0)


def test_a_label_twice_is_refused() -> None:
    with pytest.raises(LabelError, match=r"labels has .apple. more than once"):
        t.normalise_labels(["apple", " apple"])


def test_known_labels_come_first_and_new_ones_by_name() -> None:
    annotations = t.normalise_annotations(pd.DataFrame({"image": ["a", "b", "c"], "label": ["z", "b", "k"]}))
    assert t.labels_in_order(annotations, ["k", "unused"]) == ["k", "unused", "b", "z"]


# -- statuses ---------------------------------------------------------------------------------------
def test_statuses_follow_the_annotations() -> None:
    images = t.normalise_images(
        pd.DataFrame(
            {
                "image": ["annotated", "skipped", "review", "nothing here", "emptied", "plain"],
                "status": ["unlabelled", "skipped", "needs_review", "labelled", "labelled", "unlabelled"],
            }
        )
    )
    said = t.normalise_annotations(pd.DataFrame({"image": ["annotated", "skipped", "review"], "label": "x"}))
    before = images.copy(deep=True)
    settled = t.settle_statuses(images, said, changed=pd.Series(["emptied"]))
    assert settled["status"].tolist() == [
        "labelled",
        "labelled",
        "needs_review",
        "labelled",
        "unlabelled",
        "unlabelled",
    ]
    assert_frame_equal(images, before)
    assert t.settle_statuses(images, said)["status"].tolist()[4] == "labelled"


# -- findings and limits ----------------------------------------------------------------------------
def test_findings_become_a_table_and_unknown_codes_are_refused() -> None:
    frame = issues_to_frame([Issue("IMAGE_TRUNCATED", where="a.jpg"), Issue("FOLDER_LOOP", "Round it goes.", line=3)])
    assert dtypes(frame) == t.ISSUE_COLUMNS
    assert frame["message"].tolist() == [CODES["IMAGE_TRUNCATED"], "Round it goes."]
    assert frame["line"].isna().tolist() == [True, False]
    assert dtypes(issues_to_frame([])) == t.ISSUE_COLUMNS
    with pytest.raises(ValueError, match="OOPS"):
        Issue("OOPS")


def test_profiles_have_names() -> None:
    assert profile("local") is LOCAL
    assert profile("rekognition").max_label_length == 256
    with pytest.raises(InputError, match="'azure'"):
        profile("azure")


def test_an_image_has_a_label_once_but_any_number_of_boxes() -> None:
    frame = pd.DataFrame(
        {
            "image": ["a", "a", "b", "a", "a", "a"],
            "label": ["x", " x", "x", "y", "x", "x"],
            "left": [None, None, None, None, 1, 1],
            "top": [None, None, None, None, 2, 2],
            "width": [None, None, None, None, 3, 3],
            "height": [None, None, None, None, 4, 4],
            "annotator": ["first", "second", None, None, None, None],
        },
        index=[7, 7, 8, 9, 10, 10],
    )
    found = t.normalise_annotations(frame)
    assert found[["image", "label"]].to_numpy().tolist() == [["a", "x"], ["b", "x"], ["a", "y"], ["a", "x"], ["a", "x"]]
    assert found["left"].notna().tolist() == [False, False, False, True, True]
    assert found["annotator"][0] == "first"
    assert found.index.tolist() == list(range(5))
    polygons = pd.DataFrame({"image": ["a", "a"], "label": "x", "polygon": [[[0, 0], [1, 0], [1, 1]]] * 2})
    assert len(t.normalise_annotations(polygons)) == 2


def test_dates_are_read_in_every_iso_style_at_once() -> None:
    texts = ["2026-03-06T17:46:39.176", "2026-03-06 17:46:39", "2026-03-06T18:46:39+01:00", "2026-03-06T17:46:39Z"]
    found = t.normalise_annotations(pd.DataFrame({"image": list("abcd"), "label": "x", "created": texts}))
    assert found["created"].dt.floor("s").nunique() == 1
    assert found["created"].iloc[0].microsecond == 176_000
    with pytest.raises(TableError, match="'created'"):
        t.normalise_annotations(pd.DataFrame({"image": ["a"], "label": "x", "created": ["soon"]}))


@pytest.mark.parametrize("images", [[], ["a.jpg", "b.jpg"]])
def test_labels_of_whole_images_are_an_annotations_table(images: list[str]) -> None:
    made = t.label_images(images, "apple", "ann").drop(columns="created")
    given = pd.DataFrame({"image": images, "label": "apple"}, dtype="str")
    pd.testing.assert_frame_equal(made, t.normalise_annotations(given, annotator="ann").drop(columns="created"))
    assert str(t.label_images(images, "apple", "ann")["created"].dtype) == t.CREATED_DTYPE


#: Machado, Oliveira and Fernandes (2009), severity 1.
SEEN = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LMS = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.68069955, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
OKLAB = [
    [0.21045426, 0.79361779, -0.00407205],
    [1.9779985, -2.42859221, 0.45059371],
    [0.0259040, 0.78277177, -0.80867577],
]


@pytest.mark.parametrize("sight", SEEN)
def test_the_first_twenty_colors_of_labels_are_distinct(sight: str) -> None:
    values = np.array([[int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)] for color in PALETTE])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SEEN[sight]).T, 0, 1)
    lab = np.cbrt(seen @ np.array(LMS).T) @ np.array(OKLAB).T
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert len(set(PALETTE)) == 20
    assert distance[np.triu_indices(20, 1)].min() > 0.05


@given(st.lists(st.none() | st.sampled_from(["None", "nan", "", "a"]), min_size=1))
def test_missing_texts_stay_missing(values: list[str | None]) -> None:
    column = t.as_text(pd.Series(values, dtype="object"))
    assert column.dtype == t.TEXT
    assert [None if pd.isna(value) else value for value in column] == values
    again = t.normalise_annotations(
        pd.DataFrame({"image": "i", "label": "x", "left": 0, "top": 0, "width": 1, "height": 1, "job": values})
    )
    assert [None if pd.isna(value) else value for value in again["job"]] == values


@pytest.mark.parametrize("label", [{"cat": 1}, [["x"]], [{"cat"}], 3])
def test_other_values_than_text_are_refused_as_labels(label: object) -> None:
    with pytest.raises(LabelError):
        t.normalise_annotations(pd.DataFrame({"image": ["a.jpg"], "label": [label]}))
