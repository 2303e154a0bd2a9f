"""What an exported model says of itself."""

from __future__ import annotations

import json
from typing import Any

import torch

from customlabels_nb.inference.exporting.networks import rules_of
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_shape import STRIDE

_TAKES = "float32 images, red, green and blue in 0..1 less the mean and divided by std"
_CLASSIFIER = {"images": f"(n, 3, input_size, input_size): {_TAKES}", "logits": "(n, number of labels)"}
_DETECTOR = {
    "images": f"(1, 3, height, width), both sides divide by stride: {_TAKES}; the photo in the upper left corner",
    "corners": "(m, 4): x0, y0, x1, y1 in pixels of the canvas, of candidates before non-maximum suppression",
    "confidences": "(m,): 0..1",
    "labels": "(m,): positions among the labels",
}


def facts_of(network: ImageClassifier | ImageDetector, config: ModelConfig, name: str) -> dict[str, Any]:
    """All that is needed beside the graph to ask an exported model; JSON can hold it."""
    detector = isinstance(network, ImageDetector)
    return {
        "name": name,
        "kind": config.kind,
        "labels": list(config.labels),
        "colours": list(config.colours),
        "thresholds": {label: config.threshold_of(label) for label in config.labels},
        "activation": config.activation,
        "input_size": config.input_size,
        "mean": list(config.mean),
        "std": list(config.std),
        "fill": list(config.fill) if detector else None,
        "stride": STRIDE if detector else None,
        "boxes": rules_of(network) if isinstance(network, ImageDetector) else None,
        "backbone": config.backbone,
        "inputs and outputs": _DETECTOR if detector else _CLASSIFIER,
        "made with": f"torch {torch.__version__}",
    }


def to_text(facts: dict[str, Any]) -> str:
    """The facts as JSON in ASCII, so that no label is changed on its way through metadata."""
    return json.dumps(facts, ensure_ascii=True, allow_nan=False)
