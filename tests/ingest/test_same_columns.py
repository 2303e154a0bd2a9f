"""Property test: a column means the same at every door through which a table comes in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.ingest.sources import ImportOptions, find_images
from tests.images.pictures import write_folder
from tests.tiers import EXHAUSTIVE

BOX = [10, 5, 30, 20]
SIDES = ("left", "top", "width", "height")
NOTATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "sides": dict(zip(SIDES, BOX, strict=True)),
    "corners": {"xmin": 10, "ymin": 5, "xmax": 40, "ymax": 25},
    "corner and size": {"xmin": 10, "ymin": 5, "width": 30, "height": 20},
    "bbox": {"bbox": str(BOX)},
    "bbox_xyxy": {"bbox_xyxy": "10 5 40 25"},
}
SIZES = {"width": 48, "height": 32}
#: Columns about a label, with the column and the value that they become.
FACTS: dict[str, tuple[Any, str, Any]] = {
    "confidence": (0.5, "confidence", 0.5),
    "Score": (0.5, "confidence", 0.5),
    "iscrowd": (1, "crowd", True),
    "annotator": ("Ann", "annotator", "Ann"),
    "note": ("dark", "note", "dark"),
}
#: Columns that are no boxes, labels or confidences, although their names or values are like them.
OTHERS: dict[str, Any] = {
    "top": "red", "fold": 1, "site": "roof", "Status": "done", "entropy": 0.5, "bbox_id": 7, "split": "train",
    "reviewed": 1, "class_id": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Table with a row for each photo, and what it means: labels, the columns of FACTS and the size of photos."""

    frame: pd.DataFrame
    labels: list[str]
    box: list[int]
    facts: dict[str, Any]
    sized: bool

    @property
    def image(self) -> str:
        return next(name for name in self.frame if name in ("image", "filename", "Path"))


class Found(NamedTuple):
    """What a door made of a table."""

    annotations: pd.DataFrame
    images: pd.DataFrame | None
    messages: list[str]


class Door(NamedTuple):
    """Way to pass a table, and what it has no place for by its nature: facts, or the sizes and columns of images."""

    read: Callable[[Case, Path, cl.Project], Found]
    lacks: frozenset[str] = frozenset()


@st.composite
def cases(draw: st.DrawFn, photos: list[str]) -> Case:
    labels = draw(st.lists(st.sampled_from(["cat", "dog"]), min_size=3, max_size=3))
    columns: dict[str, Any] = {draw(st.sampled_from(["image", "filename", "Path"])): photos}
    notation = draw(st.sampled_from([*NOTATIONS]))
    one_hot = notation == "none" and draw(st.booleans())
    if one_hot:
        columns |= {name: [int(label == name) for label in labels] for name in ("cat", "dog")}
    else:
        columns[draw(st.sampled_from(["label", "Class", "category_name"]))] = labels
    columns |= NOTATIONS[notation]
    sized = "width" not in columns and draw(st.booleans())
    columns |= SIZES if sized else {}
    facts = [*FACTS.keys() - {"confidence" if one_hot else ""}]  # there are no probabilities beside a confidence
    drawn = draw(st.lists(st.sampled_from(sorted(facts)), unique_by=lambda name: FACTS[name][1]))
    columns |= {name: FACTS[name][0] for name in drawn}
    others = draw(st.lists(st.sampled_from(sorted(OTHERS.keys() - columns.keys())), unique=True))
    columns |= {name: OTHERS[name] for name in others if not (one_hot and name == "fold")}
    frame = pd.DataFrame(columns)
    box = BOX if notation != "none" else [-1] * 4
    meaning = {FACTS[name][1]: FACTS[name][2] for name in drawn}
    return Case(frame[draw(st.permutations([*frame.columns]))], labels, box, meaning, sized)


# -- doors ------------------------------------------------------------------------------------------
def of_dataset(dataset: cl.Dataset, images: bool = True) -> Found:
    return Found(dataset.annotations, dataset.images if images else None, dataset.issues["message"].tolist())


def read_csv(case: Case, folder: Path, project: cl.Project) -> Found:
    case.frame.to_csv(folder / "table.csv", index=False)
    return of_dataset(cl.read_dataset(folder / "table.csv"))


def read_parquet(case: Case, folder: Path, project: cl.Project) -> Found:
    case.frame.to_parquet(folder / "table.parquet")
    return of_dataset(cl.read_dataset(folder / "table.parquet"))


def add_images(case: Case, folder: Path, project: cl.Project) -> Found:
    found = find_images(case.frame, ImportOptions(), project_folder=folder)
    return Found(found.annotations, found.images, [issue.message for issue in found.issues])


