"""Tests of comparing more than two evaluations."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.comparison.comparing import compare
from customlabels_nb.evaluation.comparison.several import compare_versions
from customlabels_nb.evaluation.slices import slices_of
from customlabels_nb.project.report import Report
from tests.evaluation.cases import HOSTILE, random_tables

LABELS = list(HOSTILE[:3])


def version(seed: int, images: slice = slice(None), random_state: int = 0) -> Evaluation:
    """Evaluate a model on 40 images with a number as text for each."""
    truth, _ = random_tables(40, LABELS, random_state=1)
    _, predictions = random_tables(40, LABELS, random_state=seed)
    names = list(dict.fromkeys(predictions["image"]))[images]
    table = pd.DataFrame({"image": names, "size": [f"{at}.5" for at in range(len(names))]})
    return evaluate(truth, predictions, table, random_state=random_state)


def test_each_version_is_compared_with_the_first() -> None:
    versions = [version(seed) for seed in (1, 2, 3)]
    found = compare_versions(versions, ["a", "b", "b"])
    assert found.names == ("a", "b", "b (3)")
    assert found.summary["f1"].tolist() == [one.metric("f1") for one in versions]
    for at in (1, 2):
        pair, row = compare(versions[0], versions[at]), found.summary.iloc[at]
        assert row[["delta", "low", "high"]].tolist() == pair.metric("f1")[["delta", "low", "high"]].tolist()
        assert (row["fixed"], row["broken"]) == (len(pair.fixed), len(pair.broken))
        own = found.per_label[found.per_label["version"] == found.names[at]]
        np.testing.assert_array_equal(own["f1"], pair.per_label["after"])
    assert np.isnan(found.summary["delta"].iloc[0])
    assert "3 versions, 40 test images" in repr(found)
    html = found._repr_html_()
    assert "<script" not in html
    assert "<img" not in html


def test_intervals_of_versions_without_mistakes_are_explained() -> None:
    truth, _ = random_tables(40, LABELS, random_state=1)
    found = compare_versions([evaluate(truth, truth.assign(confidence=1.0)), version(1)], "ab", common=True)
    assert found.summary["f1_low"].tolist()[0] == 1
    for text in (repr(found), found._repr_html_()):
        assert "could still be wrong on up to about 8% of new images" in text
    assert "made no mistakes" not in repr(compare_versions([version(1), version(2)], "ab"))


def test_the_intervals_are_those_of_the_reports() -> None:
    versions = [version(seed, random_state=7) for seed in (1, 2, 3)]
    found = compare_versions(versions, "abc")
    for at, one in enumerate(versions):
        overall = one.summary.set_index("metric").loc["f1", ["low", "high"]].tolist()
        assert found.summary[["f1_low", "f1_high"]].iloc[at].tolist() == overall
        own = found.per_label[found.per_label["version"] == found.names[at]]
        np.testing.assert_array_equal(own[["f1_low", "f1_high"]], one.per_label[["f1_low", "f1_high"]])
    assert found.by("size", bins=4)["test_images"].sum() == 3 * 40


def test_only_images_that_all_share_are_compared() -> None:
    versions = [version(1), version(2, slice(0, 30)), version(3, slice(10, None))]
    with pytest.raises(InputError, match="common=True"):
        compare_versions(versions, "abc")
    assert compare_versions(versions, "abc", common=True).test_images == 20
    with pytest.raises(NotEnoughDataError):
        compare_versions([version(1), version(2, slice(0, 9)), version(3, slice(9, None))], "abc", common=True)


def test_slices_and_labels_of_all_versions_are_in_one_chart() -> None:
    found = compare_versions([version(seed) for seed in (1, 2, 3)], "abc")
    table = found.by("size", bins=4)
    assert table["slice"].unique().tolist() == ["0.5 to 9.5", "10.5 to 19.5", "20.5 to 29.5", "30.5 to 39.5"]
    assert table["version"].tolist() == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    for by in ("label", "size"):
        ax = found.plot(by=by, bins=4)
        assert len(ax.get_yticklabels()) == (4 if by == "size" else 3)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
        assert ax.get_ylabel() == by
        assert ax.get_title() == f"F1 by {by}"
        plt.close("all")
    with pytest.raises(InputError, match="no such"):
        found.plot(by="no such")


def test_numbers_are_sliced_into_as_many_ranges_as_asked() -> None:
    report = Report(version(1))
    assert report.by("size")["test_images"].tolist() == [8] * 5
    assert report.by("size", bins=2)["slice"].tolist() == ["0.5 to 19.5", "20.5 to 39.5"]
    assert len(report.plot_by("size", bins=3).get_yticklabels()) == 3
    plt.close("all")
    for wrong in (1, 0, True, 2.5):
        with pytest.raises(InputError, match="bins"):
            report.by("size", bins=wrong)  # type: ignore[arg-type]
    texts = pd.Series([f"{at}" for at in range(20)] + ["n/a"])
    assert len(list(slices_of(texts))) == 21
