"""Group similar images into pages that get their label with one key, the purest pages first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.assist.queue import Rows
from customlabels_nb.evaluation.arrays import BoolArray, IntArray

#: With fewer labels than this, images are grouped by their pretrained features alone, unless they are few.
ENOUGH_LABELS = 20

_MOST = 6_000  # images that are grouped at a time
_PAGES_PER_CLUSTER = 5
_COLUMNS = {"position": int, "cluster": int, "page": int, "label": int, "alike": float}


def cluster_pages(
    features: Rows,
    open_: BoolArray,
    size: int,
    *,
    probabilities: NDArray[np.floating] | None = None,
    labels: int = 0,
    random_state: int = 0,
) -> pd.DataFrame:
    """Arrange open images in pages of one cluster each.

    The features are those of :func:`.queue.compact`. The probabilities of a trained model are used once there are
    :data:`ENOUGH_LABELS` labels, or if the images would be a single small cluster without a model.
    Return a table with the columns ``position`` (of the image), ``cluster``, ``page`` (from 0, the purest first),
    ``label`` (position of the page's most likely label, -1 without a model) and ``alike`` (0 to 1).
    """
    size = check_integer("size", size, 1)
    free = np.flatnonzero(open_)
    if len(free) > _MOST:
        free = np.sort(np.random.default_rng(random_state).choice(free, _MOST, replace=False))
    few = len(free) < size * _PAGES_PER_CLUSTER
    model = probabilities if labels >= ENOUGH_LABELS or few else None
    likely = np.full(len(free), -1) if model is None else model[free].argmax(axis=1)
    pages: list[tuple[float, int, int, IntArray]] = []  # alike, cluster, label, positions
    cluster = 0
    with threadpool_limits(limits=2, user_api="blas"):
        for label in np.unique(likely).tolist():
            of_label = free[likely == label]
            parts = max(1, len(of_label) // (size * _PAGES_PER_CLUSTER))
            part = KMeans(parts, n_init=1, random_state=random_state).fit_predict(features[of_label])
            for members in (of_label[part == number] for number in np.unique(part)):
                for positions in _pages(features[members], size):
                    page = members[positions]
                    sure = 1.0 if model is None else float(model[page, label].mean())
                    alike = float(np.linalg.norm(features[page].mean(axis=0)))  # 1 if all are the same
                    pages.append((min(1.0, sure * alike), cluster, label, page))
                cluster += 1
    pages.sort(key=lambda page: (len(page[3]) < size, -page[0]))
    rows = [
        (position, c, page, label, alike)
        for page, (alike, c, label, of_label) in enumerate(pages)
        for position in of_label.tolist()
    ]
    return pd.DataFrame(rows, columns=[*_COLUMNS]).astype(_COLUMNS)


def _pages(rows: Rows, size: int) -> list[IntArray]:
    """Split the rows of a cluster into pages of neighbours: the tightest group of ``size`` rows, then the next."""
    similarity = rows @ rows.T
    remaining = np.arange(len(rows))
    pages: list[IntArray] = []
    while len(remaining) > size:
        distances = similarity[np.ix_(remaining, remaining)]
        nearest = np.argpartition(-distances, size - 1, axis=1)[:, :size]
        tightest = int(np.take_along_axis(distances, nearest, axis=1).sum(axis=1).argmax())
        chosen = nearest[tightest][np.argsort(-distances[tightest, nearest[tightest]], kind="stable")]
        pages.append(remaining[chosen])
        remaining = np.delete(remaining, chosen)
    return [*pages, remaining]
