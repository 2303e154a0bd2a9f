"""SAM 2.1 (Ravi et al., 2024): outlines of objects from a box or clicks.

An image is encoded once, which takes seconds on a CPU. Each click then takes a fraction of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb._utils.device import choose_device
from customlabels_nb.images.outlining import Box, Click, Encoded
from customlabels_nb.models.pretrained.transformers_models import (
    load_part,
    needs_transformers,
    read_normalisation,
    usable,
)
from customlabels_nb.models.pretrained.weights import Weights, get_weights

_TYPES = ("sam2", "sam2_video")  # published checkpoints also have the layers for videos
_PARTS = ("fine", "middle", "coarse")

_lock = threading.Lock()


class Sam2Segmenter:
    """Segmenter with the weights of a SAM 2 or SAM 2.1 model."""

    def __init__(self, weights: Weights, device: str | None = None) -> None:
        weights.config(*_TYPES)
        with needs_transformers("SAM 2"):
            import torch
            from transformers import Sam2ImageProcessor, Sam2Model
        self.name, self.version = weights.name, weights.revision
        self._torch, self._device = torch, choose_device(device)
        self._latest: tuple[Encoded, list[Any]] | None = None
        read_normalisation(weights)
        with usable(f"The files in {str(weights.folder)!r}"):
            self._processor = Sam2ImageProcessor.from_pretrained(weights.folder, local_files_only=True)
        self._model = load_part(Sam2Model, weights).to(self._device)

    def encode(self, image: Image.Image) -> Encoded:
        """Compute the features of an RGB image, which all its outlines need."""
        torch = self._torch
        with torch.inference_mode():
            pixels = self._processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
            features = self._model.get_image_embeddings(pixels.to(self._device))
        return {
            name: np.ascontiguousarray(part.to(torch.float16).cpu().numpy())
            for name, part in zip(_PARTS, features, strict=True)
        }

    def mask(
        self,
        encoded: Encoded,
        size: tuple[int, int],
        *,
        box: Box | None = None,
        clicks: Sequence[Click] = (),
        previous: npt.NDArray[np.float32] | None = None,
    ) -> tuple[npt.NDArray[np.float32], float]:
        torch = self._torch
        side = self._model.prompt_encoder.input_image_size
        scale = np.array([side / size[0], side / size[1]])
        prompts: dict[str, Any] = {}
        if clicks:
            points = np.array([(click.x, click.y) for click in clicks]) * scale
            prompts["input_points"] = self._tensor(points[None, None])
            prompts["input_labels"] = torch.tensor([[[int(click.inside) for click in clicks]]], device=self._device)
        if box is not None:
            left, top, width, height = box
            corners = np.array([(left, top), (left + width, top + height)]) * scale
            prompts["input_boxes"] = self._tensor(corners.reshape(1, 1, 4))
        if previous is not None:
            prompts["input_masks"] = self._tensor(previous[None, None])
        with torch.inference_mode():
            found = self._model(
                image_embeddings=self._features(encoded),
                multimask_output=box is None and len(clicks) == 1,
                **prompts,
            )
        scores = found.iou_scores[0, 0].cpu()
        best = int(scores.argmax())
        return found.pred_masks[0, 0, best].cpu().numpy(), float(scores[best])

    def _features(self, encoded: Encoded) -> list[Any]:
        """Return the features of an image in float32. Those of the latest image are kept for further clicks."""
        if self._latest is None or self._latest[0] is not encoded:
            self._latest = encoded, [self._tensor(encoded[name]) for name in _PARTS]
        return self._latest[1]

    def _tensor(self, values: npt.NDArray[Any]) -> Any:
        return self._torch.as_tensor(values, dtype=self._torch.float32, device=self._device)


def load_sam2(name: str, *, download: bool = True) -> Sam2Segmenter:
    """Load a model once per process, and download it if it is not on this machine and ``download`` is True."""
    weights = get_weights(name, download=download)
    with _lock:
        return _load(weights)


@lru_cache(maxsize=1)
def _load(weights: Weights) -> Sam2Segmenter:
    return Sam2Segmenter(weights)
