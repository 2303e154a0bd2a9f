"""bfloat16 where it makes training on a CPU quicker.

Measured on a CPU that has it, forward and backward: convolutions of 1×1 pixels and wide linear layers take a third to a
half of the time, dense 3×3 convolutions of large maps longer, and depthwise ones, whose backward pass is the slowest
of all, no less. So only the former compute in it; weights, sums and gradients of weights stay float32.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn

_LEAST_WEIGHTS = 10_000  # of a layer: smaller ones take no time


class HalfConv2d(nn.Conv2d):
    """A convolution that computes in bfloat16 while it is trained; takes and gives float32."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As that of the convolution."""
        if not self.training or images.device.type != "cpu":
            return super().forward(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(images).to(images.dtype)


class HalfLinear(nn.Linear):
    """A linear layer that computes in bfloat16 while it is trained; takes and gives float32."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """As that of the layer."""
        if not self.training or rows.device.type != "cpu":
            return super().forward(rows)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(rows).to(rows.dtype)


def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16; where it only pretends to, that takes longer."""
    capabilities: Callable[[], dict[str, bool]] | None = getattr(torch.cpu, "get_capabilities", None)
    known = capabilities() if capabilities is not None else {}
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def compute_in_half(network: nn.Module) -> None:
    """Let the layers that gain by it compute in bfloat16 while they are trained; weights and their names stay."""
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.kernel_size == (1, 1) and layer.groups == 1:
            layer.__class__ = HalfConv2d
        elif type(layer) is nn.Linear and layer.weight.numel() >= _LEAST_WEIGHTS:
            layer.__class__ = HalfLinear


def half_copy(module: nn.Module) -> nn.Module:
    """The module in bfloat16, for parts that are never trained."""
    return deepcopy(module).to(torch.bfloat16).requires_grad_(False)
