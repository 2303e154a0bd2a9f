"""Tests of the review: approve, correct, reject, and the recorded decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import REVIEWED, is_reviewed
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.labeling.image_table import Prediction
from customlabels_nb.labeling.review import NO_LABEL, ReviewQuery, ReviewSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import Action, SqlStore, VersionRecord
from tests.labeling.conftest import another, named
from tests.tiers import many


@pytest.fixture
def labelled(project: Project) -> Project:
    """Label 0–4 as apples by anna and 5–7 as pears by ben, 8 needs review, 9 is empty, the others unlabelled."""
    anna, ben = another(project, "anna"), another(project, "ben")
    anna.assign(named(anna, *range(5)), "apple")
    ben.assign(named(ben, 5, 6, 7), "pear")
    ben.assign(named(ben, 8), "pear")
    ben.set_status(named(ben, 8), "needs_review")
    ben.set_status(named(ben, 9), "labelled")
    return project


@pytest.fixture
def review(labelled: Project) -> ReviewSession:
    return reviewer(labelled)


def reviewer(project: Project, user: str = "rita") -> ReviewSession:
    return ReviewSession(open_project_store(project.root), project.root, user=user)


def shown(review: ReviewSession, **query: Any) -> list[int]:
    view = review.show(ReviewQuery(**{"sort": "name", **query}))
    return [int(Path(review.table.names[at]).stem) for at in view.order]


def predict(project: Project, predictions: dict[str, tuple[str, float]]) -> None:
    """Store predictions by image."""
    frame = pd.DataFrame(
        [(image, label, confidence) for image, (label, confidence) in predictions.items()],
        columns=["image", "label", "confidence"],
    )
    project.add_predictions(frame, model="m")


def test_labelled_images_are_reviewed_by_label(review: ReviewSession) -> None:
    assert shown(review) == list(range(10))
    assert shown(review, label="pear") == [5, 6, 7, 8]
    assert shown(review, label=NO_LABEL) == [9]
    assert shown(review, show="needs_review") == [8]
    assert shown(review, annotator="anna") == [0, 1, 2, 3, 4]
    assert shown(review, show="reviewed") == []
    assert review.progress() == {"left": 10, "done": 0, "by_label": {"apple": 5, "pear": 4, NO_LABEL: 1}}
    row = review.rows(named(review, 5))[0]
    assert (row["by"], row["reviewed"], row["agrees"]) == (["ben"], False, None)
    assert pd.Timestamp(row["when"]).date() == pd.Timestamp.now("UTC").date()
    assert review.rows(named(review, 20))[0]["when"] is None


def test_approval_is_stored_and_shown(labelled: Project, review: ReviewSession) -> None:
    images = named(review, 5, 8)
    before = labelled.train_set.annotations
    outcome = review.approve(images)
    assert (set(outcome.images), outcome.conflicts) == (set(images), ())
    assert shown(review, label="pear") == [6, 7]
    assert shown(review, show="reviewed") == [5, 8]
    assert review.progress() == {"left": 8, "done": 2, "by_label": {"apple": 5, "pear": 2, NO_LABEL: 1}}
    stored = labelled.train_set.images.set_index("image").loc[images]
    assert stored["status"].tolist() == ["labelled"] * 2
    assert stored["tags"].tolist() == [[REVIEWED]] * 2
    newest = labelled.history.iloc[0]
    assert (newest["what"], newest["who"], newest["count"]) == ("approve", "rita", 2)
    assert set(newest["after"]) == set(images)
    pd.testing.assert_frame_equal(labelled.train_set.annotations, before)  # its annotator and time stay
    assert reviewer(labelled).progress()["done"] == 2  # another session, later
    # a second time has no effect
    review.approve(images)
    assert labelled.history.iloc[0]["id"] == newest["id"]


def test_unlabelled_images_are_not_approved(labelled: Project, review: ReviewSession) -> None:
    images = named(review, 3, 20)
    review.approve(images)
    assert [row["reviewed"] for row in review.rows(images)] == [True, False]
    assert [row["status"] for row in review.rows(images)] == ["labelled", "unlabelled"]


def test_corrections_name_the_annotator(labelled: Project, review: ReviewSession) -> None:
    image = named(review, 1)
    review.correct(image, "pear")
    row = review.rows(image)[0]
    assert (row["labels"], row["by"], row["reviewed"], row["status"]) == (["pear"], ["rita"], True, "labelled")
    assert labelled.history.iloc[0]["what"] == "correct to pear"
    assert review.progress() == {"left": 9, "done": 1, "by_label": {"apple": 4, "pear": 4, NO_LABEL: 1}}
    # an image that already has the label keeps its annotator
    review.correct(named(review, 6), "pear")
    assert review.rows(named(review, 6))[0]["by"] == ["ben"]
    with pytest.raises(LabelError):
        review.correct(image, " ")


def test_rejected_images_are_in_the_queue_again_and_history_has_their_labels(
    labelled: Project, review: ReviewSession
) -> None:
    images = named(review, 0, 1, 2, 3, 8)
    review.approve(images[:1])
    review.reject(images)
    rows = review.rows(images)
    assert [row["labels"] for row in rows] == [[]] * 5
    assert {row["status"] for row in rows} == {"unlabelled"}
    assert shown(review) == [4, 5, 6, 7, 9]
    assert review.progress()["done"] == 0
    queue = labelled.train_set.images.query("status == 'unlabelled'")
    assert set(images) <= set(queue["image"])
    assert not queue["tags"].map(bool).any()
    newest = labelled.history.iloc[0]
    assert (newest["what"], newest["who"], newest["count"]) == ("reject", "rita", 5)
    assert "apple" in str(newest["before"][images[0]])
    review.undo()
    assert shown(review) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert review.rows(images[:1])[0]["reviewed"]
    review.redo()
    assert shown(review) == [4, 5, 6, 7, 9]


def test_project_undo_reverts_a_review(labelled: Project, review: ReviewSession) -> None:
    image = named(review, 2)
    review.reject(image)
    labelled.undo(int(labelled.history.iloc[0]["id"]))
    review.follow()
    assert review.rows(image)[0]["labels"] == ["apple"]


def test_label_changes_remove_the_review(labelled: Project, review: ReviewSession) -> None:
    images = named(review, 0, 1, 2, 3, 4)
    review.approve(images)
    anna = another(labelled, "anna")
    anna.assign(images[:1], "pear")
    anna.set_status(images[1:2], "skipped", remove_labels=True)
    labelled.update("train", pd.DataFrame({"image": images[2:3], "label": ["pear"]}))
    labelled.update("train", labelled.train_set.relabel("pear", lambda table: table["image"] == images[3]))
    labelled.labels.rename("apple", "crab")  # only a name changes: the fifth stays reviewed
    review.follow()
    assert [row["reviewed"] for row in review.rows(images)] == [False, False, False, False, True]
    tags = labelled.train_set.images.set_index("image")["tags"]
    assert [tags[name] for name in images] == [[], [], [], [], [REVIEWED]]
    # correcting a reviewed image keeps it reviewed
    review.correct(images[4:], "pear")
    assert review.rows(images[4:])[0]["reviewed"]


def test_marking_done_does_not_approve_images_that_need_review(
    labelled: Project, store: SqlStore, review: ReviewSession
) -> None:
    image = named(review, 0)
    review.approve(image)
    images, annotations, _ = store.tables("train", images=image)
    store.update_images("train", images.assign(status="needs_review"), annotations, Action("new label", "anna"))
    review.follow()
    assert not review.rows(image)[0]["reviewed"]
    another(labelled, "anna").set_status(image, "labelled")
    review.follow()
    assert not review.rows(image)[0]["reviewed"]


def test_entries_written_over_reviewed_images_have_to_be_reviewed_again(labelled: Project) -> None:
    review = reviewer(labelled)
    image = named(review, 0)
    review.approve(image)
    metadata = {
        "confidence": 1,
        "class-name": "pear",
        "human-annotated": "yes",
        "creation-date": "2024-01-01T00:00:00",
        "type": "groundtruth/image-classification",
    }
    line = {"source-ref": image[0], "l": 1, "l-metadata": metadata}
    labelled.update_entries("train", [line], progress=False)
    assert not is_reviewed(labelled.train_set.images).any()


def test_user_tags_are_kept(labelled: Project, store: SqlStore, review: ReviewSession) -> None:
    image = named(review, 0)
    data = labelled.train_set
    tags = [
        ["ripe"] if name == image[0] else own
        for name, own in zip(data.images["image"], data.images["tags"], strict=True)
    ]
    store.update_images("train", data.images.assign(tags=tags), data.annotations, Action("tag", "anna"))
    review.follow()
    review.approve(image)
    review.reject(image)
    assert labelled.train_set.images.set_index("image")["tags"][image[0]] == ["ripe"]


def test_truth_and_prediction_are_shown_together(labelled: Project, review: ReviewSession) -> None:
    by_number = named(review, *range(10))
    said = {
        0: ("apple", 0.9),
        1: ("pear", 0.6),
        2: ("pear", 0.95),
        3: ("apple", 0.4),
        5: ("pear", 0.7),
        9: ("pear", 0.5),
    }
    predict(labelled, {by_number[number]: prediction for number, prediction in said.items()})
    review.follow()
    assert review.predictions[by_number[1]] == Prediction("pear", 0.6)
    assert [row["agrees"] for row in review.rows(by_number[:5])] == [True, False, False, True, None]
    assert shown(review, show="disagrees") == [1, 2, 9]
    # most confident in another label first, then least confident in this one, then those without predictions
    order = shown(review, sort="doubt")
    assert order[:6] == [2, 1, 9, 3, 5, 0]
    assert set(order[6:]) == {4, 6, 7, 8}
    review.approve(by_number[2:3])
    assert shown(review, show="disagrees") == [1, 9]
    assert shown(review, show="reviewed", sort="doubt") == [2]
    assert shown(review, predicted="pear", label="apple") == [1]


def test_the_latest_labelled_come_first(labelled: Project, review: ReviewSession) -> None:
    another(labelled, "anna").assign(named(review, 3), "pear")
    review.follow()
    assert shown(review, sort="newest")[0] == 3


def test_several_labels_are_reviewed(labelled: Project, review: ReviewSession) -> None:
    review.set_task("multi-label")
    one, two = named(review, 0, 1)
    review.correct_toggling([one], "pear")
    assert review.rows([one])[0]["labels"] == ["apple", "pear"]
    review.correct_toggling([one], "apple")
    assert review.rows([one])[0]["labels"] == ["pear"]
    assert labelled.history.iloc[0]["what"] == "correct: not apple"
    review.correct_toggling([one], "pear")  # no label left: it cannot have been reviewed
    assert (review.rows([one])[0]["status"], review.rows([one])[0]["reviewed"]) == ("unlabelled", False)
    review.set_labels([two], ["apple", "pear"])
    review.correct([two], "plum", instead_of="apple")
    assert sorted(review.rows([two])[0]["labels"]) == ["pear", "plum"]


def test_without_a_task_a_correction_replaces_the_label_until_an_image_has_several(
    tmp_path: Path, photos: Path
) -> None:
    bare = create_project("bare", tmp_path)
    bare.add_images(photos, label="apple", progress=False)
    bare.labels.add("pear")
    review = reviewer(bare)
    one, two = named(review, 0, 1)
    for _ in range(2):
        review.correct_toggling([one], "pear")
        assert review.rows([one])[0]["labels"] == ["pear"]
    review.set_labels([two], ["apple", "pear"])
    assert not review.assigns_one
    review.correct_toggling([one], "apple")
    assert review.rows([one])[0]["labels"] == ["pear", "apple"]
    review.reject([one, two])
    assert review.assigns_one


def boxes(project: Project, image: str, *labels: str) -> None:
    rows = [(image, label, 1.0 + at, 2.0, 9.0, 8.0) for at, label in enumerate(labels)]
    project.update("train", pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"]))


def test_corrected_boxes_keep_their_position(labelled: Project, review: ReviewSession) -> None:
    review.set_task("boxes")
    one, two = named(review, 20, 21)
    boxes(labelled, one, "apple", "apple")
    boxes(labelled, two, "apple", "pear")
    review.follow()
    review.correct([one], "pear")
    own = labelled.train_set.annotations.query("image == @one")
    assert own[["label", "left"]].values.tolist() == [["pear", 1.0], ["pear", 2.0]]
    assert review.rows([one])[0]["reviewed"]
    with pytest.raises(InputError, match="several labels"):
        review.correct([one, two], "plum")
    review.correct([two], "plum", instead_of="pear")
    assert review.rows([two])[0]["boxes"] == ["apple", "plum"]
    review.reject([one])
    assert (review.rows([one])[0]["boxes"], review.rows([one])[0]["status"]) == ([], "unlabelled")


def test_images_changed_meanwhile_are_not_approved(labelled: Project, review: ReviewSession) -> None:
    image = named(review, 0)
    seen = {image[0]: review.rows(image)[0]["revision"]}
    another(labelled, "anna").assign(image, "pear")
    outcome = review.approve(image, revisions=seen)
    assert (outcome.images, outcome.conflicts[0].theirs) == ((), ("pear",))
    assert (review.rows(image)[0]["labels"], review.rows(image)[0]["reviewed"]) == (["pear"], False)
    assert review.approve(image).conflicts == ()  # but can be deliberately
    # a second reviewer's repetition of the first one's decision changes nothing
    assert reviewer(labelled, "ruth").approve(image, revisions=seen).conflicts == ()


@pytest.mark.parametrize("wrong", [{"show": "unlabelled"}, {"sort": "uncertainty"}, {"label": 3}, {"random_state": -1}])
def test_invalid_queries_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        ReviewQuery(**wrong)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["approve", "apple", "pear", "reject", "gallery", "undo", "redo", "skip"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    ),
    max_size=12,
)


@settings(max_examples=many(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_counts_equal_those_of_a_new_session(labelled: Project, steps: list[tuple[str, list[int]]]) -> None:
    review = reviewer(labelled)
    for step, numbers in steps:
        images = named(review, *numbers)
        if step in ("undo", "redo"):
            getattr(review, step)()
        elif step in ("approve", "reject"):
            getattr(review, step)(images)
        elif step == "skip":
            review.set_status(images, "skipped")
        elif step == "gallery":
            another(labelled, "anna").assign(images, "apple")
            review.follow()
        else:
            review.correct(images, step)
    fresh = reviewer(labelled)
    assert review.progress() == fresh.progress()
    assert [review.row(name) for name in review.table.names] == [fresh.row(name) for name in review.table.names]
    told = is_reviewed(labelled.train_set.images)
    assert int(told.sum()) == review.progress()["done"]


# -- cross-fitted predictions -------------------------------------------------------------------------
def test_doubt_is_about_predictions_of_models_that_have_not_seen_the_image(labelled: Project, store: SqlStore) -> None:
    predict(labelled, dict.fromkeys(named(reviewer(labelled), 0, 1), ("apple", 0.99)))
    images = named(reviewer(labelled), *range(10))
    stored = t.normalise_annotations(pd.DataFrame({"image": images, "label": "apple", "confidence": 0.9}))
    now = datetime.now(UTC)
    version = VersionRecord("v1", "TRAINING_COMPLETED", "", "versions/v1", now, now)
    store.add_version(version, Action("train", "anna"))
    store.replace_predictions("v1", stored.assign(model="v1"), Action("predict", "anna"))
    held_out = pd.DataFrame(
        [(images[n], label, sure) for n, label, sure in [(1, "pear", 0.8), (2, "pear", 0.7), (5, "pear", 0.6)]],
        columns=["image", "label", "confidence"],
    )
    review = ReviewSession(store, labelled.root, cross_fitted=lambda: held_out)
    # 0 and 1 have predictions of a model from elsewhere, 3 and 4 and 6–9 only those of a version
    assert {n: review.predictions[images[n]].label for n in (0, 1, 2, 3, 5, 6)} == {
        0: "apple", 1: "apple", 2: "pear", 3: "apple", 5: "pear", 6: "apple",
    }  # fmt: skip
    assert shown(review, sort="doubt") == [6, 7, 8, 9, 2, 5, 3, 4, 0, 1]
    assert shown(review, show="disagrees") == [2, 6, 7, 8, 9]
    review.open("test")
    assert review.predictions == {}
