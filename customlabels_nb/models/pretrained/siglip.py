"""SigLIP 2 (Tschannen et al., 2025): vectors of images and of texts that are close if the text describes the image."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.pretrained.transformers_models import (
    load_part,
    load_tokenizer,
    needs_transformers,
    read_config,
    read_normalisation,
    usable,
)
from customlabels_nb.models.pretrained.weights import Weights, get_weights

if TYPE_CHECKING:
    from torch import nn

SIGLIP2 = "siglip2"
_LONGEST_TEXT = 1000  # characters; the model reads 64 tokens
_TOKENS = 64
_lock = threading.Lock()


def describe_image_tower(name: str) -> Backbone:
    """Describe the image tower of a model. Its name contains the revision, so that vectors are not mixed."""
    return _describe(get_weights(name, download=False))


@lru_cache(maxsize=8)
def _describe(weights: Weights) -> Backbone:
    config = weights.config("siglip")
    with needs_transformers("SigLIP"):
        from transformers import SiglipConfig
    with usable(repr(str(weights.folder / "config.json"))):
        vision = read_config(SiglipConfig, config).vision_config
    mean, std, _ = read_normalisation(weights)
    return Backbone(
        name=f"{weights.name}@{weights.revision}",
        architecture="siglip",
        licence=weights.licence or "unknown",
        megabytes=round((weights.folder / "model.safetensors").stat().st_size / 10**6, 1),
        mean=mean,
        std=std,
        input_size=vision.image_size,
        features=vision.hidden_size,
        source="pretrained",
        parameters=0,
        weights=weights.revision,
    )


def load_image_tower(name: str) -> nn.Module:
    """Load the network that maps normalised images (n, 3, side, side) to vectors (n, features)."""
    from torch import nn

    with needs_transformers("SigLIP"):
        from transformers import SiglipVisionModel

    class ImageTower(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Any) -> Any:
            return self.model(pixel_values=images).pooler_output

    return ImageTower(load_part(SiglipVisionModel, get_weights(name, download=False))).eval()


def embed_text(name: str, text: str) -> npt.NDArray[np.float32]:
    """Compute the unit vector of a text. The network and the latest vectors stay in memory."""
    plain = " ".join(text.split()).lower() if isinstance(text, str) else ""
    if not plain:
        raise InputError(f"The text {text!r} to search for is empty. Describe the images, like 'a red screw'.")
    if len(plain) > _LONGEST_TEXT:
        raise InputError(f"The text to search for has {len(plain):,} characters. The maximum is {_LONGEST_TEXT:,}.")
    weights = get_weights(name, download=False)
    with _lock:  # the network is loaded once
        return _embed_text(weights, plain)


def match_probabilities(name: str, cosines: npt.NDArray[np.floating], *, several: bool) -> npt.NDArray[np.float64]:
    """Turn cosine similarities of images to the texts of labels (n, k) into probabilities, as the model was trained.

    ``several`` labels of an image have independent probabilities. Otherwise, those of an image add up to 1.
    """
    from safetensors import SafetensorError, safe_open
    from scipy.special import expit, softmax

    path = get_weights(name, download=False).folder / "model.safetensors"
    try:
        with safe_open(path, framework="numpy") as file:
            scale, bias = (file.get_tensor(key).astype(np.float64).item() for key in ("logit_scale", "logit_bias"))
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"The weights in {str(path)!r} cannot be used: {first_line(error)}.") from error
    logits = cosines.astype(np.float64) * np.exp(scale) + bias
    return np.asarray(expit(logits) if several else softmax(logits, axis=1))


@lru_cache(maxsize=256)
def _embed_text(weights: Weights, text: str) -> npt.NDArray[np.float32]:
    import torch

    tokenizer, tower = _text_tower(weights)
    tokens = tokenizer([text], padding="max_length", max_length=_TOKENS, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        vector = tower(input_ids=tokens["input_ids"]).pooler_output[0].float().numpy()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)


@lru_cache(maxsize=1)
def _text_tower(weights: Weights) -> tuple[Any, Any]:
    weights.config("siglip")
    with needs_transformers("SigLIP"):
        from transformers import SiglipTextModel
    return load_tokenizer(weights, pads=True), load_part(SiglipTextModel, weights)
