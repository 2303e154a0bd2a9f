"""Tests of the verify widget's kernel side: responses to its page, and its use from other cells."""

# ruff: noqa: F811 - fixtures are imported

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.project import Project
from customlabels_nb.project.screens import open_verification
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.labeling.test_verification import boards, field, found  # noqa: F401
from tests.widgets.asking import Cell, Page


@pytest.fixture
def page(project: Project, found: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(project.verify(found, sample=20, page_size=6), monkeypatch)


def test_a_page_has_predictions_and_takes_verdicts(page: Page) -> None:
    hello = page.ask("hello")
    assert (hello["size"], hello["draws"], hello["model"], hello["alone"]) == (6, False, "predictions", True)
    answer = page.ask("show", split="train", query=hello["query"], place=0, size=6, pixels=160)
    rows = answer["page"]["rows"]
    assert len(rows) == 6
    assert rows[0]["guesses"][0][0] in ("apple", "pear")
    assert (rows[0]["size"], rows[0]["guesses"][0][2], rows[0]["outlines"]) == ([48, 36], None, [])
    names = [row["name"] for row in rows]
    assert [row["status"] for row in page.edit("right", names[:2])["rows"]] == ["labelled"] * 2
    assert page.edit("label", names[2:3], label="pear")["rows"][0]["labels"] == ["pear"]
    assert page.edit("wrong", names[3:4])["rows"][0]["status"] == "needs_review"
    assert page.widget.progress == {"judged": 3, "wrong": 1, "left": 16}
    page.ask("undo")
    assert page.widget.progress == {"judged": 3, "wrong": 0, "left": 17}
    with pytest.raises(RuntimeError, match="no longer exists"):
        page.edit("label", names[:1], label="kiwi")
    answer = page.ask("submit")
    assert answer["text"] == "3 images added to train and 0 to test. project.undo() takes them out again."
    assert "3 of 20 judged. Run the cell to continue." in Cell(page.widget).html
    page.widget.close()


def test_two_datasets_are_two_actions_and_a_damaged_version_is_no_error(
    project: Project, found: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> float:
        raise NotAllowedError("The version's files are damaged.")

    place = open_project(project.root)
    widget = open_verification(
        place, found, None, sample=20, test_fraction=0.5, random_state=0, page_size=24, test_precision=damaged
    )
    page = Page(widget, monkeypatch)
    page.edit("right", widget.images)
    assert widget.sentence.startswith("in the field 1.00")
    assert "project.undo(), called twice, takes" in page.ask("submit")["text"]
    project.undo()
    project.undo()
    assert not set(widget.images) & {*project.train_set.images["image"], *project.test_set.images["image"]}
    widget.close()
    with pytest.raises(StoreError):
        widget.session.store.labels()


def test_only_a_prediction_of_boxes_is_fixed_in_the_annotator(
    boards: tuple[Project, pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(boards[0].verify(boards[1], sample=20), monkeypatch)
    widget, names = page.widget, page.widget.session.table.names
    page.ask("fix", image=names[3])
    cell = Cell(widget)
    shown, annotator = cell.widgets
    assert shown is widget
    facts = annotator.session.shapes(names[3])
    assert [shape["label"] for shape in facts["predictions"]] == ["apple", "pear"]
    annotator.session.set_shapes(names[3], [])
    page.ask("fix", image=names[4])
    assert cell.widgets == (widget, annotator)
    assert widget.progress == {"judged": 1, "wrong": 0, "left": 19}
    with pytest.raises(RuntimeError, match="not in the train set"):
        page.ask("fix", image="other.png")
    widget.close()


def test_a_folder_is_predicted_once(
    project: Project,
    field: Path,
    found: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class FakeModel:
        name = "fake"
        asked = 0

        def detect_many(self, images: list[str]) -> pd.DataFrame:
            self.asked += 1
            return found[found["image"].isin(images)]

    model = FakeModel()
    widget = project.verify(field, model=model, sample=10)  # type: ignore[arg-type]
    widget.session.confirm(widget.session.table.names)
    again = project.verify(str(field), model=model, sample=10)  # type: ignore[arg-type]
    assert model.asked == 1
    assert again.progress == {"judged": 10, "wrong": 0, "left": 0}
    assert again.submit().train == 10
    assert set(project.train_set.images["source"]) >= {"feedback of fake"}
    with pytest.raises(InputError, match="does not exist"):
        project.verify(field / "nothing", model=model)  # type: ignore[arg-type]
