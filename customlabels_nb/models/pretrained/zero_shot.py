"""Detect the objects that texts describe: OWLv2 (Minderer et al., 2023), Grounding DINO and MM Grounding DINO.

These detectors find objects of labels that they were not trained on. On a CPU, an image takes up to a minute.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torchvision.ops import box_convert, nms

from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.models.box_voting import OVERLAP
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_shape import MOST_BOXES, DetectorShape, ZeroShot
from customlabels_nb.models.pretrained.transformers_models import (
    Color,
    load_part,
    load_tokenizer,
    needs_transformers,
    read_normalisation,
    usable,
)
from customlabels_nb.models.pretrained.weights import Weights, get_weights

#: Minimum confidence of a box. The models return a box for each of several hundred queries.
LEAST_CONFIDENCE = 0.05

_OWLV2, _SIDE = "owlv2", 768  # the default of Owlv2VisionConfig
_CLASSES = {
    _OWLV2: "Owlv2ForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
    "grounding-dino": "GroundingDinoForObjectDetection",
}
_SHORTER, _LONGER, _PHOTO = 800, 1333, 4 / 3
_SEPARATORS = re.compile(r"[.?]")


def describe_input(weights: Weights) -> tuple[int, Color, Color]:
    """Return the longer side of the network's input in pixels, and mean and standard deviation of its channels.

    The image processor of Grounding DINO scales the shorter side to 800 pixels, but the longer one to at most 1,333.
    Canvases have a fixed longer side, which is that of a photo of 4:3.
    """
    config = weights.config(*_CLASSES)
    mean, std, facts = read_normalisation(weights)
    try:
        if config["model_type"] == _OWLV2:
            side = int(config["vision_config"].get("image_size", _SIDE))
        else:
            size = facts.get("size", {})
            shorter, longer = size.get("shortest_edge", _SHORTER), size.get("longest_edge", _LONGER)
            side = round(min(_PHOTO * shorter, longer))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ModelError(f"The sizes in {str(weights.folder)!r} cannot be used: {first_line(error)}.") from error
    return side, mean, std


def load_zero_shot(zero_shot: ZeroShot) -> ImageDetector:
    """Load a detector, whose labels are numbered like the descriptions. ModelError if its weights have changed."""
    weights = get_weights(zero_shot.weights, zero_shot.revision, download=False)
    if weights.revision != zero_shot.revision:
        raise ModelError(
            f"The weights {zero_shot.weights!r} have changed: the model needs the revision {zero_shot.revision!r}, but "
            f"they have {weights.revision!r}. Restore them."
        )
    kind = weights.config(*_CLASSES)["model_type"]
    with needs_transformers(str(kind)):
        import transformers
    model = load_part(getattr(transformers, _CLASSES[kind]), weights)
    tokenizer = load_tokenizer(weights, pads=kind == _OWLV2)
    with usable(f"The tokenizer in {str(weights.folder)!r}"):
        network = (_Owlv2 if kind == _OWLV2 else _GroundingDino)(model, tokenizer, zero_shot.prompts)
    detector = ImageDetector(network, DetectorShape(), len(zero_shot.prompts))
    for parameter in detector.parameters():
        parameter.requires_grad_(False)
    detector.eval()
    return detector


class _Owlv2(nn.Module):
    """OWLv2 with its descriptions. The input is a square, so that boxes are shares of the longer side of the image."""

    def __init__(self, model: Any, tokenizer: Any, prompts: Sequence[str]) -> None:
        super().__init__()
        self.model, self._side = model, int(model.config.vision_config.image_size)
        most = int(model.config.text_config.max_position_embeddings)
        for text, tokens in zip(prompts, tokenizer(list(prompts))["input_ids"], strict=True):
            if len(tokens) > most:
                raise InputError(
                    f"The description {text!r} has {len(tokens)} tokens. The model reads {most}. Shorten it."
                )
        tokens = tokenizer(list(prompts), padding="max_length", max_length=most, return_tensors="pt")
        self.register_buffer("_ids", tokens["input_ids"])
        self.register_buffer("_mask", tokens["attention_mask"])

    def forward(self, images: Any) -> list[dict[str, Any]]:
        height, width = images.shape[-2:]
        square = nn.functional.pad(images, (0, self._side - width, 0, self._side - height))
        count = len(images)
        found = self.model(
            pixel_values=square, input_ids=self._ids.repeat(count, 1), attention_mask=self._mask.repeat(count, 1)
        )
        return _detections(found.pred_boxes, self._side, found.logits.sigmoid())


class _GroundingDino(nn.Module):
    """Grounding DINO with its descriptions, which it reads as one text, separated by dots."""

    def __init__(self, model: Any, tokenizer: Any, prompts: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        ids, dot = [tokenizer.cls_token_id], tokenizer.convert_tokens_to_ids(".")
        self._places: list[slice] = []
        for text in prompts:
            words = tokenizer(_SEPARATORS.sub(" ", text).lower(), add_special_tokens=False)["input_ids"]
            if not words:
                raise InputError(f"The description {text!r} has no words.")
            self._places.append(slice(len(ids), len(ids) + len(words)))
            ids += [*words, dot]
        ids.append(tokenizer.sep_token_id)
        most = int(model.config.max_text_len)
        if len(ids) > most:
            raise InputError(
                f"The {len(prompts)} descriptions have {len(ids)} tokens in all. The model reads {most}. Shorten them."
            )
        self.register_buffer("_ids", torch.tensor([ids]))

    def forward(self, images: Any) -> list[dict[str, Any]]:
        ids = self._ids.expand(len(images), -1)
        found = self.model(pixel_values=images, input_ids=ids, token_type_ids=torch.zeros_like(ids))
        height, width = images.shape[-2:]
        tokens = found.logits.sigmoid()
        scores = torch.stack([tokens[..., place].amax(dim=-1) for place in self._places], dim=-1)
        return _detections(found.pred_boxes, (width, height) * 2, scores)


def _detections(boxes: Any, size: float | tuple[int, ...], scores: Any) -> list[dict[str, Any]]:
    """Return one label for each object, from boxes (n, queries, 4) as shares of ``size`` and scores (…, labels)."""
    corners = box_convert(boxes, "cxcywh", "xyxy") * torch.as_tensor(size, device=boxes.device)
    detected = []
    for corner, (score, label) in zip(corners, (row.max(dim=-1) for row in scores), strict=True):
        sure = torch.nonzero(score >= LEAST_CONFIDENCE)[:, 0]
        kept = sure[nms(corner[sure], score[sure], OVERLAP)][:MOST_BOXES]
        detected.append({"boxes": corner[kept], "labels": label[kept] + 1, "scores": score[kept]})  # 0: background
    return detected
