"""Write a model as a file that other programs run (ONNX or PyTorch's own), with a small program that does.

What was written is run and compared with the model before it is kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line, one_line
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import ImageError, InputError, MissingDependencyError, ModelError, NotAllowedError
from customlabels_nb.images.reading import local_path, open_image, read_bytes
from customlabels_nb.inference.exporting import detect as snippet
from customlabels_nb.inference.exporting.detect import FACTS
from customlabels_nb.inference.exporting.networks import Boxed, exportable, rules_of
from customlabels_nb.models.artifact import DETECTION, ModelConfig, load_artifact
from customlabels_nb.models.canvas import Canvas, open_canvas
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.detector import DetectedBoxes, ImageDetector, detect
from customlabels_nb.models.detector_shape import STRIDE
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

_TAKES = "float32 images, red, green and blue in 0..1 less the mean and divided by std"
_CLASSIFIER = {"images": f"(n, 3, input_size, input_size): {_TAKES}", "logits": "(n, number of labels)"}
_DETECTOR = {
    "images": f"(1, 3, height, width), both sides divide by stride: {_TAKES}; the photo in the upper left corner",
    "corners": "(m, 4): x0, y0, x1, y1 in pixels of the canvas, of candidates before non-maximum suppression",
    "confidences": "(m,): 0..1",
    "labels": "(m,): positions among the labels",
}

_LARGEST_SIDE = 8192
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
_OUTPUTS = {True: ["corners", "confidences", "labels"], False: ["logits"]}

#: How far confidences may lie apart, and boxes as shares of the image.
TOLERANCE = 1e-4
#: Less confident boxes are many, and nobody looks at them.
_LEAST = 0.05
#: Pictures that are looked at.
_PICTURES = 8
_MISSING = 1.0
_ROUNDED_OFF = 1e-4  # a hundredth of the smallest step that a pixel can make
_TRIES = 5

_Run = Callable[[Any], list[Any]]

_SNIPPET = "detect.py"
_OURS = {_SNIPPET, "__pycache__", *snippet.FILES}


@dataclass(frozen=True)
class Exported:
    """What :func:`export` wrote.

    Attributes
    ----------
    folder : Path
        With the model file and the program that runs it.
    file : Path
        ``model.onnx`` or ``model.pt2``.
    program : Path
        ``detect.py``, which needs this package no more: ``python detect.py photo.jpg``.
    difference : float
        The largest difference from the model itself that was seen, in confidences (0..1) and as a share of the image.
    photos : int
        How many photos were compared, beside drawn noise.
    """

    folder: Path
    file: Path
    program: Path
    difference: float
    photos: int

    def __repr__(self) -> str:
        on = f"{self.photos:,} photos" if self.photos else "noise (no photos were at hand)"
        return (
            f"{one_line(str(self.file))}: {self.file.stat().st_size / 1e6:,.1f} MB, as the model within "
            f"{max(self.difference, 1e-9):.0e} on {on}. Run it with {self.program.name} beside it."
        )


def export(
    model: Path,
    name: str,
    format: str,
    path: str | os.PathLike[str] | None = None,
    *,
    pictures: Sequence[str] = (),
) -> Exported:
    """Write the model in the folder ``model`` to the folder ``path``; see :meth:`Runnable.export`.

    Parameters
    ----------
    model : Path
        As :func:`customlabels_nb.models.artifact.save_artifact` wrote it.
    name : str
        What the model is called in its metadata.
    format : {"onnx", "pt2"}
    path : path, optional
        A new folder, or one that an export was written to before; ``<name>-<format>`` in the current folder by default.
    pictures : sequence of str
        Photos on which both are compared, as far as they can be read.

    Raises
    ------
    InputError, NotAllowedError
        If the format isn't known, or the folder is no place for it.
    MissingDependencyError
        If packages for the format are missing.
    ModelError
        If the model can't be written so, or what was written doesn't say what the model says. There is no file then.
    """
    ending = _check_format(format)
    folder = _folder(path, name, ending)
    network, config = load_artifact(model)
    facts = facts_of(network, config, name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as beside:
            file = beside / f"model.{ending}"
            WRITERS[ending](exportable(network), config, to_text(facts), file)
            apart, photos = _compared(file, network, config, facts, pictures)
            if apart > TOLERANCE:
                raise ModelError(
                    f"What was written as {ending!r} differs from the model by {apart:.1e}, more than {TOLERANCE:g}; "
                    "no file was kept. Try the other format, or another version of torch."
                )
            Path(beside, _SNIPPET).write_bytes(Path(snippet.__file__).read_bytes())
            folder.mkdir(exist_ok=True)
            for each in (file.name, _SNIPPET):
                Path(beside, each).replace(folder / each)
    except OSError as error:
        raise InputError(f"path={str(folder)!r} can't be written: {error.strerror or error}.") from error
    return Exported(folder, folder / file.name, folder / _SNIPPET, apart, photos)


def _compared(file: Path, network: Any, config: ModelConfig, facts: dict[str, Any], pictures: Sequence[str]) -> Any:
    """What :func:`difference` says of the file that was written."""
    try:
        run, _ = snippet.LOADERS[file.suffix](file)
        return difference(network, config, run, facts, pictures)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what runs it has errors of its own
        raise ModelError(
            f"What was written as {file.suffix[1:]!r} doesn't run ({type(error).__name__}: {first_line(error)}); "
            "no file was kept. Try the other format."
        ) from error


def _folder(path: str | os.PathLike[str] | None, name: str, ending: str) -> Path:
    if path is None:
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._-") or "model"
        folder = Path.cwd() / f"{plain}-{ending}"
    else:
        folder = local_path(path, "path").absolute()
    if folder.suffix.lower() in snippet.LOADERS and not folder.is_dir():
        raise InputError(
            f"path={str(folder)!r} looks like a file; name a folder, which gets model.{ending} and {_SNIPPET}."
        )
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise NotAllowedError(f"path={str(folder)!r} is a file; name a folder.")
        return folder
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OURS)
    if others:
        raise NotAllowedError(f"path={str(folder)!r} has other things in it, such as {others[0]!r}; name a new folder.")
    return folder


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


def write_onnx(graph: nn.Module, config: ModelConfig, facts: str, path: Path) -> None:
    """Write ``graph`` for onnxruntime and whatever else reads ONNX."""
    with _quietly("onnx"):
        written = torch.onnx.export(
            _traced(graph, config),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=["images"],
            output_names=_OUTPUTS[config.kind == DETECTION],
        )
        assert written is not None
        written.model.metadata_props[FACTS] = facts
        written.save(path, external_data=False)


def write_pt2(graph: nn.Module, config: ModelConfig, facts: str, path: Path) -> None:
    """Write ``graph`` for ``torch.export.load``."""
    with _quietly("pt2"):
        traced = _traced(graph, config)
        with path.open("wb") as file:
            torch.export.save(traced, file, extra_files={FACTS: facts})


#: By name of the format.
WRITERS: dict[str, Callable[[nn.Module, ModelConfig, str, Path], None]] = {"onnx": write_onnx, "pt2": write_pt2}


def _check_format(name: object) -> str:
    """``name``, if it is a format that can be written here.

    Raises
    ------
    InputError
        If there is no such format.
    MissingDependencyError
        If packages for it aren't installed.
    """
    if not isinstance(name, str) or name not in WRITERS:
        raise InputError(f"format={name!r} is not known; use one of {', '.join(WRITERS)}.")
    if name == "onnx":
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                f"Exporting to ONNX needs the package {error.name!r}; export('pt2') needs nothing more: "
                f"{extra_command('onnx')}"
            ) from error
    return name


def _traced(graph: nn.Module, config: ModelConfig) -> Any:
    size = config.input_size
    if config.kind != DETECTION:
        example = torch.zeros(2, 3, size, size)
        return torch.export.export(graph, (example,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},), strict=False)
    sides = {
        2: STRIDE * torch.export.Dim("rows", min=1, max=_LARGEST_SIDE // STRIDE),
        3: STRIDE * torch.export.Dim("columns", min=1, max=_LARGEST_SIDE // STRIDE),
    }
    # of an SSD, the coarsest levels of a small example would be a single cell, and are taken to be that always
    scale = 4 if isinstance(graph, Boxed) else 1
    example = torch.zeros(1, 3, 8 * scale * STRIDE, 6 * scale * STRIDE)
    return torch.export.export(graph, (example,), dynamic_shapes=(sides,), strict=False)


@contextlib.contextmanager
def _quietly(name: str) -> Iterator[None]:
    """No chatter of the exporters, and an error that says what they were at."""
    before = {logger: logging.getLogger(logger).level for logger in _LOUD}
    try:
        for logger in _LOUD:
            logging.getLogger(logger).setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what an operator is refused with is no class of errors
        raise ModelError(
            f"The model can't be written as {name!r} ({type(error).__name__}: {first_line(error)}); "
            f"no file was written. Try the other format, or another version of torch than {torch.__version__}."
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
    network: ImageClassifier, config: ModelConfig, run: _Run, facts: dict[str, Any], squares: Sequence[Pixels]
) -> float:
    with torch.inference_mode():
        truth = probabilities(network(to_batch(squares, config.mean, config.std)), config.activation)
    alone = [snippet.confidences(run(snippet.normalised(one, facts))[0], facts) for one in squares]
    together = run(np.concatenate([snippet.normalised(one, facts) for one in squares]))[0]
    apart = np.abs(np.stack([np.concatenate(alone), snippet.confidences(together, facts)]) - truth).max()
    return float(apart) if np.isfinite(apart) else _MISSING


def _boxes_apart(
    network: ImageDetector, config: ModelConfig, run: _Run, facts: dict[str, Any], canvas: Canvas
) -> float:
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
    least = max(_LEAST, these.confidences[-1] + TOLERANCE if len(these.labels) >= most else 0.0)
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
        if len(found) == _PICTURES:
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
