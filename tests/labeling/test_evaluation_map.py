"""Tests of the map of an evaluation: its images, their colors, and thresholds that change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.exploring import Exploration
from customlabels_nb.labeling.evaluation_map import EvaluationMap, EvaluationSession
from customlabels_nb.labeling.similarity import SimilarityOrder
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.map_layout import MapLayouts
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from tests.labeling.test_image_map import add_features, lay_out_here


def exploration_of(project: Project) -> Exploration:
    """Evaluate predictions for the images: two of three are right, with confidences from 0.2 to 0.9."""
    images = project.train_set.images
    truth = pd.DataFrame({"image": images["image"], "label": ["apple", "pear", "pear"] * 10})
    found = truth.assign(label=["apple", "pear", "apple"] * 10, confidence=np.linspace(0.2, 0.9, 30))
    return Exploration(cl.evaluate(truth, found, images.assign(camera=[1, 2] * 15), thresholds=0.1))


def map_of(project: Project, exploration: Exploration) -> EvaluationMap:
    images = exploration.evaluation.images
    return EvaluationMap(
        EvaluationSession(open_project_store(project.root), project.root, exploration),
        model=lambda: PACKAGED,
        images=lambda split: images,
        columns=lambda: ["camera"],
        similar=SimilarityOrder(project.root),
    )


def test_colors_by_right_and_wrong_follow_the_thresholds(project: Project) -> None:
    exploration = exploration_of(project)
    image_map = map_of(project, exploration)
    assert image_map.colorings() == ["result", "prediction", "label", "width", "height", "camera"]
    legend, values = image_map.values("result")
    assert [(name, count) for name, count, _ in legend["groups"]] == [("right", 20), ("wrong", 10)]
    assert values.tolist() == [0, 0, 1] * 10
    before = image_map.state()
    assert before["wrong"] == 10
    exploration.set_thresholds(0.6)
    after = image_map.state()
    assert after["stamp"] != before["stamp"]
    assert after["wrong"] == 22  # the first 17 have no prediction any more
    legend, values = image_map.values("result")
    assert values[:17].tolist() == [1] * 17
    assert values[18:21].tolist() == [0, 0, 1]
    assert image_map.values("prediction")[0]["groups"] == [["apple", 9], ["pear", 4]]
    assert list(image_map.still_colors()).count(legend["groups"][1][2]) == 22
    assert image_map.label_codes()[:3].tolist() == [0, 1, 1]
    exploration.set_thresholds("most confident")
    assert image_map.values("result")[1].tolist() == [0, 0, 1] * 10
    assert image_map.values("prediction")[0]["groups"] == [["apple", 20], ["pear", 10]]


def test_rows_have_the_ground_truth_and_the_predictions_of_the_evaluation(project: Project) -> None:
    exploration = exploration_of(project)
    session = EvaluationSession(open_project_store(project.root), project.root, exploration)
    names = session.table.names
    project.update("train", pd.DataFrame({"image": names[:3], "label": "pear"}))
    assert session.follow() == set()
    right, _, wrong = session.rows(names[:3])
    assert (right["labels"], right["predicted"][0], right["right"]) == (["apple"], "apple", True)
    assert (wrong["labels"], wrong["predicted"][0], wrong["right"]) == (["pear"], "apple", False)
    exploration.set_thresholds(0.6)
    assert session.row(names[0])["predicted"] is None
    assert session.selected(names[2:3])[["true", "predicted"]].to_numpy().tolist() == [["pear", ""]]
    assert session.read_only
    with pytest.raises(InputError, match="split='train' is not shown"):
        session.open("train")


def test_boxes_are_shown_with_the_predicted_ones_that_count(project: Project) -> None:
    images = project.train_set.images.head(3)
    box = {"left": 1.0, "top": 2.0, "width": 20.0, "height": 10.0}
    truth = pd.DataFrame([{"image": images["image"][0], "label": "apple", **box}])
    found = pd.DataFrame([{"image": name, "label": "apple", "confidence": 0.7, **box} for name in images["image"][:2]])
    exploration = Exploration(cl.evaluate(truth, found, images, thresholds=0.5))
    session = EvaluationSession(open_project_store(project.root), project.root, exploration)
    rows = session.rows(images["image"])
    session.add_shapes(rows)
    assert [row["right"] for row in rows] == [True, False, True]
    assert [row["outlines"] for row in rows] == [[[1.0, 2.0, 20.0, 10.0]], [], []]
    assert rows[1]["guesses"] == [["apple", 0.7, [1.0, 2.0, 20.0, 10.0]]]
    exploration.set_thresholds(0.9)
    assert [row["right"] for row in session.rows(images["image"])] == [False, True, True]


def test_places_are_those_of_the_test_set(project: Project) -> None:
    add_features(project)
    exploration = exploration_of(project)
    image_map = map_of(project, exploration)
    lay_out_here(project, "test")
    stored = MapLayouts(project.root, PACKAGED, "test").read(project.train_set.images["sha256"].tolist())
    assert stored is not None
    assert np.array_equal(image_map.layout().xy, stored.xy)
