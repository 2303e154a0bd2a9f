"""Tests of box voting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import RoIHeads

from customlabels_nb.inference.exporting.detect import boxes, voted
from customlabels_nb.inference.exporting.networks import exportable, rules_of
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.box_voting import ALL, OVERLAP, VotingHeads, vote
from customlabels_nb.models.detector_building import build_detector
from customlabels_nb.models.detector_shape import COCO_DETECTORS, MOST_BOXES, DetectorShape

CORNERS = torch.tensor(
    [[0.0, 0, 100, 100], [10, 0, 110, 100], [0, 0, 100, 100], [40, 0, 140, 100], [300, 0, 340, 40], [5, 5, 5, 5]]
)
SCORES = torch.tensor([0.9, 0.6, 0.8, 0.8, 0.3, 0.2])
LABELS = torch.tensor([0, 0, 1, 0, 0, 0])


def test_overlapping_boxes_of_the_same_label_vote_by_confidence_and_iou() -> None:
    found = vote(CORNERS, SCORES, LABELS, torch.tensor([0, 2, 4, 5]))
    weights = 0.9**2 * 0.5, 0.6**2 * (90 / 110 - 0.5)
    moved = 10 * weights[1] / sum(weights)
    assert found[0].tolist() == pytest.approx([moved, 0, 100 + moved, 100], rel=1e-5)
    assert found[1].tolist() == pytest.approx(CORNERS[2].tolist())  # the only box of its label
    assert found[2].tolist() == pytest.approx(CORNERS[4].tolist())  # no box overlaps it by more than half
    assert torch.isfinite(found).all()
    assert vote(CORNERS, SCORES, LABELS, torch.tensor([], dtype=torch.int64)).shape == (0, 4)


def test_an_exported_program_votes_like_the_network() -> None:
    random = np.random.default_rng(0)
    low = random.uniform(0, 60, (80, 2))
    corners = np.concatenate([low, low + random.uniform(20, 60, (80, 2))], axis=1)
    scores, labels, best = random.uniform(0.01, 1, 80), random.integers(0, 2, 80), np.arange(0, 80, 3)
    ours = vote(*(torch.from_numpy(one) for one in (corners, scores, labels, best)))
    assert voted(corners, scores, labels, best, OVERLAP) == pytest.approx(ours.numpy())


def test_voting_is_stored_with_the_model() -> None:
    torch.manual_seed(0)
    shape = DetectorShape(channels=8, hidden=16, cascade=False)
    heads = build_detector(shape, 3, PACKAGED).network.roi_heads.eval()
    assert (type(heads), heads.nms_thresh, heads.detections_per_img) == (VotingHeads, 1.0, ALL)
    low = torch.rand(200, 2) * 150
    proposals = [torch.cat([low, low + 40 + torch.rand(200, 2) * 40], dim=1)]
    answer = torch.randn(200, 4), torch.randn(200, 16), proposals, [(256, 256)]
    [boxes], [scores], [labels] = heads.postprocess_detections(*answer)
    without = replace(shape, votes=False)
    heads = build_detector(without, 3, PACKAGED).network.roi_heads.eval()
    assert (type(heads), heads.nms_thresh, heads.detections_per_img) == (RoIHeads, OVERLAP, MOST_BOXES)
    [plain], [same], [names] = heads.postprocess_detections(*answer)
    assert torch.equal(scores, same)
    assert torch.equal(labels, names)
    assert len(boxes) == MOST_BOXES
    assert 1 < float((boxes - plain).abs().max()) < 80
    assert ((boxes >= 0) & (boxes <= 256)).all()


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("cascade", [False, True])
def test_a_detector_and_its_export_find_more_boxes_with_a_higher_limit(cascade: bool, masks: bool) -> None:
    """With masks, the exported graph returns a fixed number of boxes, and otherwise candidates."""
    images = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    counts = []
    for max_boxes in (None, 20, 300):
        torch.manual_seed(0)
        shape = DetectorShape(channels=8, hidden=16, cascade=cascade, max_boxes=max_boxes)
        detector = build_detector(shape, 2, PACKAGED, masks=masks).eval()
        with torch.inference_mode():
            [found], candidates = detector(images), exportable(detector)(images)
        rules = rules_of(detector)
        exported = list(boxes([part.numpy() for part in candidates], {"boxes": rules}, (320, 320), (320, 320)))
        counts.append(len(found["boxes"]))
        assert rules["most"] == shape.box_limit
        assert len(exported) == pytest.approx(counts[-1], abs=2)  # boxes thinner than a pixel are dropped
    assert counts == [MOST_BOXES, 20, 300]


@pytest.mark.parametrize("name", [*COCO_DETECTORS])
def test_a_torchvision_detector_finds_more_boxes_with_a_higher_limit(name: str) -> None:
    plain = DetectorShape(name)
    for max_boxes in (None, 600):
        network = build_detector(replace(plain, max_boxes=max_boxes), 2, PACKAGED).network.eval()
        heads = getattr(network, "roi_heads", network)
        assert heads.detections_per_img == (max_boxes or plain.box_limit)
        room = network.topk_candidates if heads is network else network.rpn.post_nms_top_n()
        assert room >= heads.detections_per_img or max_boxes is None
