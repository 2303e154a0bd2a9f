"""Checks of notebook 06: the same image gets the same predictions in every way of requesting them."""

import json
from pathlib import Path

import numpy as np


def after_trained(ns):
    metrics = ns["model"].evaluate().summary.set_index("metric")["value"]
    assert 0.25 < metrics["mean_average_precision"] < 0.97, "useful results with mistakes"


def after_quick_read(ns):
    assert ns["quick"].asked == 1, "'Moving the threshold does not run the model again'"
    assert same(ns["quick"].table, ns["model"].detect(ns["photos"][1], threshold=0.6).table)


def after_many(ns):
    (error,) = ns["found"].attrs["errors"]
    assert Path(error["image"]).name == "broken.jpg"
    for photo in ns["photos"][:2]:
        rows = ns["found"][ns["found"]["image"].map(lambda image, photo=photo: Path(image).name == photo.name)]
        assert same(rows, ns["model"].detect(photo).table)


def after_lines(ns):
    read = [json.loads(line) for line in ns["lines"].read_text().splitlines()]
    assert len({line["image"] for line in read}) == len(read) == len(ns["photos"]), "'continues with the rest'"
    assert same(ns["resumed"].table(), ns["found"])


def after_video_table(ns):
    assert ns["video"].frames["timestamp_ms"].tolist() == [0, 500, 1000, 1500], "'twice per second'"
    assert len(ns["video"].table)


def after_engines(ns):
    assert same(ns["answers"], ns["found"]), "'whose output matches PyTorch'"


def after_loaded(ns):
    assert same(ns["one"].table, ns["other"].table), "'contains the complete model'"
    assert ns["loaded"].engine is None, "'stops it on exit'"


def after_idle(ns):
    assert len(ns["model"].detect(ns["photos"][0], threshold=0.1).table), "'The next call starts it again'"


def same(one, other):
    """Return True if two tables of predictions agree within the tolerance of engines and devices."""
    if one["label"].value_counts().to_dict() != other["label"].value_counts().to_dict():
        return False
    return np.allclose(np.sort(one["confidence"]), np.sort(other["confidence"]), atol=0.02)
