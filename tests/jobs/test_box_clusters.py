"""Tests of finding the boxes of the same object."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from customlabels_nb.core.geometry import iou
from customlabels_nb.jobs.box_clusters import SAME_OBJECT_IOU, cluster_boxes, match_boxes, median_boxes, polygon_iou


def draw(*people: list[tuple[float, ...]]) -> tuple[np.ndarray, ...]:
    """Return task, person, label and boxes of one task."""
    person = np.repeat(np.arange(len(people)), [len(own) for own in people])
    boxes = np.array([sides for own in people for sides in own], dtype=float).reshape(-1, 4)
    return np.zeros(len(person), dtype=int), person, np.zeros(len(person), dtype=int), boxes


def test_boxes_of_one_object_form_a_cluster() -> None:
    drawn = draw([(0, 0, 10, 10), (50, 0, 10, 10)], [(51, 0, 10, 10), (1, 0, 10, 10)], [(0, 1, 10, 10)])
    assert cluster_boxes(*drawn).tolist() == [0, 1, 1, 0, 0]
    np.testing.assert_allclose(median_boxes(cluster_boxes(*drawn), drawn[3]), [[0, 0, 10, 10], [50.5, 0, 10, 10]])


def test_tasks_are_apart() -> None:
    task, person, label, box = draw([(0, 0, 10, 10)], [(0, 0, 10, 10)])
    assert cluster_boxes(np.array([0, 1]), person, label, box).tolist() == [0, 1]
    assert cluster_boxes(task, person, label, box).tolist() == [0, 0]


def test_matches_are_the_best_in_total() -> None:
    # the best single pair would leave the other two boxes without a match
    drawn = draw([(0, 0, 10, 10), (3, 0, 10, 10)], [(2, 0, 10, 10), (6, 0, 10, 10)])
    between = iou(drawn[3][:2], drawn[3][2:])
    assert between[1, 0] == between.max()
    first, second, overlap = match_boxes(*drawn)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 2), (1, 3)]
    assert overlap.tolist() == pytest.approx([between[0, 0], between[1, 1]])


def test_equal_labels_decide_between_boxes_at_one_place() -> None:
    task, person, _, box = draw([(0, 0, 10, 10), (0, 0, 10, 10)], [(0, 0, 10, 10), (0, 0, 10, 10)])
    first, second, _ = match_boxes(task, person, np.array([1, 2, 2, 1]), box)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 3), (1, 2)]
    assert cluster_boxes(task, person, np.array([1, 2, 2, 1]), box).tolist() == [0, 1, 1, 0]


def test_a_chain_of_boxes_is_not_one_object() -> None:
    drawn = draw([(0, 0, 10, 10)], [(2.5, 0, 10, 10)], [(5.2, 0, 10, 10)])
    assert cluster_boxes(*drawn).tolist() == [0, 0, 1]


@pytest.mark.parametrize("random_state", range(20))
def test_clusters_of_crowded_images_have_one_near_box_per_person(random_state: int) -> None:
    random = np.random.default_rng(random_state)
    objects = np.column_stack([random.uniform(0, 40, (8, 2)), random.uniform(15, 30, (8, 2))])
    task, person, label, boxes = (np.concatenate(part) for part in zip(*(
        (np.full(8, which), np.full(8, who), np.arange(8) % 3, objects + random.normal(0, 2, objects.shape))
        for which, who in itertools.product(range(3), range(5))
    ), strict=True))  # fmt: skip
    cluster = cluster_boxes(task, person, label, boxes)
    assert np.unique(cluster).tolist() == list(range(cluster.max() + 1))
    for own in (np.flatnonzero(cluster == number) for number in range(cluster.max() + 1)):
        assert len(set(task[own])) == 1
        assert len(set(person[own])) == len(own)
        assert iou(boxes[own], boxes[own]).min() >= SAME_OBJECT_IOU
    assert np.bincount(cluster).max() == 5


def test_one_person_has_at_most_one_match_per_box() -> None:
    random = np.random.default_rng(0)
    person = np.sort(random.integers(0, 4, 200))
    boxes = np.column_stack([random.uniform(0, 60, (200, 2)), random.uniform(20, 30, (200, 2))])
    first, second, overlap = match_boxes(np.zeros(200, int), person, random.integers(0, 3, 200), boxes)
    assert len(first) > 100
    assert overlap.min() >= SAME_OBJECT_IOU
    for here, there in ((first, second), (second, first)):
        assert len(set(zip(here.tolist(), person[there].tolist(), strict=True))) == len(here)


def test_no_boxes_have_no_clusters() -> None:
    assert cluster_boxes(*draw()).tolist() == []
    assert median_boxes(np.empty(0, int), np.empty((0, 4))).shape == (0, 4)


def test_polygon_iou_of_known_shapes() -> None:
    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    half = [[0, 0], [10, 0], [10, 5], [0, 5]]
    away = [[20, 20], [30, 20], [30, 30]]
    found = polygon_iou([square, half, square[::-1], away])
    np.testing.assert_allclose(np.diag(found), 1)
    assert found[0, 1] == pytest.approx(0.5, abs=0.02)
    assert found[0, 2] == 1
    assert found[0, 3] == 0
    holed = polygon_iou([square, [square, [[2, 2], [8, 2], [8, 8], [2, 8]]]])
    assert holed[0, 1] == pytest.approx(0.64, abs=0.03)
    flat = polygon_iou([[[0, 0], [10, 0], [10, 0]], square])
    assert np.isfinite(flat).all()
    point = polygon_iou([[[3, 3]] * 3, [[3, 3]] * 3])
    assert np.isfinite(point).all()
