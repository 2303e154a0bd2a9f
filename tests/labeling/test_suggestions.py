"""Tests of rejected annotations, which are suggested to the next person and count for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.crops import CropQuery, CropSession
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.review import CorrectingSession, ReviewSession
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore
from tests.labeling.conftest import another, named
from tests.tiers import many

LOOSE = "boxes are loose"
BOX = {"left": 4.0, "top": 3.0, "width": 20.0, "height": 12.5}


@pytest.fixture
def drawn(project: Project) -> Project:
    """Give image 0 two boxes, image 1 a label and image 2 none, and predict a pear for the three."""
    project.task = "boxes"
    ann = DrawingSession(open_project_store(project.root), project.root, user="ann")
    zero, one, two = named(ann, 0, 1, 2)
    ann.set_shapes(zero, [Shape("apple", **BOX), Shape("pear", **{**BOX, "left": 20})])
    ann.assign([one], "apple")
    project.add_predictions(pd.DataFrame({"image": [zero, one, two], "label": "pear", "confidence": 0.9}), model="m")
    return project


def reviewer(project: Project) -> ReviewSession:
    return ReviewSession(open_project_store(project.root), project.root, user="rita")


def drawing(project: Project, user: str = "bob") -> DrawingSession:
    return DrawingSession(open_project_store(project.root), project.root, user=user)


def test_rejected_annotations_are_suggested_with_the_reason_instead_of_predictions(drawn: Project) -> None:
    review, bob = reviewer(drawn), drawing(drawn)
    zero, one = named(review, 0, 1)
    before = bob.shapes(zero)["shapes"]
    review.reject([zero, one], reason=f" {LOOSE} ")
    for session in (review, bob, another(drawn, "carl")):
        session.follow()
        row = session.row(zero)
        assert (row["status"], row["boxes"], row["prelabels"]) == ("unlabelled", [], [])
        assert row["rejected"] == {"by": "rita", "reason": LOOSE}
        assert (row["predicted"], row["predicted_drawn"]) == (["apple", 1.0], True)
        assert session.row(one)["prelabels"] == [["apple", 1.0]]
        assert session.row(one)["predicted"] is None
    shown = bob.shapes(zero)
    assert [{**shape, "crowd": False} for shape in shown["predictions"]] == before
    assert shown["rejected"] == {"by": "rita", "reason": LOOSE}
    assert drawn.train_set.predictions.empty
    assert set(open_project_store(drawn.root).predictions("train")["model"]) == {"m"}
    assert drawn.train_set.annotations.empty
    # the next person takes them over, which ends the suggestion
    bob.accept_predictions([one])
    bob.set_shapes(zero, [Shape("apple", **BOX)])
    assert (bob.row(one)["labels"], bob.row(one)["rejected"], bob.row(zero)["rejected"]) == (["apple"], None, None)
    bob.undo()
    assert bob.row(zero)["rejected"] == {"by": "rita", "reason": LOOSE}
    assert bob.shapes(zero)["predictions"] == shown["predictions"]


def test_suggestions_are_shown_on_test_images_which_are_labelled_without_models(drawn: Project) -> None:
    zero = named(reviewer(drawn), 0)
    open_project_store(drawn.root).move_images(zero, "train", "test", Action("move", "ann"))
    review = ReviewSession(open_project_store(drawn.root), drawn.root, "test", user="rita")
    review.reject(zero)
    bob = DrawingSession(open_project_store(drawn.root), drawn.root, "test", user="bob")
    assert bob.row(zero[0])["rejected"] == {"by": "rita", "reason": ""}
    assert len(bob.shapes(zero[0])["predictions"]) == 2


def test_rejecting_again_replaces_the_suggestions(drawn: Project) -> None:
    review, bob = reviewer(drawn), drawing(drawn)
    zero = named(review, 0)
    review.reject(zero, reason=LOOSE)
    bob.follow()
    bob.set_shapes(zero[0], [Shape("plum", **BOX)])
    review.follow()
    review.reject(zero, reason="wrong label")
    bob.follow()
    assert [shape["label"] for shape in bob.shapes(zero[0])["predictions"]] == ["plum"]
    assert bob.row(zero[0])["rejected"]["reason"] == "wrong label"


def test_a_reason_becomes_a_note_only_on_an_image_without_annotations(drawn: Project) -> None:
    review = reviewer(drawn)
    zero, one, two = named(review, 0, 1, 2)
    review.set_note([zero], "dark")
    review.set_status([two], "labelled")
    review.reject([zero])
    review.reject([one, two], reason=LOOSE)
    reasons = [(review.row(name)["rejected"] or {}).get("reason") for name in (zero, one, two)]
    assert reasons == ["", LOOSE, None]
    assert [review.row(name)["note"] for name in (zero, one, two)] == ["dark", "", LOOSE]
    assert drawn.history["note"].tolist()[:2] == [LOOSE, ""]
    bob = drawing(drawn)
    bob.set_shapes(zero, [Shape("apple", **BOX)])
    assert (bob.row(zero)["note"], bob.row(zero)["rejected"]) == ("dark", None)


def test_labels_are_removed_without_suggestions(drawn: Project) -> None:
    review = reviewer(drawn)
    zero = named(review, 0)
    review.approve(zero)
    review.remove_labels(zero)
    row = review.row(zero[0])
    assert (row["status"], row["boxes"], row["reviewed"], row["rejected"]) == ("unlabelled", [], False, None)
    assert drawn.history.iloc[0]["what"] == "remove labels"
    review.undo()
    assert review.row(zero[0])["reviewed"]


def test_rejected_boxes_are_crops_that_are_accepted_one_by_one(drawn: Project) -> None:
    zero = named(reviewer(drawn), 0)
    reviewer(drawn).reject(zero, reason=LOOSE)
    crops = CropSession(open_project_store(drawn.root), drawn.root, user="bob")
    assert crops.can_crop
    view = crops.show(CropQuery(sort="added"))
    names = crops.images_at([(0, len(view) - 1)])
    assert [crops.row(name)["predicted"][0] for name in names] == ["apple", "pear"]
    assert crops.row(names[0])["rejected"] == {"by": "rita", "reason": LOOSE}
    crops.accept_suggestions(names[:1])
    assert [crops.row(name)["status"] for name in names] == ["confirmed", "predicted"]
    assert [crops.row(name)["rejected"] is None for name in names] == [True, False]
    crops.accept_suggestions(names[1:])
    assert crops.table.statuses[crops.table.position[zero[0]]] == "labelled"
    assert drawn.train_set.annotations["left"].notna().sum() == 2


def test_suggestions_come_back_when_the_annotator_takes_accepted_shapes_back(drawn: Project) -> None:
    (zero,) = named(reviewer(drawn), 0)
    reviewer(drawn).reject([zero], reason=LOOSE)
    bob = drawing(drawn)
    offered = bob.shapes(zero)["predictions"]
    bob.set_shapes(zero, [Shape(offered[0]["label"], *(offered[0][side] for side in BOX_COLUMNS))])
    assert bob.row(zero)["rejected"] is None
    bob.set_shapes(zero, [], status="unlabelled")
    assert bob.shapes(zero)["predictions"] == drawing(drawn).shapes(zero)["predictions"] == offered
    bob.set_shapes(zero, [Shape("plum", **BOX)])
    reviewer(drawn).remove_labels([zero])  # these are settled
    assert drawing(drawn).row(zero)["rejected"] is None


def test_images_corrected_by_a_reviewer_are_reviewed(drawn: Project) -> None:
    review = reviewer(drawn)
    zero, two = named(review, 0, 2)
    session = CorrectingSession(open_project_store(drawn.root), drawn.root, user="rita")
    session.set_shapes(zero, [Shape("plum", **BOX)])
    session.set_shapes(two, [], status="unlabelled")
    review.follow()
    assert [review.row(name)["reviewed"] for name in (zero, two)] == [True, False]


@pytest.mark.parametrize("reason", ["x" * 1001, "a\0b", None])
def test_a_reason_is_a_short_text(drawn: Project, reason: Any) -> None:
    review = reviewer(drawn)
    with pytest.raises(InputError, match="must be text of at most 1,000 characters"):
        review.reject(named(review, 0), reason=reason)


def test_names_of_models_do_not_pretend_to_be_rejections(drawn: Project) -> None:
    rows = pd.DataFrame({"image": named(reviewer(drawn), 0), "label": "pear", "confidence": 0.9})
    with pytest.raises(InputError, match="must not start with 'rejected by '"):
        drawn.add_predictions(rows, model="rejected by ann")


# -- generated histories ------------------------------------------------------------------------------
def everything(store: SqlStore) -> dict[str, Any]:
    """Return what undo must restore."""
    tables = {
        "images": store.images("train").drop(columns="revision"), "annotations": store.annotations("train"),
        "suggestions": store.suggestions("train"), "predictions": store.predictions("train"), "labels": store.labels(),
    }  # fmt: skip
    return {name: table.astype(object).where(table.notna(), None).to_dict("records") for name, table in tables.items()}


def check_nothing_counts(project: Project, store: SqlStore, folder: Path) -> None:
    """Check that suggestions are in no table, number or file but their own."""
    data, statistics = project.train_set, store.statistics("train")
    counts = data.annotations["label"].value_counts().to_dict()
    assert store.label_uses().set_index("label")["annotations"].to_dict() == {
        label: counts.get(label, 0) for label in store.labels()["label"]
    }
    assert statistics.total_boxes == data.annotations["left"].notna().sum()
    assert statistics.labelled_entries == (data.images["status"] == "labelled").sum()
    assert data.predictions.empty
    predictions = store.predictions("train")
    assert set(predictions["model"]) <= {"m"}
    outline = store.outline_images()
    assert outline["predicted"].sum() == predictions["image"].nunique()
    data.to("csv", folder / "labels.csv")
    exported = pd.read_csv(folder / "labels.csv")
    assert exported[exported.columns[1]].notna().sum() == len(data.annotations)
    rows = LabellingSession(store, project.root).rows(data.images["image"])
    assert all(row["rejected"] is None for row in rows if row["status"] == "labelled")


STEP = st.tuples(
    st.sampled_from(["label", "draw", "reject", "reject", "accept", "rename", "merge", "undo", "undo", "redo"]),
    st.integers(0, 2), st.integers(0, 3),
)  # fmt: skip


def steps_of(project: Project, bob: DrawingSession, review: ReviewSession) -> dict[str, Callable[[str, int], object]]:
    """Return the steps of a history, as functions of an image and a number."""

    def accept(image: str, number: int) -> object:
        shapes = [
            Shape(shape["label"], *(shape[side] for side in BOX_COLUMNS)) for shape in bob.shapes(image)["predictions"]
        ]
        return bob.set_shapes(image, shapes) if shapes else bob.accept_predictions([image])

    def label(number: int) -> str:
        return list(project.labels)[number % len(project.labels)]

    def merge(image: str, number: int) -> object:
        first, second = label(number), label(number + 1)
        return None if first == second else project.labels.merge(first, into=second)

    return {
        "label": lambda image, number: bob.assign([image], label(number)),
        "draw": lambda image, number: bob.set_shapes(image, [Shape(label(number), **{**BOX, "left": number + 1.0})]),
        "reject": lambda image, number: review.reject([image], reason=["", LOOSE][number % 2]),
        "accept": accept,
        "rename": lambda image, number: project.labels.rename(label(number), f"new {len(project.history)}"),
        "merge": merge,
    }


@settings(
    max_examples=many(30), derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, min_size=5, max_size=14))
def test_undo_restores_suggestions_and_nothing_else_reads_them(
    drawn: Project, tmp_path: Path, steps: list[tuple[str, int, int]]
) -> None:
    store, bob, review = open_project_store(drawn.root), drawing(drawn), reviewer(drawn)
    do, images, me = steps_of(drawn, bob, review), named(bob, 0, 1, 2), Action("undo", "me")
    done: list[tuple[int, dict[str, Any], dict[str, Any]]] = []  # actions, with the states before and after
    undone: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
    for what, image, number in steps:
        before, last = everything(store), store.last_action()
        bob.follow()
        review.follow()
        if what in ("undo", "redo"):
            taken, given_back = (done, undone) if what == "undo" else (undone, done)
            if taken:
                action, start, end = taken.pop()
                given_back.append((store.undo(action, me).action or 0, end, start))
                assert everything(store) == start
        else:
            do[what](images[image], number)
            if store.last_action() != last:
                done.append((store.last_action(), before, everything(store)))
                undone.clear()
        check_nothing_counts(drawn, store, tmp_path)
    store.close()
