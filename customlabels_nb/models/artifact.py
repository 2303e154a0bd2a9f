"""Save and load a model folder: ``model.safetensors`` (all weights, including the backbone's) and ``config.json``.

The two files are sufficient to run the model. Loading them executes no code. The folder of a zero-shot model has only
the config, which names the pretrained weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.files import write_errors, write_whole
from customlabels_nb.core.decisions import ASSUMED, DECISIONS, MOST_CONFIDENT, require_single_label
from customlabels_nb.core.tables import BOXES, DRAWN_TASKS, MULTI_LABEL, POLYGONS, SINGLE_LABEL, TASKS
from customlabels_nb.errors import ArtifactError, InputError, MissingDependencyError
from customlabels_nb.models.backbone import PACKAGED, load_exactly, require_fitting
from customlabels_nb.models.backbones import build_backbone, freeze, is_backbone_name
from customlabels_nb.models.detector_shape import (
    MOST_BOXES,
    OWN,
    AnyShape,
    DetectorShape,
    TransformersShape,
    ZeroShot,
    fill_of,
    shape_from_dict,
)
from customlabels_nb.models.weights_file import build_empty, read_regular, read_shapes

if TYPE_CHECKING:
    import torch

    from customlabels_nb.models.classifier import ImageClassifier
    from customlabels_nb.models.detector import ImageDetector


#: Advice for a damaged file.
_ADVICE = "Train the version again, or restore its folder from an intact copy."

#: Format of the two files. A changed format gets a new number.
FORMAT = "1.0"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
#: Activation that turns logits into confidences, by task. A detector's outputs are already confidences.
ACTIVATIONS = {SINGLE_LABEL: "softmax", MULTI_LABEL: "sigmoid", BOXES: "none", POLYGONS: "none"}
DEFAULT_THRESHOLD = 0.5
#: Maximum side of a square input in pixels, larger than the input of any supported network.
MOST_INPUT_SIZE = 4096
#: Maximum size of a config in bytes. The configs that this package writes have a few kilobytes.
MOST_CONFIG_BYTES = 1 << 24

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_SHA256 = re.compile(r"([0-9a-f]{64})?")
#: Keys of a config that are left out if they have the value that a config without them has.
_OPTIONAL = ("zero_shot", "sha256", "decision")


@dataclass(frozen=True)
class ModelConfig:
    """Description of a model in addition to its weights. Labels are in the order of the model's outputs.

    The backbone of a detector without one is the name of the detector. ``input_size`` is the side of the square input
    in pixels, for a detector the longer side of the image on its canvas. ``mean`` and ``std`` are for pixels scaled to
    0 to 1. Labels without a threshold have :data:`DEFAULT_THRESHOLD`. ``view_thresholds`` are those for predictions
    that are averaged over so many views. ``decision`` is the rule for the answers of the model, and that of older
    folders is "assumed". ``detector`` may be passed as the result of its ``to_dict``. ``zero_shot``
    describes a detector that was not trained. ``sha256`` is that of the weights in a folder, which are checked against
    it. Older folders lack it.
    """

    task: str
    labels: tuple[str, ...]
    colors: tuple[str, ...]
    backbone: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    thresholds: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    detector: AnyShape | None = None
    view_thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    zero_shot: ZeroShot | None = None
    decision: str = ASSUMED
    format: str = FORMAT
    sha256: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("labels", "colors", "mean", "std"):
            value = getattr(self, name)
            _require(isinstance(value, list | tuple), name, value, "must be a list")
            object.__setattr__(self, name, tuple(value))
        _require(self.task in TASKS, "task", self.task, f"must be one of {', '.join(TASKS)}")
        self._check_labels()
        self._check_decision()
        self._check_network()
        size = self.input_size
        sized = isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MOST_INPUT_SIZE
        _require(sized, "input_size", size, f"must be an integer from 1 to {MOST_INPUT_SIZE} (pixels)")
        for name in ("mean", "std"):
            value = getattr(self, name)
            _require(len(value) == 3 and all(_is_number(number) for number in value), name, value, "must be 3 numbers")
        _require(min(self.std) > 0, "std", self.std, "must be positive")
        hashed = isinstance(self.sha256, str) and _SHA256.fullmatch(self.sha256) is not None
        _require(hashed, "sha256", self.sha256, "must be 64 hexadecimal digits")
        _require(isinstance(self.training, dict), "training", self.training, "must be a dict")

    def _check_labels(self) -> None:
        texts = all(isinstance(label, str) and label and _is_text(label) for label in self.labels)
        _require(texts and len(set(self.labels)) == len(self.labels), "labels", self.labels, "must be unique strings")
        least, least_words = (2, "two labels") if self.task == SINGLE_LABEL else (1, "one label")
        _require(len(self.labels) >= least, "labels", self.labels, f"must be at least {least_words}")
        good = all(isinstance(color, str) and _COLOR.fullmatch(color) for color in self.colors)
        _require(good and len(self.colors) == len(self.labels), "colors", self.colors, "must be one #rrggbb per label")

    def _check_decision(self) -> None:
        _require(self.decision in DECISIONS, "decision", self.decision, f"must be one of {', '.join(DECISIONS)}")
        if self.decision == MOST_CONFIDENT:
            require_single_label("decision", self.task)
        for name in ("thresholds", "view_thresholds"):
            _require(isinstance(getattr(self, name), dict), name, getattr(self, name), "must be a dict")
        for views in self.view_thresholds:
            _require(views in ("2", "4"), "view_thresholds key", views, 'must be "2" or "4"')
        for thresholds in (self.thresholds, *self.view_thresholds.values()):
            _require(isinstance(thresholds, dict), "thresholds", thresholds, "must be a dict")
            for label, value in thresholds.items():
                words = f"must be one of the labels {list(self.labels)}"
                _require(label in self.labels, "thresholds key", label, words)
                valid = _is_number(value) and 0 <= value <= 1
                _require(valid, f"thresholds[{label!r}]", value, "must be between 0 and 1")

    def _check_network(self) -> None:
        if isinstance(self.detector, dict):
            object.__setattr__(self, "detector", shape_from_dict(self.detector))
        if isinstance(self.zero_shot, dict):
            object.__setattr__(self, "zero_shot", ZeroShot(**self.zero_shot))
        shape, zero_shot = self.detector, self.zero_shot
        if zero_shot is not None:
            fits = self.task == BOXES and shape is None and len(zero_shot.prompts) == len(self.labels)
            _require(fits, "zero_shot", zero_shot, f"does not fit task={self.task!r} and {len(self.labels)} labels")
            return
        fits = isinstance(shape, DetectorShape | TransformersShape) if self.is_detector else shape is None
        _require(fits, "detector", shape, f"does not fit task={self.task!r}")
        if shape is not None and shape.architecture != OWN:
            _require(self.backbone == shape.architecture, "backbone", self.backbone, "must be the detector's name")
        else:
            words = f"must be {PACKAGED!r} or a name like 'timm/…' or 'torchvision/…'"
            _require(is_backbone_name(self.backbone), "backbone", self.backbone, words)

    @property
    def box_limit(self) -> int:
        """Largest number of boxes that a detector returns for an image."""
        return MOST_BOXES if self.detector is None else self.detector.box_limit

    @property
    def is_detector(self) -> bool:
        return self.task in DRAWN_TASKS

    @property
    def activation(self) -> str:
        """Activation that turns logits into confidences: "softmax" or "sigmoid", or "none" for a detector."""
        return ACTIVATIONS[self.task]

    @property
    def fill(self) -> tuple[int, ...]:
        """Fill color (red, green, blue, 0 to 255) of a detector's canvas around the image, zero when normalised."""
        return fill_of(self.mean)

    def threshold_of(self, label: str, views: int = 1) -> float:
        """Return the assumed threshold of a label for predictions averaged over ``views``."""
        thresholds = self.view_thresholds.get(str(views), self.thresholds)
        return float(thresholds.get(label, DEFAULT_THRESHOLD))


