"""Checks of notebook 06: the same image gets the same predictions in every way of requesting them."""

import json
from pathlib import Path

import numpy as np

from tests.facts import tells
from tests.notebooks.running import html_of, pictures_of, tagged, text_of

BOX = ["left", "top", "width", "height"]
PHOTOS = 12


def overlap(one, other):
    """Return the intersection over union of two boxes: left, top, width, height."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def same(one, other, apart=0.02):
    """Return True if two tables of predictions agree within the tolerance of engines and devices."""
    if one["label"].value_counts().to_dict() != other["label"].value_counts().to_dict():
        return False
    return np.allclose(np.sort(one["confidence"]), np.sort(other["confidence"]), atol=apart)


def after_trained(ns):
    model = ns["model"]
    assert model.status in ("TRAINING_COMPLETED", "STOPPED")
    assert ns["project"].task == "boxes"
    assert len(ns["photos"]) == PHOTOS
    figures = model.evaluate().summary.set_index("figure")["value"]
    assert 0.25 < figures["mean_average_precision"] < 0.97, "useful results with mistakes"


def after_one(ns):
    table = ns["answer"].table
    assert ns["answer"].name.endswith(ns["photos"][1].name)
    assert 1 <= len(table) <= 30, "a meaningful image"
    assert table["confidence"].is_monotonic_decreasing
    assert (table["confidence"] >= table["label"].map(ns["model"].thresholds)).all(), (
        "labels that reach their threshold"
    )
    truth = ns["project"].test_set.annotations
    truth = truth[truth["image"].map(lambda image: Path(image).name == ns["photos"][1].name)]
    met = [max(overlap(box, other) for other in truth[BOX].to_numpy()) > 0.3 for box in table[BOX].to_numpy()]
    assert any(met), "a box on a part"


def after_table(ns):
    table = ns["answer"].table
    assert table.columns.tolist() == ["label", "confidence", *BOX]
    assert table["confidence"].between(0, 1).all()
    assert (table["left"] + table["width"] <= 320.5).all(), "pixels of the photo"
    assert (table["top"] + table["height"] <= 240.5).all()


def after_response(ns):
    answer = ns["answer"]
    entries = answer.response["CustomLabels"]
    assert len(entries) == len(answer.table)
    for entry, row in zip(entries, answer.table.itertuples(), strict=True):
        box = entry["Geometry"]["BoundingBox"]
        assert entry["Name"] == row.label
        assert abs(entry["Confidence"] - 100 * row.confidence) < 1e-4, "percent"
        shares = [row.left / 320, row.top / 240, row.width / 320, row.height / 240]
        assert np.allclose([box[name] for name in ("Left", "Top", "Width", "Height")], shares, atol=1e-5), "shares"


def after_thresholds(ns):
    results = {how: found.table for how, found in ns["results"].items()}
    assert len(results["threshold=0.5"]) >= len(results["default"]), "a lower threshold shows more"
    assert len(results["threshold=0.5"]) > len(results["threshold=0.9"])
    assert (results["threshold=0.9"]["confidence"] >= 0.9).all()
    assert len(results["max_results=2"]) == 2 <= len(results["threshold=0.5"])
    top = results["threshold=0.5"]["confidence"].head(2)
    assert np.allclose(results["max_results=2"]["confidence"], top), "the most confident"
    usual = results["default"]
    assert (results["no tarnfold"]["label"] == usual.loc[usual["label"] != "tarnfold", "label"].tolist()).all()


def after_kinds(ns):
    assert len(ns["kinds"]) == 4
    assert len(ns["kinds"]["path"].table), "non-empty results"
    assert all(found.table.equals(ns["kinds"]["path"].table) for found in ns["kinds"].values()), "identical results"


def after_quick(ns):
    quick, model = ns["quick"], ns["model"]
    assert quick.asked == 1
    assert quick.detection.table.equals(model.detect(ns["photos"][1]).table), "the same as the model itself"


def after_quick_read(ns):
    quick, model = ns["quick"], ns["model"]
    assert quick.model == "short"
    assert quick.asked == 1, "moving the threshold does not call the model again"
    assert same(quick.table, model.detect(ns["photos"][1], threshold=0.6).table)


def after_many(ns):
    found, model = ns["found"], ns["model"]
    (error,) = found.attrs["errors"]
    assert Path(error["image"]).name == "broken.jpg"
    assert error["code"]
    assert error["message"]
    assert found.columns.tolist() == ["image", "label", "confidence", *BOX]
    for photo in ns["photos"][:2]:
        rows = found[found["image"].map(lambda image, photo=photo: Path(image).name == photo.name)]
        assert same(rows, model.detect(photo).table), "the same as one by one"


def after_lines(ns):
    first, resumed, found = ns["first"], ns["resumed"], ns["found"]
    assert (first.images, resumed.images) == (6, PHOTOS)
    assert (first.left, resumed.left, len(resumed.errors)) == (0, 0, 0)
    read = [json.loads(line) for line in ns["lines"].read_text().splitlines()]
    assert len({Path(line["image"]).name for line in read}) == len(read) == PHOTOS, "no photo twice"
    assert sum(len(line["CustomLabels"]) for line in read) == resumed.found == len(found)
    table = resumed.table()
    assert same(table, found), "the table equals the one in memory"
    assert np.allclose(np.sort(table["left"]), np.sort(found["left"]), atol=0.6)


def after_video_made(ns):
    assert (ns["folder"] / "van.mp4").stat().st_size > 1000


def after_video(ns):
    video = ns["video"]
    assert not video.interrupted
    assert video.size == (320, 240)
    assert video.frames["timestamp_ms"].tolist() == [0, 500, 1000, 1500], "'Twice a second'"
    assert video.video == ns["folder"] / "annotated" / "van.mp4.annotated.mp4"
    assert "<video" in video._repr_html_(), "the video plays"


def after_video_table(ns):
    video, model = ns["video"], ns["model"]
    assert video.frames["found"].sum() == len(video.table)
    assert set(video.table["label"]) <= set(model.thresholds)
    assert (video.table["confidence"] >= video.table["label"].map(model.thresholds)).all()
    assert video.table["timestamp_ms"].is_monotonic_increasing
    assert len(video.table) >= 1


def after_video_response(ns):
    video = ns["video"]
    written = json.loads((ns["folder"] / "annotated" / "van.mp4.json").read_text())
    assert len(written) == len(video.table)
    assert ns["moments"] == set(video.table["timestamp_ms"])


def after_device(ns):
    import torch

    model = ns["model"]
    assert model.status == "RUNNING"
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert f"running on {expected}" in model.status_message, "the best available device"


def after_engine(ns):
    choice = ns["model"].engine
    assert choice.name in ("torch", "bfloat16", "onnx")
    assert choice.name not in choice.others


def after_engines(ns):
    assert list(ns["seconds"]) == ["torch", "onnx"]
    assert all(taken > 0 for taken in ns["seconds"].values())
    assert same(ns["answers"], ns["found"], 0.02), "the same predictions"


def after_loaded(ns):
    assert ns["loaded"].labels == tuple(ns["model"].thresholds)
    assert same(ns["one"].table, ns["other"].table), "the same predictions"
    assert ns["loaded"].engine is None, "`started` stops by itself"
    assert ns["model"].engine is not None, "each runs until it is stopped"


def after_idle(ns):
    model = ns["model"]
    assert tells(model.status_message, 1)
    assert model.status == "STOPPED"
    assert len(model.detect(ns["photos"][0], threshold=0.1).table), "the next request starts it again"
    assert model.status == "RUNNING"
    model.start(idle_stop="never")


def at_end(ns):
    assert ns["model"].engine is None

    import customlabels_nb as cl

    again = cl.load_project(ns["folder"] / "logos")
    assert again.model("short").status == "STOPPED"
    again.close()


def outputs(notebook):
    for tag in ("trained", "one", "suspected", "quick", "video"):
        assert pictures_of(tagged(notebook, tag)) or html_of(tagged(notebook, tag)), f"an image after {tag!r}"
    assert "[True, True, True, True]" in text_of(tagged(notebook, "kinds"))
    assert "broken.jpg ·" in text_of(tagged(notebook, "many"))
    assert "6 photos, then 12" in text_of(tagged(notebook, "lines"))
    assert "van.mp4.annotated.mp4" in text_of(tagged(notebook, "video_table"))
    assert "The same: True" in text_of(tagged(notebook, "loaded"))
    assert tells(text_of(tagged(notebook, "idle")), 1)
    assert text_of(tagged(notebook, "stopped")).endswith("True")
