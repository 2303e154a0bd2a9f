"""Tests of the quick test without a screen: predict, save, count, add and undo."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import (
    CustomLabelsError,
    ImageNotFoundError,
    InputError,
    LabelError,
    ModelNotFoundError,
    NotAllowedError,
    NotAnImageError,
    StaleEditError,
)
from customlabels_nb.labeling.feedback import Feedback, image_name
from customlabels_nb.labeling.quick_test import MOST_TRIALS, QuickTestSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from tests.facts import facts, tells
from tests.labeling.fake_models import BOXES, FakeModel


def encoded(random_state: int = 0, kind: str = "PNG", size: tuple[int, int] = (48, 36)) -> bytes:
    """Return an encoded image of noise."""
    pixels = np.random.default_rng(1000 + random_state).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def session_on(project: Project | None, *models: FakeModel) -> QuickTestSession:
    feedback = None if project is None else Feedback(open_project_store(project.root), project.root)
    return QuickTestSession(lambda: [model.candidate() for model in models], feedback=feedback)


@pytest.fixture
def whole() -> FakeModel:
    return FakeModel()


@pytest.fixture
def boxes() -> FakeModel:
    return FakeModel("fruit.boxes", list(BOXES))


@pytest.fixture
def session(project: Project, whole: FakeModel, boxes: FakeModel) -> QuickTestSession:
    return session_on(project, whole, boxes)


def test_model_runs_once_for_all_thresholds(session: QuickTestSession, whole: FakeModel) -> None:
    trial = session.ask(encoded(), "holiday.png")
    assert (whole.device, whole.asked) == ("cpu", ["holiday.png"])
    assert (trial.number, trial.name, trial.width, trial.height) == (1, "holiday.png", 48, 36)
    assert session.table(None)["label"].tolist() == ["apple"]
    assert session.table(0.15)["label"].tolist() == ["apple", "pear", "plum"]  # at the threshold counts
    assert session.table(0.16)["label"].tolist() == ["apple", "pear"]
    assert session.table(0.9).empty
    assert len(whole.asked) == 1
    with Image.open(io.BytesIO(trial.view)) as view:
        assert view.size == (48, 36)


def test_detection_has_the_picture_and_nearest_labels(session: QuickTestSession) -> None:
    session.ask(encoded(3), "a.png")
    found = session.detection(0.9)
    assert found.image.size == (48, 36)
    assert found.nearest == ("apple", 0.55, 0.9)
    assert tells(repr(found), "apple", "0.550", "0.900")
    assert session.detection(None).response["CustomLabels"] == [{"Name": "apple", "Confidence": pytest.approx(55)}]
    other = session.ask(encoded(4), "b.png")
    session.again(1)
    pixels = np.asarray(session.detection(None).image)
    assert (pixels == np.asarray(Image.open(io.BytesIO(encoded(3))))).all()
    assert session.current is not other


def test_nothing_is_shown_before_the_first_picture(session: QuickTestSession) -> None:
    assert session.detection(None) is None
    assert list(session.table(None).columns) == ["label", "confidence", "left", "top", "width", "height"]
    assert session.table(0.3).empty
    assert session.current is None
    assert session.undo() is None


def test_pictures_of_any_type_are_accepted(session: QuickTestSession, whole: FakeModel, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(7))
    by_path = session.ask(path)
    assert (by_path.name, by_path.place) == (str(path), str(path))
    by_url = session.ask(path.as_uri())
    assert by_url.place == str(path)
    drawn = session.ask(Image.new("RGB", (30, 20), "red"))
    assert (drawn.width, drawn.height, drawn.place) == (30, 20, None)
    assert Image.open(io.BytesIO(drawn.data)).format == "PNG"
    session.ask(np.zeros((5, 4, 3), dtype=np.uint8))
    assert len(whole.asked) == 4


@pytest.mark.parametrize(
    ("given", "name", "error", "words"),
    [
        (b"no picture", "<b>notes</b>.jpg", NotAnImageError, "'<b>notes</b>.jpg'"),
        (b"", "empty.png", NotAnImageError, "'empty.png': the file is empty"),
        ("gone.jpg", None, ImageNotFoundError, "'gone.jpg'"),
        ({"no": "image"}, None, InputError, "dict"),
    ],
)
def test_invalid_image_is_reported_and_the_previous_one_stays(
    session: QuickTestSession, given: object, name: str | None, error: type[Exception], words: str
) -> None:
    session.ask(encoded(), "good.png")
    with pytest.raises(error, match=words):
        session.ask(given, name)
    assert session.current is not None
    assert session.current.name == "good.png"
    assert len(session.trials) == 1


def test_previewed_pictures_are_not_kept(session: QuickTestSession, boxes: FakeModel) -> None:
    session.choose("fruit.boxes")
    answer, size = session.glance(encoded(size=(64, 40)))
    assert (size, answer.counted(None).table["label"].tolist()) == ((64, 40), ["pear", "apple"])
    assert (session.trials, session.current, boxes.asked) == ([], None, ["camera"])
    with pytest.raises(NotAnImageError, match="'camera'"):
        session.glance(b"nothing")


def test_only_the_last_pictures_are_kept(session: QuickTestSession) -> None:
    for random_state in range(MOST_TRIALS + 3):
        session.ask(encoded(random_state), f"{random_state}.png")
    assert [trial.number for trial in session.trials] == list(range(4, MOST_TRIALS + 4))
    with pytest.raises(InputError, match=facts("Image 2", MOST_TRIALS)):
        session.again(2)


def test_each_model_is_run_once_per_picture(session: QuickTestSession, whole: FakeModel, boxes: FakeModel) -> None:
    trial = session.ask(encoded(), "a.png")
    session.choose("fruit.boxes")
    assert session.answer is None
    session.again(trial.number)
    assert boxes.asked == ["a.png"]
    assert session.table(None)["left"].tolist() == [10.0, 2.0]
    session.choose("fruit.1")
    session.again(trial.number)
    assert (len(whole.asked), len(boxes.asked)) == (1, 1)
    session.stop()
    assert (whole.device, boxes.device) == (None, "cpu")
    whole.thresholds = (0.1, 0.1, 0.1)
    session.start()
    session.again(trial.number)  # new thresholds are used without calling the model
    assert len(session.table(None)) == 3
    assert len(whole.asked) == 1
    with pytest.raises(ModelNotFoundError, match=r"'fruit\.9'"):
        session.choose("fruit.9")
    assert session.model == "fruit.1"


def test_confirmed_labels_are_added_to_the_dataset(
    session: QuickTestSession,
    project: Project,
) -> None:
    trial = session.ask(encoded(), "../../holiday photo.png")
    added = session.add(trial.number, "test", [1])
    assert (added.split, added.labels) == ("test", ("pear",))
    images, marks = project.test_set.images, project.test_set.annotations
    assert images["image"].tolist() == [str(project.root / "images" / "holiday photo.png")]
    assert images["status"].tolist() == ["labelled"]
    assert images["source"].tolist() == ["quick test of fruit.1"]
    assert marks[["label", "confidence"]].to_numpy().tolist() == [["pear", 1.0]]
    assert marks["left"].isna().all()
    assert Path(added.image).read_bytes() == trial.data
    with pytest.raises(NotAllowedError, match="in the test set"):
        session.add(trial.number, "train", [0])
    assert session.undo() is trial
    assert project.test_set.images.empty
    session.add(trial.number, "test", [0])  # added again: the existing file is used
    assert [path.name for path in (project.root / "images").iterdir()] == ["holiday photo.png"]


def test_boxes_are_kept_in_pixels_and_nothing_means_nothing_here(
    session: QuickTestSession,
    project: Project,
) -> None:
    session.choose("fruit.boxes")
    first, second = session.ask(encoded(1), "1.png"), session.ask(encoded(2), "2.png")
    session.add(first.number, "train", [0, 2, 0])
    session.add(second.number, "train", [])
    marks = project.train_set.annotations
    assert marks[["label", "left", "top", "width", "height"]].to_numpy().tolist() == [
        ["pear", 10, 8, 20, 12], ["pear", 1, 1, 4, 4],
    ]  # fmt: skip
    status = project.train_set.images.set_index("image")["status"]
    assert status[str(project.root / "images" / "2.png")] == "labelled"
    session.undo()
    session.undo()
    assert session.undo() is None
    assert project.train_set.annotations.empty


def test_local_file_is_referenced_in_place(
    session: QuickTestSession,
    project: Project,
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(encoded(5))
    trial = session.ask(str(path))
    with pytest.raises(NotAllowedError, match="single label"):
        session.add(trial.number, "train", [0], ["my own"])
    assert session.add(trial.number, "train", [], ["my own"]).image == str(path)
    assert project.train_set.annotations["label"].tolist() == ["my own"]
    assert not (project.root / "images").exists()
    session.undo()
    assert path.is_file()


def test_a_picture_that_the_project_has_is_refused_and_leaves_no_file(
    session: QuickTestSession,
    project: Project,
    photos: Path,
) -> None:
    by_path = session.ask(photos / "3.png")
    with pytest.raises(NotAllowedError, match=r"'3\.png' is already in the train set"):
        session.add(by_path.number, "train", [0])
    dropped = session.ask((photos / "3.png").read_bytes(), "copy.png")
    for split, words in (("train", "already has it"), ("test", "other split")):
        with pytest.raises(NotAllowedError, match=words):
            session.add(dropped.number, split, [0])
    assert list((project.root / "images").iterdir()) == []
    assert project.train_set.annotations.empty
    assert session.undo() is None


@pytest.mark.parametrize(
    ("number", "split", "rows", "labels", "error", "words"),
    [
        (1, "validation", [0], [], InputError, "split='validation'"),
        (1, "train", [3], [], InputError, r"rows=\[3\]"),
        (1, "train", [-1], [], InputError, r"rows=\[-1\]"),
        (1, "train", [], ["  "], LabelError, "label"),
        (9, "train", [0], [], InputError, facts("Image 9", MOST_TRIALS)),
    ],
)
def test_failed_addition_changes_nothing(
    session: QuickTestSession,
    project: Project,
    number: int,
    split: str,
    rows: list[int],
    labels: list[str],
    error: type[Exception],
    words: str,
) -> None:
    session.ask(encoded(), "a.png")
    before = len(project.history)
    with pytest.raises(error, match=words):
        session.add(number, split, rows, labels)
    assert len(project.history) == before
    assert not (project.root / "images").exists() or not list((project.root / "images").iterdir())


def test_equal_names_get_different_files(session: QuickTestSession, project: Project) -> None:
    for random_state in range(3):
        session.add(session.ask(encoded(random_state), "image.png").number, "train", [0])
    names = sorted(path.name for path in (project.root / "images").iterdir())
    assert names == ["image-2.png", "image-3.png", "image.png"]


def test_undo_skips_images_that_others_removed_or_corrected(
    session: QuickTestSession,
    project: Project,
) -> None:
    trial = session.ask(encoded(), "a.png")
    added = session.add(trial.number, "train", [0])
    other = load_project(project.root)
    other.undo(added.action)
    with pytest.raises(NotAllowedError):
        session.undo()
    assert trial.added is None
    second = session.ask(encoded(8), "b.png")
    added = session.add(second.number, "train", [0])
    other.update("train", pd.DataFrame({"image": [added.image], "label": ["pear"]}))
    with pytest.raises(StaleEditError):
        session.undo()
    assert second.added is not None
    assert project.train_set.annotations["label"].tolist() == ["pear"]


def test_a_model_without_a_project_adds_nothing(whole: FakeModel) -> None:
    session = session_on(None, whole)
    trial = session.ask(encoded(), "a.png")
    with pytest.raises(NotAllowedError, match="project"):
        session.add(trial.number, "train", [0])
    assert session.undo() is None


def test_model_that_cannot_start_has_a_message(project: Project) -> None:
    class Broken(FakeModel):
        def start(self) -> None:
            raise CustomLabelsError("The weights are gone.")

    session = session_on(project, Broken())
    with pytest.raises(CustomLabelsError, match="weights are gone"):
        session.ask(encoded(), "a.png")
    assert session.trials == []


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("photo.JPG", ".jpg", "photo.JPG"),
        ("https://example.org/a/photo.php?id=7#top", ".jpg", "photo.php.jpg"),
        ("https://example.org/", ".png", "example.org.png"),
        ("C:\\photos\\a.png", ".png", "a.png"),
        ("", ".webp", "picture.webp"),
        ("..", ".gif", "picture.gif"),
    ],
)
def test_files_have_an_ending_by_which_they_are_known(name: str, suffix: str, expected: str) -> None:
    assert image_name(name, suffix) == expected
