"""Tests of the label manager: each edit is one action, can be undone, and is refused after a concurrent edit."""

from __future__ import annotations

import gc

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError, StaleEditError
from customlabels_nb.labeling.label_editing import LabelEditing
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore, VersionRecord, create_store
from tests.facts import facts
from tests.labeling.conftest import another, named
from tests.tiers import many

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def editing(project: Project) -> LabelEditing:
    return LabelEditing(open_project_store(project.root), project.root, user="anna")


@pytest.fixture
def labelled(project: Project, session: LabellingSession) -> list[str]:
    """Return the images of three apples and a pear labelled by Anna."""
    images = named(session, 1, 2, 3, 4)
    session.assign(images[:3], "apple")
    session.assign(images[3:], "pear")
    return images


def names(project: Project) -> list[str]:
    return list(project.labels)


def test_each_edit_is_one_action_with_undo(project: Project, editing: LabelEditing, labelled: list[str]) -> None:
    before = project.labels.to_frame(), project.train_set.annotations
    steps = {
        "add label": lambda: editing.add_all([("plum", "#123456")]),
        "rename label": lambda: editing.rename("apple", HOSTILE),
        "recolor label": lambda: editing.recolor("pear", "#654321"),
        "reorder labels": lambda: editing.move("plum", HOSTILE),
        "merge labels": lambda: editing.merge("pear", into="plum"),
        "remove label": lambda: editing.remove(HOSTILE, with_annotations=True),
    }
    for what, edit in steps.items():
        actions = len(project.history)
        edit()
        newest = project.history.iloc[0]
        assert len(project.history) == actions + 1
        assert (newest["what"], newest["who"]) == (what, "anna")
    assert names(project) == ["plum"]
    assert project.train_set.label_counts.to_dict() == {"plum": 1}
    for what in reversed(steps):
        assert editing.can_undo
        editing.undo()
        assert project.history["what"].iloc[0] == f"undo {what}"
    assert not editing.can_undo
    assert editing.undo() is None
    assert project.labels.to_frame().equals(before[0])
    pd.testing.assert_frame_equal(project.train_set.annotations, before[1])
    for _ in steps:
        editing.redo()
    assert names(project) == ["plum"]
    assert editing.redo() is None


def test_edits_return_the_number_of_changes(
    project: Project, editing: LabelEditing, labelled: list[str], store: SqlStore
) -> None:
    assert editing.uses().values.tolist() == [["apple", 3, 0, 3], ["pear", 1, 0, 1]]
    store.move_images(labelled[:1], "train", "test", Action("move", "anna"))
    box = pd.DataFrame({"image": [labelled[1]], "label": ["apple"], "left": 1, "top": 1, "width": 4, "height": 4})
    project.update("train", box)
    assert editing.uses("apple").values.tolist() == [["apple", 2, 1, 3]]
    assert editing.done_images() == 4
    assert editing.rename("apple", "Apfel") == 3
    assert editing.merge("pear", into="Apfel") == 1
    with pytest.raises(LabelError, match="used by 4 annotations"):
        editing.remove("Apfel")
    assert editing.remove("Apfel", with_annotations=True) == 4
    assert editing.done_images() == 0


def test_new_label_sends_labelled_images_to_review(
    project: Project, editing: LabelEditing, session: LabellingSession, labelled: list[str]
) -> None:
    session.set_status(named(session, 5), "skipped")
    session.follow()
    actions = len(project.history)
    assert editing.add_all([("plum", None)], review=True) == 4
    assert len(project.history) == actions + 1
    images = project.train_set.images.set_index("image")["status"]
    assert images[labelled].unique().tolist() == ["needs_review"]
    assert images.value_counts().to_dict() == {"unlabelled": 25, "needs_review": 4, "skipped": 1}
    assert sorted(session.follow() or ()) == sorted(labelled)
    assert session.table.by_status["needs_review"] == 4
    # later edits of others are not undone with it
    assert another(project, "ben").set_status(labelled[:1], "labelled").images
    with pytest.raises(StaleEditError, match="by ben with 'mark labelled'"):
        editing.undo()
    assert not editing.can_undo


def test_finished_images_are_sent_to_review_after_a_label_was_added(
    project: Project, editing: LabelEditing, labelled: list[str]
) -> None:
    editing.add_all([("plum", None)])
    another(project, "ben").assign(labelled[:1], "plum")
    assert editing.review_without("plum") == 3
    statuses = project.train_set.images.set_index("image")["status"]
    assert statuses[labelled].tolist() == ["labelled"] + ["needs_review"] * 3
    assert editing.undo() == "Images without “plum” were sent to review"
    assert (project.train_set.images["status"] == "labelled").sum() == 4


def test_undoing_a_new_label_restores_the_statuses(
    project: Project, editing: LabelEditing, labelled: list[str]
) -> None:
    editing.add_all([("plum", None), ("fig", "#102030")], review=True)
    assert names(project) == ["apple", "pear", "plum", "fig"]
    assert editing.undo() == "2 labels were added"
    assert names(project) == ["apple", "pear"]
    assert (project.train_set.images["status"] == "labelled").sum() == 4


