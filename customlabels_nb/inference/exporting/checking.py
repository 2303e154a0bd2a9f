"""Whether an exported model says what the model says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import ImageError
from customlabels_nb.images.reading import open_image, read_bytes
from customlabels_nb.inference.exporting import detect as snippet
from customlabels_nb.inference.exporting.networks import exportable
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.canvas import Canvas, open_canvas
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.detector import DetectedBoxes, ImageDetector, detect
from customlabels_nb.models.detector_shape import STRIDE
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

#: How far confidences may lie apart, and boxes as shares of the image.
TOLERANCE = 1e-4
#: Less confident boxes are many, and nobody looks at them.
LEAST = 0.05
#: Pictures that are looked at.
PICTURES = 8
_MISSING = 1.0
_ROUNDED_OFF = 1e-4  # a hundredth of the smallest step that a pixel can make
_TRIES = 5

Run = Callable[[Any], list[Any]]


def difference(
    network: ImageClassifier | ImageDetector,
    config: ModelConfig,
    run: Run,
    facts: dict[str, Any],
    pictures: Sequence[str],
) -> tuple[float, int]:
    """The largest difference in confidence (0..1) or place (as a share of the image), and how many photos were read.

    Parameters
    ----------
    network : ImageClassifier or ImageDetector
        On the CPU, in eval mode.
    run : callable
        Runs what was exported: float32 images → its outputs.
    pictures : sequence of str
        Paths of photos; those that can't be read are passed over. Drawn noise is looked at, too, in several shapes.
    """
    if isinstance(network, ImageDetector):
        canvases = _read(pictures, lambda data, name: open_canvas(data, name, config.input_size, config.fill))
        looked_at = [*canvases, *_noisy_canvases(config)]
        apart = [_boxes_apart(network, config, run, facts, one) for one in looked_at]
        settled = [
            value
            for value, one in zip(apart, looked_at, strict=True)
            if value <= TOLERANCE or not _hangs_on_rounding(network, config, facts, one)
        ]
        return (max(settled) if 2 * len(settled) > len(apart) else max(apart)), len(canvases)
    size = config.input_size
    squares = _read(pictures, lambda data, name: to_pixels(open_image(data, name=name, at_least=size), size))
    return _confidences_apart(network, config, run, facts, [*squares, *_noise((3, size, size), 3)]), len(squares)


def _confidences_apart(
    network: ImageClassifier, config: ModelConfig, run: Run, facts: dict[str, Any], squares: Sequence[Pixels]
) -> float:
    with torch.inference_mode():
        truth = probabilities(network(to_batch(squares, config.mean, config.std)), config.activation)
    alone = [snippet.confidences(run(snippet.normalised(one, facts))[0], facts) for one in squares]
    together = run(np.concatenate([snippet.normalised(one, facts) for one in squares]))[0]
    apart = np.abs(np.stack([np.concatenate(alone), snippet.confidences(together, facts)]) - truth).max()
    return float(apart) if np.isfinite(apart) else _MISSING


def _boxes_apart(network: ImageDetector, config: ModelConfig, run: Run, facts: dict[str, Any], canvas: Canvas) -> float:
    truth = detect(network, [canvas], config.mean, config.std, "cpu")[0]
    rows = list(snippet.boxes(run(snippet.normalised(canvas.pixels, facts)), facts, canvas.size, canvas.inside))
    found = DetectedBoxes(
        np.array([box for _, _, box in rows], dtype=np.float64).reshape(-1, 4),
        np.array([label for label, _, _ in rows], dtype=np.int64),
        np.array([confidence for _, confidence, _ in rows], dtype=np.float64),
    )
    longest, most = max(canvas.size), int(facts["boxes"]["most"])
    return max(_without_counterpart(truth, found, longest, most), _without_counterpart(found, truth, longest, most))


def _hangs_on_rounding(network: ImageDetector, config: ModelConfig, facts: dict[str, Any], canvas: Canvas) -> bool:
    """Whether the model itself says something else once its input changes by less than any pixel can.

    Of two boxes that overlap by nearly as much as is allowed, one goes or stays by the last bit of a number.
    """
    graph, rng = exportable(network), np.random.default_rng(1)

    def nearly(images: Any) -> list[Any]:
        noise = rng.normal(0, _ROUNDED_OFF, images.shape).astype(np.float32)
        with torch.inference_mode():
            return [one.numpy() for one in graph(torch.from_numpy(images + noise))]

    return any(_boxes_apart(network, config, nearly, facts, canvas) > TOLERANCE for _ in range(_TRIES))


def _without_counterpart(these: DetectedBoxes, those: DetectedBoxes, longest: int, most: int) -> float:
    """How far the box of ``these`` lies that has the farthest neighbour among ``those``."""
    # of a list that was cut the last ones may stand beyond the other's end
    least = max(LEAST, these.confidences[-1] + TOLERANCE if len(these.labels) >= most else 0.0)
    worst = 0.0
    for box, label, confidence in zip(these.boxes, these.labels, these.confidences, strict=True):
        if confidence < least:
            break
        same = those.labels == label
        apart: FloatArray = np.maximum(
            np.abs(those.boxes[same] - box).max(axis=1, initial=0) / longest,
            np.abs(those.confidences[same] - confidence),
        )
        worst = max(worst, float(apart.min(initial=_MISSING)))
    return worst


def _read(pictures: Sequence[str], prepare: Callable[[bytes, str], Any]) -> list[Any]:
    found = []
    for name in pictures:
        try:
            found.append(prepare(read_bytes(name), name))
        except ImageError:
            continue
        if len(found) == PICTURES:
            break
    return found


def _noisy_canvases(config: ModelConfig) -> list[Canvas]:
    long = -(-config.input_size // STRIDE) * STRIDE
    shapes = ((long, long), (STRIDE, long), (long, STRIDE))
    return [
        Canvas(pixels, (width, height), (width, height))
        for height, width in shapes
        for pixels in _noise((3, height, width), 1)
    ]


def _noise(shape: tuple[int, int, int], count: int) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
