"""What is known of a backbone without loading it, and loading of weights that must fit exactly."""

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


@dataclass(frozen=True)
class Backbone:
    """What is known of a backbone without loading it.

    Attributes
    ----------
    name : str
        How it is asked for, and called in a model's files.
    architecture : str
        Its library's name of the network.
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
    source : str
        Where it comes from: "packaged", "timm" or "torchvision".
    parameters : int
        Of the network, its classifier left out.
    weights : str
        Its library's name of the pretrained weights.
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
    """Load ``weights``, or raise ``error`` as :func:`require_fitting`."""
    expected = network.state_dict()
    require_fitting(expected, weights, what, error, advice)
    # Some modules ask for the version of their layout, which safetensors files don't keep: what fits is of today's.
    versioned = OrderedDict(weights)
    versioned._metadata = expected._metadata  # type: ignore[attr-defined]
    network.load_state_dict(versioned, strict=True)


def require_fitting(
    expected: Mapping[str, Any], weights: Mapping[str, Any], what: str, error: type[ModelError], advice: str
) -> None:
    """Raise ``error`` naming ``what`` and what is missing, too many or of another ``.shape``.

    torch's own check reports some of that as warnings only, and a wrong architecture must not pass in silence.
    """
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