def save_artifact(folder: Path, model: ImageClassifier | ImageDetector, config: ModelConfig) -> None:
    """Write the model and then its config atomically, so that a folder with a config is complete."""
    from safetensors.torch import save

    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    shape = getattr(model, "shape", None)
    if shape != config.detector:
        raise InputError(f"The model's detector shape is {shape!r}, but config.detector is {config.detector!r}.")
    if (getattr(model, "masks", None) is not None) != (config.task == POLYGONS):
        raise InputError(f"config.task={config.task!r} does not fit the model: task={POLYGONS!r} requires a mask head.")
    rows = weights["head.weight"].shape[0] if shape is None else model.n_labels
    if rows != len(config.labels):
        raise InputError(f"The model has {rows} outputs, but its config has {len(config.labels)} labels.")
    _check_finite(weights, f"The model for {str(folder)!r}", "Training failed: lower the learning rate.")
    with write_errors(f"The folder {str(folder)!r}", ArtifactError):
        folder.mkdir(parents=True, exist_ok=True)
        content = save(weights, metadata={"format": "pt"})
        write_whole(folder / WEIGHTS, content)
        write_whole(folder / CONFIG, _to_json(replace(config, sha256=hashlib.sha256(content).hexdigest())))


def save_zero_shot(folder: Path, config: ModelConfig) -> None:
    with write_errors(f"The folder {str(folder)!r}", ArtifactError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CONFIG, _to_json(config))


