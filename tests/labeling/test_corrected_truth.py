"""Tests of ground truth that is corrected beside the predictions of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core.tables import BOX_COLUMNS, normalise_annotations
from customlabels_nb.datasets.reviewed import SEEN
from customlabels_nb.labeling.crops import CropQuery, CropSession
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import Action
from tests.labeling.drawn import DRAWN, FAR, SECOND, crop, draw_photos, table
from tests.tiers import many

FOUND = {"0.png": [("dog", (6, 6, 20, 30), 0.9), ("cat", FAR, 0.8)], "2.png": [("dog", SECOND, 0.7)]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("photos"))


def truth_project(folder: Path, photos: Path) -> Project:
    """Return a project with the boxes of :data:`DRAWN` in the test set."""
    made = create_project("things", folder, task="boxes")
    made.add_images(table(DRAWN, photos), split="test", progress=False)
    return made


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    return truth_project(tmp_path, photos)


def place(project: Project, split: str = "test") -> tuple[Any, ...]:
    return open_project_store(project.root), project.root, split


def drawing(project: Project, photos: Path) -> DrawingSession:
    return DrawingSession(*place(project), seen=table(FOUND, photos))


def tags(project: Project) -> dict[str, list[str]]:
    images = project.test_set.images
    return dict(zip(images["image"].map(lambda name: Path(name).name), images["tags"], strict=True))


def test_predictions_of_a_report_are_shown_beside_the_truth_also_once_it_is_removed(
    project: Project, photos: Path
) -> None:
    project.add_predictions(table({"1.png": [("cat", FAR, 0.9)]}, photos), model="another")
    session, image = drawing(project, photos), str(photos / "0.png")

    def shown(image: str) -> list[tuple[Any, ...]]:
        rows = session.shapes(image)["predictions"]
        return [(row["label"], *(row[side] for side in BOX_COLUMNS), row["confidence"]) for row in rows]

    expected = [(label, *box, confidence) for label, box, confidence in FOUND["0.png"]]
    assert shown(image) == expected
    assert shown(str(photos / "1.png")) == []  # those of the project are not of this report
    session.set_shapes(image, [], status="unlabelled")
    assert shown(image) == expected
    session.set_shapes(image, [Shape("cat", *FAR)])
    assert tags(project)["0.png"] == [SEEN]


def test_only_changed_test_images_of_such_a_screen_are_tagged(project: Project, photos: Path) -> None:
    session = CropSession(*place(project), given=normalise_annotations(table(FOUND, photos)), seen=table(FOUND, photos))
    session.show(CropQuery(sort="added"))
    session.confirm_boxes([crop(photos, "2.png", SECOND)])  # the truth stays the same
    assert SEEN not in tags(project)["2.png"]
    session.confirm_boxes([crop(photos, "0.png", FAR)])
    assert SEEN in tags(project)["0.png"]
    DrawingSession(*place(project)).set_shapes(str(photos / "1.png"), [])
    assert tags(project)["1.png"] == []
    open_project_store(project.root).move_images([str(photos / "1.png")], "test", "train", Action("move", "anna"))
    session.open("train")
    session.assign([str(photos / "1.png")], "cat")
    assert project.train_set.images["tags"].tolist() == [[]]


def test_a_labelled_test_image_is_tagged_on_any_screen_that_shows_its_prediction(
    project: Project, photos: Path
) -> None:
    project.add_predictions(table({"1.png": [("cat", FAR, 0.9)]}, photos), model="m")
    image = str(photos / "1.png")
    session = DrawingSession(*place(project))
    session.set_shapes(image, [], status="unlabelled")
    assert tags(project)["1.png"] == [SEEN]
    session.undo()
    session.set_status([image], "unlabelled", remove_labels=True)
    session.undo()
    assert tags(project)["1.png"] == []


KINDS = ("draw", "same", "status", "first", "elsewhere", "undo")


@given(steps=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2)), max_size=8))
@settings(
    max_examples=many(15), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_images_are_tagged_while_their_truth_differs_from_the_one_before_these_edits(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, steps: list[tuple[str, int]]
) -> None:
    project = truth_project(tmp_path_factory.mktemp("history"), photos)
    session, other = drawing(project, photos), LabellingSession(*place(project))
    first = {number: [Shape(label, *box) for label, box in DRAWN[f"{number}.png"]] for number in range(3)}
    tagged: list[set[int]] = [set()]
    before: dict[int, Any] = {}
    for step, (kind, number) in enumerate(steps):
        image = str(photos / f"{number}.png")
        facts = session.shapes(image)
        shapes, labels, status = [Shape.read(shape) for shape in facts["shapes"]], facts["labels"], facts["status"]
        now = (status, labels, shapes)
        if kind == "undo" and len(tagged) > 1:
            tagged.pop()
            session.undo()
        elif kind == "elsewhere":
            other.follow()
            other.assign([image], f"label {step}")
            session.follow()
            tagged = [tagged[-1]]  # what others have built on is not undone
        elif kind in ("draw", "same", "status", "first"):
            shapes = first[number] if kind == "first" else shapes + [Shape("dog", step, 60, 15, 20)] * (kind == "draw")
            if kind == "status":
                status = "labelled" if status == "needs_review" else "needs_review"
            session.set_shapes(image, shapes, labels=labels, status=status)
            if number not in tagged[-1]:
                before[number] = now
            if now != (status, labels, shapes):
                is_corrected = before[number] != (status, labels, shapes)
                tagged.append(tagged[-1] - {number} | ({number} if is_corrected else set()))
        assert {int(name[0]) for name, of_image in tags(project).items() if SEEN in of_image} == tagged[-1]
