from typing import Any

import numpy as np
import pytest
import torch

from customlabels_nb.errors import InputError
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import BACKBONES
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.transforms import to_batch, to_pixels
from tests.models.on_mps import OnMps
from tests.models.pictures import gradient


def test_logits_become_confidences() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)]])
    assert probabilities(logits, "softmax") == pytest.approx(np.array([[0.25, 0.75]]))
    assert probabilities(logits, "sigmoid") == pytest.approx(np.array([[0.5, 0.75]]))
    assert probabilities(logits, "softmax").dtype == np.float64
    with pytest.raises(InputError, match="'tanh'"):
        probabilities(logits, "tanh")


def test_confidences_from_mps_become_float64_on_the_cpu() -> None:
    logits = torch.tensor([[0.0, 3.0]])
    for activation in ("softmax", "sigmoid"):
        found = probabilities(logits.as_subclass(OnMps), activation)
        assert (found == probabilities(logits, activation)).all()


def test_large_logits_stay_finite() -> None:
    found = probabilities(torch.tensor([[1e4, -1e4]]), "softmax")
    assert found.tolist() == [[1.0, 0.0]]


def test_the_head_is_applied_to_the_features() -> None:
    network = ImageClassifier(torch.nn.Identity(), 3, 2)
    network.set_head([[1, 0, 0], [0, 1, 1]], [0.5, 0])
    assert network(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[1.5, 5.0]]
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        network.set_head(np.zeros((3, 3)), np.zeros(3))


def test_pixels_are_the_resized_image() -> None:
    image = gradient(300, 200)
    pixels = to_pixels(image, 64)
    assert pixels.shape == (3, 64, 64)
    assert pixels.dtype == np.uint8
    assert pixels[0, 30, 0] < 10 < 245 < pixels[0, 30, -1]  # red spans the whole width: nothing was cropped
    assert pixels[1, 0, 30] < 10 < 245 < pixels[1, -1, 30]
    assert (to_pixels(image.convert("L"), 64)[0] == to_pixels(image.convert("L"), 64)[2]).all()


def test_a_batch_is_normalised_as_the_weights_expect() -> None:
    facts = BACKBONES[PACKAGED]
    black, white = np.zeros((3, 4, 4), np.uint8), np.full((3, 4, 4), 255, np.uint8)
    batch = to_batch([black, white], facts.mean, facts.std)
    assert batch.shape == (2, 3, 4, 4)
    assert batch.dtype == torch.float32
    assert batch[0].unique().tolist() == pytest.approx([-127 / 128])
    assert batch[1].unique().tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_only_pinned_memory_is_copied_to_a_gpu_without_waiting(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []
    copied: list[tuple[bool, bool]] = []
    tensor = torch.tensor

    def pin(own: torch.Tensor) -> torch.Tensor:
        pinned.append(own)
        return own

    def to(own: torch.Tensor, target: object, *, non_blocking: bool) -> torch.Tensor:
        assert target == device
        copied.append((any(own is one for one in pinned), non_blocking))
        return own

    def on_the_cpu(values: object, **options: Any) -> torch.Tensor:
        assert "device" not in options  # copies from memory that is not pinned
        return tensor(values, **options)

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch, "tensor", on_the_cpu)
    to_batch([np.zeros((3, 4, 4), np.uint8)], (0.5,) * 3, (0.5,) * 3, device)
    assert copied == [(device == "cuda", device == "cuda")] * 2
