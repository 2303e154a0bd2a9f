"""Tests of a project's labels: every change is an action, and invalid ones are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError, InputError, LabelError
from tests.images.pictures import write_folder

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def project(fruit: cl.Project, tmp_path: Path) -> cl.Project:
    """Return a project with two apples and a pear."""
    write_folder(tmp_path / "photos", {"apple": 2, "pear": 1})
    fruit.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    return fruit


def test_labels_are_a_collection_in_order(project: cl.Project) -> None:
    project.labels.add(" quince ", color="#ABCDEF")
    project.labels.reorder(["quince"])
    assert list(project.labels) == ["quince", "apple", "pear"]
    assert len(project.labels) == 3
    assert "pear" in project.labels
    assert "plum" not in project.labels
    assert project.labels.to_frame()["color"].tolist()[0] == "#abcdef"
    assert repr(project.labels) == "Labels('quince', 'apple', 'pear')"


def test_annotations_follow_their_label(project: cl.Project) -> None:
    assert project.labels.rename("apple", "Apfel") == 2
    assert project.labels.merge("pear", into="Apfel") == 1
    assert project.train_set.label_counts.to_dict() == {"Apfel": 3}
    assert project.labels.remove("Apfel", with_annotations=True) == 3
    assert project.train_set.images["status"].unique().tolist() == ["unlabelled"]
    assert project.history["what"].tolist()[:3] == ["remove label", "merge labels", "rename label"]


@pytest.mark.parametrize(
    ("method", "arguments", "error", "words"),
    [
        ("add", ["apple"], LabelError, "'apple' already"),
        ("add", [""], LabelError, "1 to 256"),
        ("add", [7], LabelError, "7"),
        ("add", [["plum", "fig"]], LabelError, "each label by itself"),
        ("rename", ["apple", "pear"], LabelError, "merge"),
        ("rename", ["plum", "x"], LabelError, "'plum'"),
        ("remove", ["apple"], LabelError, "2"),
        ("remove", ["plum"], LabelError, "'plum'"),
        ("reorder", [["plum"]], LabelError, "'plum'"),
        ("reorder", [["apple", "apple"]], LabelError, "twice"),
        ("recolor", ["apple", "red"], InputError, "'red'"),
        ("recolor", ["apple", '#fff"><b>'], InputError, "color="),
    ],
)
def test_invalid_changes_are_refused_and_change_nothing(
    project: cl.Project, method: str, arguments: list[Any], error: type[CustomLabelsError], words: str
) -> None:
    before = project.labels.to_frame()
    actions = len(project.history)
    with pytest.raises(error, match=words):
        getattr(project.labels, method)(*arguments)
    assert project.labels.to_frame().equals(before)
    assert len(project.history) == actions


def test_hostile_names_stay_text(project: cl.Project) -> None:
    project.labels.rename("apple", HOSTILE)
    for shown in (project.labels._repr_html_(), project.train_set._repr_html_(), project._repr_html_()):
        assert "<img src=x" not in shown
    assert "&lt;img src=x" in project.labels._repr_html_()
    assert HOSTILE in project.labels


def test_repr_without_labels_names_the_next_step(tmp_path: Path) -> None:
    empty = cl.create_project("empty", tmp_path)
    assert "project.labels.add" in empty.labels._repr_html_()
    assert list(empty.labels) == []
    empty.close()


def test_order_needs_a_list_of_names(project: cl.Project) -> None:
    with pytest.raises(LabelError, match="labels='apple' must be a list"):
        project.labels.reorder("apple")
    assert list(project.labels) == ["apple", "pear"]


def test_repr_shortens_many_labels(project: cl.Project) -> None:
    for number in range(48):
        project.labels.add(f"\x1b[31m{number}")
    assert repr(project.labels).startswith("Labels('apple', 'pear', '\\x1b[31m0'")
    assert repr(project.labels).endswith("and 30 more)")
    shown = project.labels._repr_html_()
    assert shown.count("<li>") == 40
    assert "and 10 more" in shown
    assert "\x1b" not in shown


def test_adding_a_label_again_is_refused_or_does_nothing(project: cl.Project) -> None:
    project.labels.add("fig", color="#010203", exist_ok=True)
    before, actions = project.labels.to_frame(), len(project.history)
    with pytest.raises(LabelError, match="'fig' already exists"):
        project.labels.add("fig")
    project.labels.add("fig", color="#040506", exist_ok=True)
    assert project.labels.to_frame().equals(before)
    assert len(project.history) == actions
    with pytest.raises(LabelError):
        project.labels.add("", exist_ok=True)


def test_labels_are_added_from_another_project_as_one_action(project: cl.Project, tmp_path: Path) -> None:
    other = cl.create_project("other", tmp_path)
    for name in ("pear", HOSTILE):
        other.labels.add(name, color="#010203")
    assert project.labels.add_from(other.labels) == [HOSTILE]
    assert project.labels.to_frame()["color"].tolist()[-1] == "#010203"
    assert project.labels.add_from(other.root) == []
    (tmp_path / "more.csv").write_text("image,label\na.png,fig\nb.png,date\n")
    actions = len(project.history)
    assert sorted(project.labels.add_from(tmp_path / "more.csv", review=True)) == ["date", "fig"]
    assert len(project.history) == actions + 1
    assert project.train_set.images["status"].unique().tolist() == ["needs_review"]
    assert project.labels.add_from(project.train_set) == []
    with pytest.raises(InputError, match="does not exist"):
        project.labels.add_from(tmp_path / "nowhere")
    other.close()


def test_new_label_can_send_labelled_images_to_review(project: cl.Project) -> None:
    project.labels.add("plum")
    assert project.train_set.images["status"].unique().tolist() == ["labelled"]
    project.labels.add("fig", review=True)
    assert project.train_set.images["status"].unique().tolist() == ["needs_review"]
    project.undo()
    assert list(project.labels) == ["apple", "pear", "plum"]
    assert project.train_set.images["status"].unique().tolist() == ["labelled"]
