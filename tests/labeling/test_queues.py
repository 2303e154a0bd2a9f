"""Tests of the queues of assist in labelling sessions: order, cluster pages, prelabels, suspects."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError, NotAllowedError
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.review import ReviewQuery, ReviewSession
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore
from tests.labeling.conftest import another, named
from tests.labeling.fake_assist import FakeAssist, results

Session = LabellingSession


@pytest.fixture
def images(session: Session) -> list[str]:
    """Return the images called 0.png to 29.png."""
    return named(session, *range(30))


def opened(project: Project, assist: FakeAssist, kind: Any = LabellingSession) -> Any:
    return kind(open_project_store(project.root), project.root, user="anna", assist=assist)


def shown(session: Session, queue: str, **more: Any) -> list[int]:
    """Show a queue and return the numbers of its images."""
    view = session.show(session.query_type(queue=queue, **more))
    return [int(session.table.names[at].rsplit("/")[-1].removesuffix(".png")) for at in view.order]


def tags(project: Project, image: str) -> list[str]:
    rows = project.train_set.images.set_index("image")
    found: list[str] = rows.loc[image, "tags"]
    return found


def test_a_queue_has_the_unlabelled_images_in_its_order(project: Project, images: list[str]) -> None:
    assist = FakeAssist(results(images, prelabels=[(3, "apple", 0.9), (1, "pear", 0.99)]))
    session = opened(project, assist)
    session.assign(images[28:], "apple")
    assert shown(session, "assist") == [*range(28)][::-1]
    assert shown(session, "manual") == [n for n in range(28) if n not in (1, 3)][::-1]
    assert shown(session, "prelabelled") == [3, 1]
    assert shown(session, "prelabelled", search="1.png") == [1]
    # the order of an open view is fixed
    view = session.show(Query(queue="prelabelled"))
    another(project, "ben").assign(images[3:4], "pear")
    assist.results = results(images, prelabels=[(5, "pear", 0.9)], run=2)
    session.follow()
    assert len(session.view_numbered(view.number)) == 2
    assert shown(session, "prelabelled") == [5]


def test_queue_is_empty_until_results_exist(project: Project, images: list[str]) -> None:
    assist = FakeAssist()
    session = opened(project, assist)
    assert shown(session, "clustered") == shown(session, "assist") == []
    before = session.label_state()
    assert session.assist_state() == {
        "on": True, "trained": False, "version": 0, "test": False, "cluster": None, "guarantee": {}, "running": None,
    }  # fmt: skip
    assist.running = {"phase": "featurization", "done": 1, "total": 30, "stopping": False}
    assert session.label_state() != before  # the page shows the progress
    before = session.label_state()
    assist.results = results(images, pages=[[4, 5]])
    assert session.follow() == set()
    assert session.label_state() != before
    assert shown(session, "clustered") == [4, 5]
    assert opened(project, FakeAssist(on=False)).assist_state() is None


def test_a_guarantee_is_shown_only_with_the_results_of_its_run(
    project: Project, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(project, FakeAssist(results(images, run=2)))
    shown(session, "prelabelled")
    recorded = {"run": 1, "target": 0.95, "promise": {"shown": 60, "right": 60}, "evidence": None}
    monkeypatch.setattr(FakeAssist, "guarantee", property(lambda _: dict(recorded)))
    assert session.assist_state()["guarantee"] == {}  # the results of run 2 are stored before it is recorded
    recorded["run"] = 2
    assert session.assist_state()["guarantee"] == recorded


def test_the_test_set_is_labelled_without_help(project: Project, store: SqlStore, images: list[str]) -> None:
    assist = FakeAssist(results(images, prelabels=[(0, "pear", 0.9), (2, "apple", 0.9)]))
    session = opened(project, assist)
    store.move_images(images[:2], "train", "test", Action("move", "anna"))
    proposed = pd.DataFrame({"image": images[:1], "label": "pear", "confidence": 0.9})
    project.add_predictions(proposed, model="siglip2")  # before the images were moved
    session.open("test")
    for queue in ("assist", "prelabelled"):
        with pytest.raises(NotAllowedError, match="test set is labelled without"):
            session.show(Query(queue=queue))
    assert session.row(images[0])["prelabels"] == []
    assert session.row(images[0])["predicted"] is None
    session.assign(images[:1], "apple")
    assert project.test_set.images["tags"].tolist() == [[], []]
    session.undo()
    session.open("train")
    assert session.row(images[2])["prelabels"] == [["apple", 0.9]]
    assist.test = True
    session = opened(project, assist)
    session.open("test")
    assert shown(session, "prelabelled") == [0]
    assert session.row(images[0])["prelabels"] == [["pear", 0.9]]
    assert session.row(images[0])["predicted"] == ["pear", 0.9]


@pytest.mark.parametrize(("kind", "queue", "message"), [
    (Query, "suspect", r"project\.review"), (Query, "all", "one of"), (ReviewQuery, "manual", r"project\.label"),
])  # fmt: skip
def test_queue_opens_in_its_dataset(kind: Any, queue: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(queue=queue)


# -- clusters ---------------------------------------------------------------------------------------
def number(session: LabellingSession) -> tuple[int, int]:
    """Return the number of the shown cluster page, and the number of all."""
    cluster = session.queues.cluster
    assert cluster is not None
    return cluster["number"], cluster["of"]


def test_cluster_pages_come_one_after_the_other(project: Project, images: list[str]) -> None:
    assist = FakeAssist(results(images, pages=[[0, 1, 2], [3, 4], [5, 6, 7, 8]]))
    session = opened(project, assist)
    session.cluster_size = 3
    assert shown(session, "clustered") == [0, 1, 2]
    assert session.queues.cluster == {"number": 1, "of": 3, "alike": 0.96}
    session.assign(images[:2], "apple")
    assert shown(session, "clustered") == [0, 1, 2]  # the page stays
    session.leave_cluster(images[2:3], [])
    assert shown(session, "clustered") == [3, 4]
    assert number(session) == (2, 4)  # with the page of the image that was taken out
    session.leave_cluster([], images[3:5])  # not now
    assert shown(session, "clustered") == [5, 6, 7]
    assert number(session) == (3, 4)
    session.assign(images[5:9], "pear")
    session.leave_cluster([], [])
    assist.results = results(images, pages=[[0, 1, 2], [3, 4], [5, 6, 7, 8]], run=2)  # it stays alone after a training
    assert shown(session, "clustered") == [2]  # alone
    session.assign(images[2:3], "pear")
    session.leave_cluster([], [])
    assert shown(session, "clustered") == [3, 4]
    session.assign(images[3:5], "pear")
    session.leave_cluster([], [])
    assert shown(session, "clustered") == []
    session.undo()
    assert shown(session, "clustered", like=images[4]) == [3, 4]
    assert number(session) == (4, 4)
    assert (project.train_set.images["status"] == "skipped").sum() == 0


def test_each_cluster_page_is_followed_by_its_share_of_check_images(project: Project, images: list[str]) -> None:
    assist = FakeAssist(results(images, pages=[[*range(9)], [*range(9, 18)]], checks=[20, 21, 22, 23]))
    session = opened(project, assist)
    session.cluster_size = 9
    assert shown(session, "clustered") == [*range(9)]
    session.assign(images[:8], "apple")
    session.leave_cluster(images[8:9], [])
    assert shown(session, "clustered") == [23, 22]  # a quarter of 8 labels
    assert session.queues.cluster == {"check": True}
    assert session.row(images[23])["prelabels"] == []
    session.assign(images[23:24], "pear")
    session.leave_cluster([], [])
    assert shown(session, "clustered") == [*range(9, 18)]  # they are not asked again at once
    session.undo()
    assert shown(session, "clustered", like=images[23]) == [23]
    session.assign(images[23:24], "pear")
    session.leave_cluster([], [])
    assert shown(session, "clustered") == [*range(9, 18)]
    session.assign(images[9:18], "pear")
    session.leave_cluster([], [])
    assert shown(session, "clustered") == [22, 21]
    session.leave_cluster([], [])
    assert shown(session, "clustered") == [8]  # what was taken out


def test_a_page_is_one_action_and_one_undo(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, pages=[[*range(9)]])))
    session.cluster_size = 9
    shown(session, "clustered")
    session.assign(images[:8], "pear")
    assert (project.history["what"][0], project.history["count"][0]) == ("label pear", 8)
    assert session.undo().images == tuple(images[:8])
    assert project.train_set.annotations.empty


def test_single_view_uses_clusters_as_order(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, pages=[[9, 2], [4]])))
    assert shown(session, "clustered") == [9, 2, 4]


# -- prelabels --------------------------------------------------------------------------------------
def test_a_page_of_prelabels_is_accepted_in_one_action(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(0, "apple", 0.95), (1, "pear", 0.97)])))
    assert session.row(images[1])["prelabels"] == [["pear", 0.97]]
    actions = len(project.history)
    session.accept_predictions(images[:3])
    assert len(project.history) == actions + 1
    found = project.train_set.annotations
    assert dict(zip(found["image"], found["label"], strict=True)) == {images[0]: "apple", images[1]: "pear"}
    assert found["annotator"].tolist() == ["anna", "anna"]
    assert [tags(project, image) for image in images[:3]] == [["prelabelled"], ["prelabelled"], []]
    assert session.row(images[1])["prelabels"] == []
    session.undo()
    assert project.train_set.annotations.empty
    assert tags(project, images[0]) == []
    assert shown(session, "prelabelled") == [0, 1]


def test_accepted_and_corrected_prelabels_are_counted_separately(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(n, "apple", 0.95) for n in range(4)])))
    session.assign(images[:1], "pear")
    session.assign(images[1:2], "apple")
    session.assign(images[4:5], "apple")  # was not prelabelled
    assert [tags(project, images[n]) for n in (0, 1, 4)] == [["prelabel-corrected"], ["prelabelled"], []]
    session.assign(images[1:2], "pear")
    assert tags(project, images[1]) == ["prelabel-corrected"]
    session.clear(images[1:2])
    assert tags(project, images[1]) == []
    session.set_status(images[2:3], "skipped")
    assert tags(project, images[2]) == []
    session.accept_predictions(images[3:4])
    later = another(project, "ben")  # without these results
    later.assign(images[3:4], "pear")
    assert tags(project, images[3]) == ["prelabel-corrected"]


def test_rejected_prelabel_is_not_shown_again(project: Project, images: list[str]) -> None:
    assist = FakeAssist(results(images, prelabels=[(0, "apple", 0.95), (1, "apple", 0.9)]))
    session = opened(project, assist)
    session.clear(images[:1])
    session.undo()
    assert shown(session, "prelabelled") == [0, 1]
    session.redo()
    assert tags(project, images[0]) == ["prelabel-rejected"]
    assert (session.row(images[0])["prelabels"], session.row(images[0])["predicted"]) == ([], None)
    assert shown(session, "prelabelled") == [1]
    assert 0 in shown(session, "manual")
    assert session.accept_predictions(images[:1]).images == ()
    with pytest.raises(InputError, match="is not in the train set"):
        session.clear(["nowhere.png"])
    assist.results = results(images, prelabels=[(0, "pear", 0.95), (2, "pear", 0.95)], run=2)
    assert shown(session, "prelabelled") == shown(opened(project, assist), "prelabelled") == [2]
    drawn = FakeAssist(results(images, prelabels=[(0, "apple", 0.9, 1.0, 2.0, 10.0, 12.0)]))
    assert opened(project, drawn, DrawingSession).shapes(images[0])["predictions"] == []
    session.assign(images[:1], "pear")
    assert tags(project, images[0]) == ["prelabel-rejected"]


def test_only_the_labels_that_were_shown_are_accepted(project: Project, images: list[str]) -> None:
    assist = FakeAssist(results(images, prelabels=[(n, "apple", 0.95) for n in range(3)]))
    session = opened(project, assist)
    seen = {image: [label for label, _ in session.row(image)["prelabels"]] for image in images[:4]}
    assist.results = results(images, prelabels=[(0, "apple", 0.95), (1, "pear", 0.95), (3, "pear", 0.9)], run=2)
    session.follow()
    outcome = session.accept_predictions(images[:4], seen=seen)
    assert outcome.images == (images[0],)
    told = [(conflict.image, conflict.theirs, conflict.yours) for conflict in outcome.conflicts]
    assert told == [(images[1], ("pear",), ("apple",)), (images[2], (), ("apple",))]
    assert project.train_set.annotations["image"].tolist() == images[:1]
    assert session.accept_predictions(images[:1], seen=seen).conflicts == ()  # sent twice


def test_check_images_show_no_prediction_of_any_model(project: Project, images: list[str]) -> None:
    found = pd.DataFrame({"image": images[:2], "label": ["apple", "pear"], "confidence": [0.9, 0.8]})
    box = found.assign(left=1.0, top=2.0, width=10.0, height=12.0)
    project.add_predictions(pd.concat([found, box]), model="old")
    assist = FakeAssist(results(images, checks=[0]))
    session, drawing = opened(project, assist), opened(project, assist, DrawingSession)
    assert [session.row(name)["predicted"] for name in images[:2]] == [None, ["pear", 0.8]]
    assert [len(drawing.shapes(name)["predictions"]) for name in images[:2]] == [0, 1]
    assert session.accept_predictions(images[:2]).images == (images[1],)
    session.assign(images[:1], "pear")
    assert session.row(images[0])["predicted"] == ["apple", 0.9]


def test_hidden_prelabels_are_not_accepted(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(0, "apple", 0.9), (0, "pear", 0.8)])))
    session.set_task("multi-label")
    session.set_status(images[:1], "needs_review")
    session.accept_predictions(images[:1])
    assert session.row(images[0])["labels"] == ["apple"]  # the one that its row shows


def test_several_labels_are_accepted_together(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(0, "apple", 0.9), (0, "pear", 0.8)])))
    session.set_task("multi-label")
    session.assign(images[:1], "pear")
    assert tags(project, images[0]) == ["prelabel-corrected"]
    session.undo()
    session.accept_predictions(images[:1])
    assert (session.row(images[0])["labels"], tags(project, images[0])) == (["apple", "pear"], ["prelabelled"])


def test_prelabels_of_removed_labels_are_not_shown(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(0, "apple", 0.9), (1, "pear", 0.8)])))
    project.labels.rename("apple", "quince")
    session.follow()
    assert shown(session, "prelabelled") == [1]
    assert session.accept_predictions(images[:1]).images == ()


def test_prelabels_accepted_by_others_are_a_conflict(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(0, "apple", 0.9), (1, "apple", 0.8)])))
    another(project, "ben").assign(images[:1], "pear")
    outcome = session.accept_predictions(images[:2])
    assert [conflict.image for conflict in outcome.conflicts] == images[:1]
    found = project.train_set.annotations
    assert dict(zip(found["image"], found["label"], strict=True)) == {images[0]: "pear", images[1]: "apple"}


def test_prelabelled_boxes_are_drawn(project: Project, images: list[str]) -> None:
    said = [(0, "apple", 0.9, 1.0, 2.0, 10.0, 12.0), (0, "pear", 0.8, 20.0, 2.0, 10.0, 12.0)]
    session = opened(project, FakeAssist(results(images, prelabels=said)), DrawingSession)
    boxes = session.shapes(images[0])["predictions"]
    assert [(box["label"], box["left"], box["confidence"]) for box in boxes] == [("apple", 1, 0.9), ("pear", 20, 0.8)]
    assert session.row(images[0])["prelabels"] == []
    assert session.row(images[0])["predicted_drawn"] is True
    one, two = Shape("apple", 1, 2, 10, 12), Shape("pear", 20, 2, 10, 12)
    session.set_shapes(images[0], [one])
    assert tags(project, images[0]) == ["prelabel-corrected"]
    session.set_shapes(images[0], [two, one])
    assert tags(project, images[0]) == ["prelabelled"]
    assert session.shapes(images[0])["predictions"] == []
    session.set_shapes(images[0], [Shape("pear", 25, 2, 10, 12), one])
    assert tags(project, images[0]) == ["prelabel-corrected"]


# -- machine labels ---------------------------------------------------------------------------------
def test_a_machine_label_that_a_person_edits_or_approves_is_the_person_s(
    project: Project, store: SqlStore, images: list[str]
) -> None:
    rows = store.tables("train", images[:5])[0]
    labelled = pd.concat([
        t.label_images(images[:5], "apple", "model:7"), t.label_images(images[3:4], "pear", "model:7")
    ]).assign(confidence=0.97)  # fmt: skip
    store.update_images("train", rows.assign(status="labelled"), labelled, Action("auto label", "anna"))
    session, review = another(project, "anna"), ReviewSession(store, project.root, user="anna")

    def people() -> dict[str, set[tuple[str, float]]]:
        found = project.train_set.annotations
        pairs = zip(found["image"], found["annotator"], found["confidence"], strict=True)
        own: dict[str, set[tuple[str, float]]] = {image: set() for image in images[:5]}
        for image, person, confidence in pairs:
            own[image].add((person, confidence))
        return own

    session.assign(images[:1], "apple")  # the label that it has
    review.approve(images[1:2])
    session.submit(images[2:3])  # goes on without a word about the label
    session.set_task("multi-label")
    session.assign(images[3:4], "pear", on=False)
    session.set_status(images[4:5], "needs_review")
    anna, model = {("anna", 1.0)}, {("model:7", 0.97)}
    assert list(people().values()) == [anna, anna, model, anna, model]
    session.undo()
    session.undo()
    session.undo()
    review.undo()
    assert list(people().values()) == [model] * 5


def test_images_labelled_with_the_model_s_help_stay_in_train(project: Project, images: list[str]) -> None:
    session = opened(project, FakeAssist(results(images, prelabels=[(n, "apple", 0.95) for n in range(12)])))
    session.accept_predictions(images[:6])
    session.assign(images[6:12], "pear")  # corrected
    session.assign(images[12:16], "apple")
    session.assign(images[16:20], "pear")
    moved = project.distribute(test_fraction=0.5)
    assert moved.test > 0
    assert set(project.test_set.images["image"]) <= set(images[12:])


# -- suspects ---------------------------------------------------------------------------------------
SWAPPED = {"kind": "swapped", "given": "apple", "suggested": "pear"}


def test_suspects_are_listed_until_they_are_reviewed(project: Project, images: list[str], session: Session) -> None:
    session.assign(images[:4], "apple")
    found = results(images, suspects=[{"image": n, **SWAPPED} for n in (2, 0, 1, 3)])
    review = opened(project, FakeAssist(found), ReviewSession)
    assert shown(review, "suspect") == [2, 0, 1, 3]
    assert review.row(images[2])["suspects"] == [["swapped", "apple", "pear", False]]
    review.approve(images[2:3])
    session.assign(images[:1], "pear")  # the suspected label is gone
    review.follow()
    assert shown(review, "suspect") == [1, 3]
    review.take_suggestions(images[1:4:2])
    assert shown(review, "suspect") == []
    assert [review.row(images[n])["labels"] for n in (1, 2, 3)] == [["pear"], ["apple"], ["pear"]]
    assert tags(project, images[3]) == ["reviewed"]
    assert project.history["what"][0] == "take suggestions"
    review.undo()
    assert shown(review, "suspect") == [1, 3]
    assert shown(review, "suspect", label="pear") == []


def test_suggestions_for_several_labels_and_for_boxes(project: Project, images: list[str]) -> None:
    found = results(images, suspects=[
        {"image": 0, "kind": "missed", "suggested": "pear"}, {"image": 1, "kind": "spurious", "given": "apple"},
        {"image": 2, "kind": "duplicate", "given": "apple", "left": 1.0},
        {"image": 3, "kind": "swapped", "given": "apple", "suggested": "melon"},
    ])  # fmt: skip
    session = opened(project, FakeAssist())
    session.set_task("multi-label")
    session.assign(images[:4], "apple")
    review = opened(project, FakeAssist(found), ReviewSession)
    assert shown(review, "suspect") == [0, 1, 2, 3]
    review.take_suggestions(images[:3])
    rows = [review.row(image) for image in images[:3]]
    assert [(row["labels"], row["status"]) for row in rows] == [
        (["apple", "pear"], "labelled"), ([], "unlabelled"), (["apple"], "labelled"),
    ]  # fmt: skip
    with pytest.raises(LabelError, match="melon"):
        review.take_suggestions(images[3:4])
