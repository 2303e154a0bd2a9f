"""Tests of the second pass that refines the boxes of a detector."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from customlabels_nb.inference.exporting.networks import exportable
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.box_voting import VotingHeads
from customlabels_nb.models.cascade import CascadeHeads, _matched, is_likely, mean_confidences, refined
from customlabels_nb.models.detector_building import build_detector, copy_known_labels, pretrained_detector
from customlabels_nb.models.detector_shape import DetectorShape

SHAPE = DetectorShape(channels=8, hidden=16)


def test_the_second_pass_starts_from_the_box_of_the_label() -> None:
    moved = torch.arange(36.0).reshape(3, 3, 4) + torch.tensor([0.0, 0, 8, 8])
    moved[2, 2] = torch.tensor([5.0, 5, 5.5, 90])
    logits = torch.tensor([[9.0, 1, 2], [0, 4, 3], [0, 1, 2]])
    proposals = torch.tensor([[0.0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]])
    found = refined(moved, logits, proposals)
    assert torch.equal(found, torch.stack([moved[0, 2], moved[1, 1], proposals[2]]))  # the last one is thin
    told = refined(moved, logits, proposals, torch.tensor([1, 2, 0]))
    assert torch.equal(told, torch.stack([moved[0, 1], moved[1, 2], proposals[2]]))


def test_only_boxes_that_fit_well_show_an_object() -> None:
    target = {"boxes": torch.tensor([[0.0, 0, 100, 100], [200, 0, 300, 100]]), "labels": torch.tensor([2, 1])}
    boxes = torch.tensor([[0.0, 0, 100, 61], [200, 0, 300, 59], [210, 0, 300, 100], [400, 0, 450, 50]])
    objects, labels = _matched(boxes, target)
    assert labels.tolist() == [2, 0, 1, 0]
    assert torch.equal(objects[[0, 2]], target["boxes"])
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert _matched(boxes, none)[1].tolist() == [0, 0, 0, 0]


def test_confidences_of_both_passes_are_averaged() -> None:
    found = mean_confidences(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 50.0]]))
    assert found[0].tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(("spread", "background", "share"), [(1, 0, 1.0), (30, 0, 0.64), (1, 30, 0.5)])
def test_only_likely_proposals_are_refined(spread: float, background: float, share: float) -> None:
    torch.manual_seed(0)
    detector = build_detector(SHAPE, 2, PACKAGED).eval()
    heads = detector.network.roi_heads
    with torch.no_grad():
        heads.box_predictor.cls_score.weight.mul_(spread)
        heads.box_predictor.cls_score.bias[0] += background
    counts: list[int] = []
    for part in (heads.box_head, heads.second_head):
        part.register_forward_hook(lambda _, pooled, __: counts.append(len(pooled[0])))
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        detector(images)
    every, likely = counts
    assert likely / every == pytest.approx(share, abs=0.05)
    with torch.inference_mode():
        _, scores, _ = exportable(detector)(images)
    assert int((scores > 0).sum()) == 2 * likely  # labels


def test_the_best_proposals_of_each_image_are_refined() -> None:
    confidences = torch.cat([torch.linspace(0.009, 0, 100), torch.linspace(0.011, 0.01, 50)])
    assert is_likely(confidences, 0.01, 100).nonzero().ravel().tolist() == [*range(25), *range(100, 150)]
    assert int(is_likely(confidences, 0.0014, 100).sum()) == 134
    assert is_likely(confidences[:3], 1.0, 100).tolist() == [True] * 3


def test_training_reaches_both_passes_and_images_may_have_no_object() -> None:
    detector = pretrained_detector(SHAPE, 2, PACKAGED, random_state=0).train()
    heads = detector.network.roi_heads
    assert type(heads) is CascadeHeads
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    boxes = [torch.tensor([[10.0, 10, 60, 70]]), torch.zeros(0, 4)]
    losses = detector.losses(images, boxes, [torch.tensor([1]), torch.zeros(0, dtype=torch.int64)])
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    for part in (heads.box_head, heads.box_predictor, heads.second_head, heads.second_predictor):
        assert all(bool(torch.isfinite(p.grad).all()) and float(p.grad.abs().sum()) > 0 for p in part.parameters())


def test_second_pass_is_stored_with_the_model() -> None:
    torch.manual_seed(0)
    detector = build_detector(SHAPE, 2, PACKAGED).eval()
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    former = replace(SHAPE, cascade=False)
    plain = build_detector(former, 2, PACKAGED).eval()
    assert type(plain.network.roi_heads) is VotingHeads
    assert not any("second_" in key for key in plain.state_dict())
    plain.load_state_dict({key: detector.state_dict()[key] for key in plain.state_dict()})
    with torch.inference_mode():
        [now], [before] = detector(images), plain(images)
    assert now["boxes"].shape != before["boxes"].shape or not torch.allclose(now["boxes"], before["boxes"], atol=0.5)


def test_training_starts_from_a_detector_without_a_second_pass() -> None:
    torch.manual_seed(0)
    old = build_detector(DetectorShape(channels=8, hidden=16, cascade=False), 2, PACKAGED)
    new = build_detector(SHAPE, 2, PACKAGED)
    assert copy_known_labels(old, ["a", "b"], new, ["a", "b"]) == 2
    heads = new.network.roi_heads
    assert torch.equal(heads.second_head.fc6.weight, old.network.roi_heads.box_head.fc6.weight)
    assert torch.equal(heads.second_predictor.bbox_pred.weight, old.network.roi_heads.box_predictor.bbox_pred.weight)
    assert torch.equal(heads.box_head.fc7.weight, old.network.roi_heads.box_head.fc7.weight)


def test_boxes_are_exact_in_half_precision() -> None:
    torch.manual_seed(0)
    detector = build_detector(SHAPE, 2, PACKAGED).eval()
    images = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        corners = detector(images)[0]["boxes"]
    assert corners.dtype == torch.float32
    assert float((corners.bfloat16().float() - corners).abs().max()) > 0.1  # bfloat16 has 8 bits
