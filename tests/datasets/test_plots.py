"""Tests of the plot of a dataset."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from customlabels_nb import Dataset
from customlabels_nb.errors import InputError
from tests.evaluation.cases import HOSTILE
from tests.evaluation.drawing import assert_apart, drawn, legend_of, words

LABELS = ("apple", "pear", "plum")


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def fruit(
    *, splits: tuple[str, ...] = ("train", "test"), boxes: bool = True, labels: tuple[str, ...] = LABELS
) -> Dataset:
    """Return four images: two show the first label, three the second with two boxes each, none the third."""
    images = pd.DataFrame({"image": list("abcd"), "split": np.resize(splits, 4)})
    shown = [("a", 0), ("b", 0), ("b", 1), ("c", 1), ("d", 1)]
    annotations = pd.DataFrame([(image, labels[label]) for image, label in shown], columns=["image", "label"])
    if boxes:
        annotations = pd.concat([annotations, annotations[2:]], ignore_index=True)
        sides = [10, 32, 95, 96, 200, 20, 20, 20]
        annotations = annotations.assign(left=0.0, top=0.0, width=sides, height=sides)
    return Dataset(images, annotations, labels, name="fruit")


def lengths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches]


def test_bars_are_images_and_columns_are_boxes_by_size() -> None:
    ax = fruit(splits=("train",)).plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["pear", "apple", "plum"]
    assert lengths(ax) == [3, 2, 0]
    columns = [words(ax)[start : start + 4] for start in range(0, 16, 4)]
    assert columns == [
        ["images", "3", "2", "0"],
        ["small", "3", "1", "0"],
        ["medium", "1", "1", "0"],
        ["large", "2", "0", "0"],
    ]
    assert ax.get_title() == "Images and boxes per label of fruit"
    assert ax.get_legend() is None
    drawn(ax)
    assert_apart(ax.texts)


def test_splits_have_parts_of_the_bars_and_a_legend() -> None:
    ax = fruit(boxes=False).plot()
    assert lengths(ax) == [1, 1, 0, 2, 1, 0]
    assert [bar.get_x() for bar in ax.patches] == [0, 0, 0, 1, 1, 0]
    assert legend_of(ax) == ["train", "test"]
    assert words(ax) == ["images", "3", "2", "0"]


def test_a_narrow_axes_and_a_theme_are_used() -> None:
    _, axes = plt.subplots(1, 2)
    assert fruit().plot(axes[1], theme="paper") is axes[1]
    assert words(axes[1]) == ["images", "3", "2", "0"]
    assert axes[1].get_facecolor() == (1, 1, 1, 1)
    with pytest.raises(InputError, match=r"dark.*paper"):
        fruit().plot(theme="dark")  # type: ignore[arg-type]


def test_hostile_names_many_labels_and_nothing_to_plot() -> None:
    many = tuple(f"label {number}" for number in range(100))
    for labels in (HOSTILE, many):
        assert_apart(drawn(fruit(labels=labels).plot()).axes[0].get_yticklabels())
    for images in ([], ["a"]):
        drawn(Dataset(pd.DataFrame({"image": images}, dtype=str), name="$x$").plot())
