"""Tests that RoIAlign by matrix products equals torchvision's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import MultiScaleRoIAlign

from customlabels_nb.models import detector_building
from customlabels_nb.models.detector_building import SeparableRoIAlign
from tests.tiers import many

NAMES = ["0", "1", "2"]
SHAPE = (96, 128)


def pyramid(random_state: int) -> dict[str, torch.Tensor]:
    """Return random feature maps of a pyramid."""
    torch.manual_seed(random_state)
    return {
        name: torch.randn(3, 5, SHAPE[0] // stride, SHAPE[1] // stride).requires_grad_()
        for name, stride in zip(NAMES, (8, 16, 32), strict=True)
    }


def both(boxes: list[torch.Tensor], random_state: int = 0) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Return features and gradients with respect to the maps, of torchvision and of this package."""
    found = []
    for kind in (MultiScaleRoIAlign, SeparableRoIAlign):
        maps = pyramid(random_state)
        pooled = kind(NAMES, output_size=7, sampling_ratio=2).train()(maps, boxes, [SHAPE] * 3)
        torch.manual_seed(random_state + 1)
        (pooled * torch.randn(pooled.shape)).sum().backward()
        found.append((pooled.detach(), [m.grad if m.grad is not None else torch.zeros_like(m) for m in maps.values()]))
    return found


coordinate = st.floats(-40, 170, width=32)
box = st.tuples(coordinate, coordinate, st.floats(0.5, 400, width=32), st.floats(0.5, 400, width=32))


@settings(max_examples=many(60))
@given(st.lists(st.lists(box, max_size=4), min_size=3, max_size=3).filter(any), st.integers(0, 5))
def test_any_boxes_have_the_features_and_gradients_of_torchvisions(
    boxes: list[list[tuple[float, float, float, float]]], random_state: int
) -> None:
    corners = [torch.tensor([(x, y, x + w, y + h) for x, y, w, h in own]).reshape(-1, 4) for own in boxes]
    (reference, wanted), (pooled, gradients) = both(corners, random_state)
    torch.testing.assert_close(pooled, reference, atol=1e-4, rtol=1e-4)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_pooling_without_boxes() -> None:
    none = [torch.empty(0, 4)] * 3
    pooled = SeparableRoIAlign(NAMES, output_size=7, sampling_ratio=2).train()(pyramid(0), none, [SHAPE] * 3)
    assert pooled.shape == (0, 5, 7, 7)


@pytest.mark.parametrize("why", ["in use", "images of two sizes", "a large map"])
def test_other_devices_use_torchvision(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unused(*args: object) -> None:
        raise AssertionError("computed as products")

    monkeypatch.setattr(SeparableRoIAlign, "_pooled", unused)
    if why == "a large map":
        monkeypatch.setattr(detector_building, "_MOST_CELLS", 10)
    pool = SeparableRoIAlign(NAMES, output_size=7, sampling_ratio=2).train(why != "in use")
    shapes = [SHAPE, SHAPE, (96, 127) if why == "images of two sizes" else SHAPE]
    assert pool(pyramid(0), [torch.tensor([[0.0, 0, 30, 30]])] * 3, shapes).shape == (3, 5, 7, 7)
