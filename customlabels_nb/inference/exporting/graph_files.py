"""Graphs as files: ONNX and PyTorch's own."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from customlabels_nb._utils.installing import extra_command
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.inference.exporting.detect import FACTS
from customlabels_nb.inference.exporting.networks import Boxed
from customlabels_nb.models.artifact import DETECTION, ModelConfig
from customlabels_nb.models.detector_shape import STRIDE

_LARGEST_SIDE = 8192
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
_OUTPUTS = {True: ["corners", "confidences", "labels"], False: ["logits"]}


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


def check_format(name: object) -> str:
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
        words = (str(error).strip().splitlines() or [""])[0][:200]
        raise ModelError(
            f"The model can't be written as {name!r} ({type(error).__name__}: {words}); no file was written. "
            f"Try the other format, or another version of torch than {torch.__version__}."
        ) from error
    finally:
        for logger, level in before.items():
            logging.getLogger(logger).setLevel(level)
