"""Checks of notebook 01: the project is created, the model is good, and it predicts new photos."""

from __future__ import annotations

from typing import Any

from tests.notebooks.running import html_of, pictures_of, tagged, text_of


def after_project(ns: dict[str, Any]) -> None:
    project = ns["project"]
    assert (len(project.train_set), len(project.test_set), len(project.labels)) == (60, 56, 10)
    assert project.task == "single-label"


def after_annotations(ns: dict[str, Any]) -> None:
    table = ns["project"].train_set.annotations
    assert len(table) == 60, "a row for each label"
    assert all(row.label in row.image for row in table.itertuples()), "from the names of folders"


def after_train(ns: dict[str, Any]) -> None:
    assert ns["model"].name in list(ns["project"].versions["name"])


def after_report(ns: dict[str, Any]) -> None:
    report = ns["report"]
    assert 0.75 <= report.per_label["f1"].mean() <= 1
    assert len(report.per_label) == 10
    results = report.per_image["result"].value_counts()
    table = report.per_label
    for name, column in (("true positive", "tp"), ("false positive", "fp"), ("false negative", "fn")):
        assert results.get(name, 0) == table[column].sum(), f"a row for each {name}"
    assert table["tp"].sum() + table["fn"].sum() == 56, "each test photo has one label"
    assert report.confusion_matrix.counts.sum() == 56


def after_detections(ns: dict[str, Any]) -> None:
    assert [photo.name for photo in ns["new"]] == ["new_01.jpg", "new_02.jpg"]
    assert len(ns["tested"]) == 3
    found = ns["model"].detect(ns["tested"].iloc[0])
    assert found.table["confidence"].between(0, 1).all()


def after_many(ns: dict[str, Any]) -> None:
    found = ns["found"]
    assert set(found["image"]) <= set(ns["project"].test_set.images["image"])
    assert len(set(found["image"])) > 40
    assert found.attrs["errors"] is not None
    table = ns["report"].per_label
    assert len(found) == table["tp"].sum() + table["fp"].sum(), "exactly the mistakes that the report counted"


def at_end(ns: dict[str, Any]) -> None:
    assert ns["model"].status == "STOPPED", "stop frees the memory"


def outputs(notebook: Any) -> None:
    assert "<svg" in html_of(tagged(notebook, "report")) or "<table" in html_of(tagged(notebook, "report"))
    assert "test images" in text_of(tagged(notebook, "report"))
    for tag in ("matrix", "bars", "curves"):
        assert pictures_of(tagged(notebook, tag)) == 1, tag
    assert pictures_of(tagged(notebook, "detections")) == 3
    assert "CustomLabels" in text_of(tagged(notebook, "response"))
    assert "annotator" in text_of(tagged(notebook, "annotations"))
    assert "60 images" in text_of(tagged(notebook, "train_set"))
    assert len(text_of(tagged(notebook, "mistakes")).splitlines()) >= 2
    assert "status" in text_of(tagged(notebook, "versions"))
