"""Which engine runs a model: the fastest of those that say what the network says."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
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
from customlabels_nb.models.artifact import DETECTION, ModelConfig, model_identity
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector import DetectedBoxes, ImageDetector
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.models.transforms import to_pixels
from customlabels_nb.settings import settings

#: How far an engine's confidences (0..1) may lie from the network's on drawn pictures. These are like nothing that it
#: was trained on, so that rounding shows: where bfloat16 moves them by 0.02, it moves those of photos by up to 0.004.
TOLERANCES = {ONNX: 1e-3, BFLOAT16: 0.05}
#: The same for detectors, and for boxes as shares of the image.
BOX_TOLERANCES = {ONNX: 1e-3, BFLOAT16: 0.02}
#: By how much bfloat16, which changes the answers a little, must be quicker than what doesn't.
_WORTH_IT = 1.25
_LEAST = 0.05  # confidence: of less confident boxes there are many, and nobody looks at them
_MAY_BE_ALONE = 0.02  # share of boxes: of two that overlap by nearly what is allowed, rounding keeps one or both
_ROUNDS, _SECONDS = 3, 0.5
_GRIDS = (4, 20)  # cells of the pictures that are drawn to compare: large stains and small ones


def open_engine(
    network: ImageClassifier | ImageDetector, config: ModelConfig, device: str, wanted: str = AUTO
) -> tuple[Engine, EngineChoice]:
    """The engine for a network, and why it is that one.

    Unless it is asked for, bfloat16 is first compared with torch on drawn pictures, and onnxruntime always: the most
    confident label must be the same, and confidences and boxes must lie within :data:`TOLERANCES`.

    Parameters
    ----------
    network : ImageClassifier or ImageDetector
        On ``device``, in eval mode.
    config : ModelConfig
    device : str
    wanted : str
        One of :data:`customlabels_nb.inference.engines.names.ENGINES`. "auto" times those that say the same, on a CPU;
        elsewhere it is torch.

    Raises
    ------
    InputError
        If there is no engine of that name.
    MissingDependencyError
        If it needs packages that aren't installed.
    ModelError
        If it can't run this network here, or says something else.
    """
    check_engine(wanted)
    plain = Engine(network, config, device)
    if wanted == TORCH:
        return plain, EngineChoice(TORCH)
    if wanted == AUTO and device != "cpu":
        return plain, EngineChoice(TORCH, dict.fromkeys((ONNX, BFLOAT16), "other engines are for the CPU"))
    try:
        if wanted == BFLOAT16:  # who asks for it has decided how exact it must be
            return _build(wanted, network, config, device), EngineChoice(wanted)
        comparison = _Comparison(plain)
        return comparison.fastest() if wanted == AUTO else (comparison.fitting(wanted), EngineChoice(wanted))
    except UnsuitableError as error:
        kind = MissingDependencyError if isinstance(error, LacksPackageError) else ModelError
        raise kind(f"engine='auto' takes what can run this model; engine={wanted!r} can't: {error}") from error


def open_kept_engine(
    folder: Path, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str, wanted: str
) -> tuple[Engine, EngineChoice]:
    """As :func:`open_engine`; "auto" is what it became before on this machine, as another would change answers."""
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
    with suppress(OSError):  # where the cache can't be written to it is chosen each time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"name": choice.name, "others": dict(choice.others)}).encode())
    return engine, choice


def _build(name: str, network: ImageClassifier | ImageDetector, config: ModelConfig, device: str) -> Engine:
    if name == BFLOAT16:
        return Bfloat16Engine(network, config, device)
    if isinstance(network, ImageDetector):
        return OnnxDetector(network, config, device)
    return OnnxClassifier(network, config, device)


class _Comparison:
    """Compares engines with torch, which is asked first."""

    def __init__(self, plain: Engine) -> None:
        self._begun = time.perf_counter()
        self._pictures = _pictures(plain.config)
        self._plain = plain
        self._seconds: dict[str, float] = {}
        self._truth = self._answers(plain)

    def fitting(self, name: str) -> Engine:
        """The engine of that name; UnsuitableError if it doesn't run this network, or says something else."""
        plain = self._plain
        engine = _build(name, plain.network, plain.config, plain.device)
        _compare(self._answers(engine), self._truth, name, plain.config)
        return engine

    def fastest(self) -> tuple[Engine, EngineChoice]:
        """The fastest that fits. Where the machine is busy only onnxruntime is compared, and asked once."""
        engines, others = {TORCH: self._plain}, {}
        for name in (ONNX, BFLOAT16):
            try:
                if len(engines) > 1 and self._is_late():
                    raise UnsuitableError("there was no time to try it")
                engines[name] = self.fitting(name)
            except UnsuitableError as error:
                others[name] = str(error)
        for _ in range(_ROUNDS):
            if len(engines) == 1 or self._is_late():
                break
            for engine in engines.values():  # in turn, so that what disturbs the machine disturbs all
                self._answers(engine)
        scores = {name: self._seconds[name] * (_WORTH_IT if name == BFLOAT16 else 1) for name in engines}
        best = min(scores, key=lambda name: scores[name])
        for name in engines.keys() - {best}:
            others[name] = f"{self._milliseconds(name)} ms an image, {best} {self._milliseconds(best)}"
        return engines[best], EngineChoice(best, others)

    def _answers(self, engine: Engine) -> Any:
        started = time.perf_counter()
        answers = engine.find(self._pictures) if engine.config.kind == DETECTION else engine.forward(self._pictures)
        taken = time.perf_counter() - started
        self._seconds[engine.name] = min(taken, self._seconds.get(engine.name, taken))
        return answers

    def _milliseconds(self, name: str) -> str:
        return f"{1000 * self._seconds[name] / len(self._pictures):.3g}"

    def _is_late(self) -> bool:
        return time.perf_counter() - self._begun > _SECONDS


