"""Backbones by size, for users who do not want to choose one by name."""

from __future__ import annotations

from dataclasses import dataclass

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


def is_size(name: object) -> bool:
    """Check whether ``name`` is "small", "base", "large" or "auto"."""
    return name == AUTO or name in CLASSIFIERS
