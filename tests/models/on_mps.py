"""Tensors that behave like those on Apple's MPS, for machines without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class OnMps(torch.Tensor):
    """Tensor on the CPU that cannot be converted to float64 until it is copied with ``cpu()``."""

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, or refuse it as MPS does."""
        found = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return found.as_subclass(torch.Tensor)
        if isinstance(found, torch.Tensor) and found.dtype is torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
            )
        return found
