"""Checks of the notebook on training and metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.running import html_of, pictures_of, tagged, text_of

PLOTS = (
    "per_label", "one_curve", "curves", "precision_recall", "calibration", "confidences", "matrix", "matrices",
)  # fmt: skip


def after_train_set(ns: dict[str, Any]) -> None:
    project = ns["project"]
    assert project.train_set.label_counts.tolist() == [4] * 10, "four training photos of each room"
    assert project.test_set.label_counts.tolist() == [10] * 10, "ten test photos of each"


def after_train(ns: dict[str, Any]) -> None:
    assert ns["model"].status in ("TRAINING_COMPLETED", "STOPPED")
    assert ns["project"].versions["name"].tolist() == ["first"]


def after_card(ns: dict[str, Any]) -> None:
    assert "Fewer than 10 training images" in ns["card"].split("## Limits")[1], "its limits"
    assert "| train | 40 | 40 |" in ns["card"], "its training data"
    assert ns["card"].endswith("\n"), "complete"


def after_weakest(ns: dict[str, Any]) -> None:
    table = ns["table"]
    row = table.loc[ns["weakest"]]
    assert len(table) == 10
    assert row["f1"] == table["f1"].min()
    assert row["f1"] < 1, "the notebook needs some errors on the test set"
    assert (ns["precision"], ns["recall"]) == pytest.approx((row["precision"], row["recall"]))
    assert row["f1"] == pytest.approx(2 * row["tp"] / (2 * row["tp"] + row["fp"] + row["fn"]))
    means = _figures(ns["report"])
    assert means["f1"] == pytest.approx(table["f1"].mean()), "each label has the same weight"
    assert 0.75 < means["f1"] < 0.99


def after_moved(ns: dict[str, Any]) -> None:
    moved = ns["moved"].loc[[0.2, 0.5, 0.8]]
    assert moved["recall"].is_monotonic_decreasing, "recall falls as the threshold rises"
    assert moved["precision"].is_monotonic_increasing, "precision mostly rises"
    assert moved["recall"].nunique() == moved["precision"].nunique() == 3
    assert ns["moved"].loc["assumed", "f1"] >= moved["f1"].max(), "no single threshold is better than the labels' own"
    assert ns["table"]["threshold"].nunique() > 5, "each label has its own"


def after_precision_recall_table(ns: dict[str, Any]) -> None:
    curve = ns["report"].precision_recall(ns["weakest"])
    assert curve["recall"].is_monotonic_increasing
    area = (curve["recall"].diff() * curve["precision"]).sum()
    assert area == pytest.approx(ns["table"].loc[ns["weakest"], "average_precision"]), "the area under the curve"
    last = curve.iloc[-1]
    assert (last["recall"], last["precision"]) == (1, pytest.approx(10 / 100)), (
        "all photos, ten of which have the label"
    )


def after_calibration_table(ns: dict[str, Any]) -> None:
    table = ns["calibration"]
    assert len(table) == 5
    assert table["count"].sum() == 100
    apart = (table["share_right"] - table["mean_confidence"]).abs() * table["count"]
    assert table.attrs["error"] == pytest.approx(apart.sum() / 100)
    right = (table["share_right"] * table["count"]).sum() / 100
    assert right == pytest.approx(_figures(ns["report"])["accuracy"])


def after_matrices(ns: dict[str, Any]) -> None:
    for ax, sums in zip(ns["axes"], ("truth", "prediction"), strict=True):
        cells = [text.get_text() for text in ax.texts]
        numbers = [float(cell) for cell in cells if re.fullmatch(r"[01]\.\d\d", cell)]
        assert sum(numbers) == pytest.approx(10, abs=0.15), f"ten shares of 1 by {sums}"


def after_confusions(ns: dict[str, Any]) -> None:
    table = ns["confusions"]
    wrong = round(100 * (1 - _figures(ns["report"])["accuracy"]))
    assert table["count"].sum() == wrong > 0
    assert table["count"].is_monotonic_decreasing
    assert (table["truth"] != table["predicted"]).all()


def after_mistakes(ns: dict[str, Any]) -> None:
    counts = ns["report"].per_label
    results = ns["mistakes"]["result"].value_counts()
    assert results["false positive"] == counts["fp"].sum() > 0
    assert results["false negative"] == counts["fn"].sum() > 0
    assert not ns["shown"]["image"].str.contains("/").any()


def after_mistaken_photos(ns: dict[str, Any]) -> None:
    names = ns["mistakes"]["image"].head(4)
    assert len(ns["project"].test_set.filter(lambda images: images["image"].isin(names))) == names.nunique()


def after_intervals(ns: dict[str, Any]) -> None:
    table = ns["intervals"].set_index("figure")
    assert {"f1", "precision", "recall", "accuracy"} == set(table.index)
    assert (table["low"] < table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def after_honest(ns: dict[str, Any]) -> None:
    assert ns["compared"].loc["f1", "cross-validated"] < ns["compared"].loc["f1", "assumed"], "they are optimistic"
    assert any("cross-validated" in note for note in ns["unbiased"].notes)


def after_steered(ns: dict[str, Any]) -> None:
    screen, at_80 = ns["screen"], ns["moved"].loc[0.8]
    assert set(screen.thresholds.values()) == {0.8}
    assert [screen.figures[name] for name in at_80.index] == pytest.approx(at_80.tolist()), (
        "every metric follows the threshold"
    )
    assert {*screen.figures} == {*_figures(ns["report"])} - {"test_images", "labels"}, "and none is missing"


def after_page(ns: dict[str, Any]) -> None:
    page = ns["page"].read_text("utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", page), "opens without network"
    assert page.count("data:image/") >= 20 or len(page) > 100_000, "with its images"


def after_files(ns: dict[str, Any]) -> None:
    kinds = {file.suffix for file in ns["files"]}
    assert {".json", ".manifest", ".csv", ".png"} <= kinds
    assert all(Path(file).stat().st_size > 100 for file in ns["files"])
    assert {file.name for file in ns["files"]} == {file.name for file in (ns["folder"] / "evaluation").iterdir()}


def after_kept(ns: dict[str, Any]) -> None:
    kept = ns["kept"].per_label.set_index("label")
    assert kept["f1"].to_dict() == pytest.approx(ns["table"]["f1"].to_dict())
    assert kept["threshold"].to_dict() == pytest.approx(ns["table"]["threshold"].to_dict())


def after_slices(ns: dict[str, Any]) -> None:
    assert _figures(ns["again"])["f1"] == pytest.approx(_figures(ns["report"])["f1"]), (
        "evaluating again gives the same metrics"
    )
    slices = ns["slices"]
    assert slices["slice"].tolist() == ["dark", "medium", "bright"]
    assert slices["test_images"].sum() == 100
    assert slices["test_images"].tolist() == ns["images"]["light"].value_counts(sort=False).tolist()
    right = (slices["accuracy"] * slices["test_images"]).sum() / 100
    assert right == pytest.approx(_figures(ns["report"])["accuracy"])


def after_alarm(ns: dict[str, Any]) -> None:
    alarm = ns["alarm"]
    assert alarm["label"] in _named(ns), "the false positive occurs"
    assert ns["model"].status == "RUNNING"


def after_quiet(ns: dict[str, Any]) -> None:
    alarm = ns["alarm"]
    assert ns["model"].thresholds[alarm["label"]] == 0.9
    assert alarm["label"] not in _named(ns), "the threshold is used from now on"


def after_back(ns: dict[str, Any]) -> None:
    assert ns["model"].thresholds == pytest.approx(ns["table"]["threshold"].to_dict())
    assert ns["model"].status == "STOPPED"


def after_advice(ns: dict[str, Any]) -> None:
    advice = list(ns["report"].advice)
    assert advice
    assert all(item.names for item in advice), "each slice has photos"


def outputs(notebook: Any) -> None:
    """Check the visible outputs."""
    for tag in PLOTS:
        assert pictures_of(tagged(notebook, tag)) == 1, f"{tag}: one plot"
    for tag, words in (
        ("train_set", "4 images"),
        ("check", "140 images checked"),
        ("train", "first"),
        ("report", "100 test images, F1"),
        ("screen", "Results"),
        ("page", "results.html"),
        ("files", "EvaluationResultSummary-rooms-first.json"),
        ("advice", "Few images"),
    ):
        assert words in text_of(tagged(notebook, tag)), f"{tag} shows {words!r}"
    head = re.search(r"F1 (\d\.\d{3})", text_of(tagged(notebook, "report")))
    assert head is not None
    assert head[1] in text_of(tagged(notebook, "moved"))
    photos = re.search(r"(\d+) images", text_of(tagged(notebook, "mistaken_photos")))
    assert photos is not None
    assert 3 <= int(photos[1]) <= 4
    assert "<img" in html_of(tagged(notebook, "mistaken_photos"))
    assert "still" in html_of(tagged(notebook, "screen")) or "<img" in html_of(tagged(notebook, "screen"))
    assert pictures_of(tagged(notebook, "alarm")) == 1
    assert "CustomLabels" in text_of(tagged(notebook, "quiet"))
    assert "text/markdown" in tagged(notebook, "card").outputs[0]["data"]


def _figures(report: Any) -> dict[str, float]:
    return dict(zip(report.summary["figure"], report.summary["value"], strict=True))


def _named(ns: dict[str, Any]) -> list[str]:
    """Return the labels that the model predicts for the photo of the false positive."""
    return [one["Name"] for one in ns["model"].detect(ns["alarm"]["image"]).response["CustomLabels"]]
