"""Property test: what a table has is in the tables of the result, or an issue names its column or the value."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.ingest.sources import ImportOptions, find_images
from tests.datasets.formats.planting import INPUTS, PHOTOS, Planted, in_json
from tests.tiers import many

#: Tables with a header.
TABLES = ("csv", "csv of tags", "csv of corners")


def in_tables(*tables: pd.DataFrame) -> str:
    cells = [[*map(str, table), *map(str, table.to_numpy().ravel())] for table in tables]
    return json.dumps(cells, ensure_ascii=False)


def in_issues(issues: Iterable[Issue]) -> str:
    return "\n".join(f"{issue.message} {issue.where}" for issue in issues)


def as_images(frame: pd.DataFrame, folder: Path) -> tuple[str, str]:
    if "split" in frame:  # images are added to one split
        frame = frame.assign(split=frame["split"].replace("test", "train"))
    found = find_images(frame, ImportOptions(), project_folder=folder)
    return in_tables(found.images, found.annotations), in_issues(found.issues)


def as_dataset(frame: pd.DataFrame, folder: Path) -> tuple[str, str]:
    found = cl.Dataset(pd.DataFrame({"image": [str(folder / name) for name in PHOTOS]}), frame)
    return in_tables(found.images, found.annotations), found.issues.to_csv()


def in_warnings(raised: Iterable[warnings.WarningMessage]) -> str:
    return "\n".join(str(each.message) for each in raised)


def of_ours(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of our own tables, which nobody expects in other tables."""
    return frame.filter(items=["split", "status", "annotator", "created", "note"])


def as_predictions_of_project(frame: pd.DataFrame, folder: Path) -> tuple[str, str]:
    project = cl.create_project("planted", folder)
    try:
        project.add_images([folder / name for name in PHOTOS], progress=False)
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            project.add_predictions(frame, model="planted")
        return in_tables(project._store.predictions(), of_ours(frame)), in_warnings(raised)
    finally:
        project.close()


def as_predictions_to_evaluate(frame: pd.DataFrame, folder: Path) -> tuple[str, str]:
    truth = pd.DataFrame({"image": [str(folder / name) for name in PHOTOS], "label": ["cat", "dog"]})
    if {"left", "xmin"} & {*frame}:
        truth = truth.assign(left=1, top=2, width=10, height=10)
    predictions = frame.assign(confidence=frame["confidence"].fillna(0.5) if "confidence" in frame else 0.5)
    report = cl.evaluate(truth, predictions)
    used = predictions.filter(items=["confidence", "crowd", "left", "top", "width", "height", "xmin", "polygon"])
    return in_tables(report.labels, used, of_ours(frame)), "\n".join(report.notes)


def as_huggingface(frame: pd.DataFrame, folder: Path) -> tuple[str, str]:
    image, label = ("filename", "class") if "filename" in frame else ("image", "label")
    photos = datasets.Dataset.from_pandas(frame).cast_column(image, datasets.Image())
    found = cl.from_huggingface(photos, image=image, label=label)
    return in_tables(found.images, found.annotations), found.issues.to_csv()


DOORS: dict[str, Callable[[pd.DataFrame, Path], tuple[str, str]]] = {
    "images": as_images, "dataset": as_dataset, "huggingface": as_huggingface,
    "add_predictions": as_predictions_of_project, "evaluate": as_predictions_to_evaluate,
}  # fmt: skip


def check(door: str, name: str, seed: int, folder: Path) -> Planted | str:
    """Plant a token in a table, and return what was planted if the result neither has nor names it."""
    random = Random(seed)
    token = f"tok{random.randrange(10**6)}k"
    path, planted = INPUTS[name].write(folder, random, token)
    if planted.where == ("further",):  # which no table has
        return ""
    frame = pd.read_csv(io.StringIO(path.read_text()), index_col=False)
    image = frame.columns[0]
    frame[image] = [str(folder / str(each)) for each in frame[image]]
    try:
        read, said = DOORS[door](frame, folder)
    except CustomLabelsError:
        return "refused"  # nothing of the table was read
    return "" if token in read or any(each in said for each in (token, *planted.names)) else planted


@settings(max_examples=many(150), deadline=None)
@given(door=st.sampled_from(sorted(DOORS)), name=st.sampled_from(TABLES), seed=st.integers(0, 2**32))
def test_what_is_planted_in_a_table_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, door: str, name: str, seed: int
) -> None:
    assert check(door, name, seed, tmp_path_factory.mktemp("planted")) in ("", "refused")


_OBJECT = {"bbox": [1.0, 2.0, 10.0, 10.0], "category": "cat", "area": 100.0, "iscrowd": 0, "score": 0.5}
_LISTS = {"bbox": [[1.0, 2.0, 10.0, 10.0], [3.0, 4.0, 5.0, 5.0]], "category": ["cat", "dog"], "id": [1, 2]}
#: Columns of datasets of Hugging Face, besides the image.
COLUMNS: dict[str, dict[str, Any]] = {
    "objects in a list": {"objects": [{**_OBJECT, "segmentation": [[1.0, 2.0, 11.0, 2.0, 11.0, 12.0]]}, _OBJECT]},
    "objects as lists": {"objects": _LISTS, "split": "test"},
    "label": {"label": "cat", "site": "roof", "width": 40, "height": 20, "views": ["front"]},
    "labels": {"labels": ["cat", "dog"], "shade": 1},
    "boxes": {"label": "cat", "bbox": [1.0, 2.0, 10.0, 10.0]},
}


@settings(max_examples=many(100), deadline=None)
@given(name=st.sampled_from(sorted(COLUMNS)), seed=st.integers(0, 2**32))
def test_what_is_planted_in_a_dataset_of_huggingface_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    random, folder = Random(seed), tmp_path_factory.mktemp("planted")
    token = f"tok{random.randrange(10**6)}k"
    INPUTS["csv"].write(folder, random, None)
    columns, planted = in_json(COLUMNS[name], random, token)
    rows = [
        {**each, "image": str(folder / photo)} for each, photo in zip((columns, COLUMNS[name]), PHOTOS, strict=True)
    ]
    try:
        made = datasets.Dataset.from_list(rows)
    except pa.ArrowException:
        reject()  # it mixes types
    assume(token in str([*made]))
    found = cl.from_huggingface(made)
    read, said = in_tables(found.images, found.annotations), found.issues.to_csv()
    assert token in read or any(each in said for each in (token, *planted.names)), planted
