"""Tests of converting to and from the data of ipyannotations' annotators."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipyannotations.generic import ClassLabeller, MulticlassLabeller
from ipyannotations.images import BoxAnnotator, PointAnnotator, PolygonAnnotator

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.interop.ipyannotations_data import from_ipyannotations
from customlabels_nb.errors import InputError
from tests.datasets.interop import shops
from tests.tiers import many

BOXES = [
    {"type": "box", "label": "cup", "xyxy": (1, 2, 21, 12)},
    {"type": "box", "label": "plate", "xyxy": (10, 0, 40, 32)},
]
POLYGON = {"type": "polygon", "label": "plate", "points": [(2, 2), (12, 2), (2, 22), (2, 2)]}
POINT = {"type": "point", "label": "rim", "coordinates": (7, 9)}


@pytest.mark.parametrize(
    ("annotator", "data"),
    [(BoxAnnotator, BOXES), (BoxAnnotator, []), (PolygonAnnotator, [POLYGON]), (PointAnnotator, [POINT, POINT])],
)
def test_annotations_survive_a_round_trip(tmp_path: Path, annotator: Any, data: list[dict[str, Any]]) -> None:
    drawn, shown = (annotator(options=["cup", "plate", "rim"]) for _ in range(2))
    for widget in (drawn, shown):
        widget.display(Path(shops.drawn(tmp_path, 1)[0]))
    drawn.data = data
    dataset = cl.from_ipyannotations({"/photos/a.jpg": drawn.data, "s3://bucket/b.jpg": None})
    assert dataset.issues.empty
    assert dataset.images["status"].tolist() == ["labelled", "unlabelled"]
    assert len(dataset.annotations) == len(data)
    task = None if data else "boxes"
    again = dataset.to_ipyannotations(task=task)
    assert again == {"/photos/a.jpg": data}
    shown.data = again["/photos/a.jpg"]
    assert shown.data == drawn.data == data  # converting it did not change it


def test_classes_are_texts_and_lists_of_them() -> None:
    single = ClassLabeller(options=["ripe", "red"], allow_freetext=False)
    single.data = "ripe"
    several = MulticlassLabeller(options=["ripe", "red"])
    several.data = ["red", "ripe"]
    one = cl.from_ipyannotations({"/a.jpg": single.data, "/b.jpg": "red"})
    assert one.labels_of_images() == [["ripe"], ["red"]]
    assert one.to_ipyannotations() == {"/a.jpg": "ripe", "/b.jpg": "red"}
    many = cl.from_ipyannotations({"/a.jpg": several.data, "/b.jpg": ["red"], "/c.jpg": []})
    assert many.images["status"].tolist() == ["labelled"] * 3
    assert many.to_ipyannotations() == {"/a.jpg": ["red", "ripe"], "/b.jpg": ["red"], "/c.jpg": []}
    with pytest.raises(InputError, match=r"/a\.jpg' has several labels.*task='multi-label'"):
        many.to_ipyannotations(task="single-label")


def test_boxes_are_pixels_in_the_tables_and_outlines_are_open() -> None:
    dataset = cl.from_ipyannotations({"/a.jpg": [*BOXES, POLYGON, POINT]})
    assert dataset.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [
        [1, 2, 20, 10], [10, 0, 30, 32], [2, 2, 10, 20], [7, 9, 0, 0],
    ]  # fmt: skip
    assert dataset.annotations["polygon"].tolist() == [None, None, [[2, 2], [12, 2], [2, 22]], None]
    rings = [[[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]], [[5.0, 1.0], [8.0, 1.0], [8.0, 3.0]]]
    rows = pd.DataFrame({"image": ["/a.jpg"], "label": ["a"], "polygon": [rings]})
    joined = cl.Dataset(rows[["image"]], rows).to_ipyannotations()
    assert cl.from_ipyannotations(joined).annotations["polygon"].tolist() == [rings]
    turned = cl.from_ipyannotations({"/a.jpg": [{**BOXES[0], "xyxy": (21, 12, 1, 2)}]})
    assert turned.to_ipyannotations() == {"/a.jpg": [BOXES[0]]}


def test_unsupported_annotations_are_left_out_with_a_warning(tmp_path: Path) -> None:
    dataset = shops.boxes(tmp_path)
    with pytest.warns(UserWarning, match="2 annotations do not fit task='polygons' and were dropped"):
        outlines = dataset.to_ipyannotations()
    paths = dataset.images["image"].tolist()
    assert outlines.keys() == {paths[1], paths[2]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        boxes = dataset.to_ipyannotations(task="boxes")
    assert boxes[paths[0]][0] == {"type": "box", "label": "cup", "xyxy": (1.0, 2.0, 21.0, 12.0)}
    assert boxes[paths[1]] == [{"type": "box", "label": "plate", "xyxy": (2.0, 2.0, 12.0, 22.0)}]
    assert boxes[paths[2]] == []
    assert paths[3] not in boxes  # nobody has labelled it


def test_what_shapes_have_beside_is_named_and_they_are_judged(tmp_path: Path) -> None:
    photo = shops.drawn(tmp_path, 1)[0]  # of 48 × 32 pixels

    def read(*shapes: dict[str, Any]) -> cl.Dataset:
        return cl.from_ipyannotations({photo: [*shapes]})

    extra = read({**BOXES[0], "shade": "dark"}, {**POLYGON, "line": {"width": 3}})
    assert extra.issues["code"].tolist() == ["NOT_IMPORTED"] * 2
    assert all(word in extra.issues["message"][0] for word in ("'shade' of a box", "'dark'", photo))
    assert "'line' of a polygon" in extra.issues["message"][1]
    ratios = read({**BOXES[0], "xyxy": (0.25, 0.25, 0.75, 1)}, {**POINT, "coordinates": (0.5, 0.5)})
    assert ratios.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[12, 8, 24, 24], [24, 16, 0, 0]]
    assert ratios.issues["message"].str.contains("ratios of the image size").tolist() == [True, True]
    far = read({**BOXES[0], "xyxy": (1, 2, 5000, 4000)}, {**POINT, "coordinates": (900, 9)})
    assert far.annotations.empty
    assert far.images["status"].tolist() == ["unlabelled"]
    assert far.issues["message"].str.contains("far beyond its image").sum() == 2
    flat = read({**BOXES[0], "xyxy": (5, 5, 5, 9)}, {**POINT, "coordinates": (0, 0)})
    assert len(flat.annotations) == 2
    assert "1 × box without area" in flat.issues["message"].item()


def test_images_of_a_project_are_absolute_there(tmp_path: Path) -> None:
    name = shops.drawn(tmp_path / "photos", 1)[0]
    project = cl.create_project("p", tmp_path)
    project.import_dataset(cl.from_ipyannotations({name: BOXES}), copy=True, progress=False)
    assert not Path(project.train_set.images["image"].iloc[0]).is_absolute()
    (image, data) = next(iter(project.train_set.to_ipyannotations().items()))
    assert Path(image).is_file()
    assert data == BOXES
    project.close()


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "box", "label": None, "xyxy": (1, 2, 3, 4)},
        {"type": "box", "label": "", "xyxy": (1, 2, 3, 4)},
        {"type": "box", "label": "a", "xyxy": (1, 2, 3)},
        {"type": "box", "label": "a", "xyxy": (1, 2, 3, float("nan"))},
        {"type": "box", "label": "a", "xyxy": (1, 2, 3, 10**400)},
        {"type": "box", "label": "a", "xyxy": (-1e308, 0, 1e308, 1)},
        {"type": "box", "label": "a"},
        {"type": "polygon", "label": "a", "points": [(1, 2), (3, 4), (1, 2)]},
        {"type": "polygon", "label": "a", "points": 7},
        {"type": "circle", "label": "a"},
        {"type": ["box"], "label": "a"},
        {},
        7,
        None,
    ],
)
def test_invalid_shape_is_reported_and_others_are_read(entry: object) -> None:
    dataset = cl.from_ipyannotations({"/a.jpg": [entry, BOXES[0]], "/b.jpg": [entry]})
    assert dataset.issues[["code", "where"]].to_numpy().tolist() == [
        ["ENTRY_UNREADABLE", "/a.jpg"], ["ENTRY_UNREADABLE", "/b.jpg"],
    ]  # fmt: skip
    assert len(dataset.annotations) == 1
    assert dataset.images["status"].tolist() == ["labelled", "unlabelled"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["/a.jpg"], "data is of type list"),
        ({7: []}, "data has the key 7"),
        ({"": []}, "data has the key ''"),
        ({"/a.jpg": 7}, "data has 7 for '/a.jpg'"),
        ({"/a.jpg": {}}, "data has {} for '/a.jpg'"),
        ({"/a.jpg": [], "/b/../a.jpg": []}, "'/a.jpg' twice"),
    ],
)
def test_invalid_data_is_refused(data: Any, words: str) -> None:
    with pytest.raises(InputError) as raised:
        cl.from_ipyannotations(data)
    assert words in str(raised.value)


def test_unknown_or_undetermined_task_is_refused() -> None:
    empty = cl.Dataset(pd.DataFrame({"image": ["/a.jpg"]}))
    with pytest.raises(InputError, match="no annotations"):
        empty.to_ipyannotations()
    with pytest.raises(InputError, match="task='circles'"):
        empty.to_ipyannotations(task="circles")
    assert len(cl.from_ipyannotations({})) == 0


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["box", "polygon"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["type", "label", "xyxy", "points", "coordinates"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=many(150))
@given(data=st.dictionaries(st.sampled_from(["/a.jpg", "/b.jpg", "s3://b/c.jpg"]), _anything))
def test_garbage_never_crashes(data: dict[str, Any]) -> None:
    try:
        found = from_ipyannotations(data)
    except InputError:
        return
    assert np.isfinite(found.annotations[list(t.BOX_COLUMNS)].dropna().to_numpy()).all()
    assert found.images["image"].tolist() == list(data)
