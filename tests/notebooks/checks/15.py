"""Checks of notebook 15: outlines are right, failures are listed, and approved labels of the model are a person's."""

import numpy as np

from customlabels_nb.core.geometry import iou_of_pairs, polygon_to_ltwh


def after_doctor(ns):
    assert ns["found"]["name"].tolist()[:4] == ["sam2", "siglip2", "owlv2", "mm-grounding-dino-tiny"]
    assert "customlabels-nb fetch sam2" in ns["found"]["advice"].iloc[0]


def after_click(ns):
    around = polygon_to_ltwh(ns["outline"])
    assert iou_of_pairs([around], [tuple(ns["part"][["left", "top", "width", "height"]])])[0] > 0.8


def after_polygons(ns):
    marks = ns["project"].train_set.annotations
    polygons = marks[marks["polygon"].notna()]
    assert len(polygons) == ns["result"].polygons >= 0.9 * len(ns["boxes"])
    assert set(polygons["annotator"]) == {"model:by-color"}, "'marked as the model's'"


def after_failed(ns):
    assert ns["empty"]["left"].item() in ns["result"].failed["left"].tolist(), "'there is nothing in it'"


def after_undone(ns):
    marks = ns["project"].train_set.annotations
    assert marks["polygon"].notna().sum() == ns["result"].polygons


def after_approved(ns):
    marks = ns["project"].train_set.annotations
    own = marks["image"] == ns["first"]
    assert not marks.loc[own, "annotator"].str.startswith("model:").any(), "'their labels are then yours'"
    assert np.all(marks.loc[own, "confidence"] == 1)
