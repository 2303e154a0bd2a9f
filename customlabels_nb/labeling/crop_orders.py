"""Sort crops by similarity and by the doubt about their labels, in the background."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customlabels_nb.events import Events, relay
from customlabels_nb.images.regions import Part
from customlabels_nb.labeling.similarity import Background
from customlabels_nb.models.backbone import PACKAGED

if TYPE_CHECKING:
    from customlabels_nb.models.embeddings import PackedFeatures

#: Smallest number of labelled crops for which doubt is computed.
FEWEST = 10

_BLOCK = 4_096  # crops whose new features are in memory at a time
_MOST_LEARNT = 10_000
_SOON = 0.5  # seconds in which stored features are found


class Doubts(NamedTuple):
    """Doubt about the label of each crop, from -1 to 1, NaN if unknown, and the label suggested instead, if any.

    The doubt is the probability of the most likely other label (``confidence``) minus that of the label itself.
    """

    score: NDArray[np.float64]
    confidence: NDArray[np.float64]
    suggested: list[str | None]


class JudgedCrops(NamedTuple):
    """Crops, their labels, and whether these are true labels, not predictions."""

    parts: list[Part]
    labels: NDArray[np.object_]
    truth: NDArray[np.bool_]


class CropOrders:
    """Orders of crops by their features, which are computed in a background thread.

    The first call with other arguments starts computing and raises NotReadyError with the progress. Later calls keep
    raising it until the answer is ready, and then return the same object.
    """

    def __init__(self, root: Path, model: Callable[[], str] = lambda: PACKAGED) -> None:
        self._root, self._model = root, model
        self._orders, self._doubts, self._prepared = Background[list[int]](), Background[Doubts](), Background[int]()

    def prepare(self, parts: Sequence[Part]) -> None:
        """Compute the features of crops. Those that are stored are ready at once."""
        model = self._model()
        compute = partial(self._store_features, list(parts), model)
        self._prepared.get((model, *parts), len(parts), compute, wait=_SOON)

    def similar(self, parts: Sequence[Part], *, to: int | None = None) -> list[int]:
        """Return the order in which neighbours are alike, as positions in ``parts``, with unreadable crops last.

        With ``to``, the crops are sorted by decreasing similarity to the crop at this position.
        """
        if len(parts) < 3:
            return sorted(range(len(parts)), key=lambda at: at != to)  # all are neighbours in any order
        model = self._model()
        return self._orders.get((model, to, *parts), len(parts), partial(self._by_similarity, list(parts), model, to))

    def doubts(self, stamp: Hashable, count: int, read: Callable[[], JudgedCrops]) -> Doubts:
        """Return the doubt about the label of each crop.

        The probabilities come from heads that were trained on the true labels of crops of other images. ``read``
        returns the crops, ``count`` of them, in the background thread. They are the same as long as ``stamp`` is.
        """
        model = self._model()
        return self._doubts.get((model, stamp), count, partial(self._by_doubt, read, model))

    def _features(self, parts: list[Part], model: str, events: Events) -> tuple[PackedFeatures, NDArray[np.int64]]:
        """Return the features of crops in the order of their images, and the position of each in ``parts``."""
        from customlabels_nb.models.embeddings import PackedFeatures
        from customlabels_nb.models.feature_file import project_features

        order = sorted(range(len(parts)), key=lambda position: parts[position].image)
        features = PackedFeatures(project_features(self._root), model)
        for start in range(0, len(order), _BLOCK):
            images, keys, regions = zip(*(parts[position] for position in order[start : start + _BLOCK]), strict=True)
            progress = relay(events, "features", start, len(order))
            features.add(images, keys, regions=regions, root=self._root, events=progress)
        return features, np.array(order, dtype=np.int64)

    def _store_features(self, parts: list[Part], model: str, events: Events) -> int:
        return len(self._features(parts, model, events)[0])

    def _by_similarity(self, parts: list[Part], model: str, to: int | None, events: Events) -> list[int]:
        from customlabels_nb.models.embeddings import similar_order

        features, order = self._features(parts, model, events)
        start = None if to is None else int(np.flatnonzero(order == to)[0])
        return [int(position) for position in order[similar_order(features, to=start)]]

    def _by_doubt(self, read: Callable[[], JudgedCrops], model: str, events: Events) -> Doubts:
        from customlabels_nb.assist.probabilities import FOLDS, cross_fit, learn, predict
        from customlabels_nb.assist.suspects import swapped_labels

        parts, labels, truth = read()
        doubts = Doubts(np.full(len(parts), np.nan), np.full(len(parts), np.nan), [None] * len(parts))
        features, order = self._features(parts, model, events)
        photo = pd.factorize(np.array([parts[position].image for position in order], dtype=object))[0]
        known = np.flatnonzero(truth[order] & features.readable)
        by_photo = np.argsort(np.random.default_rng(0).permutation(len(parts))[photo[known]], kind="stable")
        sample = np.sort(known[by_photo[:_MOST_LEARNT]])
        names = pd.Index(sorted(set(labels[order[sample]])), dtype=object)
        if len(sample) < FEWEST or len(names) < 2:
            return doubts
        codes = names.get_indexer(labels[order])  # -1 where the label was not learnt
        rows = features[sample].astype(np.float32)
        head = learn(rows, codes[sample], len(names))
        events.progress("features", len(parts), len(parts))  # unless it was cancelled
        groups = photo[sample] if len(np.unique(photo[sample])) >= FOLDS else None
        probabilities = predict(features, head)
        probabilities[sample] = cross_fit(rows, codes[sample], head, copies=groups)
        known = known[codes[known] >= 0]
        for row, other, _ in zip(*swapped_labels(probabilities[known], codes[known]), strict=True):
            doubts.suggested[order[known[row]]] = names[other]
        judged = np.flatnonzero((codes >= 0) & features.readable)
        own = probabilities[judged, codes[judged]]
        probabilities[judged, codes[judged]] = -1
        doubts.confidence[order[judged]] = probabilities[judged].max(axis=1)
        doubts.score[order[judged]] = doubts.confidence[order[judged]] - own
        return doubts
