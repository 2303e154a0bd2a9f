"""Select the fastest inference engine whose output matches PyTorch."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from customlabels_nb._utils.files import write_whole
from customlabels_nb._utils.installing import OURS, installed_version
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import MissingDependencyError, ModelError
from customlabels_nb.inference.engines.engine import Bfloat16Engine, Engine, OnnxClassifier, OnnxDetector
from customlabels_nb.inference.engines.names import (
    AUTO,
    BFLOAT16,
    ONNX,
    TORCH,
    EngineChoice,
    LacksPackageError,
    UnsuitableError,
    check_engine,
)
from customlabels_nb.models.artifact import ModelConfig, model_identity
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector import DetectedBoxes, ImageDetector
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.models.transforms import to_pixels
from customlabels_nb.user_settings import settings

#: Largest accepted difference in confidence (between 0 and 1) from PyTorch on synthetic images. Rounding errors are
#: larger on them than on photos: when bfloat16 changes the confidences by 0.02 on synthetic images, it changes them by
#: at most 0.004 on photos.
TOLERANCES = {ONNX: 1e-3, BFLOAT16: 0.05}
#: Largest accepted difference for detectors, in confidence and in box position as a fraction of the image size.
BOX_TOLERANCES = {ONNX: 1e-3, BFLOAT16: 0.02}
#: Speed-up required of bfloat16, because it changes predictions slightly.
_WORTH_IT = 1.25
_LEAST = 0.05  # confidence: less confident boxes are numerous and irrelevant
_MAY_BE_ALONE = 0.02  # fraction of boxes: rounding decides whether NMS suppresses a box whose IoU is near the threshold
_ROUNDS, _SECONDS = 3, 0.5
_GRIDS = (4, 20)  # cells per side of the synthetic images, with coarse and fine color patches


def open_engine(
    network: ImageClassifier | ImageDetector,
    config: ModelConfig,
    device: str,
    wanted: str = AUTO,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Engine, EngineChoice]:
    """Open an engine for a network and return it with the reasons for the choice.

    The output of ONNX Runtime is first compared with that of PyTorch on synthetic images, as is the output of bfloat16
    unless it was requested by name. The most confident label must be the same, and confidences and boxes may differ by
    at most :data:`TOLERANCES` and :data:`BOX_TOLERANCES`. On a CPU, "auto" picks the fastest engine whose output
    matches. On other devices, it is "torch".
    """
    check_engine(wanted)
    plain = Engine(network, config, device)
    if wanted == TORCH or (wanted == AUTO and config.zero_shot is not None):
        return plain, EngineChoice(TORCH)
    if wanted == AUTO and device != "cpu":
        return plain, EngineChoice(TORCH, dict.fromkeys((ONNX, BFLOAT16), "engine='auto' considers it only on a CPU"))
    try:
        if wanted == BFLOAT16:  # an explicit request accepts the lower precision
            return _build(wanted, network, config, device), EngineChoice(wanted)
        comparison = _Comparison(plain, clock)
        return comparison.fastest() if wanted == AUTO else (comparison.fitting(wanted), EngineChoice(wanted))
    except UnsuitableError as error:
        kind = MissingDependencyError if isinstance(error, LacksPackageError) else ModelError
        raise kind(f"Use engine='auto' instead: engine={wanted!r} cannot run this model because {error}") from error


def open_kept_engine(
    folder: Path, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str, wanted: str
) -> tuple[Engine, EngineChoice]:
    """Open an engine, reusing what "auto" once chose on this machine, because others change predictions slightly."""
    if wanted != AUTO or device != "cpu":
        return open_engine(network, config, device, wanted)
    machine = [platform.machine(), platform.processor(), os.cpu_count(), has_bfloat16()]
    facts = [model_identity(folder, config), machine, *map(installed_version, (OURS, "torch", "onnxruntime"))]
    path = settings.cache_dir / "engines" / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, ModelError, MissingDependencyError):
        kept = json.loads(path.read_bytes())
        choice = EngineChoice(kept["name"], {str(name): str(why) for name, why in kept["others"].items()})
        if choice.name in (TORCH, BFLOAT16, ONNX):
            return open_engine(network, config, device, choice.name)[0], choice
    engine, choice = open_engine(network, config, device)
    with suppress(OSError):  # if the cache is not writable, the engine is selected each time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"name": choice.name, "others": dict(choice.others)}).encode())
    return engine, choice


def _build(name: str, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> Engine:
    if name == BFLOAT16:
        return Bfloat16Engine(network, config, device)
    if config.zero_shot is not None:
        raise UnsuitableError("it predicts from descriptions")
    if isinstance(network, ImageDetector):
        return OnnxDetector(network, config, device)
    return OnnxClassifier(network, config, device)


class _Comparison:
    def __init__(self, plain: Engine, clock: Callable[[], float]) -> None:
        self._clock, self._begun = clock, clock()
        self._pictures = _pictures(plain.config)
        self._plain = plain
        self._seconds: dict[str, float] = {}
        self._truth = self._answers(plain)

    def fitting(self, name: str) -> Engine:
        """Open the engine, or raise UnsuitableError if it cannot run this network or its output differs too much."""
        plain = self._plain
        engine = _build(name, plain.network, plain.config, plain.device)
        _compare(self._answers(engine), self._truth, name, plain.config)
        return engine

    def fastest(self) -> tuple[Engine, EngineChoice]:
        """Return the fastest engine with matching output. If time runs short, only ONNX Runtime is measured, once."""
        engines, others = {TORCH: self._plain}, {}
        for name in (ONNX, BFLOAT16):
            try:
                if len(engines) > 1 and self._is_late():
                    raise UnsuitableError("there was no time to measure it")
                engines[name] = self.fitting(name)
            except UnsuitableError as error:
                others[name] = str(error)
        for _ in range(_ROUNDS):
            if len(engines) == 1 or self._is_late():
                break
            for engine in engines.values():  # alternate, so that other load on the machine affects all engines
                self._answers(engine)
        scores = {name: self._seconds[name] * (_WORTH_IT if name == BFLOAT16 else 1) for name in engines}
        best = min(scores, key=lambda name: scores[name])
        for name in engines.keys() - {best}:
            others[name] = f"it takes {self._milliseconds(name)} ms per image, {best} {self._milliseconds(best)} ms"
        return engines[best], EngineChoice(best, others)

    def _answers(self, engine: Engine) -> Any:
        started = self._clock()
        answers = engine.find(self._pictures) if engine.config.is_detector else engine.forward(self._pictures)
        taken = self._clock() - started
        self._seconds[engine.name] = min(taken, self._seconds.get(engine.name, taken))
        return answers

    def _milliseconds(self, name: str) -> str:
        return f"{1000 * self._seconds[name] / len(self._pictures):.3g}"

    def _is_late(self) -> bool:
        return self._clock() - self._begun > _SECONDS


# -- comparing ------------------------------------------------------------------------------------------
def _pictures(config: ModelConfig) -> list[Any]:
    """Create a few synthetic input images. More would delay the start of a model beyond two seconds."""
    size, rng = config.input_size, np.random.default_rng(0)
    drawn = []
    for cells in _GRIDS:
        grid = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        drawn.append(grid.resize((size, size), Image.Resampling.BICUBIC))
    if config.is_detector:
        return [to_canvas(drawn[-1].crop((0, 0, size, size // 2)), size, config.fill)]
    return [to_pixels(image, size) for image in drawn]


def _compare(outputs: Any, truth: Any, name: str, config: ModelConfig) -> None:
    """Raise UnsuitableError if the output of an engine differs too much from that of the network in PyTorch."""
    allowed = (BOX_TOLERANCES if config.is_detector else TOLERANCES)[name]
    if config.is_detector:
        pairs = list(zip(outputs, truth, strict=True))
        apart = max(_boxes_apart(output, other, config.input_size, allowed) for output, other in pairs)
    else:
        apart = confidences_apart(outputs, truth, allowed)
    if not apart <= allowed:  # also true for NaN
        raise UnsuitableError(f"its output differs from the network's by {apart:.2g}, more than {allowed:g}")


def confidences_apart(outputs: FloatArray, truth: FloatArray, allowed: float) -> float:
    """Return the largest difference in confidence, or 1 if the most confident label differs without a near tie."""
    rows = np.arange(len(truth))
    another = truth.max(axis=1) - truth[rows, outputs.argmax(axis=1)] > 2 * allowed
    return 1.0 if bool(another.any()) else float(np.abs(outputs - truth).max())


def _boxes_apart(these: DetectedBoxes, those: DetectedBoxes, size: int, allowed: float) -> float:
    """Return the largest difference in confidence or position of matched boxes, or of unmatched ones if too many."""
    apart = np.concatenate([_nearest(these, those, size), _nearest(those, these, size)])
    alone = int((apart > allowed).sum())
    if alone > _MAY_BE_ALONE * len(apart):
        return float(np.sort(apart)[-1 - int(_MAY_BE_ALONE * len(apart))])
    return float(apart[apart <= allowed].max(initial=0))


def _nearest(these: DetectedBoxes, those: DetectedBoxes, size: int) -> FloatArray:
    """Compute the distance of each confident box in ``these`` to its nearest counterpart in ``those``, at most 1."""
    distances = []
    for box, label, confidence in zip(these.boxes, these.labels, these.confidences, strict=True):
        if confidence < _LEAST:
            break
        same = those.labels == label
        places = np.abs(those.boxes[same] - box).max(axis=1, initial=0) / size
        distances.append(float(np.maximum(places, np.abs(those.confidences[same] - confidence)).min(initial=1)))
    return np.asarray(distances, dtype=np.float64)
