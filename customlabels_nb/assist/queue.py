"""Order the images to label: random check images among those from which a model learns most.

Check images are drawn uniformly at random, without a model. Thresholds, learning curves and metrics are computed from
them alone, so they stay unbiased although the other images are chosen. With few labels, the typical images of large
clusters without a label are asked (Hacohen et al.: Active Learning on a Budget, 2022), later images between two labels
that differ from each other (Zhdanov: Diverse Mini-Batch Active Learning, 2019), and images of rare labels.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.models.embeddings import PackedFeatures, unit_rows

#: Until this many check images are labelled, they are half of each page. Then they are a fifth.
MANY_CHECKED, FIRST_SHARE, LATER_SHARE = 100, 0.5, 0.2
#: Most open images that wait to be check images. They have no prelabels and are on no cluster page.
MOST_RESERVED = 100
#: With fewer labels than this times the number of labels, typical images are asked instead of uncertain ones. On
#: digits and rooms 3 needs fewer labels than 5 or 10, because half of the images are random anyway.
COLD = 3
#: Share of the chosen images that are asked because they probably have a rare label.
RARE_SHARE = 0.25
#: A label is rare if it has fewer labelled images than this share of the mean of all labels.
RARE = 0.5

_DIRECTIONS = 64
_BLOCK = 8_192  # images whose features are in memory at a time
_SAMPLE = 5_000  # images that directions and cluster centres are computed from
_MOST_CLUSTERS = 400
_NEIGHBOURS, _COMPARED = 5, 1000
_PAGES = 10  # pages of images that are ordered by doubt and diversity

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class QueueState:
    """State of the labelling work for ``n`` images, of which only the first of near-duplicates are asked.

    ``features`` are those of :func:`compact`. ``check_order`` has the next check images, in random order, and
    ``checked`` others are labelled already. ``open`` images can be asked: they are not labelled, skipped or waiting for
    review, and one of each group of near-duplicates is open. ``counts`` has the number of labelled images of each
    label. With a model there are ``probabilities`` (n, k) and
    ``doubt`` (n,), which is 0 for images whose labels are certain and 1 at the most. With proposals, ``proposed`` (n,)
    has the surest proposed label of each image, or -1.
    """

    features: Rows
    check_order: IntArray
    open: BoolArray
    labelled: BoolArray
    counts: IntArray
    checked: int = 0
    doubt: FloatArray | None = None
    probabilities: NDArray[np.floating] | None = None
    proposed: IntArray | None = None


def compact(features: NDArray[np.floating] | PackedFeatures, *, random_state: int = 0) -> Rows:
    """Project features (n, d) on their main directions and scale them to unit length, float32 of shape (n, ≤ 64).

    The features are read in blocks. Unreadable images (zeros or NaN) get zeros.
    """
    some = np.random.default_rng(random_state).choice(len(features), min(len(features), _SAMPLE), replace=False)
    sample = unit_rows(np.nan_to_num(np.asarray(features[np.sort(some)], dtype=np.float32)))
    directions = randomized_svd(sample, min(_DIRECTIONS, *sample.shape), n_iter=2, random_state=random_state)[2].T
    result = np.empty((len(features), directions.shape[1]), dtype=np.float32)
    for start in range(0, len(features), _BLOCK):
        block = np.asarray(features[start : start + _BLOCK], dtype=np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
        small = unit_rows(block @ directions)
        result[start : start + _BLOCK] = np.where(length > 0, small, 0)  # the length of an unreadable image is NaN
    return result


def check_places(images: Sequence[str], *, random_state: int = 0) -> NDArray[np.uint64]:
    """Return a random number for each image, its place in the order of check images.

    It depends only on the image's content hash or name and the seed, so other images do not change the order.
    """
    key = str(random_state).encode()
    numbers = [blake2b(name.encode("utf-8", "replace"), digest_size=8, key=key).digest() for name in images]
    return np.frombuffer(b"".join(numbers), dtype=">u8").astype(np.uint64)


def pack_places(places: NDArray[np.uint64]) -> str:
    """Return places as a short text, rounded to 32 bits."""
    return b64encode(np.unique(places >> np.uint64(32)).astype("<u4").tobytes()).decode()


def is_packed(places: NDArray[np.uint64], packed: str) -> BoolArray:
    """Return a mask of the places that :func:`pack_places` packed."""
    return np.isin((places >> np.uint64(32)).astype(np.uint32), np.frombuffer(b64decode(packed), dtype="<u4"))


def check_images(places: NDArray[np.uint64], open_: BoolArray, offered: Sequence[int]) -> tuple[int, list[int]]:
    """Return how far the evidence of check images reaches, and the places to reserve for the next check images.

    Images at or before the first number are evidence, also those that were labelled for another reason: leaving them
    out would bias the rest. ``offered`` are the places that were reserved before. The evidence ends at one of them,
    before the first open image, because beyond it the images are only those that somebody wanted to label.
    """
    waiting = np.sort(places[open_]).tolist()
    done = [position for position in sorted(offered) if not waiting or position < waiting[0]]
    answered = sorted(set(offered).difference(waiting))[-1:]
    ahead = waiting[: min(MOST_RESERVED, -(-len(waiting) // 4))]
    return done[-1] if done else -1, [*done[-1:], *answered, *ahead]


def ask_once(copies: ArrayLike, sharpness: ArrayLike) -> BoolArray:
    """Return a mask with the sharpest image of each group of near-duplicates, shape (n,)."""
    group = np.unique(np.asarray(copies), return_inverse=True)[1].ravel()
    order = np.lexsort((-np.asarray(sharpness, dtype=np.float64), group))
    result = np.zeros(len(group), dtype=np.bool_)
    result[order[np.diff(group[order], prepend=-1) != 0]] = True
    return result


def order_queue(state: QueueState, *, page: int = 20, random_state: int = 0) -> pd.DataFrame:
    """Order all open images.

    Return a table with ``position`` (of the image) and ``kind``: "check", "typical", "uncertain" or "rare". The same
    state, page size and seed give the same queue.
    """
    page = check_integer("page", page, 1)
    cold = state.doubt is None or int(state.labelled.sum()) < COLD * max(len(state.counts), 1)
    with threadpool_limits(limits=2, user_api="blas"):
        chosen = typical_images(state, page, random_state) if cold else uncertain_images(state, page, random_state)
    kind = np.full(len(state.open), "typical" if cold else "uncertain", dtype=object)
    if cold and state.proposed is not None:
        chosen = take_turns(chosen, state.proposed[chosen])
    if not cold:
        chosen = _with_rare(state, chosen, page * _PAGES, kind)
    checks = state.check_order[state.open[state.check_order]]
    position, is_check = _interleave(chosen[~np.isin(chosen, checks)], checks, state.checked)
    return pd.DataFrame({"position": position, "kind": np.where(is_check, "check", kind[position])})


def typical_images(state: QueueState, count: int, random_state: int) -> IntArray:
    """Order the open images: first the most typical of the largest clusters with the fewest labels, then the rest."""
    rows, free = state.features, np.flatnonzero(state.open)
    if not free.size:
        return free
    usable, random = np.flatnonzero(state.open | state.labelled), np.random.default_rng(random_state)
    some = np.sort(random.choice(usable, min(len(usable), _SAMPLE), replace=False))
    clusters = min(int(state.labelled.sum()) + count, _MOST_CLUSTERS, len(some))
    centres = KMeans(clusters, n_init=1, max_iter=30, random_state=random_state).fit(rows[some]).cluster_centers_
    half = (centres**2).sum(axis=1) / 2
    blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
    cluster = np.concatenate([(block @ centres.T - half).argmax(axis=1) for block in blocks])
    size = np.bincount(cluster[free], minlength=clusters)
    members = np.split(free[np.argsort(cluster[free], kind="stable")], np.cumsum(size)[:-1])
    visited = np.lexsort((-size, np.bincount(cluster[state.labelled], minlength=clusters)))
    ranked = [_by_typicality(rows, members[number]) for number in visited[size[visited] > 0][:count]]
    chosen = [order[turn] for turn in range(count) for order in ranked if turn < len(order)]
    return _then_the_rest(np.array(chosen[:count], dtype=np.int64), free)


def uncertain_images(state: QueueState, page: int, random_state: int) -> IntArray:
    """Order the open images by doubt, with the images of the first ten pages as different from each other as possible.

    These images are clustered, weighted by doubt. Each page has one image of each cluster.
    """
    assert state.doubt is not None
    free = np.flatnonzero(state.open)
    free = free[np.argsort(-state.doubt[free], kind="stable")]
    first = free[: page * _PAGES]
    if len(first) <= page:
        return free
    weight = np.maximum(state.doubt[first], 1e-3)
    means = KMeans(page, n_init=1, random_state=random_state).fit(state.features[first], sample_weight=weight)
    turn = pd.Series(means.labels_).groupby(means.labels_).cumcount().to_numpy()  # 0 for the most uncertain of each
    return np.concatenate([first[np.lexsort((np.arange(len(first)), turn))], free[len(first) :]])


def take_turns(images: IntArray, labels: IntArray) -> IntArray:
    """Order images (n,) so that their labels take turns. The order of the images with a label stays the same."""
    turn = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    return images[np.argsort(turn, kind="stable")]


def _with_rare(state: QueueState, chosen: IntArray, ahead: int, kind: NDArray[np.object_]) -> IntArray:
    """Put an image that probably has a rare label in every fourth of the first places."""
    rare = np.flatnonzero(state.counts < RARE * state.counts.mean())
    places = int(RARE_SHARE * min(ahead, len(chosen)))
    if state.probabilities is None or not len(rare) or not places:
        return chosen
    likely = state.probabilities[np.ix_(chosen, rare)]
    best = np.argsort(-likely, axis=0, kind="stable")[:places]  # (places, rare labels)
    is_likely = likely[best, np.arange(len(rare))] > 0.5 / len(state.counts)
    turns = best[is_likely]  # the most likely image of each rare label, then the second
    picked = turns[np.sort(np.unique(turns, return_index=True)[1])][:places]
    kind[chosen[picked]] = "rare"
    others = np.delete(np.arange(len(chosen)), picked)
    rank = np.concatenate([np.arange(len(others)), np.arange(len(picked)) * (1 / RARE_SHARE - 1) - 0.5])
    return np.asarray(chosen[np.concatenate([others, picked])[np.argsort(rank, kind="stable")]])


def _interleave(chosen: IntArray, checks: IntArray, checked: int) -> tuple[IntArray, BoolArray]:
    """Insert the check images between the chosen images, and return a mask of them."""
    number = np.arange(len(checks))
    many = max(MANY_CHECKED - checked, 0)
    first, later = np.minimum(number, many), np.maximum(number - many, 0)
    turn = np.concatenate([np.arange(len(chosen)), first * (1 / FIRST_SHARE - 1) + later * (1 / LATER_SHARE - 1)])
    order = np.argsort(turn, kind="stable")
    return np.concatenate([chosen, checks])[order], order >= len(chosen)


def _by_typicality(rows: Rows, members: IntArray) -> IntArray:
    """Order the members of a cluster by their mean distance to their nearest neighbours, the smallest first."""
    some = members[:: -(-len(members) // _COMPARED)]
    nearest = min(_NEIGHBOURS + 1, len(some))
    products = np.partition(rows[some] @ rows[some].T, -nearest, axis=1)[:, -nearest:]
    distance = np.sqrt(np.maximum(2 - 2 * products, 0)).mean(axis=1)
    return _then_the_rest(some[np.argsort(distance, kind="stable")], members)


def _then_the_rest(first: IntArray, everything: IntArray) -> IntArray:
    return np.concatenate([first, everything[~np.isin(everything, first)]])
