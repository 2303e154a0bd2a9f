"""Property test: a column means the same in CSV files and in tables for images, datasets and evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core.table_columns import read_frame
from customlabels_nb.evaluation.input_tables import has_boxes, with_usual_columns
from customlabels_nb.ingest.sources import ImportOptions, find_images
from tests.tiers import many

BOX = [10, 20, 30, 40]
NOTATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "sides": dict(zip(("left", "top", "width", "height"), BOX, strict=True)),
    "corners": {"xmin": 10, "ymin": 20, "xmax": 40, "ymax": 60},
    "corner and size": {"xmin": 10, "ymin": 20, "width": 30, "height": 40},
    "bbox": {"bbox": str(BOX)},
    "bbox_xyxy": {"bbox_xyxy": "10 20 40 60"},
}
SIZES = {"width": 160, "height": 120}
#: Columns that are no boxes, labels or confidences, although their names or values are like them.
OTHERS: dict[str, Any] = {"top": "red", "fold": 1, "site": "roof", "Status": "done", "entropy": 0.5, "bbox_id": 7}


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, list[str], bool, bool]:
    """Draw a table with a row for each of three photos, its labels, and whether it has boxes and sizes of photos."""
    labels = draw(st.lists(st.sampled_from(["cat", "dog"]), min_size=3, max_size=3))
    columns: dict[str, Any] = {draw(st.sampled_from(["image", "filename", "Path"])): ["a.jpg", "b.jpg", "c.jpg"]}
    notation = draw(st.sampled_from([*NOTATIONS]))
    if notation == "none" and draw(st.booleans()):
        columns |= {name: [int(label == name) for label in labels] for name in ("cat", "dog")}
    else:
        columns[draw(st.sampled_from(["label", "Class", "category_name"]))] = labels
    columns |= NOTATIONS[notation]
    sized = "width" not in columns and draw(st.booleans())
    columns |= SIZES if sized else {}
    names = draw(st.lists(st.sampled_from(sorted(OTHERS.keys() - columns.keys())), unique=True))
    one_hot = "cat" in columns
    columns |= {name: OTHERS[name] for name in sorted(names) if not (one_hot and name == "fold")}
    frame = pd.DataFrame(columns)
    return frame[draw(st.permutations([*frame.columns]))], labels, notation != "none", sized


def rows(annotations: pd.DataFrame) -> list[tuple[Any, ...]]:
    sides = annotations.reindex(columns=["left", "top", "width", "height"]).astype("float64").fillna(-1)
    names = [Path(image).name for image in annotations["image"]]
    return sorted(zip(names, annotations["label"], *(sides[side] for side in sides), strict=True))


def is_kept_or_named(name: str, columns: Iterable[str], messages: Iterable[str]) -> bool:
    return name in columns or any(f"'{name}'" in message for message in messages)


@given(drawn=tables())
@settings(max_examples=many(60), deadline=None)
def test_a_column_means_the_same_wherever_its_table_is_passed(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[pd.DataFrame, list[str], bool, bool]
) -> None:
    frame, labels, boxed, sized = drawn
    folder = tmp_path_factory.getbasetemp()
    frame.to_csv(folder / "table.csv", index=False)
    box = BOX if boxed else [-1] * 4
    expected = [(f"{name}.jpg", label, *box) for name, label in zip("abc", labels, strict=True)]
    from_csv = cl.read_dataset(folder / "table.csv")
    added = find_images(frame, ImportOptions(), project_folder=folder)
    images = pd.DataFrame({"image": ["a.jpg", "b.jpg", "c.jpg"]})
    dataset = cl.Dataset(images, frame)
    assert rows(from_csv.annotations) == rows(added.annotations) == rows(dataset.annotations) == expected
    assert rows(read_frame(frame, of="annotations")[0]) == expected
    assert from_csv.images["width"].notna().all() == sized
    assert ("width" in added.images) == sized
    for name in OTHERS.keys() & {*frame.columns} - ({"top"} if "left" in frame else set()):
        assert is_kept_or_named(name, from_csv.images.columns, from_csv.issues["message"])
        assert is_kept_or_named(name, added.images.columns, [issue.message for issue in added.issues])
        assert is_kept_or_named(name, (), dataset.issues["message"])
    if "cat" not in frame:
        _, predictions, _, notes = with_usual_columns(frame, frame.assign(score=0.5), None)
        assert (predictions["label"].tolist(), has_boxes(predictions), notes) == (labels, boxed, [])
        assert predictions["confidence"].tolist() == [0.5] * 3
