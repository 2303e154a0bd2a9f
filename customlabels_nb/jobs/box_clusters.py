"""Find the boxes that several people drew around the same object.

The boxes of each two people are matched one to one, so that the sum of their IoU is as large as possible (Hungarian
method). The boxes of one object are a cluster, in which each two boxes reach :data:`SAME_OBJECT_IOU` and belong to
different people. Polygons are clustered by their boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from customlabels_nb.core.geometry import ltwh_to_xyxy, xyxy_to_ltwh
from customlabels_nb.core.polygons import Polygon, box_polygon, rings_of
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.matching import find_candidates

#: IoU from which two boxes are of the same object.
SAME_OBJECT_IOU = 0.5
#: Value of equal labels, in IoU, where a box could be matched to several boxes.
_SAME_LABEL = 0.1
_GRID = 128  # pixels of the longer side of the grid on which polygons are compared

_Pairs = tuple[IntArray, IntArray, FloatArray]


def match_boxes(task: IntArray, person: IntArray, label: IntArray, box: FloatArray) -> _Pairs:
    """Match the boxes of each two people in each task one to one.

    The boxes (left, top, width, height, shape (n, 4)) are sorted by task, then by person. Return the positions of the
    matched boxes and their IoU, at least :data:`SAME_OBJECT_IOU`, each of shape (m,).
    """
    first, second, overlap = _near(task, person, box)
    chosen = _one_to_one(first, second, _score(first, second, overlap, label), person)
    return first[chosen], second[chosen], overlap[chosen]


def cluster_boxes(task: IntArray, person: IntArray, label: IntArray, box: FloatArray) -> IntArray:
    """Return the number of each box's cluster, shape (n,), by task. See :func:`match_boxes`."""
    first, second, overlap = _near(task, person, box)
    score = _score(first, second, overlap, label)
    matched = _one_to_one(first, second, score, person)
    group = _components(first[matched], second[matched], len(task))
    size, edges = np.bincount(group), np.bincount(group[first[matched]], minlength=group.max(initial=-1) + 1)
    doubtful = edges != size * (size - 1) // 2  # not each box is matched to each other
    inside = np.flatnonzero((group[first] == group[second]) & doubtful[group[first]])
    order = inside[np.lexsort((-score[inside], ~matched[inside]))]
    root = np.unique(group, return_index=True)[1][group]  # the first box of each cluster
    root[doubtful[group]] = np.flatnonzero(doubtful[group])
    _link(root, first[order].tolist(), second[order].tolist())
    return np.unique(root, return_inverse=True)[1].reshape(-1).astype(np.int64)


def median_boxes(cluster: IntArray, box: FloatArray) -> FloatArray:
    """Return the box of each cluster, shape (c, 4), whose edges are the medians of the edges of its boxes."""
    return xyxy_to_ltwh(pd.DataFrame(ltwh_to_xyxy(box)).groupby(cluster).median().to_numpy())


def outline(box: Mapping[str, Any]) -> Polygon:
    """Return the polygon of a drawn box, or its corners if it has none."""
    return box.get("polygon") or box_polygon([float(box[side]) for side in BOX_COLUMNS])


def polygon_iou(polygons: Sequence[Polygon]) -> FloatArray:
    """Compute the IoU of each two polygons, shape (n, n), on a grid of at most 128 × 128 pixels."""
    rings = [rings_of(polygon) for polygon in polygons]
    points = np.concatenate([ring for each in rings for ring in each])
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    scale = (_GRID - 1) / max(float(extent.max()), 1e-9)
    width, height = (int(side) for side in np.ceil(extent * scale) + 1)
    masks = np.zeros((len(rings), width * height), dtype=np.uint8)
    for number, each in enumerate(rings):
        for ring in each:
            page = Image.new("L", (width, height))
            ImageDraw.Draw(page).polygon(list(map(tuple, ((ring - low) * scale).tolist())), fill=1)
            masks[number] ^= np.frombuffer(page.tobytes(), dtype=np.uint8)
    flat = masks.astype(np.float32)
    shared, area = (flat @ flat.T).astype(np.float64), masks.sum(axis=1, dtype=np.float64)
    return np.asarray(shared / np.maximum(area[:, None] + area[None, :] - shared, 1))


def _near(task: IntArray, person: IntArray, box: FloatArray) -> _Pairs:
    """Return the pairs of boxes of different people that reach :data:`SAME_OBJECT_IOU`, the smaller position first."""
    candidates = find_candidates(task, box, task, box, np.zeros(len(task), dtype=np.bool_))
    first, second = candidates.prediction, candidates.truth
    kept = (first < second) & (candidates.iou >= SAME_OBJECT_IOU) & (person[first] != person[second])
    return first[kept], second[kept], candidates.iou[kept]


def _score(first: IntArray, second: IntArray, overlap: FloatArray, label: IntArray) -> FloatArray:
    return np.asarray(overlap + _SAME_LABEL * (label[first] == label[second]))


def _one_to_one(first: IntArray, second: IntArray, score: FloatArray, person: IntArray) -> BoolArray:
    """Choose pairs so that each box has at most one match of each other person. Return a mask, shape (m,)."""
    people = int(person.max(initial=0)) + 1
    # a box is a node for each other person, so that the components are those of two people
    keys = np.concatenate([first * people + person[second], second * people + person[first]])
    nodes = np.unique(keys, return_inverse=True)[1].reshape(2, -1)
    alone = (np.bincount(nodes.ravel())[nodes] == 1).all(axis=0) if keys.size else np.ones(0, dtype=np.bool_)
    chosen, rest = alone.copy(), np.flatnonzero(~alone)
    if not rest.size:
        return chosen
    group = _components(nodes[0], nodes[1], int(nodes.max()) + 1)[nodes[0, rest]]
    order = np.argsort(group, kind="stable")
    for part in np.split(rest[order], np.flatnonzero(np.diff(group[order])) + 1):
        rows, columns = (np.unique(side, return_inverse=True)[1] for side in nodes[:, part])
        scores = np.zeros((rows.max() + 1, columns.max() + 1))
        scores[rows, columns] = score[part]
        best = np.zeros(scores.shape, dtype=np.bool_)
        best[linear_sum_assignment(scores, maximize=True)] = True
        chosen[part] = best[rows, columns]
    return chosen


def _components(first: IntArray, second: IntArray, count: int) -> IntArray:
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _link(root: IntArray, first: Sequence[int], second: Sequence[int]) -> None:
    """Join boxes to clusters in the order of the pairs, where each two boxes of a cluster are one of the pairs."""
    near = set(zip(first, second, strict=True))
    clusters: dict[int, list[int]] = {}
    for earlier, later in zip(first, second, strict=True):
        here, there = (
            clusters.setdefault(earlier, [earlier]),
            clusters.setdefault(later, [later]),
        )
        if here is not there and all((min(a, b), max(a, b)) in near for a in here for b in there):
            here += there
            clusters |= dict.fromkeys(there, here)
    for box, cluster in clusters.items():
        root[box] = min(cluster)