def load_artifact(
    folder: Path, config: ModelConfig | None = None
) -> tuple[ImageClassifier | ImageDetector, ModelConfig]:
    """Load the model in ``folder``, frozen and in eval mode on the CPU, and its config, unless it was read before."""
    config = config or load_config(folder)
    if config.zero_shot is not None:
        from customlabels_nb.models.pretrained.zero_shot import load_zero_shot

        return load_zero_shot(config.zero_shot), config
    path = folder / WEIGHTS
    with _readable(path):
        shapes = read_shapes(path)
    with _buildable(path):
        expected = build_empty(lambda: _build(config), shapes).state_dict()
    require_fitting(expected, shapes, f"The weights in {str(path)!r}", ArtifactError, _ADVICE)
    weights = _read_weights(path, config.sha256)
    with _buildable(path):
        network = _build(config)
    load_exactly(network, weights, f"The weights in {str(path)!r}", ArtifactError, _ADVICE)
    _check_finite(weights, f"The file {str(path)!r}", _ADVICE)
    freeze(network)
    return network, config


def model_identity(folder: Path, config: ModelConfig) -> str:
    """Return a hash of the model's weights, or of their revision, and of the settings that affect its predictions."""
    facts = _facts(config)
    unset = ["zero_shot"] if config.zero_shot is None else []
    for name in ("thresholds", "view_thresholds", "decision", "training", "colors", "format", "sha256", *unset):
        del facts[name]
    digest = hashlib.sha256()
    try:
        if config.zero_shot is None:
            with (folder / WEIGHTS).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise ArtifactError(f"Cannot read {str(folder / WEIGHTS)!r} ({error.strerror}).") from error
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def _build(config: ModelConfig) -> ImageClassifier | ImageDetector:
    from customlabels_nb.models.backbones import backbone_named

    if config.detector is not None:
        from customlabels_nb.models.detector_building import build_detector

        return build_detector(config.detector, len(config.labels), config.backbone, masks=config.task == POLYGONS)
    from customlabels_nb.models.classifier import ImageClassifier

    features = backbone_named(config.backbone).features
    return ImageClassifier(build_backbone(config.backbone), features, len(config.labels))


@contextmanager
def _buildable(path: Path) -> Iterator[None]:
    """Convert errors while the network for the weights at ``path`` is built to ArtifactError."""
    try:
        yield
    except MissingDependencyError:
        raise
    except Exception as error:  # timm, torchvision and transformers raise errors of many kinds
        reason = f"{error or type(error).__name__}".rstrip(".")
        raise ArtifactError(f"Cannot build the network for {str(path)!r}: {reason}. {_ADVICE}") from error


