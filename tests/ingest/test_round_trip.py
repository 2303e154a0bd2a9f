"""Property: labels that leave a project in any format come back, and only what was corrected elsewhere changes."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.project.screens import session_files
from tests.datasets.formats.test_contract import target
from tests.images.pictures import jpeg
from tests.project.test_history import tables
from tests.s3_server import Bucket
from tests.tiers import many

WIDTH, HEIGHT = 48, 32
LABELS = ("apple", "quote\" 'pear", "naïve 🍎")
STORED = ("referenced", "uploaded", "copied", "unzipped", "remote")
SHAPES = {"boxes": "boxes", "polygons": "polygons", "single-label": "image_labels", "multi-label": "image_labels"}


@dataclass
class Case:
    """Project with annotated images, and how they are exported."""

    format: str
    stored: str
    task: str
    copy_images: bool
    marks: list[list[tuple[str, int, int, int, int]]]  # label and box of each annotation of each image
    empty: bool  # whether images without annotations are labelled as empty


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(sorted(FORMATS)))
    format_ = FORMATS[name]
    task = draw(st.sampled_from([task for task, what in SHAPES.items() if what in format_.holds]))
    several = task in t.DRAWN_TASKS or (task == "multi-label" and not format_.copies)
    mark = st.tuples(
        st.sampled_from(LABELS if several or not format_.copies else ("apple", "pear")),
        st.integers(0, 20), st.integers(0, 10), st.integers(4, 20), st.integers(4, 20),
    )  # fmt: skip
    unique = None if task in t.DRAWN_TASKS else lambda each: each[0]
    of_image = st.lists(mark, max_size=3 if several else 1, unique_by=unique)
    return Case(
        name,
        draw(st.sampled_from(STORED)),
        task,
        draw(st.booleans()) or format_.copies,
        draw(st.lists(of_image, min_size=1, max_size=4).filter(any)),  # YOLO needs a label
        "empty" in format_.holds and draw(st.booleans()),
    )


def make_project(case: Case, folder: Path, bucket: Bucket) -> cl.Project:
    """Return a project with the images, stored as the case says, and annotations of a person."""
    photos = folder / "photos"
    photos.mkdir()
    files = [photos / f"{number} ü.jpg" for number in range(len(case.marks))]
    for number, path in enumerate(files):
        path.write_bytes(jpeg(number, (WIDTH, HEIGHT)))
    project = cl.create_project("loop", folder=folder, task=case.task)
    if case.stored == "remote":
        for number, path in enumerate(files):
            bucket.put(f"{folder.name}/{number}.jpg", path.read_bytes())
        project.add_images(f"{bucket.url}/{folder.name}/", check_images=True, progress=False)
    elif case.stored == "uploaded":
        session = session_files(project._location)
        upload = session.begin_upload()
        for path in files:
            session.add_part(upload, path.name, path.read_bytes(), first=True)
        session.end_upload(upload, "train", None)
    else:
        source = shutil.make_archive(str(folder / "photos"), "zip", photos) if case.stored == "unzipped" else photos
        project.add_images(source, copy=case.stored == "copied", progress=False)
    images = project.train_set.images
    rows = [
        dict(zip(("image", "label", *t.BOX_COLUMNS), (image, *mark), strict=True))
        for image, marks in zip(images["image"], case.marks, strict=True)
        for mark in marks
    ]
    marks = pd.DataFrame(rows, columns=["image", "label", *t.BOX_COLUMNS])
    if case.task not in t.DRAWN_TASKS:
        marks = marks[["image", "label"]]
    if case.task == "polygons":
        marks["polygon"] = [triangle(row) for row in marks.itertuples()]
    statuses = "labelled" if case.empty else "unlabelled"
    project.update("train", cl.Dataset(images.assign(status=statuses), marks.assign(annotator="Ann"), name="train"))
    return project


def triangle(row: Any) -> list[list[float]]:
    """Return an outline with the box of a row."""
    right, bottom = row.left + row.width, row.top + row.height
    return [[row.left, row.top], [right, row.top], [right, bottom]]


def answers(dataset: cl.Dataset, names: dict[str, str]) -> list[Any]:
    """Return the annotations by image number, rounded, and the images that are labelled as empty."""
    numbers = dataset.images["image"].map(names)
    marks = dataset.annotations.assign(image=dataset.annotations["image"].map(names))
    rows = marks[["image", "label", *t.BOX_COLUMNS]].round(1).fillna(-1).to_numpy().tolist()
    empty = (dataset.images["status"] == "labelled") & ~numbers.isin(marks["image"])
    return [sorted(rows, key=str), sorted(numbers[empty])]


def by_content(project: cl.Project) -> dict[str, str]:
    """Map the images to their numbers, which their names contain."""
    return {name: re.findall(r"\d", Path(name).name)[0] for name in project.train_set.images["image"]}


def corrected(dataset: cl.Dataset) -> cl.Dataset:
    """Return the dataset after a correction: one annotation moved, one relabelled, one removed, and one more."""
    marks = dataset.annotations.assign(annotator=None)
    if marks["left"].notna().any():
        marks.loc[marks.index[:1], "left"] += 7
        if marks["polygon"].notna().any():
            marks["polygon"] = [triangle(row) for row in marks.itertuples()]
    marks.loc[marks.index[1:2], "label"] = "plum"
    marks = marks.drop(index=marks.index[2:3])
    new = marks.iloc[:1].assign(label="fig")
    return cl.Dataset(dataset.images, pd.concat([marks, new]), name="corrected", root=dataset.root)


@given(cases(), st.sampled_from(["fill", "replace"]))
@settings(max_examples=many(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_exported_labels_come_back(bucket: Bucket, case: Case, on_known: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(case, folder, bucket)
        out = target(case.format, folder / "out")
        out.parent.mkdir()
        project.train_set.to(
            case.format, out, **({} if FORMATS[case.format].copies else {"copy_images": case.copy_images})
        )
        written = cl.read_dataset(out, case.format)
        before, history = tables(project), len(project.history)
        report = project.import_dataset(written, on_known=on_known, progress=False)
        assert report.issues.empty, report.issues.to_dict("records")
        assert (report.added, report.labelled, report.replaced, report.kept) == (0, 0, 0, 0)
        assert (tables(project), len(project.history)) == (before, history)
        other = cl.create_project("empty", folder=folder, task=case.task)
        other.import_dataset(written, progress=False)
        kept = [number for number, marks in zip(range(9), case.marks, strict=False) if marks]
        mine, theirs = (answers(each.train_set, by_content(each)) for each in (project, other))
        assert mine == theirs or not kept


@given(cases().filter(lambda case: case.task in t.DRAWN_TASKS))
@settings(max_examples=many(30), deadline=None, suppress_health_check=list(HealthCheck))
def test_clipped_labels_are_listed_and_differ_when_they_come_back(bucket: Bucket, case: Case) -> None:
    number = next(number for number, marks in enumerate(case.marks) if marks)
    label, _, *others = case.marks[number][0]
    case.marks[number][0] = (label, -2, *others)
    clips = FORMATS[case.format].in_image
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(case, folder, bucket)
        out = target(case.format, folder / "out")
        out.parent.mkdir()
        written = project.train_set.to(case.format, out, copy_images=case.copy_images)
        listed = [issue.message for issue in written.issues.itertuples() if issue.where == "boxes beyond the image"]
        assert [message.startswith("1 × box or polygon beyond") for message in listed] == [True] * clips
        report = project.import_dataset(cl.read_dataset(out, case.format), progress=False)
        assert report.issues["code"].tolist() == ["LABEL_KEPT"] * clips, report.issues.to_dict("records")
        assert (report.added, report.labelled, report.replaced, report.kept) == (0, 0, 0, int(clips))


def moved_onto_another(before: cl.Dataset, edited: cl.Dataset) -> bool:
    """Check whether the moved box is now where another one is, which a format that rounds cannot tell apart."""
    moved, others, sides = edited.annotations.iloc[0], before.annotations.iloc[1:], [*t.BOX_COLUMNS]
    same = others[(others["image"] == moved["image"]) & (others["label"] == moved["label"])]
    return bool((same[sides] - moved[sides].astype(float)).abs().le(2).all(axis=1).any())


@given(cases())
@settings(max_examples=many(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_only_corrected_labels_change(bucket: Bucket, case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(case, folder, bucket)
        before, found = project.train_set, tables(project)
        edited = corrected(before)
        assume(not moved_onto_another(before, edited))
        if case.task == "single-label" or FORMATS[case.format].copies:
            first = edited.annotations.drop_duplicates("image")
            edited = cl.Dataset(edited.images, first, name="corrected", root=edited.root)
        gone = set(before.annotations["image"]) - set(edited.annotations["image"])  # not all formats can say this
        edited = edited.filter(~edited.images["image"].isin(gone))
        out = target(case.format, folder / "out")
        out.parent.mkdir()
        edited.to(case.format, out, **({} if FORMATS[case.format].copies else {"copy_images": case.copy_images}))
        written = cl.read_dataset(out, case.format)
        report = project.import_dataset(written, on_known="replace", progress=False)
        assert report.issues.empty, report.issues.to_dict("records")
        after, names = project.train_set, by_content(project)
        kept = before.annotations[before.annotations["image"].isin(gone)]
        expected = cl.Dataset(before.images, pd.concat([edited.annotations, kept]))
        assert answers(after, names)[0] == answers(expected, names)[0]
        keys = ["image", "label", *t.BOX_COLUMNS]
        same = after.annotations.merge(before.annotations[keys].drop_duplicates(), on=keys)
        assert same["annotator"].eq("Ann").all(), "annotations that did not change keep their author"
        if report.replaced:
            project.undo()
            assert tables(project)[1:] == found[1:], "one action, which undo takes back"
