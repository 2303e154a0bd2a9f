"""Advice on labels that hide several looks: of images that look alike some are found and others aren't."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.advice.case import Case
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.outcomes import Outcomes

#: Images of a label, and of each look: fewer say nothing of looks.
LEAST_IMAGES, LEAST_OF_A_LOOK = 10, 4
#: How much closer images of one look are to each other than to the other look (mean silhouette).
APART = 0.15
#: By how much the recall of one look is lower, and how seldom chance makes it so (Fisher's exact test).
RECALL_GAP, CHANCE = 0.3, 0.01


def looks_advice(case: Case) -> Iterator[AdviceItem]:
    """Labels whose images fall into two groups of look-alikes, one of which is found far less often."""
    if case.features is None or case.detection:
        return
    for position, label in enumerate(case.labels):
        if case.counts[2][position] >= LEAST_OF_A_LOOK * RECALL_GAP:
            item = _two_looks(case, label, case.features)
            if item is not None:
                yield item


def _two_looks(case: Case, label: str, features: FloatArray) -> AdviceItem | None:
    from scipy.stats import fisher_exact

    rows = pd.concat([case.hits.assign(found=True), case.misses.assign(found=False)])
    rows = rows.loc[rows["label"] == label, ["image", "label", "confidence", "found"]]
    vectors = features[pd.Index(case.outcomes.images).get_indexer(rows["image"])]
    readable = np.isfinite(vectors).all(axis=1)
    rows, vectors = rows[readable], vectors[readable]
    if len(rows) < LEAST_IMAGES:
        return None
    group = _halves(vectors)
    if group is None:
        return None
    found = rows["found"].to_numpy(dtype=bool)
    recall = [float(found[group == which].mean()) for which in (0, 1)]
    worse = int(recall[1] < recall[0])
    sizes = [int((group == which).sum()) for which in (worse, 1 - worse)]
    hits = [int(found[group == which].sum()) for which in (worse, 1 - worse)]
    missed = [size - hit for size, hit in zip(sizes, hits, strict=True)]
    if recall[1 - worse] - recall[worse] < RECALL_GAP or fisher_exact([hits, missed]).pvalue > CHANCE:
        return None
    text = (
        f"{label} seems to have two looks: of {sizes[0]:,} images that look alike {hits[0]:,} are found, of the other "
        f"{sizes[1]:,} {hits[1]:,}. Add training images like the former, or make them a label of their own."
    )
    images = rows[group == worse].sort_values(["found", "confidence"], kind="stable", ignore_index=True)
    by = case.each([label] * round(sizes[0] * (recall[1 - worse] - recall[worse])))
    return AdviceItem("several_looks", text, (label,), images, case.look(), case.gain(tp=by, fn=-by))


def _halves(vectors: FloatArray) -> npt.NDArray[np.int64] | None:
    """Which of two groups each row belongs to, shape (rows,); None where there aren't two."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    if len(np.unique(unit, axis=0)) < 2:
        return None
    group: npt.NDArray[np.int64] = KMeans(2, n_init=10, random_state=0).fit_predict(unit).astype(np.int64)
    sizes = np.bincount(group, minlength=2)
    if sizes.min() < LEAST_OF_A_LOOK or float(silhouette_score(unit, group)) < APART:
        return None
    return group


def checked_features(
    features: Mapping[str, npt.ArrayLike] | pd.DataFrame | npt.ArrayLike | None, outcomes: Outcomes
) -> FloatArray | None:
    """Features of the test images in their order, shape (n, d); NaN for images that have none.

    Parameters
    ----------
    features : dict, DataFrame or ndarray, optional
        Image → features; a table with the images as its index; or one row a test image, in their order.

    Raises
    ------
    InputError
        If they are something else.
    """
    if features is None:
        return None
    number = len(outcomes.images)
    try:
        if isinstance(features, Mapping):
            rows = {image: np.asarray(row, dtype=np.float64).ravel() for image, row in features.items()}
            features = pd.DataFrame.from_dict(rows, orient="index")
        if isinstance(features, pd.DataFrame):
            features = features[~features.index.duplicated()].reindex(list(outcomes.images))
        found = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"features can't be read as numbers: {error}.") from error
    if found.ndim != 2 or len(found) != number or not found.shape[1]:
        raise InputError(
            f"features has the shape {found.shape}; give one row for each of the {number} test images, in the order of "
            "their table, or a dict image → features."
        )
    return found
