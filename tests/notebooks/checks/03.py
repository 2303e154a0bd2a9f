"""Checks of notebook 03: boxes are rows, a widget can be read and controlled, predictions wait for acceptance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.colors
import pandas as pd

from tests.notebooks.running import html_of, pictures_of, tagged, text_of

BOX = ["left", "top", "width", "height"]


def after_project(ns: dict[str, Any]) -> None:
    project, drawn = ns["project"], ns["drawn"]
    assert (len(project.train_set), len(project.test_set), project.task) == (12, 6, "boxes")
    assert set(project.train_set.images["status"]) == {"labelled"}
    assert set(project.test_set.images["status"]) == {"unlabelled"}
    assert set(project.labels) == set(drawn.labels)
    for split, written in ((project.train_set, drawn.train), (project.test_set, drawn.test)):
        names = [one["file_name"] for one in json.loads(written.read_text())["images"]]
        assert [Path(image).name for image in split.images["image"]] == sorted(Path(name).name for name in names), (
            "each board"
        )


def after_turn(ns: dict[str, Any]) -> None:
    boxes = ns["project"].train_set.annotations
    assert ns["second"] == ns["project"].train_set.images["image"][1]
    own = boxes[boxes["image"] == ns["second"]]
    corners = zip(own["left"], own["top"], own["left"] + own["width"], own["top"] + own["height"], strict=True)
    assert [shape["xyxy"] for shape in ns["annotator"].data] == list(corners)


def after_rows(ns: dict[str, Any]) -> None:
    assert len(ns["boxes"]) == len(json.loads(ns["drawn"].train.read_text())["annotations"]) > 40, (
        "every box of the file"
    )
    assert (ns["boxes"]["left"] + ns["boxes"]["width"] <= 480).all()


def after_plot(ns: dict[str, Any]) -> None:
    colours = ns["project"].labels.colours
    assert list(colours) == list(ns["project"].labels), "a colour for each label"
    drawn = [matplotlib.colors.to_hex(colour) for colour in ns["ax"].collections[0].get_facecolors()]
    assert drawn == ns["boxes"]["label"].map(colours).tolist(), "the points have the labels' colours"


def after_polygon(ns: dict[str, Any]) -> None:
    stored = ns["project"].train_set.annotations
    (drawn,) = stored[stored["polygon"].notna()].to_dict("records")
    assert len(drawn["polygon"]) == 8
    assert [drawn[side] for side in BOX] == [ns[side] for side in BOX], "the box around it"
    assert len(stored) == len(ns["boxes"])


def after_outline(ns: dict[str, Any]) -> None:
    assert [shape["label"] for shape in ns["annotator"].data if shape["type"] == "polygon"] == ["pot_resistor"]


def after_dashed(ns: dict[str, Any]) -> None:
    from IPython import get_ipython

    annotator = get_ipython().user_ns["_"]
    assert type(annotator).__name__ == "Annotator"
    names = ns["project"].test_set.images["image"]
    dashed = [shape for name in names for shape in annotator.session.shapes(name)["predictions"]]
    assert len(dashed) == len(ns["offered"])
    assert len(dashed) == len(json.loads(ns["drawn"].test.read_text())["annotations"]), "everything in the file"
    assert ns["project"].test_set.annotations.empty, "suggested, not accepted"


def after_accepted(ns: dict[str, Any]) -> None:
    stored, sure = ns["project"].test_set.annotations, ns["sure"]
    assert 0 < len(sure) < len(ns["offered"])
    columns = ["label", *BOX]
    pd.testing.assert_frame_equal(
        stored[columns].sort_values(columns, ignore_index=True),
        sure[columns].sort_values(columns, ignore_index=True),
        check_dtype=False,
    )


def after_spoil(ns: dict[str, Any]) -> None:
    assert {"BOX_OFF_FRAME", "BOX_REPEATED"} <= set(ns["found"].issues["code"])
    assert ns["found"].images_with("BOX_OFF_FRAME") == [ns["second"]]


def after_mended(ns: dict[str, Any]) -> None:
    stored = ns["project"].train_set.annotations
    assert len(stored) == len(ns["boxes"])
    assert (stored["left"] < 470).all()


def after_outlined(ns: dict[str, Any]) -> None:
    parts = ns["parts"]
    assert parts.task == "polygons"
    for stored, boxes in ((parts.train_set, ns["boxes"]), (parts.test_set, ns["offered"])):
        assert len(stored.annotations) == boxes["label"].isin(ns["KINDS"]).sum()
        assert stored.annotations["polygon"].notna().mean() > 0.9, "nearly all parts have an outline"


def after_masks(ns: dict[str, Any]) -> None:
    report = ns["model"].evaluate()
    assert ns["parts"].versions["kind"].tolist() == ["masks"]
    assert report.summary.set_index("figure").loc["f1", "value"] > 0.3


def after_found(ns: dict[str, Any]) -> None:
    polygons = ns["found"].table["polygon"]
    assert len(polygons)
    assert polygons.map(len).max() > 6, "more than the corners of a box"


def at_end(ns: dict[str, Any]) -> None:
    project = ns["project"]
    assert project.update("train", ns["spoilt"]) == 1, "one photo"
    assert project.undo() == 1, "and it is undone"


def outputs(notebook: Any) -> None:
    assert pictures_of(tagged(notebook, "boards")) == 1, "boards with their boxes"
    assert pictures_of(tagged(notebook, "plot")) == 1
    for tag in ("annotator", "dashed", "assisted"):
        assert "data:image/webp" in html_of(tagged(notebook, tag)), f"a still image in the cell {tag}"
    assert "train 12, test 6" in text_of(tagged(notebook, "project"))
    assert text_of(tagged(notebook, "offered")) == "31", "the same number as in the file"
    assert text_of(tagged(notebook, "polygon")) == "1", "one photo is changed"
    assert "6 labelled" in text_of(tagged(notebook, "accepted"))
    assert "1 box reaching beyond the edge" in text_of(tagged(notebook, "spoil"))
    assert "1 box duplicating another box" in text_of(tagged(notebook, "spoil"))
    assert "BOX_" not in text_of(tagged(notebook, "mended")), "no box has an issue any more"
    assert "LABEL_HAS_FEW_TEST_IMAGES" in text_of(tagged(notebook, "mended")), "earlier issues are still reported"
    assert "comparator" in text_of(tagged(notebook, "sizes"))
    assert "polygon" in text_of(tagged(notebook, "outline"))
    assert pictures_of(tagged(notebook, "found")) == 1, "a board with the outlines that were found"
