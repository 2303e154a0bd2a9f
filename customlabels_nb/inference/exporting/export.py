"""Export a model to ONNX or PyTorch (pt2), together with a small program that runs it.

Before the exported file is saved, it is run and its output is compared with the model's.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from customlabels_nb._utils.files import scratch, write_errors
from customlabels_nb._utils.text import counted, first_line, one_line
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.core.tables import BOXES, POLYGONS
from customlabels_nb.errors import ImageError, InputError, ModelError, NotAllowedError
from customlabels_nb.images.locations import local_path
from customlabels_nb.images.reading import open_image, read_bytes
from customlabels_nb.inference.exporting import detect as snippet
from customlabels_nb.inference.exporting.detect import FACTS
from customlabels_nb.inference.exporting.formats import check_format
from customlabels_nb.inference.exporting.networks import Boxed, Queried, exportable, rules_of
from customlabels_nb.models.artifact import ModelConfig, load_artifact
from customlabels_nb.models.canvas import Canvas, open_canvas
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.detector import DetectedBoxes, ImageDetector, detect
from customlabels_nb.models.detector_shape import STRIDE, TransformersShape
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

_TAKES = "float32 images: red, green and blue between 0 and 1, minus the mean, divided by std"
_CLASSIFIER = {"images": f"(n, 3, input_size, input_size): {_TAKES}", "logits": "(n, number of labels)"}
_DETECTOR = {
    "images": f"(1, 3, height, width), with the photo in the upper left corner and sides multiples of stride: {_TAKES}",
    "corners": "(m, 4): x0, y0, x1, y1 of each candidate before non-maximum suppression, in pixels of the canvas",
    "confidences": "(m,): between 0 and 1",
    "labels": "(m,): label indices",
}

_MASKED = {
    "images": _DETECTOR["images"],
    "corners": "(m, 4): x0, y0, x1, y1 of each detection, in pixels of the canvas",
    "confidences": "(m,): between 0 and 1, or 0 if there are fewer detections",
    "labels": "(m,): label indices",
    "masks": "(m, rows, columns): probability that a cell of the box shows the object",
}

_LARGEST_SIDE = 8192
_NO_CHECKS = "TRANSFORMERS_DISABLE_TORCH_CHECK"
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
_OUTPUTS = {BOXES: ["corners", "confidences", "labels"], POLYGONS: ["corners", "confidences", "labels", "masks"]}

#: Largest accepted difference in confidence, and in box position as a fraction of the image size.
TOLERANCE = 1e-4
#: Confidence below which boxes are numerous and irrelevant.
_LEAST = 0.05
#: Number of photos to compare.
_PICTURES = 8
_MISSING = 1.0
_ROUNDED_OFF = 1e-4  # a hundredth of the smallest change to a pixel
_TRIES = 5

_Run = Callable[[Any], list[Any]]

_SNIPPET = "detect.py"
_OURS = {_SNIPPET, "__pycache__", *snippet.FILES}


@dataclass(frozen=True)
class Exported:
    """Files written by :func:`export`.

    Attributes
    ----------
    folder : Path
        Folder with the model file and the program that runs it.
    file : Path
        ``model.onnx`` or ``model.pt2``.
    program : Path
        ``detect.py``, which runs without this package: ``python detect.py photo.jpg``.
    difference : float
        Largest difference from the original model, in confidence (between 0 and 1) or in box position as a fraction of
        the image size.
    photos : int
        Number of photos that were compared, in addition to random noise.
    """

    folder: Path
    file: Path
    program: Path
    difference: float
    photos: int

    def __repr__(self) -> str:
        on = counted(self.photos, "photo") if self.photos else "noise (no photos available)"
        return (
            f"{one_line(str(self.file))}: {self.file.stat().st_size / 1e6:,.1f} MB, matches the model within "
            f"{max(self.difference, 1e-9):.0e} on {on}. Run it with {self.program.name} in the same folder."
        )


def export(
    model: Path,
    name: str,
    format: str,
    path: str | os.PathLike[str] | None = None,
    *,
    pictures: Sequence[str] = (),
) -> Exported:
    """Export the model in the folder ``model`` to the folder ``path``.

    It may contain an earlier export. Nothing is saved if the exported model's output differs.
    """
    ending = check_format(format)
    folder = _folder(path, name, ending)
    network, config = load_artifact(model)
    if config.zero_shot is not None:
        raise ModelError(
            f"{name!r} predicts from descriptions, so it cannot be exported. Train a model on its labels instead."
        )
    facts = facts_of(network, config, name)
    with write_errors(f"path={str(folder)!r}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as beside:
            file = beside / f"model.{ending}"
            WRITERS[ending](exportable(network), config, to_text(facts), file)
            apart, photos = _compared(file, network, config, facts, pictures)
            if apart > TOLERANCE:
                raise ModelError(
                    f"The output of the exported {ending!r} file differs from the model's by {apart:.1e}, more than "
                    f"{TOLERANCE:g}. No file was saved. Try the other format, or a different version of torch."
                )
            Path(beside, _SNIPPET).write_bytes(Path(snippet.__file__).read_bytes())
            folder.mkdir(exist_ok=True)
            for each in (file.name, _SNIPPET):
                Path(beside, each).replace(folder / each)
    return Exported(folder, folder / file.name, folder / _SNIPPET, apart, photos)


def _compared(file: Path, network: Any, config: ModelConfig, facts: dict[str, Any], pictures: Sequence[str]) -> Any:
    try:
        run, _ = snippet.LOADERS[file.suffix](file)
        return difference(network, config, run, facts, pictures)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the runtimes raise their own exceptions
        raise ModelError(
            f"The exported {file.suffix[1:]!r} file cannot be run ({type(error).__name__}: {first_line(error)}). "
            "No file was saved. Try the other format."
        ) from error


def _folder(path: str | os.PathLike[str] | None, name: str, ending: str) -> Path:
    if path is None:
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._-") or "model"
        folder = Path.cwd() / f"{plain}-{ending}"
    else:
        folder = local_path(path, "path").absolute()
    if folder.suffix.lower() in snippet.LOADERS and not folder.is_dir():
        raise InputError(f"path={str(folder)!r} looks like a file. Pass a folder for model.{ending} and {_SNIPPET}.")
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise NotAllowedError(f"path={str(folder)!r} is a file. Pass a folder.")
        return folder
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OURS)
    if others:
        raise NotAllowedError(f"path={str(folder)!r} contains other files, such as {others[0]!r}. Pass a new folder.")
    return folder


def facts_of(network: ImageClassifier | ImageDetector, config: ModelConfig, name: str) -> dict[str, Any]:
    """Collect the metadata that an exported model needs in addition to its graph, as JSON values."""
    detector = isinstance(network, ImageDetector)
    return {
        "name": name,
        "task": config.task,
        "labels": list(config.labels),
        "colors": list(config.colors),
        "thresholds": {label: config.threshold_of(label) for label in config.labels},
        "decision": config.decision,
        "activation": config.activation,
        "input_size": config.input_size,
        "mean": list(config.mean),
        "std": list(config.std),
        "fill": list(config.fill) if detector else None,
        "stride": STRIDE if detector else None,
        "boxes": rules_of(network) if isinstance(network, ImageDetector) else None,
        "backbone": config.backbone,
        **({"licence": config.detector.licence} if isinstance(config.detector, TransformersShape) else {}),
        "inputs and outputs": _MASKED if config.task == POLYGONS else _DETECTOR if detector else _CLASSIFIER,
        "made with": f"torch {torch.__version__}",
    }


def to_text(facts: dict[str, Any]) -> str:
    """Encode the facts as ASCII JSON, so that no label is altered when it is stored as metadata."""
    return json.dumps(facts, ensure_ascii=True, allow_nan=False)


def write_onnx(graph: nn.Module, config: ModelConfig, facts: str, path: Path) -> None:
    with _quietly("onnx"):
        written = torch.onnx.export(
            _traced(graph, config),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=["images"],
            output_names=_OUTPUTS.get(config.task, ["logits"]),
        )
        assert written is not None
        written.model.metadata_props[FACTS] = facts
        written.save(path, external_data=False)


def write_pt2(graph: nn.Module, config: ModelConfig, facts: str, path: Path) -> None:
    with _quietly("pt2"):
        traced = _traced(graph, config)
        content = io.BytesIO()  # torch ends the process if a file cannot be written
        torch.export.save(traced, content, extra_files={FACTS: facts})
        path.write_bytes(content.getbuffer())


#: Export functions by format.
WRITERS: dict[str, Callable[[nn.Module, ModelConfig, str, Path], None]] = {"onnx": write_onnx, "pt2": write_pt2}


def _traced(graph: nn.Module, config: ModelConfig) -> Any:
    size = config.input_size
    if not config.is_detector:
        example = torch.zeros(2, 3, size, size)
        return torch.export.export(graph, (example,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},), strict=False)
    most = (graph.side if isinstance(graph, Queried) else _LARGEST_SIDE) // STRIDE
    sides = {
        2: STRIDE * torch.export.Dim("rows", min=1, max=most),
        3: STRIDE * torch.export.Dim("columns", min=1, max=most),
    }
    # with a small example, the coarsest levels of an SSD would have a single cell and be exported as a constant
    scale = 4 if isinstance(graph, Boxed) else 1
    rows, columns = min(8 * scale, most), max(1, min(6 * scale, most - 1))
    example = torch.zeros(1, 3, rows * STRIDE, columns * STRIDE)
    with _without_checks():
        return torch.export.export(graph, (example,), dynamic_shapes=(sides,), strict=False)


@contextlib.contextmanager
def _without_checks() -> Iterator[None]:
    """Disable the checks of shapes in transformers, which ONNX cannot represent."""
    before = os.environ.get(_NO_CHECKS)
    os.environ[_NO_CHECKS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_CHECKS]
        else:
            os.environ[_NO_CHECKS] = before


@contextlib.contextmanager
def _quietly(name: str) -> Iterator[None]:
    """Suppress the log messages of the exporters and convert their exceptions to ModelError."""
    before = {logger: logging.getLogger(logger).level for logger in _LOUD}
    try:
        for logger in _LOUD:
            logging.getLogger(logger).setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # exporters raise many kinds of exceptions for unsupported operators
        raise ModelError(
            f"The model cannot be exported as {name!r} ({type(error).__name__}: {first_line(error)}). "
            f"No file was written. Try the other format, or a version of torch other than {torch.__version__}."
        ) from error
    finally:
        for logger, level in before.items():
            logging.getLogger(logger).setLevel(level)


def difference(
    network: ImageClassifier | ImageDetector,
    config: ModelConfig,
    run: _Run,
    facts: dict[str, Any],
    pictures: Sequence[str],
) -> tuple[float, int]:
    """Compute the largest difference of the exported model's confidences, or boxes as fractions, and count photos."""
    if isinstance(network, ImageDetector):
        canvases = _read(pictures, lambda data, name: open_canvas(data, name, config.input_size, config.fill))
        looked_at = [*canvases, *_noisy_canvases(config)]
        apart = [boxes_apart(network, config, run, facts, picture) for picture in looked_at]
        settled = [
            value
            for value, picture in zip(apart, looked_at, strict=True)
            if value <= TOLERANCE or not _hangs_on_rounding(network, config, facts, picture)
        ]
        return (max(settled) if 2 * len(settled) > len(apart) else max(apart)), len(canvases)
    size = config.input_size
    squares = _read(pictures, lambda data, name: to_pixels(open_image(data, name=name, at_least=size), size))
    return _confidences_apart(network, config, run, facts, [*squares, *_noise((3, size, size), 3)]), len(squares)