def test_conflict_names_the_change_of_another_user(project: Project, editing: LabelEditing, store: SqlStore) -> None:
    ben = LabelEditing(store, project.root, user="ben")
    ben.rename("apple", "Apfel")
    for edit in (
        lambda: editing.rename("apple", "x"),
        lambda: editing.recolor("apple", "#000000"),
        lambda: editing.move("apple", None),
        lambda: editing.merge("apple", into="pear"),
        lambda: editing.merge("pear", into="apple"),
        lambda: editing.remove("apple"),
        lambda: editing.uses("apple"),
    ):
        with pytest.raises(LabelError, match=facts("'apple'", "ben", "'Apfel'")):
            edit()
    ben.merge("pear", into="Apfel")
    with pytest.raises(LabelError, match=facts("'pear'", "ben", "'Apfel'")):
        editing.rename("pear", "x")
    ben.remove("Apfel")
    with pytest.raises(LabelError, match=facts("'Apfel'", "ben")):
        editing.rename("Apfel", "x")
    with pytest.raises(LabelError, match=facts("'never'")):
        editing.rename("never", "x")
    assert not editing.can_undo


def test_invalid_edits_are_refused_and_change_nothing(project: Project, editing: LabelEditing) -> None:
    actions = len(project.history)
    for edit, error in (
        (lambda: editing.add_all([("apple", None)]), "'apple' already"),
        (lambda: editing.add_all([("  ", None)]), "1 to 256"),
        (lambda: editing.add_all([("fig", None), ("fig ", None)]), "twice"),
        (lambda: editing.add_all([("fig", None), ("pear", None)]), "'pear' already"),
        (lambda: editing.rename("apple", "pear"), "merge"),
        (lambda: editing.merge("apple", into="apple"), "itself"),
        (lambda: editing.recolor("apple", "red"), "'red'"),
        (lambda: editing.add_all([("fig", "#12345")]), "color="),
    ):
        with pytest.raises(InputError, match=error):
            edit()
    editing.rename("apple", " apple ")
    editing.move("apple", "pear")
    editing.move("pear", None)
    assert len(project.history) == actions
    assert names(project) == ["apple", "pear"]
    assert not editing.can_undo


@settings(max_examples=many(40))
@given(data=st.data(), count=st.integers(1, 6))
def test_moving_puts_a_label_before_another(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    root = tmp_path_factory.mktemp("moving")
    store = create_store(str(root / "project.db"), "moving")
    editing = LabelEditing(store, root)
    order = [f"label {number}" for number in range(count)]
    editing.add_all([(name, None) for name in order])
    label = data.draw(st.sampled_from(order))
    before = data.draw(st.sampled_from([*order, None]))
    editing.move(label, before)
    moved = editing.labels()["label"].tolist()
    assert sorted(moved) == sorted(order)
    assert [name for name in moved if name != label] == [name for name in order if name != label]
    at = moved.index(label)
    if before is None:
        assert at == count - 1
    elif before != label:
        assert moved[at + 1] == before
    store.close()


def test_listeners_are_notified_and_held_weakly(project: Project, editing: LabelEditing) -> None:
    class Screen:
        heard = 0

        def hear(self) -> None:
            self.heard += 1
            if self.heard == 2:
                raise OSError("closed")

    screen, elsewhere = Screen(), Screen()
    stop = change_signal.listen(project.root, screen.hear)
    change_signal.listen(project.root / "other", elsewhere.hear)
    editing.rename("apple", "Apfel")
    project.labels.recolor("pear", "#010203")  # the failing listener does not affect others
    editing.undo()
    assert (screen.heard, elsewhere.heard) == (3, 0)
    with pytest.raises(LabelError):
        editing.rename("nobody", "x")
    assert screen.heard == 3
    stop()
    stop()
    editing.redo()
    assert screen.heard == 3
    change_signal.listen(project.root, screen.hear)
    del screen
    gc.collect()
    editing.undo()


def test_a_session_follows_labels_of_both_datasets_and_of_predictions(
    project: Project, editing: LabelEditing, session: LabellingSession, labelled: list[str], store: SqlStore
) -> None:
    store.move_images(labelled[:1], "train", "test", Action("move", "anna"))
    predictions = pd.DataFrame({"image": labelled, "label": "pear", "confidence": 0.5})
    now = pd.Timestamp.now("UTC").to_pydatetime()
    store.add_version(VersionRecord("v1", "TRAINING_COMPLETED", "", "v1", now, now), Action("train", "anna"))
    store.replace_predictions("v1", t.normalise_annotations(predictions), Action("predict", "anna"))
    session.follow()
    session.open("test")
    assert session.rows(labelled)[0]["labels"] == ["apple"]
    session.open("train")
    editing.rename("apple", "Apfel")
    editing.rename("pear", "Birne")
    session.follow()
    assert [row["labels"] for row in session.rows(labelled)] == [["Apfel"], ["Apfel"], ["Birne"]]
    assert session.rows(labelled)[0]["predicted"][0] == "Birne"
    session.open("test")
    row = session.rows(labelled)[0]
    assert (row["labels"], row["predicted"][0]) == (["Apfel"], "Birne")
    with pytest.raises(LabelError, match=facts("'apple'")):
        session.check_known("apple")
    session.check_known("Apfel")
