"""Plot of a dataset: images and boxes per label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from customlabels_nb._utils.plotting.rows import PlotRows
from customlabels_nb._utils.plotting.style import (
    INK,
    NARROW,
    PALE,
    count_ticks,
    inches,
    legend,
    name_plot,
    plain,
    plot,
    quiet,
)
from customlabels_nb.core.geometry import BOX_SIZES
from customlabels_nb.core.tables import SPLITS

if TYPE_CHECKING:
    from customlabels_nb.datasets.dataset import Dataset

#: Width of a column of counts, as a fraction of the longest bar.
COLUMN = 0.19


@plot
def plot_labels(dataset: Dataset, ax: Axes | None = None) -> Axes:
    """Draw the number of images with each label as a bar, most first, and of small, medium and large boxes.

    If the dataset has images of both splits, the part of the training images is pale. Axes narrower than five inches
    show only the numbers of images.
    """
    labels, annotations = dataset.labels, dataset.annotations
    table = labels.assign(images=dataset.label_counts.to_numpy(), **_by_split(dataset))
    boxes = annotations.dropna(subset=["width"])
    sizes = pd.cut(boxes["width"] * boxes["height"], [*BOX_SIZES.values(), np.inf], right=False, labels=list(BOX_SIZES))
    for size in BOX_SIZES:
        table[size] = boxes.loc[sizes == size, "label"].value_counts().reindex(labels["label"], fill_value=0).to_numpy()
    table = table.sort_values("images", ascending=False, kind="stable", ignore_index=True)
    beside = ax is None
    rows = PlotRows.of(len(table), ax, width=9.6)
    ax = rows.ax
    splits = [split for split in SPLITS if table[split].any()]
    looks = {
        split: {"alpha": PALE if len(splits) > 1 and split == SPLITS[0] else 1, "linewidth": 0} for split in splits
    }
    start = np.zeros(len(table))
    for split, look in looks.items():
        ax.barh(table.index, table[split], left=start, height=0.56, color=table["color"], **look)
        start += table[split].to_numpy()
    most = int(table["images"].max()) if table["images"].any() else 1
    columns = ["images", *(BOX_SIZES if len(boxes) and inches(ax)[0] >= NARROW else ())]
    for place, column in enumerate(columns, 1):
        texts = [f"{count:,}" for count in table[column]]
        rows.column(column, most * (1 + COLUMN * place), texts, bold=column == "images")
    rows.name(table["label"].to_list())
    end = 1.01 + COLUMN * len(columns)
    ax.set_xlim(0, most * end)
    count_ticks(ax, "x", 0, most)
    ax.tick_params(axis="x", labelsize=rows.size)
    ax.set_xlabel("images", fontsize=rows.size, x=0.5 / end)
    what = "Images and boxes" if len(boxes) else "Images"
    name_plot(ax, f"{what} per label of {plain(dataset.name, 28)}", up="label", high=True)
    quiet(ax, grid="x")
    if len(splits) > 1:
        legend(ax, "", beside=beside, handles=[Patch(color=INK, **looks[split]) for split in splits], names=splits)
    return ax


def _by_split(dataset: Dataset) -> dict[str, np.ndarray]:
    """Count the images of each split with each label."""
    images = dataset.images
    return {split: dataset.filter(images["split"] == split).label_counts.to_numpy() for split in SPLITS}
