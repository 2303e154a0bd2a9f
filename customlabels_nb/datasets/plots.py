"""Plot of a dataset: images and boxes per label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from customlabels_nb._utils.plotting import style
from customlabels_nb._utils.plotting.rows import PlotRows
from customlabels_nb.core.geometry import BOX_SIZES
from customlabels_nb.core.tables import SPLITS

#: Width of a column of counts, as a fraction of the longest bar.
COLUMN = 0.19


@style.plot
def plot_labels(
    images: pd.DataFrame, annotations: pd.DataFrame, labels: pd.DataFrame, name: str, ax: Axes | None = None
) -> Axes:
    """Draw the number of images with each label as a bar, most first, and of small, medium and large boxes.

    If there are images of both splits, the part of the training images is pale. Axes narrower than five inches
    show only the numbers of images.
    """
    pairs, boxes = annotations[["image", "label"]].drop_duplicates(), annotations.dropna(subset="width")
    split = pairs["image"].map(images.set_index("image")["split"])
    size = np.array(list(BOX_SIZES))[np.digitize(boxes["width"] * boxes["height"], list(BOX_SIZES.values())[1:])]
    table = labels.copy()
    for of_label, groups, names in ((pairs["label"], split, SPLITS), (boxes["label"], size, BOX_SIZES)):
        counts = pd.crosstab(of_label, groups).reindex(index=table["label"], columns=list(names), fill_value=0)
        table[list(names)] = counts.to_numpy()
    table["images"] = table[list(SPLITS)].sum(axis=1)
    table = table.sort_values("images", ascending=False, kind="stable", ignore_index=True)
    beside = ax is None
    rows = PlotRows.of(len(table), ax, width=9.6)
    ax = rows.ax
    splits = [name for name in SPLITS if table[name].any()]
    alphas = [style.PALE, 1.0][-len(splits) :]
    start = np.zeros(len(table))
    for part, alpha in zip(splits, alphas, strict=False):
        ax.barh(table.index, table[part], left=start, height=0.56, color=table["color"], linewidth=0, alpha=alpha)
        start += table[part].to_numpy()
    most = max(table["images"].tolist(), default=0) or 1
    columns = ["images", *(BOX_SIZES if len(boxes) and style.inches(ax)[0] >= style.NARROW else ())]
    for place, column in enumerate(columns, 1):
        texts = [f"{count:,}" for count in table[column]]
        rows.column(column, most * (1 + COLUMN * place), texts, bold=column == "images")
    rows.name(table["label"].to_list())
    end = 1.01 + COLUMN * len(columns)
    ax.set_xlim(0, most * end)
    style.count_ticks(ax, "x", 0, most)
    ax.tick_params(axis="x", labelsize=rows.size)
    ax.set_xlabel("images", fontsize=rows.size, x=0.5 / end)
    what = "Images and boxes" if len(columns) > 1 else "Images"
    style.name_plot(ax, f"{what} per label of {style.plain(name, 28)}", up="label", high=True)
    style.quiet(ax, grid="x")
    if len(splits) > 1:
        handles = [Patch(color=style.INK, alpha=alpha, linewidth=0) for alpha in alphas]
        style.legend(ax, "", beside=beside, handles=handles, names=splits)
    return ax
