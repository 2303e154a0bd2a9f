"""Checks of notebook 07: the advice finds the deliberate errors, and correcting them improves the model."""

from pathlib import Path

import numpy as np


def after_advice_table(ns):
    advice, table = ns["report"].advice, ns["report"].advice.to_frame()
    assert advice[0].heading == "Check these labels first"
    about = list(zip(table["kind"], table["labels"], strict=True))
    assert ("confusion", ("patio", "backyard")) in about
    assert ("confusion", ("closet", "entry_way")) in about
    assert "rare" in set(table["kind"]), "'four photos per label are too few'"


def after_doubtful(ns):
    assert "floor_plan_03.jpg" in [Path(image).name for image in ns["doubtful"]], "'labelled kitchen'"


def after_train_mended(ns):
    for dataset in (ns["project"].train_set, ns["project"].test_set):
        marks = dataset.annotations
        assert (marks["label"] == marks["image"].map(lambda image: Path(image).parent.name)).all(), "all are right now"


def after_predicted(ns):
    statuses = ns["project"].train_set.images["status"]
    assert (statuses != "labelled").sum() == len(ns["best"]) == 40, "'stored separately from labels'"


def after_accepted(ns):
    accepted = ns["accepted"]
    right = accepted["image"].map(lambda image: Path(image).parent.name) == accepted["label"]
    assert len(accepted) >= 10
    assert right.mean() >= 0.9


def after_suspects(ns):
    assert set(ns["slips"]["image"]) <= set(ns["suspects"]["image"].head(6))


def after_map_batch(ns):
    plans = ns["far"].query("label == 'floor_plan'")
    assert set(ns["batch"]["image"]) == set(plans["image"]), "'far from the other photos of its label'"


def after_map(ns):
    assert ns["image_map"].selected["label"].tolist() == ["floor_plan"] * 4


def after_map_right(ns):
    marks = ns["project"].train_set.annotations
    assert set(marks.loc[marks["image"].isin(ns["batch"]["image"]), "label"]) == {"kitchen"}


def after_compared(ns):
    table = ns["comparison"].per_label.set_index("label")
    assert (table.loc[["patio", "closet"], "low"] > 0).all(), "'unlikely to be chance'"
    assert "labels of 1 test image were changed" in ns["comparison"].sentences[-1], "'not part of the change'"
    assert "floor_plan_03.jpg" not in [Path(image).name for image in ns["comparison"].fixed["image"]]


def after_gained(ns):
    assert ns["gained"]["after"] > 0.9
    assert ns["gained"]["low"] > 0.03


def after_verified(ns):
    assert ns["verify"].precision["shown"].sum() == 12, "'Half of the sample is drawn at random'"
    assert len(ns["project"].train_set) == 80 + 24, "'adds the judged photos'"


def after_copied(ns):
    photo = ns["more"].detect[0]
    here, there = (model.detect(photo, threshold=0).table for model in (ns["live"], ns["copy"]))
    assert here["label"].tolist() == there["label"].tolist()
    assert np.allclose(here["confidence"], there["confidence"], atol=1e-6), "'with all its files'"
    ns["live"].stop()
