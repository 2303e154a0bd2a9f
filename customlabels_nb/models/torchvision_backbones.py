"""Backbones from torchvision: its classification networks with pretrained weights."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlparse

from customlabels_nb.errors import ModelError
from customlabels_nb.models.backbone import PACKAGED, TORCHVISION, Backbone, load_exactly
from customlabels_nb.models.timm_backbones import unavailable, unknown
from customlabels_nb.models.weights_file import is_intact
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import torch
    from torch import nn

_CLASSES = 1000
#: Options for networks that were trained with auxiliary branches, which only training needs, and rescaled input.
_BRANCHED = {"aux_logits": False, "transform_input": True, "init_weights": False}
_BRANCHES = ("aux1.", "aux2.", "AuxLogits.")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


def torchvision_names() -> list[str]:
    """List torchvision's classification networks, each with the name of its default weights."""
    from torchvision import models

    return [f"{name}.{models.get_model_weights(name).DEFAULT.name}" for name in models.list_models(module=models)]


def described(name: str) -> tuple[str, Any]:
    """Look up the network and weights for a name such as "resnet18" (default weights) or "resnet18.IMAGENET1K_V1"."""
    from torchvision import models

    architecture, _, tag = name.partition(".")
    names = models.list_models(module=models)
    if architecture not in names:
        raise unknown(TORCHVISION, name, names)
    members = models.get_model_weights(architecture)
    if tag and tag not in members.__members__:
        raise unknown(TORCHVISION, name, [f"{architecture}.{member}" for member in members.__members__])
    return architecture, members[tag] if tag else members.DEFAULT


def torchvision_backbone(name: str) -> Backbone:
    import torch

    architecture, weights = described(name)
    try:
        with torch.device("meta"):  # computes shapes without memory or arithmetic
            network = _whole(architecture, weights)
    except NotImplementedError:  # the constructor reads values of tensors
        network = _whole(architecture, weights)
    features = _take_classifier_off(network)
    preset = weights.transforms()
    return Backbone(
        name=f"{TORCHVISION}/{architecture}.{weights.name}",
        architecture=architecture,
        licence=licence_of(weights),
        megabytes=float(weights.meta["_file_size"]),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        input_size=int(preset.crop_size[0]),
        features=features,
        source=TORCHVISION,
        parameters=sum(value.numel() for value in network.parameters()),
        weights=weights.name,
    )


def licence_of(weights: Any) -> str:
    """Return torchvision's own licence, or the non-commercial licence of weights that Meta published for research."""
    return "CC-BY-NC-4.0" if "SWAG" in weights.name else "BSD-3-Clause"


def build(facts: Backbone) -> nn.Module:
    """Build the network without trained weights and without its classifier."""
    architecture, weights = described(facts.name.partition("/")[2])
    network = _whole(architecture, weights)
    _take_classifier_off(network)
    return network


def load(facts: Backbone) -> nn.Module:
    architecture, weights = described(facts.name.partition("/")[2])
    network = _whole(architecture, weights)
    load_exactly(
        network,
        _current_names(read_weights(facts)),
        f"The weights of backbone={facts.name!r}",
        ModelError,
        f"Delete {str(cache_file(weights))!r} to download them again, or use backbone={PACKAGED!r}.",
    )
    _take_classifier_off(network)
    return network


def read_weights(facts: Backbone) -> Mapping[str, torch.Tensor]:
    """Load the backbone's weights, downloading them if they are not in PyTorch's cache."""
    _, weights = described(facts.name.partition("/")[2])
    path = cache_file(weights)
    if not is_intact(path):
        reason = f"{str(path)!r} is damaged" if path.is_file() else "they are not cached"
        if not settings.network:
            raise unavailable(facts.name, f"{reason}, and settings.network is False")
        path.unlink(missing_ok=True)
    try:
        # weights_only=True loads tensors without executing any code
        weights_by_name: Mapping[str, torch.Tensor] = weights.get_state_dict(
            progress=True, check_hash=True, map_location="cpu", weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise unavailable(facts.name, f"{urlparse(weights.url).netloc} cannot be reached: {error}") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The weights {str(path)!r} for backbone={facts.name!r} cannot be read or saved ({type(error).__name__}: "
            f"{str(error)[:200]}). Delete the file to download it again, or use backbone={PACKAGED!r}."
        ) from error
    return weights_by_name


def cache_file(weights: Any) -> Path:
    """Return the path of these weights in PyTorch's cache."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def _whole(architecture: str, weights: Any) -> nn.Module:
    """Build the complete network for ``weights``, including its classifier, in eval mode."""
    from torchvision import models

    options: dict[str, Any] = {}
    if architecture in ("googlenet", "inception_v3"):
        options = _BRANCHED
    elif architecture.startswith("vit_"):
        options = {"image_size": weights.meta["min_size"][0]}
    network: nn.Module = models.get_model(architecture, weights=None, **options).eval()
    return network


def _take_classifier_off(network: nn.Module) -> int:
    """Remove the layer that computes the logits for ImageNet's classes, and return the number of its inputs."""
    from torch import nn

    for name, layer in reversed(list(network.named_modules())):
        linear = isinstance(layer, nn.Linear) and layer.out_features == _CLASSES
        convolution = isinstance(layer, nn.Conv2d) and layer.out_channels == _CLASSES
        if linear or convolution:
            network.set_submodule(name, nn.Identity())
            return int(layer.in_features if linear else layer.in_channels)
    raise AssertionError(f"{type(network).__name__} has no layer of {_CLASSES} outputs")


def _current_names(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Remove the weights of branches that only training needs, and rename DenseNet's layers to their current names."""
    return {_OLD_DENSENET.sub(r"\1\2.", key): value for key, value in weights.items() if not key.startswith(_BRANCHES)}
