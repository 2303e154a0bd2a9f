"""Calibration: compare the confidence of predictions with the share of predictions that are correct."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.scores import Scores

#: Number of bins by default, and the largest.
CALIBRATION_BINS, MOST_BINS = 10, 1000


def calibration_table(outcomes: Outcomes, bins: int, *, position: int | None = None) -> pd.DataFrame:
    """Compute the table that ``Report.calibration`` returns, for all labels or for the label at one position.

    Each bin includes its upper edge, and the first bin also includes 0, as in
    ``sklearn.calibration.calibration_curve``. For single-label images without a true label, the most confident label
    counts as wrong.
    """
    bins = check_integer("bins", bins, 1, MOST_BINS)
    confidence, right = answers(outcomes, position)
    edges = np.linspace(0, 1, bins + 1)
    bin_index = np.searchsorted(edges[1:-1], confidence)
    count = np.bincount(bin_index, minlength=len(edges) - 1)
    several = np.where(count > 0, count, np.nan)
    mean = np.bincount(bin_index, weights=confidence, minlength=len(count)) / several
    share = np.bincount(bin_index, weights=right, minlength=len(count)) / several
    table = pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "count": count, "mean_confidence": mean, "share_right": share}
    )
    apart = np.nansum(count * np.abs(share - mean))
    table.attrs["error"] = float(apart / count.sum()) if count.any() else float("nan")
    return table


def answers(outcomes: Outcomes, position: int | None) -> tuple[FloatArray, BoolArray]:
    """Return the confidence of each prediction and whether the prediction is correct, each of shape (m,)."""
    if position is not None:
        _, confidence, right = outcomes.predictions(position)
        return confidence, right
    if isinstance(outcomes, Scores) and outcomes.task == SINGLE_LABEL:
        image = np.flatnonzero(outcomes.answered)
        predicted = outcomes.predicted_label[image]
        return outcomes.confidence[image, predicted], outcomes.truth[image, predicted]
    all_of = [outcomes.predictions(label) for label in range(len(outcomes.labels))]
    return np.concatenate([of_part for _, of_part, _ in all_of]), np.concatenate([right for _, _, right in all_of])