def _confidences_apart(
    network: ImageClassifier, config: ModelConfig, run: _Run, facts: dict[str, Any], squares: Sequence[Pixels]
) -> float:
    with torch.inference_mode():
        truth = probabilities(network(to_batch(squares, config.mean, config.std)), config.activation)
    alone = [snippet.confidences(run(snippet.normalised(square, facts))[0], facts) for square in squares]
    together = run(np.concatenate([snippet.normalised(square, facts) for square in squares]))[0]
    apart = np.abs(np.stack([np.concatenate(alone), snippet.confidences(together, facts)]) - truth).max()
    return float(apart) if np.isfinite(apart) else _MISSING


def boxes_apart(network: ImageDetector, config: ModelConfig, run: _Run, facts: dict[str, Any], canvas: Canvas) -> float:
    """Return the largest difference between the boxes of the network and those of its export for an image."""
    truth = detect(network, [canvas], config.mean, config.std, "cpu")[0]
    outputs = run(snippet.normalised(canvas.pixels, facts))
    rows = list(snippet.boxes(outputs, facts, canvas.size, canvas.inside))
    masks = None
    if truth.masks is not None:
        masks = replace(truth.masks, inside=outputs[3][[index for *_, index in rows]])
    exported = DetectedBoxes(
        np.array([box for _, _, box, _ in rows], dtype=np.float64).reshape(-1, 4),
        np.array([label for label, *_ in rows], dtype=np.int64),
        np.array([confidence for _, confidence, *_ in rows], dtype=np.float64),
        masks,
    )
    longest, most = max(canvas.size), int(facts["boxes"]["most"])
    return max(
        _without_counterpart(truth, exported, longest, most), _without_counterpart(exported, truth, longest, most)
    )


