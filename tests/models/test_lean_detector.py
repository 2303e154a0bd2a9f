"""Tests of training a detector on a CPU: expensive parts are skipped, and the detector stays the same."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from customlabels_nb.models import detector_building, half_precision
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_building import pretrained_detector
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.models.half_precision import HalfConv2d, HalfLinear, compute_in_half, has_bfloat16
from tests.threads import one_thread  # noqa: F401

SHAPE = DetectorShape(channels=32, hidden=64)


@pytest.fixture(params=[True, False], ids=["with bfloat16", "without"])
def bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Simulate a CPU with and without bfloat16."""
    for module in (half_precision, detector_building):
        monkeypatch.setattr(module, "has_bfloat16", lambda: request.param)
    return bool(request.param)


def images(count: int = 2) -> torch.Tensor:
    """Return smooth random images."""
    rng = np.random.default_rng(0)
    smooth = torch.from_numpy(rng.normal(size=(count, 3, 12, 12))).float()
    return nn.functional.interpolate(smooth, 96, mode="bilinear").contiguous(memory_format=torch.channels_last)


def detector(*, lean: bool) -> ImageDetector:
    return pretrained_detector(SHAPE, 2, PACKAGED, random_state=0, lean=lean).to(memory_format=torch.channels_last)


def losses(network: ImageDetector) -> dict[str, torch.Tensor]:
    """Compute the losses of two images with one box each."""
    torch.manual_seed(0)
    boxes = [torch.tensor([[8.0, 8.0, 60.0, 70.0]])] * 2
    return network.train().losses(images(), boxes, [torch.tensor([0]), torch.tensor([1])])


def test_lean_detector_equals_the_full_one_in_inference(bfloat16: bool) -> None:
    plain, lean = detector(lean=False).eval(), detector(lean=True).eval()
    assert plain.state_dict().keys() == lean.state_dict().keys()
    with torch.inference_mode():
        for one, other in zip(plain(images()), lean(images()), strict=True):
            assert all(torch.equal(one[key], other[key]) for key in one)


def test_its_losses_are_nearly_the_same_and_few_weights_stay(bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_building, "_LEAN_CANDIDATES", detector_building.CANDIDATES)
    plain, lean = detector(lean=False), detector(lean=True)
    first, second = losses(plain), losses(lean)
    for name, value in first.items():
        assert float(second[name].detach()) == pytest.approx(float(value.detach()), rel=0.1, abs=0.02), name
    sum(second.values(), torch.zeros(())).backward()
    stay = {name for name, value in lean.named_parameters() if value.grad is None}
    more = stay - {name for name, value in plain.named_parameters() if not value.requires_grad}
    assert more
    assert all("conv_dw" in name for name in more)
    assert sum(dict(lean.named_parameters())[name].numel() for name in more) < 0.06 * sum(
        value.numel() for value in plain.parameters() if value.requires_grad
    )
    gradients = [value.grad for value in lean.parameters() if value.grad is not None]
    assert all(value.dtype == torch.float32 and bool(value.isfinite().all()) for value in gradients)


def test_a_frozen_part_computes_with_the_weights_it_has_now(bfloat16: bool) -> None:
    network = detector(lean=True)
    before = losses(network)
    other = deepcopy(network)
    with torch.no_grad():
        other.network.backbone.body.conv_stem.weight.mul_(0.5)
    after, again = losses(other), losses(network)
    assert all(torch.equal(before[name], again[name]) for name in before)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_only_layers_that_gain_compute_in_half() -> None:
    layers = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1, groups=8), nn.Linear(200, 200))
    layers.append(nn.Linear(4, 4))
    keys = list(layers.state_dict())
    compute_in_half(layers)
    assert [type(layer) for layer in layers] == [HalfConv2d, nn.Conv2d, nn.Conv2d, HalfLinear, nn.Linear]
    assert list(layers.state_dict()) == keys
    rows, pixels = torch.randn(3, 200), torch.randn(1, 8, 5, 5)
    halves = {True: layers.train()[3](rows), False: layers.eval()[3](rows)}
    assert halves[True].dtype == halves[False].dtype == torch.float32
    assert not torch.equal(halves[True], halves[False])
    torch.testing.assert_close(halves[True], halves[False], atol=0.05, rtol=0.05)
    torch.testing.assert_close(layers.train()[0](pixels), layers.eval()[0](pixels), atol=0.05, rtol=0.05)


def test_bfloat16_support_is_detected() -> None:
    assert has_bfloat16() in (True, False)
