"""Checks of notebook 07: the advice finds the deliberate errors, and correcting them improves the model."""

from pathlib import Path

import numpy as np

from tests.notebooks.running import html_of, pictures_of, tagged, text_of

WRONG_PATIOS, WRONG_CLOSETS = 3, 3


def names(images):
    return sorted(Path(image).name for image in images)


def labels_by_name(dataset):
    marks = dataset.annotations
    return dict(zip(marks["image"].map(lambda image: Path(image).name), marks["label"], strict=True))


def after_spoilt(ns):
    project = ns["project"]
    assert (len(project.train_set), len(project.test_set)) == (40, 100)
    train, test = labels_by_name(project.train_set), labels_by_name(project.test_set)
    assert sum(train[name] == "backyard" for name in train if name.startswith("patio")) == WRONG_PATIOS
    assert sum(train[name] == "entry_way" for name in train if name.startswith("closet")) == WRONG_CLOSETS
    assert test["floor_plan_03.jpg"] == "kitchen"
    assert project.history["count"].tolist()[:3] == [1, WRONG_CLOSETS, WRONG_PATIOS]
    assert set(project.history["note"][:3]) == {"wrong on purpose"}


def after_first(ns):
    figures = ns["report"].summary.set_index("figure")["value"]
    assert 0.6 < figures["f1"] < 0.9, "worse than necessary"
    ns["_first"] = figures["f1"]
    assert ns["first"].status == "TRAINING_COMPLETED"


def after_advice(ns):
    advice = ns["report"].advice
    assert advice[0].kind == "label_error", "'Check these labels first'"
    assert advice[0].heading == "Check these labels first"
    assert all(item.text and item.names for item in advice)


def after_advice_table(ns):
    table = ns["report"].advice.to_frame()
    assert len(table) == len(ns["report"].advice) > 3
    about = list(zip(table["kind"], table["labels"], strict=True))
    assert ("confusion", ("patio", "backyard")) in about
    assert ("confusion", ("closet", "entry_way")) in about
    assert "rare" in set(table["kind"]), "'Four photos a label are few, says the advice'"
    assert (table["weight"] > 0).all()


def after_doubtful(ns):
    found = names(ns["doubtful"])
    assert "floor_plan_03.jpg" in found, "the wrong test label is found"
    chosen = ns["project"].test_set.filter(lambda images: images["image"].isin(ns["doubtful"]))
    assert names(chosen.images["image"]) == found


def after_test_mended(ns):
    truth = labels_by_name(ns["project"].test_set)
    assert all(name.startswith(label) for name, label in truth.items()), "all test labels are correct now"
    assert ns["project"].history["count"].iloc[0] == 1, "one photo and no other"


def after_taken(ns):
    item = ns["taken"][0]
    assert item.labels == ("patio", "backyard")
    assert "predicted as backyard" in item.text


def after_backyards(ns):
    found = names(ns["backyards"])
    assert [name.split("_0")[0] for name in found] == ["backyard"] * 4 + ["patio"] * WRONG_PATIOS


def after_review(ns):
    truth = labels_by_name(ns["project"].train_set)
    assert all(truth[name] == "patio" for name in truth if name.startswith("patio"))
    assert ns["outcome"].images, "it names them"
    assert ns["review"].progress["done"] == WRONG_PATIOS
    reviewed = ns["project"].train_set.images.set_index("image")["status"]
    assert set(reviewed[list(ns["outcome"].images)]) == {"labelled"}


def after_train_mended(ns):
    truth = labels_by_name(ns["project"].train_set)
    assert all(name.startswith(label) for name, label in truth.items()), "all training labels are correct now"
    assert set(ns["project"].train_set.label_counts) == {4}, "'four photos a label'"


def after_added(ns):
    project = ns["project"]
    assert len(ns["new"]) == 40, "'Forty new ones'"
    assert len(ns["more"].detect) == 2
    assert len(project.train_set) == 80
    assert (project.train_set.images["status"] != "labelled").sum() == 40, "'without labels'"


def after_predicted(ns):
    best, project = ns["best"], ns["project"]
    assert len(best) == 40, "one for each photo"
    assert names(best["image"]) == names(map(str, ns["new"]))
    assert len(ns["found"]) == 400, "0 gives all labels"
    assert (project.train_set.images["status"] != "labelled").sum() == 40, "predictions are not annotations"
    assert project.history["what"].iloc[0] == "add predictions"
    assert project.history["count"].iloc[0] == 40


def after_gallery(ns):
    assert ns["gallery"].data is not None


