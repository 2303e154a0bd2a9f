"""Run a network with PyTorch, PyTorch in bfloat16, or ONNX Runtime."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.inference.engines.names import BFLOAT16, ONNX, TORCH, LacksPackageError, UnsuitableError
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.backbones import forward_batch
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.cascade import CascadeHeads
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.detector import POOLED, DetectedBoxes, ImageDetector, detect
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.models.transformers_detector import TransformersDetector
from customlabels_nb.models.transforms import Pixels, to_batch

if TYPE_CHECKING:
    import onnxruntime

_EACH = 4  # images per thread


class Engine:
    """Engine that runs the unchanged network with PyTorch. ``at_once`` is the preferred batch size."""

    name = TORCH

    def __init__(self, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> None:
        self.network = network
        self.config = config
        self.device = device
        self.at_once = forward_batch(device)

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        """Compute a classifier's confidences, shape (n, k), for uint8 images of shape (3, input_size, input_size)."""
        assert isinstance(self.network, ImageClassifier)
        with torch.inference_mode():
            logits = self.network(to_batch(pixels, self.config.mean, self.config.std, self.device))
            return probabilities(logits, self.config.activation)

    def find(self, canvases: Sequence[Canvas], thresholds: FloatArray | None = None) -> list[DetectedBoxes]:
        """Detect objects on each canvas. If ``thresholds`` are given, only boxes that reach them get a mask."""
        assert isinstance(self.network, ImageDetector)
        return detect(self.network, canvases, self.config.mean, self.config.std, self.device, thresholds)


class Bfloat16Engine(Engine):
    """Engine that runs the network in PyTorch with bfloat16 autocast. A classifier's last layer stays in float32."""

    name = BFLOAT16

    def __init__(self, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> None:
        if not has_bfloat16(device):
            raise UnsuitableError(f"{'this CPU' if device == 'cpu' else device} does not support bfloat16")
        super().__init__(network, config, device)

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        assert isinstance(self.network, ImageClassifier)
        with torch.inference_mode():
            batch = to_batch(pixels, self.config.mean, self.config.std, self.device)
            with self._in_half():
                features = self.network.backbone(batch)
            return probabilities(self.network.head(features.float()), self.config.activation)

    def find(self, canvases: Sequence[Canvas], thresholds: FloatArray | None = None) -> list[DetectedBoxes]:
        with self._in_half():
            return super().find(canvases, thresholds)

    def _in_half(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.partition(":")[0], dtype=torch.bfloat16)


class OnnxClassifier(Engine):
    """Engine that runs a classifier in ONNX Runtime on the CPU, with the normalisation as part of the graph.

    A single image uses all threads. Several images are distributed over the threads, each of which processes its share
    alone, because threads that synchronise after every layer reach only half the throughput, and less while other
    threads decode images.
    """

    name = ONNX

    def __init__(self, network: ImageClassifier, config: ModelConfig, device: str) -> None:
        side, threads = config.input_size, torch.get_num_threads()
        model, _ = _written(network, device, ("n", 3, side, side), normalise=(config.mean, config.std))
        self._together, self._alone = _opened(model, threads), _opened(model, 1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="customlabels_nb-onnx")
        self._threads = threads
        self.at_once = _EACH * threads
        self.config = config
        self.device = device

    def forward(self, pixels: Sequence[Pixels]) -> FloatArray:
        several = min(len(pixels), self._threads)
        if several == 1:
            logits = _run(self._together, pixels)
        else:
            parts = [pixels[offset::several] for offset in range(several)]
            outputs = list(self._pool.map(lambda part: _run(self._alone, part), parts))
            logits = np.empty((len(pixels), outputs[0].shape[1]), dtype=np.float32)
            for offset, rows in enumerate(outputs):
                logits[offset::several] = rows
        return probabilities(torch.from_numpy(logits), self.config.activation)


class OnnxDetector(Engine):
    """Engine that runs a detector's backbone and heads in ONNX Runtime on the CPU, and the rest in PyTorch."""

    name = ONNX

    def __init__(self, network: ImageDetector, config: ModelConfig, device: str) -> None:
        if isinstance(network, TransformersDetector):
            raise UnsuitableError("detectors from transformers run in PyTorch only. Export the model to ONNX instead")
        weights = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
        parts: Any = copy.deepcopy(network, weights)  # which are shared, so that parts of the copy can be replaced
        parts.network.backbone = _OnnxPart(parts.network.backbone, device, ("n", 3, "height", "width"))
        heads = getattr(parts.network, "roi_heads", None)
        if heads is not None:
            height, width = heads.box_roi_pool.output_size
            channels = _channels_of(heads.box_head, height * width)
            axes: tuple[str | int, ...] = ("n", channels, height, width)
            heads.box_head = _OnnxPart(heads.box_head, device, axes)
            if isinstance(heads, CascadeHeads):
                heads.second_head = _OnnxPart(heads.second_head, device, axes)
        if parts.masks is not None:
            axes = ("n", parts.masks.channels, POOLED, POOLED)
            parts.masks.layers = _OnnxPart(parts.masks.layers, device, axes)
        super().__init__(parts, config, device)


class _OnnxPart(nn.Module):
    """Part of a network that runs in ONNX Runtime. It takes a tensor and returns a tensor or a dict of tensors."""

    def __init__(self, part: nn.Module, device: str, axes: Sequence[str | int]) -> None:
        super().__init__()
        model, self._keys = _written(part, device, axes)
        self._session = _opened(model, torch.get_num_threads())

    def forward(self, images: torch.Tensor) -> Any:
        outputs = [
            torch.from_numpy(output) for output in self._session.run(None, {"input": images.contiguous().numpy()})
        ]
        return outputs[0] if self._keys is None else dict(zip(self._keys, outputs, strict=True))


def _run(session: onnxruntime.InferenceSession, pixels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
    logits: npt.NDArray[np.float32] = session.run(None, {"input": np.stack(pixels)})[0]
    return logits


def _written(
    network: nn.Module, device: str, axes: Sequence[str | int], **options: Any
) -> tuple[bytes, list[str] | None]:
    """Convert the network to ONNX and return the model, with the keys of its outputs if these form a dict."""
    if device != "cpu":
        raise UnsuitableError("it runs only on the CPU")
    try:
        import onnxruntime  # noqa: F401

        from customlabels_nb.inference.engines.onnx_writer import NotWritableError, to_onnx
    except ImportError as error:
        package = (error.name or "onnx").partition(".")[0]
        raise LacksPackageError(f"it requires the package {package!r}: {extra_command('onnx')}") from error
    try:
        return to_onnx(network, axes, **options)
    except NotWritableError as error:
        raise UnsuitableError(str(error)) from error


def _opened(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # errors only, which are also raised
    # waiting threads must not occupy cores that PyTorch or the image decoders could use
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exception classes of onnxruntime differ between releases
        raise UnsuitableError(f"onnxruntime cannot load the network ({first_line(error)})") from error


def _channels_of(head: nn.Module, cells: int) -> int:
    """Return the number of input channels of a head whose feature maps have ``cells`` positions."""
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    return first.in_features // cells if isinstance(first, nn.Linear) else first.in_channels