def load_config(folder: Path) -> ModelConfig:
    """Load only the config of ``folder``, without importing torch."""
    path = folder / CONFIG
    try:
        content = json.loads(read_regular(path, MOST_CONFIG_BYTES))
    except FileNotFoundError as error:
        raise ArtifactError(f"{str(folder)!r} contains no model ({CONFIG} is missing). {_ADVICE}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"Cannot read {str(path)!r} ({error}). {_ADVICE}") from error
    if isinstance(content, dict) and "format_version" in content:
        raise ArtifactError(f"{str(path)!r} was written before customlabels_nb 1.0. Train the version again.")
    if not isinstance(content, dict) or "format" not in content:
        raise ArtifactError(f"{str(path)!r} was not created by this package: it has no format.")
    if content["format"] != FORMAT:
        raise ArtifactError(
            f"{str(path)!r} has the format {content['format']!r}, but this release reads {FORMAT!r}. "
            "Update customlabels_nb."
        )
    keys = {entry.name for entry in fields(ModelConfig)}
    for names, words in ((content.keys() - keys, "unknown"), (keys - content.keys() - {*_OPTIONAL}, "missing")):
        if names:
            raise ArtifactError(f"{str(path)!r} has {words} keys: {', '.join(map(repr, sorted(names)))}. {_ADVICE}")
    try:
        return ModelConfig(**content)
    # a list instead of a string, a number of 400 digits, hundreds of nested lists
    except (InputError, TypeError, OverflowError, RecursionError) as error:
        raise ArtifactError(f"Cannot use {str(path)!r}: {error} {_ADVICE}") from error


def update_config(folder: Path, config: ModelConfig) -> None:
    """Replace the thresholds, colors or training facts of an existing model. Anything the weights depend on stays."""
    present = load_config(folder)
    for name in ("task", "labels", "backbone", "input_size", "mean", "std", "detector", "zero_shot"):
        before, after = getattr(present, name), getattr(config, name)
        if before != after:
            raise InputError(f"{name}={after!r} does not match the trained weights, which require {before!r}.")
    with write_errors(repr(str(folder / CONFIG)), ArtifactError):
        write_whole(folder / CONFIG, _to_json(replace(config, sha256=present.sha256)))


def _read_weights(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    with _readable(path):
        content = read_regular(path)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise ArtifactError(
                f"{str(path)!r} is damaged, or belongs to another version: its SHA-256 is not the one in {CONFIG}. "
                f"{_ADVICE}"
            )
        weights: dict[str, torch.Tensor] = load(content)
    return weights


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert errors while the weights at ``path`` are read to ArtifactError."""
    from safetensors import SafetensorError

    try:
        yield
    except FileNotFoundError as error:
        raise ArtifactError(f"{str(path)!r} is missing. {_ADVICE}") from error
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{str(path)!r} is damaged or not a safetensors file ({error}). {_ADVICE}") from error


def _check_finite(weights: Mapping[str, torch.Tensor], what: str, advice: str) -> None:
    # A finite sum has finite terms, and a sum is computed four times as fast as a mask.
    doubtful = [key for key, value in weights.items() if value.is_floating_point() and not math.isfinite(value.sum())]
    bad = [key for key in doubtful if not bool(weights[key].isfinite().all())]
    if bad:
        raise ArtifactError(f"{what} has NaN or infinite weights in {bad[0]!r}. {advice}")


def _facts(config: ModelConfig) -> dict[str, Any]:
    return {**asdict(config), "detector": None if config.detector is None else config.detector.to_dict()}


def _to_json(config: ModelConfig) -> bytes:
    try:
        facts = _facts(config)
        for name in _OPTIONAL:
            if facts[name] in (None, "", ASSUMED):
                del facts[name]
        return (json.dumps(facts, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"config.training={config.training!r} cannot be written as JSON: {error}.") from error


def _require(condition: bool, name: str, value: object, words: str) -> None:
    if not condition:
        raise InputError(f"{name}={value!r} {words}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: str) -> bool:
    """Check that the string contains no lone surrogates, which cannot be stored as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