def after_accepted(ns):
    accepted, reviewed, project = ns["accepted"], ns["reviewed"], ns["project"]
    assert len(accepted) >= 10, "the predictions are useful"
    assert len(accepted) + len(reviewed) == 40
    right = [
        Path(image).parent.name == label for image, label in zip(accepted["image"], accepted["label"], strict=True)
    ]
    assert np.mean(right) >= 0.9, "confident predictions are nearly always correct"
    assert set(project.train_set.images["status"]) == {"labelled"}
    counts = project.train_set.label_counts
    assert counts.sum() == 80
    assert counts.min() >= 6


def after_suspects(ns):
    assert len(ns["slips"]) == 2
    assert set(ns["slips"]["image"]) <= set(ns["suspects"]["image"].head(6)), "the slips are among the first"


def after_put_right(ns):
    truth = labels_by_name(ns["project"].train_set.filter(lambda images: images["image"].isin(ns["slips"]["image"])))
    assert all(name.startswith(label) for name, label in truth.items())


def after_second(ns):
    second = ns["second"]
    assert (second.name, second.status) == ("second", "TRAINING_COMPLETED")
    assert ns["project"].versions["name"].tolist() == ["first", "second"]
    assert "started from" in repr(second.card)


def after_compared(ns):
    comparison = ns["comparison"]
    assert comparison.names == ("first", "second")
    assert comparison.test_images == 100, "'On the same test photos'"
    assert names(comparison.truth_changed["image"].unique()) == ["floor_plan_03.jpg"]
    assert any("truth of 1 image" in note for note in comparison.notes), "'a note says so'"
    table = comparison.per_label.set_index("label")
    assert (table.loc[["patio", "entry_way"], "low"] > 0).all(), "the corrected labels improve significantly"


def after_gained(ns):
    gained, second = ns["gained"], ns["second"].evaluate().summary.set_index("figure")["value"]
    assert gained["before"] == ns["_first"]
    assert gained["after"] == second["f1"]
    assert second["f1"] > 0.9
    assert gained["delta"] > 0.08
    assert gained["low"] > 0.03, "the interval is well above zero"


def after_fixed(ns):
    fixed, broken = ns["comparison"].fixed, ns["comparison"].broken
    assert len(fixed) > 10 * max(1, len(broken)) or len(fixed) - len(broken) >= 15
    assert (fixed["label"] == "patio").sum() >= 5
    assert (fixed["label"] == "closet").sum() >= 5


def after_next_advice(ns):
    advice = ns["second"].evaluate().advice
    assert len(advice) < len(ns["report"].advice), "less advice"
    assert not any({"patio", "closet"} & set(item.labels) for item in advice.about("confusion")), "different advice now"


def after_verified(ns):
    assert ns["verify"].precision["shown"].sum() == 12, "the random half"
    assert len(ns["project"].train_set) == 80 + 24


def after_published(ns):
    assert ns["live"].name == "second"
    assert ns["project"].model("live").name == "second"
    table = ns["project"].versions.set_index("name")
    assert table.loc["second", "alias"] == "live"
    assert table.loc["second", "description"] == ns["second"].description
    assert ns["second"].description.startswith("Rooms of flats and houses")


def after_copied(ns):
    copy = ns["copy"]
    assert copy.status in ("COPYING_COMPLETED", "RUNNING")
    assert ns["shop"].versions["name"].tolist() == ["rooms-2"]
    photo = ns["more"].detect[0]
    here, there = (model.detect(photo, threshold=0).table for model in (ns["live"], copy))
    assert here["label"].tolist() == there["label"].tolist()
    assert np.allclose(here["confidence"], there["confidence"], atol=1e-6), "the loaded model includes everything"
    best = here["label"].iloc[0]
    assert best in ns["more"].answers[photo.name]
    ns["live"].stop()


def at_end(ns):
    assert ns["first"].status == "STOPPED"
    assert ns["copy"].status == "STOPPED"
    what = ns["project"].history["what"].tolist()
    assert {"correct to patio", "add predictions", "publish version", "describe version"} <= set(what)


def outputs(notebook):
    for tag in ("first", "advice", "doubtful", "backyards", "review", "predicted", "gallery", "compared", "plot"):
        assert pictures_of(tagged(notebook, tag)) or html_of(tagged(notebook, tag)), f"an image after {tag!r}"
    assert "correct to patio: 3 photos" in text_of(tagged(notebook, "review"))
    assert "40 predictions" in text_of(tagged(notebook, "predicted"))
    assert "3 photos corrected" in text_of(tagged(notebook, "train_mended"))
    assert "second" in text_of(tagged(notebook, "second"))
    assert "F1 rises" in text_of(tagged(notebook, "compared"))
    assert "→" in text_of(tagged(notebook, "gained"))
    assert "·" in text_of(tagged(notebook, "next_advice"))
    assert "## Limits" in text_of(tagged(notebook, "card"))