# -- comparing ------------------------------------------------------------------------------------------
def _pictures(config: ModelConfig) -> list[Any]:
    """Stains of colour as the network takes them: few, as a model shall start within two seconds."""
    size, rng = config.input_size, np.random.default_rng(0)
    drawn = []
    for cells in _GRIDS:
        grid = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        drawn.append(grid.resize((size, size), Image.Resampling.BICUBIC))
    if config.kind == DETECTION:
        return [to_canvas(drawn[-1].crop((0, 0, size, size // 2)), size, config.fill)]
    return [to_pixels(image, size) for image in drawn]


def _compare(said: Any, truth: Any, name: str, config: ModelConfig) -> None:
    """Raise UnsuitableError if what an engine said isn't what the network says."""
    allowed = (BOX_TOLERANCES if config.kind == DETECTION else TOLERANCES)[name]
    if config.kind == DETECTION:
        pairs = list(zip(said, truth, strict=True))
        apart = max(_boxes_apart(one, other, config.input_size, allowed) for one, other in pairs)
    else:
        apart = _confidences_apart(said, truth, allowed)
    if not apart <= allowed:  # written so that NaN fails, too
        raise UnsuitableError(f"its answers differ from the network's by {apart:.2g}, more than {allowed:g}")


def _confidences_apart(said: FloatArray, truth: FloatArray, allowed: float) -> float:
    """The largest difference; 1 if another label is the most confident one, and not by a hair."""
    rows = np.arange(len(truth))
    another = truth.max(axis=1) - truth[rows, said.argmax(axis=1)] > 2 * allowed
    return 1.0 if bool(another.any()) else float(np.abs(said - truth).max())


def _boxes_apart(these: DetectedBoxes, those: DetectedBoxes, size: int, allowed: float) -> float:
    """The largest difference in confidence or place of boxes and their counterparts; 1 if too many have none."""
    apart = np.concatenate([_nearest(these, those, size), _nearest(those, these, size)])
    alone = int((apart > allowed).sum())
    if alone > _MAY_BE_ALONE * len(apart):
        return float(np.sort(apart)[-1 - int(_MAY_BE_ALONE * len(apart))])
    return float(apart[apart <= allowed].max(initial=0))


def _nearest(these: DetectedBoxes, those: DetectedBoxes, size: int) -> FloatArray:
    """Of each box of ``these`` that counts how far its nearest counterpart is, at most 1."""
    distances = []
    for box, label, confidence in zip(these.boxes, these.labels, these.confidences, strict=True):
        if confidence < _LEAST:
            break
        same = those.labels == label
        places = np.abs(those.boxes[same] - box).max(axis=1, initial=0) / size
        distances.append(float(np.maximum(places, np.abs(those.confidences[same] - confidence)).min(initial=1)))
    return np.asarray(distances, dtype=np.float64)
