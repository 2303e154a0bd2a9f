"""Backbones of torchvision: its classification networks, by name."""

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
from customlabels_nb.settings import settings

if TYPE_CHECKING:
    import torch
    from torch import nn

_CLASSES = 1000
#: These were trained with branches that only training needs, and with input scaled otherwise than it is given.
_BRANCHED = {"aux_logits": False, "transform_input": True, "init_weights": False}
_BRANCHES = ("aux1.", "aux2.", "AuxLogits.")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


def torchvision_names() -> list[str]:
    """Its classification networks, each with its default weights."""
    from torchvision import models

    return [f"{name}.{models.get_model_weights(name).DEFAULT.name}" for name in models.list_models(module=models)]


def described(name: str) -> tuple[str, Any]:
    """Network and weights of a name such as "resnet18" (with its default weights) or "resnet18.IMAGENET1K_V1".

    Raises
    ------
    InputError
        If torchvision has none of that name.
    """
    from torchvision import models

    architecture, _, tag = name.partition(".")
    names = models.list_models(module=models)
    if architecture not in names:
        raise unknown(TORCHVISION, name, names)
    known = models.get_model_weights(architecture)
    if tag and tag not in known.__members__:
        raise unknown(TORCHVISION, name, [f"{architecture}.{own}" for own in known.__members__])
    return architecture, known[tag] if tag else known.DEFAULT


def torchvision_backbone(name: str) -> Backbone:
    """What is known of torchvision's network ``name``.

    Raises
    ------
    InputError
        If torchvision has none of that name.
    """
    import torch

    architecture, weights = described(name)
    try:
        with torch.device("meta"):  # no memory, no arithmetic: shapes alone
            network = _whole(architecture, weights)
    except NotImplementedError:  # its constructor reads numbers back from tensors
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
    """torchvision's own licence, but for the weights that Meta gave out for research."""
    return "CC-BY-NC-4.0" if "SWAG" in weights.name else "BSD-3-Clause"


def build(facts: Backbone) -> nn.Module:
    """The network without trained weights and without its classifier."""
    architecture, weights = described(facts.name.partition("/")[2])
    network = _whole(architecture, weights)
    _take_classifier_off(network)
    return network


def load(facts: Backbone) -> nn.Module:
    """The network with its pretrained weights; raises as :func:`read_weights`, and ModelError if they don't fit."""
    architecture, weights = described(facts.name.partition("/")[2])
    network = _whole(architecture, weights)
    load_exactly(
        network,
        _current_names(read_weights(facts)),
        f"The weights of backbone={facts.name!r}",
        ModelError,
        f"Delete {str(cache_file(weights))!r} to fetch them anew, or use backbone={PACKAGED!r}.",
    )
    _take_classifier_off(network)
    return network


def read_weights(facts: Backbone) -> Mapping[str, torch.Tensor]:
    """The weights, fetched if they aren't in torch's cache yet.

    Raises
    ------
    WeightsUnavailableError
        If they can't be fetched.
    ModelError
        If the file in the cache is damaged.
    """
    _, weights = described(facts.name.partition("/")[2])
    path = cache_file(weights)
    if not path.is_file() and not settings.network:
        raise unavailable(facts.name, "they aren't on this machine, and settings.network is False")
    try:
        # tensors alone: nothing in the file is executed
        found: Mapping[str, torch.Tensor] = weights.get_state_dict(
            progress=True, check_hash=True, map_location="cpu", weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise unavailable(facts.name, f"{urlparse(weights.url).netloc} can't be reached: {error}") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The weights {str(path)!r} of backbone={facts.name!r} can't be read or kept ({type(error).__name__}: "
            f"{str(error)[:200]}). Delete the file to fetch it anew, or use backbone={PACKAGED!r}."
        ) from error
    return found


def cache_file(weights: Any) -> Path:
    """Where torch keeps the file with these weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def _whole(architecture: str, weights: Any) -> nn.Module:
    """The network as the weights expect it, its classifier included, and ready for use."""
    from torchvision import models

    options: dict[str, Any] = {}
    if architecture in ("googlenet", "inception_v3"):
        options = _BRANCHED
    elif architecture.startswith("vit_"):
        options = {"image_size": weights.meta["min_size"][0]}
    network: nn.Module = models.get_model(architecture, weights=None, **options).eval()
    return network


def _take_classifier_off(network: nn.Module) -> int:
    """Replace the layer that gives the logits of ImageNet's classes; returns the number of its inputs."""
    from torch import nn

    for name, layer in reversed(list(network.named_modules())):
        linear = isinstance(layer, nn.Linear) and layer.out_features == _CLASSES
        convolution = isinstance(layer, nn.Conv2d) and layer.out_channels == _CLASSES
        if linear or convolution:
            network.set_submodule(name, nn.Identity())
            return int(layer.in_features if linear else layer.in_channels)
    raise AssertionError(f"{type(network).__name__} has no layer of {_CLASSES} outputs")


def _current_names(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the branches that only training needs, and with today's names for DenseNet's layers."""
    return {_OLD_DENSENET.sub(r"\1\2.", key): value for key, value in weights.items() if not key.startswith(_BRANCHES)}
