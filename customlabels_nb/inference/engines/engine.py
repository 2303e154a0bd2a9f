"""Engines: a network with what it takes to ask it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from customlabels_nb.geometry import FloatArray
from customlabels_nb.inference.engines.errors import UnsuitableError
from customlabels_nb.inference.engines.names import BFLOAT16, ONNX, TORCH
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.detector import Found, ImageDetector, detect
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.models.transforms import Pixels, to_batch

if TYPE_CHECKING:
    import onnxruntime


class Engine:
    """torch, as the network is.

    Parameters
    ----------
    network : ImageClassifier or ImageDetector
        On ``device``, in eval mode.
    config : ModelConfig
    device : str
    """

    name = TORCH

    def __init__(self, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> None:
        self.network = network
        self.config = config
        self.device = device

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        """A classifier's confidences, shape (n, k), of squares uint8 (3, input_size, input_size)."""
        assert isinstance(self.network, ImageClassifier)
        with torch.inference_mode():
            logits = self.network(to_batch(pixels, self.config.mean, self.config.std, self.device))
            return probabilities(logits, self.config.activation)

    def find(self, canvases: Sequence[Canvas]) -> list[Found]:
        """What a detector finds on each canvas."""
        assert isinstance(self.network, ImageDetector)
        return detect(self.network, canvases, self.config.mean, self.config.std, self.device)


class Bfloat16Engine(Engine):
    """torch, which computes in bfloat16 what it can; a classifier's last layer stays exact."""

    name = BFLOAT16

    def __init__(self, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> None:
        if device == "cpu" and not has_bfloat16():
            raise UnsuitableError("this CPU doesn't compute in bfloat16")
        if device != "cpu" and not (
            device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
        ):
            raise UnsuitableError(f"{device} doesn't compute in bfloat16")
        super().__init__(network, config, device)

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        """As that of :class:`Engine`."""
        assert isinstance(self.network, ImageClassifier)
        with torch.inference_mode():
            batch = to_batch(pixels, self.config.mean, self.config.std, self.device)
            with self._in_half():
                features = self.network.backbone(batch)
            return probabilities(self.network.head(features.float()), self.config.activation)

    def find(self, canvases: Sequence[Canvas]) -> list[Found]:
        """As that of :class:`Engine`."""
        with self._in_half():
            return super().find(canvases)

    def _in_half(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.partition(":")[0], dtype=torch.bfloat16)


class OnnxClassifier(Engine):
    """onnxruntime on the CPU; normalisation is part of its graph."""

    name = ONNX

    def __init__(self, network: ImageClassifier, config: ModelConfig, device: str) -> None:
        side = config.input_size
        self._session, _ = _session(network, device, ("n", 3, side, side), normalise=(config.mean, config.std))
        self.config = config
        self.device = device

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        """As that of :class:`Engine`."""
        logits = self._session.run(None, {"input": np.stack(pixels)})[0]
        return probabilities(torch.from_numpy(logits), self.config.activation)


class OnnxDetector(Engine):
    """A detector's backbone, and the wide layers behind its boxes, in onnxruntime on the CPU; the rest in torch."""

    name = ONNX

    def __init__(self, network: ImageDetector, config: ModelConfig, device: str) -> None:
        parts: Any = _sharing_weights(network)
        parts.network.backbone = _OnnxPart(parts.network.backbone, device, ("n", 3, "height", "width"))
        heads = getattr(parts.network, "roi_heads", None)
        if heads is not None:
            height, width = heads.box_roi_pool.output_size
            channels = _channels_of(heads.box_head, height * width)
            heads.box_head = _OnnxPart(heads.box_head, device, ("n", channels, height, width))
        super().__init__(parts, config, device)


class _OnnxPart(nn.Module):
    """Part of a network in onnxruntime; takes a tensor, gives one or a dict of them."""

    def __init__(self, part: nn.Module, device: str, axes: Sequence[str | int]) -> None:
        super().__init__()
        self._session, self._keys = _session(part, device, axes)

    def forward(self, images: torch.Tensor) -> Any:
        """As that of the part."""
        found = [torch.from_numpy(one) for one in self._session.run(None, {"input": images.contiguous().numpy()})]
        return found[0] if self._keys is None else dict(zip(self._keys, found, strict=True))


def _session(
    network: nn.Module, device: str, axes: Sequence[str | int], **options: Any
) -> tuple[onnxruntime.InferenceSession, list[str] | None]:
    """The network in onnxruntime, and the keys of its outputs if it gives a dict."""
    if device != "cpu":
        raise UnsuitableError("it is for the CPU")
    try:
        import onnxruntime

        from customlabels_nb.inference.engines.graph import NotWritableError, to_onnx
    except ImportError as error:
        package = (error.name or "onnx").partition(".")[0]
        raise UnsuitableError(f"it needs the package {package!r}: pip install 'customlabels-nb[onnx]'") from error
    try:
        model, keys = to_onnx(network, axes, **options)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3  # errors, which are raised
        # threads that wait keep no core busy that torch, or those who decode images, could use
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    except NotWritableError as error:
        raise UnsuitableError(str(error)) from error
    except Exception as error:  # onnxruntime's own classes of errors differ between its releases
        words = (str(error).strip().splitlines() or [""])[0][:200]
        raise UnsuitableError(f"onnxruntime doesn't take the network ({words})") from error
    return session, keys


def _channels_of(head: nn.Module, cells: int) -> int:
    """How many channels a head takes of maps with so many cells."""
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    return first.in_features // cells if isinstance(first, nn.Linear) else first.in_channels


def _sharing_weights(network: nn.Module) -> nn.Module:
    """A copy whose parts can be replaced, with the very same weights."""
    shared: dict[int, Any] = {id(one): one for one in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, shared)
