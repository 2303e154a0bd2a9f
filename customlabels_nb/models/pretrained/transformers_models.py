"""Load networks of transformers from folders, with strict checks and without output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import MissingDependencyError, ModelError
from customlabels_nb.models.pretrained.weights import Weights

#: Value of each channel.
Color: TypeAlias = tuple[float, float, float]


@contextmanager
def needs_transformers(what: str) -> Iterator[None]:
    """Say how to install transformers, which ``what`` needs, if it cannot be imported inside the block."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"{what} needs transformers. Install it with: {extra_command('foundation')}"
        ) from error


def load_part(kind: Any, weights: Weights) -> Any:
    """Load a model class of transformers in float32 and eval mode. Layers that the class lacks are left out."""
    import torch
    from safetensors import SafetensorError

    try:
        with quiet():
            model, loading = kind.from_pretrained(
                weights.folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"The weights in {str(weights.folder)!r} cannot be used: {first_line(error)}.") from error
    if loading["missing_keys"]:
        missing = ", ".join(sorted(loading["missing_keys"])[:3])
        raise ModelError(f"The weights in {str(weights.folder)!r} lack {missing}.")
    return model.eval()


def read_normalisation(weights: Weights) -> tuple[Color, Color, dict[str, Any]]:
    """Return mean and standard deviation of the channels of a model's input, and all facts of its image processor."""
    path = weights.folder / "preprocessor_config.json"
    try:
        facts = json.loads(path.read_bytes())
        mean, std = (_color(facts[key]) for key in ("image_mean", "image_std"))
        if min(std) <= 0:
            raise ValueError(f"image_std={std!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{str(path)!r} cannot be used: {first_line(error)}.") from error
    return mean, std, facts


def _color(values: Any) -> Color:
    red, green, blue = map(float, values)
    return red, green, blue


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bar of transformers, and its warnings about layers that are left out."""
    from transformers.utils import logging

    level, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_bar:
            logging.enable_progress_bar()