def _hangs_on_rounding(network: ImageDetector, config: ModelConfig, facts: dict[str, Any], canvas: Canvas) -> bool:
    """Check whether rounding of a pixel value changes the model's own output, such as which box is suppressed."""
    graph, rng = exportable(network), np.random.default_rng(1)

    def nearly(images: Any) -> list[Any]:
        noise = rng.normal(0, _ROUNDED_OFF, images.shape).astype(np.float32)
        with torch.inference_mode():
            return [output.numpy() for output in graph(torch.from_numpy(images + noise))]

    return any(boxes_apart(network, config, nearly, facts, canvas) > TOLERANCE for _ in range(_TRIES))


def _without_counterpart(these: DetectedBoxes, those: DetectedBoxes, longest: int, most: int) -> float:
    """Return the largest distance of any box in ``these`` from its nearest counterpart in ``those``."""
    # the last boxes of a truncated list may be missing from the other list
    least = max(_LEAST, these.confidences[-1] + TOLERANCE if len(these.labels) >= most else 0.0)
    worst = 0.0
    for row, (box, label, confidence) in enumerate(zip(these.boxes, these.labels, these.confidences, strict=True)):
        if confidence < least:
            break
        same = those.labels == label
        apart: FloatArray = np.maximum(
            np.abs(those.boxes[same] - box).max(axis=1, initial=0) / longest,
            np.abs(those.confidences[same] - confidence),
        )
        if these.masks is not None and those.masks is not None:
            apart = np.maximum(apart, np.abs(those.masks.inside[same] - these.masks.inside[row]).mean(axis=(1, 2)))
        worst = max(worst, float(apart.min(initial=_MISSING)))
    return worst


def _read(pictures: Sequence[str], prepare: Callable[[bytes, str], Any]) -> list[Any]:
    prepared = []
    for name in pictures:
        try:
            prepared.append(prepare(read_bytes(name), name))
        except ImageError:
            continue
        if len(prepared) == _PICTURES:
            break
    return prepared


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
