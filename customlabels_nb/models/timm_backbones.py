"""Backbones from timm: all its classification networks with pretrained weights.

Only safetensors files are read, never pickles, so that no downloaded code is executed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.models.backbone import PACKAGED, TIMM, Backbone
from customlabels_nb.models.pretrained.weights import download_files
from customlabels_nb.models.weights_file import damaged_files
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from torch import nn

_FILE = "model.safetensors"
_MEBI = 2**20


def timm_names() -> list[str]:
    """List the networks for which timm has pretrained weights, with the tags of the weights."""
    import timm

    return [str(name) for name in timm.list_models(pretrained=True)]


def described(name: str) -> Any:
    """Look up timm's description of pretrained weights without building the network."""
    import timm

    try:
        config = timm.models.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        config = None
    if config is None or not config.has_weights:
        same = [other for other in timm_names() if other.partition(".")[0] == name.partition(".")[0]]
        raise unknown(TIMM, name, same or [*timm.list_models(), *timm_names()])
    return config


def timm_backbone(name: str) -> Backbone:
    """Describe timm's network ``name``, such as "resnet18" (with timm's default weights) or "resnet18.a1_in1k"."""
    import timm
    import torch

    config = described(name)
    full_name = f"{config.architecture}.{config.tag}" if config.tag else config.architecture
    channels, height, width = config.input_size
    if channels != 3 or height != width:
        raise InputError(f"backbone='{TIMM}/{full_name}' takes {width} × {height} images, but must take square images.")
    try:
        with torch.device("meta"):  # computes shapes without memory or arithmetic
            network = timm.create_model(full_name, pretrained=False, num_classes=0).eval()
            shape = tuple(network(torch.empty(1, 3, height, width)).shape)
    except (RuntimeError, NotImplementedError) as error:  # some networks of timm 1.0.28 need numbers for their shapes
        raise InputError(
            f"backbone='{TIMM}/{full_name}' cannot be used with timm {timm.__version__} ({first_line(error)}). Upgrade "
            "timm, or choose another network."
        ) from error
    if len(shape) != 2:
        raise InputError(
            f"backbone='{TIMM}/{full_name}' is not a classification network: its output has the shape {shape}, not one "
            "feature vector per image."
        )
    parameters = sum(value.numel() for value in network.parameters())
    return Backbone(
        name=f"{TIMM}/{full_name}",
        architecture=config.architecture,
        licence=config.license or "unknown",
        megabytes=round(4 * parameters / _MEBI, 1),
        mean=tuple(config.mean),
        std=tuple(config.std),
        input_size=height,
        features=shape[1],
        source=TIMM,
        parameters=parameters,
        weights=config.tag,
    )


def load(facts: Backbone) -> nn.Module:
    import timm
    from safetensors import SafetensorError

    name = facts.name.partition("/")[2]
    path = weights_file(facts)
    try:
        # With the original number of classes, every key is checked. The classifier is removed afterwards.
        network: nn.Module = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay={"file": str(path), "custom_load": False}
        )
    except (RuntimeError, OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"The weights {str(path)!r} for backbone={facts.name!r} cannot be used ({type(error).__name__}: "
            f"{str(error)[:200]}). Delete the file to download it again, or use backbone={PACKAGED!r}."
        ) from error
    network.reset_classifier(0)
    return network


def weights_file(facts: Backbone) -> Path:
    """Return the path of the weights file, downloading it if the Hugging Face Hub cache lacks it or it is damaged."""
    here = cached_file(facts.name)
    damaged = here is not None and bool(damaged_files(here.parent))
    if here is not None and not damaged:
        return here
    hub_id = described(facts.name.partition("/")[2]).hf_hub_id
    if not hub_id:
        raise unavailable(facts.name, "timm provides them only as a pickle file, which is not supported")
    if not settings.network:
        reason = f"{str(here)!r} is damaged" if damaged else "they are not cached"
        raise unavailable(facts.name, f"{reason}, and settings.network is False")
    try:
        return download_files(hub_id, None, [_FILE]) / _FILE
    except Exception as error:  # also those of the HTTP library, which differs by version
        reason = first_line(error).rstrip(".") or type(error).__name__
        raise unavailable(facts.name, f"{hub_id} cannot be downloaded from the Hugging Face Hub: {reason}") from error


def cached_file(name: str) -> Path | None:
    """Return the path of the cached weights file of the backbone ``name``, or None if it is not cached."""
    from huggingface_hub import try_to_load_from_cache

    hub_id = described(name.partition("/")[2]).hf_hub_id
    path = try_to_load_from_cache(hub_id, _FILE) if hub_id else None
    return Path(path) if isinstance(path, str) else None


def unavailable(name: str, reason: str) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"The weights for backbone={name!r} are not available: {reason}. "
        f"Use backbone={PACKAGED!r}, which comes with the package."
    )


def unknown(library: str, name: str, names: Iterable[str]) -> InputError:
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.4)
    hint = f". Similar names: {', '.join(f'{library}/{similar}' for similar in near)}" if near else ""
    return InputError(
        f"backbone='{library}/{name}' does not exist: {library} has no pretrained network of that name{hint}. "
        f"Without a network connection, use backbone={PACKAGED!r}."
    )
