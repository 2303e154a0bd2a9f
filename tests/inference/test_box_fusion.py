"""Tests of fusing the detections in two views of an image."""

from __future__ import annotations

import numpy as np
import pytest

from customlabels_nb.inference.views import fuse_boxes
from customlabels_nb.models.detector import DetectedBoxes, DetectedMasks


def detected(*rows: tuple[float, float, float, float, int, float], mark: float = 0.0) -> DetectedBoxes:
    """Return detections from left, top, width, height, label and confidence, with masks filled with ``mark``."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    masks = DetectedMasks(np.full((len(table), 2, 2), mark, np.float32), table[:, :4] + mark, (200, 100), 1.0)
    return DetectedBoxes(table[:, :4], table[:, 4].astype(np.int64), table[:, 5], masks)


def test_boxes_of_one_object_are_averaged_by_confidence() -> None:
    first = detected((10, 10, 40, 40, 0, 0.9), (100, 20, 50, 50, 1, 0.3), mark=1)
    second = detected((104, 20, 50, 50, 1, 0.6), (13, 10, 40, 40, 0, 0.6), mark=2)
    found = fuse_boxes(first, second)
    assert found.labels.tolist() == [0, 1]
    assert found.confidences == pytest.approx([0.75, 0.45])
    assert found.boxes == pytest.approx(np.array([[11.2, 10, 40, 40], [100 + 4 * 2 / 3, 20, 50, 50]]))
    assert found.masks is not None
    assert found.masks.inside[:, 0, 0].tolist() == [1, 2]  # of the more confident one
    assert found.masks.regions.tolist() == [[11, 11, 41, 41], [106, 22, 52, 52]]
    assert first.confidences.tolist() == [0.9, 0.3]
    assert first.boxes[0].tolist() == [10, 10, 40, 40]


def test_two_views_find_no_more_boxes_than_one() -> None:
    first, second = (detected(*((20 * at, top, 10, 10, 0, 0.9 - at / 200) for at in range(100))) for top in (0, 50))
    found = fuse_boxes(first, second)
    assert len(found.labels) == 100
    assert found.confidences.min() == pytest.approx((0.9 - 49 / 200) / 2)
    assert found.masks is not None
    assert len(found.masks.inside) == 100
    assert len(fuse_boxes(first, second, 150).labels) == 150


def test_boxes_that_one_view_lacks_have_half_the_confidence() -> None:
    first = detected((10, 10, 40, 40, 0, 0.8), (12, 10, 40, 40, 0, 0.5))
    second = detected((10, 10, 40, 40, 0, 0.6), (10, 10, 40, 40, 1, 0.4), (120, 50, 20, 20, 0, 0.2))
    found = fuse_boxes(first, second)
    assert found.labels.tolist() == [0, 0, 1, 0]
    assert found.confidences == pytest.approx([0.7, 0.25, 0.2, 0.1])  # one box is fused with one other
    assert found.boxes[1:, 0].tolist() == [12, 10, 120]
    nothing = fuse_boxes(detected(), detected())
    assert nothing.boxes.shape == (0, 4)
    assert nothing.masks is not None
    assert len(nothing.masks.inside) == 0
    assert fuse_boxes(detected(), first).confidences == pytest.approx([0.4, 0.25])
    assert fuse_boxes(detected((1, 1, 5, 5, 0, 0)), detected((1, 1, 5, 5, 0, 0))).boxes.tolist() == [[1, 1, 5, 5]]
