"""Tests of the labelling session: edits stored immediately, undo, conflicts, and edits of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.errors import InputError, LabelError, NotAllowedError, OutdatedError, StoreError
from customlabels_nb.labeling.review import ReviewSession, ReviewTable
from customlabels_nb.labeling.session import Conflict, LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.project import Project
from customlabels_nb.store import SqlStore
from tests.labeling.conftest import another, named

LABEL_KEYS = Path(__file__).with_name("label_keys.json")


def each(images: list[str], *labels: str) -> dict[str, list[str]]:
    """Return these labels for each image."""
    return {image: list(labels) for image in images}


def stored(project: Project) -> dict[str, list[str]]:
    """Return the stored labels by image."""
    annotations = project.train_set.annotations
    return annotations.groupby("image")["label"].apply(sorted).to_dict()


def test_a_label_is_stored_when_the_method_returns(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2, 3)
    outcome = session.assign(images, "apple")
    assert outcome.images == tuple(images)
    assert outcome.conflicts == ()
    assert stored(project) == each(images, "apple")
    rows = session.rows(images)
    assert [row["labels"] for row in rows] == [["apple"]] * 3
    assert [row["status"] for row in rows] == ["labelled"] * 3
    assert session.table.by_label == {"apple": 3}
    assert session.table.by_status == {"labelled": 3, "unlabelled": 27}
    newest = project.history.iloc[0]
    assert (newest["what"], newest["who"], newest["count"]) == ("label apple", "anna", 3)
    assert project.train_set.annotations["annotator"].unique().tolist() == ["anna"]


def test_new_label_replaces_the_earlier_one(project: Project, session: LabellingSession) -> None:
    images = named(session, 1)
    session.assign(images, "apple")
    session.assign(images, "pear")
    assert stored(project) == {images[0]: ["pear"]}


def test_several_labels_add_up_where_the_task_has_several(project: Project, session: LabellingSession) -> None:
    session.set_task("multi-label")
    images = named(session, 1)
    session.assign(images, "apple")
    session.assign(images, "pear")
    assert stored(project) == {images[0]: ["apple", "pear"]}
    session.set_labels(images, ["pear", "plum"])
    assert stored(project) == {images[0]: ["pear", "plum"]}
    assert "plum" in list(project.labels)
    with pytest.raises(InputError, match="task='both'"):
        session.set_task("both")


@pytest.mark.parametrize("case", json.loads(LABEL_KEYS.read_text("utf-8")), ids=lambda case: case["name"])
def test_a_label_key_sets_one_label_and_toggles_several(
    project: Project, session: LabellingSession, case: dict[str, Any]
) -> None:
    """The page predicts the result by the same cases, see tests/js/rows.test.js."""
    session.set_task("single-label" if case["alone"] else "multi-label")
    images = named(session, *range(1, 1 + len(case["before"])))
    for image, labels in zip(images, case["before"], strict=True):
        session.set_labels([image], labels)
    session.toggle(images, case["key"])
    found = session.rows(images)
    assert [row["labels"] for row in found] == case["after"]
    assert [row["status"] for row in found] == ["labelled" if labels else "unlabelled" for labels in case["after"]]


def test_boxes_stay_when_labels_of_the_whole_image_change(project: Project, session: LabellingSession) -> None:
    image = named(session, 4)[0]
    box = pd.DataFrame({"image": [image], "label": ["pear"], "left": [1], "top": [2], "width": [9], "height": [8]})
    project.update("train", box)
    session.follow()
    assert session.rows([image])[0]["boxes"] == ["pear"]
    session.assign([image], "apple")
    session.clear([image])
    annotations = project.train_set.annotations
    assert annotations[["image", "label", "left"]].values.tolist() == [[image, "pear", 1.0]]
    assert session.rows([image])[0]["status"] == "labelled"


def test_a_label_that_is_kept_keeps_who_gave_it_and_when(project: Project, session: LabellingSession) -> None:
    image = named(session, 1)
    session.assign(image, "apple")
    before = project.train_set.annotations
    assert another(project, "ben").assign(image, "apple").images == tuple(image)
    pd.testing.assert_frame_equal(project.train_set.annotations, before)


def test_submit_skips_unlabelled_images(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2, 3)
    session.assign(images[:1], "apple")
    session.set_status(images[1:2], "needs_review")
    session.submit(images)
    assert [row["status"] for row in session.rows(images)] == ["labelled", "needs_review", "skipped"]
    session.assign(images[2:], "pear")
    assert session.rows(images[2:])[0]["status"] == "labelled"


def test_an_image_is_skipped_without_its_labels_or_not_at_all(project: Project, session: LabellingSession) -> None:
    def state() -> tuple[list[str], list[list[str]]]:
        rows = another(project, "ben").rows(images)
        return [row["status"] for row in rows], [row["labels"] for row in rows]

    images = named(session, 1, 2, 3)
    session.assign(images[:1], "apple")
    session.assign(images[1:2], "pear")
    session.set_status(images[1:2], "needs_review")
    before = state()
    session.set_status(images, "skipped")
    assert state() == (["labelled", "needs_review", "skipped"], [["apple"], ["pear"], []])
    session.undo()
    assert state() == before
    session.set_status(images, "skipped", remove_labels=True)
    assert state() == (["skipped"] * 3, [[], [], []])
    session.undo()  # labels and statuses are one step
    assert state() == before
    session.redo()
    assert state() == (["skipped"] * 3, [[], [], []])
    # submitting does not skip an image that was imported with a label but without its status either
    session.undo()
    session.set_status(images[:1], "unlabelled")
    session.submit(images)
    assert state() == (["unlabelled", "needs_review", "skipped"], [["apple"], ["pear"], []])


def test_undo_and_redo_step_by_step(project: Project, session: LabellingSession) -> None:
    one, two = named(session, 1), named(session, 1, 2)
    session.assign(one, "apple")
    session.assign(two, "pear")
    session.set_status(named(session, 3), "skipped")
    assert session.undo().what == "undo mark skipped"
    assert session.undo().images == tuple(sorted(two, key=session.table.position.__getitem__))
    assert stored(project) == {one[0]: ["apple"]}
    session.undo()
    assert stored(project) == {}
    assert not session.undoable
    assert session.undo().images == ()
    for _ in range(3):
        session.redo()
    assert stored(project) == each(two, "pear")
    assert project.train_set.images["status"].value_counts().to_dict() == {
        "unlabelled": 27,
        "labelled": 2,
        "skipped": 1,
    }
    assert session.redo().images == ()
    session.undo()
    session.assign(named(session, 5), "apple")
    assert session.redo().images == ()  # another edit clears the redo stack
    assert project.history["what"].str.startswith(("undo", "redo")).sum() == 7


def test_undo_is_refused_after_changes_by_others(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2)
    session.assign(images, "apple")
    another(project, "ben").assign(images[:1], "pear")
    outcome = session.undo()
    assert outcome.images == ()
    assert outcome.conflicts == (Conflict(images[0], ("pear",), ()),)
    assert stored(project) == {images[0]: ["pear"], images[1]: ["apple"]}


def test_undo_starts_with_later_edits_of_the_same_person_in_other_screens(
    project: Project, session: LabellingSession
) -> None:
    images = named(session, 1, 2)
    session.assign(images, "apple")
    other = another(project, session.user)
    other.assign(images[:1], "pear")
    assert session.undo().images == (images[0],)
    assert stored(project) == each(images, "apple")
    session.undo()
    assert stored(project) == {}
    session.redo()
    assert stored(project) == each(images, "apple")
    session.redo()
    assert stored(project) == {images[0]: ["pear"], images[1]: ["apple"]}
    # an edit of other images with these is none of this screen
    other.follow()
    other.assign(named(session, 1, 2, 3), "plum")
    outcome = session.undo()
    assert (outcome.images, len(outcome.conflicts)) == ((), 1)
    assert stored(project) == each(named(session, 1, 2, 3), "plum")


def test_undo_goes_on_before_an_edit_that_somebody_else_has_changed(
    project: Project, session: LabellingSession
) -> None:
    first, second = named(session, 5, 0)
    session.assign([first], "apple")
    session.assign([second], "apple")
    another(project, session.user).assign([second], "pear")
    another(project, "bob").assign([second], "plum")
    assert session.undo().conflicts
    assert session.undo().images == (first,)
    assert stored(project) == {second: ["plum"]}


def test_undo_is_marked_in_the_history(project: Project, session: LabellingSession) -> None:
    session.assign(named(session, 1), "apple")
    edit = project.history["id"].iloc[0]
    session.undo()
    history = project.history.set_index("id")
    assert history["undoes"].iloc[0] == edit
    assert history.loc[edit, "undone_by"] == history.index[0]
    session.redo()
    assert project.history.set_index("id").loc[edit, "undoable"]


def test_an_edit_that_was_undone_elsewhere_is_not_undone_twice(project: Project, session: LabellingSession) -> None:
    image = named(session, 1)
    session.assign(image, "apple")
    session.assign(image, "pear")
    project.undo(int(project.history["id"].iloc[0]))
    with pytest.raises(NotAllowedError, match="already been undone"):
        session.undo()
    assert stored(project) == each(image, "apple")
    assert session.undo().images == tuple(image)  # the edit before
    assert stored(project) == {}


def test_an_undo_that_could_not_be_stored_can_be_repeated(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = named(session, 1)
    session.assign(image, "apple")
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "undo", locked)
        with pytest.raises(StoreError, match="locked"):
            session.undo()
    assert stored(project) == each(image, "apple")
    assert session.undo().images == tuple(image)
    assert stored(project) == {}


def locked(*_: object) -> None:
    raise StoreError("The database is locked.")


def test_a_conflict_about_a_status_shows_the_labels_that_undo_would_leave(
    project: Project, session: LabellingSession
) -> None:
    image = named(session, 1)
    session.assign(image, "apple")
    session.set_status(image, "needs_review")
    another(project, "ben").assign(image, "pear")
    assert session.undo().conflicts == (Conflict(image[0], ("pear",), ("pear",)),)


def test_stale_images_are_conflicts_and_the_rest_is_stored(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2, 3)
    another(project, "ben").assign(images[1:2], "pear")
    outcome = session.assign(images, "apple")
    assert set(outcome.images) == {images[0], images[2]}
    assert outcome.conflicts == (Conflict(images[1], ("pear",), ("apple",)),)
    assert stored(project) == {images[0]: ["apple"], images[1]: ["pear"], images[2]: ["apple"]}
    assert session.rows(images[1:2])[0]["labels"] == ["pear"]  # theirs is shown now
    assert session.assign(images[1:2], "apple").conflicts == ()  # and can be changed deliberately


def test_the_page_s_revision_counts_where_it_gives_one(project: Project, session: LabellingSession) -> None:
    image = named(session, 1)
    seen = {image[0]: session.rows(image)[0]["revision"]}
    another(project, "ben").assign(image, "pear")
    session.follow()  # the session has received the change, the page has not
    assert len(session.assign(image, "apple", revisions=seen).conflicts) == 1
    # a request repeated because its response was lost is not a conflict
    assert session.assign(image, "pear", revisions=seen).conflicts == ()


def test_edits_of_others_are_followed(project: Project, session: LabellingSession) -> None:
    ben = another(project, "ben")
    image = named(session, 7)
    assert session.follow() == set()
    ben.assign(image, "pear")
    assert session.follow() == set(image)
    assert session.rows(image)[0]["labels"] == ["pear"]
    assert session.annotators() == ["ben"]
    assert session.follow() == set()
    project.labels.rename("pear", "quince")
    session.follow()
    assert session.rows(image)[0]["labels"] == ["quince"]
    project.remove("train", image)
    session.follow()
    assert session.rows(image) == []
    assert len(session.table) == 29
    assert session.table.by_status == {"unlabelled": 29, "labelled": 0}


def test_new_predictions_are_followed_without_reading_the_images_again(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = named(session, 7)
    frame = pd.DataFrame({"image": image, "label": "pear", "confidence": [0.6]})
    project.add_predictions(frame, model="m")
    before = session.label_state()
    monkeypatch.setattr(SqlStore, "tables", lambda *_, **__: pytest.fail("the images were read again"))
    assert session.follow() == set()
    assert session.rows(image)[0]["predicted"] == ["pear", 0.6]
    assert session.label_state() != before  # pages show them


def test_new_images_appear_after_following(project: Project, session: LabellingSession, tmp_path) -> None:
    from PIL import Image

    Image.new("RGB", (20, 20), "red").save(tmp_path / "new.png")
    view = session.show(Query())
    project.add_images(tmp_path / "new.png", progress=False)
    session.follow()
    assert len(session.table) == 31
    assert len(view) == 30  # a settled view stays
    assert len(session.show(Query())) == 31


def test_invalid_images_labels_and_values_are_refused(project: Project, session: LabellingSession) -> None:
    with pytest.raises(InputError, match=r"'elsewhere\.jpg' is not in the train set"):
        session.assign(["elsewhere.jpg"], "apple")
    with pytest.raises(LabelError):
        session.assign(named(session, 1), "  ")
    with pytest.raises(InputError, match="status='done'"):
        session.set_status(named(session, 1), "done")
    with pytest.raises(InputError, match="split='valid'"):
        session.open("valid")
    with pytest.raises(InputError, match="Instructions"):
        session.set_instructions("x" * 30_000)


def test_an_image_that_was_removed_meanwhile_is_left_out(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2)
    project.remove("train", images[:1])
    assert session.assign(images, "apple").images == (images[1],)
    assert [row["name"] for row in session.rows(images)] == images[1:]


def test_undo_after_removal_is_refused_with_a_message(project: Project, session: LabellingSession) -> None:
    images = named(session, 1)
    session.assign(images, "apple")
    project.remove("train", images)
    with pytest.raises(NotAllowedError, match="no longer in the dataset"):
        session.undo()


def test_predictions_are_shown_until_a_label_is_given_and_can_be_accepted(
    project: Project, session: LabellingSession
) -> None:
    images = named(session, 1, 2, 3)
    frame = pd.DataFrame({"image": [*images[:2], images[1]], "label": ["apple", "pear", "apple"]})
    project.add_predictions(frame.assign(confidence=[0.9, 0.6, 0.3]), model="m")
    session.follow()
    assert [row["predicted"] for row in session.rows(images)] == [["apple", 0.9], ["pear", 0.6], None]
    session.assign(images[:1], "pear")
    session.accept_predictions(images)
    assert stored(project) == {images[0]: ["pear"], images[1]: ["pear"]}
    order = session.show(Query(sort="uncertainty")).order
    assert [session.table.names[at] for at in order[:2]] == [images[1], images[0]]
    assert [session.table.names[at] for at in session.show(Query(predicted="pear")).order] == [images[1]]


def test_a_predicted_box_is_no_label_of_the_whole_image(project: Project, session: LabellingSession) -> None:
    images = named(session, 1, 2)
    box = {"left": 1, "top": 2, "width": 3, "height": 4}
    rows = [
        {"image": images[0], "label": "apple", "confidence": 0.9, **box},
        {"image": images[1], "label": "apple", "confidence": 0.9, **box},
        {"image": images[1], "label": "pear", "confidence": 0.4},
    ]
    project.add_predictions(pd.DataFrame(rows), model="m")
    session.follow()
    shown = [(row["predicted"], row["predicted_drawn"]) for row in session.rows(images)]
    assert shown == [(["apple", 0.9], True), (["pear", 0.4], False)]
    session.accept_predictions(images)
    assert stored(project) == {images[1]: ["pear"]}
    assert session.row(images[0])["status"] == "unlabelled"


def test_concurrent_threads_lose_no_edit(project: Project, session: LabellingSession) -> None:
    session.set_task("multi-label")
    images = named(session, *range(20))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(session.assign, [image], label) for image in images for label in ("apple", "pear")]
        assert all(not job.result().conflicts for job in jobs)
    assert stored(project) == each(images, "apple", "pear")


def test_labels_and_instructions_are_in_the_state(project: Project, session: LabellingSession) -> None:
    state = session.label_state()
    assert session.add_label(" plum ") == "plum"
    assert session.add_label("plum") == "plum"
    assert list(project.labels) == ["apple", "pear", "plum"]
    assert session.label_state() != state
    session.set_instructions("Ripe only. See https://example.org")
    assert project.instructions == session.instructions == "Ripe only. See https://example.org"
    assert session.task == "single-label"


def test_data_has_the_ipyannotations_format(session: LabellingSession) -> None:
    image = named(session, 1)[0]
    assert session.data_of(image) is None
    session.assign([image], "apple")
    assert session.data_of(image) == "apple"
    session.set_task("multi-label")
    assert session.data_of(image) == ["apple"]


def test_findings_of_imports_and_of_pictures_that_cannot_be_shown(project: Project, session: LabellingSession) -> None:
    image = named(session, 1)[0]
    assert session.findings(image) == ()
    session.note_broken(image, "the file is truncated.")
    assert session.rows([image])[0]["findings"] == [["IMAGE_UNUSABLE", "the file is truncated."]]
    assert [session.table.names[at] for at in session.show(Query(show="errors")).order] == [image]


def test_selected_is_a_table(session: LabellingSession) -> None:
    images = named(session, 3, 1)
    session.assign(images[:1], "apple")
    frame = session.selected(images)
    assert set(frame["image"]) == set(images)
    assert frame.set_index("image")["label"].to_dict()[images[0]] == "apple"
    assert frame.set_index("image")["label"].isna()[images[1]]
    assert session.selected([]).empty


def test_an_old_view_is_refused_after_a_few_others(session: LabellingSession) -> None:
    first = session.show(Query())
    for random_state in range(6):
        session.show(Query(random_state=random_state))
    with pytest.raises(OutdatedError):
        session.view_numbered(first.number)


def test_table_equals_the_store_after_each_edit(project: Project, store: SqlStore) -> None:
    session = ReviewSession(store, project.root, user="anna")
    one, two, three = named(session, 1, 2, 3)
    edits: list[Callable[[], object]] = [
        lambda: session.assign([one, two], "apple"),
        lambda: session.assign([two], "pear"),
        lambda: session.assign([one, two], "pear"),  # only one of them changes
        lambda: session.set_labels([three], ["apple", "pear"]),
        lambda: session.assign([three], "apple", on=False),
        lambda: session.approve([one, three]),
        lambda: session.correct([three], "apple"),
        lambda: session.set_status([two], "skipped"),
        lambda: session.clear([one, two]),
        lambda: session.reject([three]),
        session.undo,
        session.redo,
    ]
    for edit in edits:
        edit()
        assert session.table == ReviewTable.read(store, "train")


@pytest.mark.parametrize("change", ["rename", "merge", "remove"])
def test_edit_does_not_restore_a_removed_label(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    change_labels: dict[str, Callable[[], object]] = {
        "rename": lambda: project.labels.rename("apple", "quince"),
        "merge": lambda: project.labels.merge("apple", into="pear"),
        "remove": lambda: project.labels.remove("apple", with_annotations=True),
    }
    images = named(session, 1, 2)
    session.assign(images[1:], "apple")
    read = SqlStore.tables

    def changed_after_reading(*args: Any, **options: Any) -> object:
        found = read(*args, **options)
        monkeypatch.undo()
        change_labels[change]()
        return found

    monkeypatch.setattr(SqlStore, "tables", changed_after_reading)
    with pytest.raises(LabelError, match="'apple' no longer exists"), session.giving("apple"):
        session.assign(images, "apple")
    assert "apple" not in project.labels
    assert images[0] not in stored(project)
    session.follow()
    session.assign(images, "pear")
    assert stored(project) == each(images, "pear")


def test_accepting_a_prediction_does_not_restore_a_renamed_label(project: Project, session: LabellingSession) -> None:
    (image,) = named(session, 1)
    session.assign([image], "apple")
    session.set_labels([image], [])
    project.add_predictions(pd.DataFrame({"image": [image], "label": "apple", "confidence": 0.9}), model="m")
    session.follow()
    project.labels.rename("apple", "quince")
    with pytest.raises(LabelError, match="'apple' no longer exists"):
        session.accept_predictions([image])
    assert "apple" not in project.labels


def test_predictions_come_back_when_the_removal_of_their_label_is_undone(
    project: Project, session: LabellingSession
) -> None:
    images = named(session, 1, 2)
    session.assign(images[1:], "apple")
    project.add_predictions(pd.DataFrame({"image": images[:1], "label": "apple", "confidence": 0.9}), model="m")
    session.follow()
    project.labels.remove("apple", with_annotations=True)
    session.follow()
    assert [row["predicted"] for row in session.rows(images[:1])] == [None]
    project.undo()
    session.follow()
    assert [row["predicted"] for row in session.rows(images[:1])] == [["apple", 0.9]]
