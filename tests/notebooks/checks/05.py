"""Checks of notebook 05: what its text says of the metrics holds for the model that it trains."""

import pytest


def after_weakest(ns):
    row, means = ns["row"], _metrics(ns["report"])
    assert row["f1"] < 1, "the notebook needs some errors on the test set"
    assert (ns["precision"], ns["recall"]) == pytest.approx((row["precision"], row["recall"]))
    assert 0.75 < means["f1"] == pytest.approx(ns["table"]["f1"].mean()), "'every label has equal weight'"


def after_moved(ns):
    moved = ns["moved"].loc[[0.2, 0.5, 0.8]]
    assert moved["recall"].is_monotonic_decreasing, "'recall falls'"
    assert moved["precision"].is_monotonic_increasing, "'precision mostly rises'"
    assert ns["moved"].loc["assumed", "f1"] >= moved["f1"].max(), "'No threshold suits all labels'"
    assert ns["moved"].loc["most confident", "f1"] == pytest.approx(_metrics(ns["report"])["f1"])


def after_precision_recall_table(ns):
    curve = ns["report"].precision_recall(ns["weakest"])
    area = (curve["recall"].diff() * curve["precision"]).sum()
    assert area == pytest.approx(ns["row"]["average_precision"]), "'The area under the curve'"


def after_known(ns):
    known, new = _metrics(ns["known"]), _metrics(ns["report"])
    assert known["f1"] > new["f1"], "'A model is better on the photos that it was trained on'"


def after_honest(ns):
    assert ns["compared"].loc["f1", "cross-validated"] < ns["compared"].loc["f1", "assumed"], "'look better'"


def after_steered(ns):
    at_80 = ns["moved"].loc[0.8]
    assert [ns["screen"].metrics[name] for name in at_80.index] == pytest.approx(at_80.tolist()), "'all metrics follow'"


def after_slices(ns):
    assert _metrics(ns["again"])["f1"] == pytest.approx(_metrics(ns["report"])["f1"]), "'evaluated again'"
    assert ns["slices"]["test_images"].sum() == 100


def after_alarm(ns):
    assert ns["alarm"]["label"] in _predicted(ns), "the false positive occurs"


def after_quiet(ns):
    assert ns["alarm"]["label"] not in _predicted(ns), "'`detect` uses it'"


def after_back(ns):
    assert ns["model"].decision == "most confident", "'`None` restores the default'"
    assumed = ns["assumed"].per_label.set_index("label")["threshold"]
    assert ns["model"].thresholds == pytest.approx(assumed.to_dict())


def _metrics(report):
    return dict(zip(report.summary["metric"], report.summary["value"], strict=True))


def _predicted(ns):
    return [one["Name"] for one in ns["model"].detect(ns["alarm"]["image"]).response["CustomLabels"]]
