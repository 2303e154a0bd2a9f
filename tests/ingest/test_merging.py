"""Tests of `on_known`: what happens to the annotations of images that the project already has."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core import masks
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.ingest.importer import ImportReport
from tests.images.pictures import write_folder
from tests.ingest.reading import codes, labels
from tests.tiers import many

Add = Callable[..., ImportReport]
BOX = {"left": 10.0, "top": 8.0, "width": 12.0, "height": 14.0}
OUTLINE = [[10.0, 8.0], [22.0, 8.0], [22.0, 22.0]]


def boxed(image: str, *lefts: float, label: str = "apple", **more: Any) -> pd.DataFrame:
    """Return a box of the image for each left edge."""
    rows = [{"image": image, "label": label, **BOX, "left": left, **more} for left in lefts]
    return pd.DataFrame(rows, columns=["image", "label", *BOX, *more])


def given(images: list[str], marks: pd.DataFrame, status: str = "labelled") -> cl.Dataset:
    return cl.Dataset(pd.DataFrame({"image": images, "status": status}), marks)


@pytest.fixture
def image(project: cl.Project, add: Add, tmp_path: Path) -> str:
    """Return an image with a box, outlined by Ann."""
    path = str(write_folder(tmp_path / "photos", {"": 1})[0])
    add(path)
    marks = boxed(path, 10, annotator="Ann", confidence=0.5, crowd=True).assign(polygon=[OUTLINE])
    project.update("train", marks)
    return path


def edges(project: cl.Project) -> list[tuple[str, float, str | None]]:
    rows = project.train_set.annotations.itertuples()
    return [(row.label, row.left, row.annotator if isinstance(row.annotator, str) else None) for row in rows]


def test_replace_keeps_equal_annotations(project: cl.Project, image: str) -> None:
    before = project.train_set
    marks = pd.concat([boxed(image, 30, annotator="Bo"), boxed(image, 10.009)])
    report = project.import_dataset(given([image], marks), on_known="replace", progress=False)
    assert (report.replaced, codes(report)) == (1, [])
    assert edges(project) == [("apple", 10, "Ann"), ("apple", 30, "Bo")]
    pd.testing.assert_frame_equal(project.train_set.annotations[:1], before.annotations)
    project.undo()
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)
    report = project.import_dataset(given([image], boxed(image, 10)), on_known="replace", progress=False)
    assert (report.replaced, len(project.history)) == (0, 4), "nothing differs"


def test_a_source_without_notes_keeps_them_and_one_with_notes_replaces_them(project: cl.Project, image: str) -> None:
    marks = pd.concat([boxed(image, 10, note="loose"), boxed(image, 30, note="cut")])
    project.update("train", marks)

    def notes(lefts: list[float], on_known: str = "replace", **more: Any) -> list[str]:
        project.import_dataset(given([image], boxed(image, *lefts, **more)), on_known=on_known, progress=False)
        return project.train_set.annotations["note"].fillna("").tolist()

    assert notes([10, 30]) == ["loose", "cut"]
    assert notes([10, 25]) == ["loose", ""]
    assert notes([10, 25], "fill", note="other") == ["loose", ""]
    report = project.import_dataset(given([image], boxed(image, 10, 25, note="other")), progress=False)
    assert "2 boxes with another note." in report.issues["message"].iloc[0]
    assert notes([10, 25], note="other") == ["other", "other"]
    entry = {
        "source-ref": image, "box": {"image_size": [{"width": 48, "height": 36, "depth": 3}], "annotations": [
            {"class_id": 0, "left": left, "top": 8, "width": 12, "height": 14} for left in (10, 20)
        ]}, "box-metadata": {"objects": [{"confidence": 1}] * 2, "class-map": {"0": "apple"}, "type":
            "groundtruth/object-detection", "human-annotated": "yes", "creation-date": "2026-01-01T00:00:00"},
    }  # fmt: skip
    project.update_entries("train", [entry], on_known="replace", progress=False)
    assert project.train_set.annotations["note"].fillna("").tolist() == ["other", ""]


@pytest.mark.parametrize(
    ("marks", "what"),
    [
        ([(15, "apple")], "1 box moved"),
        ([(10, "pear")], "1 box relabelled"),
        ([(10, "apple"), (30, "apple"), (10, "apple")], "2 boxes more"),
        ([(30, "pear")], "1 box more, 1 fewer"),
        ([], "1 box fewer"),
    ],
)
def test_fill_reports_differences(project: cl.Project, image: str, marks: list[tuple[float, str]], what: str) -> None:
    before = edges(project)
    rows = [boxed(image, left, label=label) for left, label in marks]
    report = project.import_dataset(given([image], pd.concat([boxed(image), *rows])), progress=False)
    assert (report.kept, codes(report)) == (1, [("LABEL_KEPT", "000.jpg")])
    message = report.issues["message"][0]
    assert f"{what}." in message
    assert "on_known='replace'" in message
    assert edges(project) == before


def test_silence_changes_nothing_and_an_empty_answer_removes(project: cl.Project, image: str) -> None:
    for on_known in ("fill", "replace", "skip"):
        silent = given([image], boxed(image), "unlabelled")
        assert codes(project.import_dataset(silent, on_known=on_known, progress=False)) == []
        project.add_images(str(Path(image).parent), on_known=on_known, progress=False)
    assert len(edges(project)) == 1
    report = project.import_dataset(given([image], boxed(image)), on_known="replace", progress=False)
    assert (report.replaced, edges(project)) == (1, [])
    assert project.train_set.images["status"].tolist() == ["labelled"]
    skipped = project.import_dataset(given([image], boxed(image, 10)), on_known="skip", progress=False)
    assert (skipped.known, codes(skipped), edges(project)) == (1, [], [])


def test_fill_reports_a_labelled_image_that_was_skipped_elsewhere(project: cl.Project, image: str) -> None:
    skipped = given([image], boxed(image), "skipped")
    report = project.import_dataset(skipped, progress=False)
    assert (report.kept, codes(report)) == (1, [("LABEL_KEPT", "000.jpg")])
    assert report.issues["message"].iloc[0].startswith("The image is labelled, but skipped in the source.")
    project.import_dataset(skipped, on_known="replace", progress=False)
    assert (edges(project), project.train_set.images["status"].tolist()) == ([], ["skipped"])


def test_labels_without_an_answer_in_the_source_are_counted(project: cl.Project, add: Add, tmp_path: Path) -> None:
    images = [str(path) for path in write_folder(tmp_path / "photos", {"": 3})]
    add(images)
    project.update("train", pd.concat([boxed(image, 10) for image in images[:2]]))
    status = ["labelled", "unlabelled", "unlabelled"]  # as in CVAT, where somebody deleted the box of the second image
    corrected = cl.Dataset(pd.DataFrame({"image": images, "status": status}), boxed(images[0], 30))
    report = project.import_dataset(corrected, on_known="replace", progress=False)
    assert (report.replaced, codes(report)) == (1, [("NO_ANSWER", "001.jpg")])
    assert report.issues["message"].iloc[0].startswith("1 image has labels in the project")
    assert [left for _, left, _ in edges(project)] == [30, 10]


def test_labels_of_a_model_give_way_to_those_of_a_person(project: cl.Project, image: str) -> None:
    project.update("train", boxed(image, 10, annotator="model:v1"))
    by_model = project.import_dataset(given([image], boxed(image, 20, annotator="model:v2")), progress=False)
    assert (by_model.labelled, by_model.kept) == (0, 1)
    by_person = project.import_dataset(given([image], boxed(image, 20, annotator="Bo")), progress=False)
    assert (by_person.labelled, by_person.kept) == (1, 0)
    assert edges(project) == [("apple", 20, "Bo")]


def test_images_to_review_stay_so_unless_their_annotations_change(project: cl.Project, image: str) -> None:
    project.update("train", project.train_set.with_status("needs_review"))
    for left, status in ((10, "needs_review"), (12, "labelled")):
        project.import_dataset(given([image], boxed(image, left)), on_known="replace", progress=False)
        assert project.train_set.images["status"].tolist() == [status]


@pytest.mark.parametrize(("on_known", "status"), [("fill", "labelled"), ("replace", "needs_review")])
def test_status_alone_does_not_replace_labels(project: cl.Project, image: str, on_known: str, status: str) -> None:
    before = project.train_set.annotations
    given_again = given([image], boxed(image, 10), "needs_review")
    report = project.import_dataset(given_again, on_known=on_known, progress=False)
    assert codes(report) == []
    assert project.train_set.images["status"].tolist() == [status]
    pd.testing.assert_frame_equal(project.train_set.annotations, before)


def test_voc_is_equal_within_a_pixel(project: cl.Project, image: str, tmp_path: Path) -> None:
    before = project.train_set.annotations
    for shift, replaced in ((1, 0), (3, 1)):
        moved = cl.Dataset(project.train_set.images.assign(width=48, height=32), boxed(image, 10 + shift))
        moved.to("voc", tmp_path / f"voc {shift}")
        read = cl.read_dataset(tmp_path / f"voc {shift}")
        assert project.import_dataset(read, on_known="replace", progress=False).replaced == replaced
        assert project.train_set.annotations.equals(before) == (replaced == 0)


def test_images_that_somebody_is_labelling_are_not_replaced(project: cl.Project, image: str) -> None:
    job = project.jobs.create("boxes-1", images=project.train_set)
    worker = job.worker("ann")
    assert worker.lease(1)
    report = project.import_dataset(given([image], boxed(image, 20)), on_known="replace", progress=False)
    assert (report.replaced, codes(report)) == (0, [("LABEL_KEPT", "000.jpg")])
    assert "ann (job 'boxes-1') is labelling the image now" in report.issues["message"][0]
    assert [left for _, left, _ in edges(project)] == [10]


def test_one_action_adds_images_and_labels_known_ones(
    project: cl.Project, add: Add, image: str, tmp_path: Path
) -> None:
    paths = [image, *map(str, write_folder(tmp_path / "more", {"": 2}, start=5))]
    add(paths[1])
    before, history = project.train_set, len(project.history)
    marks = pd.concat([boxed(path, 20, 25, label=f"new {at}") for at, path in enumerate(paths)])
    report = project.import_dataset(given(paths, marks), on_known="replace", progress=False)
    assert (report.added, report.known, report.labelled, report.replaced) == (1, 2, 1, 1)
    assert project.history[["what", "count"]].iloc[0].tolist() == ["import", 3]
    assert list(project.labels) == ["apple", "new 0", "new 1", "new 2"]
    assert len(project.history) == history + 1
    project.undo()
    now, then = (dataset.images.drop(columns="revision") for dataset in (project.train_set, before))
    pd.testing.assert_frame_equal(now, then)
    pd.testing.assert_frame_equal(project.train_set.annotations, before.annotations)
    assert list(project.labels) == ["apple"]


def test_a_source_with_one_kind_of_annotations_keeps_the_other(project: cl.Project, add: Add, tmp_path: Path) -> None:
    images = [str(path) for path in write_folder(tmp_path / "photos", {"": 2})]
    add(images)
    night = pd.DataFrame({"image": images, "label": "night"})
    project.update("train", pd.concat([boxed(images[0], 10), night]))

    def marks() -> list[tuple[str, float | None]]:
        rows = project.train_set.annotations.sort_values(["image", "left"], ignore_index=True)
        return [(row.label, None if pd.isna(row.left) else row.left) for row in rows.itertuples()]

    same = given(images, boxed(images[0], 10))  # as COCO and YOLO: an image with a label and no box is empty there
    report = project.import_dataset(same, on_known="replace", progress=False)
    assert (report.replaced, codes(report), len(marks())) == (0, [], 3)

    report = project.import_dataset(given(images, boxed(images[0], 30)), on_known="replace", progress=False)
    assert (report.replaced, codes(report)) == (1, [("KIND_KEPT", "000.jpg")])
    assert marks() == [("apple", 30), ("night", None), ("night", None)]
    assert "1 image with other boxes in the source kept its image-level labels" in report.issues["message"].iloc[0]

    day = given(images, pd.DataFrame({"image": images, "label": "day"}))
    report = project.import_dataset(day, on_known="replace", progress=False)
    assert (report.replaced, codes(report)) == (2, [("KIND_KEPT", "000.jpg")])
    assert marks() == [("apple", 30), ("day", None), ("day", None)]

    project.import_dataset(given(images, boxed(images[0]).assign(label=[])), on_known="replace", progress=False)
    assert marks() == []  # a source that says only that there is nothing to label


def test_a_mask_of_the_stored_polygon_is_equal(project: cl.Project, image: str) -> None:
    ring = [[10.25, 8.5], [22.0, 8.0], [20.0, 22.0]]
    hole = [[15.0, 11.0], [18.0, 11.0], [18.0, 13.0]]
    project.update("train", boxed(image, 10, label="pear").assign(polygon=[[ring, hole]]))
    traced = masks.mask_to_polygon(masks.polygon_to_mask([ring, hole], (40, 30)))
    assert traced is not None
    outlines = [traced, [*traced[:-1], [[a + 1, b] for a, b in traced[-1]]]]  # the second one has its hole elsewhere
    for outline, replaced in zip(outlines, [0, 1], strict=True):
        back = cl.Dataset(
            pd.DataFrame({"image": [image], "status": "labelled"}),
            pd.DataFrame({"image": [image], "label": "pear", "polygon": [outline]}),
        )
        report = project.import_dataset(back, on_known="replace", progress=False)
        assert report.replaced == replaced
        stored = project.train_set.annotations["polygon"].iloc[0]
        assert stored == (outline if replaced else [ring, hole])


@pytest.mark.parametrize(("side", "replaced"), [(30, 0), (20_000, 1)])
def test_outlines_with_more_pixels_than_a_mask_may_have_are_compared_by_points(
    project: cl.Project, image: str, side: int, replaced: int
) -> None:
    square = [[0, 0], [side, 0], [side, side], [0, side]]
    created = pd.Timestamp("2020-01-01", tz="UTC")  # tables of this package may have it outside
    label = {"image": [image], "label": "pear", "created": created}
    project.update("train", pd.DataFrame(label | {"polygon": [square]}))
    more_points = pd.DataFrame(label | {"polygon": [[square[0], [side // 2, 0], *square[1:]]]})
    report = project.import_dataset(given([image], more_points), on_known="replace", progress=False)
    assert report.replaced == replaced


@pytest.mark.parametrize("named", [True, False], ids=["splits named", "splits unknown to the file"])
def test_one_undo_takes_back_both_datasets(project: cl.Project, tmp_path: Path, named: bool) -> None:
    images = [str(path) for path in write_folder(tmp_path / "photos", {"": 2})]
    stated = pd.DataFrame({"image": images, "status": "labelled", "split": ["train", "test"]})
    project.import_dataset(cl.Dataset(stated, pd.concat([boxed(image, 10) for image in images])), progress=False)
    before = [edges(project), project.test_set.annotations["left"].tolist()]

    source = stated if named else stated.assign(split="train")
    corrected = cl.Dataset(source, pd.concat([boxed(image, 30) for image in images]))
    report = project.import_dataset(corrected, on_known="replace", progress=False)
    assert report.replaced == 2
    after = [edges(project), project.test_set.annotations["left"].tolist()]
    assert project.undo() == 2
    assert [edges(project), project.test_set.annotations["left"].tolist()] == before
    assert project.undo(int(project.history["id"].iloc[0])) == 2  # redo
    assert [edges(project), project.test_set.annotations["left"].tolist()] == after


def test_entries_may_be_filled_or_skipped(project: cl.Project, image: str) -> None:
    line = {
        "source-ref": image,
        "room": 0,
        "room-metadata": {
            "class-name": "garden", "confidence": 1, "human-annotated": "yes",
            "creation-date": "2026-01-01T00:00:00", "type": "groundtruth/image-classification",
        },
    }  # fmt: skip
    for on_known, found in (("skip", ["apple"]), ("fill", ["apple"]), ("replace", ["garden"])):
        report = project.update_entries("train", [line], on_known=on_known, progress=False)
        assert labels(project.train_set) == {"000.jpg": found}
        assert report.updated == int(on_known == "replace")


def test_unknown_value_is_refused(project: cl.Project, image: str) -> None:
    with pytest.raises(InputError, match=r"on_known='merge'.*'fill', 'replace', 'skip'"):
        project.add_images(image, on_known="merge", progress=False)


# the status of an image, and the label, left edge and annotator of its boxes
_boxes = st.tuples(st.sampled_from(["apple", "pear"]), st.sampled_from([10, 40]), st.sampled_from(["Bo", "model:v1"]))
_statuses = st.sampled_from(["labelled", "skipped", "needs_review"])
_answers = st.tuples(_statuses, st.lists(_boxes, max_size=2)) | st.just(("unlabelled", []))


def answered(answers: list[tuple[str, list[tuple[str, int, str]]]]) -> cl.Dataset:
    """Return a dataset of remote images with these answers."""
    marks = [
        boxed(f"s3://bucket/{number}.jpg", left, label=label, annotator=by)
        for number, (_, boxes) in enumerate(answers)
        for label, left, by in boxes
    ]
    images = [f"s3://bucket/{number}.jpg" for number in range(len(answers))]
    statuses = [status for status, _ in answers]
    return cl.Dataset(pd.DataFrame({"image": images, "status": statuses}), pd.concat(marks) if marks else None)


def answers_of(dataset: cl.Dataset) -> dict[str, tuple[str, list[tuple[str, float]]]]:
    """Return the status, and the sorted labels and left edges of each image."""
    rows = dataset.annotations
    return {
        image: (status, sorted(rows.loc[rows["image"] == image, ["label", "left"]].itertuples(index=False, name=None)))
        for image, status in zip(dataset.images["image"], dataset.images["status"], strict=True)
    }


@generated(
    st.lists(st.tuples(_answers, _answers), min_size=1, max_size=5), st.sampled_from(["fill", "replace", "skip"])
)
@settings(max_examples=many(50), deadline=None)
def test_every_image_has_the_stored_answer_or_that_of_the_source(pairs: list[Any], on_known: str) -> None:
    stored, source = (answered([pair[side] for pair in pairs]) for side in (0, 1))
    with tempfile.TemporaryDirectory() as folder, closing(cl.create_project("merged", folder)) as project:
        project.import_dataset(stored, progress=False)
        before, offered = answers_of(project.train_set), answers_of(source)
        by_people = set(project.train_set.annotations.loc[lambda rows: ~t.by_machine(rows), "image"])
        report = project.import_dataset(source, on_known=on_known, progress=False)
        after, steps = answers_of(project.train_set), len(project.history)
        kept = {row.where for row in report.issues.itertuples() if row.code == "LABEL_KEPT"}
        assert (report.added, report.kept) == (0, len(kept))
        for image, (status, boxes) in after.items():
            was, offer = before[image], offered[image]
            filled = not was[1] or (image not in by_people and offer[1])
            taken = {"skip": False, "fill": filled, "replace": offer != ("unlabelled", [])}[on_known]
            assert boxes == (offer if taken and image not in kept else was)[1]
            assert status in (was[0], offer[0])
            is_answer = bool(offer[1]) or offer[0] in ("labelled", "skipped")
            assert (image in kept) == (on_known == "fill" and is_answer and boxes != offer[1])
        again = project.import_dataset(source, on_known=on_known, progress=False)
        assert (again.labelled, again.replaced, again.kept, len(project.history)) == (0, 0, len(kept), steps)
        if steps > 1:
            project.undo()
        assert answers_of(project.train_set) == before
