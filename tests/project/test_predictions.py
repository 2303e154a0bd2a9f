"""Tests that added predictions are stored next to the annotations, never among them."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import InputError, TableError
from customlabels_nb.inference.detection import Detection
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from tests.other_kernels import before_next_write


def test_predictions_are_stored_beside_labels_and_replaced(project: Project) -> None:
    project.distribute(0.25)
    store = open_project_store(project.root)
    train, test = project.train_set.images["image"], project.test_set.images["image"]
    before = project.train_set.annotations
    frame = pd.DataFrame({"image": [train[0], train[1], test[0]], "label": ["disc", "blob", "disc"], "confidence": 0.9})
    assert project.add_predictions(frame, model="rules") == 3
    assert store.predictions("test")["image"].tolist() == [test[0]]
    assert project.add_predictions(frame.head(1), model="rules") == 1
    assert store.predictions()[["image", "label", "model"]].values.tolist() == [[train[0], "disc", "rules"]]
    pd.testing.assert_frame_equal(project.train_set.annotations, before)
    gallery = project.label("train")
    assert gallery.session.row(train[0])["predicted"] == ["disc", 0.9]
    assert project.history["what"].iloc[0] == "add predictions"


def test_detections_that_two_kernels_add_are_all_stored(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    store, (first, second) = open_project_store(project.root), project.train_set.images["image"].head(2)
    other, table = load_project(project.root), pd.DataFrame({"label": ["disc"], "confidence": [0.9]})
    before_next_write(
        monkeypatch,
        store,
        lambda: other.add_predictions(Detection(Image.new("RGB", (4, 4)), second, table, {}), model="m"),
    )
    found = Detection(Image.new("RGB", (4, 4)), first, table, {})
    assert project.add_predictions(found, model="m") == 2
    assert project.add_predictions(found, model="m") == 2
    assert sorted(store.predictions(model="m")["image"]) == sorted([first, second])


def test_box_predictions_are_stored(project: Project) -> None:
    image = project.train_set.images["image"][0]
    box = pd.DataFrame(
        {"image": [image], "label": "disc", "confidence": 0.5, "xmin": 1, "ymin": 2, "xmax": 11, "ymax": 9}
    )
    project.add_predictions(box, model="m")
    drawn = project.annotate("train").session.shapes(image)
    assert [(s["left"], s["width"], s["confidence"]) for s in drawn["predictions"]] == [(1.0, 10.0, 0.5)]


def test_boxes_in_ratios_become_pixels(project: Project) -> None:
    image, width, height = project.train_set.images.loc[0, ["image", "width", "height"]]
    box = {"image": [image], "label": "disc", "left": 0.25, "top": 0.5, "width": 0.5, "height": 0.25}
    expected = [width / 4, height / 2, width / 2, height / 4]
    with pytest.warns(UserWarning, match="ratios .* converted to pixels"):
        project.add_predictions(pd.DataFrame(box), model="m")
    with pytest.warns(UserWarning, match="ratios .* converted to pixels"):
        project.update("train", pd.DataFrame(box))
    for table in (open_project_store(project.root).predictions(model="m"), project.train_set.annotations):
        drawn = table[(table["image"] == image) & table["left"].notna()]
        assert drawn[["left", "top", "width", "height"]].to_numpy().tolist() == [expected]


def test_invalid_predictions_are_refused(project: Project) -> None:
    image = project.train_set.images["image"][0]
    frame = pd.DataFrame({"image": [image], "label": ["disc"], "confidence": [0.5]})
    with pytest.raises(TableError, match=r"elsewhere\.png"):
        project.add_predictions(frame.assign(image="elsewhere.png"), model="m")
    with pytest.raises(TableError, match="Confidences"):
        project.add_predictions(frame.assign(confidence=50.0), model="m")
    with pytest.raises(InputError, match="model=None"):
        project.add_predictions(frame, model=None)
    with pytest.raises(InputError, match="dict"):
        project.add_predictions({}, model="m")  # type: ignore[arg-type]


BOXES = {
    "far beyond its image": [1000, 1000, 50, 50],
    "read as two corners": [80, 60, 120, 90],
    "without area": [10, 10, 0, 0],
}


@pytest.mark.parametrize("words", BOXES)
def test_boxes_are_judged_with_a_warning(project: Project, words: str) -> None:
    image = project.train_set.images["image"][0]
    before = project.train_set.annotations
    sides = dict(zip(("left", "top", "width", "height"), BOXES[words], strict=True))
    box = pd.DataFrame({"image": [image], "label": ["disc"], **sides})
    is_far = words.startswith("far")
    for store in (lambda: project.add_predictions(box, model="m"), lambda: project.update("train", box)):
        with pytest.warns(UserWarning, match=words):
            assert store() == (not is_far)
    after = project.train_set.annotations
    assert after.equals(before) if is_far else after["left"].notna().sum() == 1


def test_names_without_an_ending_are_those_of_images_of_the_project(project: Project) -> None:
    image = project.train_set.images["image"][0]
    table = pd.DataFrame({"image": [image.removesuffix(".png")], "label": ["blob"]})
    for store in (lambda: project.add_predictions(table, model="m"), lambda: project.update("train", table)):
        with pytest.warns(UserWarning, match="1 image name was matched although the ending differs"):
            assert store() == 1
    assert project.train_set.labels_of_images()[0] == ["blob"]
    with pytest.raises(InputError, match="not in the train set"):
        project.update("train", table.assign(image="elsewhere"))


def test_joined_labels_are_split_where_the_project_has_them(project: Project) -> None:
    image = project.train_set.images["image"][0]
    assert project.add_predictions(pd.DataFrame({"image": [image], "label": ["disc|triangle"]}), model="m") == 2
    with pytest.warns(UserWarning, match="1 × label with ',', such as 'disc,blob'"):
        project.update("train", pd.DataFrame({"image": [image], "label": ["disc,blob"]}))
