"""Detectors from transformers: D-FINE (Peng et al., 2024) and RF-DETR (Robinson et al., 2025).

They predict a fixed number of boxes without non-maximum suppression. Weights pretrained on COCO come from the Hugging
Face Hub or a folder. A trained model contains its configuration, so it is loaded without either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad
from torchvision.ops import box_convert

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_shape import FAMILIES, LEAST_CONFIDENCE, TRANSFORMERS_DETECTORS, TransformersShape
from customlabels_nb.models.pretrained.transformers_models import load_part, quiet, read_config, usable
from customlabels_nb.models.pretrained.weights import get_weights
from customlabels_nb.models.weights_file import build_empty

#: Parts of the names of layers whose size depends on the number of labels. They are not taken over from other labels.
LABEL_LAYERS = ("class_embed", "enc_score_head")
#: Layers of D-FINE that share their weights with layers of its decoder, and that only transformers' loader needs.
_ALIASES = ("class_embed", "bbox_embed")


class TransformersDetector(ImageDetector):
    """Detector whose network is a model of transformers. Its labels start from 0, without a background.

    Images are padded to a square at the right and bottom, as in training, which the windows of RF-DETR require.
    """

    def __init__(self, network: nn.Module, shape: TransformersShape, n_labels: int) -> None:
        nn.Module.__init__(self)
        self.network: Any = network
        self.shape: Any = shape
        self.n_labels = n_labels
        self.masks = None

    def losses(
        self,
        images: torch.Tensor,
        boxes: Sequence[torch.Tensor],
        labels: Sequence[torch.Tensor],
        masks: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch in training mode, as :class:`ImageDetector` does.

        It is normalised by the number of boxes in the batch. An image without boxes teaches that its queries are empty.
        """
        square = self._squared(images)
        side = square.shape[-1]
        targets = [
            {"class_labels": codes, "boxes": box_convert(corners, "xyxy", "cxcywh") / side}  # between 0 and 1
            for corners, codes in zip(boxes, labels, strict=True)
        ]
        return {"loss": self.network(pixel_values=square, labels=targets).loss}

    def forward(self, images: torch.Tensor, thresholds: torch.Tensor | None = None) -> list[dict[str, torch.Tensor]]:
        """Return ``boxes`` (x0, y0, x1, y1 on the canvas), ``labels`` (from 0) and ``scores`` for each image."""
        corners, scores, labels = self.candidates(images)
        kept = scores > LEAST_CONFIDENCE
        return [
            {"boxes": corners[row][likely], "labels": labels[row][likely], "scores": scores[row][likely]}
            for row, likely in enumerate(kept)
        ]

    def candidates(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the corners (n, m, 4) on the canvas, confidences (n, m) and labels (n, m) of the most likely boxes."""
        square = self._squared(images)
        output = self.network(pixel_values=square)
        scores = output.logits.float().sigmoid().flatten(1)
        best, index = scores.topk(self.shape.box_limit, dim=1)
        boxes = box_convert(output.pred_boxes.float(), "cxcywh", "xyxy") * square.shape[-1]
        query = (index // self.n_labels)[..., None].expand(-1, -1, 4)
        return boxes.gather(1, query), best, index % self.n_labels

    def _squared(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[-2:]
        divisor = self.shape.divisor
        side = max(self.shape.side, -(-max(height, width) // divisor) * divisor)
        return pad(images, (0, side - width, 0, side - height))


def build_transformers_detector(shape: TransformersShape, n_labels: int) -> TransformersDetector:
    """Build the network without trained weights or downloads."""
    config_class, network_class = _classes(shape)
    try:
        with quiet():
            config = read_config(config_class, {**shape.config, "num_labels": n_labels})
            network = network_class(config)
    except NotImplementedError:  # the constructor reads values of tensors that have no memory
        raise
    except Exception as error:  # transformers validates configurations with exceptions of many kinds
        raise InputError(
            f"The configuration of the detector {shape.architecture!r} cannot be used: "
            f"{first_line(error) or type(error).__name__}."
        ) from error
    for name in _ALIASES if config.model_type == "d_fine" else ():
        setattr(network, name, None)
    return TransformersDetector(network, shape, n_labels)


def pretrained_shape(name: str) -> TransformersShape:
    """Return the shape of a detector whose weights are on this machine."""
    weights = get_weights(name, download=False)
    short = name.partition("@")[0]
    config = weights.config(*FAMILIES)
    return TransformersShape(
        short if short in TRANSFORMERS_DETECTORS else weights.name, weights.revision, weights.licence, config
    )


def pretrained_transformers_detector(
    name: str, shape: TransformersShape, n_labels: int, *, random_state: int
) -> TransformersDetector:
    """Build a detector for training with pretrained weights, except for layers that depend on the labels."""
    weights = get_weights(name, download=False)
    if weights.revision != shape.revision:
        raise ModelError(
            f"The weights of {name!r} have changed since the training began, from {shape.revision[:12]} to "
            f"{weights.revision[:12]}. Start a new training."
        )
    state_of_weights = load_part(_classes(shape)[1], weights).state_dict()
    with usable(f"The weights in {str(weights.folder)!r}"):
        build_empty(lambda: build_transformers_detector(shape, n_labels), state_of_weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        detector = build_transformers_detector(shape, n_labels)
    state = detector.network.state_dict()
    taken = {key: state_of_weights.get(key) for key in state if not any(part in key for part in LABEL_LAYERS)}
    wrong = [key for key, value in taken.items() if value is None or value.shape != state[key].shape]
    if wrong:
        raise ModelError(f"The weights in {str(weights.folder)!r} do not fit their configuration: {wrong[0]}.")
    detector.network.load_state_dict({**state, **taken})
    return detector


def _classes(shape: TransformersShape) -> tuple[Any, Any]:
    try:
        import transformers

        return getattr(transformers, shape.family.config), getattr(transformers, shape.family.network)
    except (ImportError, AttributeError) as error:
        raise MissingDependencyError(
            f"The detector {shape.architecture!r} needs transformers 5.17 or newer. "
            f"Install it with: {extra_command('foundation')}"
        ) from error
