"""Checks of notebook 09: files and responses have the service's format, and its programs work here."""

import json

import customlabels_nb as cl


def after_updated(ns):
    assert (ns["updated"].updated, ns["updated"].added) == (1, 0), "'replace the annotations of their photos'"
    assert ns["project"].train_set.label_counts["backyard"] == 3, "undone"


def after_checked(ns):
    statistics = ns["checked"].summary["statistics"]["training"]
    assert statistics["use_case"] == "IMAGE_LEVEL_LABELS"
    assert statistics["error_json_line_indices"] == [4, 8]


def after_read(ns):
    metrics = ns["report"].summary.set_index("metric")["value"]
    for name, value in ns["summary"].summary.set_index("metric")["value"].items():
        assert abs(metrics[name] - value) < 1e-9, name
        assert abs(ns["again"].summary.set_index("metric")["value"][name] - value) < 1e-6, name


def after_response(ns):
    for entry in ns["found"].response["CustomLabels"]:
        assert list(entry) == ["Name", "Confidence"], "a classifier predicts no position"
        assert 5 <= entry["Confidence"] <= 100, "percent"


def after_program(ns):
    assert ns["trained"]["Status"] == "TRAINING_COMPLETED"
    assert ns["result"]["F1Score"] > 0.6
    (found,) = ns["answer"]["CustomLabels"]
    assert found["Name"] in ns["rooms"].labels


def after_same(ns):
    served = cl.load_project("flats", ns["folder"] / "served")
    assert [len(served.train_set), len(served.test_set)] == [50, 10], "'a fifth of it for testing'"
    assert abs(served.model("v1").evaluate(thresholds="assumed").metric("f1") - ns["result"]["F1Score"]) < 1e-6
    served.close()


def after_exported(ns):
    best = ns["live"].detect(ns["rooms"].detect[1], threshold=0).table["label"].iloc[0]
    assert best in ns["run"].stdout, "the program detects what the model detects"


def after_ground_truth(ns):
    job = ns["job"]
    assert job.images["status"].tolist() == ["unlabelled", "labelled"], "'photos without labels'"
    assert job.annotations["confidence"].tolist() == [0.95, 0.6]


def after_coco(ns):
    assert len(json.loads((ns["folder"] / "rooms.json").read_text())["images"]) == 31


def after_honest(ns):
    assumed, unbiased = (each.summary.set_index("metric").loc["f1"] for each in (ns["report"], ns["unbiased"]))
    assert assumed["low"] <= assumed["value"] <= assumed["high"], "'with a confidence interval'"
    assert unbiased["value"] <= assumed["value"]


def after_deleted(ns):
    assert cl.list_projects(ns["folder"])["name"].tolist() == ["rooms"]
    assert list((ns["folder"] / "boards-photos").rglob("*.jpg")), "'Photos are never deleted'"
