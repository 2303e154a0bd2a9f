"""Tests of ipyannotations' labellers connected to a session."""

from __future__ import annotations

import pytest
from ipywidgets import Button

from customlabels_nb.errors import InputError
from customlabels_nb.labeling.ipyannotations_adapter import plug_into
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.project import Project


@pytest.mark.filterwarnings("ignore")
def test_class_labeller_labels_the_queue_image_by_image(project: Project) -> None:
    from ipyannotations.images import ClassLabeller

    labeller = project.label("train", widget=ClassLabeller, sort="name")
    first, second, third = labeller.session.images_at([(0, 2)])
    assert list(labeller.options) == ["apple", "pear"]
    labeller.submit(Button(description="apple"))
    labeller.skip()
    labeller.submit(Button(description="pear"))
    labels = project.train_set.annotations.set_index("image")["label"].to_dict()
    assert labels == {first: "apple", third: "pear"}
    statuses = project.train_set.images.set_index("image")["status"].to_dict()
    assert statuses[second] == "skipped"


@pytest.mark.filterwarnings("ignore")
def test_multiclass_labeller_sets_exactly_these_labels_and_undo_goes_back(
    project: Project, session: LabellingSession
) -> None:
    from ipyannotations.images import MulticlassLabeller

    session.set_task("multi-label")
    labeller = plug_into(session, MulticlassLabeller, Query(sort="name"))
    first = session.images_at([(0, 0)])[0]
    labeller.data = ["apple", "pear"]
    labeller.submit()
    assert sorted(project.train_set.annotations["label"]) == ["apple", "pear"]
    for callback in labeller.undo_fns:
        callback()
    assert project.train_set.annotations.empty
    labeller.data = ["pear"]
    labeller.submit()
    assert project.train_set.annotations[["image", "label"]].values.tolist() == [[first, "pear"]]


@pytest.mark.filterwarnings("ignore")
def test_undo_of_a_submission_that_changed_nothing_only_goes_back(project: Project, session: LabellingSession) -> None:
    from ipyannotations.images import ClassLabeller

    session.show(Query(sort="name"))
    first, second = session.images_at([(0, 1)])
    session.assign([second], "pear")
    labeller = plug_into(session, ClassLabeller, Query(sort="name"))
    labeller.submit(Button(description="apple"))
    labeller.submit(Button(description="pear"))
    left = []
    for _ in range(2):
        for callback in labeller.undo_fns:
            callback()
        left.append(sorted(project.train_set.annotations["image"]))
    assert left == [[first, second], [second]]


def test_objects_that_are_no_labelling_widget_are_refused(project: Project) -> None:
    with pytest.raises(InputError, match="'display'"):
        project.label("train", widget=object)
