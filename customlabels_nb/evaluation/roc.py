"""Receiver operating characteristic (ROC) of a classifier's labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.scores import Scores


def roc_table(scores: Scores, position: int) -> pd.DataFrame:
    """Compute the table that :meth:`customlabels_nb.evaluation.result.Evaluation.roc` returns."""
    false, true, threshold = _points(scores, position)
    return pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true, "threshold": threshold})


def roc_area(scores: Scores, position: int) -> float:
    """Compute the area under the ROC curve of one label, as scikit-learn does. NaN if all images have it, or none."""
    false, true, _ = _points(scores, position)
    return float((np.diff(false) * (true[1:] + true[:-1])).sum() / 2)


def _points(scores: Scores, position: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the rates of false and of true positives (NaN if undefined), and the threshold, highest first."""
    steps, images, positives = scores.steps(position), len(scores.images), int(scores.test_images[position])
    hits, accepted, threshold = (np.append(start, rest) for start, rest in (
        (0, steps.hits), (0, steps.accepted), (np.inf, steps.confidence)
    ))  # fmt: skip
    if accepted[-1] < images:  # pairs without a confidence
        hits, accepted, threshold = (
            np.append(hits, positives),
            np.append(accepted, images),
            np.append(threshold, -np.inf),
        )
    with np.errstate(invalid="ignore"):
        return (accepted - hits) / np.float64(images - positives), hits / np.float64(positives), threshold
