"""Checks of notebook 02: cells control the widgets, labels are stored, and nothing is lost."""

from types import SimpleNamespace


def after_selected(ns):
    shown = list(ns["gallery"].data)
    assert shown == sorted(shown)
    assert ns["gallery"].selected["image"].tolist() == shown[:3]


def after_counts(ns):
    counts = ns["project"].train_set.label_counts
    assert counts["closet"] == 2, "'one line reverts it'"
    assert counts.sum() == 20, "'every second photo'"


def after_corrected(ns):
    train = ns["project"].train_set
    labels = dict(zip(train.images["image"], train.labels_of_images(), strict=True))
    assert all(labels[image] == ["patio"] for image in ns["backyards"][ns["is_patio"]])
    rejected, approved = ns["backyards"][~ns["is_patio"]]
    assert labels[rejected] == [], "'Rejected photos become unlabelled again'"
    assert labels[approved] == ["backyard"]
    assert ns["review"].progress["done"] == 3


def after_check(ns):
    labeller, project = ns["labeller"], ns["project"]
    labeller.submit(SimpleNamespace(description="kitchen"))  # like its button does
    assert project.train_set.label_counts["kitchen"] == 3, "'submitted labels are stored'"
    labeller.undo()
    assert project.train_set.label_counts["kitchen"] == 2, "'Undo works'"