def from_huggingface(case: Case, folder: Path, project: cl.Project) -> Found:
    return of_dataset(cl.from_huggingface(datasets.Dataset.from_pandas(case.frame), image=case.image))


def make_dataset(case: Case, folder: Path, project: cl.Project) -> Found:
    images = case.frame[[case.image]].drop_duplicates()
    return of_dataset(cl.Dataset(images, case.frame), images=False)


def update(case: Case, folder: Path, project: cl.Project) -> Found:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        project.update("train", case.frame)
    return Found(project.train_set.annotations, None, [str(each.message) for each in caught])


def add_predictions(case: Case, folder: Path, project: cl.Project) -> Found:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        project.add_predictions(case.frame, model="other")
    predictions = project._store.predictions()
    return Found(predictions[predictions["confidence"] > 0], None, [str(each.message) for each in caught])


#: 0 and 1 in predictions are probabilities, and the tables of images and labels are elsewhere.
NO_IMAGES = frozenset({"sizes", "own"})
DOORS = {
    "read_dataset of CSV": Door(read_csv),
    "read_dataset of Parquet": Door(read_parquet),
    "add_images": Door(add_images),
    "from_huggingface": Door(from_huggingface, frozenset({"annotator"})),
    "Dataset": Door(make_dataset, NO_IMAGES),
    "update": Door(update, NO_IMAGES),
    "add_predictions": Door(add_predictions, NO_IMAGES),
}


# -- comparison -------------------------------------------------------------------------------------
def rows(annotations: pd.DataFrame) -> list[tuple[Any, ...]]:
    sides = annotations.reindex(columns=SIDES).astype("float64").fillna(-1)
    names = [Path(image).name for image in annotations["image"]]
    return sorted(zip(names, annotations["label"], *(sides[side] for side in SIDES), strict=True))


def is_named(name: str, messages: list[str]) -> bool:
    return any(f"'{name}'" in message for message in messages)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*map(str, write_folder(tmp_path_factory.mktemp("same columns"), {"": 3}))]


@pytest.fixture(scope="module")
def project(photos: list[str]) -> Iterator[cl.Project]:
    created = cl.create_project("same", Path(photos[0]).parent / "projects")
    for label in ("cat", "dog"):
        created.labels.add(label)
    created.add_images(photos, progress=False)
    yield created
    created.close()


@given(data=st.data())
@settings(max_examples=200 if EXHAUSTIVE else 3, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_a_column_means_the_same_at_every_door(photos: list[str], project: cl.Project, data: st.DataObject) -> None:
    case = data.draw(cases(photos))
    expected = [(Path(image).name, label, *case.box) for image, label in zip(photos, case.labels, strict=True)]
    one_hot = "cat" in case.frame
    for name, door in DOORS.items():
        found = door.read(case, Path(photos[0]).parent, project)
        assert rows(found.annotations) == expected, name
        for column, value in case.facts.items():
            if (one_hot and name == "add_predictions") or column in door.lacks:  # of probabilities
                source = next(each for each in FACTS if FACTS[each][1] == column and each in case.frame)
                assert is_named(source, found.messages), (name, source)
            else:
                assert found.annotations[column].tolist() == [value] * 3, (name, column)
        if found.images is not None:
            assert ("width" in found.images and found.images["width"].notna().all()) == case.sized, name
        for column in OTHERS.keys() & {*case.frame.columns} - {*(SIDES if "left" in case.frame else ())}:
            kept = found.images is not None and column in found.images
            assert kept or is_named(column, found.messages) or column == "split", (name, column)
    check_evaluation(case, expected)


def check_evaluation(case: Case, expected: list[tuple[Any, ...]]) -> None:
    """Check that an evaluation finds the same labels and boxes as in a plain table, in truth and in predictions."""
    plain = pd.DataFrame(expected, columns=["image", "label", *SIDES]).replace(-1, np.nan)
    plain = plain.drop(columns=[*SIDES] if plain["left"].isna().all() else [])
    frame = case.frame.drop(columns="iscrowd", errors="ignore")  # crowds do not count
    frame = frame.assign(**{case.image: plain["image"].to_numpy()})
    answers = frame if "cat" in frame or "confidence" in case.facts else frame.assign(score=0.9)
    for truth, predictions in ((frame, plain.assign(confidence=0.9)), (plain, answers)):
        report = cl.evaluate(truth, predictions)
        assert (report.metric("f1"), len(report.per_label)) == (1, len({*case.labels})), report
