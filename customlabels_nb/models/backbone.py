"""Describe backbones without loading them, and load weights with strict checks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customlabels_nb.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

PACKAGED = "efficientnet_lite0"
TIMM, TORCHVISION = "timm", "torchvision"
#: Setting of a project: name of the features that clusters and similarity use.
FEATURES = "features"


@dataclass(frozen=True)
class Backbone:
    """Description of a backbone. ``features`` is the length of its vector. ``parameters`` are without the classifier.

    ``mean`` and ``std`` are for pixels scaled to 0 to 1. ``weights`` are named as in timm or torchvision.
    """

    name: str
    architecture: str
    licence: str
    megabytes: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int = 224
    features: int = 1280
    source: str = "packaged"
    parameters: int = 3_371_008
    weights: str = ""


def load_exactly(
    network: nn.Module,
    weights: Mapping[str, torch.Tensor],
    what: str,
    error: type[ModelError],
    advice: str,
) -> None:
    """Load ``weights`` into the network. If they do not fit, raise ``error`` as :func:`require_fitting` does."""
    expected = network.state_dict()
    require_fitting(expected, weights, what, error, advice)
    # Some modules read a layout version, which safetensors files do not store. Weights that fit are up to date.
    versioned = OrderedDict(weights)
    versioned._metadata = expected._metadata  # type: ignore[attr-defined]
    network.load_state_dict(versioned, strict=True)


def require_fitting(
    expected: Mapping[str, Any], weights: Mapping[str, Any], what: str, error: type[ModelError], advice: str
) -> None:
    """Raise ``error`` if keys in ``weights`` are missing, unexpected or have the wrong ``.shape``.

    The message names these keys, of ``what``. PyTorch itself only warns about some wrong architectures.
    """
    missing = sorted(expected.keys() - weights.keys())
    unexpected = sorted(weights.keys() - expected.keys())
    wrong = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in weights and weights[key].shape != value.shape
    ]
    for keys, words in ((missing, "lack"), (unexpected, "have unknown"), (wrong, "have wrong shapes:")):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise error(f"{what} {words} {', '.join(keys[:3])}{more}. {advice}")
