"""Checks of notebook 02: labels are stored, widgets can be read and controlled, nothing is lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.facts import tells
from tests.notebooks.running import html_of, tagged, text_of

HALF = {"bathroom", "bedroom", "closet", "entry_way", "floor_plan", "front_yard", "kitchen", "living_space"}


def after_project(ns: dict[str, Any]) -> None:
    project, drawn = ns["project"], ns["drawn"]
    assert (len(project.train_set), len(project.test_set), project.task) == (40, 0, "single-label")
    assert tuple(project.labels) == drawn.labels
    assert sorted(path.name for path in drawn.train.rglob("*.jpg")) == sorted(
        Path(image).name for image in project.train_set.images["image"]
    )
    assert set(project.train_set.images["status"]) == {"unlabelled"}
    assert tells(project.instructions, "photo", "room")


def after_gallery(ns: dict[str, Any]) -> None:
    assert type(ns["gallery"]).__name__ == "Gallery"
    assert len(ns["gallery"].data) == 24


def after_filter(ns: dict[str, Any]) -> None:
    shown = list(ns["gallery"].data)
    assert shown == sorted(shown), "sorted by name"
    assert ns["gallery"].selection == tuple(shown[:3])


def after_selected(ns: dict[str, Any]) -> None:
    assert list(ns["gallery"].selected["image"]) == list(ns["gallery"].data)[:3]


def after_rule(ns: dict[str, Any]) -> None:
    counts = ns["project"].train_set.label_counts
    assert counts.to_dict() == {"backyard": 4, "patio": 0} | dict.fromkeys(HALF, 2)
    assert len(ns["images"]) == 40
    assert ns["project"].history["note"][0] == "by folder"


def after_slip(ns: dict[str, Any]) -> None:
    assert ns["project"].train_set.label_counts["closet"] == 40


def after_counts(ns: dict[str, Any]) -> None:
    after = ns["project"].train_set.label_counts
    assert after.to_dict() == {"backyard": 4, "patio": 0} | dict.fromkeys(HALF, 2), "the state before the mistake"
    assert ns["project"].history["note"].tolist()[:3] == ["not all are closets", "a mistake", "by folder"]


def after_review(ns: dict[str, Any]) -> None:
    assert len(ns["review"].session.images_at([(0, 99)])) == 4, "only images labelled backyard"


def after_corrected(ns: dict[str, Any]) -> None:
    train = ns["project"].train_set
    labels = dict(zip(train.images["image"], train.labels_of_images(), strict=True))
    assert all(labels[image] == ["patio"] for image in ns["backyards"][ns["is_patio"]])
    first, second = ns["backyards"][~ns["is_patio"]]
    assert labels[first] == [], "rejected: unlabelled again"
    assert labels[second] == ["backyard"]
    assert len(ns["backyards"]) == 4
    assert ns["review"].progress["done"] == 3
    assert ns["review"].progress["left"] == 16
    assert ns["review"].progress["by_label"] == dict.fromkeys(HALF, 2), "the remaining images by label"


def after_labels(ns: dict[str, Any]) -> None:
    labels = ns["project"].labels
    assert "lounge" not in labels
    assert "sitting_room" not in labels
    assert labels.colours["patio"] == "#e07a5f"
    notes = ns["project"].history["what"].tolist()[:4]
    assert [note.split()[0] for note in notes] == ["recolour", "merge", "rename", "add"], notes
    assert ns["project"].history["what"].tolist()[-1] == "import", "the history goes back to the first action"


def after_manager(ns: dict[str, Any]) -> None:
    from IPython import get_ipython

    manager = get_ipython().user_ns["_"]
    assert type(manager).__name__ == "LabelManager"
    assert manager.labels == list(ns["project"].labels)


def after_dashboard(ns: dict[str, Any]) -> None:
    assert type(ns["dashboard"]).__name__ == "Dashboard"


def after_figures(ns: dict[str, Any]) -> None:
    figures = ns["dashboard"].figures
    train = figures.statuses[figures.statuses["split"] == "train"].set_index("status")["images"]
    assert (train["labelled"], train["unlabelled"]) == (19, 21)


def at_end(ns: dict[str, Any]) -> None:
    from ipyannotations.images import ClassLabeller

    labeller, project = ns["labeller"], ns["project"]
    assert isinstance(labeller, ClassLabeller)
    assert list(labeller.options) == list(project.labels)
    labeller.submit(SimpleNamespace(description="kitchen"))  # like its button does
    assert project.train_set.label_counts["kitchen"] == 3, "submitted labels are stored"
    labeller.undo()
    assert project.train_set.label_counts["kitchen"] == 2, "Undo reverts the label"
    patios = project.train_set.label_counts["patio"]
    assert project.labels.rename("patio", "terrace") == patios == 2, "all photos with the label"
    assert project.labels.merge("terrace", into="backyard") == 2
    assert project.train_set.label_counts["backyard"] == 3
    assert project.update("train", project.train_set.relabel("closet")) == 40, "all photos"
    assert project.undo() == 40


def outputs(notebook: Any) -> None:
    assert "data:image/webp" in html_of(tagged(notebook, "gallery")), "a still image of the gallery"
    assert "data:image/webp" in html_of(tagged(notebook, "review"))
    assert "480" in text_of(tagged(notebook, "selected"))
    assert "closet          40" in text_of(tagged(notebook, "slip"))
    assert "not all are closets" in text_of(tagged(notebook, "undo"))
    assert "21" in text_of(tagged(notebook, "figures"))
    assert "patio" in text_of(tagged(notebook, "labels"))
    assert tells(text_of(tagged(notebook, "check")), 21, "train", "52%")
    assert "'done': 3" in text_of(tagged(notebook, "corrected"))
    assert "train 40" in text_of(tagged(notebook, "project"))
