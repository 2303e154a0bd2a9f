"""Tests of the label manager's kernel side: responses to its page, and its use from other cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from customlabels_nb.labeling.label_editing import LabelEditing
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.widgets.label_manager import LabelManager
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.widgets.asking import Cell, Page

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(project: Project, monkeypatch: pytest.MonkeyPatch) -> Page:  # noqa: F811
    project.update("train", project.train_set.images[["image"]].head(3).assign(label="apple"))
    return Page(project.labels.edit(), monkeypatch)


def labels(answer: Any) -> list[str]:
    return [own["label"] for own in answer["labels"]]


def test_page_receives_labels_and_then_changes(project: Project, page: Page) -> None:  # noqa: F811
    first = page.ask("labels", seen=None)
    assert labels(first) == ["apple", "pear"]
    assert (first["project"], first["done"], first["read_only"]) == ("things", 3, False)
    assert first["labels"][0]["color"] in first["palette"]
    assert page.ask("labels", seen=first["seen"]) == {}
    project.labels.add("plum")
    assert page.pushed == [{"push": "follow"}]
    assert labels(page.ask("labels", seen=first["seen"])) == ["apple", "pear", "plum"]
    assert page.ask("labels uses")["uses"] == [["apple", [3, 0, 3]], ["pear", [0, 0, 0]], ["plum", [0, 0, 0]]]
    assert page.ask("labels uses", label="apple")["uses"] == [["apple", [3, 0, 3]]]


def test_edits_answer_with_the_labels_as_they_are_then(page: Page) -> None:
    added = page.ask("labels change", op="add", labels=[["plum", None], [HOSTILE, "#123456"]], review=True)
    assert (labels(added), added["count"], added["can_undo"]) == (["apple", "pear", "plum", HOSTILE], 3, True)
    assert page.ask("labels change", op="rename", label="apple", name="Apfel")["count"] == 3
    assert page.ask("labels change", op="recolor", label="pear", color="#000000")["labels"][1]["color"] == "#000000"
    assert labels(page.ask("labels change", op="move", label="plum", before="Apfel"))[:2] == ["plum", "Apfel"]
    assert page.ask("labels change", op="merge", label="Apfel", into="pear")["count"] == 3
    with pytest.raises(RuntimeError, match="used by 3 annotations"):
        page.ask("labels change", op="remove", label="pear")
    assert labels(page.ask("labels change", op="remove", label="pear", with_annotations=True)) == ["plum", HOSTILE]
    back = page.ask("labels undo")
    assert (back["said"], labels(back), back["can_redo"]) == ("“pear” was removed", ["plum", "pear", HOSTILE], True)
    assert labels(page.ask("labels redo")) == ["plum", HOSTILE]
    with pytest.raises(RuntimeError, match="op='burn' is not an operation"):
        page.ask("labels change", op="burn")
    with pytest.raises(RuntimeError, match="'pear' no longer exists"):
        page.ask("labels change", op="rename", label="pear", name="x")
    assert page.ask("labels redo")["said"] is None
    assert page.pushed == [{"push": "follow"}] * 8


def test_labels_are_imported_from_other_projects(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = create_project("other", tmp_path)
    for label in ("pear", HOSTILE):
        other.labels.add(label, color="#010203")
    other.close()
    monkeypatch.chdir(tmp_path)
    assert page.ask("labels find", source=" other ") == {"total": 2, "labels": [[HOSTILE, "#010203"]]}
    assert page.ask("labels find", source=str(tmp_path / "other" / "project.db"))["total"] == 2
    (tmp_path / "more.csv").write_text("image,label\na.png,fig\nb.png,apple\n")
    assert page.ask("labels find", source="more.csv") == {"total": 2, "labels": [["fig", None]]}
    (tmp_path / "no.json").write_text("{")
    for source in ("", "nowhere", "a\0b", "no.json"):
        with pytest.raises(RuntimeError):
            page.ask("labels find", source=source)
    assert page.pushed == []


def test_label_manager_is_controlled_from_python(project: Project, page: Page) -> None:  # noqa: F811
    manager: LabelManager = page.widget
    seen: list[str] = []
    manager.observe(lambda change: seen.append(change["new"]), "label")
    page.ask("label", label="pear")
    page.ask("label", label=None)
    assert seen == ["pear", ""]
    assert manager.labels == ["apple", "pear"]
    manager.editing.rename("apple", "Apfel")
    manager.undo()
    assert manager.labels == ["apple", "pear"]
    manager.redo()
    assert manager.labels == ["Apfel", "pear"]
    manager.close()
    project.labels.add("plum")
    assert page.pushed == [{"push": "follow"}] * 3


def test_label_changes_reach_galleries(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gallery, manager = project.label("train"), project.labels.edit()
    page, other = Page(gallery, monkeypatch), Page(manager, monkeypatch)
    assert page.ask("hello")["manages_labels"] is True
    other.ask("labels change", op="rename", label="apple", name="Apfel")
    assert page.pushed == [{"push": "follow"}]
    assert page.ask("follow")["info"]["labels"][0]["label"] == "Apfel"
    page.ask("labels change", op="add", labels=[["fig", None]])
    assert other.pushed == [{"push": "follow"}] * 2
    # labelling with the old name before the page is notified is refused, as the old label would come back
    image = gallery.session.table.names[0]
    with pytest.raises(RuntimeError, match="'apple' no longer exists"):
        page.ask("edit", op="label", label="apple", split="train", images=[image], revisions={image: 1})
    assert manager.labels == ["Apfel", "pear", "fig"]


def test_a_saved_notebook_keeps_a_small_still_picture(tmp_path: Path) -> None:
    many = create_project("many", tmp_path)
    LabelEditing(open_project_store(many.root), many.root).add_all(
        [(f"{HOSTILE}{'&' * 200}{number}", None) for number in range(1000)]
    )
    still = Cell(many.labels.edit()).html
    assert len(still) < 100_000
    assert "<img" not in still
    assert "1,000 labels" in still
    assert "and 960 more" in still
